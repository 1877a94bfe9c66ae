/* measure.h - the executions of a night: outer loop over executions, inner over targets in shuffled
 * order, so that a bad quarter of an hour hits all alike. For bench/nightly/ only. */
#ifndef NIGHTLY_MEASURE_H
#define NIGHTLY_MEASURE_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/measure/campaign_state.h"
#include "bench/nightly/values.h"
#include "bench/nightly/watch.h"
#include "kernels/base/err.h"

/* What an execution is for. AA-1 is the control's own, and its series' value too. */
enum night_part { NIGHT_NORMAL, NIGHT_CONTROL, NIGHT_CONFIRM, NIGHT_PARTS };

struct night_target {
    struct target_state *t;          /* of the campaign state */
    const struct watch_target *watch;
    int64_t executions[NIGHT_PARTS][NIGHT_EXECUTIONS]; /* that came to their end */
    size_t  counts[NIGHT_PARTS];
    bool    control;                 /* measured twice, as AA-1 and AA-2 */
    bool    confirm;                 /* measured again at the end of the night */
    enum status failed;              /* of its last worker that failed; ST_OK: none did */
    char    why[ERR_TEXT_MAX];       /* its sentence */
};

/* `executions` of every target, the control's twice. A worker that fails costs its execution only.
 * Statuses of the store and ST_INTERRUPTED. */
enum status night_measure(struct campaign_state *c, struct night_target *targets, size_t count,
                          int executions, struct err *err);
/* The same number once more, of those with `confirm`, in fresh processes after cooling down. */
enum status night_confirm(struct campaign_state *c, struct night_target *targets, size_t count,
                          int executions, struct err *err);

#endif
