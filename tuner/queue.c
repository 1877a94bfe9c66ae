#include "tuner/queue.h"

#include <math.h>

#include "tuner/stats.h"

const double queue_delays_s[QUEUE_DELAYS] = { 0, .001, .002, .005, .010, .020, .050, .100, .200, .500 };

enum { TENTHS = 10 };
static const double grows = 2;       /* last tenth against the second */
static const double near_best = 1.05;

struct server {
    const struct queue_ask *ask;
    double median_s[QUEUE_BATCH_MAX + 1]; /* by images; padding included */
    const struct queue_times *times[QUEUE_BATCH_MAX + 1];
    size_t draws;
};

static bool within_bounds(const struct queue_ask *a)
{
    return a->count > 0 && a->rate > 0 && a->batch >= 1 && a->batch <= QUEUE_BATCH_MAX && a->delay_s >= 0 &&
           a->instances >= 1 && a->instances <= QUEUE_INSTANCES_MAX && a->time_count > 0 &&
           a->times[a->time_count - 1].images >= a->batch;
}

static void prepare(struct server *s, const struct queue_ask *ask)
{
    size_t at = 0;
    double median = stats_median(ask->times[0].service_s, ask->times[0].count);
    s->ask = ask;
    s->draws = 0;
    for (int n = 1; n <= ask->batch; n++) {
        while (ask->times[at].images < n) {
            at++;
            median = stats_median(ask->times[at].service_s, ask->times[at].count);
        }
        s->times[n] = &ask->times[at];
        s->median_s[n] = median;
    }
}

static double service_s(struct server *s, size_t n)
{
    const struct queue_times *t = s->times[n];
    if (!s->ask->uniform)
        return s->median_s[n];
    return t->service_s[(size_t)(s->ask->uniform[s->draws++] * (double)t->count)];
}

static size_t first_free(const double *free_s, int instances)
{
    size_t k = 0;
    for (size_t i = 1; i < (size_t)instances; i++)
        if (free_s[i] < free_s[k])
            k = i;
    return k;
}

static double arrival(const struct queue_ask *a, size_t i)
{
    return a->arrivals[i] / a->rate;
}

/* Requests i .. i+n-1 make the batch that starts at start_s. */
static size_t batch_from(const struct queue_ask *a, size_t i, double start_s)
{
    size_t n = 1;
    while (n < (size_t)a->batch && i + n < a->count && arrival(a, i + n) <= start_s)
        n++;
    return n;
}

static size_t serve_all(struct server *s, double *response_s)
{
    const struct queue_ask *a = s->ask;
    double free_s[QUEUE_INSTANCES_MAX] = { 0 };
    size_t batches = 0, room = (size_t)a->batch;
    for (size_t i = 0; i < a->count; batches++) {
        size_t k = first_free(free_s, a->instances);
        double oldest = arrival(a, i), full = i + room - 1 < a->count ? arrival(a, i + room - 1) : INFINITY;
        double start = fmax(fmax(free_s[k], oldest), fmin(full, oldest + a->delay_s));
        size_t n = batch_from(a, i, start);
        free_s[k] = start + service_s(s, n);
        for (size_t j = 0; j < n; j++)
            response_s[i + j] = free_s[k] - arrival(a, i + j);
        i += n;
    }
    return batches;
}

static double mean_of_tenths(const double *x, size_t count, size_t from, size_t to)
{
    size_t begin = count * from / TENTHS, end = count * to / TENTHS;
    double sum = 0;
    for (size_t i = begin; i < end; i++)
        sum += x[i];
    return end > begin ? sum / (double)(end - begin) : NAN;
}

bool queue_simulate(struct queue_answer *out, double *response_s, const struct queue_ask *ask)
{
    struct server s;
    if (!within_bounds(ask))
        return false;
    prepare(&s, ask);
    *out = (struct queue_answer){ .capacity = ask->instances * ask->batch / s.median_s[ask->batch] };
    out->batches = serve_all(&s, response_s);
    out->counted = ask->count - ask->count / TENTHS;
    out->mean_images = (double)ask->count / (double)out->batches;
    out->mean_s = mean_of_tenths(response_s, ask->count, 1, TENTHS);
    out->saturated = ask->rate >= out->capacity ||
                     mean_of_tenths(response_s, ask->count, TENTHS - 1, TENTHS) >
                         grows * mean_of_tenths(response_s, ask->count, 1, 2);
    return true;
}

const double *queue_sorted_responses(double *response_s, size_t count, size_t *counted)
{
    size_t dropped = count / TENTHS;
    *counted = count - dropped;
    stats_sort(response_s + dropped, *counted);
    return response_s + dropped;
}

static bool keeps(const struct queue_point *p, double limit_s)
{
    return !p->saturated && isfinite(p->p95_s) && (limit_s <= 0 || p->limited_s <= limit_s);
}

size_t queue_recommend(const struct queue_point *points, size_t count, double limit_s)
{
    double best = INFINITY;
    for (size_t i = 0; i < count; i++)
        if (keeps(&points[i], limit_s))
            best = fmin(best, points[i].p95_s);
    for (size_t i = 0; i < count; i++)
        if (keeps(&points[i], limit_s) && points[i].p95_s <= near_best * best)
            return i;
    return QUEUE_NONE;
}

double queue_rate_that_fits(double high, bool (*fits)(void *context, double rate), void *context)
{
    double low = high / 100;
    if (fits(context, high))
        return high;
    if (!fits(context, low))
        return 0;
    while (high - low > .01 * low) {
        double middle = (low + high) / 2;
        if (fits(context, middle))
            low = middle;
        else
            high = middle;
    }
    return low;
}
