/* incumbent.h - the batch size that is in use when a campaign begins: it goes only for a reason
 * (measurement rule 4.6). */
#ifndef MEASURE_INCUMBENT_H
#define MEASURE_INCUMBENT_H

#include "bench/measure/campaign_state.h"
#include "kernels/base/err.h"

/* Looks for what an earlier tune or an import left for the target's comparability key, and puts it into
 * the target's row (not stored here); nothing with --fresh. To be asked once, when the key has just
 * become known: a resume goes on with what its campaign began with. Statuses of the store. */
enum status target_find_incumbent(struct campaign_state *c, struct target_state *t, struct err *err);

#endif
