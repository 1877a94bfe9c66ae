/* fused_stage.h - steps on a segment of a row, for the file of one instruction set (after vec.h).
 * A segment is `count` pixels of c channels as f32 without gaps, small enough for the first-level cache: it
 * is filled, then every output takes what it needs from it. */
#ifndef CPU_FUSED_STAGE_H
#define CPU_FUSED_STAGE_H

#include <math.h>

#include "kernels/cpu/fused_plan.h"
#include "kernels/cpu/fused_sums.h"
#include "kernels/cpu/vec.h"

#define SEGMENT_FLOATS 4096 /* 16 KiB */

/* Pixels of a segment: as many as fit, a multiple of `unit` (c <= FUSED_CHANNELS_MAX lets two fit). */
static inline int stage_span(int floats, int c, int unit)
{
    int span = floats / c / unit * unit;
    return span > unit ? span : unit;
}

struct stage {
    float *values;               /* [count][c] */
    int count, c, c_real;
};

static inline void stage_sigmoid(const struct stage *of)
{
    const struct stage s = *of;
    for (int i = 0; i < s.count; i++)
        for (int k = 0; k < s.c; k += VEC_W) {
            float *at = s.values + (size_t)i * (size_t)s.c + k;
            vec y = vec_sigmoid(vec_load(at));
            vec_store(at, k + VEC_W <= s.c_real ? y : vec_set(0));
            if (k < s.c_real && k + VEC_W > s.c_real)
                vec_store_n(at, s.c_real - k, y);
        }
}

/* y = max(floor, y), to dst (if there is one) and, if `keep`, back to the segment. */
VEC_INLINE void stage_put(const struct stage *of, float floor, bool keep, void *dst, size_t first,
                          size_t stride, const enum fused_type type, const bool stream)
{
    const struct stage s = *of;
    const vec bound = vec_set(floor);
    for (int i = 0; i < s.count; i++)
        for (int k = 0; k < s.c; k += VEC_W) {
            float *at = s.values + (size_t)i * (size_t)s.c + k;
            vec y = vec_max(bound, vec_load(at));
            vec_put(type, stream, dst, first + (size_t)i * stride + (size_t)k, y);
            if (keep)
                vec_store(at, y);
        }
}

/* The segment to pixels `pixel`, `pixel` + 1, ... of a view. */
static inline void stage_store(const struct stage *s, float floor, bool keep, const struct fused_view *dst,
                               size_t pixel, bool stream)
{
    size_t stride = (size_t)dst->stride, first = pixel * stride;
    if (dst->type == FUSED_BF16 && stream)
        stage_put(s, floor, keep, dst->data, first, stride, FUSED_BF16, true);
    else if (dst->type == FUSED_BF16)
        stage_put(s, floor, keep, dst->data, first, stride, FUSED_BF16, false);
    else if (stream)
        stage_put(s, floor, keep, dst->data, first, stride, FUSED_F32, true);
    else
        stage_put(s, floor, keep, dst->data, first, stride, FUSED_F32, false);
}

/* y = max(floor, y) in the segment alone. */
static inline void stage_floor(const struct stage *of, float floor)
{
    const struct stage s = *of;
    for (size_t i = 0; i < (size_t)s.count * (size_t)s.c; i += VEC_W)
        vec_store(s.values + i, vec_max(vec_set(floor), vec_load(s.values + i)));
}

/* Streaming pays only where whole cache lines are written. */
static inline bool stage_streams(const struct fused_view *dst, bool wanted)
{
    size_t size = dst->type == FUSED_BF16 ? sizeof(bf16) : sizeof(float);
    bool whole = (uintptr_t)dst->data % 64 == 0 && (size_t)dst->c * size % 64 == 0 &&
                 (size_t)dst->stride * size % 64 == 0;
    return wanted && (dst->c == dst->stride || whole);
}

static inline void stage_sums(const struct stage *s, float *sum, float *square, const float *pilot)
{
    struct sum_run run = { .base = s->values, .stride = (size_t)s->c, .count = s->count, .c = s->c };
    if (square)
        sum_pixels(sum, square, pilot, &run, FUSED_F32);
    else
        sum_pixels(sum, NULL, NULL, &run, FUSED_F32);
}

/* pair[0], pair[1] = mean and maximum over c_real values; those up to the next multiple of 16 are zero. */
static inline void stage_mean_max(float pair[2], const float *values, int c_real)
{
    vec sum = vec_set(0), max = vec_set(-INFINITY);
    int k = 0;
    for (; k + VEC_W <= c_real; k += VEC_W) {
        vec x = vec_load(values + k);
        sum = vec_add(sum, x);
        max = vec_max(max, x);
    }
    if (k < c_real) {
        sum = vec_add(sum, vec_load(values + k));
        max = vec_max(max, vec_load_n(values + k, c_real - k, -INFINITY));
    }
    pair[0] = vec_hsum(sum) / (float)c_real;
    pair[1] = vec_hmax(max);
}

/* The same of four neighbouring pixels: reductions across a vector are cheaper four at a time. */
static inline void stage_mean_max4(float *pairs, const float *values, int c, int c_real)
{
    vec sum[4], max[4];
    float total[4], top[4];
    int k = 0;
    VEC_UNROLL for (int j = 0; j < 4; j++) {
        sum[j] = vec_set(0);
        max[j] = vec_set(-INFINITY);
    }
    for (; k + VEC_W <= c_real; k += VEC_W)
        VEC_UNROLL for (int j = 0; j < 4; j++) {
            vec x = vec_load(values + j * c + k);
            sum[j] = vec_add(sum[j], x);
            max[j] = vec_max(max[j], x);
        }
    if (k < c_real)
        VEC_UNROLL for (int j = 0; j < 4; j++) {
            sum[j] = vec_add(sum[j], vec_load(values + j * c + k));
            max[j] = vec_max(max[j], vec_load_n(values + j * c + k, c_real - k, -INFINITY));
        }
    vec_hsum4(total, sum);
    vec_hmax4(top, max);
    for (int j = 0; j < 4; j++) {
        pairs[2 * j] = total[j] / (float)c_real;
        pairs[2 * j + 1] = top[j];
    }
}

/* point[count][2]. Which pixels go in fours depends on the place in the segment only,
 * so on the shape only. */
static inline void stage_points(const struct stage *s, float *point)
{
    int i = 0;
    for (; i + 4 <= s->count; i += 4)
        stage_mean_max4(point + 2 * i, s->values + (size_t)i * (size_t)s->c, s->c, s->c_real);
    for (; i < s->count; i++)
        stage_mean_max(point + 2 * i, s->values + (size_t)i * (size_t)s->c, s->c_real);
}

/* dot[count] = bias + weight . y */
static inline void stage_dots(const struct stage *of, const float *weight, float bias, float *dot)
{
    const struct stage s = *of;
    for (int i = 0; i < s.count; i += 4) {
        int n = s.count - i < 4 ? s.count - i : 4;
        vec sum[4] = { vec_set(0), vec_set(0), vec_set(0), vec_set(0) };
        const float *y = s.values + (size_t)i * (size_t)s.c;
        int step[4];             /* behind the last pixel: that pixel again */
        VEC_UNROLL for (int j = 0; j < 4; j++)
            step[j] = (j < n ? j : n - 1) * s.c;
        float total[4];
        for (int k = 0; k < s.c; k += VEC_W) {
            vec w = vec_load(weight + k);
            VEC_UNROLL for (int j = 0; j < 4; j++)
                sum[j] = vec_fma(vec_load(y + step[j] + k), w, sum[j]);
        }
        vec_hsum4(total, sum);
        for (int j = 0; j < n; j++)
            dot[i + j] = bias + total[j];
    }
}

VEC_INLINE void stage_pool_put(const struct stage *upper, const struct stage *lower,
                               const struct fused_view *dst, size_t pixel, const enum fused_type type)
{
    const float *first = upper->values, *second = lower->values;
    const size_t c = (size_t)upper->c;
    const int count = upper->count;
    const struct fused_view to = *dst;
    for (int i = 0; i + 1 < count; i += 2) {
        const float *a = first + (size_t)i * c, *b = second + (size_t)i * c;
        for (size_t k = 0; k < c; k += VEC_W) {
            vec top = vec_max_nan(vec_load(a + k), vec_load(a + c + k));
            vec bottom = vec_max_nan(vec_load(b + k), vec_load(b + c + k));
            vec_put(type, false, to.data, (pixel + (size_t)i / 2) * (size_t)to.stride + k,
                    vec_max_nan(top, bottom));
        }
    }
}

/* 2x2 maxima of two segments, one below the other, to pixels `pixel`, ... of dst. */
static inline void stage_pool(const struct stage *upper, const struct stage *lower,
                              const struct fused_view *dst, size_t pixel)
{
    if (dst->type == FUSED_BF16)
        stage_pool_put(upper, lower, dst, pixel, FUSED_BF16);
    else
        stage_pool_put(upper, lower, dst, pixel, FUSED_F32);
}

#endif
