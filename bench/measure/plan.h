/* plan.h - everything that a campaign will do, expanded before anything runs: targets and their batch sizes.
 * What plan_make gives, plan_free takes back. Starts no worker and needs no device. */
#ifndef MEASURE_PLAN_H
#define MEASURE_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/config/config.h"
#include "bench/store/store.h"
#include "kernels/base/err.h"
#include "kernels/base/model_config.h"

#define PLAN_BATCHES_MAX 256

struct plan_point {
    int      batch;
    uint64_t predicted_bytes;        /* 0: unknown */
    double predicted_s; /* of probing it and the six rounds that a race has at least; NaN: unknown */
    double   images_per_s;           /* of the earlier measurement that this comes from; NaN: none */
};
struct plan_target {
    struct model_config model;
    const char *model_file; /* what `load` asks for: the file that the configuration named (and owns); NULL:
                             * model.name */
    const struct engine_config *engine; /* of the plan */
    char   device[64], precision[16], mode[32];
    int    threads, instances;       /* threads: resolved, >= 1 */
    int    shape[3];                 /* C,H,W */
    char   key[256];                 /* model|engine|device|precision|threads|instances|CxHxW|mode */
    char   name[192];                /* for people: "hrnet onednn cpu:0 f32"; instances and threads added if a
                                      * plan has several */
    double predicted_s; /* of everything, from accuracy gate to fill table, as the newest finished
                         * campaign took; NaN: unknown */
    bool   batches_auto;             /* the ascent: points are the powers of two it may try */
    struct plan_point *points;       /* ascending */
    size_t point_count;
};
struct plan {
    struct engine_config *engines;
    size_t engine_count;
    struct plan_target *targets;     /* model, engine, device, precision, instances, threads: the last changes
                                      * fastest */
    size_t target_count;
};

/* store: earlier measurements of the same key give the predictions; NULL: none are known.
 * ST_USAGE: nothing to measure, an unknown model, engine, device or precision (with the nearest known name),
 * a size that the model cannot take, a precision that the device does not have, more threads of all instances
 * than CPUs or quota, too many sizes; ST_CONFIG: a model or engine file is wrong; others as
 * store_load_earlier. *out is all zero unless ST_OK. */
enum status plan_make(struct plan *out, const struct config *config, struct store *store, struct err *err);
/* Of all targets; NaN: one is not known. */
double plan_predicted_s(const struct plan *p);
/* Drops the targets that keep() does not want; the others stay in order. */
void plan_keep(struct plan *p, bool (*keep)(void *context, const struct plan_target *target), void *context);
/* Takes the targets of another plan over, behind its own; `more` is empty afterwards. ST_OUT_OF_MEMORY: both are
 * as they were. */
enum status plan_append(struct plan *p, struct plan *more, struct err *err);
void plan_free(struct plan *p);

#endif
