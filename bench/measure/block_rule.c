#include "bench/measure/block_rule.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tuner/stats.h"

static const double least_ns = 100e6;     /* a block is at least so long */
static const double clock_factor = 1000;  /* so many times the error of the clock */
static const uint64_t five_span_ns = 500000000;
static const double grouped_below_ns = 50e3;

uint64_t block_min_ns(const struct clock_quality *q, int doublings)
{
    double ns = fmax(least_ns, clock_factor * fmax(q->overhead_ns, (double)q->granularity_ns));
    return (uint64_t)ns << doublings;
}

int block_min_iterations(uint64_t t_iter_ns)
{
    uint64_t n = t_iter_ns ? five_span_ns / t_iter_ns : 5;
    return n > 5 ? 5 : n < 1 ? 1 : (int)n;
}

uint64_t block_expected_ns(uint64_t min_ns, uint64_t t_iter_ns)
{
    uint64_t least = (uint64_t)block_min_iterations(t_iter_ns) * t_iter_ns;
    uint64_t whole = t_iter_ns ? (min_ns + t_iter_ns - 1) / t_iter_ns * t_iter_ns : min_ns;
    return least > whole ? least : whole;
}

bool block_is_grouped(double median_iteration_ns)
{
    return median_iteration_ns < grouped_below_ns;
}

static bool mode_is(const char *mode, const char *word)
{
    size_t size = strlen(word);
    return strncmp(mode, word, size) == 0 && (mode[size] == 0 || mode[size] == '+');
}

enum block_rate {
    BLOCK_RATE_MEDIAN,  /* batch / median iteration: one instance, no overlap */
    BLOCK_RATE_COMPUTE, /* the same of the compute stage */
    BLOCK_RATE_WALL,    /* images / wall: overlap, or iterations too short to be stamped one by one */
};

static enum block_rate rate_of(const char *mode, double median_iteration_ns)
{
    if (block_is_grouped(median_iteration_ns) || mode_is(mode, "pipelined"))
        return BLOCK_RATE_WALL;
    return mode_is(mode, "compute") ? BLOCK_RATE_COMPUTE : BLOCK_RATE_MEDIAN;
}

static double median_ns(const uint64_t *ns, size_t n)
{
    double *values = ns ? malloc(n * sizeof *values) : NULL, median = NAN;
    for (size_t i = 0; values && i < n; i++)
        values[i] = (double)ns[i];
    if (values) {
        stats_sort(values, n);
        median = stats_median_sorted(values, n);
    }
    free(values);
    return median;
}

struct block_values block_evaluate(const char *mode, int batch, const uint64_t *iteration_ns,
                                   const uint64_t *compute_ns, size_t iterations, uint64_t wall_ns)
{
    struct block_values v = { .median_ns = median_ns(iteration_ns, iterations) };
    enum block_rate rate = rate_of(mode, v.median_ns);
    double per_image_ns = rate == BLOCK_RATE_COMPUTE ? median_ns(compute_ns, iterations) / batch
                                                     : v.median_ns / batch;
    v.wall_images_per_s = (double)iterations * batch / ((double)wall_ns / 1e9);
    v.y = rate == BLOCK_RATE_WALL ? log(v.wall_images_per_s) : log(1e9 / per_image_ns);
    v.grouped = block_is_grouped(v.median_ns);
    if (!isfinite(v.y))
        v.y = NAN;
    return v;
}

struct block_values block_evaluate_window(int batch, const uint64_t *iteration_ns, size_t iterations,
                                          double window_iterations, uint64_t window_ns)
{
    struct block_values v = { .median_ns = median_ns(iteration_ns, iterations), .y = NAN };
    v.wall_images_per_s = window_ns ? window_iterations * batch / ((double)window_ns / 1e9) : 0;
    v.grouped = block_is_grouped(v.median_ns);
    if (v.wall_images_per_s > 0)
        v.y = log(v.wall_images_per_s);
    return v;
}

double block_energy_j(double energy_uj, uint64_t spent_ns, int images, double wall_images_per_s)
{
    double watt = spent_ns ? energy_uj * 1e-6 / ((double)spent_ns * 1e-9) : NAN;
    return wall_images_per_s > 0 ? watt * images / wall_images_per_s : NAN;
}
