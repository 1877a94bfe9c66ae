/* The coarse choice: which size, and a reason for every other one. */
#include "tuner/choose.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

typedef void (*rule)(struct choose_answer *out, struct choose_why *whys, const struct choose_point *points, size_t n,
                     double within);

/* Rate and relative half-width of its interval; 0: none. */
static struct choose_point point(int batch, double rate, double half)
{
    struct choose_point p = { .batch = batch, .y = log(rate), .low = NAN, .high = NAN };
    if (half > 0) {
        p.low = p.y - half;
        p.high = p.y + half;
    }
    return p;
}

/* Best 1000, X = 5 %: the zone begins at 950. */
static const struct row {
    struct { int batch; double rate, half; } p[4];
    size_t n;
    int want;
} rows[] = {
    { { { 1, 700, .005 }, { 2, 960, .005 }, { 4, 1000, .005 } }, 3, 2 },
    { { { 1, 700, .005 }, { 2, 945, .005 }, { 4, 1000, .005 } }, 3, 4 },  /* 945 e^.005 = 949.7: outside */
    { { { 1, 700, .005 }, { 2, 946, .005 }, { 4, 1000, .005 } }, 3, 2 },  /* 946 e^.005 = 950.7: reaches it */
    { { { 1, 700, .30 }, { 2, 990, .005 }, { 4, 1000, .005 } }, 3, 2 },   /* not chosen for being badly measured */
    { { { 1, 940, .03 }, { 2, 990, .005 }, { 4, 1000, .005 } }, 3, 2 },   /* wider than X/2: its estimate counts */
    { { { 1, 951, .03 }, { 2, 990, .005 }, { 4, 1000, .005 } }, 3, 1 },
    { { { 1, 940, 0 }, { 2, 951, 0 }, { 4, 1000, 0 } }, 3, 2 },           /* no intervals: estimates */
    { { { 4, 1000, .005 } }, 1, 4 },
    { { { 1, 1000, .005 }, { 2, 1000, .005 } }, 2, 1 },                   /* equal: the smaller */
};

static size_t rows_missed(rule choose)
{
    size_t missed = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct choose_point p[4];
        struct choose_why whys[4];
        struct choose_answer a;
        for (size_t k = 0; k < rows[i].n; k++)
            p[k] = point(rows[i].p[k].batch, rows[i].p[k].rate, rows[i].p[k].half);
        choose(&a, whys, p, rows[i].n, .05);
        missed += a.batch != rows[i].want;
    }
    return missed;
}

/* Wrong twins: the largest estimate; the smallest whose upper end reaches the zone, however wide its interval is. */
static void argmax(struct choose_answer *out, struct choose_why *whys, const struct choose_point *p, size_t n,
                   double within)
{
    choose_target(out, whys, p, n, within);
    out->batch = out->leader;
}
static void any_upper_end(struct choose_answer *out, struct choose_why *whys, const struct choose_point *p, size_t n,
                          double within)
{
    choose_target(out, whys, p, n, within);
    for (size_t i = n; i-- > 0;)
        if (p[i].high >= out->best + log(1 - within))
            out->batch = p[i].batch;
}

static void chooses(void **state)
{
    (void)state;
    assert_int_equal(rows_missed(choose_target), 0);
    assert_true(rows_missed(argmax) > 0);
    assert_true(rows_missed(any_upper_end) > 0);
}

static void every_other_size_has_its_reason(void **state)
{
    (void)state;
    struct choose_point p[] = { point(1, 500, .005), point(2, 900, .08), point(4, 960, .005), point(8, 1000, .005),
                                point(16, 990, .005), point(32, 800, .005), point(64, 2000, .005) };
    struct choose_why w[7];
    struct choose_answer a;
    p[6].out = WHY_CRASHED; /* taken out: not even the leader */
    choose_target(&a, w, p, 7, .05);
    assert_int_equal(a.batch, 4);
    assert_int_equal(a.leader, 8);
    static const enum why want[] = { WHY_SLOWER, WHY_UNSTABLE, WHY_CHOSEN, WHY_WITHIN_ZONE_BUT_LARGER,
                                     WHY_WITHIN_ZONE_BUT_LARGER, WHY_SLOWER, WHY_CRASHED };
    for (size_t i = 0; i < 7; i++)
        assert_int_equal(w[i].why, want[i]);
    assert_int_equal(w[0].rival, 8);
    assert_true(fabs(w[0].m - log(.5)) < 1e-12);
    assert_true(fabs(w[0].c - .005 * sqrt(2)) < 1e-12);
    assert_int_equal(w[3].rival, 0);
    assert_int_equal(w[6].rival, 0);
}

static void nothing_usable(void **state)
{
    (void)state;
    struct choose_point p[] = { point(1, 500, .005) };
    struct choose_why w[1];
    struct choose_answer a;
    p[0].out = WHY_WRONG_OUTPUT;
    choose_target(&a, w, p, 1, .05);
    assert_int_equal(a.batch, 0);
    assert_int_equal(w[0].why, WHY_WRONG_OUTPUT);
    choose_target(&a, w, p, 0, .05);
    assert_int_equal(a.batch, 0);
    assert_true(isnan(a.best));
}

static void names_read_back(void **state)
{
    (void)state;
    for (int i = 1; i < WHY_COUNT; i++)
        assert_int_equal(why_of_name(why_name((enum why)i)), i);
    assert_int_equal(why_of_name("better luck"), WHY_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chooses),
        cmocka_unit_test(every_other_size_has_its_reason),
        cmocka_unit_test(nothing_usable),
        cmocka_unit_test(names_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
