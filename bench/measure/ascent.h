/* ascent.h - what the ascent has found, from the stored probes of a target (measurement rules 3.3, 4.2).
 * Pure. */
#ifndef MEASURE_ASCENT_H
#define MEASURE_ASCENT_H

#include <stdbool.h>

#include "bench/measure/decision.h"
#include "bench/measure/history.h"
#include "tuner/search.h"

/* A crash and a hang are tried once more in a fresh worker, then they are final. */
#define ASCENT_TRIES 2
/* Result of a prepared row of a size that runs. */
#define ASCENT_FEASIBLE "feasible"

/* The search as it stands; over: nothing more will be probed. */
void ascent_search(struct search_answer *out, const struct decision_rules *rules, const struct history *h,
                   bool over);
/* The largest value of a size's coarse blocks (of the valid ones, if there are such); NaN: none. blocks
 * may be NULL; else it gets how many there are. */
double ascent_value(int *blocks, const struct history *h, int batch, enum objective objective);

#endif
