/* tune_run.h - one campaign, measured and told, with the files that are made of it. Everything borrows for the
 * call. */
#ifndef VERBS_TUNE_RUN_H
#define VERBS_TUNE_RUN_H

#include <stdbool.h>

#include "bench/measure/plan.h"
#include "bench/store/store.h"
#include "bench/verbs/verbs.h"

struct tune_ask {
    const struct invocation *inv;
    const struct config *config;
    struct store *store;             /* open for writing */
    bool (*keep)(void *context, const struct plan_target *target); /* which targets; NULL: all of the plan */
    void  *keep_context;
    bool   silent;                   /* print nothing on stdout: a note names the page */
};
/* Nothing to keep: ST_OK. Statuses of campaign_run, and of tune_write_results if that is worse. */
enum status tune_run(const struct tune_ask *ask, struct err *err);

/* Everything that is made of a stored campaign. ST_UNDECIDED and ST_BAD_NEWS: it was made, and that is the
 * answer. Statuses of batch_sizes_write and files_write_campaign. */
enum status tune_write_results(const struct tune_ask *ask, const struct plan *plan, const char *name,
                               struct err *err);

#endif
