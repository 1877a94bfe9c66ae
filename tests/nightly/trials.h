/* trials.h - whole lives of series under a rule, counted: false alarms per night, and how soon a loss is
 * found. */
#ifndef NIGHTLY_TRIALS_H
#define NIGHTLY_TRIALS_H

#include <stddef.h>
#include <stdint.h>

#include "tests/nightly/nights.h"
#include "tests/nightly/rules.h"

#define TRIAL_SIGMA .01             /* of a night's value: 1 % */
#define TRIAL_SERIES 60

struct alarm_count {
    size_t nights, alarms;          /* of ours only new ones: not red on the night before */
};
double alarm_rate(const struct alarm_count *a);
/* That at least one of n independent series alarms on a night. */
double alarm_any(const struct alarm_count *a, size_t n);

/* `nights` nights of one series under another tool's rule. */
struct alarm_count alarms_of_rule(const struct night_rule *rule, const struct night_noise *noise,
                                  size_t nights, uint64_t seed);
/* Otava-like, over histories of 200 nights, changes in either direction; each once. */
struct alarm_count alarms_of_otava(double magnitude, const struct night_noise *noise, size_t nights,
                                   uint64_t seed);

/* Ours, one series alone: half the variance is the night's and shared with the confirmation.
 * without_gross: the same lives, alarms by GROSS left out. */
struct alarm_count alarms_of_ours(const struct night_noise *noise, size_t nights, uint64_t seed,
                                  struct alarm_count *without_gross);
/* Ours, 60 series of one device, common mode taken out: nights on which any residual series alarms;
 * machine: MACHINE's. */
struct alarm_count alarms_of_device(const struct night_noise *noise, size_t nights, uint64_t seed,
                                    struct alarm_count *machine);

/* Share of lives (40 quiet nights, then a loss that stays) in which it was told by night 1, 2, 5. */
struct found {
    double by1, by2, by5;
};
/* residual: among 60 series of a device, common mode out; else one series alone. */
struct found loss_found(double loss, bool residual, size_t lives, uint64_t seed);
/* All series lose: share of lives in which MACHINE tells by night 2, and in which any series does
 * (wrongly). */
struct found machine_loss_found(double loss, size_t lives, uint64_t seed, double *series_red);

#endif
