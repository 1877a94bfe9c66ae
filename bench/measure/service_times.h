/* service_times.h - percentiles of the iteration times of every size of a target (measurement rule 1.9), read
 * from the stored samples. What _load gives, _free takes back. */
#ifndef MEASURE_SERVICE_TIMES_H
#define MEASURE_SERVICE_TIMES_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/store/store.h"
#include "kernels/base/err.h"

struct service_times;

/* Samples of the valid blocks of rounds; of a size without any: of its coarse blocks.
 * Statuses of the store. */
enum status service_times_load(struct service_times **out, struct store *store, int64_t target,
                               struct err *err);
void service_times_free(struct service_times *s);

struct service_summary {
    double p50_ms, p90_ms, p95_ms, p99_ms; /* NaN: too few iterations to print it, or grouped */
    double min_ms;                         /* NaN: none */
    int    iterations;
    bool   grouped;                        /* iterations below 50 us: single stamps say nothing */
};
struct service_summary service_times_of(const struct service_times *s, int batch);

#endif
