/* "The optimum moved", with arithmetic shown: five executions, differences whose mean and error are known. */
#include "tuner/moved.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

enum { ROUNDS = 10 };

struct night {
    double y[MOVED_EXECUTIONS][ROUNDS * MOVED_POINTS_MAX];
};

/* Point i has level[i]; execution e shifts point 0 by shift[e] times `spread`. */
static struct moved_answer check(const double *level, size_t points, size_t chosen, double spread, int before)
{
    static const double shift[MOVED_EXECUTIONS] = { -2, -1, 0, 1, 2 };
    static struct night n;
    struct moved_ask ask = { .points = points, .chosen = chosen, .within = .05, .before = before };
    struct moved_answer a;
    for (size_t e = 0; e < MOVED_EXECUTIONS; e++) {
        for (size_t r = 0; r < ROUNDS; r++)
            for (size_t i = 0; i < points; i++)
                n.y[e][r * points + i] = level[i] + (i == 0 ? spread * shift[e] : 0);
        ask.y[e] = n.y[e];
        ask.rounds[e] = ROUNDS;
    }
    moved_check(&a, &ask);
    return a;
}

/* Two points; the differences of the executions are m + spread * (-2 .. 2): mean m, standard deviation
 * spread * 1.5811, se = that / sqrt(5) = .70711 spread; t(.95, 4) = 2.131847, so c = 1.50744 spread. */
static void half_width_is_that_of_five_executions(void **state)
{
    (void)state;
    struct moved_answer a = check((const double[]){ -.08, 0 }, 2, 0, .01, 0);
    assert_true(a.rejected && a.way == -1 && a.moved == MOVED_MAYBE && a.better == 1);
    assert_true(fabs(a.m + .08) < 1e-12 && fabs(a.c - 2.131847 * .01 * sqrt(2.5) / sqrt(5)) < 1e-8);
    /* ln .95 = -.051293: with m = -.065 the bound is m + c < -.051293, so c < .013707, spread < .009093 */
    assert_true(check((const double[]){ -.065, 0 }, 2, 0, .0090, 0).rejected);
    assert_false(check((const double[]){ -.065, 0 }, 2, 0, .0092, 0).rejected);
}

static void two_nights_the_same_way_make_it_sure(void **state)
{
    (void)state;
    const double slow[] = { -.08, 0 };
    assert_int_equal(check(slow, 2, 0, .001, -1).moved, MOVED_MOVED);
    assert_int_equal(check(slow, 2, 0, .001, 1).moved, MOVED_MAYBE); /* another way */
    const double flat[] = { -.01, 0, 0 };
    struct moved_answer a = check(flat, 3, 2, .001, 0);
    assert_true(a.moved == MOVED_MAYBE && a.way == 1 && !a.rejected && a.better == 0);
    assert_int_equal(check(flat, 3, 2, .001, 1).moved, MOVED_MOVED);
}

static void a_smaller_size_must_be_near_every_other(void **state)
{
    (void)state;
    const double curve[] = { -.04, 0, .03 }; /* 0 is near 1, not near 2 */
    assert_int_equal(check(curve, 3, 1, .001, 0).moved, MOVED_STAYS);
    assert_int_equal(check(curve, 3, 1, .001, 0).way, 0);
    const double slower[] = { -.06, 0 };     /* the smaller one in use elsewhere: 1 stays */
    assert_int_equal(check(slower, 2, 1, .001, 0).moved, MOVED_STAYS);
}

static void too_few_executions_say_nothing(void **state)
{
    (void)state;
    struct night n;
    struct moved_ask ask = { .points = 2, .chosen = 0, .within = .05 };
    struct moved_answer a;
    for (size_t e = 0; e < MOVED_EXECUTIONS; e++) {
        for (size_t i = 0; i < ROUNDS * 2; i++)
            n.y[e][i] = e < 2 ? (i % 2 ? 0 : -.2) : NAN;
        ask.y[e] = n.y[e];
        ask.rounds[e] = ROUNDS;
    }
    moved_check(&a, &ask);
    assert_int_equal(a.moved, MOVED_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(half_width_is_that_of_five_executions),
        cmocka_unit_test(two_nights_the_same_way_make_it_sure),
        cmocka_unit_test(a_smaller_size_must_be_near_every_other),
        cmocka_unit_test(too_few_executions_say_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
