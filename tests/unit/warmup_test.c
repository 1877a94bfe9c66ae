/* Warm-up: sizes of windows, the acceptance of two windows, the label of an execution. */
#include "tuner/warmup.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#define MS UINT64_C(1000000)

static void counts(void **state)
{
    (void)state;
    static const struct { uint64_t t; int first, window, other, change; } rows[] = {
        { 1 * MS, 10, 20, 10, 3 },    { 100 * MS, 10, 20, 5, 3 },  { 150 * MS, 10, 20, 3, 2 },
        { 400 * MS, 10, 12, 1, 1 },   { 900 * MS, 5, 5, 1, 1 },    { 1000 * MS, 5, 5, 1, 1 },
        { 1001 * MS, 4, 4, 1, 0 },    { 60000 * MS, 1, 1, 1, 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(warmup_first_iterations(rows[i].t), rows[i].first);
        assert_int_equal(warmup_window_iterations(rows[i].t), rows[i].window);
        assert_int_equal(warmup_other_iterations(rows[i].t), rows[i].other);
        assert_int_equal(warmup_switch_iterations(rows[i].t), rows[i].change);
    }
    assert_true(warmup_first_ns(true) == 2000 * MS && warmup_first_ns(false) == 1000 * MS);
}

/* 20 values around `centre` with the relative spread given: -spread .. +spread in even steps. */
static struct warmup_window window(double *x, double centre, double spread)
{
    for (int i = 0; i < 20; i++)
        x[i] = centre * (1 + spread * (2.0 * ((i * 7) % 20) / 19 - 1));
    return (struct warmup_window){ x, 20, NAN, NAN, NAN };
}

typedef enum warmup (*test)(const struct warmup_window *older, const struct warmup_window *newer, int w);

/* Rows: second window against a first of centre 100, spread .01. A spread of s has quartiles at about +- s/2 and a MAD of
 * about s/2: .01 -> .05 moves both by 2 %: the spread test (1 % of the median) fails, the quartiles (5 %) do not. */
static size_t rows_missed(test check)
{
    static const struct { double centre, spread; enum warmup want; } rows[] = {
        { 100, .01, WARMUP_STEADY }, { 100.9, .01, WARMUP_STEADY }, { 101.2, .01, WARMUP_CENTRE_MOVED },
        { 98.7, .01, WARMUP_CENTRE_MOVED }, { 100, .05, WARMUP_SPREAD_MOVED }, { 100, .2, WARMUP_QUARTILE_MOVED },
    };
    size_t missed = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        double x[20], y[20];
        struct warmup_window a = window(x, 100, .01), b = window(y, rows[i].centre, rows[i].spread);
        missed += check(&a, &b, 20) != rows[i].want;
    }
    return missed;
}
static enum warmup always(const struct warmup_window *a, const struct warmup_window *b, int w)
{
    (void)a, (void)b, (void)w;
    return WARMUP_STEADY;
}
static enum warmup without_spread(const struct warmup_window *a, const struct warmup_window *b, int w)
{
    enum warmup got = warmup_check(a, b, w);
    return got == WARMUP_SPREAD_MOVED || got == WARMUP_QUARTILE_MOVED ? WARMUP_STEADY : got;
}

static void acceptance(void **state)
{
    (void)state;
    assert_int_equal(rows_missed(warmup_check), 0);
    assert_true(rows_missed(always) > 0);
    assert_true(rows_missed(without_spread) > 0);
}

static void a_slow_first_iteration(void **state)
{
    (void)state;
    double x[20], y[20];
    struct warmup_window a = window(x, 100, .01), b = window(y, 100, .01);
    x[0] = 103;
    assert_int_equal(warmup_check(&a, &b, 20), WARMUP_FIRST_IS_OUTLIER);
    x[0] = 99.5;
    x[5] = 103; /* another one is nothing to wait for */
    assert_int_equal(warmup_check(&a, &b, 20), WARMUP_STEADY);
}

static void few_iterations(void **state)
{
    (void)state;
    const double x[] = { 100, 101, 100 }, moved[] = { 101.9, 102, 90 }, far[] = { 103, 103, 103 };
    struct warmup_window a = { x, 3, NAN, NAN, NAN }, b = { moved, 3, NAN, NAN, NAN }, c = { far, 3, NAN, NAN, NAN };
    assert_int_equal(warmup_check(&a, &b, 3), WARMUP_STEADY); /* 2 % are allowed, spread is not looked at */
    assert_int_equal(warmup_check(&a, &c, 3), WARMUP_CENTRE_MOVED);
    assert_int_equal(warmup_check(&a, &b, 4), WARMUP_TOO_FEW);
}

static void device_readings(void **state)
{
    (void)state;
    double x[20], y[20];
    struct warmup_window a = window(x, 100, .01), b = window(y, 100, .01);
    a.clock_min = 1400, a.clock_max = 1410, b.clock_min = 1385, b.clock_max = 1410; /* 25 / 1410 = 1.8 % */
    assert_int_equal(warmup_check(&a, &b, 20), WARMUP_STEADY);
    b.clock_min = 1380; /* 2.1 % */
    assert_int_equal(warmup_check(&a, &b, 20), WARMUP_CLOCK_MOVED);
    b.clock_min = 1400, b.temperature_c_per_s = .21;
    assert_int_equal(warmup_check(&a, &b, 20), WARMUP_HEATING);
    b.temperature_c_per_s = .19;
    assert_int_equal(warmup_check(&a, &b, 20), WARMUP_STEADY);
}

static void labels(void **state)
{
    (void)state;
    const double flat[] = { 100, 101, 100, 50, 100, 100.5, 100 }, faster[] = { 110, 110, 105, 105, 100, 100 },
                 slower[] = { 100, 100, 100, 100, 102, 102 };
    assert_int_equal(warmup_classify(flat, 7, true), WARMUP_CLASS_FLAT);
    assert_int_equal(warmup_classify(faster, 6, true), WARMUP_CLASS_WARMUP);
    assert_int_equal(warmup_classify(slower, 6, true), WARMUP_CLASS_SLOWDOWN);
    assert_int_equal(warmup_classify(flat, 7, false), WARMUP_CLASS_NONE);
    assert_int_equal(warmup_classify(flat, 2, true), WARMUP_CLASS_NONE);
    assert_string_equal(warmup_class_name(WARMUP_CLASS_SLOWDOWN), "slowdown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts),
        cmocka_unit_test(acceptance),
        cmocka_unit_test(a_slow_first_iteration),
        cmocka_unit_test(few_iterations),
        cmocka_unit_test(device_readings),
        cmocka_unit_test(labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
