/* The nightly rule on invented nights, against the published table of false alarms (bounds from its rates
 * and the standard error of the trials), and other tools' rules as its wrong twins. `make bench-nightly`
 * prints the whole. */
#include "tests/nightly/trials.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

/* |rate - published| within 4 standard errors of a count of that many. */
static void near_published(const struct alarm_count *a, double published)
{
    double se = sqrt(published / (double)a->nights);
    if (fabs(alarm_rate(a) - published) > 4 * se + .05 * published)
        fail_msg("%g, published %g", alarm_rate(a), published);
}

static void other_tools_cry_wolf_as_published(void **state)
{
    (void)state;
    static const struct { const struct night_rule *rule; double iid, ar, slow; } rows[] = {
        { &rule_three_sigma, 3.1e-3, 4.0e-3, 2.0e-2 },
        { &rule_bencher, 9.9e-3, 1.1e-2, 2.3e-2 },
        { &rule_rustc_perf, 1.6e-3, 1.6e-3, 1.4e-2 },
        { &rule_conbench, 3e-6, 1e-6, 8.3e-3 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct alarm_count a = alarms_of_rule(rows[i].rule, &noise_iid, 100000, 7);
        near_published(&a, rows[i].iid);
        a = alarms_of_rule(rows[i].rule, &noise_ar, 100000, 8);
        near_published(&a, rows[i].ar);
        a = alarms_of_rule(rows[i].rule, &noise_slow, 100000, 9);
        near_published(&a, rows[i].slow);
    }
    assert_int_equal(alarms_of_rule(&rule_github_action, &noise_slow, 100000, 9).alarms,
                     0); /* and finds nothing either */
    struct alarm_count otava = alarms_of_otava(0, &noise_iid, 1500, 3);
    near_published(&otava, 4.8e-3);
}

static void ours_is_quiet(void **state)
{
    (void)state;
    struct alarm_count without, machine;
    struct alarm_count a = alarms_of_ours(&noise_ar, 60000, 1, &without);
    assert_in_range(a.alarms, 0, 8);  /* 60 000 * 2.8e-5 = 1.7; P(more than 8) = 2e-4 */
    a = alarms_of_ours(&noise_slow, 60000, 1, &without);
    near_published(&a, 1.3e-3);
    near_published(&without, 1.0e-4);
    a = alarms_of_device(&noise_ar, 1500, 1, &machine);
    assert_int_equal(a.alarms, 0);    /* 0 of 19 200 nights published */
    assert_int_equal(machine.alarms, 0);
}

static void ours_finds_what_it_should(void **state)
{
    (void)state;
    struct found f = loss_found(.05, true, 150, 1);
    assert_true(f.by2 >= .80 && f.by5 >= .99);
    f = loss_found(.10, true, 150, 2);
    assert_true(f.by2 >= .99);
    f = loss_found(.15, true, 150, 3);
    assert_true(f.by1 >= .97);
    f = loss_found(.05, false, 400, 4); /* alone: 36 % by night 2 published, standard error 2.4 % */
    assert_true(fabs(f.by2 - .36) < .1 && f.by5 >= .98);
    f = loss_found(.01, true, 100, 5);  /* missed by design */
    assert_true(f.by2 < .05);
}

static void a_slow_machine_is_one_incident(void **state)
{
    (void)state;
    double red;
    struct found f = machine_loss_found(.06, 100, 1, &red);
    assert_true(f.by2 >= .9 && f.by5 >= .99 && red == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(other_tools_cry_wolf_as_published),
        cmocka_unit_test(ours_is_quiet),
        cmocka_unit_test(ours_finds_what_it_should),
        cmocka_unit_test(a_slow_machine_is_one_incident),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
