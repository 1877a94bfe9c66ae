#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/measure/ceiling.h"

/* What a search found: pairs of size and reason, WHY_NONE for what ran in the ascent. */
struct found {
    struct history h;
    struct search_answer search;
};

static void add_size(struct found *f, int batch, enum why why, const char *result)
{
    struct prepared_row row = { .execution = 1, .batch = batch };
    snprintf(row.result, sizeof row.result, "%s", result);
    f->search.sizes[f->search.count++] = (struct search_size){ .batch = batch, .why = why };
    if (*result)
        assert_int_equal(history_add_prepared(&f->h, &row, NULL), ST_OK);
}

static void add_trial(struct found *f, const char *label, int64_t execution, int batch, const char *result)
{
    struct prepared_row row = { .execution = execution, .batch = batch };
    snprintf(row.result, sizeof row.result, "%s", result);
    assert_int_equal(history_add_trial(&f->h, label, &row, NULL), ST_OK);
}

/* 1, 2, 4, 8 ran, 16 did not fit, 32 was not tried. */
static struct found *usual(void)
{
    struct found *f = calloc(1, sizeof *f);
    assert_non_null(f);
    add_size(f, 1, WHY_NONE, "feasible");
    add_size(f, 2, WHY_NONE, "feasible");
    add_size(f, 4, WHY_NONE, "feasible");
    add_size(f, 8, WHY_SLOWER_COARSE, "feasible");
    add_size(f, 16, WHY_OVER_MEMORY, "over_memory");
    add_size(f, 32, WHY_NOT_TRIED_FAILED, "");
    return f;
}

static void drop(struct found *f)
{
    history_free(&f->h);
    free(f);
}

static void assert_ceiling(const struct found *f, int batch, bool twice, bool lower_bound, int first_failed,
                           enum why why)
{
    struct ceiling c;
    ceiling_of(&c, &f->h, &f->search);
    assert_int_equal(c.batch, batch);
    assert_int_equal(c.twice, twice);
    assert_int_equal(c.is_lower_bound, lower_bound);
    assert_int_equal(c.first_failed, first_failed);
    assert_int_equal(c.first_failed_why, why);
}

static void the_ascent_alone_shows_it_once(void **state)
{
    (void)state;
    struct found *f = usual();
    assert_ceiling(f, 8, false, false, 16, WHY_OVER_MEMORY);
    drop(f);
}

static void two_fresh_processes_show_it(void **state)
{
    (void)state;
    struct found *f = usual();
    add_trial(f, "ceiling", 2, 8, "feasible");
    assert_ceiling(f, 8, false, false, 16, WHY_OVER_MEMORY);
    add_trial(f, "ceiling", 3, 8, "feasible");
    assert_ceiling(f, 8, true, false, 16, WHY_OVER_MEMORY);
    drop(f);
}

/* The ascent and a first fresh process are not enough: the second fresh one decides. */
static void a_size_that_fails_in_its_second_fresh_process_is_not_the_ceiling(void **state)
{
    (void)state;
    struct found *f = usual();
    add_trial(f, "ceiling", 2, 8, "feasible");
    add_trial(f, "ceiling", 3, 8, "out_of_memory");
    assert_ceiling(f, 4, false, false, 8, WHY_OUT_OF_MEMORY);
    add_trial(f, "ceiling", 4, 4, "feasible");
    add_trial(f, "ceiling", 5, 4, "feasible");
    assert_ceiling(f, 4, true, false, 8, WHY_OUT_OF_MEMORY);
    drop(f);
}

static void one_death_in_a_fresh_process_is_enough(void **state)
{
    (void)state;
    struct found *f = usual();
    add_trial(f, "ceiling", 2, 8, "crashed");
    assert_ceiling(f, 4, false, false, 8, WHY_CRASHED);
    drop(f);
}

/* Not monotone: 16 failed and 32 ran. */
static void nothing_is_taken_to_be_monotone(void **state)
{
    (void)state;
    struct found *f = calloc(1, sizeof *f);
    assert_non_null(f);
    add_size(f, 8, WHY_NONE, "feasible");
    add_size(f, 16, WHY_OUT_OF_MEMORY, "out_of_memory");
    add_size(f, 32, WHY_NONE, "feasible");
    add_size(f, 64, WHY_NOT_TRIED_DOMINATED, "");
    assert_ceiling(f, 32, false, true, 16, WHY_OUT_OF_MEMORY); /* nothing larger was tried */
    drop(f);
}

static void what_was_not_tried_makes_it_a_lower_bound(void **state)
{
    (void)state;
    struct found *f = calloc(1, sizeof *f);
    assert_non_null(f);
    add_size(f, 1, WHY_NONE, "feasible");
    add_size(f, 2, WHY_OVER_SLO, "feasible"); /* it runs: too slow is no question of memory */
    add_size(f, 4, WHY_NOT_TRIED_OVER_SLO, "");
    assert_ceiling(f, 2, false, true, 0, WHY_NONE);
    drop(f);
}

/* A size that ended in the rounds: out of memory counts, a noisy one does not. */
static void losses_of_the_rounds_count_if_they_are_failures(void **state)
{
    (void)state;
    struct found *f = usual();
    assert_int_equal(history_add_loss(&f->h, 4, WHY_INVALID, 3, "", NULL), ST_OK);
    assert_ceiling(f, 8, false, false, 16, WHY_OVER_MEMORY);
    assert_int_equal(history_add_loss(&f->h, 8, WHY_OUT_OF_MEMORY, 3, "", NULL), ST_OK);
    assert_ceiling(f, 4, false, false, 8, WHY_OUT_OF_MEMORY);
    drop(f);
}

static void a_failure_in_the_fill_table_is_the_first_failed(void **state)
{
    (void)state;
    struct found *f = usual();
    add_trial(f, "fill", 7, 3, "crashed");
    assert_ceiling(f, 8, false, false, 16, WHY_OVER_MEMORY); /* one death is tried again there */
    add_trial(f, "fill", 8, 3, "crashed");
    assert_ceiling(f, 8, false, false, 3, WHY_CRASHED);
    drop(f);
}

static void nothing_ran(void **state)
{
    (void)state;
    struct found *f = calloc(1, sizeof *f);
    assert_non_null(f);
    add_size(f, 1, WHY_OUT_OF_MEMORY, "out_of_memory");
    add_size(f, 2, WHY_OUT_OF_MEMORY, "out_of_memory");
    assert_ceiling(f, 0, false, false, 1, WHY_OUT_OF_MEMORY);
    drop(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ascent_alone_shows_it_once),
        cmocka_unit_test(two_fresh_processes_show_it),
        cmocka_unit_test(a_size_that_fails_in_its_second_fresh_process_is_not_the_ceiling),
        cmocka_unit_test(one_death_in_a_fresh_process_is_enough),
        cmocka_unit_test(nothing_is_taken_to_be_monotone),
        cmocka_unit_test(what_was_not_tried_makes_it_a_lower_bound),
        cmocka_unit_test(losses_of_the_rounds_count_if_they_are_failures),
        cmocka_unit_test(a_failure_in_the_fill_table_is_the_first_failed),
        cmocka_unit_test(nothing_ran),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
