/* lines_parts.h - rows of chosen runs as lines, and lines as rows, within a transaction of the caller: what
 * lines.h and prune.h are made of. For bench/store/ only. */
#ifndef STORE_LINES_PARTS_H
#define STORE_LINES_PARTS_H

#include "bench/store/lines.h"
#include "bench/store/sql.h"

/* The table of this connection that holds the chosen runs: lines_choose_none makes it, empty. */
#define LINES_CHOSEN "temp.chosen_run"
enum status lines_choose_none(struct store *s, struct err *err);

enum lines_of {
    LINES_STORE,                     /* every row */
    LINES_RUNS,                      /* rows of the chosen runs */
    LINES_RUNS_RAW,                  /* those of raw tables only */
};
enum status lines_write(FILE *file, struct store *s, enum lines_of of, struct err *err);
/* Appends the condition that holds for the rows of the chosen runs; false: no row of the table is of a run. */
bool lines_of_runs(sqlite3_str *text, const struct table *table);

enum status lines_read(struct store_lines_read *out, struct store *s, FILE *file, const char *name,
                       struct err *err);

#endif
