/* ceiling.h - the largest size that fits: it ran load, prepare and three iterations twice, each time alone in
 * a fresh process, with a measured peak within the memory limit (measurement rule 3.4). */
#ifndef MEASURE_CEILING_H
#define MEASURE_CEILING_H

#include <stdbool.h>

#include "bench/measure/history.h"
#include "kernels/base/err.h"
#include "tuner/search.h"

struct campaign_state;
struct target_state;

struct ceiling {
    int    batch;                    /* 0: nothing ran */
    bool   twice;                    /* shown in two fresh processes; else by the ascent alone */
    bool   is_lower_bound;           /* nothing larger was tried */
    int    first_failed;             /* smallest size that failed or did not fit; 0: none */
    enum why first_failed_why;
};
/* From what the search found and from the trials of ceiling executions. Pure. */
void ceiling_of(struct ceiling *out, const struct history *h, const struct search_answer *search);
/* Tries feasible sizes from the top, at most four, each alone in fresh processes; no warm-up, nothing is
 * timed. A size that fails once there is not the ceiling. t->cut if the budget does not cover the next trial.
 * ST_INTERRUPTED, or a status of the store. */
enum status ceiling_run(struct campaign_state *c, struct target_state *t, struct err *err);

#endif
