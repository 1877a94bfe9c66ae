/* results_whys.h - why a size was chosen or not: the record and the sentence. Pure. */
#ifndef MEASURE_RESULTS_WHYS_H
#define MEASURE_RESULTS_WHYS_H

#include "bench/measure/results.h"

/* One row for every size of the search. ST_OUT_OF_MEMORY. */
enum status results_whys_make(struct results *out, const struct results_ask *ask, struct err *err);
/* Of a target that ended as a whole: every size that it would have tried has that reason. */
void results_whys_of_end(struct results *out, const struct results_ask *ask);

#endif
