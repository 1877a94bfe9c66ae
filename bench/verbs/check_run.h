/* check_run.h - one model on one engine and precision against what it must answer. What is found
 * becomes lines of a table. check_begin and check_end frame any number of check_model calls; lines
 * belong to the struct. */
#ifndef VERBS_CHECK_RUN_H
#define VERBS_CHECK_RUN_H

#include <signal.h>
#include <stddef.h>

#include "bench/config/config.h"
#include "bench/measure/worker.h"
#include "kernels/base/err.h"

struct check_line {
    char   model[32], engine[64], precision[16], set[16], size[16], until[32];
    char   test[24];                 /* "vector", "reference max", "reference rms", "reference relL2", "reference mask",
                                      * "batch 3 = 3 x 1" */
    double deviation, limit;         /* deviation NaN: it could not be computed, note says why */
    char   ok[8];                    /* "ok" or "FAILED" */
    char   note[512];
};

struct check {
    const volatile sig_atomic_t *stop;
    const struct engine_config *engine;
    const char *device;              /* NULL: the worker's choice */
    int    threads;                  /* 0: the worker's choice */
    bool   logits;                   /* leave out the vectors that end before the logits */
    struct engine_config reference;
    char   folder[64];               /* for images and outputs */
    float **reference_output;        /* [vector_count], NULL where not asked yet */
    struct check_line *lines;
    size_t line_count, failed;
};

/* Sets up *c, whose engine, device, threads and stop the caller has set. ST_IO: no folder for the images;
 * statuses of engine_config_read. check_end is needed whatever the status. */
enum status check_begin(struct check *c, struct err *err);
void check_end(struct check *c);
/* Every vector of the model (with `logits`, those of the logits): f32 against its values, the damped logits of every precision against the
 * reference engine and a batch of 3 against 3 single images. ST_OK also where checks failed: see lines
 * and failed. ST_ENVIRONMENT: the worker or the reference does not start; ST_INTERRUPTED;
 * ST_OUT_OF_MEMORY; ST_IO. */
enum status check_model(struct check *c, const char *model, const char *precision, struct err *err);

#endif
