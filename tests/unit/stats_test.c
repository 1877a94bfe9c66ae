/* Statistics against values from SciPy 1.17.1 (scipy.stats, scipy.special) and against arithmetic shown beside them. */
#include "tuner/stats.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static int near(double a, double b, double tolerance)
{
    return fabs(a - b) <= tolerance; /* false for NaN */
}

/* --- order statistics -------------------------------------------------------------------------------------------- */

static const struct { double x[8]; size_t n; double median, mad; } medians[] = {
    { { 7 }, 1, 7, 0 },
    { { 4, 1 }, 2, 2.5, 1.5 },
    { { 9, 5, 7 }, 3, 7, 2 },
    { { 2, 2, 1, 2 }, 4, 2, 0 },
    { { 1e9, 41, 43, 42, 40 }, 5, 42, 1 },
};
static size_t medians_missed(double (*median)(const double *x, size_t n))
{
    size_t missed = 0;
    for (size_t i = 0; i < LEN(medians); i++)
        missed += !near(median(medians[i].x, medians[i].n), medians[i].median, 1e-12);
    return missed;
}
static double without_sorting(const double *x, size_t n) { return x[n / 2]; }
static double mean(const double *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i];
    return sum / (double)n;
}

static void median_and_mad(void **state)
{
    (void)state;
    assert_int_equal(medians_missed(stats_median), 0);
    assert_true(medians_missed(without_sorting) > 0);
    assert_true(medians_missed(mean) > 0);
    for (size_t i = 0; i < LEN(medians); i++)
        assert_true(near(stats_mad(medians[i].x, medians[i].n), medians[i].mad, 1e-12));
    assert_true(isnan(stats_median(NULL, 0)) && isnan(stats_mad(NULL, 0)));
}

static void ranks(void **state)
{
    (void)state;
    const double x[] = { 10, 20, 30, 40, 50, 60, 70, 80, 90, 100 };
    assert_int_equal(stats_rank(100, .07), 7); /* .07 x 100 is 7.000000000000001 in doubles */
    assert_int_equal(stats_rank(20, .95), 19);
    assert_int_equal(stats_rank(3, 1e-6), 1);
    assert_int_equal(stats_rank(3, 1), 3);
    assert_true(near(stats_quantile_sorted(x, 10, .25), 30, 0)); /* ceil(2.5) = 3 */
    assert_true(near(stats_quantile_sorted(x, 10, .75), 80, 0));
    assert_true(near(stats_quantile_sorted(x, 10, .5), 50, 0));
}

/* --- the estimator ----------------------------------------------------------------------------------------------- */

/* 25 values, rounded normal(10, 1): scipy.stats.trim_mean(x, 0.1), and Yuen's formula over mstats.winsorize. */
static const double twenty_five[] = {
    9.198, 8.676, 9.752, 10.42, 11.136, 10.11, 9.447, 9.215, 10.749, 11.635, 10.273, 8.767, 9.042, 11.6, 10.203, 8.268,
    9.916, 8.837, 9.371, 9.512, 9.287, 10.553, 9.937, 9.411, 10.41,
};
static const double eleven[] = { .01, -.02, .03, 0, .5, -.01, .02, .015, -.03, .005, .012 };
static const double five[] = { 3.1, 2.7, 3.3, 2.9, 3.0 };
static const struct { const double *x; size_t n; double m, se, df, tolerance; } estimates[] = {
    { eleven, 11, .00688889, .00658568, 8, 5e-9 },
    { five, 5, 3.0, 0.1, 4, 1e-12 }, /* n < 10: plain mean and sd / sqrt(n) */
    { twenty_five, 25, 9.78790476190476, 0.1845491407006094, 20, 1e-12 },
};
static size_t estimates_missed(struct estimate (*estimate)(const double *x, size_t n))
{
    size_t missed = 0;
    for (size_t i = 0; i < LEN(estimates); i++) {
        struct estimate e = estimate(estimates[i].x, estimates[i].n);
        missed += !(near(e.m, estimates[i].m, estimates[i].tolerance) && near(e.se, estimates[i].se, estimates[i].tolerance) &&
                    near(e.df, estimates[i].df, 0));
    }
    return missed;
}
static struct estimate plain_mean(const double *x, size_t n)
{
    double m = mean(x, n), q = 0;
    for (size_t i = 0; i < n; i++)
        q += (x[i] - m) * (x[i] - m);
    return (struct estimate){ m, sqrt(q / ((double)n * (double)(n - 1))), (double)(n - 1), STATS_FINE };
}

static void estimator(void **state)
{
    (void)state;
    assert_int_equal(estimates_missed(stats_estimate), 0);
    assert_int_equal(estimates_missed(plain_mean), 2); /* right only where nothing is trimmed */
    assert_int_equal(stats_estimate(five, 2).reason, STATS_TOO_FEW);
    assert_string_equal(stats_reason_text(STATS_TOO_FEW), "too few samples");
    const double ties[] = { 2, 2, 2, 2 };
    assert_true(near(stats_estimate(ties, 4).se, 0, 0));
}

/* --- distributions ----------------------------------------------------------------------------------------------- */

static void student_t(void **state)
{
    (void)state;
    static const struct { double p, df, want; } scipy[] = {
        { .975, 2.5, 3.5746548420036817 }, { .975, 5, 2.5705818356363146 }, { .95, 1.0, 6.313751514675037 },
        { .999, 3.7, 7.795183875029165 }, { 1 - .05 / 12, 17.3, 2.9773621753312227 }, { .6, 40, 0.25503868634581395 },
        { 1 - 1e-6, 8, 12.109834665510558 }, { .9999, 2, 70.70007107496818 }, { .975, 1000.5, 1.962337892459348 },
    };
    static const double df[] = { 5, 8, 10, 16, 23, 31 };
    static const struct { double tail, want[6]; } table[] = {
        { .05 / 2, { 2.571, 2.306, 2.228, 2.120, 2.069, 2.040 } },
        { .05 / 12, { 4.219, 3.479, 3.277, 3.008, 2.886, 2.818 } },
        { .05 / 36, { 5.471, 4.256, 3.939, 3.531, 3.350, 3.250 } },
    };
    for (size_t i = 0; i < LEN(scipy); i++) {
        assert_true(near(stats_t_quantile(scipy[i].p, scipy[i].df), scipy[i].want, 1e-10 * fmax(1, scipy[i].want)));
        assert_true(near(stats_t_quantile(1 - scipy[i].p, scipy[i].df), -scipy[i].want, 1e-8 * fmax(1, scipy[i].want)));
    }
    for (size_t i = 0; i < LEN(table); i++)
        for (size_t k = 0; k < LEN(df); k++)
            assert_true(near(stats_t_quantile(1 - table[i].tail, df[k]), table[i].want[k], .0005));
    assert_true(near(stats_t_quantile(.5, 7), 0, 0));
}

static void beta_and_binomial(void **state)
{
    (void)state;
    static const struct { double a, b, x, want; } beta[] = {
        { 2.5, .5, .3, 0.018927124071945658 }, { .5, .5, .5, .5 }, { 10, 3, .9, 0.889130022255 },
        { 50, 200, .21, 0.6633662495384369 }, { 1, 1, .25, .25 }, { 700, 301, .7, 0.5155935198141186 },
    };
    static const struct { size_t n; double p; long k; double want; } binomial[] = {
        { 10, .5, 3, 0.171875 }, { 662, .01, 1, 0.009913985645459311 }, { 1000, .95, 935, 0.020749899365538903 },
        { 20000, .99, 19790, 0.24778730138681918 }, { 5, .3, -1, 0 }, { 5, .3, 5, 1 },
    };
    for (size_t i = 0; i < LEN(beta); i++)
        assert_true(near(stats_incomplete_beta(beta[i].a, beta[i].b, beta[i].x), beta[i].want, 1e-12));
    for (size_t i = 0; i < LEN(binomial); i++)
        assert_true(near(stats_binomial_cdf(binomial[i].n, binomial[i].p, binomial[i].k), binomial[i].want, 1e-9)); /* lgamma of 20000 */
}

/* --- percentiles ------------------------------------------------------------------------------------------------- */

static void percentile_ranks(void **state)
{
    (void)state;
    static const struct { double p; size_t lo, hi; } of_thousand[] = {
        { .5, 469, 532 }, { .9, 881, 919 }, { .95, 936, 964 }, { .99, 983, 997 },
    };
    double x[1000];
    for (size_t i = 0; i < LEN(x); i++)
        x[i] = (double)(i + 1);
    for (size_t i = 0; i < LEN(of_thousand); i++) {
        struct percentile p = stats_percentile(x, 1000, of_thousand[i].p);
        assert_int_equal(p.lo_rank, of_thousand[i].lo);
        assert_int_equal(p.hi_rank, of_thousand[i].hi);
        assert_true(near(p.value, 1000 * of_thousand[i].p, 1e-9));
    }
    assert_int_equal(stats_percentile(x, 200, .99).hi_rank, 0); /* .99^200 = .134 > .025: no upper end */
    assert_true(stats_percentile(x, 200, .99).lo_rank > 0);
    assert_true(isnan(stats_percentile(x, 0, .5).value));
}

static void percentiles_from_too_few_are_not_given(void **state)
{
    (void)state;
    static const struct { double p; size_t needed; } rows[] = {
        { .5, 11 }, { .9, 64 }, { .95, 130 }, { .99, 662 }, { .999, 6636 },
    };
    double *x = calloc(7000, sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < LEN(rows); i++) {
        assert_int_equal(stats_percentile_needs(rows[i].p), rows[i].needed);
        assert_true(isnan(stats_percentile(x, rows[i].needed - 1, rows[i].p).value));
        assert_true(near(stats_percentile(x, rows[i].needed, rows[i].p).value, 0, 0));
    }
    free(x);
}

/* --- intervals --------------------------------------------------------------------------------------------------- */

/* E of `eleven` and t(.975, 8) = 2.306004, t(1 - .05/12, 8) = 3.4789 (table above). */
static void interval_of_independent_values(void **state)
{
    (void)state;
    struct interval f = stats_interval(eleven, 11, INTERVAL_FIXED), s = stats_interval(eleven, 11, INTERVAL_SEQUENTIAL);
    assert_true(near(f.half_width, 2.306004 * .00658568, 1e-7));
    assert_true(near(s.half_width, 3.479 * .00658568, 5e-6));
    assert_true(near(f.low, f.m - f.half_width, 0) && near(f.high, f.m + f.half_width, 0));
    assert_true(near(f.mde, 2.487 * 1.41421356 * .00658568, 1e-8));
    assert_true(isnan(f.r1) && !f.correlated); /* fewer than 13 values say nothing about a lag */
    assert_int_equal(stats_interval(eleven, 2, INTERVAL_FIXED).reason, STATS_TOO_FEW);
}

/* 16 values 0 0 0 0 1 1 1 1 0 0 0 0 1 1 1 1, mean 1/2: squares 16/4 = 4; of the 15 neighbour products 12 are +1/4 and
 * 3 are -1/4: 9/4. r1 = .5625, rc = (16 x .5625 + 1) / 12 = .8333. n = 16: g = 1, h = 14; trimmed mean 1/2,
 * Winsorised values are the same: se = sqrt(4 / (14 x 13)) = .148250; widened by sqrt(1.8333/.16667) = 3.316625.
 * df' = max(2, min(13, 16 x .16667/1.8333 - 1 = .4545)) = 2. */
static void interval_of_correlated_values(void **state)
{
    (void)state;
    double x[16];
    for (size_t i = 0; i < 16; i++)
        x[i] = (double)(i / 4 % 2);
    struct interval i = stats_interval(x, 16, INTERVAL_FIXED);
    assert_true(i.correlated);
    assert_true(near(i.r1, 10.0 / 12, 1e-12));
    assert_true(near(i.se, sqrt(4.0 / 182), 1e-12));
    assert_true(near(i.se_used, sqrt(4.0 / 182) * sqrt(11), 1e-12));
    assert_true(near(i.df_used, 2, 0));
    assert_true(near(i.half_width, 4.302653 * i.se_used, 1e-5)); /* t(.975, 2) */
    for (size_t k = 0; k < 16; k++)
        x[k] = (double)(k % 2); /* negative correlation narrows nothing */
    assert_false(stats_interval(x, 16, INTERVAL_FIXED).correlated);
}

/* --- outliers ---------------------------------------------------------------------------------------------------- */

/* 1..12: Q1 = x[3] = 3, Q3 = x[9] = 9, IQR 6: mild beyond -6 and 18, severe beyond -15 and 27. MAD of 1..12 is 3:
 * spikes lie further than 44.478 from 6.5. */
static void outlier_labels(void **state)
{
    (void)state;
    double x[12];
    for (size_t i = 0; i < 12; i++)
        x[i] = (double)(i + 1);
    struct fences f = stats_fences(x, 12);
    static const struct { double x; enum outlier want; bool spike; } rows[] = {
        { 18, OUTLIER_NONE, false }, { 18.1, OUTLIER_MILD, false }, { 27, OUTLIER_MILD, false },
        { 27.1, OUTLIER_SEVERE, false }, { -6, OUTLIER_NONE, false }, { -15.5, OUTLIER_SEVERE, false },
        { 50.9, OUTLIER_SEVERE, false }, { 51, OUTLIER_SEVERE, true }, { -38, OUTLIER_SEVERE, true },
    };
    for (size_t i = 0; i < LEN(rows); i++) {
        assert_int_equal(stats_outlier(&f, rows[i].x), rows[i].want);
        assert_int_equal(stats_is_spike(&f, rows[i].x), rows[i].spike);
    }
    struct fences none = stats_fences(NULL, 0);
    assert_int_equal(stats_outlier(&none, 1e9), OUTLIER_NONE);
    assert_false(stats_is_spike(&none, 1e9));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(median_and_mad),
        cmocka_unit_test(ranks),
        cmocka_unit_test(estimator),
        cmocka_unit_test(student_t),
        cmocka_unit_test(beta_and_binomial),
        cmocka_unit_test(percentile_ranks),
        cmocka_unit_test(percentiles_from_too_few_are_not_given),
        cmocka_unit_test(interval_of_independent_values),
        cmocka_unit_test(interval_of_correlated_values),
        cmocka_unit_test(outlier_labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
