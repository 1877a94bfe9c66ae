/* page.h - the page of a stored night, from the store alone: the same again whenever it is wanted. */
#ifndef NIGHTLY_PAGE_H
#define NIGHTLY_PAGE_H

#include "bench/store/store.h"
#include "kernels/base/err.h"

/* Writes the page of a night (its name, its date, or NULL: the newest) to path. again: how to call this program. ST_CONFIG:
 * there is no night; ST_USAGE: not that one; statuses of the store and of night_page_write. */
enum status night_page_of_store(const char *path, struct store *store, const char *night, const char *again,
                                struct err *err);

#endif
