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

#define LEN(a) (sizeof(a) / sizeof *(a))
enum { TRIALS = 250, MANY = 400 };

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

static void race_is_seldom_wrong(void **state)
{
    static const struct curve *const curves[] = { &curve_saturating, &curve_early_knee, &curve_hump,
                                                  &curve_saw,
                                                  &curve_margin, NULL };
    (void)state;
    for (size_t i = 0; i < LEN(curves); i++) {
        struct trials t = try_rule(&rule_ours, curves[i], MANY, 0);
        assert_true(share_at_most(t.error, .05, t.runs));
    }
    struct trials alone = try_rule(&rule_race, &curve_margin, MANY, 0);
    struct trials unsplit = try_rule(&rule_race_unsplit, &curve_margin, MANY, 0);
    assert_true(share_at_most(alone.error, .05, alone.runs));
    assert_false(share_at_most(unsplit.error, .05, unsplit.runs)); /* looking six times at 5 % each */
}

static void saw_tooth_gives_twelve(void **state)
{
    (void)state;
    struct trials ours = try_rule(&rule_ours, &curve_saw, MANY, 0);
    struct trials powers = try_rule(&rule_race, &curve_saw, TRIALS, 0);
    assert_true(share_at_most(ours.outside, .01, ours.runs)); /* nothing else lies within 5 % of 12 */
    assert_true(powers.outside == 1);                          /* powers of two lose 12 % */
}

static void our_errors_cost_and_flaps_are_bounded(void **state)
{
    static const struct curve *const curves[] = { &curve_saturating, &curve_early_knee, &curve_hump, NULL };
    (void)state;
    for (size_t i = 0; i < LEN(curves); i++) {
        struct trials t = trials_run(&(struct trials_ask){ .rule = &rule_ours, .curve = curves[i],
                                                           .trials = TRIALS,
                                                           .noise = &noise_typical, .seed = 9 }, 1);
        struct trials navigator = try_rule(&rule_navigator, curves[i], TRIALS, 0);
        struct trials analyzer = try_rule(&rule_analyzer, curves[i], TRIALS / 5, 0);
        assert_true(share_at_most(t.outside, .01, t.runs));
        assert_true(share_at_most(t.flap, .06, t.runs / 2));
        assert_true(share_at_most(t.flap_incumbent, .01, t.runs / 2));
        assert_true(t.units < .4 * analyzer.units);
        assert_true(t.decided < .5 || t.units_decided <= 3 * navigator.units);
    }
}

static void thrifty_is_as_good_for_less(void **state)
{
    static const struct curve *const curves[] = { &curve_saturating, &curve_early_knee, &curve_hump,
                                                  &curve_saw,
                                                  &curve_margin, NULL };
    (void)state;
    for (size_t i = 0; i < LEN(curves); i++) {
        struct trials ours = try_rule(&rule_ours, curves[i], TRIALS, 0), t = try_rule(&rule_thrifty,
                                                                                      curves[i], TRIALS, 0);
        assert_true(share_at_most(t.error, .05, t.runs));
        assert_true(share_at_most(t.outside, .01, t.runs));
        assert_true(share_at_most(t.flap, .06, t.runs / 2));
        assert_true(t.units < .9 * ours.units);
        if (curves[i] == &curve_saturating || curves[i] == &curve_early_knee) {
            assert_true(t.decided > .9 && t.units_decided < 1.6 * 63); /* 63: units of Navigator */
            assert_true(ours.units_decided > t.units_decided + 10);
        }
    }
}

/* --- single campaigns ----------------------------------------------------------------------------------- */

static struct procedure_answer *campaign(const struct curve *c, const struct noise *noise, uint64_t seed,
                                         int incumbent,
                                         double control_bias)
{
    struct meter m = meter_start(noise, seed, curve_rate, c);
    struct procedure_answer *a;
    const struct procedure_ask ask = { .meter = &m, .max_batch = CURVE_MAX, .within = .05, .alpha = .05,
                                       .seed = seed,
                                       .control = true, .control_bias = control_bias,
                                           .incumbent = incumbent };
    assert_int_equal(procedure_run(&a, &ask, NULL), ST_OK);
    return a;
}

static const struct search_size *tried(const struct procedure_answer *a, int batch)
{
    for (size_t i = 0; i < a->search.count; i++)
        if (a->search.sizes[i].batch == batch && a->search.sizes[i].has_y)
            return &a->search.sizes[i];
    return NULL;
}

/* With exact measurements a dip of 15 % at one power of two hides nothing behind it. */
static void dip_does_not_end_the_ascent(void **state)
{
    static const struct noise none = { 0 };
    (void)state;
    for (int i = 1; i < CURVE_POWERS - 1; i++) {
        struct curve c = curve_saturating;
        c.at[i] *= .85;
        struct procedure_answer *a = campaign(&c, &none, 1, 0, 0);
        assert_non_null(tried(a, CURVE_MAX));
        assert_int_equal(a->decision.batch, i == 5 ? 64 : 32);
        if (i >= 3) /* ended by the first flat size (a wrong twin) it would not have come that far */
            assert_true(tried(a, 1 << i)->y < tried(a, 1 << (i - 1))->y + log(1.02));
        procedure_free(a);
    }
}

static void hump_is_within_or_keeps_the_incumbent(void **state)
{
    size_t within = 0, kept = 0;
    enum { RUNS = 300 };
    (void)state;
    for (uint64_t seed = 0; seed < RUNS; seed++) {
        struct procedure_answer *a = campaign(&curve_hump, &noise_typical, seed, 0, 0);
        within += a->race.state == RACE_WITHIN && a->decision.batch == 2 &&
            a->decision.confidence == DECIDE_WITHIN;
        procedure_free(a);
        a = campaign(&curve_hump, &noise_typical, seed, 1, 0);
        kept += a->decision.batch == 1 && a->decision.outcome == INCUMBENT_KEPT &&
                a->decision.confidence == DECIDE_UNDECIDED;
        procedure_free(a);
    }
    assert_true(share_at_most(1 - (double)within / RUNS, .05, RUNS));
    assert_true(share_at_most(1 - (double)kept / RUNS, .05, RUNS));
}

static void bias_on_the_control_alone_forbids_a_decision(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct procedure_answer *fair = campaign(&curve_early_knee, &noise_typical, seed, 0, 0);
        struct procedure_answer *biased = campaign(&curve_early_knee, &noise_typical, seed, 0, -.2);
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
        struct procedure_answer *a = campaign(&c, &noise_typical, seed, seed % 3 ? 0 : 64, 0);
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
        cmocka_unit_test(saw_tooth_gives_twelve),
        cmocka_unit_test(our_errors_cost_and_flaps_are_bounded),
        cmocka_unit_test(thrifty_is_as_good_for_less),
        cmocka_unit_test(dip_does_not_end_the_ascent),
        cmocka_unit_test(hump_is_within_or_keeps_the_incumbent),
        cmocka_unit_test(bias_on_the_control_alone_forbids_a_decision),
        cmocka_unit_test(every_size_has_one_reason),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
