/* service_times.h - percentiles of the iteration times of one size (measurement rule 1.9). Pure. */
#ifndef MEASURE_SERVICE_TIMES_H
#define MEASURE_SERVICE_TIMES_H

#include <stdbool.h>

#include "bench/measure/history.h"
#include "kernels/base/err.h"

struct service_summary {
    double p50_ms, p90_ms, p95_ms, p99_ms; /* NaN: too few iterations to print it, or grouped */
    double limited_ms;                     /* the percentile that was asked for; NaN likewise */
    double min_ms;                         /* NaN: none */
    int    iterations;
    bool   grouped;                        /* iterations below 50 us: single stamps say nothing */
};
/* Over all valid iterations of a size in rounds, proofs and verification; of one without any: in its
 * coarse blocks. percentile: of limited_ms, 0: none. ST_OUT_OF_MEMORY. */
enum status service_times_of(struct service_summary *out, const struct history *h, int batch,
                             double percentile,
                             struct err *err);

#endif
