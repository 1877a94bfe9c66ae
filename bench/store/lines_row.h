/* lines_row.h - rows of a file of lines on their way into a store that may have them already. For bench/store/
 * only, within a transaction. */
#ifndef STORE_LINES_ROW_H
#define STORE_LINES_ROW_H

#include <jansson.h>

#include "bench/store/lines.h"
#include "bench/store/lines_value.h"

enum { LINE_VALUES_MAX = 64, LINE_SINKS_MAX = 32 };

struct line_sink {                   /* one table of the store, while rows come */
    const struct table *table;
    sqlite3_stmt *insert, *same, *candidate, *taken;
    int64_t last;                    /* newest id that was given or found */
    bool    referred;                /* other rows refer to it */
};

struct line_reader {                 /* lines_reader_open .. lines_reader_close */
    struct store *s;
    const char *name;                /* of the file */
    int64_t line;
    const char *text;                /* of the line */
    bool    begun, ended;
    struct line_sink sinks[LINE_SINKS_MAX];
    size_t  sink_count;
    sqlite3_stmt *moved, *move, *seen, *see;
    struct store_lines_read count;
};

/* What a row of the file is in the store: values of all columns, the id that no struct has before them. */
struct line_row {
    struct line_sink *sink;
    struct line_value values[LINE_VALUES_MAX];
    size_t count;
    bool   fresh;                    /* what it belongs to came with this file: it cannot be there yet */
};

/* r->s and r->name are set, the rest is 0. Close it also after an error. */
enum status lines_reader_open(struct line_reader *r, struct err *err);
void lines_reader_close(struct line_reader *r);

/* ST_CONFIG: "FILE:LINE:COLUMN: sentence: nothing was imported". member: where in the line; NULL: its begin. */
enum status lines_refuse(struct line_reader *r, const char *member, struct err *err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* NULL: the table has no such column. */
struct line_value *lines_row_value(struct line_row *row, const char *name);
/* Finds the row in the store, or puts it there, and counts it. ST_CONFIG: it refers to a row that did not come,
 * or is another than the one in its place. */
enum status lines_row_keep(struct line_reader *r, struct line_row *row, struct err *err);

#endif
