/* rounds.h - the race of a target: interleaved rounds of the sizes that the decision asks for, each with its
 * control, then the proofs of latency limits that are still open (measurement rules 1.5, 2.4, 4.3, 4.4). */
#ifndef MEASURE_ROUNDS_H
#define MEASURE_ROUNDS_H

#include <stdint.h>

#include "bench/measure/campaign_state.h"
#include "kernels/base/err.h"

/* Measures until the race has ended (t->measured) or share_ns does not cover what is next (t->cut; what
 * is over is marked in t). A round that was cut off runs again as a whole. t->ended if no worker stays
 * alive. ST_INTERRUPTED, ST_USAGE, or a status of the store. */
enum status rounds_run(struct campaign_state *c, struct target_state *t, uint64_t share_ns, struct err *err);

#endif
