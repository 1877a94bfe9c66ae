/* fused_stage.h - steps on a segment of a row, for the file of one instruction set (after vec.h).
 * A segment is `count` pixels of c channels as f32 without gaps, small enough for the first-level cache: it is filled,
 * then every output takes what it needs from it. */
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

static inline void stage_sigmoid(const struct stage *s)
{
    for (int i = 0; i < s->count; i++)
        for (int k = 0; k < s->c; k += VEC_W) {
            float *at = s->values + (size_t)i * (size_t)s->c + k;
            vec y = vec_sigmoid(vec_load(at));
            vec_store(at, k + VEC_W <= s->c_real ? y : vec_set(0));
            if (k < s->c_real && k + VEC_W > s->c_real)
                vec_store_n(at, s->c_real - k, y);
        }
}

static inline void stage_relu(const struct stage *s)
{
    for (size_t i = 0; i < (size_t)s->count * (size_t)s->c; i += VEC_W)
        vec_store(s->values + i, vec_max(vec_set(0), vec_load(s->values + i)));
}

VEC_INLINE void stage_put(const struct stage *s, void *dst, size_t first, size_t stride, const enum fused_type type,
                          const bool stream)
{
    for (int i = 0; i < s->count; i++)
        for (int k = 0; k < s->c; k += VEC_W)
            vec_put(type, stream, dst, first + (size_t)i * stride + (size_t)k,
                    vec_load(s->values + (size_t)i * (size_t)s->c + k));
}

/* The segment to pixels `pixel`, `pixel` + 1, ... of a view. */
static inline void stage_store(const struct stage *s, const struct fused_view *dst, size_t pixel, bool stream)
{
    size_t stride = (size_t)dst->stride, first = pixel * stride;
    if (dst->type == FUSED_BF16 && stream)
        stage_put(s, dst->data, first, stride, FUSED_BF16, true);
    else if (dst->type == FUSED_BF16)
        stage_put(s, dst->data, first, stride, FUSED_BF16, false);
    else if (stream)
        stage_put(s, dst->data, first, stride, FUSED_F32, true);
    else
        stage_put(s, dst->data, first, stride, FUSED_F32, false);
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

/* point[count][2] */
static inline void stage_points(const struct stage *s, float *point)
{
    for (int i = 0; i < s->count; i++)
        stage_mean_max(point + 2 * i, s->values + (size_t)i * (size_t)s->c, s->c_real);
}

/* dot[count] = bias + weight . y */
static inline void stage_dots(const struct stage *s, const float *weight, float bias, float *dot)
{
    for (int i = 0; i < s->count; i++) {
        const float *y = s->values + (size_t)i * (size_t)s->c;
        vec sum = vec_set(0);
        for (int k = 0; k < s->c; k += VEC_W)
            sum = vec_fma(vec_load(y + k), vec_load(weight + k), sum);
        dot[i] = bias + vec_hsum(sum);
    }
}

VEC_INLINE void stage_pool_put(const struct stage *upper, const struct stage *lower, const struct fused_view *dst,
                               size_t pixel, const enum fused_type type)
{
    size_t c = (size_t)upper->c;
    for (int i = 0; i + 1 < upper->count; i += 2) {
        const float *a = upper->values + (size_t)i * c, *b = lower->values + (size_t)i * c;
        for (size_t k = 0; k < c; k += VEC_W) {
            vec top = vec_max_nan(vec_load(a + k), vec_load(a + c + k));
            vec bottom = vec_max_nan(vec_load(b + k), vec_load(b + c + k));
            vec_put(type, false, dst->data, (pixel + (size_t)i / 2) * (size_t)dst->stride + k,
                    vec_max_nan(top, bottom));
        }
    }
}

/* 2x2 maxima of two segments, one below the other, to pixels `pixel`, ... of dst. */
static inline void stage_pool(const struct stage *upper, const struct stage *lower, const struct fused_view *dst,
                              size_t pixel)
{
    if (dst->type == FUSED_BF16)
        stage_pool_put(upper, lower, dst, pixel, FUSED_BF16);
    else
        stage_pool_put(upper, lower, dst, pixel, FUSED_F32);
}

#endif
