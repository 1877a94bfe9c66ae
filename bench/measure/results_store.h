/* results_store.h - the results of a campaign's target as it stands, put into the store. */
#ifndef MEASURE_RESULTS_STORE_H
#define MEASURE_RESULTS_STORE_H

#include "bench/measure/campaign_state.h"
#include "kernels/base/err.h"
#include "tuner/decide.h"

/* Replaces what was stored before; after an interrupt, too, the store holds a valid answer. cause as in
 * results.h. *choice: batch 0 if no size is usable. Statuses of the store. */
enum status results_store(struct decide_answer *choice, struct campaign_state *c,
                          const struct target_state *t,
                          const char *cause, struct err *err);
/* Was some execution of the target's race not steady? Statuses of the store. */
enum status results_find_unsteady(bool *unsteady, struct store *store, int64_t target, struct err *err);
/* Why not everything of a target was measured, if the campaign ends now like this: "", "budget",
 * "interrupted", "unfinished". */
const char *target_cause(const struct target_state *t, enum status how);

#endif
