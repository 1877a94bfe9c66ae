/* signs.h - what devices tell of themselves beside what they told on the nights before: throttling, row remapping, the
 * PCIe link (tuner/sign.h). Read from what is stored of executions and runs. For bench/nightly/ only. */
#ifndef NIGHTLY_SIGNS_H
#define NIGHTLY_SIGNS_H

#include <stdbool.h>
#include <stddef.h>

#include "bench/nightly/judge.h"
#include "bench/nightly/measure.h"
#include "bench/store/store.h"
#include "kernels/base/err.h"

/* Keeps the best that the executions of tonight saw, just after their blocks, as facts of the night: what later nights
 * are compared with, and an event if it is another than the night before. Statuses of the store. */
enum status signs_record(struct campaign_state *c, const struct night_target *targets, size_t count,
                         struct err *err);

struct signs_ask {
    struct store *store;
    const struct night_target *targets;
    size_t target_count;
    const struct judge_ask *past;
};
/* After judge_rows, on the same rows: the MACHINE row of a device that shows a sign is flagged; it is REGRESSED, with the
 * sign as its path, if the confirmation shows it too; without one after such a night it has recovered. *ask_again becomes true where there was no confirmation yet.
 * While the device learns, and on a night that is INCONCLUSIVE, nothing is said. Statuses of the store. */
enum status signs_judge(struct night_row *rows, size_t count, bool *ask_again, const struct signs_ask *ask,
                        struct err *err);

#endif
