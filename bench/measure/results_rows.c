#include "bench/measure/results_rows.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure/results.h"
#include "bench/measure/service_times.h"
#include "tuner/memory.h"

/* --- estimates --------------------------------------------------------------------------------------------------- */

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
        e->executions += f->execution != execution; /* blocks stand in the order of time: each appears in one run */
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
    struct estimate_row e = { .target = t->row.id, .batch = batch, .y = NAN, .y_low = NAN, .y_high = NAN, .mad = NAN,
                              .wall_images_per_s = NAN, .half_width = NAN, .mde = NAN, .service_p50_ms = NAN,
                              .service_p90_ms = NAN, .service_p95_ms = NAN, .service_p99_ms = NAN,
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
static enum status find_unsteady(bool *unsteady, struct campaign_state *c, const struct target_state *t, struct err *err)
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

static enum status make_estimates(struct results_rows *out, struct campaign_state *c, const struct target_state *t,
                                  const struct points *p, struct err *err)
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

/* --- whys -------------------------------------------------------------------------------------------------------- */

static struct why_row new_why(const struct target_state *t, int batch, enum why why)
{
    struct why_row w = { .target = t->row.id, .batch = batch, .value = NAN, .limit = NAN, .m = NAN, .c = NAN, .df = NAN };
    snprintf(w.reason, sizeof w.reason, "%s", why_name(why));
    snprintf(w.text, sizeof w.text, "%d: %s", batch, why_text(why));
    return w;
}

static double percent_below(double m)
{
    return 100 * (1 - exp(m));
}

/* Sentence of a size that was compared with another. */
static void write_comparison(struct why_row *w, enum why why, double y, double within)
{
    int n = snprintf(w->text, sizeof w->text, "%d: %.4g images/s", w->batch, exp(y));
    char *rest = w->text + n;
    size_t room = sizeof w->text - (size_t)n;
    if (w->rival && isfinite(w->c))
        n = snprintf(rest, room, ", %.1f %% below %d (+- %.1f)", percent_below(w->m), w->rival, 100 * w->c);
    else if (w->rival)
        n = snprintf(rest, room, w->m > 0 ? ", %.1f %% above %d" : ", %.1f %% below %d", fabs(percent_below(w->m)), w->rival);
    else
        n = snprintf(rest, room, ", the best");
    rest += n;
    room -= (size_t)n;
    if (why == WHY_CHOSEN)
        snprintf(rest, room, ", the smallest within %.3g %%", 100 * within);
    else
        snprintf(rest, room, ": %s", why_text(why));
}

static void add_sentence(struct why_row *w, const char *detail)
{
    size_t used = strlen(w->text);
    if (*detail && used < sizeof w->text)
        snprintf(w->text + used, sizeof w->text - used, ": %.*s", (int)(sizeof w->text - used), detail);
}

/* The first word of a stored detail ("killed: ...") is the record's detail, the rest goes into the sentence. */
static void take_detail(struct why_row *w, const char *detail)
{
    static const char *const words[] = { "predicted", "measured", "allocator", "killed" };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t size = strlen(words[i]);
        if (strncmp(detail, words[i], size) == 0 && detail[size] == ':') {
            snprintf(w->detail, sizeof w->detail, "%s", words[i]);
            detail += size + 2;
            break;
        }
    }
    add_sentence(w, detail);
}

static void add_memory(struct why_row *w, const struct target_state *t, enum why why)
{
    const struct prepared_row *row = history_prepared(&t->history, w->batch);
    if (why == WHY_OVER_MEMORY && row) {
        w->value = (double)(row->peak_bytes ? row->peak_bytes : row->predicted_bytes);
        w->limit = (double)t->row.memory_limit_bytes;
    }
}

/* A size that is no candidate. */
static struct why_row why_of_size(const struct target_state *t, const struct search_size *s, double within)
{
    struct why_row w = new_why(t, s->batch, s->why);
    const struct prepared_row *row = history_prepared(&t->history, s->batch);
    w.rival = s->rival;
    w.m = s->m;
    if (s->has_y)
        write_comparison(&w, s->why, s->y, within);
    else if (row && strcmp(row->result, why_name(s->why)) == 0)
        take_detail(&w, row->detail);
    add_memory(&w, t, s->why);
    return w;
}

static struct why_row why_of_point(const struct target_state *t, const struct point *q, const struct choose_why *why,
                                   const struct choose_point *at, double within)
{
    struct why_row w = new_why(t, q->batch, why->why);
    const struct loss *loss = history_loss(&t->history, q->batch);
    w.rival = why->rival;
    w.m = why->m;
    w.c = why->c;
    w.n = (int)q->n;
    w.df = q->n >= 3 ? stats_interval(q->y, q->n, INTERVAL_SEQUENTIAL).df_used : NAN;
    w.value = exp(why->rival ? why->m : 0);
    w.limit = 1 - within;
    if (why->why == WHY_CHOSEN)
        snprintf(w.detail, sizeof w.detail, "best_so_far");
    if (at->out == WHY_NONE)
        write_comparison(&w, why->why, at->y, within);
    else if (loss && loss->why == why->why)
        take_detail(&w, loss->detail);
    if (at->out != WHY_NONE)
        w.value = w.limit = NAN;
    return w;
}

/* Every size of a target that ended as a whole has its reason. */
static void whys_of_end(struct results_rows *out, const struct target_state *t)
{
    for (size_t i = 0; i < t->plan->point_count && i < SEARCH_SIZES_MAX; i++) {
        struct why_row w = new_why(t, t->plan->points[i].batch, t->ended_why);
        snprintf(w.detail, sizeof w.detail, "%.*s", (int)sizeof w.detail - 1, t->row.detail);
        add_sentence(&w, t->row.detail);
        out->whys[out->why_count++] = w;
    }
}

/* --- the decision ------------------------------------------------------------------------------------------------ */

/* Largest size that ran alone within the limit, and the first failure above it. */
static void fill_ceiling(struct decision_row *d, const struct target_state *t)
{
    for (size_t i = 0; i < t->search.count; i++)
        if (t->search.sizes[i].has_y)
            d->ceiling_batch = t->search.sizes[i].batch;
    d->ceiling_is_lower_bound = true;
    for (size_t i = t->search.count; i-- > 0;) {
        const struct search_size *s = &t->search.sizes[i];
        if (!s->has_y && s->why < WHY_NOT_TRIED_BUDGET) {
            d->first_failed_batch = s->batch; /* descending: the smallest is written last */
            snprintf(d->first_failed_why, sizeof d->first_failed_why, "%s", why_name(s->why));
            d->ceiling_is_lower_bound = d->ceiling_is_lower_bound && s->batch < d->ceiling_batch;
        }
    }
    d->max_safe = d->batch;
}

static void write_reason(struct decision_row *d, const struct choose_answer *a, double within)
{
    if (!a->batch)
        snprintf(d->reason, sizeof d->reason, "no batch size is usable");
    else if (a->batch == a->leader)
        snprintf(d->reason, sizeof d->reason, "%d is the fastest, no smaller size is within %.3g %%", a->batch, 100 * within);
    else
        snprintf(d->reason, sizeof d->reason, "%d is the smallest size within %.3g %% of the best (%d)", a->batch,
                 100 * within, a->leader);
}

static void make_decision(struct results_rows *out, const struct campaign_state *c, const struct target_state *t,
                          const struct choose_answer *a, const char *cause)
{
    struct decision_row *d = &out->decision;
    *d = (struct decision_row){ .target = t->row.id, .batch = a->batch, .x = c->config->within, .alpha = c->config->alpha,
                                .memory_reserve = c->config->reserve, .leader = a->leader, .noise_floor = NAN };
    snprintf(d->confidence, sizeof d->confidence, "coarse");
    snprintf(d->cause, sizeof d->cause, "%s", cause);
    snprintf(d->incumbent_outcome, sizeof d->incumbent_outcome, "none");
    write_reason(d, a, c->config->within);
    if (t->ended)
        snprintf(d->reason, sizeof d->reason, "no batch size is usable: %s", why_text(t->ended_why));
    fill_ceiling(d, t);
    out->has_decision = true;
}

static void choose_and_explain(struct results_rows *out, struct campaign_state *c, const struct target_state *t,
                               const struct points *p, const char *cause)
{
    struct choose_answer answer;
    struct choose_why whys[SEARCH_SIZES_MAX];
    struct choose_point at[SEARCH_SIZES_MAX];
    results_choose(&answer, whys, at, p, t, c->config->within);
    for (size_t i = 0, k = 0; i < t->search.count; i++) {
        const struct search_size *s = &t->search.sizes[i];
        bool candidate = s->why == WHY_NONE; /* points stand in the same order */
        out->whys[out->why_count++] = candidate ? why_of_point(t, &p->items[k], &whys[k], &at[k], c->config->within)
                                                : why_of_size(t, s, c->config->within);
        k += candidate;
    }
    make_decision(out, c, t, &answer, cause);
}

static bool was_tried(const struct target_state *t)
{
    return t->history.prepared_count > 0;
}

enum status results_rows_make(struct results_rows *out, struct campaign_state *c, const struct target_state *t,
                              const struct points *p, const char *cause, struct err *err)
{
    if (t->ended) {
        if (t->ended_why == WHY_NONE)
            return ST_OK;
        whys_of_end(out, t);
        make_decision(out, c, t, &(struct choose_answer){ .best = NAN }, cause);
        return ST_OK;
    }
    if (!was_tried(t))
        return ST_OK;
    enum status st = make_estimates(out, c, t, p, err);
    if (st == ST_OK)
        choose_and_explain(out, c, t, p, cause);
    return st;
}
