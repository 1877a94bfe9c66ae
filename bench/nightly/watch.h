/* watch.h - what a night measures again: of every target that speaks for its model in batch_sizes.json
 * the size that was chosen, its raced neighbours and the leader of its race (measurement rule 7.1).
 * Everything borrows for the call but the list itself. */
#ifndef NIGHTLY_WATCH_H
#define NIGHTLY_WATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "bench/config/config.h"
#include "bench/store/record.h"
#include "kernels/base/err.h"
#include "tuner/moved.h"

#define WATCH_MODELS_MAX 64

/* A campaign, and the models whose size in use comes from it. */
struct watch_source {
    const struct campaign *tune;
    const struct config *config;     /* flags over its settings */
    char   models[WATCH_MODELS_MAX][RECORD_NAME]; /* [model_count]; 0: every model that it decided */
    size_t model_count;
};
struct watch_target {
    const struct watch_source *source;
    const struct target_view *view;  /* of the campaign */
    int    batches[MOVED_POINTS_MAX]; /* [count] ascending */
    size_t count, chosen;            /* chosen: which of them is in use */
    double within;
};
struct watch {
    struct watch_target *targets;    /* [count] source by source, in the order of its models */
    size_t count;
};
/* ST_CONFIG: the campaigns decided nothing that could be watched. ST_OUT_OF_MEMORY. watch_free(out). */
enum status watch_make(struct watch *out, const struct watch_source *sources, size_t source_count,
                       struct err *err);
void watch_free(struct watch *w);
/* Does the size in use of this model come from the source? */
bool watch_asks(const struct watch_source *source, const char *model);

#endif
