/* results.h - from the blocks of a target to what is stored of it: estimates, the decision, a why for every
 * size. All of it is derived and can be made again at any time from the same blocks. */
#ifndef MEASURE_RESULTS_H
#define MEASURE_RESULTS_H

#include "bench/measure/campaign_state.h"
#include "bench/measure/rounds.h"
#include "kernels/base/err.h"
#include "tuner/choose.h"

/* Estimates, decision and whys of the target as it stands; replaces what was stored before. cause: why it is
 * not finished ("budget", "interrupted"), "" if it is. *batch: the decision, 0 if no size is usable.
 * Statuses of the store. */
enum status results_store(int *batch, struct campaign_state *c, const struct target_state *t,
                          const char *cause, struct err *err);

/* The choice among points as they stand; whys has room for p->count. By rounds once every living point has a
 * block of them, before that by the coarse blocks. points may be NULL; else it gets p->count estimates. */
void results_choose(struct choose_answer *out, struct choose_why *whys, struct choose_point *points,
                    const struct points *p, const struct target_state *t, double within);

#endif
