/* attention.h - softmax(Q K^T / sqrt(depth)) V on the packed result of the layer that made Q, K and V: one plan of cuDNN
 * in f16 and bf16; in f32 and tf32, which cuDNN does not have, products and our row softmax, a block of query rows of
 * one image at a time.
 * attention_new .. attention_free owns the plans; the libraries are borrowed for their life. */
#ifndef CUDA_ATTENTION_H
#define CUDA_ATTENTION_H

#include "kernels/cuda/passes/kernels.h"
#include "kernels/cuda/library/sdpa_plan.h"

#define ATTENTION_ROWS 512      /* queries of one block: 64 MiB of scores at 8 heads and 4096 tokens */

struct attention;

/* ST_UNSUPPORTED with the libraries' reasons. No plan needs more workspace than `cap`. */
enum status attention_new(struct attention **out, struct gpu_libraries *libraries, const struct sdpa_want *want,
                          size_t cap, struct err *err);
void attention_free(struct attention *a); /* NULL is allowed */

/* Bytes, the block of scores included. */
size_t attention_workspace(const struct attention *a, const struct gpu_limits *limits);
int    attention_launches(const struct attention *a);
void   attention_name(const struct attention *a, char *text, size_t size);
/* Enqueues on at->stream; at->scratch is the workspace. Device pointers as sdpa_plan_run has them. */
enum status attention_run(const struct attention *a, const void *src, void *dst, const struct gpu_place *at,
                          struct err *err);

#endif
