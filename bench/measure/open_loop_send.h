/* open_loop_send.h - sends the requests of an open loop to the workers of an execution, and takes the
 * answers. */
#ifndef MEASURE_OPEN_LOOP_SEND_H
#define MEASURE_OPEN_LOOP_SEND_H

#include "bench/measure/execution.h"
#include "bench/measure/open_loop_fact.h"

/* fact->ask is set, fact->calls has room for every request. as[n] is the prepared size that runs n images, n
 * = 1..batch; t_iter_ns: of the largest. *start_ns: when the loop began, by bench's clock. In virtual time
 * nothing waits: the clock is set to the planned times. Statuses of worker_run: then the fact is useless.
 * fact->disturbed is written too. */
enum status open_loop_send(struct open_loop_fact *fact, uint64_t *start_ns, struct execution *x,
                           const int *as, uint64_t t_iter_ns, struct err *err);

#endif
