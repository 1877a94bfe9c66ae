/* scripted_pace.h - how long the next iteration of a script lasts: curve, speed, noise, drift, spikes,
 * throttling. Pure: all that changes is in struct pace. The script is borrowed for the pace's life. */
#ifndef WORKER_SCRIPTED_PACE_H
#define WORKER_SCRIPTED_PACE_H

#include <stdint.h>

#include "kernels/base/rng.h"
#include "kernels/worker/scripted_script.h"

struct pace {
    const struct script *script;
    double   speed;                      /* factor of this model, precision and device */
    struct rng rng[2];                   /* for things per iteration, for things per block */
    double   ar1[SCRIPT_ITEMS_MAX];      /* last values, sigma 1 */
    uint64_t iterations, blocks;         /* begun so far */
    uint64_t start_ns;
    double   block_y;                    /* ln(speed) that the whole block has */
    int64_t  runs;                       /* run requests so far: throttle counts them */
    int      batch;                      /* size of the block */
};

/* start_ns: the time of the clock now, from which seconds count. It is part of the seed, so that processes
 * that start at different virtual times differ, and the same one again does not. */
void pace_open(struct pace *p, const struct script *script, double speed, uint64_t start_ns);
/* A block begins: a `run` request (run true) or the first iteration of a `prepare`. */
void pace_block(struct pace *p, int batch, bool run);
/* Nanoseconds that the next iteration lasts. */
uint64_t pace_iteration_ns(struct pace *p, int batch, uint64_t now_ns);
/* The throttle entry that holds for the run request that began last, or NULL. */
const struct script_throttle *pace_throttle(const struct pace *p);
/* ns of one iteration by the curve alone. */
double pace_curve_ns(const struct script_curve *curve, int batch);

#endif
