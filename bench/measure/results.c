#include "bench/measure/results.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/measure/results_decision.h"
#include "bench/measure/results_estimates.h"
#include "bench/measure/results_whys.h"
#include "tuner/stats.h"

/* --- looks ---------------------------------------------------------------------------------------------- */

static enum status make_looks(struct results *out, const struct results_ask *ask, struct err *err)
{
    const struct decision *d = ask->decision;
    out->looks = calloc(d->look_count + 1, sizeof *out->looks);
    if (!out->looks)
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for %zu comparisons", d->look_count);
    for (size_t i = 0; i < d->look_count; i++) {
        const struct race_look *l = &d->looks[i];
        struct look_row *row = &out->looks[out->look_count++];
        *row = (struct look_row){ .target = ask->row->id, .look = (int)l->look, .n = (int)l->n, .i = l->i,
                                  .j = l->j, .m = l->m, .se = l->se, .df = l->df, .c = l->c, .r1 = l->r1 };
        snprintf(row->outcome, sizeof row->outcome, "%s", race_outcome_name(l->outcome));
    }
    return ST_OK;
}

/* --- verification --------------------------------------------------------------------------------------- */

static double over_passes(const struct verify_ask *v, size_t e, size_t member, size_t against)
{
    double x[VERIFY_PASSES];
    size_t n = 0;
    for (size_t p = 0; p < VERIFY_PASSES; p++) {
        double value = v->x[e][p][member] - (against < DECIDE_MEMBERS_MAX ? v->x[e][p][against] : 0);
        if (isfinite(value))
            x[n++] = value;
    }
    return stats_median(x, n);
}

static void make_verifications(struct results *out, const struct results_ask *ask)
{
    const struct decide_answer *d = &ask->decision->choice;
    const struct verify_ask *v = &ask->decision->verify_blocks;
    size_t leader = 0;
    while (leader < d->member_count && d->members[leader] != d->leader)
        leader++;
    for (size_t i = 0; i < d->member_count && leader < d->member_count; i++)
        for (size_t e = 0; e < VERIFY_EXECUTIONS; e++) {
            double y = over_passes(v, e, i, DECIDE_MEMBERS_MAX);
            if (isfinite(y))
                out->verifications[out->verification_count++] =
                    (struct verify_row){ .target = ask->row->id, .batch = d->members[i],
                                         .execution = (int)e + 1,
                                         .q = over_passes(v, e, i, leader), .y = y };
        }
}

/* --- fill table ----------------------------------------------------------------------------------------- */

static enum status make_fill(struct results *out, const struct results_ask *ask, struct err *err)
{
    const struct fill_table *f = &ask->decision->fill;
    out->fill = calloc(f->count + 1, sizeof *out->fill);
    if (!out->fill)
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for %zu rows of a fill table", f->count);
    for (size_t i = 0; i < f->count; i++) {
        const struct fill_size *s = &f->sizes[i];
        struct fill_row *row = &out->fill[out->fill_count++];
        *row = (struct fill_row){ .target = ask->row->id, .images = s->images,
                                  .service_p50_ms = s->service_p50_ms, .iterations = s->iterations,
                                  .first_use_ms = s->first_use_ms,
                                  .as = { s->as[0], s->as[1] } };
        snprintf(row->failed, sizeof row->failed, "%s", why_name(s->failed));
        snprintf(row->advice, sizeof row->advice, "%s",
                 s->failed == WHY_NONE ? fill_advice_name(s->advice) : "");
    }
    return ST_OK;
}

/* --- all of it ------------------------------------------------------------------------------------------ */

static enum status make_all(struct results *out, const struct results_ask *ask, struct err *err)
{
    enum status st = results_estimates_make(out, ask, err);
    if (st == ST_OK)
        st = make_looks(out, ask, err);
    if (st == ST_OK)
        st = make_fill(out, ask, err);
    if (st == ST_OK)
        make_verifications(out, ask);
    if (st == ST_OK)
        st = results_whys_make(out, ask, err);
    if (st == ST_OK)
        st = results_decision_make(out, ask, err);
    return st;
}

enum status results_make(struct results **out, const struct results_ask *ask, struct err *err)
{
    struct results *r = calloc(1, sizeof *r);
    enum status st = r ? ST_OK : err_set(err, ST_OUT_OF_MEMORY, "not enough memory for the results");
    *out = NULL;
    if (st == ST_OK && ask->ended && ask->ended_why != WHY_NONE) {
        results_whys_of_end(r, ask);
        results_decision_of_end(r, ask);
    } else if (st == ST_OK && !ask->ended && ask->history->prepared_count > 0) {
        st = make_all(r, ask, err);
    }
    if (st == ST_OK)
        *out = r;
    else
        results_free(r);
    return st;
}

void results_free(struct results *r)
{
    if (!r)
        return;
    free(r->looks);
    free(r->fill);
    free(r);
}

struct store_results results_rows(const struct results *r)
{
    return (struct store_results){ .estimates = r->estimates,
                                   .estimate_count = r->estimate_count,
                                   .decision = r->has_decision ? &r->decision : NULL,
                                   .whys = r->whys,
                                   .why_count = r->why_count,
                                   .looks = r->looks,
                                   .look_count = r->look_count,
                                   .verifications = r->verifications,
                                   .verification_count = r->verification_count,
                                   .fill = r->fill,
                                   .fill_count = r->fill_count };
}
