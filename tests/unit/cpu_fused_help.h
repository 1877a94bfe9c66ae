/* cpu_fused_help.h - tensors with guards, random values and comparisons for the tests of the fused kernels.
 * What tensor_new, floats_new and scratch_new give, free() takes (a tensor: tensor_free). */
#ifndef TESTS_CPU_FUSED_HELP_H
#define TESTS_CPU_FUSED_HELP_H

#include <math.h>
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/base/half.h"
#include "kernels/base/rng.h"
#include "kernels/cpu/fused.h"
#include "kernels/cpu/isa.h"

#define GUARD_ELEMENTS 64
#define LEN(rows) (sizeof(rows) / sizeof *(rows))

static inline int up16(int c) { return (c + 15) / 16 * 16; }

/* A view in the middle of a buffer whose other bytes are all `guard`; c_real channels are values, the rest zero. */
struct tensor {
    struct fused_view view;
    int c_real;
    unsigned char *buffer;
    size_t bytes, offset;        /* offset: elements before the view's first */
};

static inline size_t type_size(enum fused_type type) { return type == FUSED_BF16 ? sizeof(bf16) : sizeof(float); }
static inline size_t view_pixels(const struct fused_view *v) { return (size_t)v->n * (size_t)v->h * (size_t)v->w; }

static inline void *aligned_new(size_t bytes)
{
    void *p = aligned_alloc(64, (bytes + 64) / 64 * 64);
    assert_non_null(p);
    return p;
}

/* `gap`: extra channels of the wider tensor that this is a slice of (a multiple of 16), half of them before it. */
static inline struct tensor tensor_new(enum fused_type type, int n, int h, int w, int c_real, int gap)
{
    int c = up16(c_real);
    struct tensor t = { .c_real = c_real, .offset = (size_t)(GUARD_ELEMENTS + gap / 32 * 16) };
    t.view = (struct fused_view){ .type = type, .n = n, .h = h, .w = w, .c = c, .stride = c + gap };
    t.bytes = (view_pixels(&t.view) * (size_t)t.view.stride + 2 * GUARD_ELEMENTS) * type_size(type);
    t.buffer = aligned_new(t.bytes);
    memset(t.buffer, 0x7b, t.bytes);
    t.view.data = t.buffer + t.offset * type_size(type);
    return t;
}

static inline void tensor_free(struct tensor *t) { free(t->buffer); }

static inline double view_get(const struct fused_view *v, size_t pixel, int k)
{
    size_t at = pixel * (size_t)v->stride + (size_t)k;
    return v->type == FUSED_BF16 ? (double)f32_of_bf16(((bf16 *)v->data)[at]) : (double)((float *)v->data)[at];
}

static inline void view_set(const struct fused_view *v, size_t pixel, int k, float x)
{
    size_t at = pixel * (size_t)v->stride + (size_t)k;
    if (v->type == FUSED_BF16)
        ((bf16 *)v->data)[at] = bf16_of_f32(x);
    else
        ((float *)v->data)[at] = x;
}

/* Normal values times `spread` plus `mean`; padding is zero. */
static inline void tensor_fill(struct tensor *t, struct rng *r, double mean, double spread)
{
    for (size_t p = 0; p < view_pixels(&t->view); p++)
        for (int k = 0; k < t->view.c; k++)
            view_set(&t->view, p, k, k < t->c_real ? (float)(mean + spread * rng_normal(r)) : 0);
}

/* (N,H,W,C) doubles without gaps, as the reference wants them; `c` channels of the view. */
static inline double *view_doubles(const struct fused_view *v, int c)
{
    double *out = aligned_new(view_pixels(v) * (size_t)c * sizeof *out);
    for (size_t p = 0; p < view_pixels(v); p++)
        for (int k = 0; k < c; k++)
            out[p * (size_t)c + (size_t)k] = view_get(v, p, k);
    return out;
}

static inline size_t guard_run_misses(const unsigned char *from, const unsigned char *to)
{
    size_t misses = 0;
    for (; from < to; from++)
        misses += *from != 0x7b;
    return misses;
}

/* Number of bytes outside the view's channels that are no longer `guard`. */
static inline size_t tensor_guard_misses(const struct tensor *t)
{
    size_t size = type_size(t->view.type), pixel_bytes = (size_t)t->view.stride * size, misses = 0;
    const unsigned char *first = t->buffer + t->offset * size, *end = t->buffer + t->bytes;
    misses += guard_run_misses(t->buffer, first);
    for (size_t p = 0; p < view_pixels(&t->view); p++, first += pixel_bytes)
        misses += guard_run_misses(first + (size_t)t->view.c * size, first + pixel_bytes);
    return misses + guard_run_misses(first, end);
}

/* f32: a few roundings; bf16: half a unit of its last place on top (2^-8 of the value). */
static inline bool near(double got, double want, enum fused_type type, double slack)
{
    double limit = slack * (1 + fabs(want)) + (type == FUSED_BF16 ? fabs(want) / 256 * 1.001 : 0);
    return isnan(want) ? isnan(got) : got == want || fabs(got - want) <= limit;
}

/* Values of the view that are not near want[pixel][c_want], or not zero in padding. */
static inline size_t view_misses(const struct fused_view *v, const double *want, int c_want, double slack)
{
    size_t misses = 0;
    for (size_t p = 0; p < view_pixels(v); p++)
        for (int k = 0; k < v->c; k++) {
            double x = k < c_want ? want[p * (size_t)c_want + (size_t)k] : 0;
            misses += k < c_want ? !near(view_get(v, p, k), x, v->type, slack) : view_get(v, p, k) != 0;
        }
    return misses;
}

static inline size_t float_misses(const float *got, const double *want, size_t count, double slack)
{
    size_t misses = 0;
    for (size_t i = 0; i < count; i++)
        misses += !near((double)got[i], want[i], FUSED_F32, slack);
    return misses;
}

static inline float *floats_new(size_t count, struct rng *r, double mean, double spread)
{
    float *x = aligned_new(count * sizeof *x);
    for (size_t i = 0; i < count; i++)
        x[i] = (float)(mean + spread * rng_normal(r));
    return x;
}

/* Coefficients [n][c] with zeros in padded channels. */
static inline float *coefficients_new(int n, int c_real, struct rng *r, double mean, double spread)
{
    int c = up16(c_real);
    float *x = floats_new((size_t)n * (size_t)c, r, mean, spread);
    for (int i = 0; i < n * c; i++)
        x[i] = i % c < c_real ? x[i] : 0;
    return x;
}

static inline void *scratch_new(size_t bytes)
{
    void *scratch = aligned_new(bytes + 64);
    memset(scratch, 0xff, bytes + 64); /* NaN: whoever reads it before writing is seen */
    return scratch;
}

/* Bytes behind the asked ones that were written. */
static inline size_t scratch_misses(const void *scratch, size_t bytes)
{
    size_t misses = 0;
    for (size_t i = bytes; i < bytes + 64; i++)
        misses += ((const unsigned char *)scratch)[i] != 0xff;
    return misses;
}

static inline int random_int(struct rng *r, int lo, int hi)
{
    return lo + (int)(rng_next(r) % (uint64_t)(hi - lo + 1));
}
static inline bool random_bool(struct rng *r) { return rng_next(r) % 2 == 0; }
static inline enum fused_type random_type(struct rng *r) { return random_bool(r) ? FUSED_BF16 : FUSED_F32; }

#endif
