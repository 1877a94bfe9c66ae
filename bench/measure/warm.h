/* warm.h - brings an execution to its steady state (measurement rule 1.4, steps 2 to 6). */
#ifndef MEASURE_WARM_H
#define MEASURE_WARM_H

#include "bench/measure/execution.h"
#include "kernels/base/err.h"

/* Warms a prepared size until two adjacent windows agree or the cap is reached; stores its blocks (kind
 * warmup) and the execution's label. t_iter_ns: a first guess. Statuses of block_measure, and
 *   ST_ENVIRONMENT  the worker's clock and ours differ by more than 1 % + 1 ms in every window: nothing that this
 *                   execution measures would be true (x->skewed; it is marked `worker`) */
enum status warm_execution(struct execution *x, int batch, uint64_t t_iter_ns, struct err *err);
/* The few unmeasured iterations of another size before its first block; they are not
 * stored, being unmeasured:
 * *t_iter_ns is their rough length. Statuses of worker_run. */
enum status warm_size(struct execution *x, int batch, uint64_t *t_iter_ns, struct err *err);

#endif
