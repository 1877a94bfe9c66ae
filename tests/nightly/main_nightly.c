/* Prints how often rules for nightly runs cry wolf, and how soon ours finds a loss, on invented nights.
 * usage: bench-nightly [NIGHTS [SEED]] */
#include <stdio.h>
#include <stdlib.h>

#include "kernels/base/len.h"
#include "tests/nightly/trials.h"

static const struct night_noise *const noises[] = { &noise_iid, &noise_ar, &noise_slow };

static void print_row(const char *name, const struct alarm_count *counts, size_t n)
{
    printf("%-42s", name);
    for (size_t i = 0; i < LEN(noises); i++)
        printf("  %8.1e %6.2f %%", alarm_rate(&counts[i]), 100 * alarm_any(&counts[i], n));
    printf("\n");
}

static void print_tools(size_t nights, uint64_t seed)
{
    static const struct night_rule *const rules[] = { &rule_three_sigma, &rule_bencher, &rule_rustc_perf,
                                                      &rule_conbench, &rule_github_action };
    struct alarm_count counts[LEN(noises)];
    for (size_t r = 0; r < LEN(rules); r++) {
        for (size_t i = 0; i < LEN(noises); i++)
            counts[i] = alarms_of_rule(rules[r], noises[i], nights, seed);
        print_row(rules[r]->name, counts, TRIAL_SERIES);
    }
    for (size_t m = 0; m < 2; m++) {
        for (size_t i = 0; i < LEN(noises); i++)
            counts[i] = alarms_of_otava(m ? .03 : 0, noises[i], nights / 50, seed);
        print_row(m ? "the same, magnitude >= 3 %" : "Otava-like: window 50, p < .001", counts, TRIAL_SERIES);
    }
}

static void print_ours(size_t nights, uint64_t seed)
{
    struct alarm_count alone[LEN(noises)], no_gross[LEN(noises)], device[LEN(noises)], machine[LEN(noises)];
    for (size_t i = 0; i < LEN(noises); i++) {
        alone[i] = alarms_of_ours(noises[i], nights, seed, &no_gross[i]);
        device[i] = alarms_of_device(noises[i], nights / 50, seed, &machine[i]);
    }
    print_row("ours, three paths, no split", alone, TRIAL_SERIES);
    print_row("ours without GROSS", no_gross, TRIAL_SERIES);
    print_row("ours, split: any of 60 residual series", device, 1);
    print_row("its MACHINE series", machine, 1);
}

static void print_found(size_t lives, uint64_t seed)
{
    static const double losses[] = { .03, .05, .10, .15 };
    printf("\nA loss in one of 60 series, 1 %% noise: told by night 1, 2, 5 (%zu lives)\n", lives);
    printf("%-8s %24s %24s\n", "loss", "alone", "common mode taken out");
    for (size_t i = 0; i < LEN(losses); i++) {
        struct found a = loss_found(losses[i], false, lives, seed),
                     b = loss_found(losses[i], true, lives, seed);
        printf("%5.0f %%  %7.1f %7.1f %7.1f  %7.1f %7.1f %7.1f %%\n", 100 * losses[i], 100 * a.by1,
               100 * a.by2, 100 * a.by5, 100 * b.by1, 100 * b.by2, 100 * b.by5);
    }
    double red;
    struct found m = machine_loss_found(.06, lives, seed, &red);
    printf("The whole machine 6 %% slower: MACHINE by night 1, 2, 5: %.1f %.1f %.1f %%; a single series "
           "red besides: %.1f %%\n",
           100 * m.by1, 100 * m.by2, 100 * m.by5, 100 * red);
}

int main(int argc, char **argv)
{
    size_t nights = argc > 1 ? (size_t)strtoull(argv[1], NULL, 10) : 1000000;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    printf("False alarms per series and night, and of 60 series on a night; %zu nights\n", nights);
    printf("%-42s  %17s  %17s  %17s\n", "rule", noises[0]->name, noises[1]->name, noises[2]->name);
    print_tools(nights, seed);
    print_ours(nights, seed);
    print_found(nights / 500 > 50 ? nights / 500 : 50, seed);
    return 0;
}
