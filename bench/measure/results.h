/* results.h - everything that is stored of a target's decision: estimates, looks, verification, fill
 * table, the decision with its sentence, and a why for every size. Pure: the same blocks give the same
 * rows, in a campaign and in a replay. What results_make gives, results_free takes back. */
#ifndef MEASURE_RESULTS_H
#define MEASURE_RESULTS_H

#include <stdbool.h>
#include <stddef.h>

#include "bench/measure/decision.h"
#include "bench/measure/history.h"
#include "bench/store/record.h"
#include "bench/store/store.h"
#include "kernels/base/err.h"

struct results_ask {
    const struct target_row *row;
    bool   ended;                    /* as a whole: row->detail says why, */
    enum why ended_why;              /* every size has this reason; WHY_NONE: it never ran here, nothing
                                        is stored */
    const struct decision_rules *rules;
    const struct history *history;
    const struct decision *decision; /* made with everything over; NULL if ended */
    const char *cause;               /* why not everything was measured: "budget", "interrupted",
                                        "unfinished"; "" */
    double reserve;                  /* of the memory, fraction */
    bool   unsteady;                 /* some execution of the race never became steady */
    bool   shared_machine;
};
struct results {
    struct estimate_row estimates[SEARCH_SIZES_MAX + DECIDE_MEMBERS_MAX];
    size_t estimate_count;
    struct why_row whys[SEARCH_SIZES_MAX];
    size_t why_count;
    struct look_row *looks;          /* [look_count] */
    size_t look_count;
    struct verify_row verifications[DECIDE_MEMBERS_MAX * VERIFY_EXECUTIONS];
    size_t verification_count;
    struct fill_row *fill;           /* [fill_count] */
    size_t fill_count;
    bool   has_decision;             /* false: the target never ran here, or nothing of it was tried yet */
    struct decision_row decision;
};
/* ST_OUT_OF_MEMORY; *out is NULL then. */
enum status results_make(struct results **out, const struct results_ask *ask, struct err *err);
void results_free(struct results *r); /* NULL is allowed */
/* The same rows for the store; borrows. */
struct store_results results_rows(const struct results *r);

#endif
