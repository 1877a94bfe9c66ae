/* fused_layout_body.h - tensors into, out of and between layouts, for the file of one instruction set. */
#ifndef CPU_FUSED_LAYOUT_BODY_H
#define CPU_FUSED_LAYOUT_BODY_H

#include "kernels/cpu/fused_plan.h"
#include "kernels/cpu/fused_stage.h"
#include "kernels/cpu/vec.h"

VEC_INLINE void pack_row(const struct fused_pack *op, size_t row, const float *src, size_t plane,
                         const enum fused_type type)
{
    size_t c = (size_t)op->dst.c, stride = (size_t)op->dst.stride, w = (size_t)op->dst.w, first = row * w * stride;
    for (size_t x = 0; x < w; x++)
        for (size_t k = 0; k < c; k++) {
            float v = k < (size_t)op->c_real ? src[k * plane + x] : 0;
            size_t at = first + x * stride + k;
            if (type == FUSED_BF16)
                ((bf16 *)op->dst.data)[at] = bf16_of_f32(v);
            else
                ((float *)op->dst.data)[at] = v;
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
        if (v->type == FUSED_BF16)
            pack_row(op, (size_t)row, src, plane, FUSED_BF16);
        else
            pack_row(op, (size_t)row, src, plane, FUSED_F32);
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

VEC_INLINE void scatter_row_to(const struct fused_scatter *op, size_t row, const enum fused_type from, bool stream)
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
