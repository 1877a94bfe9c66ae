#include "tuner/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const reason_texts[STATS_REASON_COUNT] = {
#define X(name, text) [STATS_##name] = text,
    STATS_REASON_LIST(X)
#undef X
};

const char *stats_reason_text(enum stats_reason reason)
{
    return reason_texts[reason];
}

static int compare_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void stats_sort(double *x, size_t n)
{
    if (n > 1)
        qsort(x, n, sizeof *x, compare_double);
}

/* A sorted copy, to be freed; NULL if memory is out. */
static double *sorted_copy(const double *x, size_t n)
{
    double *copy = malloc((n ? n : 1) * sizeof *copy);
    if (copy && n) {
        memcpy(copy, x, n * sizeof *copy);
        stats_sort(copy, n);
    }
    return copy;
}

double stats_median_sorted(const double *sorted, size_t n)
{
    if (n == 0)
        return NAN;
    return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

double stats_median(const double *x, size_t n)
{
    double *sorted = sorted_copy(x, n), median = sorted ? stats_median_sorted(sorted, n) : NAN;
    free(sorted);
    return median;
}

size_t stats_rank(size_t n, double p)
{
    double rank = ceil(p * (double)n - 1e-9);
    return rank < 1 ? 1 : rank > (double)n ? n : (size_t)rank;
}

double stats_quantile_sorted(const double *sorted, size_t n, double p)
{
    return n ? sorted[stats_rank(n, p) - 1] : NAN;
}

/* Turns a sorted copy into the sorted distances from its median. */
static double mad_in_place(double *sorted, size_t n)
{
    double centre = stats_median_sorted(sorted, n);
    for (size_t i = 0; i < n; i++)
        sorted[i] = fabs(sorted[i] - centre);
    stats_sort(sorted, n);
    return stats_median_sorted(sorted, n);
}

double stats_mad(const double *x, size_t n)
{
    double *copy = sorted_copy(x, n), mad = copy ? mad_in_place(copy, n) : NAN;
    free(copy);
    return mad;
}

static double mean_of(const double *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i];
    return sum / (double)n;
}

/* Sum of squares around the mean. */
static double squares_of(const double *x, size_t n)
{
    double mean = mean_of(x, n), sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (x[i] - mean) * (x[i] - mean);
    return sum;
}

/* Quicker than stats_sort for the few dozen values of a look. */
static void sort_few(double *x, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        double v = x[i];
        size_t k = i;
        for (; k > 0 && x[k - 1] > v; k--)
            x[k] = x[k - 1];
        x[k] = v;
    }
}

/* s is sorted and changed; n >= 3. */
static struct estimate estimate_in_place(double *s, size_t n)
{
    size_t g = n / 10, h = n - 2 * g;
    struct estimate e = { .m = mean_of(s + g, h), .df = (double)(h - 1) };
    for (size_t i = 0; i < g; i++) { /* Winsorise: the trimmed ends take the nearest kept value */
        s[i] = s[g];
        s[n - 1 - i] = s[n - 1 - g];
    }
    e.se = sqrt(squares_of(s, n) / ((double)h * (double)(h - 1)));
    return e;
}

struct estimate stats_estimate(const double *x, size_t n)
{
    double few[64], *s = few;
    if (n < 3)
        return (struct estimate){ n ? mean_of(x, n) : NAN, NAN, NAN, STATS_TOO_FEW };
    if (n <= sizeof few / sizeof *few) {
        memcpy(few, x, n * sizeof *x);
        sort_few(few, n);
    } else if (!(s = sorted_copy(x, n))) {
        return (struct estimate){ NAN, NAN, NAN, STATS_NO_MEMORY };
    }
    struct estimate e = estimate_in_place(s, n);
    if (s != few)
        free(s);
    return e;
}

double stats_lag1(const double *x, size_t n)
{
    double mean = mean_of(x, n), products = 0, squares = squares_of(x, n);
    for (size_t i = 0; i + 1 < n; i++)
        products += (x[i] - mean) * (x[i + 1] - mean);
    return squares > 0 ? products / squares : 0;
}

/* Corrected for the bias of small samples: (n r1 + 1) / (n - 4). */
static double lag1_corrected(const double *x, size_t n)
{
    return ((double)n * stats_lag1(x, n) + 1) / ((double)n - 4);
}

enum { CORRELATION_FROM = 13 };              /* fewer values say nothing about a lag */
static const double correlation_limit = 0.3; /* above it the interval is widened */
static const double correlation_most = 0.85; /* a widening of 3.5 at most: beyond, more blocks are the answer */
static const double level_fixed = 1 - .05 / 2, level_sequential = 1 - .05 / 12;
static const double mde_factor = (1.645 + 0.842) * 1.4142135623730951; /* 5 % one-sided, 80 % power, two points */

struct interval stats_interval(const double *x, size_t n, enum interval_kind kind)
{
    struct estimate e = stats_estimate(x, n);
    struct interval i = { e.m, e.se, e.df, NAN, false, e.se, e.df, NAN, NAN, NAN, NAN, e.reason };
    if (e.reason != STATS_FINE)
        return i;
    if (n >= CORRELATION_FROM)
        i.r1 = lag1_corrected(x, n);
    if (i.r1 > correlation_limit) { /* false for NaN */
        double r = fmin(i.r1, correlation_most);
        i.correlated = true;
        i.se_used = e.se * sqrt((1 + r) / (1 - r));
        i.df_used = fmax(2, fmin(e.df, (double)n * (1 - r) / (1 + r) - 1));
    }
    i.half_width = stats_t_quantile(kind == INTERVAL_FIXED ? level_fixed : level_sequential, i.df_used) *
                   i.se_used;
    i.low = i.m - i.half_width;
    i.high = i.m + i.half_width;
    i.mde = mde_factor * i.se_used;
    return i;
}

struct fences stats_fences(const double *x, size_t n)
{
    double *s = sorted_copy(x, n);
    if (!s || n == 0) {
        free(s);
        return (struct fences){ NAN, NAN, NAN, NAN, NAN, NAN };
    }
    double q1 = stats_quantile_sorted(s, n, .25), q3 = stats_quantile_sorted(s, n, .75), iqr = q3 - q1;
    struct fences f = { .mild_low = q1 - 1.5 * iqr, .mild_high = q3 + 1.5 * iqr, .severe_low = q1 - 3 * iqr,
                        .severe_high = q3 + 3 * iqr, .median = stats_median_sorted(s, n) };
    f.spike = 10 * 1.4826 * mad_in_place(s, n);
    free(s);
    return f;
}

enum outlier stats_outlier(const struct fences *f, double x)
{
    return x < f->severe_low || x > f->severe_high ? OUTLIER_SEVERE
           : x < f->mild_low || x > f->mild_high ? OUTLIER_MILD : OUTLIER_NONE;
}

bool stats_is_spike(const struct fences *f, double x)
{
    return fabs(x - f->median) > f->spike;
}
