/* dnnl_compat.h - what we ask of oneDNN, the same for versions 2.6 and 3.x. No other file includes dnnl.h.
 *
 * A compat is the library's engine and stream; a kernel is a described, then built primitive; a call is a
 * kernel with its buffers. What _open, _conv, _matmul, _reorder and _bind give, the matching function takes
 * back; a call borrows its kernel, a kernel its compat. Scratch memory is the caller's ("user mode"); nothing
 * here keeps a buffer. Arithmetic is strict: f32 is never silently lowered, whatever the library's
 * environment variables say. Errors: ST_UNSUPPORTED if the library has no such primitive, ST_OUT_OF_MEMORY,
 * else ST_ENVIRONMENT; api "onednn". */
#ifndef CPU_DNNL_COMPAT_H
#define CPU_DNNL_COMPAT_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/base/err.h"
#include "kernels/lower/conv_shape.h"

struct compat;
struct compat_kernel;
struct compat_call;

enum status compat_open(struct compat **out, struct err *err);
void compat_close(struct compat *c);
/* Gives back the machine code of kernels that were freed: the library keeps the last thousand for a second use, 20 MB
 * for every batch size of a network. */
void compat_forget(void);
void compat_version(char *text, size_t size); /* of the library that is loaded: "2.6.3" */
/* bfloat16 products in hardware (AVX-512 bf16 or AMX) that the library uses; its environment variable
 * DNNL_MAX_CPU_ISA may forbid them. Without them bf16 is emulated and slower than f32, or refused. */
bool compat_has_bf16(void);

/* Only describes: cheap, the machine code is made by compat_build. */
enum status compat_describe_conv(struct compat_kernel **out, struct compat *c,
                                 const struct conv_shape *shape, struct err *err);
/* Products and copies run in one thread, so that no result depends on how the library would split them. Calls
 * of one kernel, each with its own buffers, may run in several threads at once.
 * dst (m,n) f32 (+)= src (m,k) * weights (k,n). src and dst without gaps, weights as the library likes them. */
struct compat_matmul {
    int m, k, n;
    enum fused_type type;   /* of src and weights */
    bool accumulate;
};
enum status compat_describe_matmul(struct compat_kernel **out, struct compat *c,
                                   const struct compat_matmul *shape, struct err *err);
/* Copies (rows,columns) with these element strides into `weights_of`'s weights layout, or without gaps if that
 * is NULL. One type throughout. */
struct compat_copy {
    int rows, columns;
    size_t strides[2];
    enum fused_type type;
};
enum status compat_describe_copy(struct compat_kernel **out, struct compat *c,
                                 const struct compat_copy *shape, const struct compat_kernel *weights_of,
                                 struct err *err);
enum status compat_build(struct compat_kernel *k, struct err *err); /* nothing to do if it is built */
void compat_free(struct compat_kernel *k);

const char *compat_name(const struct compat_kernel *k); /* the library's name of the implementation */
size_t compat_scratch_bytes(const struct compat_kernel *k);
size_t compat_weights_bytes(const struct compat_kernel *k);
bool compat_same_weights(const struct compat_kernel *a, const struct compat_kernel *b); /* one layout? */
/* plain: (k, c/groups, kh, kw) f32, converted and reordered into dst of compat_weights_bytes. */
enum status compat_pack_weights(void *dst, const struct compat_kernel *k, const float *plain,
                                struct err *err);
/* From one kernel's layout to another's (the same convolution for another batch size). */
enum status compat_repack_weights(void *dst, const struct compat_kernel *to, const void *src,
                                  const struct compat_kernel *from, struct err *err);

/* Buffers of a call; 64-byte aligned; NULL where the kernel has none. A copy has only src and dst. */
struct compat_buffers {
    void *src, *weights, *bias, *dst, *scratch;
};
enum status compat_bind(struct compat_call **out, struct compat_kernel *k, const struct compat_buffers *b,
                        struct err *err);
void compat_move(struct compat_call *call, const struct compat_buffers *b); /* other buffers, no allocation */
enum status compat_run(struct compat_call *call, struct err *err);          /* returns when it is done */
void compat_unbind(struct compat_call *call);

#endif
