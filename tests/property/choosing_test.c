/* How the rules choose on simulated measurements: expected shares come from an independent simulation of the
 * same rules; they must agree within three standard errors of both. Guarantees of the race are held as
 * bounds. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "bench/replay/procedure.h"
#include "tests/decisions/trials.h"
#include "tuner/slo.h"

#define LEN(a) (sizeof(a) / sizeof *(a))
enum { TRIALS = 200, MANY = 300 };

static struct trials try_rule(const struct rule *rule, const struct curve *curve, size_t trials,
                              int incumbent)
{
    return trials_run(&(struct trials_ask){ .rule = rule, .curve = curve, .noise = &noise_typical,
                                            .trials = trials,
                                            .seed = 20, .incumbent = incumbent }, 0);
}

/* |seen - want| within three standard errors of both simulations; want was rounded to `digit`. Fewer than one
 * event in n is taken as one: of rarer ones a standard error says nothing. */
static int share_agrees(double seen, double want, size_t n, size_t want_n, double digit)
{
    double one = 1. / (double)n, p = fmax(want, one);
    double se = sqrt(p * (1 - fmin(p, 1 - one)) * (one + 1. / (double)want_n));
    return fabs(seen - want) <= 3 * se + digit / 2;
}

static int mean_agrees(double seen, double sd, double want, size_t n, size_t want_n, double digit)
{
    return fabs(seen - want) <= 3 * sd * sqrt(1. / (double)n + 1. / (double)want_n) + digit / 2;
}

/* A share bounded by `limit`: not above it by more than chance explains. */
static int share_at_most(double seen, double limit, size_t n)
{
    return seen <= limit + 3 * sqrt(limit * (1 - limit) / (double)n);
}

/* --- table of choosing rules: 4000 runs each, 7 sizes --------------------------------------------------- */

static const struct choosing_row {
    const struct rule *rule;
    const struct curve *curve;
    double exact, in_zone, units; /* in_zone < 0: not stated */
} choosing[] = {
    { &rule_argmax, &curve_saturating, .09, 1.00, 70 },      { &rule_argmax, &curve_early_knee, .15, -1, 70 },
    { &rule_argmax, &curve_hump, .00, -1, 70 },              { &rule_gain, &curve_saturating, .24, .74, 70 },
    { &rule_gain, &curve_early_knee, .92, -1, 70 },          { &rule_gain, &curve_hump, .76, -1, 70 },
    { &rule_in_order, &curve_saturating, .74, .74, 70 },     { &rule_in_order, &curve_early_knee, 1.00, -1,
                                                               70 },
    { &rule_in_order, &curve_hump, .91, -1, 70 },            { &rule_interleaved, &curve_saturating, .98, .98,
                                                               70 },
    { &rule_interleaved, &curve_early_knee, 1.00, -1, 70 },  { &rule_interleaved, &curve_hump, .45, -1, 70 },
    { &rule_race, &curve_saturating, 1.00, 1.00, 97 },       { &rule_race, &curve_early_knee, 1.00, -1, 76 },
    { &rule_race, &curve_hump, .53, -1, 220 },
};

static int row_agrees(const struct choosing_row *row, const struct rule *rule)
{
    struct trials t = try_rule(rule, row->curve, TRIALS, 0);
    return share_agrees(t.exact, row->exact, t.runs, 4000, .01) &&
           (row->in_zone < 0 || share_agrees(1 - t.outside, row->in_zone, t.runs, 4000, .01)) &&
           mean_agrees(t.units, t.units_sd, row->units, t.runs, 4000, 1);
}

static void choosing_rules_agree(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(choosing); i++)
        if (!row_agrees(&choosing[i], choosing[i].rule))
            fail_msg("%s on %s does not agree", choosing[i].rule->name, choosing[i].curve->name);
    assert_false(row_agrees(&choosing[9], &rule_in_order)); /* wrong twins: another rule's row */
    assert_false(row_agrees(&choosing[0], &rule_interleaved));
    assert_false(row_agrees(&choosing[12], &rule_interleaved));
}

/* --- table of whole procedures: 3000 pairs of runs, ours 2500 ------------------------------------------- */

static const struct tool_row {
    const struct rule *rule;
    const struct curve *curve;
    double regret, outside, flap, units;
} tools[] = {
    { &rule_trtexec, &curve_saturating, .001, 0, .08, 210 },   { &rule_trtexec, &curve_early_knee, .003, 0,
                                                                 .73, 210 },
    { &rule_trtexec, &curve_hump, .006, 0, .58, 210 },         { &rule_analyzer, &curve_saturating, 0, 0, .02,
                                                                 1050 },
    { &rule_analyzer, &curve_early_knee, .004, 0, .74, 963 },  { &rule_analyzer, &curve_hump, .004, 0, .58,
                                                                 594 },
    { &rule_navigator, &curve_saturating, .021, .24, .63, 63 },
    { &rule_navigator, &curve_early_knee, .015, .002, .16, 63 }, { &rule_navigator, &curve_hump, .037, 0, .44,
                                                                   40 },
    { &rule_ours, &curve_saturating, .023, 0, .005, 128 },     { &rule_ours, &curve_early_knee, .015, 0, .001,
                                                                 98 },
    { &rule_ours, &curve_hump, .010, 0, .009, 223 },
};

static int tool_agrees(const struct tool_row *row, const struct rule *rule)
{
    struct trials t = try_rule(rule, row->curve, TRIALS, 0);
    return mean_agrees(t.regret, t.regret_sd, row->regret, t.runs, 5000, .001) &&
           share_agrees(t.outside, row->outside, t.runs, 5000, .001) &&
           share_agrees(t.flap, row->flap, t.runs / 2, 2500, .001) &&
           mean_agrees(t.units, t.units_sd, row->units, t.runs, 5000, 1);
}

static void whole_procedures_agree(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(tools); i++)
        if (!tool_agrees(&tools[i], tools[i].rule))
            fail_msg("%s on %s does not agree", tools[i].rule->name, tools[i].curve->name);
    assert_false(tool_agrees(&tools[6], &rule_trtexec));
    assert_false(tool_agrees(&tools[9], &rule_navigator));
}

/* --- what the race promises ----------------------------------------------------------------------------- */

static const struct curve *const all_curves[] = { &curve_saturating, &curve_early_knee, &curve_hump,
                                                  &curve_saw, &curve_margin, NULL };
static const struct rule *const our_rules[] = { &rule_ours, &rule_thrifty, &rule_often };

static void race_is_seldom_wrong(void **state)
{
    (void)state;
    for (size_t r = 0; r < LEN(our_rules); r++)
        for (size_t i = 0; i < LEN(all_curves); i++) {
            struct trials t = try_rule(our_rules[r], all_curves[i], MANY, 0);
            assert_true(share_at_most(t.error, .05, t.runs));
        }
    struct trials alone = try_rule(&rule_race, &curve_margin, MANY, 0);
    struct trials unsplit = try_rule(&rule_race_unsplit, &curve_margin, MANY, 0);
    assert_true(share_at_most(alone.error, .05, alone.runs));
    assert_false(share_at_most(unsplit.error, .05, unsplit.runs)); /* looking six times at 5 % each */
}

/* --- two sizes that lie on the margin ------------------------------------------------------------------- */

/* Of races between a size and `rivals` larger ones, all of them exactly as much faster as the margin allows:
 * the share in which the small one was called too slow, or fast enough, at any look. */
struct misjudged {
    double slower, holds;
};

static struct misjudged race_on_the_margin(enum race_thrift thrifty, double alpha, size_t rivals, size_t runs)
{
    enum { ROUNDS = 40 };
    struct race_candidate candidates[10] = { { 0 } };
    struct race_block blocks[ROUNDS * 11];
    struct race_answer a;
    struct misjudged out = { 0 };
    struct rng r = rng_seeded(4);
    const struct race_ask ask = { .candidates = candidates, .count = rivals + 1, .blocks = blocks,
                                  .rounds = ROUNDS, .within = .05, .alpha = alpha, .thrifty = thrifty };
    for (size_t i = 0; i <= rivals; i++)
        candidates[i] = (struct race_candidate){ .batch = 1 << i, .coarse_y = NAN };
    for (size_t n = 0; n < runs; n++) {
        for (size_t k = 0; k < ROUNDS * (rivals + 2); k++) {
            size_t column = k % (rivals + 2);
            double y = .01 * rng_normal(&r) + (column == 0 || column > rivals ? log(.95) : 0);
            blocks[k] = (struct race_block){ .y = y, .mark = RACE_VALID };
        }
        race_step(&a, &ask, NULL);
        out.slower += a.sizes[0].why == WHY_SLOWER;
        out.holds += a.state == RACE_DECIDED && a.batch == 1;
    }
    out.slower /= (double)runs;
    out.holds /= (double)runs;
    return out;
}

static void size_on_the_margin_is_seldom_misjudged(void **state)
{
    enum { RUNS = 4000 };
    static const enum race_thrift kinds[] = { RACE_PLAIN, RACE_THRIFTY, RACE_OFTEN };
    static const size_t rivals[] = { 1, 3, 9 };
    (void)state;
    for (size_t i = 0; i < LEN(kinds); i++)
        for (size_t k = 0; k < LEN(rivals); k++) {
            struct misjudged m = race_on_the_margin(kinds[i], .05, rivals[k], RUNS / rivals[k]);
            assert_true(share_at_most(m.slower, .05, RUNS / rivals[k]));
            assert_true(share_at_most(m.holds, .05, RUNS / rivals[k]));
        }
    struct misjudged one = race_on_the_margin(RACE_OFTEN, .05, 1, RUNS);
    assert_true(one.slower > .02 && one.holds > .02); /* seldom, but not by looking away */
    struct misjudged unsplit = race_on_the_margin(RACE_OFTEN, .05 * 7, 1, RUNS); /* ten looks at 5 % each */
    assert_false(share_at_most(unsplit.slower, .05, RUNS));
    assert_false(share_at_most(unsplit.holds, .05, RUNS));
}

/* --- latency limits ------------------------------------------------------------------------------------- */

/* Share of sizes that pass "p95 of the times is at most 1"; `above`: how likely a time is to be above it. */
static double pass_share(double above, bool by_counting)
{
    enum { RUNS = 4000, TIMES = 1200, FIRST = 90 };
    const struct slo_rule rule = slo_rule_of(.95);
    static double times[TIMES];
    struct rng r = rng_seeded(12);
    size_t passed = 0;
    for (int n = 0; n < RUNS; n++) {
        size_t over = 0;
        bool seen = false;
        for (size_t i = 0; i < TIMES; i++) {
            times[i] = rng_uniform(&r) < above ? 1.01 : .9;
            over += times[i] > 1;
            seen = seen || (i + 1 >= FIRST && (double)over <= .05 * (double)(i + 1));
        }
        passed += by_counting ? slo_check(&rule, times, TIMES, 1).status == SLO_PASS : seen;
    }
    return (double)passed / RUNS;
}

static void limit_must_be_proved(void **state)
{
    (void)state;
    assert_true(share_at_most(pass_share(.05, true), .05, 4000));
    assert_true(pass_share(.07, true) < pass_share(.05, true));
    assert_true(pass_share(.005, true) > .95);
    /* wrong twin: as soon as at most 5 % of the times seen so far are above it */
    assert_false(share_at_most(pass_share(.05, false), .05, 4000));
}

/* Size 4 is by far the fastest and fails the limit, passes it, or is not known yet. */
static struct race_answer race_with_leader(enum slo_status limit)
{
    enum { SIZES = 3, ROUNDS = 6 };
    static const double level[] = { 0, .02, .3 };
    struct race_candidate candidates[SIZES] = { { .batch = 1 }, { .batch = 2 },
                                                { .batch = 4, .limit = limit } };
    struct race_block blocks[ROUNDS * (SIZES + 1)];
    struct race_answer a;
    struct rng r = rng_seeded(3);
    for (size_t k = 0; k < LEN(blocks); k++)
        blocks[k] = (struct race_block){ .y = level[k % (SIZES + 1) % SIZES] + .001 * rng_normal(&r),
                                         .mark = RACE_VALID };
    race_step(&a, &(struct race_ask){ .candidates = candidates, .count = SIZES, .blocks = blocks,
                                      .rounds = ROUNDS, .within = .05, .alpha = .05 }, NULL);
    return a;
}

static void leader_over_the_limit_rejects_nobody(void **state)
{
    struct race_answer failed = race_with_leader(SLO_FAIL), passed = race_with_leader(SLO_PASS),
                       open = race_with_leader(SLO_OPEN);
    (void)state;
    assert_int_equal(failed.state, RACE_DECIDED);
    assert_int_equal(failed.batch, 1);
    assert_int_equal(failed.sizes[2].why, WHY_OVER_SLO);
    assert_int_equal(passed.batch, 4); /* the twin: within the limit it beats both */
    assert_int_equal(passed.sizes[0].why, WHY_SLOWER);
    assert_int_equal(open.state, RACE_GO_ON); /* it rejects nobody, and nobody is accepted beside it */
    assert_true(open.sizes[0].alive && open.sizes[1].alive && open.sizes[2].alive);
}

static void saw_tooth_gives_twelve(void **state)
{
    (void)state;
    struct trials powers = try_rule(&rule_race, &curve_saw, TRIALS, 0);
    for (size_t r = 0; r < LEN(our_rules); r++) {
        struct trials t = try_rule(our_rules[r], &curve_saw, MANY, 0);
        assert_true(share_at_most(t.outside, .01, t.runs)); /* nothing else lies within 5 % of 12 */
    }
    assert_true(powers.outside == 1);                          /* powers of two lose 12 % */
}

static void our_errors_cost_and_flaps_are_bounded(void **state)
{
    static const struct curve *const curves[] = { &curve_saturating, &curve_early_knee, &curve_hump, NULL };
    (void)state;
    for (size_t i = 0; i < LEN(curves); i++) {
        struct trials navigator = try_rule(&rule_navigator, curves[i], TRIALS, 0);
        struct trials analyzer = try_rule(&rule_analyzer, curves[i], TRIALS / 5, 0);
        for (size_t r = 0; r < LEN(our_rules); r++) {
            struct trials t = trials_run(&(struct trials_ask){ .rule = our_rules[r], .curve = curves[i],
                                                               .trials = TRIALS, .noise = &noise_typical,
                                                               .seed = 9 }, 1);
            assert_true(share_at_most(t.outside, .01, t.runs));
            assert_true(share_at_most(t.flap, .06, t.runs / 2));
            assert_true(share_at_most(t.flap_incumbent, .01, t.runs / 2));
            assert_true(t.units < .4 * analyzer.units && t.images < .4 * analyzer.images);
            assert_true(t.decided < .5 || (t.units_decided <= 3 * navigator.units &&
                                           t.images_decided <= 3 * navigator.images));
        }
        if (curves[i]) /* wrong twins: on these curves every other rule is outside, or changes its answer */
            assert_false(share_at_most(navigator.outside, .01, navigator.runs) &&
                         share_at_most(navigator.flap, .06, navigator.runs / 2));
    }
    struct trials argmax = try_rule(&rule_argmax, &curve_early_knee, TRIALS, 0);
    assert_false(share_at_most(argmax.flap, .06, argmax.runs / 2));
}

/* Fewer blocks for the same answers; 63 is what Navigator takes for seven sizes. */
static void thrifty_is_as_good_for_less(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(all_curves); i++) {
        const struct curve *c = all_curves[i];
        struct trials ours = try_rule(&rule_ours, c, TRIALS, 0), t = try_rule(&rule_thrifty, c, TRIALS, 0),
                      often = try_rule(&rule_often, c, TRIALS, 0);
        assert_true(share_at_most(t.outside, .01, t.runs) && share_at_most(often.outside, .01, often.runs));
        assert_true(share_at_most(t.flap, .06, t.runs / 2) &&
                    share_at_most(often.flap, .06, often.runs / 2));
        assert_true(t.units < .9 * ours.units && t.images < .95 * ours.images);
        assert_true(often.units < t.units);
        if (c == &curve_saturating || c == &curve_early_knee) {
            assert_true(t.decided > .9 && t.units_decided < 1.6 * 63);
            assert_true(often.decided > .9 && often.units_decided < 1.5 * 63);
            assert_true(ours.units_decided > t.units_decided + 10);
        }
    }
}

/* --- single campaigns ----------------------------------------------------------------------------------- */

/* On a typical machine unless more->meter is another; `more` says what differs from a plain campaign. */
static struct procedure_answer *run_campaign(const struct curve *c, uint64_t seed,
                                             const struct procedure_ask *more)
{
    struct meter m = meter_start(&noise_typical, seed, curve_rate, c);
    struct procedure_ask ask = *more;
    struct procedure_answer *a;
    ask.meter = more->meter ? more->meter : &m;
    ask.max_batch = CURVE_MAX;
    ask.within = ask.alpha = .05;
    ask.seed = seed;
    ask.control = true;
    assert_int_equal(procedure_run(&a, &ask, NULL), ST_OK);
    return a;
}

static struct procedure_answer *campaign(const struct curve *c, uint64_t seed, int incumbent)
{
    return run_campaign(c, seed, &(struct procedure_ask){ .incumbent = incumbent });
}

static const struct search_size *tried(const struct procedure_answer *a, int batch)
{
    for (size_t i = 0; i < a->search.count; i++)
        if (a->search.sizes[i].batch == batch && a->search.sizes[i].has_y)
            return &a->search.sizes[i];
    return NULL;
}

/* --- the size in use ------------------------------------------------------------------------------------ */

static struct decide_answer tune_knee(uint64_t seed, int incumbent, int pending)
{
    struct procedure_answer *a = run_campaign(
        &curve_early_knee, seed, &(struct procedure_ask){ .incumbent = incumbent, .pending = pending,
                                                          .thrifty = RACE_THRIFTY });
    struct decide_answer d = a->decision;
    procedure_free(a);
    return d;
}

/* 8 is right; 1 is far too slow; 32 is no better, only larger; 128 does not run. */
static void size_in_use_goes_for_a_reason_only(void **state)
{
    enum { RUNS = 200 };
    size_t kept = 0, slow = 0, missing = 0, larger = 0, second = 0, forgotten = 0;
    (void)state;
    for (uint64_t seed = 0; seed < RUNS; seed++) {
        struct decide_answer d = tune_knee(seed, 8, 0);
        kept += d.batch == 8 && d.outcome == INCUMBENT_CONFIRMED;
        d = tune_knee(seed, 1, 0);
        slow += d.batch == 8 && d.outcome == INCUMBENT_REPLACED;
        d = tune_knee(seed, 2 * CURVE_MAX, 0);
        missing += d.batch == 8 && d.outcome == INCUMBENT_REPLACED;
        d = tune_knee(seed, 32, 0);
        larger += d.batch == 32 && d.outcome == INCUMBENT_KEPT && d.pending == 8;
        second += tune_knee(seed + RUNS, 32, d.pending).batch == 8;
        forgotten += tune_knee(seed + RUNS, 32, 0).batch == 8; /* wrong twin: what was pending is not kept */
    }
    assert_true(share_at_most(1 - (double)kept / RUNS, .05, RUNS));
    assert_true(share_at_most(1 - (double)slow / RUNS, .05, RUNS));
    assert_true(share_at_most(1 - (double)missing / RUNS, .05, RUNS));
    assert_true(share_at_most(1 - (double)larger / RUNS, .05, RUNS));
    assert_true(share_at_most(1 - (double)second / RUNS, .05, RUNS));
    assert_false(share_at_most(1 - (double)forgotten / RUNS, .05, RUNS));
}

/* --- shapes --------------------------------------------------------------------------------------------- */

/* With exact measurements a dip of 15 % at one power of two hides nothing behind it. */
static void dip_does_not_end_the_ascent(void **state)
{
    static const struct noise none = { 0 };
    (void)state;
    for (int i = 1; i < CURVE_POWERS - 1; i++) {
        struct curve c = curve_saturating;
        c.at[i] *= .85;
        struct meter exact = meter_start(&none, 1, curve_rate, &c);
        struct procedure_answer *a = run_campaign(&c, 1, &(struct procedure_ask){ .meter = &exact });
        assert_non_null(tried(a, CURVE_MAX));
        assert_int_equal(a->decision.batch, i == 5 ? 64 : 32);
        if (i >= 3) /* ended by the first flat size (a wrong twin) it would not have come that far */
            assert_true(tried(a, 1 << i)->y < tried(a, 1 << (i - 1))->y + log(1.02));
        procedure_free(a);
    }
}

/* On a noisy machine too: the answer is that without the dip, wherever the dip is. */
static void dip_is_walked_over_on_a_noisy_machine(void **state)
{
    enum { RUNS = 100 };
    (void)state;
    for (int i = 1; i < 5; i++) {
        struct curve c = curve_saturating;
        size_t right = 0;
        c.at[i] *= .85;
        for (uint64_t seed = 0; seed < RUNS; seed++) {
            struct procedure_answer *a = campaign(&c, seed, 0);
            right += tried(a, CURVE_MAX) && curve_rate(&c, a->decision.batch) >= .95 * curve_best(&c);
            procedure_free(a);
        }
        assert_true(share_at_most(1 - (double)right / RUNS, .01, RUNS));
        struct trials walk = try_rule(&rule_analyzer, &c, RUNS / 2, 0); /* wrong twin: ends at the dip */
        assert_true(i < 3 || walk.outside > .5);
    }
}

static void hump_is_within_or_keeps_the_incumbent(void **state)
{
    size_t within = 0, kept = 0, knee = 0;
    enum { RUNS = 300 };
    (void)state;
    for (uint64_t seed = 0; seed < RUNS; seed++) {
        struct procedure_answer *a = campaign(&curve_hump, seed, 0);
        within += a->race.state == RACE_WITHIN && a->decision.batch == 2 &&
            a->decision.confidence == DECIDE_WITHIN;
        procedure_free(a);
        a = campaign(&curve_early_knee, seed, 0);
        knee += a->race.state == RACE_WITHIN;
        procedure_free(a);
        a = campaign(&curve_hump, seed, 1);
        kept += a->decision.batch == 1 && a->decision.outcome == INCUMBENT_KEPT &&
                a->decision.confidence == DECIDE_UNDECIDED;
        procedure_free(a);
    }
    assert_true(share_at_most(1 - (double)within / RUNS, .05, RUNS));
    assert_true(share_at_most(1 - (double)kept / RUNS, .05, RUNS));
    assert_true(knee < RUNS / 10); /* the twin: a curve that can be decided is */
    struct trials two = try_rule(&rule_ours, &curve_hump, MANY, 0);
    assert_true(share_at_most(two.flap, .02, two.runs / 2));
}

static void bias_on_the_control_alone_forbids_a_decision(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 60; seed++) {
        enum race_thrift thrifty = (enum race_thrift)(seed % 3);
        struct procedure_answer *fair = run_campaign(&curve_early_knee, seed,
                                                     &(struct procedure_ask){ .thrifty = thrifty });
        struct procedure_answer *biased = run_campaign(
            &curve_early_knee, seed, &(struct procedure_ask){ .thrifty = thrifty, .control_bias = -.2 });
        assert_int_equal(fair->race.cause, RACE_CAUSE_NONE);
        assert_int_equal(biased->race.cause, RACE_CAUSE_CONTROL);
        assert_int_equal(biased->decision.confidence, DECIDE_UNDECIDED);
        procedure_free(fair);
        procedure_free(biased);
    }
}

/* One reason for each size of the search, `chosen` once; together the campaigns give most of the reasons
 * there are. */
static void every_size_has_one_reason(void **state)
{
    int seen[WHY_COUNT] = { 0 };
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct curve c = curve_random(seed);
        struct procedure_answer *a = campaign(&c, seed, seed % 3 ? 0 : 64);
        size_t chosen = 0;
        for (size_t i = 0; i < a->search.count; i++) {
            assert_int_equal(a->whys[i].batch, a->search.sizes[i].batch);
            assert_true(i == 0 || a->whys[i].batch > a->whys[i - 1].batch);
            assert_int_not_equal(a->whys[i].why, WHY_NONE);
            chosen += a->whys[i].why == WHY_CHOSEN;
            seen[a->whys[i].why]++;
        }
        assert_int_equal(chosen, 1);
        procedure_free(a);
    }
    static const enum why must[] = { WHY_CHOSEN, WHY_NOT_TRIED_DOMINATED, WHY_SLOWER_COARSE,
                                     WHY_MIDPOINT_NO_GAIN,
                                     WHY_SLOWER, WHY_SMALLER_PENDING, WHY_WITHIN_ZONE_BUT_LARGER,
                                         WHY_UNDECIDED };
    for (size_t i = 0; i < LEN(must); i++)
        assert_true(seen[must[i]] > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(choosing_rules_agree),
        cmocka_unit_test(whole_procedures_agree),
        cmocka_unit_test(race_is_seldom_wrong),
        cmocka_unit_test(size_on_the_margin_is_seldom_misjudged),
        cmocka_unit_test(limit_must_be_proved),
        cmocka_unit_test(leader_over_the_limit_rejects_nobody),
        cmocka_unit_test(saw_tooth_gives_twelve),
        cmocka_unit_test(our_errors_cost_and_flaps_are_bounded),
        cmocka_unit_test(thrifty_is_as_good_for_less),
        cmocka_unit_test(size_in_use_goes_for_a_reason_only),
        cmocka_unit_test(dip_does_not_end_the_ascent),
        cmocka_unit_test(dip_is_walked_over_on_a_noisy_machine),
        cmocka_unit_test(hump_is_within_or_keeps_the_incumbent),
        cmocka_unit_test(bias_on_the_control_alone_forbids_a_decision),
        cmocka_unit_test(every_size_has_one_reason),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
