/* The stop rule of a point. */
#include "tuner/stop.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { MOST = 400 };
#define MS UINT64_C(1000000)

struct series {
    double y[MOST];
    uint64_t ns[MOST];
};

/* Values +-spread in an irregular but fixed order, blocks of block_ms. */
static struct series make(double spread, uint64_t block_ms)
{
    struct series s;
    for (int i = 0; i < MOST; i++) {
        s.y[i] = spread * ((i * 7 + i / 3) % 5 - 2) / 2;
        s.ns[i] = block_ms * MS;
    }
    return s;
}

/* First n at which the rule stops, and how. */
static size_t stops_at(const struct series *s, bool gpu, enum stop *how)
{
    for (size_t n = 0; n <= MOST; n++)
        if ((*how = stop_check(&(struct stop_ask){ s->y, s->ns, n, gpu })) != STOP_GO_ON)
            return n;
    return 0;
}

static void precise_values_stop_at_a_look(void **state)
{
    (void)state;
    static const struct { double spread; uint64_t block_ms; bool gpu; size_t n; enum stop how; } rows[] = {
        { .001, 500, false, 6, STOP_PRECISION },  /* 3 s at the first look */
        { .001, 499, false, 9, STOP_PRECISION },  /* 2.99 s: the next look */
        { .001, 100, false, 40, STOP_PRECISION }, /* 28 looks at 2.8 s, 40 at 4 s */
        { .5, 1000, false, 30, STOP_CAP },        /* 30 s */
        { .5, 100, false, 300, STOP_CAP },
        { .5, 20000, false, 6, STOP_CAP },        /* 6 blocks are longer than 30 s */
        { .001, 20000, false, 6, STOP_PRECISION },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct series s = make(rows[i].spread, rows[i].block_ms);
        enum stop how;
        assert_int_equal(stops_at(&s, rows[i].gpu, &how), rows[i].n);
        assert_int_equal(how, rows[i].how);
    }
}

/* A point stops only at looks, and a GPU must be twice as precise. */
static void only_at_looks_and_by_device(void **state)
{
    (void)state;
    enum stop how;
    size_t cpu, gpu;
    for (double spread = .004; spread < .02; spread += .001) {
        struct series s = make(spread, 700);
        bool at_look = false;
        cpu = stops_at(&s, false, &how);
        for (int i = 0; i < STOP_LOOKS; i++)
            at_look = at_look || cpu == stop_looks[i];
        assert_true(how == STOP_PRECISION ? at_look : cpu == 43); /* 42.9 blocks are 30 s */
        gpu = stops_at(&s, true, &how);
        assert_true(gpu >= cpu);
    }
}

/* Blocks in runs of four are correlated at every look from 13 on: doubled twice at most. */
static void correlation_doubles_the_block(void **state)
{
    (void)state;
    double runs[40], alternating[40];
    for (int i = 0; i < 40; i++) {
        runs[i] = i / 4 % 2;
        alternating[i] = i % 2;
    }
    assert_int_equal(stop_doublings(runs, 12), 0);
    assert_int_equal(stop_doublings(runs, 13), 1);
    assert_int_equal(stop_doublings(runs, 18), 1);
    assert_int_equal(stop_doublings(runs, 19), 2);
    assert_int_equal(stop_doublings(runs, 40), 2);
    assert_int_equal(stop_doublings(alternating, 40), 0);
}

static void names(void **state)
{
    (void)state;
    assert_string_equal(stop_name(STOP_PRECISION), "precision");
    assert_string_equal(stop_name(STOP_CAP), "budget");
    assert_string_equal(stop_name(STOP_GO_ON), "");
    assert_true(strlen(stop_text(STOP_CAP)) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(precise_values_stop_at_a_look),
        cmocka_unit_test(only_at_looks_and_by_device),
        cmocka_unit_test(correlation_doubles_the_block),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
