/* table.h - rows of numbers as people and programs read them, from one table of fields: text with a units
 * row, JSON, CSV. A field is one row here and nothing else. Nothing is kept after a call. */
#ifndef OUTPUT_TABLE_H
#define OUTPUT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <jansson.h>

#include "kernels/base/err.h"

enum field_type {
    FIELD_INT,     /* int */
    FIELD_COUNT,   /* uint64_t; 0 is shown as it is */
    FIELD_BYTES,   /* uint64_t; 0 means unknown; text in MiB, JSON and CSV in bytes */
    FIELD_REAL,    /* double; NaN means unknown; digits after the point in text */
    FIELD_TEXT,    /* char [] inside the row; "" means none */
};
struct field {
    const char *name;       /* JSON key, CSV column; has its unit in it */
    const char *heading;    /* of the text table; NULL: the name */
    const char *unit;       /* units row; "" none */
    size_t      offset;
    enum field_type type;
    int         digits;     /* of FIELD_REAL in text: after the point; JSON and CSV have 6 significant ones */
    bool significant; /* digits are significant ones of the column's smallest value, same point for all */
    bool        zero_unknown; /* FIELD_INT: 0 means unknown */
    bool        data_only, text_only; /* only in JSON and CSV; only in text */
};

struct table {
    const struct field *fields;
    size_t      field_count;
    const void *rows;
    size_t      row_size, row_count;
    int         marked;         /* row to be marked, -1: none */
    const char *mark_text;      /* "<- chosen: ..." beside it; may be NULL */
    bool        colour;
    const char *indent;         /* before each line of text; NULL: none */
};

/* A column as it is shown; what a table of HTML and one of text have in common. */
struct table_column {
    const struct field *field;
    const char *heading, *unit;
    int  places, width; /* digits after the point; width of the text */
    bool left;          /* aligned to the left: a text */
};
#define TABLE_CELL_SIZE 576 /* longer than any text in a row */
/* The columns that are shown: [*count], for free(); NULL if memory is out. */
struct table_column *table_columns(const struct table *table, size_t *count);
/* Text of one cell; unknown is `-`, or "" for a text. */
void table_cell(char cell[TABLE_CELL_SIZE], const struct table *table, size_t row,
                const struct table_column *column);

/* True if `file` is a terminal that wants colours: isatty, TERM is not "dumb", NO_COLOR
 * is not set (or empty). */
bool table_colour(FILE *file);
/* Header row, units row, numbers right-aligned, unknown as `-`. A column whose values are all unknown is left
 * out; text columns are left-aligned. Control characters in texts are printed as `?`. */
void table_write_text(FILE *file, const struct table *table);
/* Header line of names with units ("batch,images_per_s,..."), then a line per row; unknown is empty. Fields
 * that hold a comma, quote or line end are quoted. `heading` false leaves the header line out. */
void table_write_csv(FILE *file, const struct table *table, bool heading);
/* Two tables side by side: the first row of `left` before each row of `right`. */
void table_write_csv_beside(FILE *file, const struct table *left, const struct table *right, bool heading);
/* Array of objects, unknown is null. NULL if memory is out; the caller owns it. */
json_t *table_json(const struct table *table);

#endif
