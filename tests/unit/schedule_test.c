/* Orders of rounds: made by seed, key and round alone. */
#include "bench/measure/schedule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char key[] = "hrnet|onednn|cpu:0|f32|2|1|3x256x256|e2e";

/* seed 7 xor fnv1a64("a") xor 2 x 0x9e3779b97f4a7c15; fnv1a64("a") = af63dc4c8601ec8c is published; 2 x ... wraps to
 * 3c6ef372fe94f82a: 7 ^ af63dc4c8601ec8c ^ 3c6ef372fe94f82a = 930d2f3e789514a1. */
static void the_seed_of_a_round(void **state)
{
    (void)state;
    assert_true(schedule_seed(7, "a", 2) == UINT64_C(0x930d2f3e789514a1));
}

static void order(int *out, size_t n, uint64_t seed, const char *of, int round)
{
    for (size_t i = 0; i < n; i++)
        out[i] = 1 << i;
    schedule_order(out, n, seed, of, round);
}

static int differs(size_t n, uint64_t seed, const char *of, int round, uint64_t seed2, const char *of2, int round2)
{
    int a[16], b[16];
    order(a, n, seed, of, round);
    order(b, n, seed2, of2, round2);
    return memcmp(a, b, n * sizeof a[0]) != 0;
}

static void same_seed_same_order(void **state)
{
    (void)state;
    int rounds = 0, keys = 0, seeds = 0;
    for (int round = 1; round <= 20; round++) {
        assert_false(differs(8, 5, key, round, 5, key, round));
        rounds += differs(8, 5, key, round, 5, key, round + 1);
        keys += differs(8, 5, key, round, 5, "other", round);
        seeds += differs(8, 5, key, round, 6, key, round);
    }
    assert_true(rounds >= 19 && keys >= 19 && seeds >= 19); /* 8! orders: two alike are rare */
}

/* Each item as often in each place: 4 items, 4000 rounds, 1000 expected, standard deviation 27. An ascending sweep or a
 * shuffle that swaps with any item (not only those before) would lie outside of six of them. */
static void all_orders_are_alike(void **state)
{
    (void)state;
    int counts[4][4] = { 0 }, items[4];
    for (int round = 1; round <= 4000; round++) {
        order(items, 4, 99, key, round);
        for (size_t place = 0; place < 4; place++)
            for (int i = 0; i < 4; i++)
                counts[i][place] += items[place] == 1 << i;
    }
    for (int i = 0; i < 4; i++)
        for (int place = 0; place < 4; place++)
            assert_in_range(counts[i][place], 1000 - 164, 1000 + 164);
}

static void two_or_three_are_mirrored(void **state)
{
    (void)state;
    int mirrored_four = 0;
    for (size_t n = 2; n <= 4; n++)
        for (int round = 1; round < 40; round += 2) {
            int odd[4], even[4], equal = 1;
            order(odd, n, 3, key, round);
            order(even, n, 3, key, round + 1);
            for (size_t i = 0; i < n; i++)
                equal = equal && odd[i] == even[n - 1 - i];
            if (n < 4)
                assert_true(equal);
            else
                mirrored_four += equal;
        }
    assert_true(mirrored_four < 5); /* by chance 1 in 24 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_seed_of_a_round),
        cmocka_unit_test(same_seed_same_order),
        cmocka_unit_test(all_orders_are_alike),
        cmocka_unit_test(two_or_three_are_mirrored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
