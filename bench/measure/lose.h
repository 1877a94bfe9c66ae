/* lose.h - takes a size out of a target, or notes that it died once: in the store first, then in memory. */
#ifndef MEASURE_LOSE_H
#define MEASURE_LOSE_H

#include "bench/measure/campaign_state.h"
#include "kernels/base/err.h"

/* The size takes no further part; round 0: before the rounds. detail is copied before err is written, so
 * err->text may be given. */
enum status lose_point(struct campaign_state *c, struct target_state *t, int batch, enum why why, int round,
                       const char *detail, struct err *err);
/* The worker died on this size in a round: the second time ends it with `why` (crashed or hung). */
enum status lose_worker(struct campaign_state *c, struct target_state *t, int batch, enum why why, int round,
                        const char *detail, struct err *err);

#endif
