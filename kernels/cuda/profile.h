/* profile.h - where an iteration's time on the device goes, step by step. */
#ifndef CUDA_PROFILE_H
#define CUDA_PROFILE_H

#include "kernels/cuda/iterate.h"

/* Launches every step on the stream with an event before and after it, and in turn times plain iterations; fills out
 * (the caller frees out->layers). Layers are named by the nodes of g, which the plan was lowered from. The sum of the
 * layers exceeds a graph's time: that is out->iteration_ns. */
enum status profile_run(struct profile *out, struct iterate *it, struct ready *r, struct prepared *p,
                        const struct graph *g, int iterations, struct err *err);

#endif
