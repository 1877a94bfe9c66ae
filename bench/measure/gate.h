/* gate.h - the accuracy gate: no time counts before the output is right (measurement rule 5). Each part runs
 * in an execution of its own; outcomes are accuracy rows. */
#ifndef MEASURE_GATE_H
#define MEASURE_GATE_H

#include "bench/measure/campaign_state.h"
#include "kernels/base/err.h"

/* Outputs at batch 1 of two images: finite, and equal to the f32 reference (at most 128x128, kept in the
 * store) and to the first gated f32 target of the model at the full shape, where there are such. t->gated, or
 * t->ended. Engines that cannot give outputs, and models that the reference does not have, are `not_checked`
 * there. ST_INTERRUPTED, ST_USAGE, or a status of the store. */
enum status gate_target(struct campaign_state *c, struct target_state *t, struct err *err);
/* Every candidate of the search against its own batch-1 outputs: what differs is lost as
 * wrong_output. Same statuses. */
enum status gate_candidates(struct campaign_state *c, struct target_state *t, struct err *err);

#endif
