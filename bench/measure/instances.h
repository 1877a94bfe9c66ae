/* instances.h - the workers of one execution: several processes of one engine that do the same at the same
 * time (measurement rule 6.1), each on CPUs of its own. One instance is the common case and works as a
 * worker does alone. What instances_open gives, instances_close takes back.
 *
 * If one fails, the others finish what they were asked, and its failure is the failure of the call. If one
 * has ended, all are ended: instances are an execution together or not at all. */
#ifndef MEASURE_INSTANCES_H
#define MEASURE_INSTANCES_H

#include <stdbool.h>
#include <stddef.h>

#include "bench/measure/worker.h"
#include "bench/telemetry/telemetry.h"
#include "kernels/base/err.h"

struct instances {
    struct worker **workers;         /* [count] */
    struct telemetry **telemetry;    /* [count] opened with the first block; NULL in virtual time */
    struct telemetry_block *looks;   /* [count] room for one block */
    struct gpu *gpu;                 /* on which they run, borrowed; NULL: on no GPU */
    const char *root;                /* of the telemetry, see telemetry.h; may be set before the first block */
    size_t count;                    /* 0: not open */
    struct worker *ended;            /* the one that ended by itself; NULL: none */
};

/* Starts `count` processes (1..WORKER_GROUP_MAX). threads > 0: the i-th may use the i-th `threads` CPUs of
 * those that this process may use; 0: all may use all. The memory limit of start is shared evenly. ST_USAGE:
 * there are not count x threads CPUs; others as worker_open. */
enum status instances_open(struct instances *out, const struct worker_start *start, size_t count, int threads,
                           struct err *err);
void instances_close(struct instances *g);
bool instances_alive(const struct instances *g);

/* Results are those of the first (all run the same program on the same machine); load_ns is the longest. */
enum status instances_hello(struct instances *g, struct worker_hello *out, struct err *err);
enum status instances_load(struct instances *g, const struct worker_load_ask *ask,
                           struct worker_load_result *out, struct err *err);
/* At once in all. Times are the longest, bytes the sum. A size that one cannot prepare is prepared in none. */
enum status instances_prepare(struct instances *g, int batch, struct worker_prepare_result *out,
                              struct err *err);
enum status instances_release(struct instances *g, int batch, struct err *err);
/* Sums. */
enum status instances_memory(struct instances *g, struct worker_memory_result *out, struct err *err);

/* At once in all: runs[count], each for worker_run_free if ST_OK (else nothing is to be freed). machine:
 * what the machine did meanwhile to all of them together; NULL: nobody asks. */
enum status instances_run(struct instances *g, const struct worker_run_ask *ask,
                          struct worker_run_result *runs, struct telemetry_block *machine, uint64_t deadline_ns,
                          struct err *err);

#endif
