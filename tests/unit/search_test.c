/* The ascent: which sizes are probed in which order, what becomes a candidate, why the others do not. */
#include "tuner/search.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* A machine whose rate is known for every size; NAN: it fails with `why`. */
struct machine {
    double (*rate)(int batch);
    enum why why;
    double t_iter_ns;
    int    max_batch;
    const int *given;
    size_t given_count;
    int    probes;       /* so many are allowed; 0: no limit */
};
struct walk {
    int order[64];
    size_t count;
    struct search_answer answer;
};

static struct walk go(const struct machine *m)
{
    struct search_result results[64];
    struct walk w = { .count = 0 };
    struct search_ask ask = { .max_batch = m->max_batch ? m->max_batch : 128, .within = .05, .given = m->given,
                              .given_count = m->given_count, .results = results };
    for (search_step(&w.answer, &ask); w.answer.next; search_step(&w.answer, &ask)) {
        int b = w.answer.next;
        assert_true(w.count < 64);
        if (m->probes && w.count == (size_t)m->probes) {
            ask.out_of_budget = true;
            continue;
        }
        double rate = m->rate(b);
        w.order[w.count++] = b;
        results[ask.result_count++] = (struct search_result){ b, isnan(rate) ? m->why : WHY_NONE, log(rate), m->t_iter_ns };
    }
    return w;
}

static void assert_order(const struct walk *w, const char *want)
{
    char got[256] = "";
    for (size_t i = 0; i < w->count; i++)
        snprintf(got + strlen(got), sizeof got - strlen(got), "%s%d", i ? " " : "", w->order[i]);
    assert_string_equal(got, want);
}

static void assert_candidates(const struct walk *w, const char *want)
{
    char got[256] = "";
    for (size_t i = 0; i < w->answer.count; i++)
        if (w->answer.sizes[i].why == WHY_NONE)
            snprintf(got + strlen(got), sizeof got - strlen(got), "%s%d", *got ? " " : "", w->answer.sizes[i].batch);
    assert_string_equal(got, want);
}

static enum why why_of(const struct walk *w, int batch)
{
    for (size_t i = 0; i < w->answer.count; i++)
        if (w->answer.sizes[i].batch == batch)
            return w->answer.sizes[i].why;
    fail_msg("size %d is not there", batch);
    return WHY_NONE;
}

/* b / (b + 2): .33 .5 .67 .8 .889 .941 .970 .985; gains of 32 -> 64 3 %, 64 -> 128 1.5 %. best .985: X = 5 % begins at
 * .935: K = 32, L = 128. Mids 12 (3K/8), 24, 48, 96 (3L/4), and 192 is over the limit. Cut: below .738: 1 2 4. */
static double hyperbola(int b) { return 1000.0 * b / (b + 2); }

static void a_smooth_curve(void **state)
{
    (void)state;
    struct machine m = { .rate = hyperbola, .t_iter_ns = 1e6 };
    struct walk w = go(&m);
    assert_order(&w, "1 2 4 8 16 32 64 128 12 24 48 96");
    assert_candidates(&w, "8 16 32 64 128");
    assert_int_equal(why_of(&w, 4), WHY_SLOWER_COARSE);
    assert_int_equal(why_of(&w, 48), WHY_MIDPOINT_NO_GAIN);
}

/* Two flat sizes in a row end the ascent, but not before 8 where iterations are fast (under 100 ms at 1), 4 where they
 * are slow. With a knee at 2, 4 and 8 are the flat ones. */
static double knee(int b) { return b < 2 ? 500 : 1000 + b; }
static double level(int b) { return 1000 - 0.1 * b; }

static void back_off(void **state)
{
    (void)state;
    struct machine slow = { .rate = level, .t_iter_ns = 2e8 }, fast = { .rate = level, .t_iter_ns = 1e6 },
                   bent = { .rate = knee, .t_iter_ns = 2e8 };
    struct walk w = go(&slow);
    assert_order(&w, "1 2 4"); /* 2 and 4 flat; K = L = 1 has no mids */
    assert_int_equal(why_of(&w, 8), WHY_NOT_TRIED_DOMINATED);
    assert_int_equal(why_of(&w, 128), WHY_NOT_TRIED_DOMINATED);
    w = go(&fast);
    assert_order(&w, "1 2 4 8");
    w = go(&bent);
    assert_order(&w, "1 2 4 8 3 6 12"); /* K = 2: 3; L = 8: 6 and 12 */
}

/* A 15 % dip at 8 does not end the ascent: one flat size, then growth. */
static double dip(int b) { return b == 8 ? 0.85 * hyperbola(8) : hyperbola(b); }

static void one_dip_does_not_end_it(void **state)
{
    (void)state;
    struct machine m = { .rate = dip, .t_iter_ns = 1e6 };
    struct walk w = go(&m);
    assert_int_equal(w.order[7], 128);
    assert_candidates(&w, "16 32 64 128"); /* 8 at .68 of 1000 is below .739 */
}

/* .5 at 1 rising linearly to .8 at 8, to 1.0 at 12, falling to .84 at 16, then +.02 per doubling. */
static double saw_tooth(int b)
{
    double x = b;
    return 1000 * (x <= 8 ? .5 + .3 * (x - 1) / 7 : x <= 12 ? .8 + .2 * (x - 8) / 4 : x <= 16 ? 1 - .16 * (x - 12) / 4
                   : .84 + .02 * log2(x / 16));
}

static void a_size_in_between_that_beats_all(void **state)
{
    (void)state;
    struct machine m = { .rate = saw_tooth, .t_iter_ns = 1e6 };
    struct walk w = go(&m);
    int has = 0;
    for (size_t i = 0; i < w.answer.count; i++)
        has += w.answer.sizes[i].why == WHY_NONE && w.answer.sizes[i].batch == 12;
    assert_int_equal(has, 1);
    assert_int_equal(why_of(&w, 24), WHY_MIDPOINT_NO_GAIN);
}

static double fails_16(int b) { return b == 16 ? NAN : hyperbola(b); }
static double fails_from_16(int b) { return b >= 16 ? NAN : hyperbola(b); }
static double fails_from_21(int b) { return b >= 21 ? NAN : 100.0 * b; }
static double fails_all(int b) { (void)b; return NAN; }

static void failures(void **state)
{
    (void)state;
    struct machine one = { .rate = fails_16, .why = WHY_OUT_OF_MEMORY, .t_iter_ns = 1e6 },
                   two = { .rate = fails_from_16, .why = WHY_OVER_MEMORY, .t_iter_ns = 1e6 },
                   all = { .rate = fails_all, .why = WHY_CRASHED, .t_iter_ns = 1e6 };
    struct walk w = go(&one);
    assert_int_equal(w.order[7], 128); /* memory is not monotone: 32 runs */
    assert_int_equal(why_of(&w, 16), WHY_OUT_OF_MEMORY);
    w = go(&two);
    assert_int_equal(w.order[5], 32);
    assert_int_equal(why_of(&w, 64), WHY_NOT_TRIED_FAILED);
    assert_int_equal(why_of(&w, 16), WHY_OVER_MEMORY);
    w = go(&all);
    assert_order(&w, "1 2");
    assert_candidates(&w, "");
}

/* Rates grow linearly, 21 and more fail: L = 16 is the largest that runs, 32 and 64 fail. Mids of K = L = 16: 6, 12, 24
 * (fails). Then the edge between 16 and 24 is bisected: 20 runs, 22 fails, 21 fails: three probes. 20 beats 16 by 25 %:
 * in. Half way to its neighbours: 18 (16..20, runs, +12 %: in); above is 21 - nothing between. */
static void the_edge_of_memory_is_searched(void **state)
{
    (void)state;
    struct machine m = { .rate = fails_from_21, .why = WHY_OUT_OF_MEMORY, .t_iter_ns = 1e6 };
    struct walk w = go(&m);
    assert_order(&w, "1 2 4 8 16 32 64 6 12 24 20 22 21 18");
    assert_candidates(&w, "16 18 20"); /* .75 x 2000 = 1500: 16 stays */
}

static void given_sizes_are_walked_to_the_end(void **state)
{
    (void)state;
    static const int given[] = { 1, 3, 16, 17, 40 };
    struct machine m = { .rate = fails_from_16, .why = WHY_OUT_OF_MEMORY, .given = given, .given_count = 5 };
    struct walk w = go(&m);
    assert_order(&w, "1 3 16 17 40");
    assert_candidates(&w, "1 3");
}

static void the_budget_ends_it(void **state)
{
    (void)state;
    static const int given[] = { 1, 2, 3 };
    struct machine m = { .rate = hyperbola, .t_iter_ns = 1e6, .probes = 4 },
                   g = { .rate = hyperbola, .given = given, .given_count = 3, .probes = 1 };
    struct walk w = go(&m);
    assert_candidates(&w, "4 8"); /* 800 x .75 = 600 */
    assert_int_equal(why_of(&w, 16), WHY_NOT_TRIED_BUDGET);
    assert_int_equal(why_of(&w, 128), WHY_NOT_TRIED_BUDGET);
    w = go(&g);
    assert_candidates(&w, "1");
    assert_int_equal(why_of(&w, 3), WHY_NOT_TRIED_BUDGET);
}

/* Powers of two up to 4096, all alike fast but growing by 2.1 %: 13 of them, 10 may stay; K and L are among them. */
static double slow_growth(int b) { return 1000 * pow(1.021, log2(b)); }

static void never_more_than_ten(void **state)
{
    (void)state;
    struct machine m = { .rate = slow_growth, .t_iter_ns = 1e6, .max_batch = 4096 };
    struct walk w = go(&m);
    assert_candidates(&w, "8 16 32 64 128 256 512 1024 2048 4096");
    assert_int_equal(why_of(&w, 4), WHY_SLOWER_COARSE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_smooth_curve),
        cmocka_unit_test(back_off),
        cmocka_unit_test(one_dip_does_not_end_it),
        cmocka_unit_test(a_size_in_between_that_beats_all),
        cmocka_unit_test(failures),
        cmocka_unit_test(the_edge_of_memory_is_searched),
        cmocka_unit_test(given_sizes_are_walked_to_the_end),
        cmocka_unit_test(the_budget_ends_it),
        cmocka_unit_test(never_more_than_ten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
