/* Candidates against each other with times that are known exactly: who is dropped when, what a tie is, and
 * that a drift of the clocks does not decide. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kernels/base/rng.h"
#include "kernels/cuda/tune/tune_race.h"

#define LEN(rows) (sizeof(rows) / sizeof *(rows))

/* A device whose lanes take base_ns, times what drifts and what is noise. */
struct track {
    double base_ns[RACE_LANES_MAX];
    double noise;               /* standard deviation, relative */
    double drift;               /* the clocks lose this part with every sample */
    int samples, budget;        /* budget in samples; time is up when it is spent */
    int fails, fails_at;        /* lane and sample number; fails < 0: nobody */
    enum status failure;
    struct rng rng;
};

static struct track track_new(uint64_t seed)
{
    return (struct track){ .budget = 1 << 20, .fails = -1, .rng = rng_seeded(seed) };
}

static enum status sample(void *context, int lane, double *ns, struct err *err)
{
    struct track *t = context;
    int number = t->samples++;
    if (lane == t->fails && number >= t->fails_at)
        return err_set(err, t->failure, "as the script says");
    *ns = t->base_ns[lane] * (1 + t->drift * number) * (1 + t->noise * rng_normal(&t->rng));
    return ST_OK;
}

static bool time_left(void *context)
{
    struct track *t = context;
    return t->samples < t->budget;
}

static struct race run(struct track *t, int lanes, uint64_t seed)
{
    struct race r = { .count = lanes };
    const struct race_device device = { t, sample, time_left };
    for (int i = 0; i < lanes; i++)
        r.lane[i].precompiled = true;
    assert_int_equal(race_run(&r, &device, seed, NULL), ST_OK);
    return r;
}

static void slow_ones_go_after_three_and_five_rounds(void **state)
{
    (void)state;
    static const struct { double ns; int samples; } rows[] = {
        { 1.00, 12 }, { 1.29, 5 }, { 1.31, 3 }, { 1.09, 12 }, { 1.11, 5 }, { 9.00, 3 },
    };
    struct track t = track_new(1);
    for (size_t i = 0; i < LEN(rows); i++)
        t.base_ns[i] = rows[i].ns * 1e4;
    struct race r = run(&t, LEN(rows), 7);
    for (size_t i = 0; i < LEN(rows); i++)
        assert_int_equal(r.lane[i].samples, rows[i].samples);
    assert_int_equal(race_winner(&r), 0);
    assert_int_equal(race_runner_up(&r, 0), 3);
}

static void one_alone_stops_after_three(void **state)
{
    (void)state;
    struct track t = track_new(1);
    t.base_ns[0] = 5e3;
    struct race r = run(&t, 1, 1);
    assert_int_equal(r.lane[0].samples, 3);
    assert_int_equal(race_winner(&r), 0);
    assert_int_equal(race_runner_up(&r, 0), -1);
}

/* What wins among two: `second_ns` against 10000 and how they differ otherwise. */
struct tie_row {
    double second_ns;
    size_t workspace[2];
    int launches[2];
    bool precompiled[2];
    int winner;
};
static const struct tie_row ties[] = {
    { 10190, { 64, 0 }, { 1, 1 }, { true, true }, 1 },      /* 1.9 %: less workspace */
    { 10210, { 64, 0 }, { 1, 1 }, { true, true }, 0 },      /* 2.1 % is a lead */
    { 10100, { 64, 64 }, { 8, 1 }, { true, true }, 1 },     /* fewer launches */
    { 10100, { 64, 64 }, { 1, 1 }, { false, true }, 1 },    /* precompiled */
    { 9900, { 64, 64 }, { 1, 1 }, { true, true }, 0 },      /* earlier */
    { 9900, { 0, 64 }, { 8, 1 }, { false, true }, 0 },      /* workspace counts before launches */
    { 9700, { 0, 64 }, { 1, 8 }, { true, false }, 1 },      /* 3 %: the faster one */
};

static size_t ties_missed(int (*winner)(const struct race *))
{
    size_t missed = 0;
    for (size_t i = 0; i < LEN(ties); i++) {
        struct track t = track_new(1);
        struct race r = { .count = 2 };
        const struct race_device device = { &t, sample, time_left };
        t.base_ns[0] = 10000;
        t.base_ns[1] = ties[i].second_ns;
        for (int k = 0; k < 2; k++) {
            r.lane[k].workspace = ties[i].workspace[k];
            r.lane[k].launches = ties[i].launches[k];
            r.lane[k].precompiled = ties[i].precompiled[k];
        }
        assert_int_equal(race_run(&r, &device, 3, NULL), ST_OK);
        missed += winner(&r) != ties[i].winner;
    }
    return missed;
}

static int fastest_only(const struct race *r)       /* the wrong twin: no ties */
{
    return race_median(&r->lane[1]) < race_median(&r->lane[0]);
}

static void ties_go_to_the_simpler(void **state)
{
    (void)state;
    assert_int_equal(ties_missed(race_winner), 0);
    assert_true(ties_missed(fastest_only) > 0);
}

/* Both lanes swing by 10 %. Together (round by round 4 % apart): a lead. Against each other: the differences
 * are 2400, 400, -1600 in turn, their median 400, its median absolute deviation 2000, so 400 is no lead. */
static void spread_makes_a_tie(void **state)
{
    (void)state;
    static const struct { int swing; double spread; int winner; } rows[] = { { 1, 0, 0 }, { -1, 2000, 1 } };
    for (size_t row = 0; row < LEN(rows); row++) {
        struct race r = { .count = 2, .rounds = 12 };
        for (int i = 0; i < 12; i++) {
            r.lane[0].ns[i] = 10000 + 1000 * (i % 3 - 1);
            r.lane[1].ns[i] = 10400 + 1000 * rows[row].swing * (i % 3 - 1);
        }
        r.lane[0].samples = r.lane[1].samples = 12;
        r.lane[0].workspace = 4096;
        assert_true(fabs(race_median(&r.lane[0]) - 10000) < 1e-9);
        assert_true(fabs(race_median(&r.lane[1]) - 10400) < 1e-9);
        assert_true(fabs(race_spread(&r.lane[1], &r.lane[0]) - rows[row].spread) < 1e-9);
        assert_int_equal(race_winner(&r), rows[row].winner);
    }
}

/* The wrong twin of a race: all samples of a lane at once. */
static int one_after_another(struct track *t, int lanes)
{
    struct race r = { .count = lanes };
    for (int i = 0; i < lanes; i++)
        for (r.lane[i].samples = 0; r.lane[i].samples < RACE_ROUNDS; r.lane[i].samples++)
            sample(t, i, &r.lane[i].ns[r.lane[i].samples], NULL);
    return race_winner(&r);
}

/* Lane 3 of 4 is 6 % faster than the rest; the clocks lose 0.5 % with every sample: 6 % per lane for the
 * twin. */
static void drift_does_not_decide(void **state)
{
    (void)state;
    int right = 0, twin_right = 0, trials = 200;
    for (int seed = 0; seed < trials; seed++) {
        struct track a = track_new((uint64_t)seed), b = track_new((uint64_t)seed);
        a.noise = 0.005;
        a.drift = 0.005;
        for (int i = 0; i < 4; i++)
            a.base_ns[i] = i == 3 ? 9400 : 10000;
        b = a;
        struct race r = { .count = 4 };
        const struct race_device device = { &a, sample, time_left };
        assert_int_equal(race_run(&r, &device, (uint64_t)seed, NULL), ST_OK);
        right += race_winner(&r) == 3;
        twin_right += one_after_another(&b, 4) == 3;
    }
    print_message("right in %d of %d under drift, one after another in %d\n", right, trials, twin_right);
    assert_true(right >= trials * 97 / 100);
    assert_int_equal(twin_right, 0);
}

static void without_time_nobody_wins(void **state)
{
    (void)state;
    for (int budget = 0; budget <= 8; budget++) {
        struct track t = track_new(1);
        t.base_ns[0] = 1e4;
        t.base_ns[1] = 2e4;
        t.budget = budget;
        struct race r = run(&t, 2, 5);
        /* rounds of two samples begin while the budget is not spent: three of them from 5 samples on */
        assert_int_equal(race_winner(&r), budget >= 5 ? 0 : -1);
    }
}

static void failing_lanes_go(void **state)
{
    (void)state;
    struct track t = track_new(1);
    for (int i = 0; i < 3; i++)
        t.base_ns[i] = 1e4 + i * 1e3;
    t.fails = 0;
    t.failure = ST_UNSUPPORTED;
    struct race r = run(&t, 3, 5);
    assert_true(r.lane[0].failed);
    assert_int_equal(r.lane[0].samples, 0);
    assert_int_equal(race_winner(&r), 1);
    /* no time at all is no time */
    t = track_new(1);
    t.base_ns[0] = NAN;
    t.base_ns[1] = 0;
    t.base_ns[2] = 1e4;
    r = run(&t, 3, 5);
    assert_int_equal(race_winner(&r), 2);
}

static void a_lost_device_ends_it(void **state)
{
    (void)state;
    static const struct { enum status st; bool fatal; } rows[] = {
        { ST_DEVICE_LOST, true },  { ST_OUT_OF_MEMORY, true }, { ST_INTERRUPTED, true },
        { ST_UNSUPPORTED, false }, { ST_INTERNAL, false },     { ST_OK, false },
    };
    for (size_t i = 0; i < LEN(rows); i++) {
        struct track t = track_new(1);
        struct race r = { .count = 2 };
        const struct race_device device = { &t, sample, time_left };
        assert_int_equal(race_fatal(rows[i].st), rows[i].fatal);
        if (rows[i].st == ST_OK)
            continue;
        t.base_ns[0] = t.base_ns[1] = 1e4;
        t.fails = 1;
        t.fails_at = 4;
        t.failure = rows[i].st;
        assert_int_equal(race_run(&r, &device, 5, NULL), rows[i].fatal ? rows[i].st : ST_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slow_ones_go_after_three_and_five_rounds),
        cmocka_unit_test(one_alone_stops_after_three),
        cmocka_unit_test(ties_go_to_the_simpler),
        cmocka_unit_test(spread_makes_a_tie),
        cmocka_unit_test(drift_does_not_decide),
        cmocka_unit_test(without_time_nobody_wins),
        cmocka_unit_test(failing_lanes_go),
        cmocka_unit_test(a_lost_device_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
