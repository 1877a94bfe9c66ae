/* A device's nights judged as a whole: one incident for the machine, a series' own loss, the control, an
 * accept. */
#include "tuner/night.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/base/rng.h"

enum { SERIES = 12, NIGHTS = 60, MACHINE = SERIES };

struct device {
    double v[SERIES][NIGHTS], again[SERIES][NIGHTS], control[NIGHTS];
    int segment[SERIES][NIGHTS], machine_segment[NIGHTS];
    struct verdict_answer verdicts[SERIES + 1][NIGHTS];
    struct night_common common[NIGHTS];
};

/* Level s, 0.5 % noise of its own and 0.5 % shared; every night has a confirmation of every series. */
static struct device *noisy_device(uint64_t seed)
{
    static struct device d;
    struct rng rng = rng_seeded(seed);
    memset(&d, 0, sizeof d);
    for (int n = 0; n < NIGHTS; n++) {
        double night = .005 * rng_normal(&rng);
        for (int s = 0; s < SERIES; s++) {
            d.v[s][n] = s + night + .005 * rng_normal(&rng);
            d.again[s][n] = s + night + .005 * rng_normal(&rng);
        }
        d.control[n] = .002 * rng_normal(&rng);
    }
    return &d;
}

static void lose(struct device *d, int series, int from, double loss)
{
    for (int n = from; n < NIGHTS; n++) {
        d->v[series][n] -= loss;
        d->again[series][n] -= loss;
    }
}

static void judge(struct device *d)
{
    assert_true(night_judge(&d->verdicts[0][0], d->common,
                            &(struct night_ask){ .series = SERIES,
                                                 .nights = NIGHTS,
                                                 .v = &d->v[0][0],
                                                 .again = &d->again[0][0],
                                                 .segment = &d->segment[0][0],
                                                 .machine_segment = d->machine_segment,
                                                 .control = d->control }));
}

static size_t red(const struct device *d, int series, int from)
{
    size_t count = 0;
    for (int n = from; n < NIGHTS; n++)
        count += d->verdicts[series][n].verdict == VERDICT_REGRESSED;
    return count;
}

static size_t red_of_all(const struct device *d)
{
    size_t count = 0;
    for (int s = 0; s < SERIES; s++)
        count += red(d, s, 0);
    return count;
}

static void quiet_nights_are_quiet(void **state)
{
    (void)state;
    struct device *d = noisy_device(1);
    judge(d);
    assert_int_equal(red_of_all(d) + red(d, MACHINE, 0), 0);
    assert_int_equal(d->verdicts[3][12].verdict, VERDICT_LEARNING);
    assert_int_equal(d->verdicts[3][14].verdict, VERDICT_OK);
    assert_true(fabs(d->common[30].c) < .03);
}

static void a_loss_of_one_series_is_its_own(void **state)
{
    (void)state;
    struct device *d = noisy_device(2);
    lose(d, 5, 50, .06);
    judge(d);
    assert_int_equal(d->verdicts[5][50].verdict, VERDICT_SUSPECT);
    assert_int_equal(d->verdicts[5][51].verdict, VERDICT_REGRESSED);
    assert_int_equal(red_of_all(d), red(d, 5, 51));
    assert_int_equal(red(d, 5, 51), 9);
    assert_int_equal(red(d, MACHINE, 0), 0);
}

static void a_slow_machine_is_one_incident(void **state)
{
    (void)state;
    struct device *d = noisy_device(3);
    for (int s = 0; s < SERIES; s++)
        lose(d, s, 50, .06);
    judge(d);
    assert_int_equal(red_of_all(d), 0);
    assert_int_equal(d->verdicts[MACHINE][51].verdict, VERDICT_REGRESSED);
    assert_int_equal(d->verdicts[MACHINE][51].path, VERDICT_PATH_TWO_NIGHT);
}

static void a_dirty_control_silences_its_night_only(void **state)
{
    (void)state;
    struct device *d = noisy_device(4);
    lose(d, 5, 50, .15);
    d->control[50] = .2;
    judge(d);
    assert_true(d->common[50].dirty && !d->common[51].dirty);
    assert_int_equal(d->verdicts[5][50].verdict, VERDICT_INCONCLUSIVE);
    assert_int_equal(d->verdicts[0][50].verdict, VERDICT_INCONCLUSIVE);
    assert_int_equal(d->verdicts[5][51].path, VERDICT_PATH_GROSS);
}

static void an_accept_ends_the_red_and_keeps_watching(void **state)
{
    (void)state;
    struct device *d = noisy_device(5);
    lose(d, 5, 40, .06);
    for (int n = 40; n < NIGHTS; n++)
        d->segment[5][n] = 1;
    lose(d, 5, 52, .06);
    judge(d);
    assert_int_equal(d->verdicts[5][40].verdict, VERDICT_LEARNING);
    assert_true(fabs(d->verdicts[5][41].S - fmax(.005, d->verdicts[5][39].S * sqrt(1 + 1.6))) < 1e-12);
    size_t early = 0;
    for (int n = 41; n < 52; n++)
        early += d->verdicts[5][n].verdict == VERDICT_REGRESSED;
    assert_int_equal(early, 0);
    assert_true(red(d, 5, 52) > 0); /* a new loss of 5 % and more is found within five nights */
    assert_true(d->verdicts[5][56].verdict == VERDICT_REGRESSED);
}

static void gaps_are_skipped(void **state)
{
    (void)state;
    struct device *d = noisy_device(6);
    lose(d, 5, 50, .06);
    d->v[5][51] = NAN;          /* not measured: neither breaks nor lengthens the run */
    for (int s = 0; s < 8; s++)
        d->v[s][53] = NAN;      /* 4 of 12 left: the device's night is invalid */
    judge(d);
    assert_int_equal(d->verdicts[5][51].verdict, VERDICT_COUNT);
    assert_int_equal(d->verdicts[5][52].verdict, VERDICT_REGRESSED);
    assert_true(isnan(d->common[53].c) && d->verdicts[11][53].verdict == VERDICT_COUNT);
}

static void without_confirmation_nothing_is_red_but_a_step(void **state)
{
    (void)state;
    struct device *d = noisy_device(7);
    lose(d, 5, 50, .2);
    for (int s = 0; s < SERIES; s++)
        for (int n = 0; n < NIGHTS; n++)
            d->again[s][n] = NAN;
    judge(d);
    assert_true(d->verdicts[5][50].verdict == VERDICT_NOISE && d->verdicts[5][50].ask_again);
    for (int n = 50; n < NIGHTS; n++)
        assert_true(d->verdicts[5][n].verdict != VERDICT_REGRESSED ||
                    d->verdicts[5][n].path == VERDICT_PATH_STEP);
    assert_int_equal(d->verdicts[5][54].path, VERDICT_PATH_STEP); /* the fifth low night */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quiet_nights_are_quiet),
        cmocka_unit_test(a_loss_of_one_series_is_its_own),
        cmocka_unit_test(a_slow_machine_is_one_incident),
        cmocka_unit_test(a_dirty_control_silences_its_night_only),
        cmocka_unit_test(an_accept_ends_the_red_and_keeps_watching),
        cmocka_unit_test(gaps_are_skipped),
        cmocka_unit_test(without_confirmation_nothing_is_red_but_a_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
