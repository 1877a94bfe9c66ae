/* attempt.h - trying whether a size runs in an open execution: prepared, its memory read, and one row that
 * says what became of it (measurement rule 3.3). Used by the ascent and by every trial after it. */
#ifndef MEASURE_ATTEMPT_H
#define MEASURE_ATTEMPT_H

#include <stdbool.h>

#include "bench/measure/execution.h"
#include "bench/store/record.h"
#include "kernels/base/err.h"

/* A new row of this execution. */
struct prepared_row attempt_begin(const struct execution *x, int batch);
/* Reads the memory, so that a new peak begins, and prepares row->batch: times and plan go into the row.
 * Statuses of worker_prepare and worker_memory. */
enum status attempt_prepare(struct prepared_row *row, struct execution *x, struct err *err);
/* Peak and current memory since then; all zero where the engine cannot tell. */
enum status attempt_memory(struct prepared_row *row, struct execution *x, struct err *err);

void attempt_succeed(struct prepared_row *row);
/* The reason that a failure of the worker is for the size: status and sentence as the worker's call gave
 * them. */
void attempt_fail(struct prepared_row *row, const struct execution *x, enum status st,
                  const struct err *failure);
/* True: more than the campaign's limit, and the row says so. how: "predicted" or "measured". */
bool attempt_over_limit(struct prepared_row *row, const struct execution *x, const char *how, uint64_t bytes);

/* Stores the row of a trial after the ascent and adds it to the target's history under the execution's label.
 */
enum status attempt_store_trial(struct execution *x, const struct prepared_row *row, struct err *err);

#endif
