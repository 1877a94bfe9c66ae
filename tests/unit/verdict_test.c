/* The verdict on one series and the common mode of a device, by hand: every number is arithmetic shown
 * beside it. */
#include "tuner/verdict.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tuner/common_mode.h"

#define NIGHTS 64

struct series {
    struct verdict_night nights[NIGHTS];
    size_t count;
    bool accepted;
    double s_before, delta;
};

/* n quiet nights, alternating 0 and 0.002: median 0.001, MAD 0.001, so S is its floor 0.005. */
static struct series quiet(size_t n)
{
    struct series s = { .count = n };
    for (size_t i = 0; i < n; i++)
        s.nights[i].y = i % 2 ? .002 : 0;
    return s;
}

static struct verdict_answer judge(const struct series *s, double y, const double *again, bool dirty)
{
    struct verdict_answer a;
    verdict_of(&a, &(struct verdict_ask){ .nights = s->nights,
                                          .count = s->count,
                                          .y = y,
                                          .accepted = s->accepted,
                                          .s_before = s->s_before,
                                          .confirmed_known = again,
                                          .again = again ? *again : 0,
                                          .dirty = dirty,
                                          .delta = s->delta });
    return a;
}

/* Tonight as told becomes history. */
static struct verdict_answer live(struct series *s, double y, double again)
{
    struct verdict_answer a = judge(s, y, &again, false);
    s->nights[s->count++] = (struct verdict_night){ .y = y, .flagged = a.flagged, .run = a.run };
    return a;
}

static void learns_before_it_judges(void **state)
{
    (void)state;
    struct series s = quiet(13);
    struct verdict_answer a = judge(&s, -.5, NULL, false);
    assert_int_equal(a.verdict, VERDICT_LEARNING);
    assert_true(a.W == 13 && fabs(a.M - 0) < 1e-12 && !a.flagged && !a.ask_again); /* 7 zeros, 6 of .002 */
    s = quiet(14);
    a = judge(&s, -.5, NULL, false);
    assert_true(a.verdict == VERDICT_NOISE && a.flagged && a.ask_again);
    assert_true(judge(&(struct series){ .count = 0 }, 0, NULL, false).verdict == VERDICT_LEARNING);
}

static void scale_is_the_deviation_or_its_floor(void **state)
{
    (void)state;
    struct series s = quiet(30);
    struct verdict_answer a = judge(&s, .001, NULL, false);
    assert_true(fabs(a.M - .001) < 1e-12 &&
                fabs(a.S - .005) < 1e-12); /* 1.4826 * .001 * 1.03 = .0015: the floor */
    for (size_t i = 0; i < s.count; i++)
        s.nights[i].y *= 20; /* MAD .02: 1.4826 * .02 * (1 + .9/30) = .0305416 */
    a = judge(&s, 0, NULL, false);
    assert_true(fabs(a.S - 1.4826 * .02 * 1.03) < 1e-12);
    /* 5 S = .1527 is the limit now, not 3 %: .02 - .15 is nothing, .02 - .16 is */
    assert_int_equal(judge(&s, -.13, NULL, false).verdict, VERDICT_OK);
    assert_true(judge(&s, -.14, NULL, false).flagged);
}

static void one_night_is_never_enough_for_a_small_loss(void **state)
{
    (void)state;
    struct series s = quiet(30);
    const double same = -.05, gone = 0;
    assert_int_equal(judge(&s, -.05, &gone, false).verdict, VERDICT_NOISE);
    assert_int_equal(judge(&s, -.05, &same, false).verdict, VERDICT_SUSPECT);
    assert_int_equal(judge(&s, .05, &same, false).verdict,
                     VERDICT_NOISE); /* confirmed with the other sign is not */
    struct verdict_answer first = live(&s, -.05, -.05), second = live(&s, -.05, -.05);
    assert_true(first.run == -1 && first.path == VERDICT_PATH_NONE);
    assert_true(second.verdict == VERDICT_REGRESSED && second.path == VERDICT_PATH_TWO_NIGHT &&
                second.run == -2);
    assert_int_equal(live(&s, -.05, -.05).verdict,
                     VERDICT_REGRESSED); /* as long as it holds: flagged nights stay out */
    assert_int_equal(live(&s, 0, 0).verdict, VERDICT_OK);
    assert_int_equal(live(&s, -.05, -.05).verdict, VERDICT_SUSPECT);   /* the run begins anew */
}

static void gross_needs_its_confirmation(void **state)
{
    (void)state;
    struct series s = quiet(30);
    const double all = -.12, most = -.081,
                 less = -.075; /* G = max(.10, 10 * .005); .8 G = .08, from M = .001 */
    struct verdict_answer a = judge(&s, -.12, &all, false);
    assert_true(a.verdict == VERDICT_REGRESSED && a.path == VERDICT_PATH_GROSS && a.gross);
    assert_true(judge(&s, -.12, &most, false).gross);
    assert_int_equal(judge(&s, -.12, &less, false).verdict, VERDICT_SUSPECT);
    assert_int_equal(judge(&s, -.12, NULL, false).verdict, VERDICT_NOISE);
    const double up = .12;
    assert_int_equal(judge(&s, .12, &up, false).verdict, VERDICT_IMPROVED);
}

/* 2.5 % lower for five nights: below the flag of 3 %, found by the step test. */
static void a_small_loss_is_found_as_a_step(void **state)
{
    (void)state;
    struct series s = quiet(30);
    for (int night = 1; night <= 4; night++)
        assert_int_equal(live(&s, -.026, -.026).verdict, VERDICT_OK);
    struct verdict_answer a = live(&s, -.026, -.026);
    assert_true(a.verdict == VERDICT_REGRESSED && a.path == VERDICT_PATH_STEP);
    assert_true(a.U == 0 && fabs(a.shift + .027) < 1e-12); /* middle of -.026 - 0 and -.026 - .002 */
    s = quiet(29); /* 34 nights with tonight: no test yet */
    for (int night = 1; night <= 4; night++)
        live(&s, -.026, -.026);
    assert_true(isnan(live(&s, -.026, -.026).U));
    s = quiet(30); /* wrong twin of the shift: 2.3 % is below .8 * 3 % */
    for (int night = 1; night <= 4; night++)
        live(&s, -.021, -.021);
    assert_int_equal(live(&s, -.021, -.021).verdict, VERDICT_OK);
}

/* Six of 150 pairs may contradict: a night above 6 of the 30 old ones passes, above 7 does not. Ties
 * count half. */
static void the_step_allows_six_pairs(void **state)
{
    (void)state;
    for (size_t above = 6; above <= 7; above++) {
        struct series s = { .count = 30 };
        for (size_t i = 0; i < 30; i++)
            s.nights[i].y = i < above ? -.1 - (double)i * 1e-4 : (double)i * 1e-4;
        for (int night = 0; night < 4; night++)
            s.nights[s.count++] = (struct verdict_night){ .y = -.2 };
        struct verdict_answer a = judge(&s, -.05, NULL, false);
        assert_true(a.U == (double)above);
        assert_int_equal(a.path, above <= 6 ? VERDICT_PATH_STEP : VERDICT_PATH_NONE);
    }
    /* p = #{subsets of 5 of 35 with U <= 6} / C(35,5) = 29 / 324632: partitions of 0..6 into at most 5
     * parts */
    const int partitions[] = { 1, 1, 2, 3, 5, 7, 10 };
    int sum = 0;
    for (int i = 0; i <= 6; i++)
        sum += partitions[i];
    assert_int_equal(sum, 29);
    assert_int_equal(35 * 34 * 33 / 6 * 32 / 4 * 31 / 5, 324632);
}

static void an_accept_begins_anew_with_the_old_scale(void **state)
{
    (void)state;
    struct series s = { .count = 2, .accepted = true, .s_before = .008 };
    s.nights[0].y = s.nights[1].y = -.05;
    struct verdict_answer a = judge(&s, -.05, NULL, false);
    assert_int_equal(a.verdict, VERDICT_OK);
    assert_true(fabs(a.S - .008 * sqrt(1 + 1.6 / 2)) < 1e-12 && fabs(a.M + .05) < 1e-12);
    assert_true(judge(&s, -.12, NULL, false).flagged); /* 5 * .0107 = .0537 < .07 */
    assert_false(judge(&s, -.10, NULL, false).flagged);
    s.accepted = false;
    assert_int_equal(judge(&s, -.12, NULL, false).verdict, VERDICT_LEARNING);
    struct series long_ago = quiet(14);
    long_ago.accepted = true;
    long_ago.s_before = .1; /* 14 nights: its own S again */
    assert_true(fabs(judge(&long_ago, 0, NULL, false).S - .005) < 1e-12);
}

static void a_dirty_night_says_nothing(void **state)
{
    (void)state;
    struct series s = quiet(30);
    const double again = -.5;
    struct verdict_answer a = judge(&s, -.5, &again, true);
    assert_true(a.verdict == VERDICT_INCONCLUSIVE && a.path == VERDICT_PATH_NONE && !a.ask_again);
}

/* --- common mode ---------------------------------------------------------------------------------------- */

enum { SERIES = 10, T = 20 };
struct device {
    double v[SERIES][T], c[T], anchor[SERIES][T], room[SERIES + COMMON_ANCHOR_NIGHTS];
    int segment[SERIES][T];
    size_t valid[SERIES];
    struct common_answer answer;
};

/* Series s has level s, every night the same. */
static struct device *level_device(void)
{
    static struct device d;
    memset(&d, 0, sizeof d);
    for (int s = 0; s < SERIES; s++)
        for (int n = 0; n < T; n++)
            d.v[s][n] = s;
    return &d;
}

static void take(struct device *d, size_t series, size_t nights)
{
    /* rows stay T apart, so fewer nights means copying: only whole devices are asked here */
    assert_int_equal(nights, T);
    d->answer = (struct common_answer){ .c = d->c, .anchor = &d->anchor[0][0], .room = d->room,
                                         .valid = d->valid };
    common_mode(&d->answer,
                &(struct common_ask){
                    .v = &d->v[0][0], .segment = &d->segment[0][0], .series = series, .nights = nights });
}

static void a_slow_machine_is_common(void **state)
{
    (void)state;
    struct device *d = level_device();
    for (int s = 0; s < SERIES; s++) {
        d->v[s][3] -= .2;  /* a slow night while everybody learns: known in hindsight */
        d->v[s][17] -= .1;
    }
    d->v[4][17] -= .5;     /* and one series of its own */
    take(d, SERIES, T);
    for (int n = 0; n < T; n++)
        assert_true(fabs(d->c[n] - (n == 3 ? -.2 : n == 17 ? -.1 : 0)) < 1e-12);
    assert_true(fabs(d->anchor[4][19] - 4) < 1e-12);
}

static void seven_series_have_no_common_mode(void **state)
{
    (void)state;
    struct device *d = level_device();
    for (int s = 0; s < SERIES; s++)
        d->v[s][17] -= .1;
    take(d, 7, T);
    assert_true(d->c[17] == 0);
    take(d, 8, T);
    assert_true(fabs(d->c[17] + .1) < 1e-12);
}

static void too_few_valid_series_make_the_night_invalid(void **state)
{
    (void)state;
    struct device *d = level_device();
    for (int s = 0; s < 6; s++)
        d->v[s][18] = NAN;
    for (int s = 0; s < 5; s++)
        d->v[s][19] = NAN;
    take(d, SERIES, T);
    assert_true(isnan(d->c[18])); /* 4 of 10 */
    assert_true(d->c[19] == 0);   /* 5 of 10 */
}

/* One that joins later is measured against the others' common mode, and an accept gives a new anchor at
 * once. */
static void anchors_follow_their_segments(void **state)
{
    (void)state;
    struct device *d = level_device();
    for (int n = 0; n < T; n++) {
        d->v[9][n] = n < 5 ? NAN : 9 - (n >= 16 ? .1 : 0);
        for (int s = 0; s < 9; s++)
            d->v[s][n] -= n >= 16 ? .1 : 0;
    }
    take(d, SERIES, T); /* series 9 has its 14th valid night on night 18, two of them common -.1: anchor 9 */
    assert_true(isnan(d->anchor[0][0]) == 0 && fabs(d->anchor[9][18] - 9) < 1e-12);
    for (int n = 18; n < T; n++) {
        d->v[2][n] = 1.5;
        d->segment[2][n] = 1;
    }
    take(d, SERIES, T);
    assert_true(fabs(d->anchor[2][17] - 2) < 1e-12);
    assert_true(fabs(d->anchor[2][19] - 1.6) < 1e-12); /* 1.5 - c, c = -.1 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(learns_before_it_judges),
        cmocka_unit_test(scale_is_the_deviation_or_its_floor),
        cmocka_unit_test(one_night_is_never_enough_for_a_small_loss),
        cmocka_unit_test(gross_needs_its_confirmation),
        cmocka_unit_test(a_small_loss_is_found_as_a_step),
        cmocka_unit_test(the_step_allows_six_pairs),
        cmocka_unit_test(an_accept_begins_anew_with_the_old_scale),
        cmocka_unit_test(a_dirty_night_says_nothing),
        cmocka_unit_test(a_slow_machine_is_common),
        cmocka_unit_test(seven_series_have_no_common_mode),
        cmocka_unit_test(too_few_valid_series_make_the_night_invalid),
        cmocka_unit_test(anchors_follow_their_segments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
