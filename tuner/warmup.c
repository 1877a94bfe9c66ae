#include "tuner/warmup.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tuner/stats.h"

#define NS_PER_S UINT64_C(1000000000)
enum { FULL_WINDOW = 20 };

static const double centre_limit = 0.01, centre_limit_few = 0.02; /* of the median */
static const double quartile_limit = 0.05, spread_limit = 0.01;
static const double clock_limit = 0.02;           /* (max - min) / max over both windows */
static const double slope_limit_c_per_s = 1.0 / 5;

static const char *const texts[WARMUP_COUNT] = {
#define X(name, text) [WARMUP_##name] = text,
    WARMUP_LIST(X)
#undef X
};
static const char *const class_names[WARMUP_CLASS_COUNT] = {
    [WARMUP_CLASS_NONE] = "none", [WARMUP_CLASS_FLAT] = "flat", [WARMUP_CLASS_WARMUP] = "warmup",
    [WARMUP_CLASS_SLOWDOWN] = "slowdown",
};

const char *warmup_text(enum warmup warmup)
{
    return texts[warmup];
}

const char *warmup_class_name(enum warmup_class c)
{
    return class_names[c];
}

/* max(least, min(most, floor(span / t))). */
static int fitting(uint64_t span_ns, uint64_t t_iter_ns, int least, int most)
{
    uint64_t n = t_iter_ns ? span_ns / t_iter_ns : (uint64_t)most;
    return n > (uint64_t)most ? most : n < (uint64_t)least ? least : (int)n;
}

uint64_t warmup_first_ns(bool gpu)
{
    return (gpu ? 2 : 1) * NS_PER_S;
}

int warmup_first_iterations(uint64_t t_iter_ns)
{
    return fitting(5 * NS_PER_S, t_iter_ns, 1, 10);
}

int warmup_window_iterations(uint64_t t_iter_ns)
{
    return fitting(5 * NS_PER_S, t_iter_ns, 1, FULL_WINDOW);
}

int warmup_other_iterations(uint64_t t_iter_ns)
{
    return fitting(NS_PER_S / 2, t_iter_ns, 1, 10);
}

int warmup_switch_iterations(uint64_t t_iter_ns)
{
    return t_iter_ns > NS_PER_S ? 0 : fitting(3 * NS_PER_S / 10, t_iter_ns, 1, 3);
}

struct summary {
    double q1, median, q3, mad;
};

static int summarise(struct summary *out, const double *x, size_t n)
{
    double *s = malloc((n ? n : 1) * sizeof *s);
    if (!s || n == 0) {
        free(s);
        return -1;
    }
    memcpy(s, x, n * sizeof *s);
    stats_sort(s, n);
    *out = (struct summary){ .q1 = stats_quantile_sorted(s, n, .25), .median = stats_median_sorted(s, n),
                             .q3 = stats_quantile_sorted(s, n, .75), .mad = stats_mad(s, n) };
    free(s);
    return 0;
}

/* Does the first iteration lie above Q3 + 1.5 IQR of all the others of both windows? */
static bool first_is_outlier(const struct warmup_window *older, const struct warmup_window *newer)
{
    size_t n = older->n + newer->n - 1;
    double *others = malloc(n * sizeof *others);
    struct summary s;
    bool outlier = true;
    if (others) {
        memcpy(others, older->iteration_ns + 1, (older->n - 1) * sizeof *others);
        memcpy(others + older->n - 1, newer->iteration_ns, newer->n * sizeof *others);
        if (summarise(&s, others, n) == 0)
            outlier = older->iteration_ns[0] > s.q3 + 1.5 * (s.q3 - s.q1);
    }
    free(others);
    return outlier;
}

static bool moved(double older, double newer, double limit)
{
    return fabs(newer / older - 1) > limit;
}

static enum warmup check_device(const struct warmup_window *older, const struct warmup_window *newer)
{
    double lowest = fmin(older->clock_min, newer->clock_min),
           highest = fmax(older->clock_max, newer->clock_max);
    if ((highest - lowest) / highest > clock_limit) /* false for NaN: no reading, no test */
        return WARMUP_CLOCK_MOVED;
    return fabs(newer->temperature_c_per_s) > slope_limit_c_per_s ? WARMUP_HEATING : WARMUP_STEADY;
}

enum warmup warmup_check(const struct warmup_window *older, const struct warmup_window *newer, int w)
{
    struct summary a, b;
    if (older->n < (size_t)w || newer->n < (size_t)w || summarise(&a, older->iteration_ns, older->n) != 0 ||
        summarise(&b, newer->iteration_ns, newer->n) != 0)
        return WARMUP_TOO_FEW;
    if (moved(a.median, b.median, w < FULL_WINDOW ? centre_limit_few : centre_limit))
        return WARMUP_CENTRE_MOVED;
    if (w >= FULL_WINDOW) {
        if (first_is_outlier(older, newer))
            return WARMUP_FIRST_IS_OUTLIER;
        if (moved(a.q1, b.q1, quartile_limit) || moved(a.q3, b.q3, quartile_limit))
            return WARMUP_QUARTILE_MOVED;
        if (fabs(b.mad - a.mad) > spread_limit * b.median)
            return WARMUP_SPREAD_MOVED;
    }
    return check_device(older, newer);
}

enum warmup_class warmup_classify(const double *iteration_ns, size_t n, bool steady)
{
    size_t third = n / 3;
    if (!steady || third == 0)
        return WARMUP_CLASS_NONE;
    double change = stats_median(iteration_ns + n - third, third) / stats_median(iteration_ns, third) - 1;
    return fabs(change) <= 0.01 ? WARMUP_CLASS_FLAT
           : change < 0         ? WARMUP_CLASS_WARMUP
                                : WARMUP_CLASS_SLOWDOWN;
}
