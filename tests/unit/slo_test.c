/* Latency limits: counting rule, its exact error, and rules that would be too easy. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "kernels/base/rng.h"
#include "tuner/slo.h"

enum { MANY = 1200, TRIALS = 20000 };

/* n_t for t = 0..4, from the binomial distribution by an outside program. */
static const struct { double p; size_t needs[SLO_LOOKS]; } rows[] = {
    { .50, { 7, 11, 14, 17, 19 } },
    { .90, { 44, 64, 81, 97, 113 } },
    { .95, { 90, 130, 165, 198, 229 } },
    { .99, { 459, 662, 838, 1001, 1157 } },
};

static void needs_agree(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct slo_rule rule = slo_rule_of(rows[i].p);
        for (size_t t = 0; t < SLO_LOOKS; t++)
            assert_int_equal(rule.needs[t], rows[i].needs[t]);
    }
}

/* n times of 1 s, those in `above` of 3 s (numbers from 1). */
static struct slo_answer check_with(size_t n, const size_t *above, size_t count)
{
    double times[MANY];
    struct slo_rule rule = slo_rule_of(.95);
    for (size_t i = 0; i < n; i++)
        times[i] = 1;
    for (size_t i = 0; i < count; i++)
        times[above[i] - 1] = 3;
    return slo_check(&rule, times, n, 2);
}

static void statuses_follow_from_the_counts(void **state)
{
    const size_t late[] = { 90 }, first[] = { 1 }, four[] = { 1, 2, 3, 4 }, five[] = { 1, 50, 100, 150, 229 },
                 six[] = { 1, 50, 100, 150, 200, 230 };
    (void)state;
    assert_int_equal(check_with(89, NULL, 0).status, SLO_OPEN);
    assert_int_equal(check_with(90, NULL, 0).status, SLO_PASS);
    assert_int_equal(check_with(90, NULL, 0).used, 90);
    assert_int_equal(check_with(90, late, 1).status, SLO_OPEN);
    assert_int_equal(check_with(129, first, 1).status, SLO_OPEN);
    assert_int_equal(check_with(130, first, 1).status, SLO_PASS);
    assert_int_equal(check_with(228, four, 4).status, SLO_OPEN);
    assert_int_equal(check_with(229, four, 4).status, SLO_PASS);
    assert_int_equal(check_with(228, five, 4).status, SLO_OPEN);
    assert_int_equal(check_with(229, five, 5).status, SLO_FAIL);
    assert_int_equal(check_with(1000, six, 6).status, SLO_FAIL);
    assert_int_equal(check_with(1000, six, 6).used, 200); /* the fifth one */
    assert_int_equal(check_with(0, NULL, 0).status, SLO_OPEN);
}

static void the_limit_itself_is_kept_and_nan_is_not(void **state)
{
    double times[200];
    struct slo_rule rule = slo_rule_of(.95);
    (void)state;
    for (size_t i = 0; i < 200; i++)
        times[i] = 2;
    assert_int_equal(slo_check(&rule, times, 200, 2).status, SLO_PASS);
    for (size_t i = 0; i < 10; i++)
        times[i] = NAN;
    assert_int_equal(slo_check(&rule, times, 200, 2).status, SLO_FAIL);
}

/* P(pass) when each time is above the limit with probability q: by going through all counts, not by
 * trying. */
static double pass_probability(const size_t *needs, double q)
{
    double p[SLO_LOOKS] = { 1 }, passed = 0; /* p[k]: k above so far, not decided yet */
    size_t t = 0;
    for (size_t n = 1; n <= needs[SLO_LOOKS - 1]; n++) {
        for (size_t k = SLO_LOOKS; k-- > 0;)
            p[k] = p[k] * (1 - q) + (k > 0 ? p[k - 1] * q : 0);
        if (n != needs[t])
            continue;
        for (size_t k = 0; k <= t; k++) {
            passed += p[k];
            p[k] = 0;
        }
        t++;
    }
    return passed;
}

typedef enum slo_status (*slo_rule_fn)(const struct slo_rule *rule, const double *times, size_t n);

static enum slo_status ours(const struct slo_rule *rule, const double *times, size_t n)
{
    return slo_check(rule, times, n, .95).status;
}

/* The wrong twin: the percentile of what was measured lies under the limit. */
static enum slo_status by_the_sample(const struct slo_rule *rule, const double *times, size_t n)
{
    size_t above = 0;
    for (size_t i = 0; i < n; i++)
        above += times[i] > .95;
    return (double)above <= (1 - rule->p) * (double)n ? SLO_PASS : SLO_FAIL;
}

/* Share of passes when p95 lies exactly at the limit: times uniform in (0,1), limit .95. */
static double passes_at_the_limit(slo_rule_fn check)
{
    double times[229];
    size_t passed = 0;
    struct slo_rule rule = slo_rule_of(.95);
    struct rng r = rng_seeded(11);
    for (int trial = 0; trial < TRIALS; trial++) {
        for (size_t i = 0; i < 229; i++)
            times[i] = rng_uniform(&r);
        passed += check(&rule, times, 229) == SLO_PASS;
    }
    return (double)passed / TRIALS;
}

static void a_size_at_the_limit_seldom_passes(void **state)
{
    (void)state;
    double exact = pass_probability(rows[2].needs, .05), seen = passes_at_the_limit(ours);
    assert_true(fabs(exact - .027) < .0005);
    assert_true(fabs(seen - exact) < 3 * sqrt(exact * (1 - exact) / TRIALS));
    assert_true(seen <= .05);
    assert_true(passes_at_the_limit(by_the_sample) > .05);
}

/* And one that is well under it nearly always does: p97.5 at the limit passes p95 more often than not. */
static void a_good_size_passes(void **state)
{
    (void)state;
    assert_true(pass_probability(rows[2].needs, .005) > .99);
    assert_true(pass_probability(rows[2].needs, .10) < 1e-3);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_true(pass_probability(rows[i].needs, 1 - rows[i].p) <= .05);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(needs_agree),
        cmocka_unit_test(statuses_follow_from_the_counts),
        cmocka_unit_test(the_limit_itself_is_kept_and_nan_is_not),
        cmocka_unit_test(a_size_at_the_limit_seldom_passes),
        cmocka_unit_test(a_good_size_passes),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
