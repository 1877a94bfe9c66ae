/* kernels.h - the GPU's kernels between two convolutions: the steps of kernels/lower/fused.h with device pointers
 * everywhere (parameters, coefficients, maps, tensors, weights), the same meaning and the same results up to
 * rounding. Storage may also be FUSED_F16; channels c and strides are multiples of 8, tensors begin at 16 bytes.
 *
 * Every function only enqueues: it returns the CUDA error of its launch (cudaError_t as int, 0 is success), waits for
 * nothing, allocates nothing, may be captured. Results repeat bit for bit, do not depend on the batch (image i of a
 * batch equals the image alone, under the same block shape) and use no floating-point atomics.
 *
 * Scratch holds nothing from one call to the next; it is shared by all calls on one stream. tickets are
 * zero before and after every call.
 *
 * One body (NAME_body.cuh), one file for nvcc (NAME.cu) and one function for its launch configuration
 * (launch_NAME.c) each; the bodies also run on the CPU through the fiber shim. Usable from C and C++. */
#ifndef CUDA_KERNELS_H
#define CUDA_KERNELS_H

#include "kernels/cuda/passes/limits.h"
#include "kernels/cuda/passes/shape.h"
#include "kernels/lower/fused.h"

#ifdef __cplusplus
extern "C" {
#endif

struct CUstream_st;

#define GPU_CHANNEL_BLOCK 8
#define GPU_TICKETS 4096            /* one per image of the largest batch */

/* Where a kernel runs; everything borrowed. */
struct gpu_place {
    void *scratch;                  /* device memory of as many bytes as the kernel's _scratch says, 256-byte aligned */
    unsigned *tickets;              /* device memory [GPU_TICKETS] */
    const struct gpu_limits *limits;
    struct CUstream_st *stream;
    enum gpu_shape shape;           /* of the kernels that have one */
};

/* Sums of a convolution's epilogue turned into coefficients: m = sum / pixels, v = square / pixels - m^2 (at least 0),
 * then as fused_norm says. */
struct gpu_fold {
    int n, c;
    double pixels;                  /* of one image */
    const float *sum, *square;      /* [n][c]: sums of x and of x^2 */
    struct fused_norm norm;
    void *half_scale, *half_shift;  /* [n][c] in `half`, for a convolution's prologue; NULL: not wanted */
    enum fused_type half;           /* FUSED_F16 or FUSED_BF16 */
};

/* probs = softmax over the columns of scale * scores, in place allowed. */
struct gpu_row_softmax {
    size_t rows;
    int    cols;
    float  scale;
    const float *scores;            /* [rows][cols] */
    float *probs;
};

/*        name         operation */
#define GPU_SHAPED_KERNEL_LIST(X) \
    X(stats,       struct fused_stats) \
    X(apply,       struct fused_apply) \
    X(survey,      struct fused_survey)
#define GPU_KERNEL_LIST(X) \
    X(pack,        struct fused_pack) \
    X(unpack,      struct fused_unpack) \
    X(fold,        struct gpu_fold) \
    X(scatter,     struct fused_scatter) \
    X(se,          struct fused_se) \
    X(gate,        struct fused_gate) \
    X(triplet,     struct fused_triplet) \
    X(map_norm,    struct fused_map_norm) \
    X(map_resize,  struct fused_map_resize) \
    X(row_softmax, struct gpu_row_softmax)

/* gpu_NAME enqueues; gpu_NAME_scratch gives the bytes of scratch from operation, device and block shape alone. */
#define X(name, operation) \
    int gpu_##name(const operation *op, const struct gpu_place *at); \
    size_t gpu_##name##_scratch(const operation *op, const struct gpu_limits *limits);
GPU_KERNEL_LIST(X)
#undef X
#define X(name, operation) \
    int gpu_##name(const operation *op, const struct gpu_place *at); \
    size_t gpu_##name##_scratch(const operation *op, const struct gpu_limits *limits, enum gpu_shape shape);
GPU_SHAPED_KERNEL_LIST(X)
#undef X

#ifdef __cplusplus
}
#endif

#endif
