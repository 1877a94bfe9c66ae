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
    COLUMN_ONE,   /* int64_t, number of the row that this one belongs to, one for each */
    COLUMN_I64, COLUMN_U64, COLUMN_INT, COLUMN_BOOL,
    COLUMN_REAL,  /* double; NaN is NULL */
    COLUMN_CHARS, /* char[size] */
    COLUMN_TEXT,  /* const char *, may be NULL; allocated when read */
    COLUMN_SHAPE, /* int[3]: "3x256x256" */
    COLUMN_KIND,  /* enum block_kind by name */
    COLUMN_U64S, COLUMN_F32S, /* packed numbers, least significant byte first: no member, the caller binds and reads
                                 them */
};
struct table;
struct column {
    const char *name;
    enum column_type type;
    size_t offset, size;
    const char *before;       /* SQL text of the value in rows of a version that had no such column; NULL: 0, or
                                 NULL where the type has one. Of derived tables only */
    const struct table *refers; /* whose id it holds (0: of none); NULL: it is no such number */
};

enum table_class {
    TABLE_RAW,     /* refuses UPDATE and DELETE */
    TABLE_DERIVED, /* can be made again from raw rows */
};
/* How a row of another store is found in this one. */
enum table_known {
    KNOWN_ONCE,    /* no two rows have the same known_by: a constraint holds that */
    KNOWN_FIRST,   /* nor here, but nothing holds it */
    KNOWN_IN_ORDER, /* rows of the same known_by are told apart by their order; an index finds them */
};
#define TABLE_KNOWN_BY 5
struct table {
    const char *name;
    enum table_class class;
    enum table_known known;
    const char *known_by[TABLE_KNOWN_BY]; /* names of columns, NULL behind the last */
    const struct column *columns;
    size_t count;
};

/* Rows whose struct does not say what they belong to. */
struct environment_entry { int64_t run, execution; struct field_row field; };
struct telemetry_entry   { int64_t block, form; const char *readings; };
struct telemetry_form_entry { int64_t id; const char *text; };
struct telemetry_entry_v3 { int64_t block; struct field_row field; };
struct samples_entry     { int64_t block; const char *digest; };
struct output_entry {
    const char *origin, *model_sha256, *image_sha256;
    int shape[3], output_shape[3];
    const char *digest;
};

extern const struct table table_run, table_run_state, table_environment, table_target, table_target_state,
    table_execution, table_execution_state, table_prepared, table_block, table_samples, table_telemetry,
    table_telemetry_form, table_mark, table_accuracy, table_output, table_estimate, table_decision, table_why,
    table_look, table_verification, table_fill, table_import, table_import_model, table_night, table_accept;
/* How telemetry was kept up to schema 3: a row for each field. Not in the list. */
extern const struct table table_telemetry_v3;
/* All of them, parents first. */
const struct table *const *table_list(size_t *count);

const char *table_kind_name(enum block_kind kind);

/* Raw rows whose struct has no id have one in the file, before the other columns: it is their order. */
bool table_id_is_hidden(const struct table *table);
/* Name of the column that numbers the rows; NULL: a derived table, its rows are known by their key. */
const char *table_id_name(const struct table *table);

/* What a mark's subject_id is the number of, by its subject. */
struct table_subject {
    const char *name;
    const struct table *table;
};
const struct table_subject *table_subjects(size_t *count);

#endif
