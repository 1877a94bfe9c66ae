/* Files that were taken as the incumbent, and which batch size is in use before a campaign. */
#include <stdlib.h>
#include <string.h>

#include "bench/store/sql.h"

/* --- imports -------------------------------------------------------------------------------------------- */

static enum status load_imports(struct import_row **out, size_t *count, struct store *s, const char *tail,
                                struct err *err)
{
    void *rows;
    const struct sql_query query = { .table = &table_import, .tail = tail, .row_size = sizeof **out };
    enum status st = sql_load(&rows, count, s, &query, err);
    *out = rows;
    return st;
}

enum status store_load_imports(struct import_row **out, size_t *count, struct store *s, struct err *err)
{
    return load_imports(out, count, s, "ORDER BY t.id DESC", err);
}

enum status store_load_last_import(struct import_row **out, size_t *count, struct store *s, struct err *err)
{
    return load_imports(out, count, s, "ORDER BY t.id DESC LIMIT 1", err);
}

void store_free_imports(struct import_row *rows, size_t count)
{
    sql_free_texts(rows, count, sizeof *rows, &table_import);
    free(rows);
}

enum status store_load_import_models(struct import_model_row **out, size_t *count, struct store *s,
                                     int64_t import, struct err *err)
{
    void *rows;
    const struct sql_query query = { .table = &table_import_model, .id = import, .row_size = sizeof **out,
                                     .tail = "WHERE t.import = ?1 ORDER BY t.id" };
    enum status st = sql_load(&rows, count, s, &query, err);
    *out = rows;
    return st;
}

void store_free_import_models(struct import_model_row *rows, size_t count)
{
    sql_free_texts(rows, count, sizeof *rows, &table_import_model);
    free(rows);
}

/* Is it the newest one? Then its number and time are taken. */
static enum status is_newest(bool *known, struct store *s, struct import_row *row, struct err *err)
{
    struct import_row *newest = NULL;
    size_t count = 0;
    enum status st = store_load_last_import(&newest, &count, s, err);
    *known = st == ST_OK && count > 0 && strcmp(newest[0].sha256, row->sha256) == 0;
    if (*known) {
        row->id = newest[0].id;
        row->time_unix_s = newest[0].time_unix_s;
        row->after = newest[0].after;
    }
    store_free_imports(newest, count);
    return st;
}

static enum status insert_import(struct store *s, struct import_row *row,
                                 const struct import_model_row *models, size_t count, struct err *err)
{
    enum status st = sql_integer(&row->after, s, "SELECT coalesce(max(id), 0) FROM run_state", err);
    if (st == ST_OK)
        st = sql_insert(&row->id, s, &table_import, row, err);
    for (size_t i = 0; i < count && st == ST_OK; i++) {
        struct import_model_row model = models[i];
        model.import = row->id;
        st = sql_insert(NULL, s, &table_import_model, &model, err);
    }
    return st;
}

enum status store_append_import(bool *known, struct store *s, struct import_row *row,
                                const struct import_model_row *models, size_t count, struct err *err)
{
    enum status st = sql_begin(s, err);
    *known = false;
    if (st != ST_OK)
        return st;
    st = is_newest(known, s, row, err);
    if (st == ST_OK && !*known)
        st = insert_import(s, row, models, count, err);
    return sql_end(s, st, err);
}

/* --- the incumbent -------------------------------------------------------------------------------------- */

/* Decisions of this key in finished tunes, newest first: size to be served, pending, number of the state that
 * ended the run. The order is that in which the runs ended. */
static const char finished_text[] =
    "SELECT d.optimal, d.pending, e.id FROM decision AS d "
    "JOIN target_state AS s ON s.id = (SELECT max(id) FROM target_state WHERE target = d.target) "
    "JOIN target AS t ON t.id = d.target JOIN run AS r ON r.id = t.run "
    "JOIN run_state AS e ON e.id = (SELECT max(id) FROM run_state WHERE run = r.id) "
    "WHERE s.key_sha256 = ?1 AND ?1 <> '' AND r.kind = 'tune' AND r.variant = ?2 AND (e.state = 'done' OR "
    "(e.state IN ('budget', 'interrupted', 'failed') AND d.confidence IN ('decided', 'within'))) "
    "ORDER BY e.id DESC";
/* The best that tunes of this key left which were cut short, newest first. */
static const char guessed_text[] =
    "SELECT d.optimal, 0, e.id FROM decision AS d "
    "JOIN target_state AS s ON s.id = (SELECT max(id) FROM target_state WHERE target = d.target) "
    "JOIN target AS t ON t.id = d.target JOIN run AS r ON r.id = t.run "
    "JOIN run_state AS e ON e.id = (SELECT max(id) FROM run_state WHERE run = r.id) "
    "WHERE s.key_sha256 = ?1 AND ?1 <> '' AND r.kind = 'tune' AND r.variant = ?2 AND "
    "e.state IN ('budget', 'interrupted') AND d.optimal > 0 ORDER BY e.id DESC LIMIT 1";

/* The newest import that names the model: its size as the consumer executes it, and what was older. */
static const char imported_text[] =
    "SELECT min(m.optimal, m.max_safe), i.after FROM import_model AS m JOIN import AS i ON i.id = m.import "
    "WHERE m.model = ?1 ORDER BY i.id DESC LIMIT 1";

struct found {
    int batch, pending;
    int64_t state;                   /* number of the run state that it is as old as */
};

static enum status find_tuned(struct found *out, struct store *s, const char *text,
                              const struct store_incumbent_ask *ask, struct err *err)
{
    sqlite3_stmt *stmt = NULL;
    bool more = true, first = true;
    enum status st = sql_prepare(&stmt, s, text, err);
    if (st == ST_OK) {
        sqlite3_bind_text(stmt, 1, ask->key_sha256, -1, SQLITE_STATIC);
        sqlite3_bind_text(stmt, 2, ask->variant, -1, SQLITE_STATIC);
    }
    while (st == ST_OK && more && !out->batch) {
        st = sql_step(&more, s, stmt, err);
        if (st != ST_OK || !more)
            break;
        *out = (struct found){ .batch = sqlite3_column_int(stmt, 0), .state = sqlite3_column_int64(stmt, 2),
                               .pending = first ? sqlite3_column_int(stmt, 1) : 0 };
        first = false;
    }
    sqlite3_finalize(stmt);
    return st;
}

static enum status find_imported(struct found *out, struct store *s, const char *model, struct err *err)
{
    sqlite3_stmt *stmt = NULL;
    bool more = false;
    enum status st = sql_prepare(&stmt, s, imported_text, err);
    if (st == ST_OK) {
        sqlite3_bind_text(stmt, 1, model, -1, SQLITE_STATIC);
        st = sql_step(&more, s, stmt, err);
    }
    if (st == ST_OK && more)
        *out = (struct found){ .batch = sqlite3_column_int(stmt, 0), .state = sqlite3_column_int64(stmt, 1) };
    sqlite3_finalize(stmt);
    return st;
}

enum status store_load_incumbent(struct store_incumbent *out, struct store *s,
                                 const struct store_incumbent_ask *ask, struct err *err)
{
    struct found tuned = { 0 }, guessed = { 0 }, imported = { 0 };
    *out = (struct store_incumbent){ 0 };
    enum status st = find_tuned(&tuned, s, finished_text, ask, err);
    if (st == ST_OK)
        st = find_imported(&imported, s, ask->model, err);
    if (st != ST_OK)
        return st;
    const bool by_import = imported.batch && (!tuned.batch || imported.state >= tuned.state);
    const bool by_guess = !by_import && !tuned.batch;
    if (by_guess)
        st = find_tuned(&guessed, s, guessed_text, ask, err);
    if (st != ST_OK)
        return st;
    const struct found *newest = by_import ? &imported : by_guess ? &guessed : &tuned;
    if (!newest->batch)
        return ST_OK;
    out->batch = newest->batch;
    out->pending = newest->pending;
    sqlite3_snprintf(sizeof out->source, out->source, "%s", by_import ? "import" : by_guess ? STORE_GUESS : "store");
    return ST_OK;
}
