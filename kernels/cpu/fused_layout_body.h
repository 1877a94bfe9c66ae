/* fused_layout_body.h - tensors into, out of and between layouts, for the file of one instruction set. */
#ifndef CPU_FUSED_LAYOUT_BODY_H
#define CPU_FUSED_LAYOUT_BODY_H

#include "kernels/cpu/fused_plan.h"
#include "kernels/cpu/fused_stage.h"
#include "kernels/cpu/vec.h"

#define PACK_PIXELS 64

/* `count` (up to PACK_PIXELS) neighbours of one plane, rounded to storage */
VEC_INLINE void pack_round(void *to, const float *src, int count, const enum fused_type type)
{
    for (int x = 0; x < count; x += VEC_W)
        vec_put(type, false, to, (size_t)x,
                count - x < VEC_W ? vec_load_n(src + x, count - x, 0) : vec_load(src + x));
}

/* Rounds a run of each plane first, so that pixel by pixel only whole elements move. */
VEC_INLINE void pack_run(const struct fused_pack *op, size_t pixel, const float *src, size_t plane, int count,
                         const enum fused_type type)
{
    const size_t size = type == FUSED_BF16 ? sizeof(bf16) : sizeof(float);
    const size_t c = (size_t)op->dst.c, c_real = (size_t)op->c_real, stride = (size_t)op->dst.stride;
    char *dst = (char *)op->dst.data + pixel * stride * size;
    for (size_t x = 0; x < (size_t)count; x++)
        memset(dst + (x * stride + c_real) * size, 0, (c - c_real) * size);
    for (size_t k = 0; k < c_real; k++) {
        _Alignas(64) float rounded[PACK_PIXELS];
        pack_round(rounded, src + k * plane, count, type);
        for (size_t x = 0; x < (size_t)count; x++)
            memcpy(dst + (x * stride + k) * size, (const char *)rounded + x * size, size);
    }
}

static void pack_row(const struct fused_pack *op, size_t row, const float *src, size_t plane)
{
    int w = op->dst.w;
    for (int x = 0; x < w; x += PACK_PIXELS) {
        int count = w - x < PACK_PIXELS ? w - x : PACK_PIXELS;
        size_t pixel = row * (size_t)w + (size_t)x;
        if (op->dst.type == FUSED_BF16)
            pack_run(op, pixel, src + x, plane, count, FUSED_BF16);
        else
            pack_run(op, pixel, src + x, plane, count, FUSED_F32);
    }
}

static void fused_pack(const struct fused_pack *op, void *scratch)
{
    (void)scratch;
    const struct fused_view *v = &op->dst;
    size_t plane = (size_t)v->h * (size_t)v->w;
#pragma omp parallel for schedule(static) if (plane > 1024)
    for (int row = 0; row < v->n * v->h; row++) {
        size_t image = (size_t)(row / v->h), y = (size_t)(row % v->h);
        const float *src = op->src + image * (size_t)op->c_real * plane + y * (size_t)v->w;
        pack_row(op, (size_t)row, src, plane);
    }
}

VEC_INLINE void unpack_row(const struct fused_unpack *op, size_t row, float *dst, size_t plane,
                           const enum fused_type type)
{
    size_t stride = (size_t)op->src.stride, w = (size_t)op->src.w, first = row * w * stride;
    for (size_t k = 0; k < (size_t)op->c_real; k++)
        for (size_t x = 0; x < w; x++) {
            size_t at = first + x * stride + k;
            dst[k * plane + x] = type == FUSED_BF16 ? f32_of_bf16(((const bf16 *)op->src.data)[at])
                                                    : ((const float *)op->src.data)[at];
        }
}

static void fused_unpack(const struct fused_unpack *op, void *scratch)
{
    (void)scratch;
    const struct fused_view *v = &op->src;
    size_t plane = (size_t)v->h * (size_t)v->w;
#pragma omp parallel for schedule(static) if (plane > 1024)
    for (int row = 0; row < v->n * v->h; row++) {
        size_t image = (size_t)(row / v->h), y = (size_t)(row % v->h);
        float *dst = op->dst + (image * (size_t)op->dst_c + (size_t)op->first) * plane + y * (size_t)v->w;
        if (v->type == FUSED_BF16)
            unpack_row(op, (size_t)row, dst, plane, FUSED_BF16);
        else
            unpack_row(op, (size_t)row, dst, plane, FUSED_F32);
    }
}

/* Source row `row` (of all images) to the two destination rows that it becomes. */
VEC_INLINE void scatter_row(const struct fused_scatter *op, size_t row, const enum fused_type from,
                            const enum fused_type to, const bool stream)
{
    const struct fused_view in = op->src, out = op->dst;
    const float *const bias = op->bias;
    const size_t w = (size_t)in.w, c = (size_t)out.c;
    for (size_t a = 0; a < 2; a++)
        for (size_t x = 0; x < 2 * w; x++) {
            size_t src = (row * w + x / 2) * (size_t)in.stride + (2 * a + x % 2) * c;
            size_t dst = ((2 * row + a) * 2 * w + x) * (size_t)out.stride;
            for (size_t k = 0; k < c; k += VEC_W) {
                vec v = vec_get(from, in.data, src + k);
                vec_put(to, stream, out.data, dst + k, bias ? vec_add(v, vec_load(bias + k)) : v);
            }
        }
}

VEC_INLINE void scatter_row_to(const struct fused_scatter *op, size_t row, const enum fused_type from,
                               bool stream)
{
    if (op->dst.type == FUSED_BF16 && stream)
        scatter_row(op, row, from, FUSED_BF16, true);
    else if (op->dst.type == FUSED_BF16)
        scatter_row(op, row, from, FUSED_BF16, false);
    else if (stream)
        scatter_row(op, row, from, FUSED_F32, true);
    else
        scatter_row(op, row, from, FUSED_F32, false);
}

static void fused_scatter(const struct fused_scatter *op, void *scratch)
{
    (void)scratch;
    int rows = op->src.n * op->src.h;
    bool stream = stage_streams(&op->dst, op->stream);
#pragma omp parallel if ((long)rows * op->src.w * op->src.c > 32768)
    {
#pragma omp for schedule(static)
        for (int row = 0; row < rows; row++)
            if (op->src.type == FUSED_BF16)
                scatter_row_to(op, (size_t)row, FUSED_BF16, stream);
            else
                scatter_row_to(op, (size_t)row, FUSED_F32, stream);
        if (stream)
            vec_fence();
    }
}

#endif
