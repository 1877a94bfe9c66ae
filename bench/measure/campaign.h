/* campaign.h - one `bench tune`: every target of a plan is gated, probed, raced, verified and decided.
 * Everything that is decided follows from stored blocks: a campaign that was cut off anywhere can be
 * continued, and comes to the answer it would have come to. Everything here borrows for the call. */
#ifndef MEASURE_CAMPAIGN_H
#define MEASURE_CAMPAIGN_H

#include <signal.h>
#include <stdint.h>

#include "bench/config/config.h"
#include "bench/measure/plan.h"
#include "bench/measure/progress.h"
#include "bench/store/store.h"
#include "kernels/base/err.h"

#define CAMPAIGN_RULE_VERSION 1
#define CAMPAIGN_BUDGET_NS UINT64_C(900000000000) /* preset: 15 min for each target */

struct campaign_context {
    const struct config *config;     /* .resume: continue the newest unfinished campaign, if there is one */
    const struct plan *plan;
    struct store *store;             /* open for writing */
    const struct progress *progress; /* may be NULL */
    const volatile sig_atomic_t *stop; /* not 0: abandon the block, leave what there is; may be NULL */
    const char *kind;                /* of the run: "tune" if NULL */
    const char *argv_text;           /* command line, for the record */
    const char *build, *variant;     /* version and git id; release, debug, san */
    const char *machine_root;        /* before every path of the machine's telemetry; NULL: the machine
                                        itself */
    char *const *reference_command;  /* worker of the gate's f32 reference; NULL: bench-worker-reference */
    /* written here */
    int64_t run;                     /* id of the run row; 0: none was begun */
    char    run_name[32];
};

/* Runs the campaign to its end and stores decisions with a why for every size.
 *   ST_OK           every target is decided, or within
 *   ST_UNDECIDED    some target stayed undecided, or the budget ended first: the best so far is stored
 *   ST_INTERRUPTED  *stop was set: likewise; --resume goes on
 *   ST_BAD_NEWS     some target has no usable batch size
 *   ST_USAGE        resume: the plan is not that of the campaign (the field is named)
 *   ST_ENVIRONMENT, ST_UNSUPPORTED, ST_MODEL, ST_INVALID   a target that was named on the command line cannot
 *                   run here; the others ran all the same
 *   ST_IO, ST_INTERNAL, ST_OUT_OF_MEMORY   the store or this program failed; what was stored stays
 * Where several hold, the exit codes 2, 1, 3, 4, 0 win in this order. err has the
 * sentence of the one returned. */
enum status campaign_run(struct campaign_context *c, struct err *err);

/* The configuration of the campaign that a resume would continue, to be read with config_read_text: *text is
 * malloc'ed, NULL (ST_OK) if every campaign is finished. Statuses of store_load_unfinished. */
enum status campaign_find_config(char **text, struct store *store, struct err *err);

#endif
