/* verify.h - the chosen size, the incumbent and the leader once more, in three fresh executions of three
 * mirrored passes each (measurement rule 4.7). */
#ifndef MEASURE_VERIFY_H
#define MEASURE_VERIFY_H

#include "bench/measure/campaign_state.h"
#include "kernels/base/err.h"
#include "tuner/decide.h"

/* The values that decide_verify wants, from blocks of kind verify: execution e is the e-th that has such
 * blocks of these members, a pass counts when both blocks of a member are valid. Pure. */
void verify_gather(struct verify_ask *out, const struct history *h, const struct decide_answer *decide,
                   enum objective objective, double within);
/* What so many executions with these members will take. */
uint64_t verify_expected_ns(const struct campaign_state *c, const struct target_state *t, const int *members,
                            size_t count, int executions);
/* Measures what is missing of the verification. A block is stored with round = pass, counted on over the
 * target's rounds; half an execution is begun again. t->cut if the budget does not cover all that are missing.
 * ST_INTERRUPTED, or a status of the store. */
enum status verify_run(struct campaign_state *c, struct target_state *t, struct err *err);

#endif
