/* The best split of a budget: the formulas by hand, known variances found again, and the split against all others. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kernels/base/len.h"
#include "kernels/base/rng.h"
#include "tuner/split.h"

static bool near(double a, double b) { return fabs(a - b) < 1e-12; }

static void by_hand(void **state)
{
    (void)state;
    /* T2: 4; 2 - 4/4 = 1; 1 - 2/3 = 1/3. r_1 = sqrt(4/1 * 4/1) = 4, r_2 = ceil(sqrt(100/4 * 1/(1/3))) = ceil(8.66) */
    struct split_level l[] = { { .count = 4, .cost_s = 1, .s2 = 4 }, { .count = 3, .cost_s = 4, .s2 = 2 },
                               { .count = 5, .cost_s = 100, .s2 = 1 } };
    split_best(l);
    assert_true(near(l[0].t2, 4) && near(l[1].t2, 1) && near(l[2].t2, 1. / 3));
    assert_int_equal(l[0].best, 4);
    assert_int_equal(l[1].best, 9);
    l[1].s2 = 0.5; /* T2 of blocks 0.5 - 1 < 0: one block; nothing varies above the iterations */
    split_best(l);
    assert_int_equal(l[0].best, SPLIT_ANY);
    assert_int_equal(l[1].best, 1);
}

static void measured_by_hand(void **state)
{
    (void)state;
    struct split_level l[SPLIT_LEVELS] = { { 0 } };
    /* executions 1: means 1, 3 (mean 2, variance 2); 2: means 4, 4, 7 (mean 5, variance 3) */
    const struct split_block blocks[] = { { 1, 1, .5, 2 }, { 2, 4, .25, 4 }, { 1, 3, NAN, 1 }, { 2, 4, .75, 3 },
                                          { 2, 7, .5, 5 } };
    assert_true(split_measure(l, blocks, LEN(blocks)));
    assert_true(near(l[0].count, 3) && near(l[0].s2, .5));     /* (2+4+1+3+5)/5; (.5+.25+.75+.5)/4 */
    assert_true(near(l[1].count, 2.5) && near(l[1].s2, 2.5));  /* (2+3)/2 */
    assert_true(near(l[2].count, 2) && near(l[2].s2, 4.5));    /* of 2 and 5 */
    assert_false(split_measure(l, blocks, 1));
    assert_false(split_measure(l, blocks, 3)); /* execution 2 has one block */
    assert_false(split_measure(l, NULL, 0));
}

#define EXECUTIONS 400
#define BLOCKS 6
#define ITERATIONS 5

static void known_variances_are_found(void **state)
{
    (void)state;
    static struct split_block blocks[EXECUTIONS * BLOCKS];
    static const double sd[] = { 0.02, 0.01, 0.03 };
    struct split_level l[SPLIT_LEVELS] = { { .cost_s = 1 }, { .cost_s = 1 }, { .cost_s = 1 } };
    struct rng r = rng_seeded(1);
    for (int e = 0; e < EXECUTIONS; e++) {
        const double execution = sd[2] * rng_normal(&r);
        for (int b = 0; b < BLOCKS; b++) {
            const double block = execution + sd[1] * rng_normal(&r);
            double sum = 0, squares = 0;
            for (int i = 0; i < ITERATIONS; i++) {
                const double y = block + sd[0] * rng_normal(&r);
                sum += y;
                squares += y * y;
            }
            blocks[e * BLOCKS + b] = (struct split_block){
                e, sum / ITERATIONS, (squares - sum * sum / ITERATIONS) / (ITERATIONS - 1), ITERATIONS };
        }
    }
    assert_true(split_measure(l, blocks, LEN(blocks)));
    split_best(l);
    for (int i = 0; i < SPLIT_LEVELS; i++) /* 400 executions: their variance is known to sqrt(2/400) = 7 %, thrice that */
        assert_true(fabs(l[i].t2 / (sd[i] * sd[i]) - 1) < 0.21);
}

/* What a split costs until the mean is known to a given variance: cost of an execution times what it leaves. */
static double price(const struct split_level l[SPLIT_LEVELS], int iterations, int blocks)
{
    const double cost = l[2].cost_s + blocks * (l[1].cost_s + iterations * l[0].cost_s);
    return cost * (l[2].t2 + l[1].t2 / blocks + l[0].t2 / ((double)blocks * iterations));
}

/* Where the best split has at least one of each, a number that is rounded up costs at most (2 + 1/2) / 2 = 1.25 times as
 * much, at both levels 1.5625 times. */
static void no_other_split_is_much_better(void **state)
{
    (void)state;
    struct rng r = rng_seeded(7);
    double twins = 0;
    int trials = 0;
    while (trials < 100) {
        struct split_level l[SPLIT_LEVELS];
        double least = INFINITY;
        for (int i = 0; i < SPLIT_LEVELS; i++)
            l[i] = (struct split_level){ .count = 1e9, .cost_s = exp(6 * rng_uniform(&r) - 3),
                                         .s2 = exp(4 * rng_uniform(&r) - 2) };
        split_best(l);
        if (l[1].cost_s * l[0].t2 < l[0].cost_s * l[1].t2 || l[2].cost_s * l[1].t2 < l[1].cost_s * l[2].t2)
            continue;
        for (int iterations = 1; iterations <= 200; iterations++)
            for (int blocks = 1; blocks <= 200; blocks++)
                least = fmin(least, price(l, iterations, blocks));
        assert_true(price(l, l[0].best, l[1].best) < 1.5625 * least);
        twins += price(l, 1, 1) / least; /* a wrong twin: repeats nothing inside an execution */
        trials++;
    }
    assert_true(twins / trials > 1.5625);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_hand), cmocka_unit_test(measured_by_hand), cmocka_unit_test(known_variances_are_found),
        cmocka_unit_test(no_other_split_is_much_better),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
