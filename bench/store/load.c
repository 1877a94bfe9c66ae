#include <math.h>
#include <stdlib.h>

#include "bench/store/sql.h"
#include "bench/store/telemetry.h"

/* --- runs ----------------------------------------------------------------------------------------------- */

static enum status load_runs(struct run_row **out, size_t *count, struct store *s, const char *kind,
                             const char *tail, struct err *err)
{
    void *rows;
    const struct sql_query query = { .table = &table_run,
                                     .state = &table_run_state,
                                     .parent = "run",
                                     .tail = tail,
                                     .text = kind ? kind : "",
                                     .row_size = sizeof(struct run_row) };
    enum status st = sql_load(&rows, count, s, &query, err);
    *out = rows;
    return st;
}

enum status store_load_runs(struct run_row **out, size_t *count, struct store *s, const char *kind,
                            struct err *err)
{
    return load_runs(out, count, s, kind, "WHERE t.kind = ?1 OR ?1 = '' ORDER BY t.id DESC", err);
}

enum status store_load_unfinished(struct run_row **out, size_t *count, struct store *s, const char *kind,
                                  struct err *err)
{
    return load_runs(out, count, s, kind,
                     "WHERE (t.kind = ?1 OR ?1 = '') AND s.state <> 'done' ORDER BY t.id DESC LIMIT 1", err);
}

void store_free_runs(struct run_row *rows, size_t count)
{
    sql_free_texts(rows, count, sizeof *rows, &table_run);
    free(rows);
}

/* --- targets and what belongs to them ------------------------------------------------------------------- */

enum status store_load_targets(struct target_row **out, size_t *count, struct store *s, int64_t run,
                               struct err *err)
{
    void *rows;
    const struct sql_query query = { .table = &table_target, .state = &table_target_state, .parent = "target",
                                     .tail = "WHERE t.run = ?1 ORDER BY t.place, t.id", .id = run,
                                     .row_size = sizeof(struct target_row) };
    enum status st = sql_load(&rows, count, s, &query, err);
    *out = rows;
    return st;
}

enum status store_load_executions(struct execution_row **out, size_t *count, struct store *s, int64_t target,
                                  struct err *err)
{
    void *rows;
    const struct sql_query query = { .table = &table_execution,
                                     .state = &table_execution_state,
                                     .parent = "execution",
                                     .tail = "WHERE t.target = ?1 ORDER BY t.id",
                                     .id = target,
                                     .row_size = sizeof(struct execution_row) };
    enum status st = sql_load(&rows, count, s, &query, err);
    *out = rows;
    return st;
}

void store_free_executions(struct execution_row *rows, size_t count)
{
    sql_free_texts(rows, count, sizeof *rows, &table_execution);
    sql_free_texts(rows, count, sizeof *rows, &table_execution_state);
    free(rows);
}

enum status store_load_prepared(struct prepared_row **out, size_t *count, struct store *s, int64_t target,
                                struct err *err)
{
    void *rows;
    const struct sql_query query = { .table = &table_prepared,
                                     .id = target,
                                     .row_size = sizeof(struct prepared_row),
                                     .tail = "JOIN execution AS e ON e.id = t.execution WHERE e.target = ?1 "
                                             "ORDER BY t.id" };
    enum status st = sql_load(&rows, count, s, &query, err);
    *out = rows;
    return st;
}

enum status store_load_accuracy(struct accuracy_row **out, size_t *count, struct store *s, int64_t target,
                                struct err *err)
{
    void *rows;
    const struct sql_query query = { .table = &table_accuracy, .tail = "WHERE t.target = ?1 ORDER BY t.id",
                                     .id = target, .row_size = sizeof(struct accuracy_row) };
    enum status st = sql_load(&rows, count, s, &query, err);
    *out = rows;
    return st;
}

enum status store_load_marks(struct mark_row **out, size_t *count, struct store *s, int64_t target,
                             struct err *err)
{
    void *rows;
    const struct sql_query query = {
        .table = &table_mark,
        .id = target,
        .row_size = sizeof(struct mark_row),
        .tail =
            "WHERE (t.subject IN ('target', 'point') AND t.subject_id = ?1) "
            "OR (t.subject = 'execution' AND t.subject_id IN (SELECT id FROM execution WHERE target = ?1)) "
            "OR (t.subject = 'block' AND t.subject_id IN (SELECT b.id FROM block AS b "
            "JOIN execution AS e ON e.id = b.execution WHERE e.target = ?1)) ORDER BY t.id"
    };
    enum status st = sql_load(&rows, count, s, &query, err);
    *out = rows;
    return st;
}

/* --- fields --------------------------------------------------------------------------------------------- */

enum status store_load_fields(struct field_row **out, size_t *count, struct store *s, enum store_fields_of of,
                              int64_t id, struct err *err)
{
    /* of one name the newest row counts; the order is that in which the names first came */
    static const char *const tails[] = {
        [STORE_FIELDS_RUN] =
            "WHERE t.id IN (SELECT max(id) FROM environment WHERE run = ?1 AND execution = 0 "
            "GROUP BY name) ORDER BY (SELECT min(f.id) FROM environment AS f WHERE f.run = ?1 AND "
            "f.execution = 0 AND f.name = t.name)",
        [STORE_FIELDS_EXECUTION] = /* the index is by run, then execution */
            "WHERE t.id IN (SELECT max(id) FROM environment WHERE run = (SELECT g.run FROM execution AS e JOIN target "
            "AS g ON g.id = e.target WHERE e.id = ?1) AND execution = ?1 GROUP BY name) ORDER BY (SELECT min(f.id) "
            "FROM environment AS f WHERE f.run = t.run AND f.execution = ?1 AND f.name = t.name)",
    };
    if (of == STORE_FIELDS_BLOCK)
        return telemetry_load(out, count, s, id, err);
    const struct sql_query query = { .table = &table_environment, .tail = tails[of], .id = id,
                                     .row_size = sizeof(struct environment_entry) };
    void *entries;
    *out = NULL;
    enum status st = sql_load(&entries, count, s, &query, err);
    if (st == ST_OK && *count) {
        *out = malloc(*count * sizeof **out);
        st = *out ? ST_OK : sql_out_of_memory(s, err);
    }
    for (size_t i = 0; i < *count && *out; i++)
        (*out)[i] = ((struct environment_entry *)entries)[i].field;
    if (st != ST_OK)
        *count = 0;
    free(entries);
    return st;
}

/* --- earlier measurements ------------------------------------------------------------------------------- */

/* Each size once: rate of its newest estimate, memory and prepare time of its newest feasible probe. */
static const char earlier_text[] =
    "WITH mine AS (SELECT DISTINCT target FROM target_state WHERE key = ?1), "
    "probes AS (SELECT p.batch, p.peak_bytes, p.prepare_ns, max(p.id) FROM prepared AS p "
    "JOIN execution AS e ON e.id = p.execution WHERE e.target IN mine AND p.result = 'feasible' AND p.peak_bytes > 0 "
    "GROUP BY p.batch), "
    "rates AS (SELECT batch, y, max(target) FROM estimate WHERE target IN mine AND y IS NOT NULL GROUP BY batch) "
    "SELECT b.batch, r.y, p.peak_bytes, p.prepare_ns "
    "FROM (SELECT batch FROM probes UNION SELECT batch FROM rates) AS b "
    "LEFT JOIN rates AS r ON r.batch = b.batch LEFT JOIN probes AS p ON p.batch = b.batch ORDER BY b.batch";

static enum status collect_earlier(struct store_earlier **rows, size_t *count, struct store *s,
                                   sqlite3_stmt *stmt, struct err *err)
{
    for (;;) {
        bool more = false;
        enum status st = sql_step(&more, s, stmt, err);
        if (st != ST_OK || !more)
            return st;
        struct store_earlier *grown = realloc(*rows, (*count + 1) * sizeof **rows);
        if (!grown)
            return sql_out_of_memory(s, err);
        *rows = grown;
        const bool has_rate = sqlite3_column_type(stmt, 1) != SQLITE_NULL;
        grown[(*count)++] = (struct store_earlier){
            .batch = sqlite3_column_int(stmt, 0),
            .images_per_s = has_rate ? exp(sqlite3_column_double(stmt, 1)) : NAN,
            .peak_bytes = (uint64_t)sqlite3_column_int64(stmt, 2), /* NULL reads as 0 */
            .prepare_ns = (uint64_t)sqlite3_column_int64(stmt, 3),
        };
    }
}

enum status store_load_earlier(struct store_earlier **out, size_t *count, struct store *s, const char *key,
                               struct err *err)
{
    sqlite3_stmt *stmt = NULL;
    *out = NULL;
    *count = 0;
    enum status st = sql_prepare(&stmt, s, earlier_text, err);
    if (st == ST_OK) {
        sqlite3_bind_text(stmt, 1, key, -1, SQLITE_TRANSIENT);
        st = collect_earlier(out, count, s, stmt, err);
    }
    sqlite3_finalize(stmt);
    if (st != ST_OK) {
        free(*out);
        *out = NULL;
        *count = 0;
    }
    return st;
}

static const char spent_text[] =
    "SELECT sum(f.end_unix_s - e.start_unix_s) FROM execution AS e "
    "JOIN execution_state AS f ON f.id = (SELECT max(id) FROM execution_state WHERE execution = e.id) "
    "WHERE f.end_unix_s >= e.start_unix_s AND e.target = (SELECT max(t.id) FROM target AS t "
    "JOIN decision AS d ON d.target = t.id "
    "JOIN run_state AS r ON r.id = (SELECT max(id) FROM run_state WHERE run = t.run) "
    "WHERE r.state = 'done' AND t.id IN (SELECT target FROM target_state WHERE key = ?1))";

enum status store_load_spent(double *seconds, struct store *s, const char *key, struct err *err)
{
    sqlite3_stmt *stmt = NULL;
    bool more = false;
    *seconds = NAN;
    enum status st = sql_prepare(&stmt, s, spent_text, err);
    if (st == ST_OK) {
        sqlite3_bind_text(stmt, 1, key, -1, SQLITE_TRANSIENT);
        st = sql_step(&more, s, stmt, err);
    }
    if (st == ST_OK && more && sqlite3_column_type(stmt, 0) != SQLITE_NULL)
        *seconds = sqlite3_column_double(stmt, 0);
    sqlite3_finalize(stmt);
    return st;
}
