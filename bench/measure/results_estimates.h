/* results_estimates.h - one estimate row for every size that ran. */
#ifndef MEASURE_RESULTS_ESTIMATES_H
#define MEASURE_RESULTS_ESTIMATES_H

#include "bench/measure/results_rows.h"

/* Appends the estimates of t's sizes to out: of the rounds where there are blocks of them, else
 * of the coarse blocks. */
enum status results_estimates_make(struct results_rows *out, struct campaign_state *c,
                                   const struct target_state *t, const struct points *p, struct err *err);

#endif
