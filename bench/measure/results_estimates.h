/* results_estimates.h - one estimate row for every size that ran, and one more for every member that was
 * verified. Pure. */
#ifndef MEASURE_RESULTS_ESTIMATES_H
#define MEASURE_RESULTS_ESTIMATES_H

#include "bench/measure/results.h"

/* Of the race where complete rounds hold blocks of a size, else of its coarse blocks; then of the
 * verification. Rates, whatever the objective. ST_OUT_OF_MEMORY. */
enum status results_estimates_make(struct results *out, const struct results_ask *ask, struct err *err);
/* The rate that is published of a size, images/s: verified, else its other estimate; NaN: none. */
double results_rate_of(const struct results *r, int batch);

#endif
