/* Prints how rules choose: ours and those of other tools, on the same simulated measurements.
 * usage: bench-decisions [TRIALS [SEED]] */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bench/replay/procedure.h"
#include "kernels/base/home.h"
#include "kernels/base/len.h"
#include "tests/decisions/trials.h"
#include "tuner/race.h"

enum { RECORDED = 5, INVENTED = 6 };

/* --- tables --------------------------------------------------------------------------------------------- */

static const struct curve *const curves[INVENTED] = { &curve_saturating, &curve_early_knee, &curve_hump,
                                                      &curve_saw, &curve_margin, NULL };
static const struct rule *const tools[] = { &rule_argmax, &rule_trtexec, &rule_analyzer, &rule_navigator,
                                            &rule_ours, &rule_thrifty, &rule_often };

static void print_choosing(size_t trials, uint64_t seed)
{
    static const struct rule *const rules[] = { &rule_argmax, &rule_gain, &rule_in_order, &rule_interleaved,
                                                &rule_race };
    printf("Rules of choosing: 7 sizes, 10 blocks each or the race; %zu trials\n", trials);
    printf("%-12s %-52s %7s %7s %8s %7s\n", "curve", "rule", "exact", "in zone", "decided", "blocks");
    for (size_t c = 0; c < 3; c++)
        for (size_t r = 0; r < LEN(rules); r++) {
            struct trials t = trials_run(&(struct trials_ask){ .rule = rules[r], .curve = curves[c],
                                                               .seed = seed, .noise = &noise_typical,
                                                               .trials = trials / 2 }, 0);
            printf("%-12s %-52s %7.3f %7.3f %8.3f %7.1f\n", curves[c]->name, rules[r]->name, t.exact,
                   1 - t.outside, t.decided, t.units);
        }
}

static const char *number(char text[16], const char *format, double value)
{
    if (isnan(value))
        snprintf(text, 16, "-");
    else
        snprintf(text, 16, format, value);
    return text;
}

static void print_tool(const struct rule *rule, const struct curve *curve, size_t trials, uint64_t seed)
{
    char a[16], b[16], c[16];
    int incumbent = rule == &rule_ours || rule == &rule_thrifty || rule == &rule_often;
    struct trials t = trials_run(&(struct trials_ask){ .rule = rule, .curve = curve, .seed = seed,
                                                       .noise = &noise_typical, .trials = trials }, incumbent);
    printf("%-12.12s %-32s %6.2f%% %6.2f%% %6.1f%% %6.3f %6s %7.3f %7.4f %7.1f %7s %7s\n",
           curve ? curve->name : "random", rule->name, 100 * t.outside, 100 * t.regret, 100 * t.worst_regret,
           t.flap, number(a, "%.4f", t.flap_incumbent), t.decided, t.error, t.units,
           number(b, "%.1f", t.units_decided), number(c, "%.0f", t.images_decided));
}

static void print_tools_heading(size_t trials)
{
    printf("\nWhole procedures: two runs per trial, max batch 64; %zu trials\n"
           "wrong: more than 5 %% below the best; flips: two runs differ, again: the second had the first's "
           "answer as incumbent;\nblocks of %g s; blocks and images of decided runs, on a device that makes "
           "1000 images/s at its best\n", trials, RULES_UNIT_S);
    printf("%-12s %-32s %7s %7s %7s %6s %6s %7s %7s %7s %7s %7s\n", "curve", "rule", "wrong", "regret", "worst",
           "flips", "again", "decided", "error", "blocks", "dec.", "images");
}

/* --- curves that were recorded -------------------------------------------------------------------------- */

static const struct { const char *name, *file; } recorded[RECORDED] = {
    { "hrnet fwd", "a5000_hrnet_forward_1000" },     { "small fwd", "a5000_resunet_small_forward_1000" },
    { "hrnet", "a5000_production_hrnet" },           { "cbam", "a5000_production_cbam_resunet" },
    { "unet", "a5000_production_unet_spherohq" },
};

static int print_recorded(size_t trials, uint64_t seed)
{
    for (size_t i = 0; i < RECORDED; i++) {
        char relative[128], path[HOME_PATH_MAX];
        struct err err = { 0 };
        struct recorded_curve record;
        snprintf(relative, sizeof relative, "results/reference/%s.csv", recorded[i].file);
        if (home_path(path, relative, &err) != ST_OK || curve_read(&record, path, &err) != ST_OK) {
            fprintf(stderr, "bench-decisions: %s\n", err.text);
            return 1;
        }
        struct curve curve = curve_of_record(recorded[i].name, &record);
        for (size_t r = 0; r < LEN(tools); r++)
            print_tool(tools[r], &curve, trials, seed);
        curve_free(&record);
    }
    return 0;
}

/* --- what deciding costs -------------------------------------------------------------------------------- */

static double seconds_since(clock_t begin)
{
    return (double)(clock() - begin) / CLOCKS_PER_SEC;
}

/* 32 candidates, none of which ever leaves: the worst there is. */
static void print_time_of_a_look(void)
{
    enum { SIZES = 32, ROUNDS = 40, TIMES = 50 };
    static struct race_block blocks[ROUNDS * (SIZES + 1)];
    struct race_candidate candidates[SIZES] = { { 0 } };
    const struct race_ask ask = { .candidates = candidates, .count = SIZES, .blocks = blocks,
                                  .rounds = ROUNDS, .within = RULES_WITHIN, .alpha = RULES_ALPHA };
    struct race_answer a;
    struct rng r = rng_seeded(1);
    double least_s = INFINITY;
    for (int i = 0; i < SIZES; i++)
        candidates[i] = (struct race_candidate){ .batch = i + 1 };
    for (size_t i = 0; i < LEN(blocks); i++)
        blocks[i] = (struct race_block){ .y = .3 * rng_normal(&r), .mark = RACE_VALID };
    for (int i = 0; i < TIMES; i++) {
        clock_t begin = clock();
        race_step(&a, &ask, NULL);
        least_s = fmin(least_s, seconds_since(begin));
    }
    printf("\nDeciding: %.3f ms per look for %d candidates (all six looks of a race: %.2f ms)\n",
           1e3 * least_s / RACE_LOOKS, SIZES, 1e3 * least_s);
}

/* Whole campaigns from their first probe to the verification; what simulating the blocks takes is in it. */
static void print_time_of_campaigns(uint64_t seed)
{
    enum { CAMPAIGNS = 10000 };
    size_t blocks = 0;
    clock_t begin = clock();
    for (uint64_t i = 0; i < CAMPAIGNS; i++) {
        struct curve c = curve_random(splitmix64(seed + i));
        struct meter m = meter_start(&noise_typical, seed + i, curve_rate, &c);
        struct procedure_answer *a;
        if (procedure_run(&a, &(struct procedure_ask){ .meter = &m, .max_batch = CURVE_MAX, .seed = i,
                                                       .within = RULES_WITHIN, .alpha = RULES_ALPHA,
                                                       .control = true, .thrifty = RACE_THRIFTY,
                                                       .verify = true }, NULL) != ST_OK)
            abort();
        blocks += m.tick;
        procedure_free(a);
    }
    printf("%d campaigns on random curves, %zu blocks: %.1f s on one processor\n", CAMPAIGNS, blocks,
           seconds_since(begin));
}

int main(int argc, char **argv)
{
    size_t trials = argc > 1 ? (size_t)strtoull(argv[1], NULL, 10) : 4000;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    if (trials < 2) {
        fprintf(stderr, "usage: bench-decisions [TRIALS [SEED]]\n");
        return 2;
    }
    print_choosing(trials, seed);
    print_tools_heading(trials);
    for (size_t c = 0; c < INVENTED; c++)
        for (size_t r = 0; r < LEN(tools); r++)
            print_tool(tools[r], curves[c], trials, seed);
    int failed = print_recorded(trials, seed);
    print_time_of_a_look();
    print_time_of_campaigns(seed);
    return failed;
}
