#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/measure/fill.h"

/* A valid block of n images with three iterations, all as long but the middle one is the median. */
static void add_block(struct history *h, int round, int images, double ms, enum block_kind kind, bool valid)
{
    struct block_fact f = { .execution = 9, .round = round, .batch = images, .kind = kind, .valid = valid,
                            .iterations = 3, .y = log(images / ms * 1000), .t_iter_ns = ms * 1e6 };
    f.iteration_ns = malloc(3 * sizeof *f.iteration_ns);
    assert_non_null(f.iteration_ns);
    for (int i = 0; i < 3; i++)
        f.iteration_ns[i] = (uint64_t)((ms + i - 1) * 1e6); /* ms - 1, ms, ms + 1 */
    assert_int_equal(history_add_block(h, &f, NULL), ST_OK);
}

static void add_fill(struct history *h, int images, double ms)
{
    for (int round = 1; round <= 3; round++)
        add_block(h, round, images, ms, BLOCK_FILL, true);
}

static void add_trial(struct history *h, const char *label, int64_t execution, int images, const char *result,
                      int prepare_ms, int first_ms)
{
    struct prepared_row row = { .execution = execution,
                                .batch = images,
                                .prepare_ns = (uint64_t)prepare_ms * 1000000,
                                .first_run_ns = (uint64_t)first_ms * 1000000 };
    snprintf(row.result, sizeof row.result, "%s", result);
    assert_int_equal(history_add_trial(h, label, &row, NULL), ST_OK);
}

static struct fill_table make(const struct history *h, int batch)
{
    struct fill_table f;
    struct err err = { 0 };
    if (fill_table_make(&f, h, batch, &err) != ST_OK)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < f.count; i++)
        assert_int_equal(f.sizes[i].images, i + 1);
    return f;
}

static void assert_advice(const struct fill_table *f, int images, const char *advice, int a, int b)
{
    const struct fill_size *s = &f->sizes[images - 1];
    assert_string_equal(fill_advice_name(s->advice), advice);
    assert_int_equal(s->as[0], a);
    assert_int_equal(s->as[1], b);
}

static void medians_are_over_iterations_of_valid_fill_blocks(void **state)
{
    (void)state;
    struct history h = { 0 };
    add_fill(&h, 1, 10);
    add_block(&h, 4, 1, 500, BLOCK_FILL, false); /* telemetry refused it */
    add_block(&h, 4, 1, 700, BLOCK_RACE, true);  /* of another stage */
    add_block(&h, 1, 2, 15, BLOCK_FILL, true);   /* 14 15 16, then 20 21 22 : median (16 + 20) / 2 */
    add_block(&h, 2, 2, 21, BLOCK_FILL, true);
    struct fill_table f = make(&h, 2);
    assert_int_equal(f.count, 2);
    assert_int_equal(f.first_failed, 0);
    assert_true(f.sizes[0].service_p50_ms == 10);
    assert_int_equal(f.sizes[0].blocks, 3);
    assert_int_equal(f.sizes[0].iterations, 9);
    assert_true(f.sizes[1].service_p50_ms == 18);
    assert_int_equal(f.sizes[1].iterations, 6);
    fill_table_free(&f);
    history_free(&h);
}

static void nothing_measured_is_an_empty_table(void **state)
{
    (void)state;
    struct history h = { 0 };
    struct fill_table f = make(&h, 4);
    assert_int_equal(f.count, 0);
    assert_int_equal(f.first_failed, 0);
    fill_table_free(&f);
    history_free(&h);
}

/* 1: 10 ms, 2: 30, 3: 21, 4: 20.
 * 1: exact. 2: padded to 4 costs 20, split 1+1 costs 20 as well: one call rather than two. 3: padded to 4
 * costs 20, split 2+1 40. */
static void a_slow_size_is_padded_to_a_larger_one_that_is_no_slower(void **state)
{
    (void)state;
    struct history h = { 0 };
    add_fill(&h, 1, 10);
    add_fill(&h, 2, 30);
    add_fill(&h, 3, 21);
    add_fill(&h, 4, 20);
    struct fill_table f = make(&h, 4);
    assert_advice(&f, 1, "exact", 1, 0);
    assert_advice(&f, 2, "pad", 4, 0);
    assert_advice(&f, 3, "pad", 4, 0);
    assert_advice(&f, 4, "exact", 4, 0);
    fill_advise(&f, 3); /* a service that may not execute 4: 2 costs 30, 3 costs 21, 1+1 costs 20 */
    assert_advice(&f, 2, "split", 1, 1);
    assert_advice(&f, 3, "exact", 3, 0); /* 2+1 costs 40 */
    fill_table_free(&f);
    history_free(&h);
}

/* An equal time is enough for padding; splitting has to save 2 %: 3 costs 30.7, 2+1 costs 30.1 > .98 x 30.7 =
 * 30.086; 5 costs 62, 3+2 costs 50.8 and 4+1 50 < 60.76. */
static void parts_must_save_two_percent(void **state)
{
    (void)state;
    struct history h = { 0 };
    add_fill(&h, 1, 10);
    add_fill(&h, 2, 20.1);
    add_fill(&h, 3, 30.7);
    add_fill(&h, 4, 40);
    add_fill(&h, 5, 62);
    struct fill_table f = make(&h, 5);
    assert_advice(&f, 2, "exact", 2, 0); /* 1+1 costs 20 > .98 x 20.1 = 19.698 */
    assert_advice(&f, 3, "exact", 3, 0);
    assert_advice(&f, 5, "split", 4, 1);
    fill_table_free(&f);
    history_free(&h);
}

static void equal_time_is_padded_to_the_nearest(void **state)
{
    (void)state;
    struct history h = { 0 };
    add_fill(&h, 1, 10);
    add_fill(&h, 2, 10);
    add_fill(&h, 3, 10);
    struct fill_table f = make(&h, 3);
    assert_advice(&f, 1, "pad", 2, 0);
    assert_advice(&f, 2, "pad", 3, 0);
    fill_table_free(&f);
    history_free(&h);
}

/* B = 4: 20 ms, 200 images/s. 3: 14.5 ms is 206.9 (+3.4 %: a hint), 2: 9.8 ms is 204.1 (+2.0 %: none); 5,
 * larger, is none of our business. */
static void a_smaller_size_that_gains_three_percent_is_a_hint(void **state)
{
    (void)state;
    struct history h = { 0 };
    add_fill(&h, 1, 10);
    add_fill(&h, 2, 9.8);
    add_fill(&h, 3, 14.5);
    add_fill(&h, 4, 20);
    add_fill(&h, 5, 20);
    struct fill_table f = make(&h, 4);
    assert_false(f.sizes[0].faster);
    assert_false(f.sizes[1].faster);
    assert_true(f.sizes[2].faster);
    assert_false(f.sizes[3].faster);
    assert_false(f.sizes[4].faster);
    fill_table_free(&f);
    history_free(&h);
}

/* Ends at the first gap, at the first failure, and holds the failure as its last row. */
static void the_table_ends_at_a_gap_and_at_a_failure(void **state)
{
    (void)state;
    struct history h = { 0 };
    add_fill(&h, 1, 10);
    add_fill(&h, 3, 30);
    struct fill_table f = make(&h, 4);
    assert_int_equal(f.count, 1);
    fill_table_free(&f);
    add_trial(&h, "fill", 9, 2, "out_of_memory", 0, 0);
    f = make(&h, 4);
    assert_int_equal(f.count, 2);
    assert_int_equal(f.first_failed, 2);
    assert_int_equal(f.sizes[1].failed, WHY_OUT_OF_MEMORY);
    assert_true(isnan(f.sizes[1].service_p50_ms));
    fill_table_free(&f);
    history_free(&h);
}

/* A worker that died once is tried again; a failure of a ceiling execution says nothing about the table. */
static void one_death_is_no_failure(void **state)
{
    (void)state;
    struct history h = { 0 };
    add_fill(&h, 1, 10);
    add_trial(&h, "fill", 9, 2, "crashed", 0, 0);
    add_trial(&h, "ceiling", 10, 2, "out_of_memory", 0, 0);
    struct fill_table f = make(&h, 2);
    assert_int_equal(f.count, 1);
    assert_int_equal(f.first_failed, 0);
    fill_table_free(&f);
    add_trial(&h, "fill", 11, 2, "hung", 0, 0);
    f = make(&h, 2);
    assert_int_equal(f.first_failed, 2);
    assert_int_equal(f.sizes[1].failed, WHY_HUNG);
    fill_table_free(&f);
    history_free(&h);
}

static void a_block_without_a_valid_twin_has_run_but_has_no_time(void **state)
{
    (void)state;
    struct history h = { 0 };
    add_fill(&h, 1, 10);
    add_block(&h, 1, 2, 20, BLOCK_FILL, false);
    struct fill_table f = make(&h, 2);
    assert_int_equal(f.count, 2);
    assert_int_equal(f.sizes[1].failed, WHY_NONE);
    assert_int_equal(f.sizes[1].blocks, 0);
    assert_true(isnan(f.sizes[1].service_p50_ms));
    assert_true(isnan(f.sizes[1].first_use_ms));
    assert_advice(&f, 2, "exact", 2, 0);
    fill_table_free(&f);
    history_free(&h);
}

/* Size 4, 20 ms: in a process of its own 50 + 90, in that of the table after others 30 + 25. Size 2, 10 ms,
 * only in the table: 12 + 20, once more in a later process 14 + 20. Size 1 never: not known. */
static void first_use_prefers_processes_that_ran_nothing_else(void **state)
{
    (void)state;
    struct history h = { 0 };
    add_fill(&h, 1, 5);
    add_fill(&h, 2, 10);
    add_fill(&h, 3, 15);
    add_fill(&h, 4, 20);
    add_trial(&h, "fill", 9, 3, "feasible", 40, 60);
    add_trial(&h, "fill", 9, 2, "feasible", 12, 20);
    add_trial(&h, "fill", 9, 4, "feasible", 30, 25);
    add_trial(&h, "ceiling", 10, 4, "feasible", 50, 90);
    add_trial(&h, "fill", 11, 3, "feasible", 40, 64);
    add_trial(&h, "fill", 11, 2, "feasible", 14, 20);
    struct fill_table f = make(&h, 4);
    assert_true(isnan(f.sizes[0].first_use_ms));
    assert_true(f.sizes[1].first_use_ms == 33 - 10);       /* median of 32 and 34 */
    assert_true(f.sizes[2].first_use_ms == 102 - 15);      /* first of two processes: median of 100 and 104 */
    assert_true(f.sizes[3].first_use_ms == 50 + 90 - 20);
    fill_table_free(&f);
    history_free(&h);
}

/* 100 ms, 50 against 40 images/s: .1 / (1/40 - 1/50) = .1 / .005 = 20 images; 20 / 8 = 2.5, so 3 calls. */
static void break_even_by_hand(void **state)
{
    (void)state;
    struct break_even b = break_even_of(8, 50, 100, 1, 40);
    assert_int_equal(b.against, 1);
    assert_int_equal(b.images, 20);
    assert_int_equal(b.calls, 3);
    b = break_even_of(8, 40, 100, 1, 40); /* no faster: never */
    assert_int_equal(b.against, 1);
    assert_int_equal(b.images, -1);
    assert_int_equal(b.calls, -1);
    assert_int_equal(break_even_of(8, 39, 100, 1, 40).images, -1);
    assert_int_equal(break_even_of(1, 50, 100, 1, 40).against, 0);  /* the size is 1 */
    assert_int_equal(break_even_of(8, 50, NAN, 1, 40).against, 0);  /* not known */
    assert_int_equal(break_even_of(8, 50, 100, 1, NAN).against, 0);
    assert_int_equal(break_even_of(8, 50, 100, 0, 40).against, 0);
    assert_int_equal(break_even_of(8, 50, 100, 8, 50).against, 0);  /* against itself */
    assert_int_equal(break_even_of(2, 1 + 1e-15, 1e6, 1, 1).images, -1); /* beyond any count */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(medians_are_over_iterations_of_valid_fill_blocks),
        cmocka_unit_test(nothing_measured_is_an_empty_table),
        cmocka_unit_test(a_slow_size_is_padded_to_a_larger_one_that_is_no_slower),
        cmocka_unit_test(parts_must_save_two_percent),
        cmocka_unit_test(equal_time_is_padded_to_the_nearest),
        cmocka_unit_test(a_smaller_size_that_gains_three_percent_is_a_hint),
        cmocka_unit_test(the_table_ends_at_a_gap_and_at_a_failure),
        cmocka_unit_test(one_death_is_no_failure),
        cmocka_unit_test(a_block_without_a_valid_twin_has_run_but_has_no_time),
        cmocka_unit_test(first_use_prefers_processes_that_ran_nothing_else),
        cmocka_unit_test(break_even_by_hand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
