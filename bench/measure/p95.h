/* p95.h - the 95th percentile of one batch's time at the size to be served. It is printed from 130 iterations
 * on (measurement rule 1.9); what race and verification left missing is measured in blocks of kind slo. */
#ifndef MEASURE_P95_H
#define MEASURE_P95_H

#include "bench/measure/campaign_state.h"
#include "kernels/base/err.h"

#define P95_ITERATIONS 130
#define P95_MOST_NS UINT64_C(60000000000) /* for a model, of its fastest target */

/* Measures what is missing if it can be had in that time and in the budget; if not, nothing is begun: half of
 * it would print nothing. A worker that fails is no bad news for the decision. ST_INTERRUPTED, or a status of
 * the store. */
enum status p95_run(struct campaign_state *c, struct target_state *t, struct err *err);

#endif
