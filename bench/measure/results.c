#include "bench/measure/results.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure/probe.h"
#include "bench/measure/results_rows.h"

/* --- the choice ----------------------------------------------------------------------------------------- */

static bool rounds_count(const struct points *p)
{
    bool any = false;
    for (size_t i = 0; i < p->count; i++) {
        bool in = p->items[i].out == WHY_NONE || p->items[i].all_blocks;
        if (in && p->items[i].n == 0)
            return false;
        any = any || in;
    }
    return any;
}

static const struct search_size *size_of(const struct target_state *t, int batch)
{
    for (size_t i = 0; i < t->search.count; i++)
        if (t->search.sizes[i].batch == batch)
            return &t->search.sizes[i];
    return NULL;
}

static struct choose_point choose_point_of(const struct point *q, const struct target_state *t,
                                           bool by_rounds)
{
    struct choose_point out = {
        .batch = q->batch, .out = q->all_blocks ? WHY_NONE : q->out, .y = NAN, .low = NAN, .high = NAN
    };
    if (!by_rounds) {
        out.y = size_of(t, q->batch)->y;
        return out;
    }
    struct interval i = stats_interval(q->y, q->n, INTERVAL_SEQUENTIAL);
    out.y = i.reason == STATS_FINE ? i.m : stats_median(q->y, q->n);
    out.low = i.low;
    out.high = i.high;
    return out;
}

void results_choose(struct choose_answer *out, struct choose_why *whys, struct choose_point *points,
                    const struct points *p, const struct target_state *t, double within)
{
    struct choose_point own[SEARCH_SIZES_MAX];
    struct choose_point *items = points ? points : own;
    bool by_rounds = rounds_count(p);
    for (size_t i = 0; i < p->count; i++)
        items[i] = choose_point_of(&p->items[i], t, by_rounds);
    choose_target(out, whys, items, p->count, within);
}

/* --- everything of a target ----------------------------------------------------------------------------- */

/* Are there candidates, all of them taken out by telemetry? Then their blocks are the best there is. */
static bool all_refused(const struct points *p)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->items[i].out != WHY_THROTTLED && p->items[i].out != WHY_INVALID)
            return false;
    return p->count > 0;
}

static enum status make_points(struct points **out, const char **cause, const struct target_state *t,
                               struct err *err)
{
    enum status st = points_make(out, t, false, err);
    if (st != ST_OK || !all_refused(*out))
        return st;
    *cause = (*out)->items[0].out == WHY_THROTTLED ? "throttled" : "invalid";
    points_free(*out);
    return points_make(out, t, true, err);
}

enum status results_store(int *batch, struct campaign_state *c, const struct target_state *t,
                          const char *cause, struct err *err)
{
    struct target_state *view = malloc(
        sizeof *view); /* with a finished search: sizes not reached have a reason too */
    struct results_rows *rows = calloc(1, sizeof *rows);
    struct points *p = NULL;
    enum status st = view && rows ? ST_OK
                                  : err_set(err, ST_OUT_OF_MEMORY, "not enough memory for the results");
    *batch = 0;
    if (st == ST_OK) {
        *view = *t;
        if (!t->ended)
            probe_search(&view->search, c, t, true);
        st = make_points(&p, &cause, view, err);
    }
    if (st == ST_OK)
        st = results_rows_make(rows, c, view, p, cause, err);
    if (st == ST_OK) {
        struct store_results results = { .estimates = rows->estimates, .estimate_count = rows->estimate_count,
                                         .decision = rows->has_decision ? &rows->decision : NULL,
                                         .whys = rows->whys, .why_count = rows->why_count };
        *batch = rows->decision.batch;
        st = store_replace_results(c->store, t->row.id, &results, err);
    }
    points_free(p);
    free(rows);
    free(view);
    return st;
}
