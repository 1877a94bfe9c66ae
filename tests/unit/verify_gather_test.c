#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/measure/verify.h"
#include "bench/measure/verify_pass.h"

static const struct decide_answer three = { .batch = 4, .leader = 8, .incumbent = 2, .members = { 2, 4, 8 },
                                            .member_count = 3 };

static void add(struct history *h, int64_t execution, int round, int place, int batch, double y, int retry,
                bool valid)
{
    struct block_fact f = { .execution = execution,
                            .round = round,
                            .place = place,
                            .batch = batch,
                            .retry = retry,
                            .kind = BLOCK_VERIFY,
                            .valid = valid,
                            .y = y,
                            .t_iter_ns = 1e9 * batch / exp(y) };
    assert_int_equal(history_add_block(h, &f, NULL), ST_OK);
}

/* A pass of three: 2 4 8 8 4 2. Every place drifts by `drift`, a size is worth its own number / 10 more. */
static void add_pass(struct history *h, int64_t execution, int round, double drift)
{
    static const int order[] = { 2, 4, 8, 8, 4, 2 };
    for (int place = 0; place < 6; place++)
        add(h, execution, round, place, order[place], order[place] / 10.0 + drift * place, 0, true);
}

static void add_execution(struct history *h, int64_t execution, int first_round)
{
    for (int p = 0; p < 3; p++)
        add_pass(h, execution, first_round + p, 0);
}

static struct verify_ask gather(const struct history *h, const struct decide_answer *d)
{
    struct verify_ask ask;
    verify_gather(&ask, h, d, OBJECTIVE_THROUGHPUT, 0.05);
    assert_true(ask.within == 0.05);
    return ask;
}

static void places_are_mirrored(void **state)
{
    (void)state;
    const size_t members[] = { 0, 1, 2, 2, 1, 0 };
    for (int place = 0; place < 6; place++)
        assert_int_equal(verify_member_at(3, place), members[place]);
    assert_int_equal(verify_member_at(1, 0), 0);
    assert_int_equal(verify_member_at(1, 1), 0);
}

/* A drift of .01 a place falls on all alike: places 0 and 5, 1 and 4, 2 and 3 all have the mean 2.5. */
static void a_value_is_the_mean_of_both_places(void **state)
{
    (void)state;
    struct history h = { 0 };
    add_pass(&h, 7, 11, 0.01);
    add_pass(&h, 7, 12, 0);
    add_pass(&h, 7, 13, -0.02);
    struct verify_ask ask = gather(&h, &three);
    const double drift[] = { 0.025, 0, -0.05 }, own[] = { 0.2, 0.4, 0.8 };
    for (int p = 0; p < 3; p++)
        for (int m = 0; m < 3; m++)
            assert_true(fabs(ask.x[0][p][m] - own[m] - drift[p]) < 1e-12);
    assert_true(isnan(ask.x[1][0][0]));
    assert_true(isnan(ask.x[2][2][2]));
    history_free(&h);
}

/* An execution that ended after two passes, or within its last one, is not one of the three. */
static void half_an_execution_does_not_count(void **state)
{
    (void)state;
    struct history h = { 0 };
    add_pass(&h, 7, 11, 0.5);
    add_pass(&h, 7, 12, 0.5);
    for (int place = 0; place < 5; place++)
        add(&h, 7, 13, place, three.members[verify_member_at(3, place)], 9, 0, true);
    assert_true(isnan(gather(&h, &three).x[0][0][0]));
    add_execution(&h, 8, 14);
    struct verify_ask ask = gather(&h, &three);
    assert_true(fabs(ask.x[0][0][1] - 0.4) < 1e-12);
    assert_true(isnan(ask.x[1][0][1]));
    history_free(&h);
}

static void three_executions_in_order_and_no_fourth(void **state)
{
    (void)state;
    struct history h = { 0 };
    for (int e = 0; e < 4; e++)
        for (int p = 0; p < 3; p++)
            for (int place = 0; place < 6; place++)
                add(&h, 7 + e, 1 + 3 * e + p, place, three.members[verify_member_at(3, place)], e, 0, true);
    struct verify_ask ask = gather(&h, &three);
    for (int e = 0; e < 3; e++)
        assert_true(ask.x[e][2][1] == e);
    history_free(&h);
}

/* A retry takes the place of an invalid block; without a valid one the pass does not count for this size. */
static void invalid_blocks_are_repeated_three_times(void **state)
{
    (void)state;
    struct history h = { 0 };
    int retry;
    add_pass(&h, 7, 11, 0);
    add(&h, 7, 12, 0, 2, 5, 0, false);
    assert_int_equal(verify_place(&retry, &h, 7, 12, 0), PLACE_MISSING);
    assert_int_equal(retry, 1);
    add(&h, 7, 12, 0, 2, 0.3, 1, true);
    assert_int_equal(verify_place(&retry, &h, 7, 12, 0), PLACE_DONE);
    for (int place = 1; place < 5; place++)
        add(&h, 7, 12, place, three.members[verify_member_at(3, place)], 0.6, 0, true);
    add(&h, 7, 12, 5, 2, 5, 0, false);
    add(&h, 7, 12, 5, 2, 5, 1, false);
    assert_int_equal(verify_place(&retry, &h, 7, 12, 5), PLACE_MISSING);
    assert_int_equal(retry, 2);
    add(&h, 7, 12, 5, 2, 5, 2, false); /* the third retry of this size in this execution */
    assert_int_equal(verify_place(&retry, &h, 7, 12, 5), PLACE_EXHAUSTED);
    for (int place = 0; place < 5; place++)
        add(&h, 7, 13, place, three.members[verify_member_at(3, place)], 0.7, 0, true);
    assert_true(isnan(gather(&h, &three).x[0][0][0])); /* one place is missing */
    add(&h, 7, 13, 5, 2, 5, 0, false);
    assert_int_equal(verify_place(&retry, &h, 7, 13, 5), PLACE_EXHAUSTED);
    struct verify_ask ask = gather(&h, &three);
    assert_true(fabs(ask.x[0][0][0] - 0.2) < 1e-12);
    assert_true(isnan(ask.x[0][1][0])); /* place 0 alone, by its retry */
    assert_true(isnan(ask.x[0][2][0]));
    assert_true(ask.x[0][1][1] == 0.6);
    assert_true(ask.x[0][2][2] == 0.7);
    history_free(&h);
}

/* What an execution of other members measured is not about these. */
static void other_members_do_not_count(void **state)
{
    (void)state;
    struct history h = { 0 };
    struct decide_answer two = { .batch = 4, .leader = 8, .members = { 4, 8 }, .member_count = 2 };
    add_execution(&h, 7, 1);
    assert_true(isnan(gather(&h, &two).x[0][0][0]));
    struct decide_answer others = three;
    others.members[2] = 16;
    assert_true(isnan(gather(&h, &others).x[0][0][0]));
    assert_true(isfinite(gather(&h, &three).x[0][0][0]));
    history_free(&h);
}

static void one_member_alone_is_verified_too(void **state)
{
    (void)state;
    struct history h = { 0 };
    struct decide_answer one = { .batch = 4, .leader = 4, .members = { 4 }, .member_count = 1 },
                         decided = one;
    struct verify_answer answer;
    for (int e = 0; e < 3; e++)
        for (int p = 0; p < 3; p++)
            for (int place = 0; place < 2; place++)
                add(&h, 7 + e, 1 + 3 * e + p, place, 4, 1 + e + 0.2 * place, 0, true);
    struct verify_ask ask = gather(&h, &one);
    decide_verify(&answer, &decided, &ask);
    assert_true(decided.verified);
    assert_int_equal(decided.batch, 4);
    assert_true(fabs(answer.members[0].y - 2.1) < 1e-12);   /* values 1.1, 2.1, 3.1 */
    assert_true(fabs(answer.members[0].low - 1.1) < 1e-12);
    assert_true(fabs(answer.members[0].high - 3.1) < 1e-12);
    history_free(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_are_mirrored),
        cmocka_unit_test(a_value_is_the_mean_of_both_places),
        cmocka_unit_test(half_an_execution_does_not_count),
        cmocka_unit_test(three_executions_in_order_and_no_fourth),
        cmocka_unit_test(invalid_blocks_are_repeated_three_times),
        cmocka_unit_test(other_members_do_not_count),
        cmocka_unit_test(one_member_alone_is_verified_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
