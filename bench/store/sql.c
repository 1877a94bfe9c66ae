#include "bench/store/sql.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum status sql_out_of_memory(const struct store *s, struct err *err)
{
    return err_set(err, ST_INTERNAL, "%s: out of memory", s->path);
}

enum status sql_fail(struct store *s, int rc, struct err *err)
{
    /* a failed check of the pages is no error of a call: then the connection has no text */
    const char *text = s->db && sqlite3_errcode(s->db) != SQLITE_OK ? sqlite3_errmsg(s->db) : sqlite3_errstr(rc);
    const int system = s->db ? sqlite3_system_errno(s->db) : 0;
    switch (rc & 0xff) {
    case SQLITE_NOMEM:
        return sql_out_of_memory(s, err);
    case SQLITE_FULL:
        return err_set(err, ST_IO,
                       "%s cannot grow: the disk is full; free some space, then run it again (bench tune: with "
                       "--resume)",
                       s->path);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return err_set(err, ST_IO,
                       "%s is damaged (%s): nothing was changed; move it away, or rescue its rows with "
                       "`sqlite3 FILE .recover`",
                       s->path, text);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_CANTOPEN:
        return err_set(err, ST_IO,
                       "%s cannot be opened or written (%s%s%s): make it and its folder writable, or name "
                       "another folder with --out",
                       s->path, text, system ? ": " : "", system ? strerror(system) : "");
    case SQLITE_IOERR:
        return err_set(err, ST_IO,
                       "%s: reading or writing failed (%s): check the disk and its limits, then run it "
                       "again (bench tune: with --resume)",
                       s->path, system ? strerror(system) : text);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return err_set(err, ST_BUSY, "%s is locked by another program: close it and try again", s->path);
    default:
        return err_set(err, ST_INTERNAL, "%s: %s", s->path, text);
    }
}

/* --- statements ----------------------------------------------------------------------------------------- */

enum status sql_prepare(sqlite3_stmt **out, struct store *s, const char *text, struct err *err)
{
    *out = NULL;
    if (!text)
        return sql_out_of_memory(s, err);
    const int rc = sqlite3_prepare_v2(s->db, text, -1, out, NULL);
    return rc == SQLITE_OK ? ST_OK : sql_fail(s, rc, err);
}

enum status sql_step(bool *more, struct store *s, sqlite3_stmt *stmt, struct err *err)
{
    const int rc = sqlite3_step(stmt);
    *more = rc == SQLITE_ROW;
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? ST_OK : sql_fail(s, rc, err);
}

enum status sql_run(struct store *s, sqlite3_stmt *stmt, struct err *err)
{
    bool more = true;
    enum status st = ST_OK;
    while (st == ST_OK && more)
        st = sql_step(&more, s, stmt, err);
    return st;
}

enum status sql_exec(struct store *s, const char *text, struct err *err)
{
    const int rc = sqlite3_exec(s->db, text, NULL, NULL, NULL);
    return rc == SQLITE_OK ? ST_OK : sql_fail(s, rc, err);
}

enum status sql_integer(int64_t *out, struct store *s, const char *text, struct err *err)
{
    sqlite3_stmt *stmt = NULL;
    bool more = false;
    enum status st = sql_prepare(&stmt, s, text, err);
    if (st == ST_OK)
        st = sql_step(&more, s, stmt, err);
    *out = more ? sqlite3_column_int64(stmt, 0) : 0;
    sqlite3_finalize(stmt);
    return st;
}

/* SQLite would go on writing a file that has no name any more. */
static enum status still_there(const struct store *s, struct err *err)
{
    struct stat file;
    if (!s->inode || (stat(s->path, &file) == 0 && file.st_ino == s->inode && file.st_dev == s->device))
        return ST_OK;
    return err_set(err, ST_IO,
                   "%s was deleted or replaced while it was written: what was measured is lost, begin again",
                   s->path);
}

enum status sql_begin(struct store *s, struct err *err)
{
    enum status st = still_there(s, err);
    return st != ST_OK ? st : sql_exec(s, "BEGIN IMMEDIATE", err);
}

enum status sql_end(struct store *s, enum status st, struct err *err)
{
    if (st == ST_OK)
        st = sql_exec(s, "COMMIT", err);
    if (st != ST_OK && !sqlite3_get_autocommit(s->db)) /* some errors have rolled back by themselves */
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    return st;
}

/* --- rows in -------------------------------------------------------------------------------------------- */

enum status sql_prepare_insert(sqlite3_stmt **out, struct store *s, const struct table *table, struct err *err)
{
    int values = 0;
    sqlite3_str *text = sqlite3_str_new(s->db);
    sqlite3_str_appendf(text, "INSERT INTO \"%w\" (", table->name);
    for (size_t i = 0; i < table->count; i++)
        if (table->columns[i].type != COLUMN_ID)
            sqlite3_str_appendf(text, "%s\"%w\"", values++ ? ", " : "", table->columns[i].name);
    sqlite3_str_appendall(text, ") VALUES (?");
    for (int i = 1; i < values; i++)
        sqlite3_str_appendall(text, ", ?");
    sqlite3_str_appendall(text, ")");
    char *sql = sqlite3_str_finish(text);
    enum status st = sql_prepare(out, s, sql, err);
    sqlite3_free(sql);
    return st;
}

int sql_place_of(const struct table *table, const char *column)
{
    int place = 1;
    for (size_t i = 0; i < table->count && strcmp(table->columns[i].name, column) != 0; i++)
        place += table->columns[i].type != COLUMN_ID;
    return place;
}

static void bind_text(sqlite3_stmt *stmt, int place, const char *text)
{
    sqlite3_bind_text(stmt, place, text, -1, SQLITE_TRANSIENT); /* NULL binds NULL */
}

static void bind_column(sqlite3_stmt *stmt, int place, const struct column *column, const void *row)
{
    const void *at = (const char *)row + column->offset;
    char shape[48];
    switch (column->type) {
    case COLUMN_ID:
    case COLUMN_ONE:
    case COLUMN_I64: sqlite3_bind_int64(stmt, place, *(const int64_t *)at); break;
    case COLUMN_U64: sqlite3_bind_int64(stmt, place, (sqlite3_int64)*(const uint64_t *)at); break;
    case COLUMN_INT: sqlite3_bind_int(stmt, place, *(const int *)at); break;
    case COLUMN_BOOL: sqlite3_bind_int(stmt, place, *(const bool *)at); break;
    case COLUMN_REAL: sqlite3_bind_double(stmt, place, *(const double *)at); break; /* NaN binds NULL */
    case COLUMN_CHARS: bind_text(stmt, place, at); break;
    case COLUMN_TEXT: bind_text(stmt, place, *(const char *const *)at); break;
    case COLUMN_KIND: bind_text(stmt, place, table_kind_name(*(const enum block_kind *)at)); break;
    case COLUMN_SHAPE:
        snprintf(shape, sizeof shape, "%dx%dx%d", ((const int *)at)[0], ((const int *)at)[1],
                 ((const int *)at)[2]);
        bind_text(stmt, place, shape);
        break;
    case COLUMN_U64S:
    case COLUMN_F32S: break;
    }
}

void sql_bind_row(sqlite3_stmt *stmt, const struct table *table, const void *row)
{
    int place = 1;
    for (size_t i = 0; i < table->count; i++)
        if (table->columns[i].type != COLUMN_ID)
            bind_column(stmt, place++, &table->columns[i], row);
}

enum status sql_insert(int64_t *id, struct store *s, const struct table *table, const void *row,
                       struct err *err)
{
    sqlite3_stmt *stmt = NULL;
    enum status st = sql_prepare_insert(&stmt, s, table, err);
    if (st == ST_OK) {
        sql_bind_row(stmt, table, row);
        st = sql_run(s, stmt, err);
    }
    if (st == ST_OK && id)
        *id = sqlite3_last_insert_rowid(s->db);
    sqlite3_finalize(stmt);
    return st;
}

/* --- rows out ------------------------------------------------------------------------------------------- */

static void append_columns(sqlite3_str *text, const char *as, const struct table *table, bool first)
{
    for (size_t i = 0; i < table->count; i++)
        sqlite3_str_appendf(text, "%s%s.\"%w\"", first && i == 0 ? "" : ", ", as, table->columns[i].name);
}

/* "SELECT columns FROM table AS t ...", without the tail. NULL: memory. sqlite3_free. */
static char *select_text(const struct sql_query *query)
{
    sqlite3_str *text = sqlite3_str_new(NULL);
    sqlite3_str_appendall(text, "SELECT ");
    append_columns(text, "t", query->table, true);
    if (query->state)
        append_columns(text, "s", query->state, false);
    sqlite3_str_appendf(text, " FROM \"%w\" AS t", query->table->name);
    if (query->state)
        sqlite3_str_appendf(text,
                            " JOIN \"%w\" AS s ON s.id = (SELECT max(id) FROM \"%w\" WHERE \"%w\" = t.id)",
                            query->state->name, query->state->name, query->parent);
    return sqlite3_str_finish(text);
}

static enum block_kind kind_of_name(const char *name)
{
    for (int kind = 0; kind < BLOCK_KIND_COUNT; kind++)
        if (name && strcmp(name, table_kind_name((enum block_kind)kind)) == 0)
            return (enum block_kind)kind;
    return BLOCK_WARMUP;
}

static bool read_column(void *row, sqlite3_stmt *stmt, int place, const struct column *column)
{
    void *at = (char *)row + column->offset;
    const bool is_text = sqlite3_column_type(stmt, place) == SQLITE_TEXT; /* asking a number for its text converts it */
    const char *text = is_text ? (const char *)sqlite3_column_text(stmt, place) : NULL;
    switch (column->type) {
    case COLUMN_ID:
    case COLUMN_ONE:
    case COLUMN_I64: *(int64_t *)at = sqlite3_column_int64(stmt, place); break;
    case COLUMN_U64: *(uint64_t *)at = (uint64_t)sqlite3_column_int64(stmt, place); break;
    case COLUMN_INT: *(int *)at = sqlite3_column_int(stmt, place); break;
    case COLUMN_BOOL: *(bool *)at = sqlite3_column_int(stmt, place) != 0; break;
    case COLUMN_REAL:
        *(double *)at = sqlite3_column_type(stmt, place) == SQLITE_NULL ? NAN : sqlite3_column_double(stmt, place);
        break;
    case COLUMN_CHARS: snprintf(at, column->size, "%s", text ? text : ""); break;
    case COLUMN_KIND: *(enum block_kind *)at = kind_of_name(text); break;
    case COLUMN_SHAPE:
        if (!text || sscanf(text, "%dx%dx%d", (int *)at, (int *)at + 1, (int *)at + 2) != 3)
            memset(at, 0, column->size);
        break;
    case COLUMN_TEXT:
        *(char **)at = text ? strdup(text) : NULL;
        return !text || *(char **)at;
    case COLUMN_U64S:
    case COLUMN_F32S: break;
    }
    return true;
}

bool sql_read_row(void *row, sqlite3_stmt *stmt, int *first, const struct table *table)
{
    bool whole = true;
    for (size_t i = 0; i < table->count; i++)
        whole &= read_column(row, stmt, (*first)++, &table->columns[i]);
    return whole;
}

void sql_free_texts(void *rows, size_t count, size_t row_size, const struct table *table)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < table->count; k++)
            if (table->columns[k].type == COLUMN_TEXT)
                free(*(char **)((char *)rows + i * row_size + table->columns[k].offset));
}

static void free_rows(void *rows, size_t count, const struct sql_query *query)
{
    sql_free_texts(rows, count, query->row_size, query->table);
    if (query->state)
        sql_free_texts(rows, count, query->row_size, query->state);
    free(rows);
}

/* Reads all rows of stmt into a growing array; what was read stays in *rows after an error. */
static enum status collect(char **rows, size_t *count, struct store *s, sqlite3_stmt *stmt,
                           const struct sql_query *query, struct err *err)
{
    size_t room = 0;
    for (;;) {
        bool more = false;
        enum status st = sql_step(&more, s, stmt, err);
        if (st != ST_OK || !more)
            return st;
        if (*count == room) {
            room = room ? 2 * room : 8;
            char *grown = realloc(*rows, room * query->row_size);
            if (!grown)
                return sql_out_of_memory(s, err);
            *rows = grown;
        }
        char *row = *rows + (*count)++ * query->row_size;
        memset(row, 0, query->row_size);
        int first = 0;
        bool whole = sql_read_row(row, stmt, &first, query->table);
        if (query->state)
            whole &= sql_read_row(row, stmt, &first, query->state);
        if (!whole)
            return sql_out_of_memory(s, err);
    }
}

enum status sql_load(void **out, size_t *count, struct store *s, const struct sql_query *query,
                     struct err *err)
{
    *out = NULL;
    *count = 0;
    char *select = select_text(query), *rows = NULL;
    char *text = select ? sqlite3_mprintf("%s %s", select, query->tail) : NULL;
    sqlite3_stmt *stmt = NULL;
    enum status st = sql_prepare(&stmt, s, text, err);
    if (st == ST_OK) {
        if (query->text)
            bind_text(stmt, 1, query->text);
        else
            sqlite3_bind_int64(stmt, 1, query->id);
        st = collect(&rows, count, s, stmt, query, err);
    }
    sqlite3_finalize(stmt);
    sqlite3_free(text);
    sqlite3_free(select);
    if (st != ST_OK) {
        free_rows(rows, *count, query);
        *count = 0;
        return st;
    }
    *out = rows;
    return ST_OK;
}
