#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/base/rng.h"

/* fnv1a64 of "" and "a" from its page, of the two names from the networks' conformance vectors. Seed 0 is the vector that
 * other programs print; seed 1 was computed with the published C statements written again in Python. Its outputs 2 and 3
 * are also those that the measurement rules quote (they call them the first two). */
static void published_values(void **state)
{
    (void)state;
    assert_true(fnv1a64("") == FNV1A64_START);
    assert_true(fnv1a64("a") == UINT64_C(0xaf63dc4c8601ec8c));
    assert_true(fnv1a64("input") == UINT64_C(0x1ebbae8f5810b65b));
    assert_true(fnv1a64("hrnet/conv1.weight") == UINT64_C(0x1d77ce4eb760812a));
    assert_true(fnv1a64_bytes(fnv1a64_bytes(FNV1A64_START, "inp", 3), "ut", 2) == fnv1a64("input"));
    assert_true(splitmix64(0) == UINT64_C(0xe220a8397b1dcdaf)); /* first output for seed 0 */
    static const struct { uint64_t seed, want[3]; } rows[] = {
        { 0, { UINT64_C(11091344671253066420), UINT64_C(13793997310169335082), UINT64_C(1900383378846508768) } },
        { 1, { UINT64_C(12966619160104079557), UINT64_C(9600361134598540522), UINT64_C(10590380919521690900) } },
    };
    for (size_t i = 0; i < 2; i++) {
        struct rng r = rng_seeded(rows[i].seed);
        for (size_t k = 0; k < 3; k++)
            assert_true(rng_next(&r) == rows[i].want[k]);
    }
}

/* u = (z >> 11) 2^-53 of element n, the generator behind the networks' conformance input: 0.0978183427, 0.6523604282 ... */
static void conformance_input(void **state)
{
    (void)state;
    static const double want[] = { 0.0978183427, 0.6523604282, 0.2036242733 };
    const uint64_t h = fnv1a64("input");
    for (uint64_t n = 0; n < 3; n++)
        assert_true(fabs((double)(splitmix64(h + n * SPLITMIX64_STEP) >> 11) * 0x1p-53 - want[n]) < 1e-10);
}

static void uniform_and_normal(void **state)
{
    (void)state;
    enum { N = 200000 };
    struct rng r = rng_seeded(7), first = rng_seeded(1);
    double sum = 0, squares = 0, uniform = 0;
    assert_true(rng_uniform(&first) == ((double)(UINT64_C(12966619160104079557) >> 11) + 0.5) * 0x1p-53);
    for (int i = 0; i < N; i++) {
        const double u = rng_uniform(&r), x = rng_normal(&r);
        assert_true(u > 0 && u < 1);
        uniform += u;
        sum += x;
        squares += x * x;
    }
    /* standard errors: 0.289 / sqrt(N) = 0.00065, 1 / sqrt(N) = 0.0022, sqrt(2 / N) = 0.0032; five of each */
    assert_true(fabs(uniform / N - 0.5) < 0.0033);
    assert_true(fabs(sum / N) < 0.011);
    assert_true(fabs(squares / N - 1) < 0.016);
}

/* Counts how often each order of three items comes; with the wrong range (n instead of i + 1) some come too often. */
static void count_orders(int counts[6], void (*shuffle)(struct rng *r, int *items, size_t n), int trials)
{
    struct rng r = rng_seeded(3);
    memset(counts, 0, 6 * sizeof *counts);
    for (int i = 0; i < trials; i++) {
        int items[3] = { 0, 1, 2 };
        shuffle(&r, items, 3);
        counts[items[0] * 2 + (items[1] > items[2])]++;
        assert_int_equal(1 << items[0] | 1 << items[1] | 1 << items[2], 7);
    }
}

static void shuffle_over_all(struct rng *r, int *items, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const size_t j = (size_t)(rng_uniform(r) * (double)n);
        const int kept = items[i];
        items[i] = items[j];
        items[j] = kept;
    }
}

static int orders_off(const int counts[6], int trials)
{
    int off = 0;
    for (int i = 0; i < 6; i++) /* standard error sqrt(trials 1/6 5/6) = 91 for 60 000; five of them */
        off += fabs(counts[i] - trials / 6.0) > 5 * sqrt(trials * 5.0 / 36);
    return off;
}

static void every_order_is_as_likely(void **state)
{
    (void)state;
    int counts[6];
    count_orders(counts, rng_shuffle, 60000);
    assert_int_equal(orders_off(counts, 60000), 0);
    count_orders(counts, shuffle_over_all, 60000); /* the wrong twin: 4, 5, 5, 5, 4, 4 of 27 */
    assert_true(orders_off(counts, 60000) > 0);
}

/* For i = n-1 .. 1: swap items i and floor(U (i+1)), one U each. */
static void shuffle_by_hand(void **state)
{
    (void)state;
    int items[5] = { 0, 1, 2, 3, 4 }, want[5] = { 0, 1, 2, 3, 4 };
    struct rng a = rng_seeded(11), b = rng_seeded(11);
    rng_shuffle(&a, items, 5);
    for (size_t i = 4; i > 0; i--) {
        const size_t j = (size_t)(rng_uniform(&b) * (double)(i + 1));
        const int kept = want[i];
        want[i] = want[j];
        want[j] = kept;
    }
    assert_memory_equal(items, want, sizeof items);
    rng_shuffle(&a, items, 1);
    rng_shuffle(&a, items, 0);
    assert_memory_equal(items, want, sizeof items);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_values), cmocka_unit_test(conformance_input), cmocka_unit_test(uniform_and_normal),
        cmocka_unit_test(every_order_is_as_likely), cmocka_unit_test(shuffle_by_hand),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
