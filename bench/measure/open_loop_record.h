/* open_loop_record.h - an open loop in the store: its plan as environment of the execution (names
 * open_loop.*), every call as a block of kind open_loop; and back. */
#ifndef MEASURE_OPEN_LOOP_RECORD_H
#define MEASURE_OPEN_LOOP_RECORD_H

#include "bench/measure/open_loop_fact.h"
#include "bench/store/store.h"

/* Appends a complete loop; start_ns: when it began by bench's clock. Statuses of the store. */
enum status open_loop_store(struct store *store, int64_t run, const struct open_loop_fact *fact,
                            uint64_t start_ns, struct err *err);
/* Appends that a loop died, or was not begun because the queue would grow. Statuses of the store. */
enum status open_loop_store_end(struct store *store, int64_t target, const struct open_loop_fact *fact,
                                struct err *err);
/* All that is known of a target; what was not stored to its end is left out. Statuses of the store. */
enum status open_loops_load(struct open_loops *out, struct store *store, int64_t target, struct err *err);

#endif
