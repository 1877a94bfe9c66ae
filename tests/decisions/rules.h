/* rules.h - rules that choose a batch size, ours and those of other tools as their documentation describes
 * them, all on the same simulated measurements. A unit is one block: about 100 ms of measuring. */
#ifndef DECISIONS_RULES_H
#define DECISIONS_RULES_H

#include <stddef.h>
#include <stdint.h>

#include "bench/replay/noise.h"

struct rule_answer {
    int batch;
    int decided;              /* ours: the race says `decided`; the others: always */
    int error;                /* ours: decided, but not the smallest candidate within X of the best candidate;
                                 or `within`, but outside that zone. The others: 0 */
    size_t units;
    double images;            /* in them, at a device that makes 1000 images/s where the curve says 1 */
};
struct rule {
    const char *name;
    /* seed: of anything the rule draws itself. incumbent: ours only, else 0. */
    struct rule_answer (*choose)(struct meter *m, uint64_t seed, int incumbent);
};

/* Rules of measuring: all seven powers of two, ten blocks each. */
extern const struct rule rule_argmax, rule_gain, rule_in_order, rule_interleaved;
/* The race alone: seven sizes, no coarse stage, no control, no incumbent. Not decided: the smallest size
 * alive with an estimate within X of the best. */
extern const struct rule rule_race;
/* The same without splitting alpha over rivals and looks: a wrong twin. */
extern const struct rule rule_race_unsplit;
/* trtexec: ascending, mean of 30 units after 2 unmeasured ones, smallest mean time per image. */
extern const struct rule rule_trtexec;
/* Model Analyzer with perf_analyzer as its meter: windows of 50 units until max/min of the last three is <=
 * 1.10, at most ten, else no number; doubling ends at the first size that is not above every smaller one. */
extern const struct rule rule_analyzer;
/* Model Navigator: windows of 3 units (25 iterations), 3 to 10, until each of the last three is within 10 %
 * of their mean, else the profile fails; a size below 1.05 x best is dropped, the third in a row ends the
 * walk. */
extern const struct rule rule_navigator;
/* Ascent, race with control, choice; without verification. X = 5 %, alpha = 5 %. */
extern const struct rule rule_ours;
/* The same with fewer blocks: sizes rest whose part is settled, probes end as soon as they say enough. */
extern const struct rule rule_thrifty;
/* The same with looks more often. */
extern const struct rule rule_often;

#define RULES_UNIT_S .1
#define RULES_ALPHA .05
#define RULES_WITHIN .05

#endif
