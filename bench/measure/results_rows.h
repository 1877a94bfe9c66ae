/* results_rows.h - the rows that are stored of a target's results, written from its points. */
#ifndef MEASURE_RESULTS_ROWS_H
#define MEASURE_RESULTS_ROWS_H

#include <stdbool.h>

#include "bench/measure/campaign_state.h"
#include "bench/measure/rounds.h"
#include "kernels/base/err.h"

struct results_rows {
    struct estimate_row estimates[SEARCH_SIZES_MAX];
    size_t estimate_count;
    struct why_row whys[SEARCH_SIZES_MAX];
    size_t why_count;
    bool   has_decision;             /* false: the target never ran here, or nothing of it was tried yet */
    struct decision_row decision;
};
/* *out is all zero on the way in. p: points of t's candidates; cause as results_store. */
enum status results_rows_make(struct results_rows *out, struct campaign_state *c,
                              const struct target_state *t, const struct points *p, const char *cause,
                              struct err *err);

#endif
