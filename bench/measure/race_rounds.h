/* race_rounds.h - the rounds of a race as they are stored: which block fills which place, and which
 * places are still to be measured (measurement rules 2.4, 4.4). Pure. What race_rounds_make gives,
 * race_rounds_free takes back.
 *
 * A round counts with the blocks of one execution, the last that has blocks of it: after a death or a
 * resume a half-finished round runs again as a whole, so that its blocks saw the same minutes. */
#ifndef MEASURE_RACE_ROUNDS_H
#define MEASURE_RACE_ROUNDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/config/config.h"
#include "bench/measure/history.h"
#include "bench/measure/place.h"
#include "kernels/base/err.h"
#include "tuner/race.h"

struct race_cell {                   /* one place of a round */
    struct race_block block;         /* its valid block, else the newest invalid one; ABSENT: none */
    bool     done;                   /* it is valid, or may not be tried again */
    enum why exhausted;              /* WHY_NONE, or why the size leaves: its tries are used up */
};
struct race_round {
    int      number;                 /* as stored: counted on over all stages */
    int64_t  execution;
    int      control;                /* batch whose second block is there; 0: none */
    struct race_cell *cells;         /* [candidates + 1], the last is the second block of the control */
};
struct race_rounds {
    struct race_round *items;        /* ascending */
    size_t count;
    struct race_cell *cells;         /* what the rounds point into */
};
/* Blocks of kind race and control of these candidates. ST_OUT_OF_MEMORY. */
enum status race_rounds_make(struct race_rounds *out, const struct history *h,
                             const struct race_candidate *candidates, size_t count, enum objective objective,
                             struct err *err);
void race_rounds_free(struct race_rounds *r);

/* --- one place of a round, while it is measured --- */
/* kind: race or control. Only blocks of that execution count for the place. */
enum place_state race_place(int *retry, const struct history *h, int batch, enum block_kind kind, int round,
                            int64_t execution);
/* Pause before retry 1, 2, 3: 1, 2, 4 s. 0 before a first try. */
uint64_t race_retry_pause_ns(int retry);

#endif
