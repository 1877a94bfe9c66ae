/* The ascent with a latency limit, with a size in use, and with probes that end early. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "tuner/search.h"

/* Every size has ln(rate(batch)), those from over_from on are over the limit. */
struct world {
    double (*rate)(int batch);
    int over_from, incumbent, max_batch;
    int asked[64];
    size_t asked_count;
};

static double saturating(int batch)
{
    return batch / (batch + 1.5);
}

static double flat(int batch)
{
    return 1 + batch * 1e-4;
}

static struct search_answer walk(struct world *w)
{
    struct search_result results[64];
    struct search_answer a;
    struct search_ask ask = { .max_batch = w->max_batch ? w->max_batch : 64, .within = .05,
                              .results = results,
                              .incumbent = w->incumbent };
    w->asked_count = 0;
    for (search_step(&a, &ask); a.next; search_step(&a, &ask)) {
        double rate = w->rate(a.next);
        assert_in_range(w->asked_count, 0, 63);
        w->asked[w->asked_count++] = a.next;
        results[ask.result_count++] = (struct search_result){
            .batch = a.next, .y = log(rate), .t_iter_ns = 1e7 * a.next / rate,
            .why = w->over_from && a.next >= w->over_from ? WHY_OVER_SLO : WHY_NONE };
    }
    return a;
}

static enum why why_of(const struct search_answer *a, int batch)
{
    for (size_t i = 0; i < a->count; i++)
        if (a->sizes[i].batch == batch)
            return a->sizes[i].why;
    fail_msg("size %d has no reason", batch);
    return WHY_NONE;
}

static int was_asked(const struct world *w, int batch)
{
    int times = 0;
    for (size_t i = 0; i < w->asked_count; i++)
        times += w->asked[i] == batch;
    return times;
}

static void two_sizes_over_the_limit_end_the_ascent(void **state)
{
    struct world w = { .rate = saturating, .over_from = 8 };
    struct search_answer a = walk(&w);
    (void)state;
    assert_int_equal(why_of(&a, 8), WHY_OVER_SLO);
    assert_int_equal(why_of(&a, 16), WHY_OVER_SLO);
    assert_int_equal(why_of(&a, 32), WHY_NOT_TRIED_OVER_SLO);
    assert_int_equal(why_of(&a, 64), WHY_NOT_TRIED_OVER_SLO);
    assert_int_equal(why_of(&a, 4), WHY_NONE);
    assert_int_equal(a.knee, 4); /* the best that is left: 2 is 21 % below it */
    assert_true(was_asked(&w, 16) && !was_asked(&w, 32));
}

static void all_over_the_limit_leaves_no_candidate(void **state)
{
    struct world w = { .rate = saturating, .over_from = 1 };
    struct search_answer a = walk(&w);
    (void)state;
    assert_int_equal(w.asked_count, 2);
    assert_int_equal(a.knee, 0);
    for (size_t i = 0; i < a.count; i++)
        assert_true(a.sizes[i].why == WHY_OVER_SLO || a.sizes[i].why == WHY_NOT_TRIED_OVER_SLO);
}

static void incumbent_is_a_candidate_wherever_it_lies(void **state)
{
    struct world without = { .rate = flat }, beyond = { .rate = flat, .incumbent = 64 },
                 between = { .rate = flat, .incumbent = 7 }, slow = { .rate = saturating, .incumbent = 1 };
    struct search_answer a = walk(&without);
    (void)state;
    assert_int_equal(why_of(&a, 64), WHY_NOT_TRIED_DOMINATED);
    a = walk(&beyond);
    assert_true(was_asked(&beyond, 64) == 1 && beyond.asked[beyond.asked_count - 1] == 64); /* last */
    assert_int_equal(why_of(&a, 64), WHY_NONE);
    assert_int_equal(why_of(&a, 32), WHY_NOT_TRIED_DOMINATED);
    a = walk(&between);
    assert_int_equal(why_of(&a, 7), WHY_NONE); /* though it gains nothing */
    struct world slow_without = { .rate = saturating };
    a = walk(&slow_without);
    assert_int_equal(why_of(&a, 1), WHY_SLOWER_COARSE);
    a = walk(&slow);
    assert_int_equal(why_of(&a, 1), WHY_NONE);
    assert_int_equal(a.knee, 32); /* 32/33.5 = .955 >= .95 x 64/65.5 = .928 > 16/17.5 = .914 */
}

static void incumbent_over_the_limit_is_none(void **state)
{
    struct world w = { .rate = flat, .incumbent = 64, .over_from = 60 };
    struct search_answer a = walk(&w);
    (void)state;
    assert_int_equal(why_of(&a, 64), WHY_OVER_SLO);
}

static void budget_leaves_the_incumbent_untried(void **state)
{
    struct search_answer a;
    const struct search_result one = { .batch = 1, .y = 0, .t_iter_ns = 1e7 };
    (void)state;
    search_step(&a, &(struct search_ask){ .max_batch = 4, .within = .05, .results = &one, .result_count = 1,
                                          .out_of_budget = true, .incumbent = 16 });
    assert_int_equal(a.next, 0);
    assert_int_equal(why_of(&a, 16), WHY_NOT_TRIED_BUDGET);
    assert_int_equal(why_of(&a, 2), WHY_NOT_TRIED_BUDGET);
}

static void probes_end_when_they_say_enough(void **state)
{
    struct search_answer sofar = { .count = 2 };
    sofar.sizes[0] = (struct search_size){ .batch = 1, .has_y = true, .y = -1 };
    sofar.sizes[1] = (struct search_size){ .batch = 2, .has_y = true, .y = 0 };
    const struct search_answer nothing = { 0 };
    (void)state;
    assert_false(search_probed_enough(&nothing, 1, 5, 1));
    assert_false(search_probed_enough(&nothing, 1, 5, 2));
    assert_true(search_probed_enough(&nothing, 1, 5, 3));
    assert_true(search_probed_enough(&sofar, 4, log(1.16), 1));
    assert_false(search_probed_enough(&sofar, 4, log(1.14), 1));
    assert_true(search_probed_enough(&sofar, 4, log(1.03), 2));
    assert_false(search_probed_enough(&sofar, 4, log(1.01), 2));
    assert_true(search_probed_enough(&sofar, 4, log(.5), 3));
    assert_true(search_probed_enough(&sofar, 3, log(1.04), 1)); /* it gains */
    assert_false(search_probed_enough(&sofar, 3, log(1.02), 1));
    assert_true(search_probed_enough(&sofar, 3, log(.9), 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_sizes_over_the_limit_end_the_ascent),
        cmocka_unit_test(all_over_the_limit_leaves_no_candidate),
        cmocka_unit_test(incumbent_is_a_candidate_wherever_it_lies),
        cmocka_unit_test(incumbent_over_the_limit_is_none),
        cmocka_unit_test(budget_leaves_the_incumbent_untried),
        cmocka_unit_test(probes_end_when_they_say_enough),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
