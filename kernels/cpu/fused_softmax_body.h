/* fused_softmax_body.h - softmax by blocks of keys, for the file of one instruction set. */
#ifndef CPU_FUSED_SOFTMAX_BODY_H
#define CPU_FUSED_SOFTMAX_BODY_H

#include <math.h>

#include "kernels/cpu/fused_plan.h"
#include "kernels/cpu/vec.h"

static inline float softmax_max(const float *scores, int cols, float scale, float start)
{
    vec max = vec_set(start);
    for (int j = 0; j < cols; j += VEC_W) {
        vec s = cols - j < VEC_W ? vec_load_n(scores + j, cols - j, scores[j]) : vec_load(scores + j);
        max = vec_max(max, vec_mul(s, vec_set(scale)));
    }
    return vec_hmax(max);
}

static inline void softmax_put(const enum fused_type type, void *probs, size_t at, int n, vec p)
{
    if (n == VEC_W) {
        vec_put(type, false, probs, at, p);
        return;
    }
    float x[VEC_W];
    vec_store(x, p);
    for (int i = 0; i < n; i++)
        if (type == FUSED_BF16)
            ((bf16 *)probs)[at + (size_t)i] = bf16_of_f32(x[i]);
        else
            ((float *)probs)[at + (size_t)i] = x[i];
}

/* probs = exp(scale * scores - max), returns their sum */
static inline float softmax_exp(const struct fused_softmax *op, size_t row, float max,
                                const enum fused_type type)
{
    size_t first = row * (size_t)op->cols;
    vec sum = vec_set(0), scale = vec_set(op->scale), shift = vec_set(-max);
    for (int j = 0; j < op->cols; j += VEC_W) {
        int n = op->cols - j < VEC_W ? op->cols - j : VEC_W;
        const float *scores = op->scores + first + (size_t)j;
        vec s = n < VEC_W ? vec_load_n(scores, n, -INFINITY) : vec_load(scores);
        vec p = vec_exp(vec_fma(s, scale, shift));
        sum = vec_add(sum, p);
        softmax_put(type, op->probs, first + (size_t)j, n, p);
    }
    return vec_hsum(sum);
}

/* acc = first ? 0 : acc * keep */
static inline void softmax_rescale(float *acc, int depth, float keep, bool first)
{
    for (int i = 0; i < depth; i += VEC_W) {
        int n = depth - i < VEC_W ? depth - i : VEC_W;
        vec_store_n(acc + i, n, first ? vec_set(0) : vec_mul(vec_load_n(acc + i, n, 0), vec_set(keep)));
    }
}

static void softmax_row(const struct fused_softmax *op, size_t row)
{
    float old = op->first ? -INFINITY : op->max[row];
    float max = softmax_max(op->scores + row * (size_t)op->cols, op->cols, op->scale, old);
    float sum = op->type == FUSED_BF16 ? softmax_exp(op, row, max, FUSED_BF16)
                                       : softmax_exp(op, row, max, FUSED_F32);
    float keep[VEC_W];
    vec_store(keep, vec_exp(vec_set(old - max)));
    op->sum[row] = op->first ? sum : op->sum[row] * keep[0] + sum;
    op->max[row] = max;
    if (op->first || max != old)
        softmax_rescale(op->acc + row * (size_t)op->depth, op->depth, keep[0], op->first);
}

static void fused_softmax(const struct fused_softmax *op, void *scratch)
{
    (void)scratch;
    long rows = (long)op->groups * op->rows;
#pragma omp parallel for schedule(static) if (rows * op->cols > 4096)
    for (long row = 0; row < rows; row++)
        softmax_row(op, (size_t)row);
}

static void softmax_end_row(const struct fused_softmax_end *op, size_t row)
{
    size_t group = row / (size_t)op->rows, in_group = row % (size_t)op->rows;
    size_t at = group * op->group_stride + in_group * op->row_stride;
    const float *acc = op->acc + row * (size_t)op->depth;
    for (int i = 0; i < op->depth; i += VEC_W) {
        int n = op->depth - i < VEC_W ? op->depth - i : VEC_W;
        vec x = vec_div(vec_load_n(acc + i, n, 0), vec_set(op->sum[row]));
        if (op->type == FUSED_BF16)
            softmax_put(FUSED_BF16, op->dst, at + (size_t)i, n, x);
        else
            softmax_put(FUSED_F32, op->dst, at + (size_t)i, n, x);
    }
}

static void fused_softmax_end(const struct fused_softmax_end *op, void *scratch)
{
    (void)scratch;
    long rows = (long)op->groups * op->rows;
#pragma omp parallel for schedule(static) if (rows * op->depth > 4096)
    for (long row = 0; row < rows; row++)
        softmax_end_row(op, (size_t)row);
}

#endif
