/* lines.h - rows of a store as lines of JSON, lossless: out of one store, into another, and out again gives
 * the same bytes.
 *
 *   {"store":"bench","schema":5}
 *   {"table":"run","id":1,"name":"20260301-014502-7f3a","kind":"tune",...}
 *   {"table":"samples","block":1,"iteration_ns":[100,101],"h2d_ns":null,...}
 *   {"end":true,"rows":2}
 *
 * A line for each row, tables in an order in which no row comes before one that it refers to, every column by
 * its name. Integers as they are, reals as the shortest text that reads back the same, packed numbers as an
 * array (of f32: the bits of each), text that is no UTF-8 as an array of its bytes. */
#ifndef STORE_LINES_H
#define STORE_LINES_H

#include <stdio.h>

#include "bench/store/store.h"

/* Writes a run (campaign, night, ...) by its name with all that belongs to it, or, name NULL, the whole store.
 * ST_CONFIG: there is no run of that name, or the store is of an older version; ST_IO: file cannot be
 * written. */
enum status store_write_lines(FILE *file, struct store *s, const char *name, struct err *err);

struct store_lines_read {
    int64_t added, known;            /* rows; known: this store had them */
};
/* Takes the rows of a file. A run is known by its name, what belongs to it by its place in it; numbers of rows
 * stay as they are where they are free, else the rows get new ones. One transaction: after another status than
 * ST_OK nothing of it is there. ST_CONFIG: with file:line:column, a line is broken, the file was cut off, it
 * was written by a newer version, or a row is another than the one that this store has in its place. */
enum status store_read_lines(struct store_lines_read *out, struct store *s, const char *path, struct err *err);

#endif
