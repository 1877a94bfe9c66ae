#include "bench/measure/results_rows.h"

#include <math.h>
#include <stdio.h>

#include "bench/measure/results.h"
#include "bench/measure/results_estimates.h"
#include "bench/measure/results_whys.h"

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

/* After fill_ceiling. */
static void write_reason(struct decision_row *d, const struct choose_answer *a, double within)
{
    if (!a->batch)
        snprintf(d->reason, sizeof d->reason, "no batch size %s%s%s",
                 *d->cause ? "has run so far" : "is usable", d->first_failed_batch ? ": " : "",
                 d->first_failed_batch ? why_text(why_of_name(d->first_failed_why)) : "");
    else if (a->batch == a->leader)
        snprintf(d->reason, sizeof d->reason, "%d is the fastest, no smaller size is within %.3g %%",
                 a->batch, 100 * within);
    else
        snprintf(d->reason, sizeof d->reason, "%d is the smallest size within %.3g %% of the best (%d)",
                 a->batch, 100 * within, a->leader);
}

static void make_decision(struct results_rows *out, const struct campaign_state *c,
                          const struct target_state *t, const struct choose_answer *a, const char *cause)
{
    struct decision_row *d = &out->decision;
    *d = (struct decision_row){ .target = t->row.id,
                                .batch = a->batch,
                                .x = c->config->within,
                                .alpha = c->config->alpha,
                                .memory_reserve = c->config->reserve,
                                .leader = a->leader,
                                .noise_floor = NAN };
    snprintf(d->confidence, sizeof d->confidence, "coarse");
    snprintf(d->cause, sizeof d->cause, "%s", cause);
    snprintf(d->incumbent_outcome, sizeof d->incumbent_outcome, "none");
    fill_ceiling(d, t);
    write_reason(d, a, c->config->within);
    if (t->ended)
        snprintf(d->reason, sizeof d->reason, "no batch size is usable: %s", why_text(t->ended_why));
    out->has_decision = true;
}

static void choose_and_explain(struct results_rows *out, struct campaign_state *c,
                               const struct target_state *t, const struct points *p, const char *cause)
{
    struct choose_answer answer;
    struct choose_why whys[SEARCH_SIZES_MAX];
    struct choose_point at[SEARCH_SIZES_MAX];
    results_choose(&answer, whys, at, p, t, c->config->within);
    for (size_t i = 0, k = 0; i < t->search.count; i++) {
        const struct search_size *s = &t->search.sizes[i];
        bool candidate = s->why == WHY_NONE; /* points stand in the same order */
        out->whys[out->why_count++] = candidate ? results_why_of_point(t, &p->items[k], &whys[k], &at[k],
                                                                       c->config->within)
                                                : results_why_of_size(t, s, c->config->within);
        k += candidate;
    }
    make_decision(out, c, t, &answer, cause);
}

static bool was_tried(const struct target_state *t)
{
    return t->history.prepared_count > 0;
}

enum status results_rows_make(struct results_rows *out, struct campaign_state *c,
                              const struct target_state *t, const struct points *p, const char *cause,
                              struct err *err)
{
    if (t->ended) {
        if (t->ended_why == WHY_NONE)
            return ST_OK;
        results_whys_of_end(out, t);
        make_decision(out, c, t, &(struct choose_answer){ .best = NAN }, cause);
        return ST_OK;
    }
    if (!was_tried(t))
        return ST_OK;
    enum status st = results_estimates_make(out, c, t, p, err);
    if (st == ST_OK)
        choose_and_explain(out, c, t, p, cause);
    return st;
}
