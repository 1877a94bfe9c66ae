/* results_whys.h - why a size was chosen or not: the record and the sentence. Pure. */
#ifndef MEASURE_RESULTS_WHYS_H
#define MEASURE_RESULTS_WHYS_H

#include "bench/measure/results_rows.h"
#include "tuner/choose.h"

/* Of a size that is no candidate of t's search. within: X, fraction. */
struct why_row results_why_of_size(const struct target_state *t, const struct search_size *s, double within);
/* Of a candidate: its point, the reason that the choice gave it, and the estimate that it was chosen by. */
struct why_row results_why_of_point(const struct target_state *t, const struct point *q,
                                    const struct choose_why *why, const struct choose_point *at,
                                    double within);
/* Appends to out the whys of a target that ended as a whole: every planned size has its reason. */
void results_whys_of_end(struct results_rows *out, const struct target_state *t);

#endif
