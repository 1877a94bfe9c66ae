/* sql.h - SQLite with our errors: statements, transactions, rows in and out by their columns.
 * For bench/store/ only. A statement is finished with sqlite3_finalize (NULL is allowed). */
#ifndef STORE_SQL_H
#define STORE_SQL_H

#include <sqlite3.h>
#include <sys/types.h>

#include "bench/store/store.h"
#include "bench/store/table.h"

struct store {
    sqlite3 *db;
    char    *path;
    int      lock_fd; /* -1: reading */
    dev_t    device;  /* of the file that is written, to see that it is still there */
    ino_t    inode;   /* 0: not yet known */
    int      version; /* of the tables in the file */
};

/* The sentence and status of a failed SQLite call of this store. */
enum status sql_fail(struct store *s, int rc, struct err *err);
enum status sql_out_of_memory(const struct store *s, struct err *err);

enum status sql_prepare(sqlite3_stmt **out, struct store *s, const char *text, struct err *err);
/* Executes a statement that gives no rows. */
enum status sql_run(struct store *s, sqlite3_stmt *stmt, struct err *err);
/* *more: a row is there. */
enum status sql_step(bool *more, struct store *s, sqlite3_stmt *stmt, struct err *err);
/* Executes text without parameters, rows ignored. */
enum status sql_exec(struct store *s, const char *text, struct err *err);
enum status sql_integer(int64_t *out, struct store *s, const char *text, struct err *err);

enum status sql_begin(struct store *s, struct err *err);
/* COMMIT if st is ST_OK, else ROLLBACK; returns st, or why the commit failed. */
enum status sql_end(struct store *s, enum status st, struct err *err);

/* INSERT with the table's columns but its COLUMN_ID. Parameters from 1. */
enum status sql_prepare_insert(sqlite3_stmt **out, struct store *s, const struct table *table, struct err *err);
/* Binds the row's columns; packed ones are left as they are. */
void sql_bind_row(sqlite3_stmt *stmt, const struct table *table, const void *row);
/* Number of the parameter of a column, for packed ones. */
int sql_place_of(const struct table *table, const char *column);
/* Inserts one row; *id, if not NULL, gets its number. */
enum status sql_insert(int64_t *id, struct store *s, const struct table *table, const void *row,
                       struct err *err);

struct sql_query {
    const struct table *table;  /* as t */
    const struct table *state;  /* its newest state, as s; NULL: none */
    const char *parent;         /* column of state that names the row of table */
    const char *tail;           /* JOIN, WHERE, ORDER BY; ?1 is id or text */
    int64_t id;
    const char *text;           /* not NULL: bound in place of id */
    size_t row_size;
};
/* Rows of a query, [*count], zeroed before they are filled. free(*out) after sql_free_texts. */
enum status sql_load(void **out, size_t *count, struct store *s, const struct sql_query *query,
                     struct err *err);
/* Frees the COLUMN_TEXT members of rows. */
void sql_free_texts(void *rows, size_t count, size_t row_size, const struct table *table);
/* Fills a row from the columns of stmt, from `first` on; false: memory. */
bool sql_read_row(void *row, sqlite3_stmt *stmt, int *first, const struct table *table);

#endif
