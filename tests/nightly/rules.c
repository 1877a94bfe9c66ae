#include "tests/nightly/rules.h"

#include <math.h>
#include <string.h>

#include "tuner/stats.h"

/* --- rules that look at the last nights
 * ------------------------------------------------------------------ */

/* Mean and sample standard deviation of the `n` values before x[t]. */
static void moments(double *mean, double *sd, const double *x, size_t t, size_t n)
{
    double sum = 0, squares = 0;
    for (size_t i = t - n; i < t; i++)
        sum += x[i];
    *mean = sum / (double)n;
    for (size_t i = t - n; i < t; i++)
        squares += (x[i] - *mean) * (x[i] - *mean);
    *sd = sqrt(squares / (double)(n - 1));
}

static bool below(const double *x, size_t t, size_t n, double factor)
{
    double mean, sd;
    moments(&mean, &sd, x, t, n);
    return x[t] < mean - factor * sd;
}

static bool three_sigma(const double *x, size_t t)
{
    return below(x, t, 30, 3);
}
static bool bencher(const double *x, size_t t) /* t quantile .99 with 63 degrees of freedom: 2.387 */
{
    return below(x, t, 64, 2.387 * sqrt(1 + 1.0 / 64));
}
static bool conbench(const double *x, size_t t)
{
    return below(x, t, 100, 5);
}

static bool rustc_perf(const double *x, size_t t)
{
    double s[29];
    for (size_t i = 0; i < 29; i++)
        s[i] = fabs(x[t - 29 + i] - x[t - 30 + i]) / x[t - 30 + i];
    stats_sort(s, 29);
    return (x[t - 1] - x[t]) / x[t - 1] >= s[21] + 3 * (s[21] - s[7]);
}

static bool github_action(const double *x, size_t t)
{
    return x[t - 1] / x[t] > 2;
}

const struct night_rule rule_three_sigma = { "3 sigma of the last 30", 30, 30, three_sigma };
const struct night_rule rule_bencher = { "bencher's example: t .99 of 64", 64, 64, bencher };
const struct night_rule rule_rustc_perf = { "rustc-perf: Q3 + 3 IQR of 30", 30, 30, rustc_perf };
const struct night_rule rule_conbench = { "conbench: z = 5 of 100", 100, 100, conbench };
const struct night_rule rule_github_action = { "github-action-benchmark: ratio 2", 1, 1, github_action };

/* --- change points
 * --------------------------------------------------------------------------------------- */

#define WINDOW 50
#define ADVANCE 25

struct split {
    size_t at, end;                 /* left side ends before `at`, right side before `end` */
    double q;
};

/* The best split of x[from .. to): largest n1 n2 / (n1 + n2) (2 E|a-b| - E|a-a'| - E|b-b'|). */
static void best_split(struct split *best, const double *x, size_t from, size_t to)
{
    double left = 0; /* sum of |a - a'| over pairs of the left side */
    for (size_t m = from + 1; m < to; m++) {
        for (size_t i = from; i < m - 1; i++)
            left += fabs(x[m - 1] - x[i]);
        double right = 0, across = 0, n1 = (double)(m - from);
        for (size_t e = m; e < to; e++) {
            for (size_t i = from; i < m; i++)
                across += fabs(x[e] - x[i]);
            for (size_t i = m; i < e; i++)
                right += fabs(x[e] - x[i]);
            double n2 = (double)(e + 1 - m);
            double within =
                (n1 > 1 ? left / (n1 * (n1 - 1) / 2) : 0) + (n2 > 1 ? right / (n2 * (n2 - 1) / 2) : 0);
            double q = n1 * n2 / (n1 + n2) * (2 * across / (n1 * n2) - within);
            if (q > best->q)
                *best = (struct split){ m, e + 1, q };
        }
    }
}

static void mean_and_squares(double *mean, double *squares, const double *x, size_t from, size_t to)
{
    *mean = *squares = 0;
    for (size_t i = from; i < to; i++)
        *mean += x[i] / (double)(to - from);
    for (size_t i = from; i < to; i++)
        *squares += (x[i] - *mean) * (x[i] - *mean);
}

/* Two-sided p of Student's test of x[from .. at) against x[at .. to), pooled, population deviations. */
static double p_of(const double *x, size_t from, size_t at, size_t to)
{
    double a, b, sa, sb, n1 = (double)(at - from), n2 = (double)(to - at), df = n1 + n2 - 2;
    mean_and_squares(&a, &sa, x, from, at);
    mean_and_squares(&b, &sb, x, at, to);
    if (df < 1)
        return 1;
    double pooled = ((n1 - 1) * (sa / n1) + (n2 - 1) * (sb / n2)) / df;
    double t = (a - b) / sqrt(pooled * (1 / n1 + 1 / n2));
    return pooled > 0 ? stats_incomplete_beta(df / 2, .5, df / (df + t * t)) : a == b ? 1 : 0;
}

struct points {
    size_t at[OTAVA_POINTS_MAX];
    size_t count;
};

static void insert(struct points *p, size_t at)
{
    size_t i = p->count;
    if (p->count == OTAVA_POINTS_MAX)
        return;
    while (i > 0 && p->at[i - 1] > at) {
        p->at[i] = p->at[i - 1];
        i--;
    }
    p->at[i] = at;
    p->count++;
}

/* The segment of the window [from, to) that holds `at`, between the points found so far. */
static void segment_of(size_t *left, size_t *right, const struct points *p, size_t from, size_t to, size_t at)
{
    *left = from;
    *right = to;
    for (size_t i = 0; i < p->count; i++) {
        if (p->at[i] <= at && p->at[i] > *left)
            *left = p->at[i];
        if (p->at[i] > at && p->at[i] < *right)
            *right = p->at[i];
    }
}

/* Splits the window until the best split of its segments is not significant (p <= .01). */
static void split_window(struct points *p, const double *x, size_t from, size_t to)
{
    for (;;) {
        struct split best = { .q = -1 };
        for (size_t at = from; at < to;) {
            size_t left, right;
            segment_of(&left, &right, p, from, to, at);
            best_split(&best, x, left, right);
            at = right;
        }
        if (best.q < 0)
            return;
        size_t left, right;
        segment_of(&left, &right, p, from, to, best.at);
        if (p_of(x, left, best.at, right) > .01)
            return;
        insert(p, best.at);
    }
}

static size_t edge(const struct points *p, size_t i, size_t n, int side)
{
    if (side < 0)
        return i == 0 ? 0 : p->at[i - 1];
    return i + 1 == p->count ? n : p->at[i + 1];
}

static double change_of(const struct points *p, size_t i, const double *x, size_t n)
{
    double a, b, ignored;
    mean_and_squares(&a, &ignored, x, edge(p, i, n, -1), p->at[i]);
    mean_and_squares(&b, &ignored, x, p->at[i], edge(p, i, n, 1));
    return fabs(b / a - 1);
}

static void drop(struct points *p, size_t i)
{
    memmove(p->at + i, p->at + i + 1, (p->count - i - 1) * sizeof *p->at);
    p->count--;
}

static void drop_weak(struct points *p, const double *x, size_t n)
{
    while (p->count > 0) {
        size_t worst = 0;
        double p_worst = -1;
        for (size_t i = 0; i < p->count; i++) {
            double v = p_of(x, edge(p, i, n, -1), p->at[i], edge(p, i, n, 1));
            if (v > p_worst) {
                p_worst = v;
                worst = i;
            }
        }
        if (p_worst < .001)
            return;
        drop(p, worst);
    }
}

static void drop_small(struct points *p, const double *x, size_t n, double magnitude)
{
    while (p->count > 0) {
        size_t least = 0;
        for (size_t i = 1; i < p->count; i++)
            if (change_of(p, i, x, n) < change_of(p, least, x, n))
                least = i;
        if (change_of(p, least, x, n) >= magnitude)
            return;
        drop(p, least);
    }
}

size_t otava_points(size_t points[OTAVA_POINTS_MAX], const double *x, size_t n, double magnitude)
{
    struct points p = { .count = 0 };
    for (size_t from = 0; from < n;) {
        size_t to = from + WINDOW < n ? from + WINDOW : n;
        split_window(&p, x, from, to);
        if (to == n)
            break;
        size_t last = p.count > 0 ? p.at[p.count - 1] : 0;
        from = last > from + ADVANCE ? last : from + ADVANCE;
    }
    drop_weak(&p, x, n);
    if (magnitude > 0)
        drop_small(&p, x, n, magnitude);
    memcpy(points, p.at, p.count * sizeof *points);
    return p.count;
}
