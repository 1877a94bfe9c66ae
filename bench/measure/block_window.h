/* block_window.h - what several instances did together in one block (measurement rule 6.1). Pure.
 *
 * Only the time counts in which all of them measured: the window from the latest start to the earliest end.
 * The rate is the images in it over its length. The rule takes the iterations that lie wholly inside; here
 * one that crosses an edge counts with the share of it that is inside, because starts are never exactly
 * equal: whole ones only would lose one iteration of every instance, a fifth of the rate in a block of five,
 * more for large sizes than for small ones, and everything in a block of one. Both agree where the edges are
 * crossed by nothing. */
#ifndef MEASURE_BLOCK_WINDOW_H
#define MEASURE_BLOCK_WINDOW_H

#include <stddef.h>
#include <stdint.h>

#include "bench/measure/worker.h"
#include "kernels/base/err.h"

/* With one iteration each there might be none that ran beside the others from its start to its end. */
#define WINDOW_LEAST_ITERATIONS 3
/* The window is at least this share of the longest run, else the block is invalid (`window`). */
#define WINDOW_LEAST_SHARE 0.5

struct block_window {
    uint64_t start_ns, end_ns;       /* by bench's clock; equal: the runs have no time in common */
    uint64_t longest_ns;             /* of the runs */
    double   iterations;             /* of all runs inside the window */
};
/* runs[count], count >= 1. The iterations of a run lie end to end from its start; what a worker leaves
 * between them is taken as spread evenly. */
struct block_window block_window_of(const struct worker_run_result *runs, size_t count);

/* All runs as one answer: every iteration in the order of their ends, on the edges too; start_ns and end_ns
 * are the window, by bench's clock; sent_ns is the first, answered_ns the last; no telemetry. Stages only if
 * all have them. worker_run_free(out). ST_OUT_OF_MEMORY. */
enum status block_window_merge(struct worker_run_result *out, const struct worker_run_result *runs,
                               size_t count, struct err *err);

#endif
