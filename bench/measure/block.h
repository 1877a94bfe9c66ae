/* block.h - one block: ask the worker, look at the machine before and after, judge, store.
 * Nothing else runs blocks. */
#ifndef MEASURE_BLOCK_H
#define MEASURE_BLOCK_H

#include <stdint.h>

#include "bench/measure/execution.h"
#include "bench/measure/history.h"
#include "bench/measure/worker.h"
#include "kernels/base/err.h"

struct block_ask {
    int  batch;
    enum block_kind kind;
    int  round, place, retry;        /* round 0: outside rounds */
    uint64_t min_ns;
    int  min_iterations, max_iterations; /* max 0: BLOCK_MAX_ITERATIONS */
    int  unmeasured;
    uint64_t t_iter_ns;              /* expected, for the deadline; 0: unknown */
};
/* Runs and stores one block; *out is in the target's history too. run: the raw answer, worker_run_free by the
 * caller; may be NULL. Statuses of worker_run (nothing is stored then) and of the store. */
enum status block_measure(struct block_fact *out, struct worker_run_result *run, struct execution *x,
                          const struct block_ask *ask, struct err *err);

#endif
