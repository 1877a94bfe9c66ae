/* page.h - the page of a stored night, from the store alone: the same again whenever it is wanted. */
#ifndef NIGHTLY_PAGE_H
#define NIGHTLY_PAGE_H

#include <stdio.h>

#include "bench/output/night_table.h"
#include "bench/store/store.h"
#include "kernels/base/err.h"

/* Writes the page of a night (its name, its date, or NULL: the newest) to path. again: how to call this
 * program. ST_CONFIG: there is no night; ST_USAGE: not that one; statuses of the store and of
 * night_page_write. */
enum status night_page_of_store(const char *path, struct store *store, const char *night, const char *again,
                                struct err *err);
/* The newest night as it was told; BLIND if it is too long ago (told_is_gap). Measures nothing. Statuses of night_run
 * besides. */
enum status night_status_of_store(FILE *file, struct store *store, int64_t now_unix_s, double every_s,
                                  void (*write)(FILE *file, const struct night_view *night), struct err *err);
/* The same night to a file, by a function of night_formats.h. */
enum status night_format_of_store(FILE *file, struct store *store, const char *night,
                                  void (*write)(FILE *file, const struct night_view *night), struct err *err);

#endif
