/* temperature.h - at what temperature the executions of a target start, and how long the next one waits to
 * start at the same (measurement rule 1.4, step 7). */
#ifndef MEASURE_TEMPERATURE_H
#define MEASURE_TEMPERATURE_H

#include <stddef.h>
#include <stdint.h>

#include "bench/measure/execution.h"
#include "kernels/base/err.h"

#define TEMPERATURE_ZONE_C 5.0
#define TEMPERATURE_WAIT_NS UINT64_C(300000000000)

enum temperature_gate { TEMPERATURE_MET, TEMPERATURE_WAIT, TEMPERATURE_MISS };
/* Now, against the median of earlier starts, after so much waiting. NaN: not known, nothing to wait for.
 * Pure. */
enum temperature_gate temperature_judge(double celsius, double median, uint64_t waited_ns);
/* Of the GPU the target runs on, else of the processor, now; NaN: nobody tells. */
double temperature_read(const struct execution *x);
/* Temperatures that earlier executions of the target started at. *celsius: for free(). Statuses of the
 * store. */
enum status temperature_load(double **celsius, size_t *count, const struct execution *x, struct err *err);
/* Stores start_temperature (absent where it is NaN) and, unless "", temp_gate in the environment of the
 * execution. Statuses of the store. */
enum status temperature_record(const struct execution *x, double celsius, const char *gate, struct err *err);

#endif
