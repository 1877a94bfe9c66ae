/* block_rule.h - how long a block is and what its value is (measurement rule 1.3). Pure. */
#ifndef MEASURE_BLOCK_RULE_H
#define MEASURE_BLOCK_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/base/clock.h"

#define BLOCK_MAX_ITERATIONS 100000

/* max(100 ms, 1000 x max(overhead, granularity)), doubled `doublings` times: timer error at most 0.1 %. */
uint64_t block_min_ns(const struct clock_quality *q, int doublings);
/* max(1, min(5, floor(500 ms / t_iter))); 5 as long as t_iter is not known (0). */
int block_min_iterations(uint64_t t_iter_ns);
/* About how long such a block takes. */
uint64_t block_expected_ns(uint64_t min_ns, uint64_t t_iter_ns);

enum block_rate {
    BLOCK_RATE_MEDIAN,  /* batch / median iteration: one instance, no overlap */
    BLOCK_RATE_COMPUTE, /* the same of the compute stage */
    BLOCK_RATE_WALL,    /* images / wall: overlap, or iterations too short to be stamped one by one */
};
/* The rate that the value of a block is: by mode ("e2e", "compute", "pipelined", each with + suffixes), and WALL where
 * an iteration takes less than 50 us, whose stamps would cost over 0.1 %. */
enum block_rate block_rate_of(const char *mode, double median_iteration_ns);

/* Iterations below 50 us: their stamps would cost over 0.1 %. */
bool block_is_grouped(double median_iteration_ns);

struct block_values {
    double median_ns;         /* of the iterations */
    double y;                 /* ln images/s by the rule; NaN if it cannot be given */
    double wall_images_per_s;
    bool   grouped;           /* iterations too short for percentiles */
};
/* compute_ns may be NULL (then a compute mode has no y). iterations >= 1. */
struct block_values block_evaluate(const char *mode, int batch, const uint64_t *iteration_ns,
                                   const uint64_t *compute_ns, size_t iterations, uint64_t wall_ns);

#endif
