/* sdpa_plan.h - softmax(Q K^T / sqrt(depth)) V of all heads as one cuDNN plan, in f16 or bf16, straight on
 * the packed result of the layer that made Q, K and V. f32 and tf32 have no such engine: products and row
 * softmax instead. sdpa_plan_list and _load give, sdpa_plan_free takes back; the libraries are borrowed for
 * their life. */
#ifndef CUDA_SDPA_PLAN_H
#define CUDA_SDPA_PLAN_H

#include "kernels/cuda/library/cudnn_graph.h"

struct sdpa_plan;

/* src (n, tokens, 3 * heads * depth): all heads of Q, then of K, then of V; dst (n, tokens, heads * depth);
 * no gaps. */
struct sdpa_want {
    int n, heads, depth, tokens;
    enum gpu_math math;
};

/* As conv_plan_list. ST_UNSUPPORTED also for f32 and tf32. */
enum status sdpa_plan_list(struct sdpa_plan ***plans, size_t *count, const struct gpu_libraries *libraries,
                           const struct sdpa_want *want, size_t most, size_t cap, struct graph_seen *seen,
                           struct err *err);
void sdpa_plan_free(struct sdpa_plan *plan); /* NULL is allowed */

size_t sdpa_plan_workspace(const struct sdpa_plan *plan);   /* bytes */
const struct graph_plan *sdpa_plan_graph(const struct sdpa_plan *plan);
void   sdpa_plan_name(const struct sdpa_plan *plan, char *text, size_t size); /* "cudnn:12" */
/* Device pointers, 16-byte aligned. As conv_plan_run. */
enum status sdpa_plan_run(const struct sdpa_plan *plan, const void *src, void *dst, void *workspace,
                          struct CUstream_st *stream, struct err *err);

/* As conv_plan_save and conv_plan_load. */
char *sdpa_plan_save(const struct sdpa_plan *plan, struct err *err);
enum status sdpa_plan_load(struct sdpa_plan **out, const struct gpu_libraries *libraries,
                           const struct sdpa_want *want, const char *text, size_t size, struct err *err);

#endif
