/* prune.h - takes the raw blocks of old nights out of the store, into an archive of JSON lines beside it. What
 * a night said (its rows, its environment, its executions) stays. */
#ifndef STORE_PRUNE_H
#define STORE_PRUNE_H

#include "bench/store/store.h"

struct store_pruned {
    int64_t nights;                  /* whose blocks are taken out */
    int64_t flagged;                 /* as old, but kept: a series of theirs was flagged */
    int64_t blocks, iterations;      /* taken out, with their samples, telemetry and marks */
    int64_t oldest_unix_s, newest_unix_s; /* starts of these nights; 0: none */
    char    archive[4096];           /* file; "" without blocks, or if nothing was done */
    int64_t archive_bytes;
    int64_t bytes_before, bytes_after; /* of the store */
    char    note[256];               /* "", or why the file of the store did not become smaller */
};
/* Nights that began before before_unix_s. The archive is written, on disk, and read back row by row against the
 * store before anything is deleted; store_read_lines brings its rows back. only_tell: nothing is done, a store
 * that is only read will do. *out is valid with ST_OK. Whatever else happens, each row is in the store, or in a
 * whole archive, or in both. */
enum status store_prune(struct store_pruned *out, struct store *s, int64_t before_unix_s, bool only_tell,
                        struct err *err);

#endif
