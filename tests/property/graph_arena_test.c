/* No two buffers that are alive together may share a byte, whatever the lifetimes are. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>

#include "kernels/base/rng.h"
#include "kernels/graph/arena.h"

enum { MANY = 60, TRIES = 400 };

static bool overlaps(const struct arena_item *items, const size_t *offsets, size_t a, size_t b)
{
    const bool together = items[a].first <= items[b].last && items[b].first <= items[a].last;
    return together && items[a].bytes > 0 && items[b].bytes > 0 && offsets[a] < offsets[b] + items[b].bytes &&
           offsets[b] < offsets[a] + items[a].bytes;
}

/* How many pairs share memory, plus how many items are outside the total or not aligned. */
static size_t faults(const struct arena_item *items, const size_t *offsets, size_t count, size_t total)
{
    size_t n = 0;
    for (size_t a = 0; a < count; a++) {
        n += offsets[a] % ARENA_ALIGNMENT != 0 || offsets[a] + items[a].bytes > total;
        for (size_t b = a + 1; b < count; b++)
            n += overlaps(items, offsets, a, b);
    }
    return n;
}

static size_t random_items(struct arena_item *items, struct rng *r)
{
    const size_t count = (size_t)(rng_uniform(r) * (MANY + 1));
    for (size_t i = 0; i < count; i++) {
        items[i].bytes = (size_t)(rng_uniform(r) * (rng_uniform(r) < 0.1 ? 1 : 5000));
        items[i].first = (int)(rng_uniform(r) * 40);
        items[i].last = items[i].first + (int)(rng_uniform(r) * 12);
    }
    return count;
}

static void nothing_overlaps(void **state)
{
    (void)state;
    struct rng r = rng_seeded(20);
    struct arena_item items[MANY];
    size_t offsets[MANY], total = 0, sum_total = 0, sum_bound = 0;
    for (int t = 0; t < TRIES; t++) {
        const size_t count = random_items(items, &r);
        assert_int_equal(arena_plan(offsets, &total, items, count, NULL), ST_OK);
        assert_int_equal(faults(items, offsets, count, total), 0);
        assert_true(total >= arena_bound(items, count));
        sum_total += total;
        sum_bound += arena_bound(items, count);
    }
    assert_true((double)sum_total < 1.15 * (double)sum_bound); /* and it does not waste much */
}

/* The wrong twin: all at offset 0 must be noticed by the same count of faults. */
static void sharing_is_noticed(void **state)
{
    (void)state;
    const struct arena_item items[2] = { { 10, 0, 2 }, { 10, 2, 3 } };
    const size_t shared[2] = { 0, 0 }, odd[2] = { 0, 10 }, apart[2] = { 0, 64 };
    assert_int_equal(faults(items, shared, 2, 128), 1);
    assert_int_equal(faults(items, odd, 2, 128), 1);
    assert_int_equal(faults(items, apart, 2, 74), 0);
    assert_int_equal(faults(items, apart, 2, 73), 1);
}

/* A chain a -> b -> c -> d of equal tensors needs two of them at a time: 0, 64, 0, 64. */
static void chain_takes_two(void **state)
{
    (void)state;
    const struct arena_item items[4] = { { 64, 0, 1 }, { 64, 1, 2 }, { 64, 2, 3 }, { 64, 3, 4 } };
    size_t offsets[4], total = 0;
    assert_int_equal(arena_plan(offsets, &total, items, 4, NULL), ST_OK);
    assert_int_equal(total, 128);
    assert_int_equal(arena_bound(items, 4), 128);
}

/* Two holes, 128 and 64 bytes, below and between longer-lived buffers: 64 bytes go into the smaller one. */
static void takes_the_smallest_hole(void **state)
{
    (void)state;
    const struct arena_item items[6] = { { 640, 0, 9 }, { 576, 0, 1 }, { 512, 0, 9 }, { 448, 0, 1 }, { 384, 0, 9 },
                                         { 320, 5, 6 } };
    size_t offsets[6], total = 0;
    assert_int_equal(arena_plan(offsets, &total, items, 6, NULL), ST_OK);
    assert_int_equal(total, 640 + 576 + 512 + 448 + 384);
    assert_int_equal(offsets[5], 640 + 576 + 512); /* the hole of 448, not the one of 576 */
}

static void edges(void **state)
{
    (void)state;
    size_t offsets[2], total = 7;
    assert_int_equal(arena_plan(offsets, &total, NULL, 0, NULL), ST_OK);
    assert_int_equal(total, 0);
    const struct arena_item empty[2] = { { 0, 0, 5 }, { 1, 0, 5 } };
    assert_int_equal(arena_plan(offsets, &total, empty, 2, NULL), ST_OK);
    assert_int_equal(total, 64);
    const struct arena_item backwards = { 8, 3, 2 };
    assert_int_equal(arena_plan(offsets, &total, &backwards, 1, NULL), ST_INTERNAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_overlaps),       cmocka_unit_test(sharing_is_noticed),
        cmocka_unit_test(chain_takes_two),        cmocka_unit_test(takes_the_smallest_hole),
        cmocka_unit_test(edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
