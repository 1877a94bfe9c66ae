#include "bench/queue/scan.h"

#include <math.h>
#include <stdlib.h>

#include "tuner/stats.h"

static const double clearly_better = .95; /* as near to the best as a recommended delay may be */
static const double look_percentile = .999;

enum { LOOK_REQUESTS = 20000 };     /* enough to see 5 %, and for a p99.9 (which needs 6,636) */
enum { P50, P90, P95, P99, LIMITED, PERCENTILES };

/* One seed of one point. */
struct run {
    bool   saturated;
    double mean_s, mean_images;
    double at[PERCENTILES];          /* s, NaN: too few requests */
};
struct workspace {
    double *response_s;
    double p[PERCENTILES];           /* p[LIMITED]: of the limit, .95 without */
    bool   prints[PERCENTILES];      /* enough requests count for it */
};

static size_t seeds_of(const struct scan_ask *ask)
{
    return ask->seeds ? ask->seeds : ARRIVALS_SEEDS;
}

static size_t requests_of(const struct scan_ask *ask)
{
    return ask->requests && ask->requests < ask->arrivals->count ? ask->requests : ask->arrivals->count;
}

static size_t delays_of(const struct scan_ask *ask)
{
    return ask->delays_s ? ask->delay_count : QUEUE_DELAYS;
}

static double delay_of(const struct scan_ask *ask, size_t i)
{
    return ask->delays_s ? ask->delays_s[i] : queue_delays_s[i];
}

static enum status open_workspace(struct workspace *w, const struct scan_ask *ask, struct err *err)
{
    static const double printed[] = { .50, .90, .95, .99 };
    size_t n = requests_of(ask) - queue_dropped(requests_of(ask));
    for (int i = 0; i < PERCENTILES; i++) {
        w->p[i] = i < LIMITED ? printed[i] : ask->percentile > 0 ? ask->percentile : .95;
        w->prints[i] = n >= stats_percentile_needs(w->p[i]);
    }
    w->response_s = NULL;
    if (ask->percentile > 0 && !w->prints[LIMITED])
        return err_set(err, ST_USAGE,
                       "a limit on p%g needs %zu responses that count (the first tenth does not), the trace "
                       "has %zu: use a longer one, or --rate",
                       100 * ask->percentile, stats_percentile_needs(ask->percentile), n);
    w->response_s = malloc(requests_of(ask) * sizeof *w->response_s);
    return w->response_s ? ST_OK
                         : err_set(err, ST_OUT_OF_MEMORY, "not enough memory for %zu responses",
                                   requests_of(ask));
}

/* Percentiles have to be asked for in ascending order: that of the limit has its place among the others. */
static void take_percentiles(struct run *r, const struct workspace *w, size_t count)
{
    int order[PERCENTILES] = { P50, P90, P95, P99, LIMITED };
    double p[PERCENTILES], got[PERCENTILES];
    for (int i = LIMITED; i > 0 && w->p[order[i]] < w->p[order[i - 1]]; i--) {
        int other = order[i - 1];
        order[i - 1] = order[i];
        order[i] = other;
    }
    for (int i = 0; i < PERCENTILES; i++)
        p[i] = w->p[order[i]];
    queue_percentiles(got, p, PERCENTILES, w->response_s, count);
    for (int i = 0; i < PERCENTILES; i++)
        r->at[order[i]] = w->prints[order[i]] ? got[i] : NAN;
}

static void run_seed(struct run *r, const struct workspace *w, const struct scan_ask *ask, double delay_s,
                     size_t seed)
{
    struct queue_answer answer;
    struct queue_ask simulate = { .arrivals = ask->arrivals->at[seed],
                                  .count = requests_of(ask),
                                  .rate = ask->rate,
                                  .uniform = ask->median ? NULL : ask->arrivals->uniform[seed],
                                  .times = ask->times,
                                  .time_count = ask->time_count,
                                  .batch = ask->batch,
                                  .delay_s = delay_s,
                                  .instances = ask->instances };
    *r = (struct run){ .saturated = true };
    if (!queue_simulate(&answer, w->response_s, &simulate))
        return;
    *r = (struct run){ .saturated = answer.saturated && !ask->growing, .mean_s = answer.mean_s,
                       .mean_images = answer.mean_images };
    if (!r->saturated)
        take_percentiles(r, w, requests_of(ask));
}

static struct scan_value over_seeds(const double *x, size_t n)
{
    struct scan_value v = { stats_median(x, n), INFINITY, -INFINITY };
    for (size_t i = 0; i < n; i++) {
        v.low = fmin(v.low, x[i]);
        v.high = fmax(v.high, x[i]);
    }
    return isnan(v.value) ? (struct scan_value){ NAN, NAN, NAN } : v;
}

/* Of the seeds in which the queue did not grow. */
static struct scan_value percentile_of(const struct run *runs, size_t seeds, int which)
{
    double x[ARRIVALS_SEEDS] = { 0 };
    size_t n = 0;
    for (size_t i = 0; i < seeds; i++)
        if (!runs[i].saturated)
            x[n++] = which < 0 ? runs[i].mean_s : runs[i].at[which];
    return over_seeds(x, n);
}

double scan_capacity(const struct scan_ask *ask)
{
    return queue_capacity(ask->times, ask->time_count, ask->batch, ask->instances, ask->median);
}

static void run_point(struct scan_point *out, const struct workspace *w, const struct scan_ask *ask,
                      double capacity, double delay_s)
{
    const struct scan_value none = { NAN, NAN, NAN };
    struct run runs[ARRIVALS_SEEDS];
    double images[ARRIVALS_SEEDS];
    size_t seeds = seeds_of(ask), grew = 0;
    *out = (struct scan_point){ .delay_s = delay_s, .saturated = true, .limited_s = NAN, .mean_images = NAN,
                                .mean_s = none, .p50_s = none, .p90_s = none, .p95_s = none, .p99_s = none };
    if (ask->rate >= capacity && !ask->growing)
        return;
    for (size_t i = 0; i < seeds; i++) {
        run_seed(&runs[i], w, ask, delay_s, i);
        images[i] = runs[i].mean_images;
        grew += runs[i].saturated;
    }
    out->saturated = 2 * grew > seeds;
    out->mean_images = stats_median(images, seeds);
    if (out->saturated)
        return;
    out->mean_s = percentile_of(runs, seeds, -1);
    out->p50_s = percentile_of(runs, seeds, P50);
    out->p90_s = percentile_of(runs, seeds, P90);
    out->p95_s = percentile_of(runs, seeds, P95);
    out->p99_s = percentile_of(runs, seeds, P99);
    if (ask->percentile > 0)
        out->limited_s = percentile_of(runs, seeds, LIMITED).value;
}

static double limit_of(const struct scan_ask *ask)
{
    return ask->percentile > 0 ? ask->limit_s : 0;
}

/* By p95; a trace too short for it is compared by means. */
static size_t recommend(const struct scan *s, const struct scan_ask *ask)
{
    struct queue_point points[QUEUE_DELAYS];
    for (size_t i = 0; i < s->count; i++) {
        const struct scan_point *p = &s->points[i];
        points[i] = (struct queue_point){ .delay_s = p->delay_s, .saturated = p->saturated,
                                          .p95_s = isnan(p->p95_s.value) ? p->mean_s.value : p->p95_s.value,
                                          .limited_s = p->limited_s };
    }
    return queue_recommend(points, s->count, limit_of(ask));
}

enum status scan_run(struct scan *out, const struct scan_ask *ask, struct err *err)
{
    struct workspace w;
    *out = (struct scan){ .batch = ask->batch, .rate = ask->rate, .capacity = scan_capacity(ask),
                          .recommended = QUEUE_NONE };
    enum status st = open_workspace(&w, ask, err);
    if (st != ST_OK)
        return st;
    for (; out->count < delays_of(ask) && out->count < QUEUE_DELAYS; out->count++)
        run_point(&out->points[out->count], &w, ask, out->capacity, delay_of(ask, out->count));
    free(w.response_s);
    out->load = out->rate / out->capacity;
    out->recommended = recommend(out, ask);
    return ST_OK;
}

/* --- what would fit ------------------------------------------------------------------------------------- */

static bool point_fits(const struct scan_point *p, const struct scan_ask *ask)
{
    return !p->saturated && (ask->percentile <= 0 || p->limited_s <= ask->limit_s);
}

static bool any_delay_fits(double *delay_s, const struct workspace *w, const struct scan_ask *ask)
{
    struct scan_point p;
    double capacity = scan_capacity(ask);
    for (size_t i = 0; i < delays_of(ask); i++) {
        run_point(&p, w, ask, capacity, delay_of(ask, i));
        if (point_fits(&p, ask)) {
            *delay_s = p.delay_s;
            return true;
        }
    }
    return false;
}

enum status scan_fits(bool *fits, double *delay_s, const struct scan_ask *ask, struct err *err)
{
    struct workspace w;
    double first_s = NAN;
    enum status st = open_workspace(&w, ask, err);
    *fits = st == ST_OK && any_delay_fits(&first_s, &w, ask);
    if (st == ST_OK)
        free(w.response_s);
    if (delay_s)
        *delay_s = first_s;
    return st;
}

struct fitting {
    const struct workspace *w;
    struct scan_ask ask;
};

static bool fits_at(void *context, double rate)
{
    struct fitting *f = context;
    double delay_s;
    f->ask.rate = rate;
    return any_delay_fits(&delay_s, f->w, &f->ask);
}

enum status scan_rate_that_fits(double *rate, const struct scan_ask *ask, struct err *err)
{
    struct workspace w;
    *rate = 0;
    enum status st = open_workspace(&w, ask, err);
    if (st != ST_OK)
        return st;
    *rate = queue_rate_that_fits(ask->rate, fits_at, &(struct fitting){ &w, *ask });
    free(w.response_s);
    return ST_OK;
}

/* --- another batch size --------------------------------------------------------------------------------- */

/* p95 of the recommended delay; infinite if there is none. */
static double best_p95(const struct scan *s)
{
    double p95_s = s->recommended == QUEUE_NONE ? NAN : s->points[s->recommended].p95_s.value;
    return isnan(p95_s) ? INFINITY : p95_s;
}

enum status scan_better_batch(struct scan *out, const struct scan *own, const struct scan_ask *ask,
                              const int *batches, size_t count, struct err *err)
{
    struct scan_ask other = *ask;
    double best_s = clearly_better * best_p95(own);
    int best = 0;
    *out = (struct scan){ .recommended = QUEUE_NONE };
    other.seeds = 1;
    other.requests = ask->percentile > look_percentile ? 0 : LOOK_REQUESTS;
    for (size_t i = 0; i < count; i++) {
        struct scan tried;
        other.batch = batches[i];
        if (batches[i] == ask->batch)
            continue;
        enum status st = scan_run(&tried, &other, err);
        if (st != ST_OK)
            return st;
        if (best_p95(&tried) < best_s) {
            best = batches[i];
            best_s = best_p95(&tried);
        }
    }
    if (!best)
        return ST_OK;
    other.seeds = other.requests = 0;
    other.batch = best;
    enum status st = scan_run(out, &other, err);
    if (st == ST_OK && !(best_p95(out) < clearly_better * best_p95(own)))
        out->batch = 0;
    return st;
}
