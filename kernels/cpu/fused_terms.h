/* fused_terms.h - the addends of an apply, for the file of one instruction set (after vec.h). */
#ifndef CPU_FUSED_TERMS_H
#define CPU_FUSED_TERMS_H

#include <math.h>

#include "kernels/cpu/fused_plan.h"
#include "kernels/cpu/vec.h"

#define BLEND_FLOATS 8192 /* columns of a resized term in work at a time: 32 KiB */

/* One term of one image: floor(scale * (pixel * src) + shift), floor 0 for relu and -infinity for none. */
struct term_at {
    const void *src;             /* the image's first element */
    enum fused_type type;
    enum fused_resize resize;
    size_t stride;
    int h, w, c;
    const float *scale, *shift;  /* [c], never NULL */
    const float *pixel;          /* [h][w] or NULL */
    float floor;
};

static inline struct term_at term_of_image(const struct fused_term *term, int image, const float *one,
                                           const float *zero)
{
    const struct fused_view *v = &term->src;
    int c = term->resize == FUSED_WIDE ? v->c / 4 : v->c;
    size_t pixels = (size_t)v->h * (size_t)v->w, c_at = (size_t)image * (size_t)c;
    size_t size = v->type == FUSED_BF16 ? sizeof(bf16) : sizeof(float);
    return (struct term_at){
        .src = (const char *)v->data + (size_t)image * pixels * (size_t)v->stride * size,
        .type = v->type, .resize = term->resize, .stride = (size_t)v->stride, .h = v->h, .w = v->w, .c = c,
        .scale = term->scale ? term->scale + c_at : one, .shift = term->shift ? term->shift + c_at : zero,
        .pixel = term->pixel ? term->pixel + (size_t)image * pixels : NULL,
        .floor = term->relu ? 0 : -INFINITY,
    };
}

VEC_INLINE vec term_value(const struct term_at *t, const enum fused_type type, size_t at, int k, vec factor,
                          const bool weighted)
{
    vec x = vec_get(type, t->src, at + (size_t)k);
    if (weighted)
        x = vec_mul(x, factor);
    return vec_max(vec_set(t->floor), vec_fma(x, vec_load(t->scale + k), vec_load(t->shift + k)));
}

/* values (count pixels) = or += the term at pixels `pixel`, ... of an image of the same size */
VEC_INLINE void term_same_run(float *values, const struct term_at *term, size_t pixel, int count,
                              const bool first, const enum fused_type type, const bool weighted)
{
    const struct term_at local = *term, *t = &local;
    for (int i = 0; i < count; i++) {
        size_t at = (pixel + (size_t)i) * t->stride;
        float *out = values + (size_t)i * (size_t)t->c;
        vec factor = vec_set(weighted ? t->pixel[pixel + (size_t)i] : 1);
        for (int k = 0; k < t->c; k += VEC_W) {
            vec x = term_value(t, type, at, k, factor, weighted);
            vec_store(out + k, first ? x : vec_add(vec_load(out + k), x));
        }
    }
}

VEC_INLINE void term_same_typed(float *values, const struct term_at *t, size_t pixel, int count, bool first,
                                const enum fused_type type)
{
    if (first && t->pixel)
        term_same_run(values, t, pixel, count, true, type, true);
    else if (first)
        term_same_run(values, t, pixel, count, true, type, false);
    else if (t->pixel)
        term_same_run(values, t, pixel, count, false, type, true);
    else
        term_same_run(values, t, pixel, count, false, type, false);
}

static void term_same(float *values, const struct term_at *t, size_t pixel, int count, bool first)
{
    if (t->type == FUSED_BF16)
        term_same_typed(values, t, pixel, count, first, FUSED_BF16);
    else
        term_same_typed(values, t, pixel, count, first, FUSED_F32);
}

/* values (count pixels) = or += the term at row y, columns x, ... in the order of a transposed
 * convolution's product */
VEC_INLINE void term_wide_run(float *values, const struct term_at *term, int y, int x, int count,
                              const bool first, const enum fused_type type)
{
    const struct term_at local = *term, *t = &local;
    size_t row = (size_t)(y / 2) * (size_t)t->w * t->stride + 2 * (size_t)(y % 2) * (size_t)t->c;
    for (int i = 0; i < count; i++) {
        size_t at = row + (size_t)((x + i) / 2) * t->stride + (size_t)((x + i) % 2) * (size_t)t->c;
        float *out = values + (size_t)i * (size_t)t->c;
        for (int k = 0; k < t->c; k += VEC_W) {
            vec v = term_value(t, type, at, k, vec_set(1), false);
            vec_store(out + k, first ? v : vec_add(vec_load(out + k), v));
        }
    }
}

static void term_wide(float *values, const struct term_at *t, int y, int x, int count, bool first)
{
    if (t->type == FUSED_BF16 && first)
        term_wide_run(values, t, y, x, count, true, FUSED_BF16);
    else if (t->type == FUSED_BF16)
        term_wide_run(values, t, y, x, count, false, FUSED_BF16);
    else if (first)
        term_wide_run(values, t, y, x, count, true, FUSED_F32);
    else
        term_wide_run(values, t, y, x, count, false, FUSED_F32);
}

/* Terms of the same size and one storage type straight to dst, nothing kept: pixels `pixel`, ... of an image
 * whose first element is `to`. */
VEC_INLINE void term_direct_run(void *to, size_t to_stride, const struct term_at *terms, const int count,
                                size_t pixel, int pixels, float floor, const enum fused_type type,
                                const bool stream)
{
    struct term_at t[3];
    VEC_UNROLL for (int j = 0; j < count; j++)
        t[j] = terms[j];
    const vec one = vec_set(1), bound = vec_set(floor);
    for (int i = 0; i < pixels; i++) {
        size_t at = pixel + (size_t)i;
        for (int k = 0; k < t[0].c; k += VEC_W) {
            vec y = term_value(&t[0], type, at * t[0].stride, k, one, false);
            VEC_UNROLL for (int j = 1; j < count; j++)
                y = vec_add(y, term_value(&t[j], type, at * t[j].stride, k, one, false));
            vec_put(type, stream, to, at * to_stride + (size_t)k, vec_max(bound, y));
        }
    }
}

VEC_INLINE void term_direct_typed(void *to, size_t stride, const struct term_at *t, int count, size_t pixel,
                                  int pixels, float floor, const enum fused_type type, const bool stream)
{
    if (count == 1)
        term_direct_run(to, stride, t, 1, pixel, pixels, floor, type, stream);
    else if (count == 2)
        term_direct_run(to, stride, t, 2, pixel, pixels, floor, type, stream);
    else
        term_direct_run(to, stride, t, 3, pixel, pixels, floor, type, stream);
}

static void term_direct(void *to, size_t stride, const struct term_at *t, int count, size_t pixel, int pixels,
                        float floor, bool stream)
{
    if (t->type == FUSED_BF16 && stream)
        term_direct_typed(to, stride, t, count, pixel, pixels, floor, FUSED_BF16, true);
    else if (t->type == FUSED_BF16)
        term_direct_typed(to, stride, t, count, pixel, pixels, floor, FUSED_BF16, false);
    else if (stream)
        term_direct_typed(to, stride, t, count, pixel, pixels, floor, FUSED_F32, true);
    else
        term_direct_typed(to, stride, t, count, pixel, pixels, floor, FUSED_F32, false);
}

/* blend (columns left .. right) = the term interpolated between two rows of its source */
VEC_INLINE void term_blend_typed(float *blend, const struct term_at *term, struct fused_tap row, int left,
                                 int right, const enum fused_type type, const bool weighted)
{
    const struct term_at local = *term, *t = &local;
    vec weight = vec_set(row.weight);
    for (int x = left; x <= right; x++) {
        size_t upper = (size_t)row.lo * (size_t)t->w + (size_t)x,
               lower = (size_t)row.hi * (size_t)t->w + (size_t)x;
        vec factor_upper = vec_set(weighted ? t->pixel[upper] : 1);
        vec factor_lower = vec_set(weighted ? t->pixel[lower] : 1);
        float *out = blend + (size_t)(x - left) * (size_t)t->c;
        for (int k = 0; k < t->c; k += VEC_W) {
            vec a = term_value(t, type, upper * t->stride, k, factor_upper, weighted);
            vec b = term_value(t, type, lower * t->stride, k, factor_lower, weighted);
            vec_store(out + k, vec_fma(weight, vec_sub(b, a), a));
        }
    }
}

static void term_blend(float *blend, const struct term_at *t, struct fused_tap row, int left, int right)
{
    if (t->type == FUSED_BF16 && t->pixel)
        term_blend_typed(blend, t, row, left, right, FUSED_BF16, true);
    else if (t->type == FUSED_BF16)
        term_blend_typed(blend, t, row, left, right, FUSED_BF16, false);
    else if (t->pixel)
        term_blend_typed(blend, t, row, left, right, FUSED_F32, true);
    else
        term_blend_typed(blend, t, row, left, right, FUSED_F32, false);
}

/* values (count pixels) = or += blend, whose first column is `left`, interpolated at tap[0 .. count) */
VEC_INLINE void term_spread_run(float *values, const float *blend, const struct fused_tap *tap, int left,
                                int count, int c, const bool first)
{
    for (int i = 0; i < count; i++) {
        const float *a = blend + (size_t)(tap[i].lo - left) * (size_t)c;
        const float *b = blend + (size_t)(tap[i].hi - left) * (size_t)c;
        float *out = values + (size_t)i * (size_t)c;
        vec weight = vec_set(tap[i].weight);
        for (int k = 0; k < c; k += VEC_W) {
            vec from = vec_load(a + k);
            vec v = vec_fma(weight, vec_sub(vec_load(b + k), from), from);
            vec_store(out + k, first ? v : vec_add(vec_load(out + k), v));
        }
    }
}

/* values (count pixels) = or += the term resized to to_h rows, at row y and the columns of tap[0 .. count) */
static void term_resized(float *values, const struct term_at *t, int y, const struct fused_tap *tap,
                         int count, int to_h, bool first)
{
    _Alignas(64) float blend[BLEND_FLOATS];
    struct fused_tap row = fused_tap_at(t->resize, y, t->h, to_h);
    while (count > 0) {
        int take = count, left = tap[0].lo;
        while (tap[take - 1].hi - left + 1 > BLEND_FLOATS / t->c)
            take = (take + 1) / 2;
        term_blend(blend, t, row, left, tap[take - 1].hi);
        if (first)
            term_spread_run(values, blend, tap, left, take, t->c, true);
        else
            term_spread_run(values, blend, tap, left, take, t->c, false);
        values += (size_t)take * (size_t)t->c;
        tap += take;
        count -= take;
    }
}

#endif
