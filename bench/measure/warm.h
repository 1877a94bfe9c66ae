/* warm.h - brings an execution to its steady state (measurement rule 1.4, steps 2 to 6). */
#ifndef MEASURE_WARM_H
#define MEASURE_WARM_H

#include "bench/measure/execution.h"
#include "kernels/base/err.h"

/* Step 7, before the warm-up of an execution that verifies: waits until the processor is at most 5 C warmer
 * than the median of what this target's earlier executions started at, for 5 min at most. Nothing is waited
 * for if it is colder (that would not warm it), if there is no earlier start, in virtual time, on a GPU, and
 * where no temperature can be read. The execution's environment then says `start_temperature` (C) and
 * `temp_gate`: met or miss; a miss is marked `temp_gate=miss` too, with the temperature and the median.
 * ST_INTERRUPTED, or a status of the store. */
enum status warm_temperature_gate(struct execution *x, struct err *err);

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
