#include "bench/measure/results_estimates.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench/measure/service_times.h"
#include "tuner/memory.h"

static void add_label(struct estimate_row *e, const char *label)
{
    size_t used = strlen(e->labels);
    snprintf(e->labels + used, sizeof e->labels - used, "%s%s", used ? " " : "", label);
}

/* Executions and rounds behind the valid blocks of a kind. */
static void count_origins(struct estimate_row *e, const struct history *h, enum block_kind kind)
{
    int64_t execution = 0;
    int round = 0;
    for (size_t i = 0; i < h->count; i++) {
        const struct block_fact *f = &h->blocks[i];
        if (f->kind != kind || f->batch != e->batch || !f->valid)
            continue;
        e->executions += f->execution !=
                         execution; /* blocks stand in the order of time: each appears in one run */
        e->rounds += f->round != round;
        execution = f->execution;
        round = f->round;
    }
}

static void fill_times(struct estimate_row *e, const struct service_times *times)
{
    const struct service_summary s = service_times_of(times, e->batch);
    e->service_p50_ms = s.p50_ms;
    e->service_p90_ms = s.p90_ms;
    e->service_p95_ms = s.p95_ms;
    e->service_p99_ms = s.p99_ms;
    e->service_min_ms = s.min_ms;
    e->iterations = s.iterations;
    if (s.grouped)
        add_label(e, "grouped");
}

static void label_memory(struct estimate_row *e, const struct history *h)
{
    const struct prepared_row *row = history_prepared(h, e->batch);
    if (row && memory_model_off(memory_ratio(row->peak_bytes, row->predicted_bytes)))
        add_label(e, "memory_model_off");
}

static struct estimate_row new_estimate(const struct target_state *t, int batch, const char *method)
{
    struct estimate_row e = { .target = t->row.id,
                              .batch = batch,
                              .y = NAN,
                              .y_low = NAN,
                              .y_high = NAN,
                              .mad = NAN,
                              .wall_images_per_s = NAN,
                              .half_width = NAN,
                              .mde = NAN,
                              .service_p50_ms = NAN,
                              .service_p90_ms = NAN,
                              .service_p95_ms = NAN,
                              .service_p99_ms = NAN,
                              .service_min_ms = NAN };
    snprintf(e.method, sizeof e.method, "%s", method);
    snprintf(e.kind, sizeof e.kind, "none");
    return e;
}

static struct estimate_row estimate_of_point(const struct campaign_state *c, const struct target_state *t,
                                             const struct point *q, bool unsteady)
{
    struct estimate_row e = new_estimate(t, q->batch, "race");
    struct interval i = stats_interval(q->y, q->n, INTERVAL_SEQUENTIAL);
    e.y = stats_median(q->y, q->n);
    if (i.reason == STATS_FINE) {
        snprintf(e.kind, sizeof e.kind, "sequential");
        e.y = i.m;
        e.y_low = i.low;
        e.y_high = i.high;
        e.half_width = i.half_width;
        e.mde = i.mde;
    }
    e.mad = stats_mad(q->y, q->n);
    e.wall_images_per_s = q->wall_images_per_s;
    e.blocks = (int)q->n;
    e.invalid_blocks = (int)q->invalid;
    snprintf(e.stop, sizeof e.stop, "%s", q->stop == STOP_GO_ON ? "cut" : stop_name(q->stop));
    if (point_is_skewed(q))
        add_label(&e, "skewed");
    if (i.correlated)
        add_label(&e, "correlated");
    if (unsteady)
        add_label(&e, "steady=no");
    if (c->shared_machine)
        add_label(&e, "shared_machine");
    count_origins(&e, &t->history, BLOCK_RACE);
    return e;
}

static struct estimate_row coarse_estimate(const struct target_state *t, const struct search_size *s)
{
    struct estimate_row e = new_estimate(t, s->batch, "coarse");
    double images = 0, ns = 0;
    e.y = s->y;
    for (size_t i = 0; i < t->history.count; i++) {
        const struct block_fact *f = &t->history.blocks[i];
        if (f->kind != BLOCK_COARSE || f->batch != s->batch)
            continue;
        e.blocks += f->valid;
        e.invalid_blocks += !f->valid;
        images += f->wall_images_per_s * (double)f->measured_ns;
        ns += (double)f->measured_ns;
    }
    e.wall_images_per_s = ns > 0 ? images / ns : NAN;
    count_origins(&e, &t->history, BLOCK_COARSE);
    return e;
}

static const struct point *point_of(const struct points *p, int batch)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->items[i].batch == batch)
            return &p->items[i];
    return NULL;
}

/* Was some execution of the rounds not steady? */
static enum status find_unsteady(bool *unsteady, struct campaign_state *c, const struct target_state *t,
                                 struct err *err)
{
    struct execution_row *rows;
    size_t count;
    *unsteady = false;
    enum status st = store_load_executions(&rows, &count, c->store, t->row.id, err);
    if (st != ST_OK)
        return st;
    for (size_t i = 0; i < count; i++)
        *unsteady = *unsteady || (strcmp(rows[i].label, "normal") == 0 && strcmp(rows[i].steady, "no") == 0);
    store_free_executions(rows, count);
    return ST_OK;
}

enum status results_estimates_make(struct results_rows *out, struct campaign_state *c,
                                   const struct target_state *t, const struct points *p, struct err *err)
{
    struct service_times *times;
    bool unsteady;
    enum status st = find_unsteady(&unsteady, c, t, err);
    if (st == ST_OK)
        st = service_times_load(&times, c->store, t->row.id, err);
    if (st != ST_OK)
        return st;
    for (size_t i = 0; i < t->search.count; i++) {
        const struct search_size *s = &t->search.sizes[i];
        const struct point *q = point_of(p, s->batch);
        if (!s->has_y)
            continue;
        struct estimate_row *e = &out->estimates[out->estimate_count++];
        *e = q && q->n ? estimate_of_point(c, t, q, unsteady) : coarse_estimate(t, s);
        fill_times(e, times);
        label_memory(e, &t->history);
    }
    service_times_free(times);
    return ST_OK;
}
