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

/* Iterations below 50 us: their stamps would cost over 0.1 %. */
bool block_is_grouped(double median_iteration_ns);

struct block_values {
    double median_ns;         /* of the iterations */
    double y;                 /* ln images/s by the rate of the mode; NaN if it cannot be given */
    double wall_images_per_s;
    bool   grouped;           /* iterations too short for percentiles */
};
/* The rate is by mode ("e2e", "compute", "pipelined", each with + suffixes): batch / median
 * iteration, the same of the compute stage, or images / wall; always the last where an iteration
 * takes less than 50 us, whose stamps would cost over 0.1 %. compute_ns may be NULL (then a compute
 * mode has no y). iterations >= 1. */
struct block_values block_evaluate(const char *mode, int batch, const uint64_t *iteration_ns,
                                   const uint64_t *compute_ns, size_t iterations, uint64_t wall_ns);
/* The same of several instances side by side, whatever the mode: their images inside the window
 * (block_window.h) over its length. iteration_ns: of all of them. */
struct block_values block_evaluate_window(int batch, const uint64_t *iteration_ns, size_t iterations,
                                          double window_iterations, uint64_t window_ns);

/* Energy of a block's measured images: mean power between bench's looks (unmeasured iterations are in it)
 * over the rate. NaN if one of them is not known. */
double block_energy_j(double energy_uj, uint64_t spent_ns, int images, double wall_images_per_s);

#endif
