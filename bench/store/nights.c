/* Nights and accepts: see store.h. */
#include "bench/store/sql.h"

static enum status forget_night(struct store *s, int64_t run, struct err *err)
{
    sqlite3_stmt *stmt = NULL;
    enum status st = sql_prepare(&stmt, s, "DELETE FROM night WHERE run = ?1", err);
    if (st == ST_OK) {
        sqlite3_bind_int64(stmt, 1, run);
        st = sql_run(s, stmt, err);
    }
    sqlite3_finalize(stmt);
    return st;
}

enum status store_replace_night(struct store *s, int64_t run, const struct night_row *rows, size_t count,
                                struct err *err)
{
    enum status st = sql_begin(s, err);
    if (st != ST_OK)
        return st;
    st = forget_night(s, run, err);
    for (size_t i = 0; i < count && st == ST_OK; i++) {
        struct night_row row = rows[i];
        row.run = run;
        st = sql_insert(NULL, s, &table_night, &row, err);
    }
    return sql_end(s, st, err);
}

enum status store_load_nights(struct night_row **out, size_t *count, struct store *s, struct err *err)
{
    void *rows = NULL;
    const struct sql_query query = { .table = &table_night,
                                     .tail = "ORDER BY t.run, t.series",
                                     .row_size = sizeof **out };
    enum status st = sql_load(&rows, count, s, &query, err);
    *out = rows;
    return st;
}

enum status store_append_accept(struct store *s, struct accept_row *row, struct err *err)
{
    enum status st = sql_begin(s, err);
    return st == ST_OK ? sql_end(s, sql_insert(&row->id, s, &table_accept, row, err), err) : st;
}

enum status store_load_accepts(struct accept_row **out, size_t *count, struct store *s, struct err *err)
{
    void *rows = NULL;
    const struct sql_query query = { .table = &table_accept,
                                     .tail = "ORDER BY t.id",
                                     .row_size = sizeof **out };
    enum status st = sql_load(&rows, count, s, &query, err);
    *out = rows;
    return st;
}
