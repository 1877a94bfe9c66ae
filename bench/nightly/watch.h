/* watch.h - what a night measures again: of every target that speaks for its model in batch_sizes.json
 * the size that was chosen, its raced neighbours and the leader of its race (measurement rule 7.1).
 * Everything borrows for the call but the list itself. */
#ifndef NIGHTLY_WATCH_H
#define NIGHTLY_WATCH_H

#include <stddef.h>

#include "bench/config/config.h"
#include "bench/store/record.h"
#include "kernels/base/err.h"
#include "tuner/moved.h"

struct watch_target {
    const struct target_view *view;  /* of the campaign */
    int    batches[MOVED_POINTS_MAX]; /* [count] ascending */
    size_t count, chosen;            /* chosen: which of them is in use */
    double within;
};
struct watch {
    struct watch_target *targets;    /* [count] in the order of the campaign's models */
    size_t count;
};
/* ST_CONFIG: the campaign decided nothing that could be watched. ST_OUT_OF_MEMORY. watch_free(out). */
enum status watch_make(struct watch *out, const struct campaign *tune, const struct config *config,
                       struct err *err);
void watch_free(struct watch *w);

#endif
