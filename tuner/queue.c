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

double queue_capacity(const struct queue_times *times, size_t time_count, int batch, int instances,
                      bool median)
{
    size_t at = 0;
    double sum = 0;
    while (at < time_count && times[at].images < batch)
        at++;
    if (at == time_count)
        return 0;
    for (size_t i = 0; i < times[at].count; i++)
        sum += times[at].service_s[i];
    double service_s =
        median ? stats_median(times[at].service_s, times[at].count) : sum / (double)times[at].count;
    return instances * batch / service_s;
}

static size_t first_free(const double *free_s, int instances)
{
    size_t k = 0;
    for (size_t i = 1; i < (size_t)instances; i++)
        if (free_s[i] < free_s[k])
            k = i;
    return k;
}

struct queue_batch queue_form(const double *arrivals, size_t count, double interval_s, size_t first,
                              double free_s, int batch, double delay_s)
{
    size_t most = (size_t)batch, images = 1;
    double oldest = arrivals[first] * interval_s;
    double full = first + most - 1 < count ? arrivals[first + most - 1] * interval_s : INFINITY;
    double start = fmax(fmax(free_s, oldest), fmin(full, oldest + delay_s));
    while (images < most && first + images < count && arrivals[first + images] * interval_s <= start)
        images++;
    return (struct queue_batch){ start, images };
}

static size_t serve_all(struct server *s, double *response_s)
{
    const struct queue_ask *a = s->ask;
    double free_s[QUEUE_INSTANCES_MAX] = { 0 }, interval_s = 1 / a->rate;
    size_t batches = 0;
    for (size_t i = 0; i < a->count; batches++) {
        size_t k = first_free(free_s, a->instances);
        struct queue_batch b =
            queue_form(a->arrivals, a->count, interval_s, i, free_s[k], a->batch, a->delay_s);
        free_s[k] = b.start_s + service_s(s, b.images);
        for (size_t j = i; j < i + b.images; j++)
            response_s[j] = free_s[k] - a->arrivals[j] * interval_s;
        i += b.images;
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
    *out = (struct queue_answer){ .capacity = queue_capacity(ask->times, ask->time_count, ask->batch,
                                                             ask->instances, !ask->uniform) };
    out->batches = serve_all(&s, response_s);
    out->counted = ask->count - queue_dropped(ask->count);
    out->mean_images = (double)ask->count / (double)out->batches;
    out->mean_s = mean_of_tenths(response_s, ask->count, 1, TENTHS);
    out->saturated = ask->rate >= out->capacity ||
                     mean_of_tenths(response_s, ask->count, TENTHS - 1, TENTHS) >
                         grows * mean_of_tenths(response_s, ask->count, 1, 2);
    return true;
}

size_t queue_dropped(size_t count)
{
    return count / TENTHS;
}

static double middle_of_three(double a, double b, double c)
{
    return fmax(fmin(a, b), fmin(fmax(a, b), c));
}

/* Reorders x[n] so that x[k] is the value that sorting would put there, smaller ones before it (Hoare's
 * selection: a percentile needs no whole order). */
static double selected(double *x, ptrdiff_t n, ptrdiff_t k)
{
    ptrdiff_t lo = 0, hi = n - 1;
    while (lo < hi) {
        double pivot = middle_of_three(x[lo], x[lo + (hi - lo) / 2], x[hi]);
        ptrdiff_t i = lo, j = hi;
        while (i <= j) {
            while (x[i] < pivot)
                i++;
            while (x[j] > pivot)
                j--;
            if (i > j)
                break;
            double swapped = x[i];
            x[i++] = x[j];
            x[j--] = swapped;
        }
        if (k > j && k < i) /* between both parts: equal to the pivot */
            break;
        lo = k >= i ? i : lo;
        hi = k <= j ? j : hi;
    }
    return x[k];
}

void queue_percentiles(double *out, const double *p, size_t percentiles, double *response_s, size_t count)
{
    double *x = response_s + queue_dropped(count);
    size_t n = count - queue_dropped(count),
           within = n; /* the smaller percentiles lie below the larger ones */
    for (size_t i = percentiles; i-- > 0;) {
        size_t rank = n ? stats_rank(n, p[i]) : 0;
        out[i] = rank ? selected(x, (ptrdiff_t)within, (ptrdiff_t)rank - 1) : NAN;
        within = rank;
    }
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
