#include <stdio.h>
#include <string.h>

#include "bench/store/sql.h"
#include "kernels/base/clock.h"
#include "kernels/base/rng.h"

/* --- runs ----------------------------------------------------------------------------------------------- */

static void name_of_run(struct run_row *row, unsigned attempt)
{
    char stamp[CLOCK_STAMP_SIZE]; /* YYYY-MM-DDTHH:MM:SSZ */
    clock_stamp(stamp, row->start_unix_s);
    const unsigned tail = (unsigned)((splitmix64(row->seed ^ (uint64_t)row->start_unix_s) + attempt) &
                                     0xffff);
    snprintf(row->name, sizeof row->name, "%.4s%.2s%.2s-%.2s%.2s%.2s-%04x", stamp, stamp + 5, stamp + 8,
             stamp + 11, stamp + 14, stamp + 17, tail);
}

static enum status name_is_taken(bool *taken, struct store *s, const char *name, struct err *err)
{
    sqlite3_stmt *stmt = NULL;
    enum status st = sql_prepare(&stmt, s, "SELECT 1 FROM run WHERE name = ?1", err);
    if (st == ST_OK) {
        sqlite3_bind_text(stmt, 1, name, -1, SQLITE_TRANSIENT);
        st = sql_step(taken, s, stmt, err);
    }
    sqlite3_finalize(stmt);
    return st;
}

static enum status give_name(struct store *s, struct run_row *row, struct err *err)
{
    bool taken = true;
    enum status st = ST_OK;
    for (unsigned attempt = 0; attempt < 0x10000 && taken && st == ST_OK; attempt++) {
        name_of_run(row, attempt);
        st = name_is_taken(&taken, s, row->name, err);
    }
    return st;
}

enum status store_append_run(struct store *s, struct run_row *row, struct err *err)
{
    const bool nameless = !*row->name;
    enum status st = sql_begin(s, err);
    if (st != ST_OK)
        return st;
    if (nameless)
        st = give_name(s, row, err);
    if (st == ST_OK)
        st = sql_insert(&row->id, s, &table_run, row, err);
    if (st == ST_OK)
        st = sql_insert(NULL, s, &table_run_state, row, err);
    st = sql_end(s, st, err);
    if (st != ST_OK && nameless)
        *row->name = 0;
    return st;
}

enum status store_append_run_state(struct store *s, const struct run_row *row, struct err *err)
{
    return sql_insert(NULL, s, &table_run_state, row, err);
}

enum status store_append_environment(struct store *s, int64_t run, int64_t execution,
                                     const struct field_row *fields, size_t count, struct err *err)
{
    enum status st = sql_begin(s, err);
    if (st != ST_OK)
        return st;
    for (size_t i = 0; i < count && st == ST_OK; i++) {
        const struct environment_entry entry = { .run = run, .execution = execution, .field = fields[i] };
        st = sql_insert(NULL, s, &table_environment, &entry, err);
    }
    return sql_end(s, st, err);
}

/* --- targets and executions ----------------------------------------------------------------------------- */

/* A row and its first state, in one transaction. */
static enum status append_with_state(struct store *s, const struct table *table, const struct table *state,
                                     void *row, int64_t *id, struct err *err)
{
    enum status st = sql_begin(s, err);
    if (st != ST_OK)
        return st;
    st = sql_insert(id, s, table, row, err);
    if (st == ST_OK)
        st = sql_insert(NULL, s, state, row, err);
    return sql_end(s, st, err);
}

enum status store_append_target(struct store *s, struct target_row *row, struct err *err)
{
    return append_with_state(s, &table_target, &table_target_state, row, &row->id, err);
}

enum status store_append_target_state(struct store *s, const struct target_row *row, struct err *err)
{
    return sql_insert(NULL, s, &table_target_state, row, err);
}

enum status store_append_execution(struct store *s, struct execution_row *row, struct err *err)
{
    return append_with_state(s, &table_execution, &table_execution_state, row, &row->id, err);
}

enum status store_append_execution_state(struct store *s, const struct execution_row *row, struct err *err)
{
    return sql_insert(NULL, s, &table_execution_state, row, err);
}

enum status store_append_prepared(struct store *s, const struct prepared_row *row, struct err *err)
{
    return sql_insert(NULL, s, &table_prepared, row, err);
}

enum status store_append_mark(struct store *s, const struct mark_row *row, struct err *err)
{
    return sql_insert(NULL, s, &table_mark, row, err);
}

enum status store_append_accuracy(struct store *s, const struct accuracy_row *row, struct err *err)
{
    return sql_insert(NULL, s, &table_accuracy, row, err);
}

/* --- what is derived ------------------------------------------------------------------------------------ */

static enum status forget_results(struct store *s, int64_t target, struct err *err)
{
    static const char *const tables[] = { "DELETE FROM estimate WHERE target = ?1",
                                          "DELETE FROM decision WHERE target = ?1",
                                          "DELETE FROM why WHERE target = ?1" };
    enum status st = ST_OK;
    for (size_t i = 0; i < 3 && st == ST_OK; i++) {
        sqlite3_stmt *stmt = NULL;
        st = sql_prepare(&stmt, s, tables[i], err);
        if (st == ST_OK) {
            sqlite3_bind_int64(stmt, 1, target);
            st = sql_run(s, stmt, err);
        }
        sqlite3_finalize(stmt);
    }
    return st;
}

static enum status insert_results(struct store *s, int64_t target, const struct store_results *results,
                                  struct err *err)
{
    enum status st = ST_OK;
    for (size_t i = 0; i < results->estimate_count && st == ST_OK; i++) {
        struct estimate_row row = results->estimates[i];
        row.target = target;
        st = sql_insert(NULL, s, &table_estimate, &row, err);
    }
    for (size_t i = 0; i < results->why_count && st == ST_OK; i++) {
        struct why_row row = results->whys[i];
        row.target = target;
        st = sql_insert(NULL, s, &table_why, &row, err);
    }
    if (st == ST_OK && results->decision) {
        struct decision_row row = *results->decision;
        row.target = target;
        st = sql_insert(NULL, s, &table_decision, &row, err);
    }
    return st;
}

enum status store_replace_results(struct store *s, int64_t target, const struct store_results *results,
                                  struct err *err)
{
    enum status st = sql_begin(s, err);
    if (st != ST_OK)
        return st;
    st = forget_results(s, target, err);
    if (st == ST_OK)
        st = insert_results(s, target, results, err);
    return sql_end(s, st, err);
}
