/* How often intervals hold the truth, by simulation. Limits leave three standard errors of the simulation itself. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kernels/base/rng.h"
#include "tuner/stats.h"
#include "tuner/stop.h"

enum { TRIALS = 3000, BLOCKS_MOST = 60 };

/* Block values with lag-1 correlation rho and standard deviation sigma around 0. */
static void draw(double *y, size_t n, double rho, double sigma, struct rng *r)
{
    double state = rng_normal(r);
    for (size_t i = 0; i < n; i++) {
        y[i] = sigma * state;
        state = rho * state + sqrt(1 - rho * rho) * rng_normal(r);
    }
}

static bool holds(const struct interval *i)
{
    return i->low <= 0 && i->high >= 0;
}

static double coverage(size_t n, double rho, struct interval (*of)(const double *y, size_t n))
{
    struct rng r = rng_seeded(n + 1000 * (uint64_t)(rho * 100));
    double y[BLOCKS_MOST];
    int held = 0;
    for (int trial = 0; trial < TRIALS; trial++) {
        draw(y, n, rho, .01, &r);
        struct interval i = of(y, n);
        held += holds(&i);
    }
    return (double)held / TRIALS;
}

static struct interval fixed(const double *y, size_t n) { return stats_interval(y, n, INTERVAL_FIXED); }
static struct interval uncorrected(const double *y, size_t n) /* the wrong twin: as if blocks were independent */
{
    struct interval i = stats_interval(y, n, INTERVAL_FIXED);
    double half = stats_t_quantile(.975, i.df) * i.se;
    i.low = i.m - half;
    i.high = i.m + half;
    return i;
}

static void fixed_intervals_hold_95_percent(void **state)
{
    (void)state;
    static const size_t n[] = { 13, 19, 28, 40 };
    for (size_t k = 0; k < 4; k++) {
        double c = coverage(n[k], 0, fixed);
        if (c < .95 - .012 || c > .95 + .022) /* 3 x sqrt(.05 x .95 / 3000) = .012; the correction errs to the wide side */
            fail_msg("n = %zu: %.4f", n[k], c);
    }
}

static void correlated_blocks_are_widened(void **state)
{
    (void)state;
    double c13 = coverage(13, .6, fixed), c40 = coverage(40, .6, fixed);
    if (c13 < .89 - .015 || c40 < .92 - .015)
        fail_msg("n = 13: %.4f, n = 40: %.4f", c13, c40);
    assert_true(coverage(40, .6, uncorrected) < .80);
}

/* Stopped by the rule: 95 % and more, although it looks six times. */
static double stopped_coverage(enum interval_kind kind)
{
    struct rng r = rng_seeded(77);
    int held = 0;
    for (int trial = 0; trial < TRIALS; trial++) {
        double y[BLOCKS_MOST];
        uint64_t ns[BLOCKS_MOST];
        size_t n = 6;
        draw(y, BLOCKS_MOST, 0, .012, &r);
        for (size_t i = 0; i < BLOCKS_MOST; i++)
            ns[i] = UINT64_C(500000000);
        if (kind == INTERVAL_SEQUENTIAL) {
            while (n < 40 && stop_check(&(struct stop_ask){ y, ns, n, false }) == STOP_GO_ON)
                n++;
        } else { /* the wrong twin: stops as soon as an unsplit interval excludes the truth or 40 is reached */
            for (struct interval i = fixed(y, n); n < 40 && holds(&i); i = fixed(y, n))
                n++;
        }
        struct interval i = stats_interval(y, n, kind);
        held += holds(&i);
    }
    return (double)held / TRIALS;
}

static void stopping_does_not_spoil_the_interval(void **state)
{
    (void)state;
    double c = stopped_coverage(INTERVAL_SEQUENTIAL);
    if (c < .95)
        fail_msg("%.4f", c);
    assert_true(stopped_coverage(INTERVAL_FIXED) < .90);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixed_intervals_hold_95_percent),
        cmocka_unit_test(correlated_blocks_are_widened),
        cmocka_unit_test(stopping_does_not_spoil_the_interval),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
