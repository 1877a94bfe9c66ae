/* What follows from stored blocks: the race of complete rounds, lost sizes, proved limits, the incumbent, what may be
 * executed. Histories are made by hand, or measured on a curve by asking the decision itself what is missing. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/measure/decision.h"
#include "bench/measure/race_rounds.h"
#include "kernels/base/rng.h"

/* --- a bench without machine --- */

struct bench {
    struct history h;
    struct decision_rules rules;
    struct rng noise;
    int64_t execution;
    double (*rate)(int batch);       /* images/s; 0: it does not run */
    double sigma;                    /* of a block, ln */
    double control_bias;             /* added to the second block of a control */
    bool (*valid)(const struct block_fact *f); /* NULL: all are */
    bool throttled;                  /* what is invalid is so by heat */
};

static double saturating(int batch) /* .400 .571 .727 .842 .914 .955 .977: 32 is the smallest within 5 % */
{
    return 1000 * (double)batch / ((double)batch + 1.5);
}

static struct bench new_bench(double (*rate)(int), double sigma)
{
    return (struct bench){ .rules = { .within = .05, .alpha = .05, .max_batch = 64, .max_safe_executed = true },
                           .noise = rng_seeded(1), .execution = 1, .rate = rate, .sigma = sigma };
}

static void add_block(struct bench *b, enum block_kind kind, int round, int batch, int retry, double y)
{
    struct err err;
    double ns = 1e9 * batch / exp(y);
    int n = kind == BLOCK_SLO ? 50 : 10;
    struct block_fact f = { .id = (int64_t)b->h.count + 1, .execution = b->execution, .round = round, .batch = batch,
                            .retry = retry, .iterations = n, .kind = kind, .valid = true, .y = y, .t_iter_ns = ns,
                            .wall_images_per_s = exp(y), .measured_ns = (uint64_t)(n * ns), .energy_j = 2. * batch * n };
    f.valid = !b->valid || b->valid(&f);
    f.throttled = !f.valid && b->throttled;
    f.iteration_ns = malloc((size_t)n * sizeof *f.iteration_ns);
    assert_non_null(f.iteration_ns);
    for (int i = 0; i < n; i++)
        f.iteration_ns[i] = (uint64_t)ns;
    assert_int_equal(history_add_block(&b->h, &f, &err), ST_OK);
}

static double measure(struct bench *b, int batch)
{
    double u = rng_uniform(&b->noise) + rng_uniform(&b->noise) + rng_uniform(&b->noise) - 1.5; /* variance 1/4 */
    return log(b->rate(batch)) + 2 * b->sigma * u;
}

static void add_probe(struct bench *b, int batch)
{
    struct prepared_row row = { .execution = b->execution, .batch = batch };
    struct err err;
    bool runs = b->rate(batch) > 0;
    snprintf(row.result, sizeof row.result, "%s", runs ? "feasible" : "out_of_memory");
    for (int i = 0; i < 3 && runs; i++)
        add_block(b, BLOCK_COARSE, 0, batch, 0, measure(b, batch));
    assert_int_equal(history_add_prepared(&b->h, &row, &err), ST_OK);
}

static struct decision *decide(const struct bench *b, bool over)
{
    struct decision *d;
    struct err err;
    const struct decision_ask ask = { &b->rules, &b->h, over, over, over };
    assert_int_equal(decision_make(&d, &ask, &err), ST_OK);
    return d;
}

/* The place of a round with its retries. */
static void fill_place(struct bench *b, enum block_kind kind, int round, int batch)
{
    int retry;
    double bias = kind == BLOCK_CONTROL ? b->control_bias : 0;
    while (race_place(&retry, &b->h, batch, kind, round, b->execution) == PLACE_MISSING)
        add_block(b, kind, round, batch, retry, measure(b, batch) + bias);
}

static void add_round(struct bench *b, const struct decision *d)
{
    int round = d->round ? d->round : history_last_round(&b->h) + 1;
    for (size_t i = 0; i < d->count; i++)
        if (d->race.sizes[i].alive && !d->race.sizes[i].resting)
            fill_place(b, BLOCK_RACE, round, d->candidates[i].batch);
    if (d->control_is_due)
        fill_place(b, BLOCK_CONTROL, round, d->race.control);
}

/* Measures until nothing is missing, at most `rounds` rounds of the race. */
static struct decision *run(struct bench *b, size_t rounds)
{
    struct decision *d = decide(b, false);
    for (int steps = 0; d->search.next || (d->race.state == RACE_GO_ON && d->rounds < rounds); steps++) {
        assert_true(steps < 400);
        if (d->search.next)
            add_probe(b, d->search.next);
        else
            add_round(b, d);
        decision_free(d);
        d = decide(b, false);
    }
    return d;
}

static const struct decide_why *why_of(const struct decision *d, int batch)
{
    for (size_t i = 0; i < d->search.count; i++)
        if (d->whys[i].batch == batch)
            return &d->whys[i];
    fail_msg("no why of batch %d", batch);
    return NULL;
}

/* --- the race --- */

static void the_smallest_within_five_percent(void **state)
{
    (void)state;
    struct bench b = new_bench(saturating, .005);
    struct decision *d = run(&b, 40);
    assert_int_equal(d->race.state, RACE_DECIDED);
    assert_int_equal(d->optimal, 32); /* 32 / 33.5 = .955 of 64 / 65.5 = .977: 2.2 % less; 16 is 6.4 % less */
    assert_int_equal(d->choice.confidence, DECIDE_DECIDED);
    assert_int_equal(why_of(d, 32)->why, WHY_CHOSEN);
    assert_int_equal(why_of(d, 64)->why, WHY_WITHIN_ZONE_BUT_LARGER);
    assert_int_equal(why_of(d, 16)->why, WHY_SLOWER);
    assert_int_equal(why_of(d, 16)->rival, 64);
    assert_int_equal(why_of(d, 1)->why, WHY_SLOWER_COARSE);
    int chosen = 0;
    for (size_t i = 0; i < d->search.count; i++)
        chosen += d->whys[i].why == WHY_CHOSEN;
    assert_int_equal(chosen, 1);
    assert_true(d->look_count > 0 && d->rounds >= 6);
    assert_int_equal(d->max_safe.wanted, 64);
    assert_int_equal(d->max_safe.max_safe, 32); /* no part-filled batch was run yet */
    decision_free(d);
    history_free(&b.h);
}

/* A round without one of its blocks, or whose blocks come from two executions, is none. */
static void only_complete_rounds_count(void **state)
{
    (void)state;
    struct bench b = new_bench(saturating, .005);
    static const int given[] = { 8, 16, 32 };
    b.rules.given = given;
    b.rules.given_count = 3;
    struct decision *d = run(&b, 2);
    assert_int_equal(d->rounds, 2);
    int next = history_last_round(&b.h) + 1;
    fill_place(&b, BLOCK_RACE, next, 8);
    fill_place(&b, BLOCK_RACE, next, 16);
    decision_free(d);
    d = decide(&b, false);
    assert_int_equal(d->rounds, 2);
    assert_int_equal(d->round, next); /* begun */
    b.execution++;
    fill_place(&b, BLOCK_RACE, next, 32);
    fill_place(&b, BLOCK_CONTROL, next, 8);
    decision_free(d);
    d = decide(&b, false);
    assert_int_equal(d->rounds, 2); /* every place is filled, but by two executions */
    fill_place(&b, BLOCK_RACE, next, 8);
    fill_place(&b, BLOCK_RACE, next, 16);
    decision_free(d);
    d = decide(&b, false);
    assert_int_equal(d->rounds, 3);
    assert_int_equal(d->round, 0);
    decision_free(d);
    history_free(&b.h);
}

static void a_size_that_died_twice_leaves(void **state)
{
    (void)state;
    struct bench b = new_bench(saturating, .005);
    struct err err;
    struct decision *d = run(&b, 3);
    int round = history_last_round(&b.h) + 1;
    assert_int_equal(history_add_loss(&b.h, 64, WHY_CRASHED, round, "signal 11", &err), ST_OK);
    decision_free(d);
    d = run(&b, 40);
    assert_int_equal(why_of(d, 64)->why, WHY_CRASHED);
    assert_int_equal(d->race.state, RACE_DECIDED);
    assert_int_equal(d->choice.batch, 16); /* .914 of .955: 4.3 % less; 8 is 11.8 % less */
    decision_free(d);
    history_free(&b.h);
}

static bool but_sixteen(const struct block_fact *f)
{
    return f->batch != 16 || f->kind == BLOCK_COARSE;
}

/* Its first place takes three retries, then the size is out: its other places are never measured. */
static void used_up_retries_end_a_size(void **state)
{
    (void)state;
    struct bench b = new_bench(saturating, .005);
    b.valid = but_sixteen;
    struct decision *d = run(&b, 40);
    assert_int_equal(why_of(d, 16)->why, WHY_INVALID);
    assert_int_equal(d->choice.batch, 32);
    int tries = 0;
    for (size_t i = 0; i < b.h.count; i++)
        tries += b.h.blocks[i].kind == BLOCK_RACE && b.h.blocks[i].batch == 16;
    assert_int_equal(tries, 4);
    decision_free(d);
    history_free(&b.h);
    b = new_bench(saturating, .005);
    b.valid = but_sixteen;
    b.throttled = true;
    d = run(&b, 40);
    assert_int_equal(why_of(d, 16)->why, WHY_THROTTLED);
    decision_free(d);
    history_free(&b.h);
}

static bool probes_only(const struct block_fact *f)
{
    return f->kind == BLOCK_COARSE;
}

/* A device that always throttles: the marked blocks are the best there is, and decide nothing. */
static void all_throttled_is_undecided(void **state)
{
    (void)state;
    struct bench b = new_bench(saturating, .005);
    b.valid = probes_only;
    b.throttled = true;
    struct decision *d = run(&b, 40);
    assert_int_equal(d->race.state, RACE_STILL_OPEN);
    assert_int_equal(d->choice.cause, RACE_CAUSE_DEVICE);
    assert_int_equal(d->choice.confidence, DECIDE_UNDECIDED);
    assert_int_equal(d->choice.batch, 32);
    decision_free(d);
    history_free(&b.h);
}

static void bias_of_the_control_is_seen(void **state)
{
    (void)state;
    struct bench b = new_bench(saturating, .005);
    b.control_bias = -.05;
    struct decision *d = run(&b, 40);
    assert_int_equal(d->race.state, RACE_STILL_OPEN);
    assert_int_equal(d->choice.cause, RACE_CAUSE_CONTROL);
    assert_true(fabs(d->race.control_m - .05) < .01);
    decision_free(d);
    history_free(&b.h);
}

/* --- limits --- */

/* 1000 b / (b + 1.5): a batch takes b + 1.5 ms. Limit 20 ms at p50: 17.5 at 16 passes, 33.5 at 32 fails. */
static void sizes_over_the_limit_leave(void **state)
{
    (void)state;
    struct bench b = new_bench(saturating, .002);
    b.rules.limit = (struct latency_limit){ .percentile = .5, .limit_ms = 20 };
    struct decision *d = run(&b, 40);
    assert_int_equal(why_of(d, 32)->why, WHY_OVER_SLO);
    assert_int_equal(why_of(d, 24)->why, WHY_OVER_SLO); /* a size in between: 25.5 ms */
    for (size_t i = 0; i < b.h.count; i++) /* every probed iteration of them was over: no block of a round is spent */
        assert_true(b.h.blocks[i].batch < 24 || b.h.blocks[i].kind == BLOCK_COARSE);
    assert_int_equal(d->choice.batch, 16);
    assert_int_equal(d->race.state, RACE_DECIDED);
    decision_free(d);
    history_free(&b.h);
}

/* p99 needs 459 iterations and a round has 10: open at the end of the race. 10 blocks of 50 are enough. */
static void an_open_limit_is_to_be_proved(void **state)
{
    (void)state;
    struct bench b = new_bench(saturating, .002);
    static const int given[] = { 16, 64 };
    b.rules.given = given;
    b.rules.given_count = 2;
    b.rules.limit = (struct latency_limit){ .percentile = .99, .limit_ms = 20 };
    struct decision *d = run(&b, 40);
    assert_int_equal(why_of(d, 64)->why, WHY_OVER_SLO); /* every coarse iteration takes 65.5 ms */
    assert_int_equal(d->race.state, RACE_PROVE_LIMITS);
    assert_int_equal(d->rounds, 40);
    for (int i = 0; i < 10; i++)
        add_block(&b, BLOCK_SLO, history_last_round(&b.h) + 1, 16, 0, measure(&b, 16));
    decision_free(d);
    d = decide(&b, false);
    assert_int_equal(d->race.state, RACE_DECIDED);
    assert_int_equal(d->choice.batch, 16);
    decision_free(d);
    history_free(&b.h);
}

/* Half the iterations over the limit, 60 s of them: neither proved nor refuted counts as over it. */
static void what_is_not_proved_in_time_is_over(void **state)
{
    (void)state;
    struct bench b = new_bench(saturating, 0);
    static const int given[] = { 16, 32 };
    b.rules.given = given;
    b.rules.given_count = 2;
    b.rules.limit = (struct latency_limit){ .percentile = .9999, .limit_ms = 40 }; /* would need 46 050 */
    struct decision *d = run(&b, 40);
    assert_int_equal(d->race.state, RACE_PROVE_LIMITS);
    while (decision_proof_ns(&b.h, 16) < DECISION_PROOF_NS)
        add_block(&b, BLOCK_SLO, history_last_round(&b.h) + 1, 16, 0, measure(&b, 16));
    decision_free(d);
    d = decide(&b, false);
    assert_int_equal(d->race.state, RACE_PROVE_LIMITS); /* 32 has had no proof yet */
    while (decision_proof_ns(&b.h, 32) < DECISION_PROOF_NS)
        add_block(&b, BLOCK_SLO, history_last_round(&b.h) + 1, 32, 0, measure(&b, 32));
    decision_free(d);
    d = decide(&b, false);
    assert_int_equal(d->race.state, RACE_NO_SIZE);
    assert_int_equal(d->choice.batch, 0);
    assert_int_equal(why_of(d, 16)->why, WHY_OVER_SLO);
    assert_int_equal(why_of(d, 16)->detail, DETAIL_NOT_PROVEN);
    decision_free(d);
    history_free(&b.h);
}

/* --- the incumbent --- */

static double flat(int batch)
{
    return batch == 1 ? 900 : 1000;
}

static int chosen_with(int incumbent, int pending, int *now_pending)
{
    struct bench b = new_bench(flat, .003);
    b.rules.incumbent = incumbent;
    b.rules.pending = pending;
    struct decision *d = run(&b, 40);
    int batch = d->optimal;
    *now_pending = d->choice.pending;
    decision_free(d);
    history_free(&b.h);
    return batch;
}

static void the_incumbent_goes_for_a_reason(void **state)
{
    (void)state;
    int pending;
    assert_int_equal(chosen_with(0, 0, &pending), 2);
    assert_int_equal(pending, 0);
    assert_int_equal(chosen_with(8, 0, &pending), 8); /* equal: kept, the smaller one is noted */
    assert_int_equal(pending, 2);
    assert_int_equal(chosen_with(8, 2, &pending), 2); /* twice in a row */
    assert_int_equal(pending, 0);
    assert_int_equal(chosen_with(8, 4, &pending), 8); /* another one was pending */
    assert_int_equal(chosen_with(1, 0, &pending), 2); /* shown to be slower */
    assert_int_equal(chosen_with(100, 0, &pending), 100); /* probed although the ascent ends at 64 */
}

/* --- other objectives --- */

static void values_of_a_block(void **state)
{
    (void)state;
    const struct block_fact f = { .batch = 4, .iterations = 10, .y = log(200), .t_iter_ns = 20e6, .energy_j = 8 };
    struct block_fact unknown = f;
    unknown.energy_j = NAN;
    assert_true(fabs(decision_value(&f, OBJECTIVE_THROUGHPUT) - log(200)) < 1e-12);
    assert_true(fabs(decision_value(&f, OBJECTIVE_LATENCY) + log(20)) < 1e-12);
    assert_true(fabs(decision_value(&f, OBJECTIVE_ENERGY) + log(.2)) < 1e-12); /* 8 J for 40 images */
    assert_true(isnan(decision_value(&unknown, OBJECTIVE_ENERGY)));
}

/* One batch takes b + 1.5 ms: the smallest size is the fastest by far. */
static void latency_chooses_the_smallest(void **state)
{
    (void)state;
    struct bench b = new_bench(saturating, .005);
    b.rules.objective = OBJECTIVE_LATENCY;
    struct decision *d = run(&b, 40);
    assert_int_equal(d->optimal, 1);
    assert_int_equal(d->choice.confidence, DECIDE_DECIDED);
    decision_free(d);
    history_free(&b.h);
}

/* --- what may be executed --- */

static double without_sixteen(int batch)
{
    return batch == 16 ? 0 : saturating(batch);
}

/* 32 is decided, but a service that asks for 32 may have 16 images left over: the answer below 16 is served. */
static void a_smaller_size_that_fails_limits_what_is_served(void **state)
{
    (void)state;
    struct bench b = new_bench(without_sixteen, .003);
    struct decision *d = run(&b, 40);
    assert_int_equal(why_of(d, 16)->why, WHY_OUT_OF_MEMORY);
    assert_int_equal(d->choice.batch, 32);
    assert_int_equal(d->max_safe.failed_below, 16);
    assert_int_equal(d->optimal, 8); /* the largest below 16 that raced; 4 is 13.6 % below it */
    assert_int_equal(d->max_safe.max_safe, 8);
    decision_free(d);
    history_free(&b.h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_smallest_within_five_percent),
        cmocka_unit_test(only_complete_rounds_count),
        cmocka_unit_test(a_size_that_died_twice_leaves),
        cmocka_unit_test(used_up_retries_end_a_size),
        cmocka_unit_test(all_throttled_is_undecided),
        cmocka_unit_test(bias_of_the_control_is_seen),
        cmocka_unit_test(sizes_over_the_limit_leave),
        cmocka_unit_test(an_open_limit_is_to_be_proved),
        cmocka_unit_test(what_is_not_proved_in_time_is_over),
        cmocka_unit_test(the_incumbent_goes_for_a_reason),
        cmocka_unit_test(values_of_a_block),
        cmocka_unit_test(latency_chooses_the_smallest),
        cmocka_unit_test(a_smaller_size_that_fails_limits_what_is_served),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
