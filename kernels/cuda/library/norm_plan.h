/* norm_plan.h - cuDNN's own engine for a norm, as plans of the graph API (level F3 of tune.h):
 *   dst (N,H,W,C) = relu?(gamma * (src - mean) / sqrt(variance + 1e-5) + beta + residual?)
 * with mean and variance of each image and channel over h and w: one launch for statistics and pass together, for all
 * images (an instance norm never mixes them, unlike the sums of conv_plan.h).
 *
 * A norm's plan is a graph_plan and nothing else: graph_plan_free, _name, _save, _load of cudnn_graph.h are its life;
 * the libraries are borrowed for it. */
#ifndef CUDA_NORM_PLAN_H
#define CUDA_NORM_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/base/err.h"
#include "kernels/cuda/library/patience.h"
#include "kernels/cuda/passes/limits.h"

struct CUstream_st;
struct gpu_libraries;   /* libraries.h */
struct graph_plan;      /* cudnn_graph.h */
struct graph_seen;

#define NORM_CHANNEL_BLOCK 8    /* cuDNN's engine wants c to be a multiple */

/* Strides: elements from pixel to pixel of a slice; 0: c. src is dense. */
struct norm_want {
    int n, h, w, c;
    int dst_stride, residual_stride;
    bool residual, relu;
    enum gpu_math math;
    const struct patience *patience;    /* as in conv_want */
};

/* Device pointers, 16-byte aligned; residual NULL where the want has none. dst may not be src. */
struct norm_buffers {
    const void *src, *residual;
    const float *gamma, *beta;          /* [c] */
    void *dst, *workspace;
};

/* As conv_list of conv.h, each plan in memory of its own: graph_plan_free, then free(*plans). ST_UNSUPPORTED: no engine
 * takes it, with the chain of reasons. seen may be NULL. */
enum status norm_plan_list(struct graph_plan ***plans, size_t *count, const struct gpu_libraries *libraries,
                           const struct norm_want *want, size_t most, size_t cap, struct graph_seen *seen,
                           struct err *err);
/* Enqueues; allocates no device memory; may be captured once it has run on that stream. */
enum status norm_plan_run(const struct graph_plan *plan, const struct norm_buffers *buffers,
                          struct CUstream_st *stream, struct err *err);

#endif
