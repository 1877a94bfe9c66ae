/* block.h - one block: ask the worker, look at the machine before and after, judge, store. Nothing else runs
 * blocks.
 *
 * Of several instances one block is what all of them did at once (block_window.h): its value is the rate in
 * the window that they share, of which the row's worker_start_ns and worker_end_ns are the edges;
 * iterations, images and outputs are those of all of them, and samples holds every iteration in the order of
 * their ends: latencies under the load of the others. An instance runs at least WINDOW_LEAST_ITERATIONS. */
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
