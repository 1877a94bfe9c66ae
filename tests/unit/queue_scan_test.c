/* Arrivals, and queues over delays, seeds and batch sizes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/queue/scan.h"
#include "kernels/base/len.h"
#include "kernels/base/rng.h"

/* --- traces --------------------------------------------------------------------------------------------- */

static enum status read_text(struct arrivals_set *out, const char *text, size_t size, struct err *err)
{
    char path[] = "/tmp/bench-trace-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, text, size) == (ssize_t)size && close(fd) == 0);
    enum status st = arrivals_read(out, path, 1, err);
    unlink(path);
    return st;
}

static void a_trace_is_read(void **state)
{
    const char text[] = "# recorded on a Tuesday\n 10\n10.5 \n\n10.5\r\n12.0\n14";
    struct arrivals_set a;
    struct err err = { 0 };
    (void)state;
    assert_int_equal(read_text(&a, text, strlen(text), &err), ST_OK);
    /* five arrivals in four seconds: four gaps, one a second on average */
    assert_int_equal(a.count, 5);
    assert_true(fabs(a.trace_rate - 1) < 1e-12);
    assert_true(a.at[0][0] == 0 && fabs(a.at[0][3] - 2) < 1e-12 && fabs(a.at[4][4] - 4) < 1e-12);
    assert_true(a.uniform[0][0] != a.uniform[1][0]);
    arrivals_free(&a);
}

static void bad_traces_are_refused_with_their_line(void **state)
{
    static const struct { const char *text; enum status status; const char *says; } rows[] = {
        { "0\n1\nlater\n", ST_CONFIG, ":3: an offset in seconds >= 0 is expected, got \"later\"" },
        { "0\n1 2\n", ST_CONFIG, ":2: an offset" },
        { "-1\n", ST_CONFIG, ":1: an offset" },
        { "nan\n1\n", ST_CONFIG, ":1: an offset" },
        { "0\ninf\n", ST_CONFIG, ":2: an offset" },
        { "0\n2\n\n1.5\n", ST_CONFIG, ":4: offsets must ascend, 1.5 comes after 2" },
        { "", ST_CONFIG, "at least two different offsets" },
        { "# nothing\n7\n", ST_CONFIG, "1 arrival is given" },
        { "7\n7\n7\n", ST_CONFIG, "at least two different offsets" },
    };
    (void)state;
    for (size_t i = 0; i < LEN(rows); i++) {
        struct arrivals_set a;
        struct err err = { 0 };
        assert_int_equal(read_text(&a, rows[i].text, strlen(rows[i].text), &err), rows[i].status);
        if (!strstr(err.text, rows[i].says))
            fail_msg("%zu: \"%s\" does not say \"%s\"", i, err.text, rows[i].says);
        assert_null(a.block);
    }
    char endless[400];
    memset(endless, '1', sizeof endless);
    struct arrivals_set a;
    struct err err = { 0 };
    assert_int_equal(read_text(&a, endless, sizeof endless, &err), ST_CONFIG);
    assert_non_null(strstr(err.text, ":1: the line is too long"));
    assert_int_equal(arrivals_read(&a, "/nonexistent/trace", 1, &err), ST_IO);
    assert_int_equal(arrivals_read(&a, "/tmp", 1, &err), ST_IO);
    assert_non_null(strstr(err.text, "/tmp: a file with one offset"));
    assert_int_equal(arrivals_read(&a, "/nonexistent/trace", 1, NULL), ST_IO);
}

static void random_arrivals_are_poisson(void **state)
{
    struct arrivals_set a, b;
    size_t longer = 0;
    (void)state;
    assert_int_equal(arrivals_random(&a, 20000, 7, NULL), ST_OK);
    assert_int_equal(arrivals_random(&b, 20000, 8, NULL), ST_OK);
    for (size_t s = 0; s < ARRIVALS_SEEDS; s++) {
        assert_true(fabs(a.at[s][19999] / 20000 - 1) < .03); /* standard error 1/sqrt(20000) = .7 % */
        for (size_t i = 1; i < a.count; i++)
            longer += a.at[s][i] - a.at[s][i - 1] > 1;
    }
    assert_true(fabs((double)longer / 1e5 - exp(-1)) < .006); /* P(gap > mean) = 1/e; standard error .0015 */
    assert_true(a.at[1][500] == b.at[0][500] && a.at[0][500] != b.at[0][500]); /* seeds 8 and 8, 7 and 8 */
    arrivals_free(&a);
    arrivals_free(&b);
}

/* --- scans ---------------------------------------------------------------------------------------------- */

#define ONE(n, s) { .images = n, .service_s = (const double[]){ s }, .count = 1 }

/* A batch of n costs 10 + 2 n ms: large ones pay. */
static const struct queue_times paying[] = { ONE(1, .012), ONE(2, .014), ONE(4, .018), ONE(8, .026) };

struct bench {
    struct arrivals_set arrivals;
    struct scan_ask ask;
};

static struct bench bench_open(const struct queue_times *times, size_t count, int batch, double rate)
{
    struct bench b = { .ask = { .times = times, .time_count = count, .batch = batch, .instances = 1,
                                .rate = rate } };
    assert_int_equal(arrivals_random(&b.arrivals, 20000, 1, NULL), ST_OK);
    return b;
}

static enum status scan_it(struct scan *out, struct bench *b)
{
    struct err err = { 0 };
    b->ask.arrivals = &b->arrivals;
    return scan_run(out, &b->ask, &err);
}

static void a_delay_is_recommended(void **state)
{
    struct bench b = bench_open(paying, LEN(paying), 8, 150);
    struct scan s;
    (void)state;
    assert_int_equal(scan_it(&s, &b), ST_OK);
    assert_true(fabs(s.capacity - 8 / .026) < 1e-9 && fabs(s.load - 150 * .026 / 8) < 1e-9);
    assert_int_equal(s.count, QUEUE_DELAYS);
    assert_true(s.recommended != QUEUE_NONE);
    const struct scan_point *best = &s.points[s.recommended];
    for (size_t i = 0; i < s.count; i++) {
        const struct scan_point *p = &s.points[i];
        assert_false(p->saturated);
        assert_true(p->p50_s.value <= p->p90_s.value && p->p90_s.value <= p->p95_s.value &&
                    p->p95_s.value <= p->p99_s.value);
        assert_true(p->p95_s.low <= p->p95_s.value && p->p95_s.value <= p->p95_s.high);
        assert_true(best->p95_s.value <= 1.05 * p->p95_s.value);          /* within 5 % of every other */
        assert_true(i >= s.recommended || p->p95_s.value * 1.05 > best->p95_s.value);
        assert_true(i == 0 ||
                    p->mean_images >= s.points[i - 1].mean_images - .05); /* waiting fills batches */
    }
    /* 500 ms at 150/s: full batches (8 in 53 ms), so the p95 is no worse than for 200 ms */
    assert_true(s.points[9].mean_images > 7.9);
    b.ask.delays_s = (const double[]){ .007 };
    b.ask.delay_count = 1;
    assert_int_equal(scan_it(&s, &b), ST_OK);
    assert_true(s.count == 1 && s.points[0].delay_s == .007 && s.recommended == 0);
    arrivals_free(&b.arrivals);
}

static void limits_are_kept_or_a_rate_is_named(void **state)
{
    struct bench b = bench_open(paying, LEN(paying), 8, 250); /* 81 % of 307/s */
    struct scan free_scan, s;
    struct err err = { 0 };
    bool fits;
    double rate, delay_s;
    (void)state;
    assert_int_equal(scan_it(&free_scan, &b), ST_OK);
    double p99 = free_scan.points[free_scan.recommended].p99_s.value;
    b.ask.percentile = .99;
    b.ask.limit_s = 1.2 * p99;
    assert_int_equal(scan_it(&s, &b), ST_OK);
    assert_true(s.recommended != QUEUE_NONE && s.points[s.recommended].limited_s <= b.ask.limit_s);
    assert_true(s.points[s.recommended].limited_s == s.points[s.recommended].p99_s.value);
    assert_int_equal(scan_fits(&fits, &delay_s, &b.ask, &err), ST_OK);
    assert_true(fits && delay_s >= 0);
    b.ask.limit_s = .030; /* 26 ms for a full batch, and 250/s: no */
    assert_int_equal(scan_it(&s, &b), ST_OK);
    assert_true(s.recommended == QUEUE_NONE);
    assert_int_equal(scan_fits(&fits, NULL, &b.ask, &err), ST_OK);
    assert_false(fits);
    assert_int_equal(scan_rate_that_fits(&rate, &b.ask, &err), ST_OK);
    assert_true(rate > 2.5 && rate < 250);
    b.ask.rate = rate;
    assert_int_equal(scan_fits(&fits, NULL, &b.ask, &err), ST_OK);
    assert_true(fits);
    b.ask.rate = 1.05 * rate;
    assert_int_equal(scan_fits(&fits, NULL, &b.ask, &err), ST_OK);
    assert_false(fits);
    b.ask.limit_s = .005; /* less than one image takes */
    assert_int_equal(scan_rate_that_fits(&rate, &b.ask, &err), ST_OK);
    assert_true(rate == 0);
    arrivals_free(&b.arrivals);
}

static void overload_has_no_percentiles(void **state)
{
    struct bench b = bench_open(paying, LEN(paying), 8, 308); /* capacity 307.7 */
    struct scan s;
    struct err err = { 0 };
    double rate;
    (void)state;
    assert_int_equal(scan_it(&s, &b), ST_OK);
    for (size_t i = 0; i < s.count; i++)
        assert_true(s.points[i].saturated && isnan(s.points[i].p95_s.value) &&
                    isnan(s.points[i].mean_s.value));
    assert_true(s.recommended == QUEUE_NONE && s.load > 1);
    assert_int_equal(scan_rate_that_fits(&rate, &b.ask, &err), ST_OK);
    assert_true(rate > .9 * s.capacity && rate < s.capacity);
    arrivals_free(&b.arrivals);
}

/* Two instances of a size do not quite what one of twice the speed does, but serve twice as much. */
static void instances_count(void **state)
{
    struct bench b = bench_open(paying, 1, 1, 120); /* one can do 83/s, two 167/s */
    struct scan s;
    (void)state;
    assert_int_equal(scan_it(&s, &b), ST_OK);
    assert_true(s.points[0].saturated);
    b.ask.instances = 2;
    assert_int_equal(scan_it(&s, &b), ST_OK);
    assert_true(!s.points[0].saturated && fabs(s.capacity - 2 / .012) < 1e-9 &&
                s.points[0].p50_s.value >= .012);
    arrivals_free(&b.arrivals);
}

static void a_better_batch_size_is_found(void **state)
{
    static const int batches[] = { 1, 2, 4, 8 };
    struct bench b = bench_open(paying, LEN(paying), 1, 78); /* 94 % of what single images can be served at */
    struct scan own, better;
    struct err err = { 0 };
    (void)state;
    assert_int_equal(scan_it(&own, &b), ST_OK);
    assert_int_equal(scan_better_batch(&better, &own, &b.ask, batches, LEN(batches), &err), ST_OK);
    assert_true(better.batch > 1);
    assert_true(better.points[better.recommended].p95_s.value <
                .95 * own.points[own.recommended].p95_s.value);
    b.ask.batch = 8; /* nothing is better than waiting for nobody in batches of up to 8 */
    assert_int_equal(scan_it(&own, &b), ST_OK);
    assert_int_equal(scan_better_batch(&better, &own, &b.ask, batches, LEN(batches), &err), ST_OK);
    assert_int_equal(better.batch, 0);
    arrivals_free(&b.arrivals);
}

/* With the median of every size the times do not vary: their p95 is below that of the measured ones. */
static void medians_hide_slow_calls(void **state)
{
    static const double service[] = { .010, .010, .010, .010, .010, .010, .010, .010, .010, .100 };
    static const struct queue_times times[] = {
        { .images = 1, .service_s = service, .count = LEN(service) }
    };
    struct bench b = bench_open(times, 1, 1, 20);
    struct scan measured, median;
    (void)state;
    assert_int_equal(scan_it(&measured, &b), ST_OK);
    b.ask.median = true;
    assert_int_equal(scan_it(&median, &b), ST_OK);
    assert_true(median.points[0].p95_s.value < .04 && measured.points[0].p95_s.value > .1);
    arrivals_free(&b.arrivals);
}

static void short_traces_print_no_percentile(void **state)
{
    double offsets[100];
    struct bench b = { .ask = { .times = paying, .time_count = LEN(paying), .batch = 8, .instances = 1 } };
    struct scan s;
    struct err err = { 0 };
    (void)state;
    for (size_t i = 0; i < LEN(offsets); i++)
        offsets[i] = .02 * (double)i;
    assert_int_equal(arrivals_of(&b.arrivals, offsets, LEN(offsets), 1, &err), ST_OK);
    b.ask.rate = b.arrivals.trace_rate;
    assert_int_equal(scan_it(&s, &b), ST_OK);
    /* 90 responses count: enough for p90 (64), too few for p95 (130) */
    assert_true(isfinite(s.points[0].p90_s.value) && isnan(s.points[0].p95_s.value));
    assert_true(fabs(s.points[0].p50_s.value - .012) < 1e-9 &&
                s.recommended == 0); /* one every 20 ms, each 12 ms: no queue */
    b.ask.percentile = .95;
    b.ask.limit_s = 1;
    assert_int_equal(scan_run(&s, &b.ask, &err), ST_USAGE);
    assert_non_null(strstr(err.text, "130 responses"));
    arrivals_free(&b.arrivals);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trace_is_read),
        cmocka_unit_test(bad_traces_are_refused_with_their_line),
        cmocka_unit_test(random_arrivals_are_poisson),
        cmocka_unit_test(a_delay_is_recommended),
        cmocka_unit_test(limits_are_kept_or_a_rate_is_named),
        cmocka_unit_test(overload_has_no_percentiles),
        cmocka_unit_test(instances_count),
        cmocka_unit_test(a_better_batch_size_is_found),
        cmocka_unit_test(medians_hide_slow_calls),
        cmocka_unit_test(short_traces_print_no_percentile),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
