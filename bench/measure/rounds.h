/* rounds.h - the interleaved rounds of a target: one block of every surviving point in the order of the
 * schedule, until every point has stopped (measurement rules 1.4 to 1.6, 2.4). */
#ifndef MEASURE_ROUNDS_H
#define MEASURE_ROUNDS_H

#include <stddef.h>

#include "bench/measure/campaign_state.h"
#include "bench/measure/point.h"
#include "kernels/base/err.h"

/* Runs rounds until all points have stopped (t->measured) or the target's share of the budget ends (t->cut).
 * A round that was cut off goes on with its missing blocks in a fresh execution. t->ended if no worker stays
 * alive. ST_INTERRUPTED, ST_USAGE, or a status of the store. */
enum status rounds_run(struct campaign_state *c, struct target_state *t, struct err *err);

struct points {                      /* points_free */
    struct point items[SEARCH_SIZES_MAX];
    size_t count;
};
/* All candidates of the search, ascending, as they stand. *out is malloc'ed. ST_OUT_OF_MEMORY. */
enum status points_make(struct points **out, const struct target_state *t, bool take_invalid,
                        struct err *err);
void points_free(struct points *p);

#endif
