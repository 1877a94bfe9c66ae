/* Student's t and the binomial distribution, both through the incomplete beta function, and the percentile
 * rules that rest on them. */
#include "tuner/stats.h"

#include <math.h>

/* Continued fraction of I_x(a,b) by Lentz's method (Abramowitz and Stegun 26.5.8); quick
 * for x < (a+1)/(a+b+2). */
static double beta_fraction(double a, double b, double x)
{
    const double tiny = 1e-300;
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < tiny ? tiny : d);
    double f = d;
    for (int m = 1; m <= 100000; m++) {
        for (int odd = 0; odd < 2; odd++) {
            double term = odd ? -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
                              : m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
            d = 1 + term * d;
            d = 1 / (fabs(d) < tiny ? tiny : d);
            c = 1 + term / c;
            c = fabs(c) < tiny ? tiny : c;
            f *= c * d;
        }
        if (fabs(c * d - 1) < 1e-16)
            break;
    }
    return f;
}

double stats_incomplete_beta(double a, double b, double x)
{
    if (!(x > 0))
        return 0;
    if (x >= 1)
        return 1;
    double front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
    return x < (a + 1) / (a + b + 2) ? front * beta_fraction(a, b, x) / a
                                     : 1 - front * beta_fraction(b, a, 1 - x) / b;
}

/* P(T > t) for t >= 0. */
static double t_upper_tail(double t, double df)
{
    return stats_incomplete_beta(df / 2, .5, df / (df + t * t)) / 2;
}

/* The t > from with P(T > t) = q by Newton's method: from below it never oversteps, the tail being convex. */
static double t_newton(double from, double q, double df)
{
    double scale = exp(lgamma((df + 1) / 2) - lgamma(df / 2)) / sqrt(df * 3.14159265358979323846), t = from;
    for (int i = 0; i < 50; i++) {
        double step = (t_upper_tail(t, df) - q) / (scale * pow(1 + t * t / df, -(df + 1) / 2));
        t += step;
        if (!(step > 1e-15 * t))
            break;
    }
    return t;
}

double stats_t_quantile(double p, double df)
{
    if (p == .5)
        return 0;
    if (p < .5)
        return -stats_t_quantile(1 - p, df);
    double lo = 0, hi = 1;
    while (t_upper_tail(hi, df) > 1 - p && hi < 1e300) {
        lo = hi;
        hi *= 2;
    }
    /* The bisection decides; where Newton's answer lies is known beforehand, so only the last steps need the
     * tail, and their result does not depend on how good that answer is. */
    double near = t_newton(lo, 1 - p, df), below = near * (1 - 1e-12), above = near * (1 + 1e-12);
    if (!(t_upper_tail(below, df) > 1 - p && t_upper_tail(above, df) <= 1 - p)) {
        below = 0;
        above = INFINITY;
    }
    lo = 0;
    for (int i = 0; i < 200 && hi - lo > 1e-14 * hi; i++) {
        double middle = lo + (hi - lo) / 2;
        bool left = middle <= below || (middle < above && t_upper_tail(middle, df) > 1 - p);
        if (left)
            lo = middle;
        else
            hi = middle;
    }
    return lo + (hi - lo) / 2;
}

double stats_binomial_cdf(size_t n, double p, long k)
{
    if (k < 0)
        return 0;
    if ((size_t)k >= n)
        return 1;
    return stats_incomplete_beta((double)(n - (size_t)k), (double)k + 1, 1 - p);
}

/* Smallest r in 1..n for which F(r) = P(Bin(n,p) <= r-1) is at least `level`; n + 1 if there is none. */
static size_t first_rank_at(size_t n, double p, double level)
{
    size_t lo = 1, hi = n + 1;
    while (lo < hi) {
        size_t r = lo + (hi - lo) / 2;
        if (stats_binomial_cdf(n, p, (long)r - 1) >= level)
            hi = r;
        else
            lo = r + 1;
    }
    return lo;
}

/* Largest r in 0..n for which F(r) <= level; 0 if there is none. */
static size_t last_rank_below(size_t n, double p, double level)
{
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t r = lo + (hi - lo + 1) / 2;
        if (stats_binomial_cdf(n, p, (long)r - 1) <= level)
            lo = r;
        else
            hi = r - 1;
    }
    return lo;
}

size_t stats_percentile_needs(double p)
{
    size_t lo = 2, hi = 2;
    while (stats_binomial_cdf(hi, 1 - p, 1) > .01)
        hi *= 2;
    while (lo < hi) {
        size_t n = lo + (hi - lo) / 2;
        if (stats_binomial_cdf(n, 1 - p, 1) <= .01)
            hi = n;
        else
            lo = n + 1;
    }
    return lo;
}

struct percentile stats_percentile(const double *sorted, size_t n, double p)
{
    struct percentile out = { .value = NAN, .needed = stats_percentile_needs(p) };
    if (n == 0)
        return out;
    size_t hi = first_rank_at(n, p, .975);
    out.lo_rank = last_rank_below(n, p, .025);
    out.hi_rank = hi <= n ? hi : 0;
    if (n >= out.needed)
        out.value = stats_quantile_sorted(sorted, n, p);
    return out;
}
