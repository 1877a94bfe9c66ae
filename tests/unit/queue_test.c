/* The queue simulation against arithmetic by hand and against the formula of a queue with constant
 * service. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "kernels/base/rng.h"
#include "tuner/queue.h"
#include "tuner/stats.h"

enum { MANY = 100000 };
#define ONE(x) { .images = 1, .service_s = (const double[]){ x }, .count = 1 }

static bool near(double a, double b)
{
    return fabs(a - b) < 1e-12;
}

static void a_full_batch_starts_at_once(void **state)
{
    const double arrivals[] = { 0, .001, .002, .5 };
    const struct queue_times times[] = { ONE(.010), { .images = 3, .service_s = (const double[]){ .020 },
                                                      .count = 1 } };
    double r[4];
    struct queue_answer a;
    (void)state;
    struct queue_ask ask = { .arrivals = arrivals, .count = 4, .rate = 1, .times = times, .time_count = 2,
                             .batch = 3,
                             .delay_s = .1, .instances = 1 };
    assert_true(queue_simulate(&a, r, &ask));
    /* the third arrival fills the batch at .002; it ends at .022. The fourth waits .1 in vain, alone: .5 + .1
     * + .010 */
    assert_true(near(r[0], .022) && near(r[1], .021) && near(r[2], .020) && near(r[3], .110));
    assert_int_equal(a.batches, 2);
    assert_true(near(a.capacity, 150) && near(a.mean_images, 2));
}

static void the_oldest_waits_no_longer_than_the_delay(void **state)
{
    const double arrivals[] = { 0, .003, .006, .008 };
    const struct queue_times times[] = { ONE(.001), { .images = 4, .service_s = (const double[]){ .002 },
                                                      .count = 1 } };
    double r[4];
    struct queue_answer a;
    (void)state;
    struct queue_ask ask = { .arrivals = arrivals, .count = 4, .rate = 1, .times = times, .time_count = 2,
                             .batch = 4,
                             .delay_s = .005, .instances = 1 };
    assert_true(queue_simulate(&a, r, &ask));
    /* at .005 two are there: padded to 4, done at .007; the next two at .006 + .005 = .011, done at .013 */
    assert_true(near(r[0], .007) && near(r[1], .004) && near(r[2], .007) && near(r[3], .005));
}

static void a_busy_instance_makes_all_wait(void **state)
{
    const double arrivals[] = { 0, .001, .002 };
    const struct queue_times times[] = { ONE(.010) };
    double r[3];
    struct queue_answer a;
    (void)state;
    struct queue_ask ask = { .arrivals = arrivals, .count = 3, .rate = 1, .times = times, .time_count = 1,
                             .batch = 1,
                             .instances = 1 };
    assert_true(queue_simulate(&a, r, &ask));
    assert_true(near(r[0], .010) && near(r[1], .019) && near(r[2], .028));
    ask.instances = 2; /* the second goes to the other one */
    assert_true(queue_simulate(&a, r, &ask));
    assert_true(near(r[0], .010) && near(r[1], .010) && near(r[2], .018));
    ask.rate = 2; /* the same arrivals in half the time */
    assert_true(queue_simulate(&a, r, &ask));
    assert_true(near(r[2], .010 - .001 + .010));
}

static void bounds_are_held(void **state)
{
    const double arrivals[] = { 0 };
    const struct queue_times times[] = { ONE(.010) };
    double r[1];
    struct queue_answer a;
    const struct queue_ask good = { .arrivals = arrivals, .count = 1, .rate = 1, .times = times,
                                    .time_count = 1,
                                    .batch = 1, .instances = 1 };
    struct queue_ask bad[6] = { good, good, good, good, good, good };
    (void)state;
    assert_true(queue_simulate(&a, r, &good));
    bad[0].count = 0;
    bad[1].rate = 0;
    bad[2].batch = 2; /* no time for 2 images */
    bad[3].instances = 0;
    bad[4].instances = QUEUE_INSTANCES_MAX + 1;
    bad[5].delay_s = -1;
    for (size_t i = 0; i < 6; i++)
        assert_false(queue_simulate(&a, r, &bad[i]));
}

/* --- random arrivals ------------------------------------------------------------------------------------ */

static void draw(double *arrivals, double *uniform, uint64_t seed)
{
    struct rng r = rng_seeded(seed);
    double at = 0;
    for (size_t i = 0; i < MANY; i++) {
        at -= log(rng_uniform(&r));
        arrivals[i] = at;
        uniform[i] = rng_uniform(&r);
    }
}

struct world {
    double arrivals[MANY], uniform[MANY], response[MANY];
};

static double mean_wait(struct world *w, double rho, double s)
{
    double sum = 0;
    const struct queue_times times[] = { ONE(s) };
    struct queue_ask ask = { .arrivals = w->arrivals, .count = MANY, .rate = rho / s, .times = times,
                             .time_count = 1,
                             .batch = 1, .instances = 1 };
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct queue_answer a;
        draw(w->arrivals, w->uniform, seed);
        assert_true(queue_simulate(&a, w->response, &ask));
        assert_false(a.saturated);
        sum += a.mean_s - s;
    }
    return sum / 5;
}

/* One at a time, no delay, constant service s: mean wait = rho s / (2 (1 - rho)) (Pollaczek and
 * Khinchine). */
static void mean_wait_agrees_with_the_formula(void **state)
{
    struct world *w = malloc(sizeof *w);
    (void)state;
    for (double rho = .3; rho < .8; rho += .2) {
        double s = .02, want = rho * s / (2 * (1 - rho)), exponential = rho * s / (1 - rho),
            got = mean_wait(w, rho, s);
        assert_true(fabs(got / want - 1) < .02);
        assert_true(fabs(got / exponential - 1) > .02); /* the wrong twin: the formula of random service
                                                           times */
    }
    free(w);
}

static void overload_is_called_saturated(void **state)
{
    struct world *w = malloc(sizeof *w);
    const struct queue_times times[] = { ONE(.01), { .images = 8, .service_s = (const double[]){ .04 },
                                                     .count = 1 } };
    struct queue_ask ask = { .arrivals = w->arrivals, .count = MANY, .rate = 199, .times = times,
                             .time_count = 2,
                             .batch = 8, .delay_s = .005, .instances = 1 };
    struct queue_answer a;
    (void)state;
    draw(w->arrivals, w->uniform, 1);
    assert_true(queue_simulate(&a, w->response, &ask));
    assert_true(near(a.capacity, 200));
    ask.rate = 100;
    assert_true(queue_simulate(&a, w->response, &ask));
    assert_false(a.saturated);
    ask.rate = 200;
    assert_true(queue_simulate(&a, w->response, &ask));
    assert_true(a.saturated);
    ask.rate =
        190; /* every third batch takes thrice as long: by their median 200 could be served, on average 120 */
    ask.uniform = w->uniform;
    ask.times = (const struct queue_times[]){ { .images = 8, .service_s = (const double[]){ .04, .04, .12 },
                                                .count = 3 } };
    ask.time_count = 1;
    assert_true(queue_simulate(&a, w->response, &ask));
    assert_true(near(a.capacity, 120) && a.saturated);
    ask.uniform = NULL;
    assert_true(queue_simulate(&a, w->response, &ask));
    assert_true(near(a.capacity, 200) && !a.saturated);
    free(w);
}

/* 100 a second for a while, then 300: less than 200 on average, but from then on the queue grows. */
static void a_growing_queue_is_called_saturated(void **state)
{
    struct world *w = malloc(sizeof *w);
    const struct queue_times times[] = { { .images = 8, .service_s = (const double[]){ .04 }, .count = 1 } };
    struct queue_ask ask = { .arrivals = w->arrivals,
                             .count = MANY,
                             .rate = 1,
                             .times = times,
                             .time_count = 1,
                             .batch = 8,
                             .delay_s = .005,
                             .instances = 1 };
    struct queue_answer a;
    (void)state;
    for (size_t i = 0; i < MANY; i++)
        w->arrivals[i] = i < MANY / 2 ? (double)i / 100 : MANY / 200. + (double)(i - MANY / 2) / 300;
    assert_true(queue_simulate(&a, w->response, &ask));
    assert_true(a.saturated && near(a.capacity, 200));
    ask.count = MANY / 2; /* the first half alone */
    assert_true(queue_simulate(&a, w->response, &ask));
    assert_false(a.saturated);
    free(w);
}

/* A stall of one second in one of 2,000 calls: 0.05 % of the service times, but all who wait behind it feel
 * it. */
static void a_stall_shows_in_responses(void **state)
{
    enum { CALLS = 2000 };
    struct world *w = malloc(sizeof *w);
    static double service[CALLS];
    (void)state;
    for (size_t i = 0; i < CALLS; i++)
        service[i] = .01;
    service[7] = 1;
    const struct queue_times times[] = { { .images = 1, .service_s = service, .count = CALLS } };
    struct queue_ask ask = { .arrivals = w->arrivals, .count = MANY, .rate = 50, .times = times,
                             .time_count = 1,
                             .batch = 1, .instances = 1, .uniform = w->uniform };
    struct queue_answer a;
    double p99;
    draw(w->arrivals, w->uniform, 3);
    assert_true(queue_simulate(&a, w->response, &ask));
    queue_percentiles(&p99, (const double[]){ .99 }, 1, w->response, MANY);
    stats_sort(service, CALLS);
    assert_true(stats_quantile_sorted(service, CALLS, .99) == .01);
    assert_true(p99 > .2);
    free(w);
}

/* Selection gives what sorting gives; the first tenth is left out. Few different values, many, all equal. */
static void percentiles_are_those_of_sorting(void **state)
{
    static const double p[] = { .01, .5, .9, .95, .99, 1 };
    static double x[1000], sorted[1000];
    double got[6], short_of[6];
    struct rng r = rng_seeded(5);
    (void)state;
    for (int trial = 0; trial < 60; trial++) {
        size_t n = trial < 20 ? (size_t)trial + 1 : 1000 - (size_t)trial;
        double values = trial % 3 == 0 ? 1 : trial % 3 == 1 ? 7 : 1e9;
        for (size_t i = 0; i < n; i++)
            x[i] = i < n / 10 ? 1e12 : floor(rng_uniform(&r) * values);
        for (size_t i = 0; i < n - n / 10; i++)
            sorted[i] = x[n / 10 + i];
        stats_sort(sorted, n - n / 10);
        queue_percentiles(got, p, 6, x, n);
        for (size_t i = 0; i < 6; i++)
            assert_true(got[i] == stats_quantile_sorted(sorted, n - n / 10, p[i]));
    }
    queue_percentiles(short_of, p, 6, x, 0);
    assert_true(isnan(short_of[0]));
    assert_int_equal(queue_dropped(1009), 100);
}

/* --- recommendation ------------------------------------------------------------------------------------- */

static void smallest_delay_near_the_best_is_recommended(void **state)
{
    struct queue_point p[] = {
        { .delay_s = 0, .p95_s = .200, .limited_s = .9 }, { .delay_s = .001, .p95_s = .104, .limited_s = .6 },
        { .delay_s = .002, .p95_s = .100, .limited_s = .5 }, { .delay_s = .5, .saturated = true,
                                                               .p95_s = .01 },
    };
    (void)state;
    assert_int_equal(queue_recommend(p, 4, 0), 1);   /* 104 <= 1.05 x 100 */
    assert_int_equal(queue_recommend(p, 4, .55), 2); /* only that one keeps the limit */
    assert_true(queue_recommend(p, 4, .1) == QUEUE_NONE);
    p[1].p95_s = .106;
    assert_int_equal(queue_recommend(p, 4, 0), 2);
    assert_true(queue_delays_s[0] == 0 && queue_delays_s[QUEUE_DELAYS - 1] == .5);
}

static bool below_forty_two(void *calls, double rate)
{
    ++*(int *)calls;
    return rate <= 42;
}

static void rate_that_fits_is_found(void **state)
{
    int calls = 0;
    (void)state;
    double rate = queue_rate_that_fits(100, below_forty_two, &calls);
    assert_true(rate <= 42 && rate > 41.5 && calls < 12);
    assert_true(queue_rate_that_fits(40, below_forty_two, &calls) == 40);
    assert_true(queue_rate_that_fits(10000, below_forty_two, &calls) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_batch_starts_at_once),
        cmocka_unit_test(the_oldest_waits_no_longer_than_the_delay),
        cmocka_unit_test(a_busy_instance_makes_all_wait),
        cmocka_unit_test(bounds_are_held),
        cmocka_unit_test(mean_wait_agrees_with_the_formula),
        cmocka_unit_test(overload_is_called_saturated),
        cmocka_unit_test(a_growing_queue_is_called_saturated),
        cmocka_unit_test(a_stall_shows_in_responses),
        cmocka_unit_test(percentiles_are_those_of_sorting),
        cmocka_unit_test(smallest_delay_near_the_best_is_recommended),
        cmocka_unit_test(rate_that_fits_is_found),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
