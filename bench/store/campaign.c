/* The view of one campaign: every row that is about it, gathered by target and batch size. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/store/sql.h"
#include "kernels/base/text.h"

static enum status load_by_target(void **out, size_t *count, struct store *s, const struct table *table,
                                  int64_t target, size_t row_size, struct err *err)
{
    const struct sql_query query = { .table = table, .tail = "WHERE t.target = ?1 ORDER BY 1, 2, 3, 4, 5", .id = target,
                                     .row_size = row_size };
    return sql_load(out, count, s, &query, err);
}

/* --- points --------------------------------------------------------------------------------------------- */

static int batch_order(const void *a, const void *b)
{
    const int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

struct target_rows {                 /* what the points are made of */
    struct estimate_row *estimates;
    struct prepared_row *prepared;
    struct why_row      *whys;
    struct execution_row *executions;
    size_t estimate_count, prepared_count, why_count, execution_count;
};

static struct point_view *point_of(struct target_view *t, int batch)
{
    for (size_t i = 0; i < t->point_count; i++)
        if (t->points[i].batch == batch)
            return &t->points[i];
    return NULL;
}

static bool has_label(const struct target_rows *r, int64_t execution, const char *label)
{
    for (size_t i = 0; i < r->execution_count; i++)
        if (r->executions[i].id == execution)
            return strcmp(r->executions[i].label, label) == 0;
    return false;
}

/* A size that was only prepared as a part-filled batch, or to see whether it fits once more, is no point of the
 * curve. */
static bool is_trial(const struct target_rows *r, const struct prepared_row *row)
{
    return has_label(r, row->execution, "fill") || has_label(r, row->execution, "ceiling");
}

/* An empty point for every batch size that some row is about, ascending. */
static enum status make_points(struct target_view *t, const struct target_rows *r, struct store *s,
                               struct err *err)
{
    size_t n = 0;
    int *batches = malloc((r->estimate_count + r->prepared_count + r->why_count + 1) * sizeof *batches);
    if (!batches)
        return sql_out_of_memory(s, err);
    for (size_t i = 0; i < r->estimate_count; i++)
        batches[n++] = r->estimates[i].batch;
    for (size_t i = 0; i < r->prepared_count; i++)
        if (!is_trial(r, &r->prepared[i]))
            batches[n++] = r->prepared[i].batch;
    for (size_t i = 0; i < r->why_count; i++)
        batches[n++] = r->whys[i].batch;
    qsort(batches, n, sizeof *batches, batch_order);
    t->points = calloc(n + 1, sizeof *t->points);
    for (size_t i = 0; i < n && t->points; i++)
        if (i == 0 || batches[i] != batches[i - 1])
            t->points[t->point_count++] = (struct point_view){ .batch = batches[i], .first_use_ms = NAN };
    free(batches);
    return t->points ? ST_OK : sql_out_of_memory(s, err);
}

/* Of one size the newest row of a probe; without one the newest of all. */
static void take_prepared(struct target_view *t, const struct target_rows *r)
{
    for (int probes = 0; probes <= 1; probes++)
        for (size_t i = 0; i < r->prepared_count; i++) {
            struct point_view *p = point_of(t, r->prepared[i].batch);
            if (is_trial(r, &r->prepared[i]) ||
                has_label(r, r->prepared[i].execution, "probe") != (probes == 1))
                continue;
            p->prepared = r->prepared[i];
            p->has_prepared = true;
        }
}

static void fill_points(struct target_view *t, const struct target_rows *r)
{
    for (size_t i = 0; i < r->estimate_count; i++) {
        struct point_view *p = point_of(t, r->estimates[i].batch);
        if (strcmp(r->estimates[i].method, "verify") == 0) {
            p->verified = r->estimates[i];
            p->has_verified = true;
            continue;
        }
        if (p->has_estimate && strcmp(r->estimates[i].method, "race") != 0)
            continue; /* coarse blocks do not replace what rounds gave */
        p->estimate = r->estimates[i];
        p->has_estimate = true;
    }
    for (size_t i = 0; i < r->why_count; i++) {
        struct point_view *p = point_of(t, r->whys[i].batch);
        p->why = r->whys[i];
        p->has_why = true;
    }
    take_prepared(t, r);
    for (size_t i = 0; i < t->point_count; i++) {
        struct point_view *p = &t->points[i];
        const double iteration_ms = p->has_estimate ? 1e3 * p->batch / exp(p->estimate.y) : NAN;
        if (p->has_prepared && p->prepared.first_run_ns)
            p->first_use_ms = (double)(p->prepared.prepare_ns + p->prepared.first_run_ns) / 1e6 -
                              iteration_ms;
    }
}

static enum status load_points(struct target_view *t, struct store *s, struct err *err)
{
    struct target_rows r = { 0 };
    void *estimates = NULL, *whys = NULL;
    enum status st = load_by_target(&estimates, &r.estimate_count, s, &table_estimate, t->row.id,
                                    sizeof *r.estimates, err);
    if (st == ST_OK)
        st = load_by_target(&whys, &r.why_count, s, &table_why, t->row.id, sizeof *r.whys, err);
    if (st == ST_OK)
        st = store_load_prepared(&r.prepared, &r.prepared_count, s, t->row.id, err);
    if (st == ST_OK)
        st = store_load_executions(&r.executions, &r.execution_count, s, t->row.id, err);
    r.estimates = estimates;
    r.whys = whys;
    if (st == ST_OK)
        st = make_points(t, &r, s, err);
    if (st == ST_OK)
        fill_points(t, &r);
    free(estimates);
    free(whys);
    free(r.prepared);
    store_free_executions(r.executions, r.execution_count);
    return st;
}

/* --- targets, the whole --------------------------------------------------------------------------------- */

/* What the race compared, the verification and the fill table. */
static enum status load_stages(struct target_view *t, struct store *s, struct err *err)
{
    void *looks = NULL, *verifications = NULL, *fill = NULL;
    enum status st = load_by_target(&looks, &t->look_count, s, &table_look, t->row.id, sizeof *t->looks, err);
    t->looks = looks;
    if (st == ST_OK)
        st = load_by_target(&verifications, &t->verification_count, s, &table_verification, t->row.id,
                            sizeof *t->verifications, err);
    t->verifications = verifications;
    if (st == ST_OK)
        st = load_by_target(&fill, &t->fill_count, s, &table_fill, t->row.id, sizeof *t->fill, err);
    t->fill = fill;
    return st;
}

static enum status load_target(struct target_view *t, struct store *s, struct err *err)
{
    void *decisions = NULL;
    size_t count = 0;
    enum status st = load_points(t, s, err);
    if (st == ST_OK)
        st = load_by_target(&decisions, &count, s, &table_decision, t->row.id, sizeof t->decision, err);
    if (st == ST_OK && count) {
        t->decision = *(struct decision_row *)decisions;
        t->has_decision = true;
    }
    free(decisions);
    if (st == ST_OK)
        st = load_stages(t, s, err);
    if (st == ST_OK)
        st = store_load_accuracy(&t->accuracy, &t->accuracy_count, s, t->row.id, err);
    if (st == ST_OK)
        st = store_load_marks(&t->marks, &t->mark_count, s, t->row.id, err);
    return st;
}

static enum status load_targets(struct campaign *c, struct store *s, struct err *err)
{
    struct target_row *rows = NULL;
    size_t count = 0;
    enum status st = store_load_targets(&rows, &count, s, c->run.id, err);
    if (st == ST_OK && !(c->targets = calloc(count + 1, sizeof *c->targets)))
        st = sql_out_of_memory(s, err);
    for (size_t i = 0; i < count && st == ST_OK; i++) {
        c->targets[c->target_count++].row = rows[i];
        st = load_target(&c->targets[i], s, err);
    }
    free(rows);
    return st;
}

static enum status unknown_campaign(struct store *s, const char *name, const struct run_row *runs,
                                    size_t count, struct err *err)
{
    const char **names = calloc(count + 1, sizeof *names);
    if (!names)
        return sql_out_of_memory(s, err);
    for (size_t i = 0; i < count; i++)
        names[i] = runs[i].name;
    const char *near = text_nearest(name, names, count);
    enum status st = err_set(err, ST_CONFIG,
                             "%s holds no campaign \"%s\"%s%s%s; `bench show campaigns` lists them", s->path,
                             name, near ? ", did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    free(names);
    return st;
}

/* The run of that name, or the newest; its texts move into *out. */
static enum status find_run(struct run_row *out, struct store *s, const char *name, struct err *err)
{
    struct run_row *runs = NULL;
    size_t count = 0, at = 0;
    enum status st = store_load_runs(&runs, &count, s, "tune", err);
    while (name && at < count && strcmp(runs[at].name, name) != 0)
        at++;
    if (st == ST_OK && count == 0)
        st = err_set(err, ST_CONFIG, "%s holds no campaign: measure first (bench --all-models)", s->path);
    else if (st == ST_OK && at == count)
        st = unknown_campaign(s, name, runs, count, err);
    if (st == ST_OK) {
        *out = runs[at];
        runs[at].argv = runs[at].config_text = NULL;
    }
    store_free_runs(runs, count);
    return st;
}

static enum status load_campaign(struct campaign *c, struct store *s, const char *name, struct err *err)
{
    enum status st = find_run(&c->run, s, name, err);
    if (st == ST_OK)
        st = store_load_fields(&c->environment, &c->environment_count, s, STORE_FIELDS_RUN, c->run.id, err);
    return st == ST_OK ? load_targets(c, s, err) : st;
}

enum status store_load_campaign(struct campaign **out, struct store *s, const char *name, struct err *err)
{
    *out = NULL;
    struct campaign *c = calloc(1, sizeof *c);
    if (!c)
        return sql_out_of_memory(s, err);
    /* One view of one moment, also while the campaign is still being written. */
    enum status st = sql_exec(s, "BEGIN", err);
    if (st == ST_OK)
        st = sql_end(s, load_campaign(c, s, name, err), err);
    if (st == ST_OK)
        *out = c;
    else
        campaign_free(c);
    return st;
}

void campaign_free(struct campaign *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->target_count; i++) {
        free(c->targets[i].points);
        free(c->targets[i].accuracy);
        free(c->targets[i].marks);
        free(c->targets[i].looks);
        free(c->targets[i].verifications);
        free(c->targets[i].fill);
    }
    free(c->targets);
    free(c->environment);
    sql_free_texts(&c->run, 1, sizeof c->run, &table_run);
    free(c);
}
