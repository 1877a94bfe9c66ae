/* stats.h - the statistics that everything above is made of: order statistics, the one estimator, intervals.
 * Pure: nothing is kept, inputs are not changed. Values are in any order unless a parameter is named `sorted`
 * (ascending). A result that cannot be given is NaN and, where there is a field for it, has a reason. */
#ifndef TUNER_STATS_H
#define TUNER_STATS_H

#include <stdbool.h>
#include <stddef.h>

/*        name        text */
#define STATS_REASON_LIST(X) \
    X(FINE,        "") \
    X(TOO_FEW,     "too few samples") \
    X(NO_MEMORY,   "not enough memory")

enum stats_reason {
#define X(name, text) STATS_##name,
    STATS_REASON_LIST(X)
#undef X
    STATS_REASON_COUNT
};
const char *stats_reason_text(enum stats_reason reason);

/* Sorts ascending, in place. */
void stats_sort(double *x, size_t n);
/* The middle value, or the mean of the two middle ones. NaN if n = 0. */
double stats_median(const double *x, size_t n);
double stats_median_sorted(const double *sorted, size_t n);
/* x[ceil(p n)], counted from 1; p in (0,1]. NaN if n = 0. */
double stats_quantile_sorted(const double *sorted, size_t n, double p);
/* ceil(p n), at least 1. p n within 1e-9 of a whole number is that number: .07 x 100 is 7, not 8. */
size_t stats_rank(size_t n, double p);
/* Median of |x - median(x)|. NaN if n = 0. */
double stats_mad(const double *x, size_t n);

/* Yuen's trimmed mean: 10 % trimmed on each side (n < 10: the plain mean), Winsorised standard error. */
struct estimate {
    double m, se, df;
    enum stats_reason reason; /* STATS_TOO_FEW if n < 3 */
};
struct estimate stats_estimate(const double *x, size_t n);
/* Lag-1 autocorrelation of values in time order, around their mean; 0 if all are equal or n < 2. */
double stats_lag1(const double *x, size_t n);

/* I_x(a, b), the regularised incomplete beta function; a, b > 0, x in [0,1]. */
double stats_incomplete_beta(double a, double b, double x);
/* p-quantile of Student's t with df > 0 degrees of freedom (real), p in (0,1). Error below 1e-10. */
double stats_t_quantile(double p, double df);
/* P(Bin(n, p) <= k). k < 0 gives 0, k >= n gives 1. */
double stats_binomial_cdf(size_t n, double p, long k);

/* --- interval of a point: its block values in time order --- */
enum interval_kind {
    INTERVAL_FIXED,      /* n was set beforehand: two-sided 95 % */
    INTERVAL_SEQUENTIAL, /* n by the stop rule: 5 % split over its six looks */
};
struct interval {
    double m, se, df;    /* of the estimator */
    double r1;           /* lag-1 autocorrelation corrected for small samples; NaN for n < 13 */
    bool   correlated;   /* r1 > 0.3: se and df below are corrected */
    double se_used, df_used;
    double half_width, low, high;
    double mde;          /* smallest difference between two such points that would be seen: 80 % power, 5 % */
    enum stats_reason reason;
};
struct interval stats_interval(const double *x, size_t n, enum interval_kind kind);

/* --- percentiles of iteration times --- */
struct percentile {
    double value;                 /* NaN if n is too small to print it */
    size_t lo_rank, hi_rank;      /* exact two-sided 95 % ranks, from 1; 0: that end is open */
    size_t needed;                /* smallest n with which it may be printed */
};
struct percentile stats_percentile(const double *sorted, size_t n, double p);
/* Smallest n with P(Bin(n, 1-p) <= 1) <= 1 %: p50 11, p90 64, p95 130, p99 662, p99.9 6636. */
size_t stats_percentile_needs(double p);

/* --- outliers: labels only, nothing is ever removed --- */
enum outlier { OUTLIER_NONE, OUTLIER_MILD, OUTLIER_SEVERE, OUTLIER_COUNT };
struct fences {                   /* of one point in one execution */
    double mild_low, mild_high;   /* Q1 - 1.5 IQR, Q3 + 1.5 IQR */
    double severe_low, severe_high; /* 3 IQR */
    double median, spike;         /* a spike lies further than 10 x 1.4826 MAD from the median */
};
/* All NaN if n = 0: then nothing is an outlier. */
struct fences stats_fences(const double *x, size_t n);
enum outlier stats_outlier(const struct fences *f, double x);
bool stats_is_spike(const struct fences *f, double x);

#endif
