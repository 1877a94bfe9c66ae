/* night_picture.h - the nights of one series as a small picture: dots, the band that they are held against, dashed
 * lines where something changed. For pages with plots/page.css. */
#ifndef OUTPUT_NIGHT_PICTURE_H
#define OUTPUT_NIGHT_PICTURE_H

#include <stdbool.h>
#include <stdio.h>

#include "bench/output/night_history.h"

#define NIGHT_PICTURE_MOST 400       /* nights that a picture has room for */

/* Writes the newest `most` (1..NIGHT_PICTURE_MOST) nights as an HTML figure. The series has one night at least. */
void night_picture_write(FILE *file, const struct history_view *series, size_t most);
/* Was anything ever measured of it? */
bool night_picture_has_values(const struct history_view *series);

/* How grave the word of a row is, as a class of page.css: "bad", "open", "good", "". */
const char *night_class(const char *word);

#define NIGHT_DATE_SIZE 12
/* "2026-03-31", UTC; into date[NIGHT_DATE_SIZE], which is given back. */
const char *night_date(char *date, int64_t unix_s);

#endif
