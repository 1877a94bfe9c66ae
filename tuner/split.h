/* split.h - how a budget is best split into executions, blocks and iterations: Kalibera and Jones, "Rigorous
 * benchmarking in reasonable time" (ISMM 2013). Pure. */
#ifndef TUNER_SPLIT_H
#define TUNER_SPLIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum split_level_name { SPLIT_ITERATION, SPLIT_BLOCK, SPLIT_EXECUTION, SPLIT_LEVELS };

#define SPLIT_ANY 0                  /* nothing varies above: as many as fit, and one of the level above suffices */

struct split_level {
    double count;                    /* measured: in one of the level above, on average; executions: all */
    double cost_s;                   /* of one more, without what it holds */
    double s2;                       /* variance of the means of this level */
    double t2;                       /* of split_best: what this level adds of its own; below 0: nothing */
    int    best;                     /* of split_best: in one of the level above, or SPLIT_ANY; executions: 0 */
};

/* One block: a mean of its iterations and their sample variance (NaN: it has one iteration). */
struct split_block {
    int64_t execution;
    double  mean, variance;
    int     iterations;
};

/* count and s2 of the levels, from blocks of one point in any order. false: not at least two executions with two
 * blocks each, and a block with two iterations. */
bool split_measure(struct split_level levels[SPLIT_LEVELS], const struct split_block *blocks, size_t count);

/* t2 and best, from count, cost_s and s2:
 *   T2_1 = S2_1, T2_i = S2_i - S2_{i-1} / r_{i-1};  best_i = ceil(sqrt((c_{i+1} / c_i) (T2_i / T2_{i+1}))), 1 where
 *   T2_i <= 0 */
void split_best(struct split_level levels[SPLIT_LEVELS]);

#endif
