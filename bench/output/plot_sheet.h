/* plot_sheet.h - the parts of plot.h: the data files that gnuplot reads, the driver that it runs, and what
 * both know of one model. */
#ifndef OUTPUT_PLOT_SHEET_H
#define OUTPUT_PLOT_SHEET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "bench/store/record.h"
#include "kernels/base/err.h"
#include "kernels/base/home.h"

#define SHEET_TARGETS_MAX 12 /* more lines in one picture cannot be told apart */
#define SHEET_PATH 4096

/* What one model's pictures show. */
struct sheet {
    const struct campaign *campaign;
    const char *model;
    const struct target_view *targets[SHEET_TARGETS_MAX];
    size_t count;
    char   base[SHEET_PATH];       /* folder/plots/MODEL, with a name that is safe for files */
    char   scripts[HOME_PATH_MAX];
};

/* A file beside the pictures, base + suffix. ST_IO with its path; sheet_open gives NULL then. */
FILE *sheet_open(const struct sheet *s, const char *suffix, struct err *err);
enum status sheet_close(FILE *file, const struct sheet *s, const char *suffix, struct err *err);

/* The data files: suffix, and what the scripts call it. */
struct plot_data { const char *suffix, *variable; };
const struct plot_data *plot_data_file(size_t place); /* NULL: there are no more */
/* Writes all of them; ST_IO. */
enum status plot_data_write(const struct sheet *s, struct err *err);
/* Writes base.gp, which draws the pictures; ST_IO. */
enum status plot_driver_write(const struct sheet *s, struct err *err);

/* A picture: plots/NAME.gp and its title; NULL: there are no more. */
struct plot_picture { const char *name, *title; };
const struct plot_picture *plot_picture(size_t place);
bool plot_has_picture(const struct sheet *s, size_t place); /* is there anything to draw? */

#endif
