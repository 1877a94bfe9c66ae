/* execution.h - one life of the worker of one target, or of its workers if it has several instances: started,
 * greeted, loaded, recorded. What execution_open gives, execution_close takes back. */
#ifndef MEASURE_EXECUTION_H
#define MEASURE_EXECUTION_H

#include <stdbool.h>

#include "bench/measure/campaign_state.h"
#include "bench/measure/instances.h"
#include "bench/measure/worker.h"
#include "kernels/base/err.h"

#define PLAN_HASHES_MAX 64

struct execution {
    struct campaign_state *campaign;
    struct target_state *target;
    struct instances all;            /* its workers */
    struct worker *worker;           /* the first of them, for what one does alone; once one has ended by
                                      * itself: that one; NULL: not open */
    struct worker_hello hello;
    struct worker_load_result loaded;
    struct execution_row row;
    struct { int batch; char hash[SHA256_HEX_SIZE]; } plans[PLAN_HASHES_MAX]; /* [plan_count] of engines that
                                      * tune themselves, the newest of each size */
    size_t   plan_count;
    uint64_t device_used_bytes;      /* most of its GPU's memory in use in a block since the last attempt_prepare */
    uint64_t base_bytes;             /* memory after load, of all together; 0: unknown */
    int      warm_batch;             /* size it was warmed with; 0: none yet */
    bool     rules_recorded;         /* which rules of validity can be looked at here: told with its first block */
    bool     skewed;                 /* its clock cannot be trusted: nothing it measures is true */
};
struct execution_ask {
    const char *label;               /* "probe", "gate", "normal" */
    const char *progress;            /* phase that is told while it loads */
    const int  *shape;               /* [3]; NULL: the target's */
    int  max_batch;
    bool alone;                      /* one instance, whatever the target has */
};

/* Starts, greets, checks device and precision, loads, and stores the execution row; then the target's
 * row knows what `load` told. On failure *x is closed, the sentence names the target; statuses of the
 * worker and of the store, and
 *   ST_UNSUPPORTED  the worker does not list this precision, or the objective is energy and none can be read here
 *   ST_ENVIRONMENT  it does not list this device
 *   ST_USAGE        this process may not use as many CPUs as the instances need
 *   ST_USAGE        the model is not the one that the campaign began with (its SHA-256 is named) */
enum status execution_open(struct execution *x, struct campaign_state *c, struct target_state *t,
                           const struct execution_ask *ask, struct err *err);
/* Ends the worker and records how. Allowed on one that is not open. Statuses of the store. */
enum status execution_close(struct execution *x, struct err *err);
bool execution_is_open(const struct execution *x);
/* Open, and nothing has ended yet: it can be asked. */
bool execution_is_alive(const struct execution *x);
/* How the worker ended that ended first by itself; all zero while all live. */
struct worker_end execution_end_of(const struct execution *x);

/* All instances run at once: runs[x->all.count], each for worker_run_free if ST_OK. Nothing is stored: that
 * is block_measure's. machine: what the machine did meanwhile; may be NULL. Statuses of worker_run. */
enum status execution_run(struct execution *x, const struct worker_run_ask *ask, struct worker_run_result *runs,
                          struct telemetry_block *machine, uint64_t deadline_ns, struct err *err);
/* What a size needs once, in every instance: times are the longest, bytes the sum over the
 * instances. Statuses of worker_prepare. */
enum status execution_prepare(struct execution *x, int batch, struct worker_prepare_result *out,
                              struct err *err);
/* The choices that a size runs with, as its engine named them; "": it does not choose. */
const char *execution_plan_hash(const struct execution *x, int batch);
enum status execution_release(struct execution *x, int batch, struct err *err);
/* Memory of all instances together: the sum of theirs. All zero where the engine cannot tell. Statuses of
 * worker_memory. */
enum status execution_memory(struct execution *x, struct worker_memory_result *out, struct err *err);

/* Did the worker, and not the store or this program, cause this status? err: what came with it; it tells whose
 * memory was not enough, and whose error is internal; NULL: the worker's. */
bool status_is_of_worker(enum status st, const struct err *err);
/* Does the target end with such a failure of hello or load (unsupported, environment, model, invalid)? */
bool status_ends_target(enum status st);

#endif
