/* Incumbent and hysteresis, verification, one reason for every size, max_safe. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "tuner/decide.h"
#include "tuner/max_safe.h"

enum { SIZES = 4 };
static const double level_of[] = { -.4, -.03, -.01, 0 }; /* 1 2 4 8; the zone of 5 % begins at -.051 */

/* A race that has ended, written down. */
struct ended {
    struct race_answer race;
    struct race_candidate candidates[SIZES];
};

static struct ended make(enum race_state state, int batch)
{
    struct ended e = { .race = { .state = state, .batch = batch, .leader = 8, .look = 9, .count = SIZES } };
    for (size_t i = 0; i < SIZES; i++) {
        e.candidates[i] = (struct race_candidate){ .batch = 1 << i, .coarse_y = level_of[i] };
        e.race.sizes[i] = (struct race_size){ .alive = true, .est = level_of[i], .rival = i + 1 < SIZES ? 8
                                              : 0,
                                              .m = i + 1 < SIZES ? level_of[i] : NAN,
                                              .c = i + 1 < SIZES ? .01 : NAN, .df = 8, .pairs = 9, .n = 9 };
    }
    e.race.cause = state == RACE_STILL_OPEN ? RACE_CAUSE_MARGIN : RACE_CAUSE_NONE;
    return e;
}

static void remove_size(struct ended *e, int batch, enum why why)
{
    for (size_t i = 0; i < SIZES; i++)
        if (e->candidates[i].batch == batch) {
            e->race.sizes[i].alive = e->race.sizes[i].accepted = false;
            e->race.sizes[i].why = why;
        }
}

static void accept_sizes(struct ended *e, int a, int b)
{
    for (size_t i = 0; i < SIZES; i++)
        e->race.sizes[i].accepted |= e->candidates[i].batch == a || e->candidates[i].batch == b;
}

static struct decide_answer choose(const struct ended *e, int incumbent, int pending)
{
    struct decide_answer d;
    decide_choose(&d, &(struct decide_ask){ .race = &e->race, .candidates = e->candidates, .within = .05,
                                            .incumbent = incumbent, .pending = pending });
    return d;
}

static struct ended decided_for_2(void)
{
    struct ended e = make(RACE_DECIDED, 2);
    remove_size(&e, 1, WHY_SLOWER);
    accept_sizes(&e, 2, 4);
    return e;
}

/* --- choose --------------------------------------------------------------------------------------------- */

static void without_incumbent_the_race_decides(void **state)
{
    struct ended e = decided_for_2();
    struct decide_answer d = choose(&e, 0, 0);
    (void)state;
    assert_int_equal(d.batch, 2);
    assert_int_equal(d.confidence, DECIDE_DECIDED);
    assert_int_equal(d.detail, DETAIL_ACCEPTED);
    assert_int_equal(d.outcome, INCUMBENT_NONE);
    assert_true(d.member_count == 2 && d.members[0] == 2 && d.members[1] == 8);
}

static void equal_incumbent_is_confirmed(void **state)
{
    struct ended e = decided_for_2();
    struct decide_answer d = choose(&e, 2, 0);
    (void)state;
    assert_true(d.batch == 2 && d.outcome == INCUMBENT_CONFIRMED && d.confidence == DECIDE_DECIDED &&
                !d.pending);
}

static void rejected_or_infeasible_incumbent_goes_at_once(void **state)
{
    struct ended e = decided_for_2();
    (void)state;
    struct decide_answer d = choose(&e, 1, 0);
    assert_true(d.batch == 2 && d.outcome == INCUMBENT_REPLACED && d.member_count == 3); /* 1 is measured once
                                                                                            more */
    d = choose(&e, 16, 0); /* it does not run any more: no candidate */
    assert_true(d.batch == 2 && d.outcome == INCUMBENT_REPLACED && d.member_count == 2);
    remove_size(&e, 8, WHY_OVER_SLO);
    e.race.leader = 4;
    assert_int_equal(choose(&e, 8, 0).batch, 2);
    remove_size(&e, 8, WHY_INVALID); /* badly measured is not shown to be slower */
    assert_true(choose(&e, 8, 0).batch == 8 && choose(&e, 8, 0).confidence == DECIDE_UNDECIDED);
}

/* A guess goes for whatever a race finds, smaller or not, and stays only where it finds nothing. */
static void a_guess_gives_way_to_a_race(void **state)
{
    struct ended e = decided_for_2();
    struct decide_answer d;
    struct decide_ask ask = { .race = &e.race, .candidates = e.candidates, .within = .05, .incumbent = 8, .guessed = true };
    (void)state;
    decide_choose(&d, &ask);
    assert_true(d.batch == 2 && d.pending == 0 && d.outcome == INCUMBENT_REPLACED && d.confidence == DECIDE_DECIDED);
    e = make(RACE_STILL_OPEN, 0);
    decide_choose(&d, &ask);
    assert_true(d.batch == 8 && d.outcome == INCUMBENT_KEPT && d.confidence == DECIDE_UNDECIDED);
    ask.incumbent = 1; /* far from the best by all that is known */
    decide_choose(&d, &ask);
    assert_true(d.batch == 2 && d.outcome == INCUMBENT_REPLACED);
}

/* The time was used up before the size in use had its turn: what is known of the others does not move it. */
static void untried_incumbent_stays(void **state)
{
    struct ended e = make(RACE_STILL_OPEN, 0);
    struct decide_answer d;
    struct decide_ask ask = { .race = &e.race, .candidates = e.candidates, .within = .05, .incumbent = 16,
                              .untried = true };
    struct search_size sizes[] = { { .batch = 8, .y = 0 }, { .batch = 16, .why = WHY_NOT_TRIED_BUDGET, .y = NAN } };
    struct decide_why whys[2];
    (void)state;
    e.race.cause = RACE_CAUSE_BUDGET;
    decide_choose(&d, &ask);
    assert_true(d.batch == 16 && d.outcome == INCUMBENT_KEPT && d.confidence == DECIDE_UNDECIDED);
    assert_true(d.cause == RACE_CAUSE_BUDGET && d.detail == DETAIL_INCUMBENT_KEPT);
    decide_reasons(whys, sizes, 2, &ask, &d);
    assert_true(whys[0].why == WHY_UNDECIDED || whys[0].why == WHY_UNSTABLE);
    assert_true(whys[1].why == WHY_CHOSEN && whys[1].detail == DETAIL_INCUMBENT_KEPT);
    ask.guessed = true; /* two guesses: the older one was measured at least */
    decide_choose(&d, &ask);
    assert_int_equal(d.batch, 16);
    ask.untried = false; /* it was tried, and is no candidate: it cannot run */
    decide_choose(&d, &ask);
    assert_true(d.batch == 2 && d.outcome == INCUMBENT_REPLACED);
    e = decided_for_2();
    ask = (struct decide_ask){ .race = &e.race, .candidates = e.candidates, .within = .05, .incumbent = 16,
                               .untried = true };
    ask.pending = 2;
    decide_choose(&d, &ask); /* a race without it says nothing against it, however often */
    assert_true(d.batch == 16 && d.pending == 0 && d.confidence == DECIDE_UNDECIDED && d.cause == RACE_CAUSE_BUDGET);
}

static void smaller_one_must_come_twice(void **state)
{
    struct ended e = decided_for_2();
    (void)state;
    struct decide_answer first = choose(&e, 8, 0), second = choose(&e, 8, first.pending);
    struct decide_answer other = choose(&e, 8, 4);
    assert_true(first.batch == 8 && first.pending == 2 && first.outcome == INCUMBENT_KEPT);
    assert_true(second.batch == 2 && second.pending == 0 && second.outcome == INCUMBENT_REPLACED);
    assert_int_equal(second.confidence, DECIDE_DECIDED);
    assert_true(other.batch == 8 && other.pending == 2); /* another one was pending */
    accept_sizes(&e, 8, 8);
    assert_int_equal(choose(&e, 8, 0).confidence, DECIDE_WITHIN);
}

static void unresolved_smaller_incumbent_stays(void **state)
{
    struct ended e = make(RACE_WITHIN, 2);
    (void)state;
    accept_sizes(&e, 2, 4);
    struct decide_answer d = choose(&e, 1, 0);
    assert_true(d.batch == 1 && d.outcome == INCUMBENT_KEPT && d.confidence == DECIDE_UNDECIDED);
    assert_true(d.cause == RACE_CAUSE_MARGIN && d.detail == DETAIL_INCUMBENT_KEPT && d.pending == 0);
    assert_int_equal(choose(&e, 0, 0).confidence, DECIDE_WITHIN);
    e.race.cause = RACE_CAUSE_BUDGET; /* it was no margin that left 1 open */
    assert_int_equal(choose(&e, 1, 0).cause, RACE_CAUSE_BUDGET);
}

static void undecided_keeps_the_incumbent_or_guesses(void **state)
{
    struct ended e = make(RACE_STILL_OPEN, 0);
    (void)state;
    assert_int_equal(choose(&e, 4, 0).batch, 4);
    struct decide_answer d = choose(&e, 0, 0);
    assert_true(d.batch == 2 && d.confidence == DECIDE_UNDECIDED && d.detail == DETAIL_BEST_SO_FAR);
    remove_size(&e, 4, WHY_SLOWER);
    assert_int_equal(choose(&e, 4, 0).batch, 2);
    e.race.look = 0; /* only probes so far */
    d = choose(&e, 0, 0);
    assert_true(d.batch == 2 && d.confidence == DECIDE_COARSE);
    e.race.state = RACE_NO_SIZE;
    d = choose(&e, 2, 0);
    assert_true(d.batch == 2 && d.confidence == DECIDE_UNDECIDED && d.cause == RACE_CAUSE_DISTURBED);
    d = choose(&e, 0, 0);
    assert_true(d.batch == 0 && d.confidence == DECIDE_NONE && d.member_count == 0);
    for (int i = 0; i < SIZES; i++)
        remove_size(&e, 1 << i, WHY_INVALID); /* a run of which no block counts takes nothing away */
    d = choose(&e, 2, 0);
    assert_true(d.batch == 2 && d.outcome == INCUMBENT_KEPT && d.confidence == DECIDE_UNDECIDED);
    remove_size(&e, 2, WHY_OVER_SLO);
    assert_int_equal(choose(&e, 2, 0).batch, 0);
}

/* --- verify --------------------------------------------------------------------------------------------- */

/* Member i has the value x[i] everywhere; those of execution 0 are shifted by `shift` for the first
 * member. */
static struct verify_ask passes(const double *x, double shift)
{
    struct verify_ask v = { .within = .05 };
    for (size_t e = 0; e < VERIFY_EXECUTIONS; e++)
        for (size_t p = 0; p < VERIFY_PASSES; p++)
            for (size_t i = 0; i < DECIDE_MEMBERS_MAX; i++)
                v.x[e][p][i] = x[i] + (e == 0 && i == 0 ? shift : 0) + .1 * (double)e; /* executions differ,
                                                                                          pairs not */
    return v;
}

static struct decide_answer verified(double x2, double x4, double shift, struct verify_answer *v)
{
    struct ended e = decided_for_2();
    struct decide_answer d = choose(&e, 4, 2); /* members 2 4 8 */
    struct verify_ask ask = passes((const double[]){ x2, x4, 0 }, shift);
    assert_true(d.batch == 2 && d.member_count == 3);
    decide_verify(v, &d, &ask);
    return d;
}

static void good_size_stands(void **state)
{
    struct verify_answer v;
    struct decide_answer d = verified(-.03, -.01, 0, &v);
    (void)state;
    assert_true(d.batch == 2 && d.verified && d.confidence == DECIDE_DECIDED && d.failed_count == 0);
    assert_true(fabs(v.members[0].y - .07) < 1e-12 && fabs(v.members[0].low + .03) < 1e-12 &&
                fabs(v.members[0].high - .17) < 1e-12); /* median and range over executions */
    assert_true(fabs(v.members[0].q_mean + .03) < 1e-12);
}

static void one_execution_may_miss_by_a_point(void **state)
{
    struct verify_answer v;
    (void)state;
    assert_true(verified(-.04, 0, -.020, &v).batch == 2);  /* q: -.060 -.04 -.04; ln(.94) = -.0619 */
    assert_true(verified(-.04, 0, -.025, &v).batch == 4);  /* -.065 misses */
    assert_true(verified(-.0515, 0, 0, &v).batch == 4);    /* the mean misses ln(.95) = -.0513 */
}

static void size_that_falls_makes_room_for_the_next(void **state)
{
    struct verify_answer v;
    (void)state;
    struct decide_answer d = verified(-.2, -.01, 0, &v);
    assert_true(d.batch == 4 && d.verified && d.confidence == DECIDE_UNDECIDED &&
                d.cause == RACE_CAUSE_VERIFICATION);
    assert_true(d.failed_count == 1 && d.failed[0] == 2 && d.outcome == INCUMBENT_KEPT);
    d = verified(-.2, -.1, 0, &v);
    assert_true(d.batch == 8 && d.outcome == INCUMBENT_REPLACED && v.members[2].stands);
}

static void missing_execution_verifies_nothing(void **state)
{
    struct ended e = decided_for_2();
    struct decide_answer d = choose(&e, 0, 0);
    struct verify_ask ask = passes((const double[]){ -.2, 0, 0 }, 0);
    struct verify_answer v;
    (void)state;
    ask.x[1][0][0] = NAN; /* one pass less: the others do */
    decide_verify(&v, &d, &ask);
    assert_true(d.batch == 8);
    d = choose(&e, 0, 0);
    for (size_t p = 0; p < VERIFY_PASSES; p++)
        ask.x[1][p][1] = NAN;
    decide_verify(&v, &d, &ask);
    assert_true(d.batch == 2 && !d.verified && d.confidence == DECIDE_DECIDED);
}

/* --- why ------------------------------------------------------------------------------------------------ */

static enum why why_of(const struct ended *e, const struct decide_answer *d, int incumbent, int batch)
{
    struct search_size sizes[SIZES];
    struct decide_why whys[SIZES];
    size_t chosen = 0;
    for (size_t i = 0; i < SIZES; i++)
        sizes[i] = (struct search_size){ .batch = e->candidates[i].batch };
    decide_reasons(whys, sizes, SIZES, &(struct decide_ask){ .race = &e->race, .candidates = e->candidates,
                                                            .within = .05, .incumbent = incumbent }, d);
    for (size_t i = 0; i < SIZES; i++) {
        assert_true(whys[i].why != WHY_NONE && whys[i].batch == e->candidates[i].batch);
        chosen += whys[i].why == WHY_CHOSEN;
    }
    assert_int_equal(chosen, d->batch != 0);
    for (size_t i = 0; i < SIZES; i++)
        if (whys[i].batch == batch)
            return whys[i].why;
    return WHY_NONE;
}

static void every_alive_size_has_its_reason(void **state)
{
    struct ended e = decided_for_2();
    struct decide_answer d = choose(&e, 0, 0);
    (void)state;
    assert_int_equal(why_of(&e, &d, 0, 1), WHY_SLOWER);
    assert_int_equal(why_of(&e, &d, 0, 2), WHY_CHOSEN);
    assert_int_equal(why_of(&e, &d, 0, 8), WHY_WITHIN_ZONE_BUT_LARGER);
    d = choose(&e, 8, 0);
    assert_int_equal(why_of(&e, &d, 8, 2), WHY_SMALLER_PENDING);
    assert_int_equal(why_of(&e, &d, 8, 4), WHY_SMALLER_PENDING); /* it too would do, once that is confirmed */
    e = make(RACE_WITHIN, 4);
    accept_sizes(&e, 4, 8);
    d = choose(&e, 0, 0);
    assert_int_equal(why_of(&e, &d, 0, 2), WHY_UNDECIDED);
    e.race.sizes[1].c = .026; /* half of X is .025 */
    assert_int_equal(why_of(&e, &d, 0, 2), WHY_UNSTABLE);
    e.race.sizes[1].c = .024;
    assert_int_equal(why_of(&e, &d, 0, 2), WHY_UNDECIDED);
    e = decided_for_2();
    d = choose(&e, 0, 0);
    struct verify_ask ask = passes((const double[]){ -.2, 0, 0 }, 0);
    struct verify_answer v;
    decide_verify(&v, &d, &ask);
    assert_int_equal(why_of(&e, &d, 0, 2), WHY_FAILED_VERIFICATION);
    assert_int_equal(why_of(&e, &d, 0, 8), WHY_CHOSEN);
}

static void reasons_of_search_and_race_are_kept(void **state)
{
    (void)state;
    /* whatever took a size out is what is said of it */
    for (int why = WHY_CHOSEN + 1; why < WHY_COUNT; why++) {
        struct ended e = decided_for_2();
        remove_size(&e, 8, (enum why)why);
        e.race.leader = 4;
        struct decide_answer d = choose(&e, 0, 0);
        assert_int_equal(why_of(&e, &d, 0, 8), why);
    }
}

static void over_slo_says_whether_it_is_proven(void **state)
{
    struct ended e = decided_for_2();
    struct search_size sizes[] = { { .batch = 8 }, { .batch = 16, .why = WHY_NOT_TRIED_OVER_SLO, .y = NAN,
                                                     .m = NAN } };
    struct decide_why whys[2];
    (void)state;
    remove_size(&e, 8, WHY_OVER_SLO);
    e.race.leader = 4;
    for (int proven = 0; proven < 2; proven++) {
        e.candidates[3].limit = proven ? SLO_FAIL : SLO_OPEN;
        struct decide_answer d = choose(&e, 0, 0);
        decide_reasons(whys, sizes, 2, &(struct decide_ask){ .race = &e.race, .candidates = e.candidates,
                                                             .within = .05 },
                       &d);
        assert_true(whys[0].why == WHY_OVER_SLO && whys[1].why == WHY_NOT_TRIED_OVER_SLO);
        assert_string_equal(decide_detail_name(whys[0].detail), proven ? "yes" : "no");
    }
}

static void larger_and_slow_is_not_called_fast(void **state)
{
    struct decide_why why = { .why = WHY_WITHIN_ZONE_BUT_LARGER, .m = -.2, .limit = log(.95), .rival = 4 };
    (void)state;
    assert_null(strstr(decide_why_text(&why), "fast enough"));
    why.m = -.02;
    assert_non_null(strstr(decide_why_text(&why), "fast enough"));
    why.m = why.limit = NAN; /* the leader itself */
    assert_non_null(strstr(decide_why_text(&why), "fast enough"));
}

static void every_reason_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int a = 0; a < WHY_COUNT; a++) {
        assert_true(why_of_name(why_name((enum why)a)) == (enum why)a);
        assert_true(why_text((enum why)a)[0]);
    }
}

/* --- max_safe ------------------------------------------------------------------------------------------- */

static const struct max_safe_size ladder[] = {
    { 1, WHY_SLOWER, SLO_PASS, -.4 },  { 2, WHY_SLOWER, SLO_PASS, -.2 }, { 4, WHY_CHOSEN, SLO_PASS, -.02 },
    { 8, WHY_WITHIN_ZONE_BUT_LARGER, SLO_PASS, 0 }, { 16, WHY_WITHIN_ZONE_BUT_LARGER, SLO_PASS, -.01 },
    { 32, WHY_WITHIN_ZONE_BUT_LARGER, SLO_PASS, -.07 },
};

static struct max_safe_answer safe(int ceiling, int failed, bool executed)
{
    struct max_safe_answer a;
    max_safe_of(&a, &(struct max_safe_ask){ .sizes = ladder, .count = 6, .decision = 4, .best = 0,
                                            .within = .05,
                                            .ceiling = ceiling, .failed = &failed, .failed_count = failed > 0,
                                            .executed = executed });
    return a;
}

static void max_safe_is_fast_fits_and_has_no_hole_below(void **state)
{
    struct max_safe_size over[6];
    struct max_safe_answer a;
    (void)state;
    assert_int_equal(safe(64, 0, true).max_safe, 16);   /* 32 is 7 % below the best */
    assert_int_equal(safe(64, 0, true).wanted, 16);
    assert_int_equal(safe(15, 0, true).max_safe, 8);    /* memory */
    assert_int_equal(safe(64, 11, true).max_safe, 8);   /* 11 failed in the fill table */
    assert_int_equal(safe(64, 5, true).max_safe, 4);
    assert_int_equal(safe(64, 5, true).wanted, 16);
    assert_int_equal(safe(64, 0, false).max_safe, 64);  /* the cap alone */
    assert_int_equal(safe(64, 40, false).max_safe, 39);
    memcpy(over, ladder, sizeof over);
    over[4].limit = SLO_FAIL;
    max_safe_of(&a, &(struct max_safe_ask){ .sizes = over, .count = 6, .decision = 4, .best = 0,
                                            .within = .05,
                                            .ceiling = 64, .executed = true });
    assert_int_equal(a.max_safe, 8);
}

/* The time ended before every n was run: what lies beyond is not known to run, the decision itself raced. */
static void max_safe_ends_where_the_fill_table_does(void **state)
{
    static const struct { int not_run, failed, max_safe; } cases[] = {
        { 17, 0, 16 }, { 16, 0, 8 }, { 9, 0, 8 }, { 8, 0, 4 }, { 5, 0, 4 }, { 2, 0, 4 }, { 1, 0, 4 }, { 12, 7, 4 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct max_safe_answer a;
        struct max_safe_ask ask = { .sizes = ladder, .count = 6, .decision = 4, .best = 0, .within = .05,
                                    .ceiling = 64, .failed = &cases[i].failed, .failed_count = cases[i].failed > 0,
                                    .not_run = cases[i].not_run, .executed = true };
        max_safe_of(&a, &ask);
        assert_int_equal(a.max_safe, cases[i].max_safe);
        assert_int_equal(a.wanted, 16);
        ask.executed = false; /* a cap asks for no table */
        max_safe_of(&a, &ask);
        assert_int_equal(a.max_safe, cases[i].failed ? 6 : 64);
    }
}

static void hole_below_the_decision_asks_for_another(void **state)
{
    (void)state;
    assert_int_equal(safe(64, 3, true).failed_below, 3);
    assert_int_equal(safe(64, 3, true).max_safe, 0);
    assert_int_equal(safe(64, 5, true).failed_below, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_incumbent_the_race_decides),
        cmocka_unit_test(equal_incumbent_is_confirmed),
        cmocka_unit_test(rejected_or_infeasible_incumbent_goes_at_once),
        cmocka_unit_test(a_guess_gives_way_to_a_race),
        cmocka_unit_test(untried_incumbent_stays),
        cmocka_unit_test(smaller_one_must_come_twice),
        cmocka_unit_test(unresolved_smaller_incumbent_stays),
        cmocka_unit_test(undecided_keeps_the_incumbent_or_guesses),
        cmocka_unit_test(good_size_stands),
        cmocka_unit_test(one_execution_may_miss_by_a_point),
        cmocka_unit_test(size_that_falls_makes_room_for_the_next),
        cmocka_unit_test(missing_execution_verifies_nothing),
        cmocka_unit_test(every_alive_size_has_its_reason),
        cmocka_unit_test(reasons_of_search_and_race_are_kept),
        cmocka_unit_test(over_slo_says_whether_it_is_proven),
        cmocka_unit_test(larger_and_slow_is_not_called_fast),
        cmocka_unit_test(every_reason_has_a_name_of_its_own),
        cmocka_unit_test(max_safe_is_fast_fits_and_has_no_hole_below),
        cmocka_unit_test(max_safe_ends_where_the_fill_table_does),
        cmocka_unit_test(hole_below_the_decision_asks_for_another),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
