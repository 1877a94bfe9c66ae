/* results_decision.h - the row of the decision, with one sentence for people. Pure. */
#ifndef MEASURE_RESULTS_DECISION_H
#define MEASURE_RESULTS_DECISION_H

#include "bench/measure/results.h"

/* After the estimates. ST_OUT_OF_MEMORY. */
enum status results_decision_make(struct results *out, const struct results_ask *ask, struct err *err);
/* Of a target that ended as a whole. */
void results_decision_of_end(struct results *out, const struct results_ask *ask);

#endif
