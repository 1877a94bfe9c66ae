/* The measuring loop on an engine that only counts, in virtual time: every number is exact. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/worker/block.h"

#define MS UINT64_C(1000000)
enum { ROOM = 16 };

struct model {
    uint64_t now_ns, step_ns, read_ns; /* an iteration lasts step_ns, a reading of the clock read_ns */
    int calls, fail_at, short_at, other_batch_at, stages_until, launches_until;
};

static enum status count_run(struct model *m, int batch, struct iteration *out, struct err *err)
{
    m->calls++;
    if (m->calls == m->fail_at)
        return err_set(err, ST_DEVICE_LOST, "gone");
    m->now_ns += m->step_ns;
    out->batch = batch - (m->calls == m->other_batch_at);
    out->images = batch - (m->calls == m->short_at);
    out->has_stages = m->calls <= m->stages_until;
    out->h2d_ns = (uint64_t)m->calls;
    out->compute_ns = 2;
    out->d2h_ns = 3;
    out->has_launch = m->calls <= m->launches_until;
    out->launch_ns = 1000 + (uint64_t)m->calls;
    return ST_OK;
}

static const struct engine counting = { .name = "counting", .run = count_run };

static uint64_t read_now_ns(void *context)
{
    struct model *m = context;
    m->now_ns += m->read_ns;
    return m->now_ns;
}

static struct clock clock_of(struct model *m)
{
    return (struct clock){ .now_ns = read_now_ns, .context = m };
}

struct room {
    uint64_t times[ROOM], h2d[ROOM], compute[ROOM], d2h[ROOM], launch[ROOM];
    struct block block;
};

static struct block *block_in(struct room *r, size_t room)
{
    r->block = (struct block){ .iteration_ns = r->times, .h2d_ns = r->h2d, .compute_ns = r->compute, .d2h_ns = r->d2h,
                               .launch_ns = r->launch, .room = room };
    return &r->block;
}

static void stops_at_the_first_that_meets_both_minimums(void **state)
{
    (void)state;
    static const struct {
        uint64_t min_ns;
        size_t min, room, want;
    } rows[] = {
        { 100 * MS, 1, ROOM, 4 }, /* 30 60 90 120 */
        { 90 * MS, 1, ROOM, 3 },  /* exactly reached */
        { 91 * MS, 1, ROOM, 4 },
        { 0, 1, ROOM, 1 },  { 0, 5, ROOM, 5 }, { 100 * MS, 6, ROOM, 6 }, { 1000 * MS, 1, 7, 7 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct model m = { .step_ns = 30 * MS };
        struct clock clk = clock_of(&m);
        struct room r;
        struct block *b = block_in(&r, rows[i].room);
        const struct block_ask ask = { .batch = 8, .min_ns = rows[i].min_ns, .min_iterations = rows[i].min };
        assert_int_equal(block_run(b, &ask, &counting, &m, &clk, NULL), ST_OK);
        assert_int_equal(b->count, rows[i].want);
        for (size_t k = 0; k < b->count; k++)
            assert_int_equal(b->iteration_ns[k], 30 * MS);
        assert_int_equal(b->end_ns - b->start_ns, 30 * MS * b->count);
        assert_int_equal(b->images, 8 * b->count);
        assert_int_equal(b->batch, 8);
    }
}

static uint64_t sum_of(const struct block *b)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < b->count; i++)
        sum += b->iteration_ns[i];
    return sum;
}

/* The wrong twin: reads the clock before and after each iteration, so that what lies between goes untimed. */
static void block_with_gaps(struct block *b, const struct block_ask *ask, struct model *m, const struct clock *clk)
{
    struct iteration it;
    b->count = 0;
    b->start_ns = b->end_ns = clock_now_ns(clk);
    while (b->count < b->room && (b->count < ask->min_iterations || b->end_ns - b->start_ns < ask->min_ns)) {
        uint64_t start_ns = clock_now_ns(clk);
        count_run(m, ask->batch, &it, NULL);
        b->end_ns = clock_now_ns(clk);
        b->iteration_ns[b->count++] = b->end_ns - start_ns;
    }
}

static void no_gap_goes_untimed(void **state)
{
    (void)state;
    struct model m = { .step_ns = 30 * MS, .read_ns = MS };
    struct clock clk = clock_of(&m);
    struct room r;
    struct block *b = block_in(&r, ROOM);
    const struct block_ask ask = { .batch = 1, .min_ns = 300 * MS, .min_iterations = 1 };
    assert_int_equal(block_run(b, &ask, &counting, &m, &clk, NULL), ST_OK);
    assert_int_equal(sum_of(b), b->end_ns - b->start_ns);
    assert_int_equal(b->iteration_ns[0], 31 * MS);
    block_with_gaps(b, &ask, &m, &clk);
    assert_true(sum_of(b) < b->end_ns - b->start_ns);
}

static void unmeasured_iterations_come_first_and_are_not_reported(void **state)
{
    (void)state;
    struct model m = { .step_ns = 30 * MS, .stages_until = 100 };
    struct clock clk = clock_of(&m);
    struct room r;
    struct block *b = block_in(&r, ROOM);
    const struct block_ask ask = { .batch = 2, .min_iterations = 2, .unmeasured = 3 };
    assert_int_equal(block_run(b, &ask, &counting, &m, &clk, NULL), ST_OK);
    assert_int_equal(m.calls, 5);
    assert_int_equal(b->count, 2);
    assert_int_equal(b->start_ns, 90 * MS);
    assert_int_equal(b->h2d_ns[0], 4); /* the fourth call is the first that is reported */
    assert_true(b->has_stages);
    assert_int_equal(b->compute_ns[1], 2);
    assert_int_equal(b->d2h_ns[1], 3);
    assert_false(b->has_launch);
}

static void stages_are_reported_only_if_every_iteration_has_them(void **state)
{
    (void)state;
    struct model m = { .step_ns = MS, .stages_until = 2 };
    struct clock clk = clock_of(&m);
    struct room r;
    struct block *b = block_in(&r, ROOM);
    const struct block_ask ask = { .batch = 2, .min_iterations = 3 };
    assert_int_equal(block_run(b, &ask, &counting, &m, &clk, NULL), ST_OK);
    assert_false(b->has_stages);
}

static void launches_are_reported_only_if_every_iteration_has_them(void **state)
{
    (void)state;
    struct model all = { .step_ns = MS, .stages_until = 9, .launches_until = 3 }, some = all;
    struct clock clk = clock_of(&all), other = clock_of(&some);
    struct room r;
    struct block *b = block_in(&r, ROOM);
    const struct block_ask ask = { .batch = 2, .min_iterations = 3 };
    some.launches_until = 2;
    assert_int_equal(block_run(b, &ask, &counting, &all, &clk, NULL), ST_OK);
    assert_true(b->has_launch);
    assert_int_equal(b->launch_ns[2], 1003);
    assert_int_equal(block_run(b, &ask, &counting, &some, &other, NULL), ST_OK);
    assert_false(b->has_launch);
}

static void keeps_what_came_before_a_bad_iteration(void **state)
{
    (void)state;
    const struct block_ask ask = { .batch = 4, .min_ns = 100 * MS, .min_iterations = 1 };
    static const struct {
        struct model m;
        enum status want;
        const char *says;
    } rows[] = {
        { { .step_ns = 30 * MS, .short_at = 3 }, ST_WRONG_OUTPUT, "asked for 4 images, got 3" },
        { { .step_ns = 30 * MS, .other_batch_at = 3 }, ST_WRONG_OUTPUT, "asked for batch 4, executed 3" },
        { { .step_ns = 30 * MS, .fail_at = 3 }, ST_DEVICE_LOST, "gone" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct model m = rows[i].m;
        struct clock clk = clock_of(&m);
        struct room r;
        struct err err = { 0 };
        struct block *b = block_in(&r, ROOM);
        assert_int_equal(block_run(b, &ask, &counting, &m, &clk, &err), rows[i].want);
        assert_int_equal(b->count, 2);
        assert_int_equal(b->images, 8);
        assert_non_null(strstr(err.text, rows[i].says));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stops_at_the_first_that_meets_both_minimums),
        cmocka_unit_test(no_gap_goes_untimed),
        cmocka_unit_test(unmeasured_iterations_come_first_and_are_not_reported),
        cmocka_unit_test(stages_are_reported_only_if_every_iteration_has_them),
        cmocka_unit_test(launches_are_reported_only_if_every_iteration_has_them),
        cmocka_unit_test(keeps_what_came_before_a_bad_iteration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
