#include "bench/replay/replay.h"

#include <math.h>
#include <stdio.h>
#include <string.h>


/* --- what the simulated campaign sees of the curve ------------------------------------------------------ */

static double goodness(const void *context, int batch)
{
    const struct replay_ask *ask = context;
    double rate = curve_value(ask->curve, batch, CURVE_IMAGES_PER_S);
    double p50_ms = curve_value(ask->curve, batch, CURVE_P50_MS);
    if (!ask->latency)
        return rate;
    return isfinite(p50_ms) ? 1e3 / p50_ms : rate / batch;
}

static enum why reason_of_failure(const void *context, int batch)
{
    const struct replay_ask *ask = context;
    const struct curve_point *p = curve_find(ask->curve, batch);
    return p && strncmp(p->note, "unstable", 8) == 0 ? WHY_INVALID : WHY_UNSUPPORTED;
}

static double limited_ms(const struct replay_ask *ask, int batch)
{
    bool median = fabs(ask->limit.percentile - .50) < 1e-9;
    return curve_value(ask->curve, batch, median ? CURVE_P50_MS : CURVE_P95_MS);
}

static enum slo_status limit_status(const void *context, int batch)
{
    const struct replay_ask *ask = context;
    return limited_ms(ask, batch) <= ask->limit.limit_ms ? SLO_PASS : SLO_FAIL;
}

static enum status check_limit(const struct replay_ask *ask, struct err *err)
{
    double p = ask->limit.percentile;
    if (ask->limit.response)
        return err_set(err, ST_USAGE, "--slo: response times need an arrival rate, a curve has only service "
                                      "times: use p%.10g=%.10gms", 100 * p, ask->limit.limit_ms);
    if (p > 0 && fabs(p - .95) > 1e-9 && fabs(p - .50) > 1e-9)
        return err_set(err, ST_USAGE, "--slo must be p95=TIME or p50=TIME for a curve, got p%.10g=%.10gms",
                       100 * p, ask->limit.limit_ms);
    for (size_t i = 0; i < ask->curve->count && ask->limit.percentile > 0; i++)
        if (ask->curve->points[i].ran && isnan(limited_ms(ask, ask->curve->points[i].batch)))
            return err_set(err, ST_USAGE,
                           "--slo: the curve has no p%.0f_ms at batch %d: nothing can be said about a "
                           "limit on it", 100 * ask->limit.percentile, ask->curve->points[i].batch);
    return ST_OK;
}

/* --- max_safe ------------------------------------------------------------------------------------------- */

static double best_estimate(const struct procedure_answer *a)
{
    for (size_t i = 0; i < a->race.count; i++)
        if (a->candidates[i].batch == a->race.leader)
            return a->race.sizes[i].est;
    return NAN;
}

/* A recorded curve is its own fill table: a size that failed ends it, one that was not tried does not. */
static void find_max_safe(struct replay_answer *out, const struct replay_ask *ask)
{
    struct max_safe_size sizes[SEARCH_SIZES_MAX];
    int failed[CURVE_POINTS_MAX];
    const struct procedure_answer *a = out->procedure;
    struct max_safe_ask m = { .sizes = sizes, .count = a->search.count, .decision = a->decision.batch,
                              .best = best_estimate(a), .within = ask->within, .failed = failed,
                              .executed = true };
    for (size_t i = 0; i < a->search.count; i++)
        sizes[i] = (struct max_safe_size){
            .batch = a->whys[i].batch, .why = a->whys[i].why, .y = a->whys[i].y,
            .limit = ask->limit.percentile > 0 ? limit_status(ask, a->whys[i].batch) : SLO_PASS };
    for (size_t i = 0; i < ask->curve->count; i++) {
        const struct curve_point *p = &ask->curve->points[i];
        if (p->ran)
            m.ceiling = p->batch;
        else
            failed[m.failed_count++] = p->batch;
    }
    max_safe_of(&out->max_safe, &m);
}

/* --- the sentence --------------------------------------------------------------------------------------- */

static void say_none(struct replay_answer *out, const struct replay_ask *ask)
{
    const struct curve_point *best = NULL;
    for (size_t i = 0; i < ask->curve->count; i++) {
        const struct curve_point *p = &ask->curve->points[i];
        if (p->ran && (!best || limited_ms(ask, p->batch) < limited_ms(ask, best->batch)))
            best = p;
    }
    if (best && ask->limit.percentile > 0)
        snprintf(out->reason, sizeof out->reason, "no batch size meets %g ms: the best p%.0f is %g ms, at %d",
                 ask->limit.limit_ms, 100 * ask->limit.percentile, limited_ms(ask, best->batch), best->batch);
    else
        snprintf(out->reason, sizeof out->reason, "no batch size ran");
}

static void say(struct replay_answer *out, const struct replay_ask *ask)
{
    const struct decide_answer *d = &out->procedure->decision;
    double percent = 100 * ask->within;
    int n = 0;
    if (!d->batch)
        say_none(out, ask);
    else if (d->confidence == DECIDE_DECIDED && d->batch == d->leader)
        n = snprintf(out->reason, sizeof out->reason,
                     "%d is the best, no smaller size is within %.4g %% of it", d->batch,
                     percent);
    else if (d->confidence == DECIDE_DECIDED)
        n = snprintf(out->reason, sizeof out->reason,
                     "%d is the smallest size within %.4g %% of the best (%d)",
                     d->batch, percent, d->leader);
    else if (d->confidence == DECIDE_WITHIN)
        n = snprintf(out->reason, sizeof out->reason,
                     "%d is within %.4g %% of the best (%d), perhaps a smaller one is "
                     "too", d->batch, percent, d->leader);
    else
        n = snprintf(out->reason, sizeof out->reason, "%d is the best guess: %s", d->batch,
                     race_cause_text(d->cause));
    if (n > 0 && ask->limit.percentile > 0 && (size_t)n < sizeof out->reason)
        snprintf(out->reason + n, sizeof out->reason - (size_t)n, ", of those with p%.0f <= %g ms",
                 100 * ask->limit.percentile, ask->limit.limit_ms);
}

enum status replay_curve(struct replay_answer *out, const struct replay_ask *ask, struct err *err)
{
    static const struct noise exact = { 0 };
    int sizes[CURVE_POINTS_MAX];
    struct meter meter = meter_start(ask->noise ? ask->noise : &exact, ask->seed, goodness, ask);
    const struct procedure_ask p = {
        .meter = &meter, .max_batch = ask->curve->points[ask->curve->count - 1].batch,
        .given = ask->noise ? NULL : sizes, .given_count = ask->curve->count, .within = ask->within,
        .alpha = ask->alpha, .seed = splitmix64(ask->seed), .thrifty = RACE_OFTEN,
        .control = ask->noise != NULL,
        .verify = ask->noise != NULL,
        .fails = reason_of_failure, .limit = ask->limit.percentile > 0 ? limit_status : NULL };
    for (size_t i = 0; i < ask->curve->count; i++)
        sizes[i] = ask->curve->points[i].batch;
    *out = (struct replay_answer){ 0 };
    enum status st = check_limit(ask, err);
    if (st == ST_OK)
        st = procedure_run(&out->procedure, &p, err);
    if (st != ST_OK)
        return st;
    if (out->procedure->decision.batch)
        find_max_safe(out, ask);
    say(out, ask);
    return ST_OK;
}

void replay_free(struct replay_answer *a)
{
    procedure_free(a->procedure);
    *a = (struct replay_answer){ 0 };
}
