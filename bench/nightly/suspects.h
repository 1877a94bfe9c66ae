/* suspects.h - what is named beside a shift: facts of tonight that no night had on which the series was as usual
 * (measurement rule 7.3, MACHINE); where nothing is red, what changed since the night before. */
#ifndef NIGHTLY_SUSPECTS_H
#define NIGHTLY_SUSPECTS_H

#include "bench/nightly/events.h"
#include "bench/nightly/judge.h"
#include "bench/store/store.h"
#include "kernels/base/err.h"

struct suspects_ask {
    const struct night_row *rows;    /* [count] tonight's, judged; MACHINE first */
    size_t count;
    const struct judge_ask *past;
    const struct run_row *before;    /* the night before; NULL: tonight is the first */
    const struct run_row *tonight;
};
/* *events for free(), NULL with count 0. *of_base: they are held against the base of the first red row, whose newest night
 * gives what was. Statuses of the store. */
enum status suspects_find(struct night_event **events, size_t *count, bool *of_base, struct store *store,
                          const struct suspects_ask *ask, struct err *err);

#endif
