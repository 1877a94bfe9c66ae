#include <stdio.h>
#include <string.h>

#include "bench/store/sql.h"
#include "kernels/base/clock.h"
#include "kernels/base/len.h"
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

/* One kind of derived rows: where they come from in struct store_results. */
struct derived {
    const struct table *table;
    const void *rows;
    size_t count, size;
};

static enum status forget(struct store *s, const struct table *table, int64_t target, struct err *err)
{
    sqlite3_stmt *stmt = NULL;
    char *text = sqlite3_mprintf("DELETE FROM \"%w\" WHERE target = ?1", table->name);
    enum status st = sql_prepare(&stmt, s, text, err);
    if (st == ST_OK) {
        sqlite3_bind_int64(stmt, 1, target);
        st = sql_run(s, stmt, err);
    }
    sqlite3_finalize(stmt);
    sqlite3_free(text);
    return st;
}

/* Every derived row begins with its target. */
#define CHECK_TARGET(row) _Static_assert(offsetof(struct row, target) == 0, #row)
CHECK_TARGET(estimate_row);
CHECK_TARGET(decision_row);
CHECK_TARGET(why_row);
CHECK_TARGET(look_row);
CHECK_TARGET(verify_row);
CHECK_TARGET(fill_row);

union derived_row {                  /* room for one of any kind */
    int64_t target;
    struct estimate_row estimate;
    struct decision_row decision;
    struct why_row why;
    struct look_row look;
    struct verify_row verification;
    struct fill_row fill;
};

static enum status replace(struct store *s, int64_t target, const struct derived *d, struct err *err)
{
    union derived_row row;
    enum status st = forget(s, d->table, target, err);
    for (size_t i = 0; i < d->count && st == ST_OK; i++) {
        memcpy(&row, (const char *)d->rows + i * d->size, d->size);
        row.target = target;
        st = sql_insert(NULL, s, d->table, &row, err);
    }
    return st;
}

enum status store_replace_results(struct store *s, int64_t target, const struct store_results *results,
                                  struct err *err)
{
    const struct derived kinds[] = {
        { &table_estimate, results->estimates, results->estimate_count, sizeof *results->estimates },
        { &table_decision, results->decision, results->decision != NULL, sizeof *results->decision },
        { &table_why, results->whys, results->why_count, sizeof *results->whys },
        { &table_look, results->looks, results->look_count, sizeof *results->looks },
        { &table_verification, results->verifications, results->verification_count,
          sizeof *results->verifications },
        { &table_fill, results->fill, results->fill_count, sizeof *results->fill },
    };
    enum status st = sql_begin(s, err);
    if (st != ST_OK)
        return st;
    for (size_t i = 0; i < LEN(kinds) && st == ST_OK; i++)
        st = replace(s, target, &kinds[i], err);
    return sql_end(s, st, err);
}
