/* table.h - the tables of the store: one list of columns for each feeds CREATE, INSERT and SELECT.
 * A column names a member of the row struct, so that no list of names has to be kept beside another. */
#ifndef STORE_TABLE_H
#define STORE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/store/record.h"

enum column_type {
    COLUMN_ID,    /* int64_t, given by SQLite: read, never inserted */
    COLUMN_I64, COLUMN_U64, COLUMN_INT, COLUMN_BOOL,
    COLUMN_REAL,  /* double; NaN is NULL */
    COLUMN_CHARS, /* char[size] */
    COLUMN_TEXT,  /* const char *, may be NULL; allocated when read */
    COLUMN_SHAPE, /* int[3]: "3x256x256" */
    COLUMN_KIND,  /* enum block_kind by name */
};
struct column {
    const char *name;
    enum column_type type;
    size_t offset, size;
    const char *before;       /* SQL text of the value in rows of a version that had no such column; NULL: 0, or
                                 NULL where the type has one. Of derived tables only */
};

enum table_class {
    TABLE_RAW,     /* refuses UPDATE and DELETE */
    TABLE_DERIVED, /* can be made again from raw rows */
};
struct table {
    const char *name;
    enum table_class class;
    const char *constraints;  /* further text within CREATE TABLE, or NULL */
    const char *index;        /* columns of its index, or NULL */
    const struct column *columns;
    size_t count;
};

/* Rows whose struct does not say what they belong to. */
struct environment_entry { int64_t run, execution; struct field_row field; };
struct telemetry_entry   { int64_t block; struct field_row field; };
struct samples_entry     { int64_t block; };
struct output_entry {
    const char *origin, *model_sha256, *image_sha256;
    int shape[3], output_shape[3];
};

/* samples and outputs have binary columns too: iteration_ns, h2d_ns, compute_ns, d2h_ns,
 * digest; values_f32, digest. */
extern const struct table table_run, table_run_state, table_environment, table_target, table_target_state,
    table_execution, table_execution_state, table_prepared, table_block, table_samples, table_telemetry,
    table_mark, table_accuracy, table_output, table_estimate, table_decision, table_why, table_look,
    table_verification, table_fill, table_import, table_import_model, table_night, table_accept;
/* All of them, parents first. */
const struct table *const *table_list(size_t *count);

const char *table_kind_name(enum block_kind kind);

#endif
