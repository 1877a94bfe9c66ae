/* attention.h - softmax(Q K^T / sqrt(d)) V in blocks of queries and keys: the matrix of all
 * pairs never exists. attention_new .. attention_free owns its oneDNN primitives; scratch and
 * tensors are the caller's. */
#ifndef CPU_ATTENTION_H
#define CPU_ATTENTION_H

#include "kernels/cpu/dnnl_compat.h"
#include "kernels/cpu/fused.h"

struct attention;

struct attention_shape {
    int n, heads, depth, tokens; /* src (n, tokens, 3 * heads * depth), dst (n, tokens, heads * depth), no gaps */
    enum fused_type type;
};

enum status attention_new(struct attention **out, struct compat *c, const struct attention_shape *shape,
                          struct err *err);
void attention_free(struct attention *a);
size_t attention_scratch_bytes(const struct attention *a);
/* scratch: 64-byte aligned, may hold anything. */
enum status attention_run(struct attention *a, const struct fused_kernels *k, const void *src, void *dst,
                          void *scratch, struct err *err);

#endif
