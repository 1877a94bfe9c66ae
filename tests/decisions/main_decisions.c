/* Prints how rules choose: ours and those of other tools, on the same simulated measurements.
 * usage: bench-decisions [TRIALS [SEED]] */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/decisions/trials.h"
#include "tuner/race.h"

#define LEN(a) (sizeof(a) / sizeof *(a))

static const struct curve *const curves[] = { &curve_saturating, &curve_early_knee, &curve_hump, &curve_saw,
                                              &curve_margin,
                                             NULL };

static const char *curve_name(const struct curve *c)
{
    return c ? c->name : "random";
}

static void print_choosing(size_t trials, uint64_t seed)
{
    static const struct rule *const rules[] = { &rule_argmax, &rule_gain, &rule_in_order, &rule_interleaved,
                                                &rule_race };
    printf("Rules of choosing: 7 sizes, 10 blocks each or the race; %zu trials\n", trials);
    printf("%-12s %-52s %7s %7s %8s %7s\n", "curve", "rule", "exact", "in zone", "decided", "units");
    for (size_t c = 0; c < 3; c++)
        for (size_t r = 0; r < LEN(rules); r++) {
            struct trials t = trials_run(&(struct trials_ask){ .rule = rules[r], .curve = curves[c],
                                                               .seed = seed,
                                                               .noise = &noise_typical,
                                                                   .trials = trials / 2 }, 0);
            printf("%-12s %-52s %7.3f %7.3f %8.3f %7.1f\n", curves[c]->name, rules[r]->name, t.exact,
                   1 - t.outside,
                   t.decided, t.units);
        }
}

static void print_tools(size_t trials, uint64_t seed)
{
    static const struct rule *const rules[] = { &rule_argmax, &rule_trtexec, &rule_analyzer, &rule_navigator,
                                                &rule_ours, &rule_thrifty };
    printf("\nWhole procedures: two runs per trial, max batch 64; %zu trials\n", trials);
    printf("%-12s %-34s %8s %8s %8s %6s %9s %8s %7s %7s %8s\n", "curve", "rule", "regret", "worst", "outside",
           "flap",
           "flap inc.", "decided", "error", "units", "decided:");
    for (size_t c = 0; c < LEN(curves); c++)
        for (size_t r = 0; r < LEN(rules); r++) {
            struct trials t = trials_run(&(struct trials_ask){ .rule = rules[r], .curve = curves[c],
                                                               .seed = seed,
                                                               .noise = &noise_typical, .trials = trials },
                                         rules[r] == &rule_ours || rules[r] == &rule_thrifty);
            printf("%-12s %-34s %7.2f%% %7.2f%% %8.4f %6.3f %9.4f %8.3f %7.4f %7.1f %8.1f\n",
                   curve_name(curves[c]),
                   rules[r]->name, 100 * t.regret, 100 * t.worst_regret, t.outside, t.flap, t.flap_incumbent,
                   t.decided, t.error, t.units, t.units_decided);
        }
}

/* One look at 32 candidates after 40 rounds, all of them alive: the worst there is. */
static void print_time_of_a_look(void)
{
    enum { SIZES = 32, ROUNDS = 40, TIMES = 50 };
    static struct race_block blocks[ROUNDS * (SIZES + 1)];
    struct race_candidate candidates[SIZES] = { { 0 } };
    const struct race_ask ask = { .candidates = candidates, .count = SIZES, .blocks = blocks,
                                  .rounds = ROUNDS,
                                  .within = RULES_WITHIN, .alpha = RULES_ALPHA };
    struct race_answer a;
    struct rng r = rng_seeded(1);
    double least_s = INFINITY;
    for (int i = 0; i < SIZES; i++)
        candidates[i] = (struct race_candidate){ .batch = i + 1 };
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        blocks[i] = (struct race_block){ .y = .3 * rng_normal(&r), .mark = RACE_VALID };
    for (int i = 0; i < TIMES; i++) {
        clock_t begin = clock();
        race_step(&a, &ask, NULL);
        least_s = fmin(least_s, (double)(clock() - begin) / CLOCKS_PER_SEC);
    }
    printf("\nDeciding: %.3f ms per look for %d candidates (six looks: %.2f ms)\n",
           1e3 * least_s / RACE_LOOKS, SIZES,
           1e3 * least_s);
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
    print_tools(trials, seed);
    print_time_of_a_look();
    return 0;
}
