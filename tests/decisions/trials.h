/* trials.h - a rule tried many times on a curve: how often it is right, what it costs, does it repeat
 * itself. */
#ifndef DECISIONS_TRIALS_H
#define DECISIONS_TRIALS_H

#include <stddef.h>
#include <stdint.h>

#include "tests/decisions/curves.h"
#include "tests/decisions/rules.h"

struct trials_ask {
    const struct rule *rule;
    const struct curve *curve; /* NULL: another random one in every trial */
    const struct noise *noise;
    size_t trials;
    uint64_t seed;
    int    incumbent;         /* of the first run; 0: none */
};
struct trials {               /* shares and means over all runs, two per trial */
    double exact;             /* the smallest power of two within 5 % of the best power of two was chosen */
    double regret, regret_sd; /* mean of 1 - rate(chosen) / best, and its spread between runs */
    double worst_regret;
    double outside;           /* rate(chosen) < 0.95 best */
    double decided, error;    /* rule_answer */
    double flap;              /* share of trials whose second run chose another size */
    double flap_incumbent;    /* the same with the first run's size as the second's incumbent; NaN: not
                                 asked */
    double units, units_sd;
    double units_decided;     /* mean of the decided runs; NaN: there were none */
    double images, images_decided;
    size_t runs;
};
struct trials trials_run(const struct trials_ask *ask, int with_incumbent);

#endif
