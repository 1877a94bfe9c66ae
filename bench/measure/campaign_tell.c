/* What a campaign says while it runs, and how it shares its time. */
#include "bench/measure/campaign_state.h"

#include <math.h>
#include <string.h>

#include "bench/measure/results.h"

static bool is_busy(const struct target_state *t)
{
    return !t->ended && !t->measured;
}

uint64_t campaign_share_ns(const struct campaign_state *c, const struct target_state *t, double part)
{
    uint64_t spent_ns = campaign_now_ns(c) - c->start_ns, left = 0;
    if (!c->budget_ns)
        return UINT64_MAX;
    for (const struct target_state *o = t; o < c->targets + c->target_count; o++)
        left += is_busy(o);
    if (spent_ns >= c->budget_ns)
        return 0;
    return (uint64_t)((double)(c->budget_ns - spent_ns) / (double)(left ? left : 1) * part);
}

/* The best so far with its interval; nothing if no size has run. */
static void add_best(struct progress_event *e, const struct campaign_state *c, const struct target_state *t)
{
    struct points *p;
    struct choose_answer answer;
    struct choose_why whys[SEARCH_SIZES_MAX];
    struct choose_point at[SEARCH_SIZES_MAX];
    if (points_make(&p, t, false, NULL) != ST_OK)
        return;
    results_choose(&answer, whys, at, p, t, c->config->within);
    for (size_t i = 0; i < p->count; i++)
        if (answer.batch && p->items[i].batch == answer.batch) {
            e->best_batch = answer.batch;
            e->best_images_per_s = exp(at[i].y);
            e->best_low = exp(at[i].low);
            e->best_high = exp(at[i].high);
        }
    points_free(p);
}

void campaign_tell(const struct campaign_state *c, const struct target_state *t, const char *phase,
                   const char *text, int batch, int round)
{
    uint64_t elapsed_ns = campaign_now_ns(c) - c->start_ns;
    struct progress_event e = {
        .phase = phase,
        .target = t ? t->plan->name : NULL,
        .text = text,
        .target_place = t ? (int)(t - c->targets) + 1 : 0,
        .target_count = (int)c->target_count,
        .batch = batch,
        .round = round,
        .rounds = round ? CAMPAIGN_ROUNDS_MOST : 0,
        .best_images_per_s = NAN,
        .best_low = NAN,
        .best_high = NAN,
        .elapsed_ns = elapsed_ns,
        .left_ns = c->budget_ns > elapsed_ns ? c->budget_ns - elapsed_ns : 0,
    };
    if (!c->context->progress)
        return;
    if (t && !t->search.next && t->search.count > 0)
        add_best(&e, c, t);
    progress_tell(c->context->progress, &e);
}
