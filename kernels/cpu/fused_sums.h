/* fused_sums.h - sums over pixels, channel by channel, for the file of one instruction set (after vec.h).
 * Eight pixels are added as a tree before they reach the running sum, and a running sum ("leaf") is flushed
 * after each row, so that rounding stays near that of a pairwise sum. */
#ifndef CPU_FUSED_SUMS_H
#define CPU_FUSED_SUMS_H

#include "kernels/cpu/fused_plan.h"
#include "kernels/cpu/vec.h"

/* `count` pixels `stride` elements apart from element `first` of base on; each times pixel[i]
 * if pixel is not NULL. */
struct sum_run {
    const void *base;
    size_t first, stride;
    const float *pixel;
    int count, c;
    size_t ahead;                /* bytes to fetch ahead, 0: base is in a cache near by */
};

VEC_INLINE vec sum_value(const struct sum_run *run, const enum fused_type type, int i, int k)
{
    vec x = vec_get(type, run->base, run->first + (size_t)i * run->stride + (size_t)k);
    return run->pixel ? vec_mul(x, vec_set(run->pixel[i])) : x;
}

VEC_INLINE size_t ahead_of(const struct sum_run *run, const enum fused_type type, int i, int k)
{
    size_t at = run->first + (size_t)i * run->stride + (size_t)k;
    return at * (type == FUSED_BF16 ? sizeof(bf16) : sizeof(float)) + run->ahead;
}

VEC_INLINE vec sum_tree(const vec x[8])
{
    return vec_add(vec_add(vec_add(x[0], x[1]), vec_add(x[2], x[3])),
                   vec_add(vec_add(x[4], x[5]), vec_add(x[6], x[7])));
}

/* Pixels i .. i+7 of channels k .. k+VEC_W-1: sum += x - pilot, square += (x - pilot)^2. */
VEC_INLINE void sum_eight(float *sum, float *square, const float *pilot, const struct sum_run *run,
                          const enum fused_type type, int i, int k)
{
    vec d[8];
    vec shift = pilot ? vec_load(pilot + k) : vec_set(0);
    if (run->ahead)
        VEC_UNROLL for (int j = 0; j < 8; j++)
            __builtin_prefetch((const char *)run->base + ahead_of(run, type, i + j, k));
    VEC_UNROLL for (int j = 0; j < 8; j++) {
        vec x = sum_value(run, type, i + j, k);
        d[j] = pilot ? vec_sub(x, shift) : x;
    }
    vec_store(sum + k, vec_add(vec_load(sum + k), sum_tree(d)));
    if (!square)
        return;
    VEC_UNROLL for (int j = 0; j < 8; j += 2)
        d[j] = vec_fma(d[j], d[j], vec_mul(d[j + 1], d[j + 1]));
    vec both = vec_add(vec_add(d[0], d[2]), vec_add(d[4], d[6]));
    vec_store(square + k, vec_add(vec_load(square + k), both));
}

VEC_INLINE void sum_one(float *sum, float *square, const float *pilot, const struct sum_run *run,
                        const enum fused_type type, int i, int k)
{
    vec x = sum_value(run, type, i, k);
    vec d = pilot ? vec_sub(x, vec_load(pilot + k)) : x;
    vec_store(sum + k, vec_add(vec_load(sum + k), d));
    if (square)
        vec_store(square + k, vec_fma(d, d, vec_load(square + k)));
}

/* sum[c] += x - pilot and square[c] += (x - pilot)^2 over the run; pilot NULL is 0, square may be NULL. */
VEC_INLINE void sum_pixels(float *sum, float *square, const float *pilot, const struct sum_run *of,
                           const enum fused_type type)
{
    const struct sum_run run = *of;
    int i = 0;
    for (; i + 8 <= run.count; i += 8)
        for (int k = 0; k < run.c; k += VEC_W)
            sum_eight(sum, square, pilot, &run, type, i, k);
    for (; i < run.count; i++)
        for (int k = 0; k < run.c; k += VEC_W)
            sum_one(sum, square, pilot, &run, type, i, k);
}

/* part += leaf, leaf = 0. */
static inline void sum_flush(float *part, float *leaf, size_t count)
{
    for (size_t k = 0; k < count; k += VEC_W) {
        vec_store(part + k, vec_add(vec_load(part + k), vec_load(leaf + k)));
        vec_store(leaf + k, vec_set(0));
    }
}

#endif
