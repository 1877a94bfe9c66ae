/* The race on scripted blocks: every way in which it can end, and what may not change it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/rng.h"
#include "tuner/race.h"

enum { SIZES = 32, ROUNDS = 40 };

struct script {
    struct race_candidate candidates[SIZES];
    struct race_block blocks[ROUNDS * (SIZES + 1)];
    struct race_ask ask;
};

/* Powers of two, or 1 2 3 ... if there are many; level[i] + noise sigma; the control's second block repeats
 * size 1. */
static void make(struct script *s, const double *level, size_t k, size_t rounds, double sigma, uint64_t seed)
{
    struct rng r = rng_seeded(seed);
    *s = (struct script){ .ask = { .candidates = s->candidates, .count = k, .blocks = s->blocks,
                                   .rounds = rounds,
                                   .within = .05, .alpha = .05 } };
    for (size_t i = 0; i < k; i++)
        s->candidates[i] = (struct race_candidate){ .batch = k > 10 ? (int)i + 1 : 1 << i,
                                                    .coarse_y = level[i] };
    for (size_t n = 0; n < rounds; n++)
        for (size_t i = 0; i <= k; i++)
            s->blocks[n * (k + 1) + i] = (struct race_block){ level[i < k ? i : 0] + sigma * rng_normal(&r),
                                                              RACE_VALID };
}

static struct race_block *at(struct script *s, size_t round, size_t column)
{
    return &s->blocks[round * (s->ask.count + 1) + column];
}

static void mark_rounds(struct script *s, size_t column, enum race_mark mark, size_t from, size_t to)
{
    for (size_t n = from; n < to; n++)
        at(s, n, column)->mark = mark;
}

/* For races that go on without size 1. */
static void leave_control_out(struct script *s)
{
    mark_rounds(s, s->ask.count, RACE_ABSENT, 0, s->ask.rounds);
}

static struct race_answer step(const struct script *s)
{
    struct race_answer a;
    race_step(&a, &s->ask, NULL);
    return a;
}

static struct race_answer step_after(const struct script *s, size_t rounds)
{
    struct race_ask ask = s->ask;
    struct race_answer a;
    ask.rounds = rounds;
    race_step(&a, &ask, NULL);
    return a;
}

/* --- the tests of a look -------------------------------------------------------------------------------- */

/* c / se = t(1 - alpha/((k-1) 6), df) at the looks 6 9 13 19 28 40, df 5 8 10 16 23 31 (10 % are trimmed). */
static const struct { size_t k; double t[RACE_LOOKS]; } factors[] = {
    { 3, { 4.219, 3.479, 3.277, 3.008, 2.886, 2.818 } }, /* .05/12 */
    { 7, { 5.471, 4.256, 3.939, 3.531, 3.350, 3.250 } }, /* .05/36 */
};

static size_t factors_missed(double alpha)
{
    size_t missed = 0;
    for (size_t f = 0; f < sizeof factors / sizeof *factors; f++) {
        struct script s;
        struct race_look items[600];
        struct race_looks looks = { .items = items, .room = 600 };
        struct race_answer a;
        double level[7];
        for (size_t i = 0; i < 7; i++)
            level[i] = i == 0 ? -.05 : 0; /* so much noise that no look ends it */
        make(&s, level, factors[f].k, ROUNDS, .3, 5);
        s.ask.alpha = alpha;
        race_step(&a, &s.ask, &looks);
        for (size_t i = 0; i < looks.count; i++)
            for (size_t l = 0; l < RACE_LOOKS; l++)
                if (items[i].look == race_look_rounds[l])
                    missed += fabs(items[i].c / items[i].se - factors[f].t[l]) > 6e-4;
        assert_in_range(looks.count, 7, 600);
        assert_true(items[looks.count - 1].look == 40 || alpha > .05);
    }
    return missed;
}

static void intervals_are_split_over_rivals_and_looks(void **state)
{
    (void)state;
    assert_int_equal(factors_missed(.05), 0);
    assert_true(factors_missed(.05 * 6) > 0); /* the wrong twin: six looks, but alpha of one */
}

static void clear_curve_is_decided_at_the_first_look(void **state)
{
    struct script s;
    const double level[] = { -.5, -.02, 0 };
    (void)state;
    make(&s, level, 3, ROUNDS, .002, 1);
    struct race_answer before = step_after(&s, 5), a = step(&s);
    assert_int_equal(before.state, RACE_GO_ON);
    assert_int_equal(before.next_look, 6);
    assert_int_equal(a.state, RACE_DECIDED);
    assert_int_equal(a.batch, 2);
    assert_int_equal(a.look, 6);
    assert_int_equal(a.leader, 4);
    assert_false(a.sizes[0].alive);
    assert_int_equal(a.sizes[0].why, WHY_SLOWER);
    assert_true(a.sizes[0].rival == 2 || a.sizes[0].rival == 4);
    assert_true(fabs(a.sizes[0].m + .5) < .05 && a.sizes[0].m + a.sizes[0].c < log(.95) &&
                a.sizes[0].df == 5);
    assert_true(a.sizes[1].alive && a.sizes[1].accepted && a.sizes[1].rival == 4 && a.sizes[1].pairs == 6);
    assert_true(fabs(a.sizes[1].est + .02) < .003 && a.sizes[1].n == 6); /* blocks after the end do not
                                                                            count */
}

static void one_size_needs_six_rounds(void **state)
{
    struct script s;
    const double level[] = { 1 };
    (void)state;
    make(&s, level, 1, 6, .1, 1);
    assert_int_equal(step_after(&s, 5).state, RACE_GO_ON);
    assert_int_equal(step(&s).state, RACE_DECIDED);
    assert_int_equal(step(&s).batch, 1);
}

static void smaller_size_on_the_margin_gives_within(void **state)
{
    struct script s;
    const double level[] = { -.0513, 0, 0 }; /* ln(.95) = -.05129: never resolved */
    (void)state;
    make(&s, level, 3, ROUNDS, .01, 2);
    struct race_answer a = step(&s);
    assert_int_equal(step_after(&s, 39).state, RACE_GO_ON);
    assert_int_equal(a.state, RACE_WITHIN);
    assert_int_equal(a.batch, 2);
    assert_true(a.sizes[0].alive && !a.sizes[0].accepted);
}

static void too_much_noise_is_undecided(void **state)
{
    struct script s;
    const double level[] = { -.05, 0 };
    (void)state;
    make(&s, level, 2, ROUNDS, .3, 4);
    struct race_answer a = step(&s);
    assert_int_equal(a.state, RACE_STILL_OPEN);
    assert_int_equal(a.cause, RACE_CAUSE_MARGIN);
    assert_int_equal(a.batch, 0);
}

/* a < b < c < d < a wherever both of a pair are valid; every round lacks one of them. */
static void contradiction_is_noise(void **state)
{
    struct script s;
    const double level[] = { 0, 0, 0, 0 };
    (void)state;
    make(&s, level, 4, ROUNDS, 0, 1);
    for (size_t n = 6; n < ROUNDS; n++) {
        size_t lacking = n % 4;
        at(&s, n, lacking)->mark = RACE_INVALID;
        for (size_t i = 1; i < 4; i++)
            at(&s, n, (lacking + i) % 4)->y = (double)i;
        at(&s, n, 4)->mark = RACE_ABSENT;
    }
    for (size_t n = 0; n < 6; n++) /* wide at first, so that nothing ends early */
        for (size_t i = 0; i < 4; i++)
            at(&s, n, i)->y = .1 * (double)((n + i) % 2);
    struct race_answer a = step(&s);
    assert_int_equal(a.state, RACE_STILL_OPEN);
    assert_int_equal(a.cause, RACE_CAUSE_NOISE);
    assert_true(a.sizes[0].alive && a.sizes[3].alive);
}

/* --- control -------------------------------------------------------------------------------------------- */

static struct race_answer with_control_bias(double bias)
{
    struct script s;
    const double level[] = { -.02, 0 };
    make(&s, level, 2, ROUNDS, .004, 5);
    for (size_t n = 0; n < ROUNDS; n++)
        at(&s, n, 2)->y += bias;
    return step(&s);
}

static void biased_control_forbids_a_decision(void **state)
{
    (void)state;
    assert_int_equal(with_control_bias(0).state, RACE_DECIDED);
    assert_int_equal(with_control_bias(.05).state, RACE_STILL_OPEN);
    assert_int_equal(with_control_bias(.05).cause, RACE_CAUSE_CONTROL);
    assert_int_equal(with_control_bias(-.05).cause, RACE_CAUSE_CONTROL);
    assert_int_equal(with_control_bias(.008).state, RACE_DECIDED); /* a percent is tolerated */
    assert_true(with_control_bias(.008).noise_floor > .008 && with_control_bias(.008).noise_floor < .02);
}

static void control_is_the_knee_while_it_lives(void **state)
{
    struct script s;
    const double level[] = { -.052, -.5, 0, 0 };
    (void)state;
    make(&s, level, 4, ROUNDS, .01, 6);
    leave_control_out(&s);
    s.ask.control = 2;
    assert_int_equal(step_after(&s, 0).control, 2);
    struct race_answer a = step_after(&s, 6);
    assert_int_equal(a.state, RACE_GO_ON);
    assert_int_equal(a.sizes[1].why, WHY_SLOWER);
    assert_int_equal(a.control, 1); /* the smallest that is left */
    s.ask.control = 4;
    assert_int_equal(step_after(&s, 6).control, 4);
}

/* --- limits --------------------------------------------------------------------------------------------- */

static void leader_over_the_limit_rejects_nobody(void **state)
{
    struct script s;
    const double level[] = { -.5, -.3, 0 };
    (void)state;
    make(&s, level, 3, ROUNDS, .002, 7);
    assert_int_equal(step(&s).batch, 4);
    s.candidates[2].limit = SLO_FAIL; /* before the race */
    struct race_answer a = step(&s);
    assert_int_equal(a.state, RACE_DECIDED);
    assert_int_equal(a.batch, 2);
    assert_int_equal(a.sizes[2].why, WHY_OVER_SLO);
    assert_int_equal(a.leader, 2);
    assert_int_equal(a.sizes[0].rival, 2);
}

static void open_rival_blocks_but_does_not_reject(void **state)
{
    struct script s;
    const double level[] = { -.3, 0 };
    (void)state;
    make(&s, level, 2, ROUNDS, .002, 8);
    s.candidates[1].limit = SLO_OPEN;
    struct race_answer a = step(&s);
    assert_int_equal(a.state, RACE_PROVE_LIMITS);
    assert_true(a.sizes[0].alive && a.sizes[1].alive && !a.sizes[0].accepted);
    s.candidates[1].limit = SLO_PASS; /* blocks of its own proved it */
    s.candidates[1].limit_round = ROUNDS + 1;
    a = step(&s);
    assert_int_equal(a.state, RACE_DECIDED);
    assert_int_equal(a.batch, 2);
    s.candidates[1].limit = SLO_OPEN; /* or nothing did, in all the time there was */
    s.ask.limits_final = true;
    a = step(&s);
    assert_int_equal(a.state, RACE_DECIDED);
    assert_int_equal(a.batch, 1);
    assert_int_equal(a.sizes[1].why, WHY_OVER_SLO);
}

static void limit_counts_from_its_round_on(void **state)
{
    struct script s;
    const double level[] = { -.3, 0 };
    (void)state;
    make(&s, level, 2, ROUNDS, .002, 9);
    s.candidates[1].limit_round = 8;
    assert_int_equal(step_after(&s, 6).state, RACE_GO_ON); /* at 6 it was not known yet */
    assert_int_equal(step_after(&s, 9).state, RACE_DECIDED);
    assert_int_equal(step(&s).look, 9);
}

static void no_size_under_the_limit(void **state)
{
    struct script s;
    const double level[] = { 0, 0 };
    (void)state;
    make(&s, level, 2, ROUNDS, .002, 9);
    s.candidates[0].limit = s.candidates[1].limit = SLO_FAIL;
    assert_int_equal(step(&s).state, RACE_NO_SIZE);
}

/* --- blocks that are not good --------------------------------------------------------------------------- */

static void size_with_too_few_valid_blocks_leaves(void **state)
{
    struct script s;
    const double level[] = { -.3, -.02, 0 };
    (void)state;
    make(&s, level, 3, ROUNDS, .002, 10);
    mark_rounds(&s, 2, RACE_INVALID, 0, 2); /* 4 of 6 < 0.75 x 6 */
    assert_int_equal(step(&s).sizes[2].why, WHY_INVALID);
    assert_int_equal(step(&s).batch, 2);
    mark_rounds(&s, 2, RACE_THROTTLED, 0, 2);
    assert_int_equal(step(&s).sizes[2].why, WHY_THROTTLED);
    mark_rounds(&s, 2, RACE_VALID, 1, 2); /* 5 of 6: enough, and the pair has five differences */
    assert_int_equal(step(&s).sizes[2].why, WHY_NONE);
    assert_int_equal(step(&s).sizes[1].pairs, 5);
}

static void when_all_throttle_nothing_is_decided(void **state)
{
    struct script s;
    const double level[] = { -.3, -.02, 0 };
    (void)state;
    make(&s, level, 3, ROUNDS, .002, 11);
    for (size_t i = 0; i < 4; i++)
        mark_rounds(&s, i, RACE_THROTTLED, 0, ROUNDS);
    struct race_answer a = step(&s);
    assert_int_equal(a.state, RACE_STILL_OPEN);
    assert_int_equal(a.cause, RACE_CAUSE_DEVICE);
    assert_true(a.throttled);
    assert_int_equal(a.leader, 4);
    assert_int_equal(a.sizes[0].why, WHY_SLOWER); /* the marked blocks say so */
    assert_true(fabs(a.sizes[2].est) < .01);
    for (size_t i = 0; i < 4; i++)
        mark_rounds(&s, i, RACE_INVALID, 0, ROUNDS);
    assert_int_equal(step(&s).state, RACE_NO_SIZE); /* nothing valid, and no throttling either */
}

static void lost_size_is_no_rival_any_more(void **state)
{
    struct script s;
    const double level[] = { -.3, 0 };
    (void)state;
    make(&s, level, 2, ROUNDS, .002, 12);
    s.candidates[1].lost = WHY_CRASHED;
    s.candidates[1].lost_round = 3;
    struct race_answer a = step_after(&s, 2);
    assert_true(a.state == RACE_GO_ON && a.sizes[1].alive);
    a = step_after(&s, 3);
    assert_true(a.state == RACE_GO_ON && !a.sizes[1].alive && a.control == 1);
    a = step(&s);
    assert_int_equal(a.batch, 1);
    assert_int_equal(a.sizes[1].why, WHY_CRASHED);
    s.candidates[0].lost = WHY_HUNG;
    s.candidates[0].lost_round = 4;
    assert_int_equal(step_after(&s, 4).state, RACE_NO_SIZE);
}

/* --- budget and resume ---------------------------------------------------------------------------------- */

static void budget_ends_it_with_the_last_look(void **state)
{
    struct script s;
    const double level[] = { -.0513, 0, 0 };
    (void)state;
    make(&s, level, 3, ROUNDS, .01, 2);
    s.ask.out_of_budget = true;
    struct race_answer a = step_after(&s, 0);
    assert_int_equal(a.state, RACE_STILL_OPEN);
    assert_int_equal(a.cause, RACE_CAUSE_BUDGET);
    assert_true(a.sizes[0].est == -.0513); /* the coarse one */
    a = step_after(&s, 5);
    assert_int_equal(a.cause, RACE_CAUSE_BUDGET);
    assert_int_equal(a.look, 0);
    a = step_after(&s, 30);
    assert_int_equal(a.state, RACE_WITHIN);
    assert_int_equal(a.look, 28);
}

/* A campaign that is cut off after any round, and goes on, comes to the same looks and the same end. */
static void rounds_that_come_later_change_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct script s;
        struct race_look all[400], some[400];
        struct race_looks looks = { .items = all, .room = 400 }, first = { .items = some, .room = 400 };
        const double level[] = { -.3, -.06, -.03, -.01, 0 };
        struct race_answer whole, part = { .state = RACE_GO_ON };
        memset(all, 0, sizeof all);
        memset(some, 0, sizeof some);
        make(&s, level, 5, ROUNDS, .02, seed);
        leave_control_out(&s);
        race_step(&whole, &s.ask, &looks);
        size_t n = 0;
        for (; n <= ROUNDS && part.state == RACE_GO_ON; n++) {
            struct race_ask ask = s.ask;
            ask.rounds = n;
            race_step(&part, &ask, &first);
            assert_true(first.count <= looks.count);
            assert_memory_equal(some, all, first.count * sizeof *all);
        }
        assert_memory_equal(&part, &whole, sizeof whole);
        assert_true(n - 1 == ROUNDS || n - 1 == whole.look);
    }
}

static void look_records_say_who_rejects_whom(void **state)
{
    struct script s;
    struct race_look items[20];
    struct race_looks looks = { .items = items, .room = 20 };
    struct race_answer a;
    const double level[] = { -.3, 0 };
    (void)state;
    make(&s, level, 2, ROUNDS, .002, 13);
    race_step(&a, &s.ask, &looks);
    assert_int_equal(looks.count, 3); /* control, (1,2), (2,1) */
    assert_true(items[0].i == 1 && items[0].j == 1 && items[0].outcome == RACE_CONTROL_FINE);
    assert_true(items[1].i == 1 && items[1].j == 2 && items[1].outcome == RACE_PAIR_SLOWER);
    assert_true(items[2].i == 2 && items[2].j == 1 && items[2].outcome == RACE_PAIR_HOLDS);
    assert_true(items[1].m == -items[2].m && items[1].n == 6 && fabs(items[1].r1) < 1);
    assert_string_equal(race_outcome_name(items[1].outcome), "slower");
    looks.room = 1; /* too little room: the rest is counted, not written */
    items[1].i = 99;
    race_step(&a, &s.ask, &looks);
    assert_true(looks.count == 3 && items[1].i == 99);
}

static void thirty_two_sizes_race(void **state)
{
    struct script s;
    double level[SIZES];
    (void)state;
    for (size_t i = 0; i < SIZES; i++)
        level[i] = -.8 * exp(-(double)i / 6);
    make(&s, level, SIZES, ROUNDS, .005, 14);
    leave_control_out(&s);
    struct race_answer a = step(&s);
    /* -.8 exp(-i/6) >= ln(.95) + (-.8 exp(-31/6)) = -.0559: i >= 15.97, so 17 images */
    assert_int_equal(a.state == RACE_DECIDED || a.state == RACE_WITHIN, 1);
    assert_in_range(a.batch, 17, 19);
    assert_int_equal(step_after(&s, 0).control, 1);
}

/* --- thrifty -------------------------------------------------------------------------------------------- */

/* Size 1 on the margin keeps the race going; 2 was found fast enough at the first look, then has a bad
 * time. */
static struct race_answer after_a_bad_time(bool thrifty)
{
    struct script s;
    const double level[] = { -.0513, 0, .01 };
    make(&s, level, 3, ROUNDS, .001, 15);
    leave_control_out(&s);
    for (size_t n = 0; n < ROUNDS; n++)
        at(&s, n, 0)->y += n % 2 ? .03 : -.03;
    for (size_t n = 6; n < 9; n++)
        at(&s, n, 1)->y -= .2;
    s.ask.thrifty = thrifty;
    assert_true(step_after(&s, 6).sizes[1].accepted);
    return step_after(&s, 9);
}

static void settled_pairs_stay_settled_if_thrifty(void **state)
{
    (void)state;
    assert_true(after_a_bad_time(true).sizes[1].accepted);
    assert_false(after_a_bad_time(false).sizes[1].accepted);
}

/* 1 looks too slow: only the leader goes on with it. 1 looks fast enough: whoever it is not settled against
 * does. */
static void settled_sizes_rest(void **state)
{
    (void)state;
    for (int good = 0; good < 2; good++) {
        struct script s;
        const double level[] = { good ? -.035 : -.056, 0, .001, -.001, .012 };
        make(&s, level, 5, ROUNDS, .0005, 16);
        leave_control_out(&s);
        for (size_t n = 0; n < ROUNDS; n++)
            at(&s, n, 0)->y += n % 2 ? .03 : -.03; /* size 1 alone is noisy: only its pairs stay open */
        assert_false(step_after(&s, 6).sizes[2].resting);
        s.ask.thrifty = true;
        struct race_answer a = step_after(&s, 6);
        assert_int_equal(a.state, RACE_GO_ON);
        assert_int_equal(a.leader, 16);
        assert_true(!a.sizes[0].resting && !a.sizes[4].resting);
        for (size_t i = 1; i < 4; i++)
            assert_true(a.sizes[i].alive && a.sizes[i].accepted && a.sizes[i].resting == !good);
        assert_true((a.sizes[0].m >= log(.95)) == good); /* against the leader */
    }
}

/* Resting sizes have no blocks; that neither makes them invalid nor changes the answer. */
static void resting_changes_no_answer(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 30; seed++) {
        struct script s;
        const double level[] = { -.3, -.08, -.02, -.01, 0 };
        make(&s, level, 5, ROUNDS, .012, seed);
        leave_control_out(&s);
        struct race_answer full = step(&s), a;
        size_t blocks = 0, n = 0;
        s.ask.thrifty = true;
        for (a = step_after(&s, 0); a.state == RACE_GO_ON; a = step_after(&s, n))
            for (; n < a.next_look; n++)
                for (size_t i = 0; i < 5; i++) {
                    bool there = a.sizes[i].alive && !a.sizes[i].resting;
                    at(&s, n, i)->mark = there ? RACE_VALID : RACE_ABSENT;
                    blocks += there;
                }
        assert_true(full.state == RACE_DECIDED && full.batch == 4);
        assert_true(a.state == RACE_DECIDED && a.batch == 4);
        assert_true(blocks >= 30 && blocks <= 5 * a.look);
        for (size_t i = 0; i < 5; i++)
            assert_true(a.sizes[i].alive || a.sizes[i].why == WHY_SLOWER);
    }
}

static void control_thins_out_if_thrifty(void **state)
{
    size_t with = 0;
    (void)state;
    for (size_t n = 0; n < ROUNDS; n++) {
        assert_true(race_has_control(false, n));
        with += race_has_control(true, n);
        assert_true(n >= 9 || race_has_control(true, n));
    }
    assert_int_equal(with, 9 + 15); /* all of the first nine, then 10 12 ... 38 */
}

/* --- memory --------------------------------------------------------------------------------------------- */

static bool same_number(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

static bool same_size(const struct race_size *a, const struct race_size *b)
{
    return a->alive == b->alive && a->resting == b->resting && a->accepted == b->accepted &&
           a->why == b->why && a->limit == b->limit && a->n == b->n && a->rival == b->rival && a->pairs == b->pairs &&
           same_number(a->est, b->est) && same_number(a->m, b->m) && same_number(a->c, b->c) &&
           same_number(a->df, b->df);
}

/* A campaign asks again after every round; what the looks said need not be gone through each time. */
static void memory_changes_no_answer(void **state)
{
    static const double level[] = { -.09, -.055, -.05, -.02, 0, -.04, -.3 };
    size_t looked = 0;
    (void)state;
    for (uint64_t seed = 0; seed < 30; seed++) {
        struct race_memory *memory = calloc(1, sizeof *memory);
        struct script s;
        assert_non_null(memory);
        make(&s, level, 7, ROUNDS, seed % 3 ? .02 : .2, seed);
        s.ask.thrifty = (enum race_thrift)(seed % 3);
        for (size_t rounds = 0; rounds <= ROUNDS; rounds++) {
            struct race_answer plain, remembered;
            struct race_ask ask = s.ask;
            if (rounds == 14) {
                s.candidates[3].lost = WHY_CRASHED;
                s.candidates[3].lost_round = rounds;
            }
            ask.rounds = rounds;
            race_step(&plain, &ask, NULL);
            ask.memory = memory;
            race_step(&remembered, &ask, NULL);
            assert_int_equal(remembered.state, plain.state);
            assert_int_equal(remembered.batch, plain.batch);
            assert_int_equal(remembered.look, plain.look);
            assert_int_equal(remembered.next_look, plain.next_look);
            assert_int_equal(remembered.control, plain.control);
            assert_int_equal(remembered.leader, plain.leader);
            for (size_t i = 0; i < plain.count; i++)
                assert_true(same_size(&remembered.sizes[i], &plain.sizes[i]));
            looked += memory->looks;
        }
        free(memory);
    }
    assert_true(looked > 1000); /* the memory was used */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(intervals_are_split_over_rivals_and_looks),
        cmocka_unit_test(clear_curve_is_decided_at_the_first_look),
        cmocka_unit_test(one_size_needs_six_rounds),
        cmocka_unit_test(smaller_size_on_the_margin_gives_within),
        cmocka_unit_test(too_much_noise_is_undecided),
        cmocka_unit_test(contradiction_is_noise),
        cmocka_unit_test(biased_control_forbids_a_decision),
        cmocka_unit_test(control_is_the_knee_while_it_lives),
        cmocka_unit_test(leader_over_the_limit_rejects_nobody),
        cmocka_unit_test(open_rival_blocks_but_does_not_reject),
        cmocka_unit_test(limit_counts_from_its_round_on),
        cmocka_unit_test(no_size_under_the_limit),
        cmocka_unit_test(size_with_too_few_valid_blocks_leaves),
        cmocka_unit_test(when_all_throttle_nothing_is_decided),
        cmocka_unit_test(lost_size_is_no_rival_any_more),
        cmocka_unit_test(budget_ends_it_with_the_last_look),
        cmocka_unit_test(rounds_that_come_later_change_nothing),
        cmocka_unit_test(look_records_say_who_rejects_whom),
        cmocka_unit_test(thirty_two_sizes_race),
        cmocka_unit_test(settled_pairs_stay_settled_if_thrifty),
        cmocka_unit_test(settled_sizes_rest),
        cmocka_unit_test(resting_changes_no_answer),
        cmocka_unit_test(control_thins_out_if_thrifty),
        cmocka_unit_test(memory_changes_no_answer),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
