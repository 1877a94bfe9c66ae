/* matmul_plan.h - products by cuBLASLt. In NHWC a 1x1 convolution is one product over all pixels of all
 * images, between dense tensors or channel slices of wider ones (also the wide one with 4 K outputs that
 * stands for a transposed convolution 2x2, which itself is four: one per tap); attention in f32 and tf32 is
 * two more.
 * matmul_list gives plans, matmul_free takes one back; the libraries are borrowed for the plans' life.
 *
 * Descriptors used, with all their attributes:
 *   MatmulDesc (compute 32F, 32F_FAST_TF32 or 32F_PEDANTIC; scale R_32F)
 *                    TRANSA (N or T), EPILOGUE BIAS and BIAS_POINTER if the want has a bias
 *   MatrixLayout     (type, rows, columns, leading dimension); if batches > 1 BATCH_COUNT,
 *                    STRIDED_BATCH_OFFSET
 *   Preference       MAX_WORKSPACE_BYTES, MIN_ALIGNMENT_A, _B, _C, _D 16 (less where columns do not begin
 *                    there), REDUCTION_SCHEME_MASK COMPUTE_TYPE (partial sums in f32, in a fixed order)
 *   AlgoConfig       ID, TILE_ID, STAGES_ID are got
 * C is D, beta 0; alpha and beta are host floats. */
#ifndef CUDA_MATMUL_PLAN_H
#define CUDA_MATMUL_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/base/err.h"
#include "kernels/cuda/library/conv.h"
#include "kernels/cuda/passes/limits.h"

struct CUstream_st;
struct gpu_libraries;
struct matmul_plan;

/* D (m,n) = op(A) (m,k) x B (k,n) + bias[m], all column-major: element (i,j) at i + j * ld. B is never
 * transposed. A is stored (k,m) with leading dimension lda if transpose_a, else (m,k). `batches` such
 * products, their matrices batch_a, batch_b, batch_d elements apart (0: the same one). */
struct matmul_want {
    int m, n, k;
    bool transpose_a, bias;
    int lda, ldb, ldd;
    int batches;
    long long batch_a, batch_b, batch_d;
    enum gpu_math math;       /* storage of A, B, D and bias: f32 for GPU_F32 and GPU_TF32, else its name's */
};

/* The product of a convolution; false: it is none (not 1x1 of stride 1 in one group; prologue or sums).
 *
 * A transposed one, weights (C,2,2,K), dst (N,2H,2W,K) with pixels L elements apart, is matmul_taps products:
 * four, of tap 2a + b each, m = K, or where L = K two, of both taps of a row, m = 2 K, whose bias is there
 * twice. Each has a batch for every row of src, whose W pixels land 2 L apart. */
bool matmul_of_conv(struct matmul_want *out, const struct conv_want *want);
/* Where the products of a convolution begin, in elements behind the first of weights and of dst; returns how
 * many. Of a convolution that is not transposed: one, at 0. */
struct matmul_tap { long long a, d; };
#define MATMUL_TAPS_MAX 4
int matmul_taps(struct matmul_tap taps[MATMUL_TAPS_MAX], const struct conv_want *want);
/* Scores (rows x tokens, row-major) of `rows` queries: q and k are rows of `stride` elements, depth used, of
 * all heads: head h at h * depth. Scores of head h at h * rows * tokens. */
struct matmul_want matmul_of_scores(int rows, int tokens, int depth, int heads, int stride,
                                    enum gpu_math math);
/* dst rows (of dst_stride elements, head h at h * depth) = probs (rows x tokens per head) x v rows. */
struct matmul_want matmul_of_values(int rows, int tokens, int depth, int heads, int stride, int dst_stride,
                                    enum gpu_math math);

/* At most `most` plans, best guess first, none with more workspace than `cap`. ST_UNSUPPORTED: no cuBLASLt,
 * or it knows none. *plans is one array: free() it after matmul_free of each. */
enum status matmul_list(struct matmul_plan ***plans, size_t *count, struct gpu_libraries *libraries,
                        const struct matmul_want *want, size_t most, size_t cap, struct err *err);
/* A plan from the bytes that matmul_save gave, by the same version of cuBLASLt. */
enum status matmul_load(struct matmul_plan **out, struct gpu_libraries *libraries,
                        const struct matmul_want *want, const void *bytes, size_t size, struct err *err);
/* *bytes for free(). */
enum status matmul_save(const struct matmul_plan *plan, void **bytes, size_t *size, struct err *err);
void matmul_free(struct matmul_plan *plan);       /* NULL is allowed */

size_t matmul_workspace(const struct matmul_plan *plan);
int    matmul_algorithm(const struct matmul_plan *plan);   /* cuBLASLt's id; -1: it does not say */
/* "cublaslt:66.20.15": algorithm, tile and stages by cuBLASLt's numbers. */
void   matmul_name(const struct matmul_plan *plan, char *text, size_t size);
/* Enqueues. Device pointers, 16-byte aligned; bias may be NULL if the want has none. */
enum status matmul_run(struct matmul_plan *plan, const void *a, const void *b, const void *bias, void *d,
                       void *workspace, struct CUstream_st *stream, struct err *err);

#endif
