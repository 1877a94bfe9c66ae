/* fused_stats_body.h - statistics of a tensor, for the file of one instruction set. */
#ifndef CPU_FUSED_STATS_BODY_H
#define CPU_FUSED_STATS_BODY_H

#include "kernels/cpu/fused_plan.h"
#include "kernels/cpu/fused_sums.h"
#include "kernels/cpu/vec.h"

/* pilot[n][c] = pixel * src at the first pixel of each image */
static void stats_pilot(float *pilot, const struct fused_stats *op)
{
    const struct fused_view *v = &op->src;
    size_t image_pixels = (size_t)v->h * (size_t)v->w;
    for (int i = 0; i < v->n; i++) {
        size_t pixel = (size_t)i * image_pixels;
        vec factor = vec_set(op->pixel ? op->pixel[pixel] : 1);
        for (int k = 0; k < v->c; k += VEC_W) {
            vec x = vec_get(v->type, v->data, pixel * (size_t)v->stride + (size_t)k);
            vec_store(pilot + (size_t)i * (size_t)v->c + k, vec_mul(x, factor));
        }
    }
}

VEC_INLINE void stats_rows(float *part, float *leaf, const float *pilot, const struct fused_stats *op,
                           int image, int first_row, int end_row, const enum fused_type type,
                           const bool weighted)
{
    const struct fused_view *v = &op->src;
    size_t c = (size_t)v->c;
    /* Where an image outgrows the second-level cache, the next eight pixels are fetched by hand: the
     * processor, which looks for lines in sequence, does not see through eight pixels read side by
     * side (12 -> 17 GB/s). */
    size_t pixel_bytes = (size_t)v->stride * (type == FUSED_BF16 ? sizeof(bf16) : sizeof(float));
    size_t ahead = 8 * pixel_bytes > 4096 ? 8 * pixel_bytes : 4096;
    if ((size_t)v->h * (size_t)v->w * pixel_bytes < 2u << 20)
        ahead = 0;
    for (int y = first_row; y < end_row; y++) {
        size_t pixel = ((size_t)image * (size_t)v->h + (size_t)y) * (size_t)v->w;
        struct sum_run run = { .base = v->data, .first = pixel * (size_t)v->stride, .stride = (size_t)v->stride,
                               .pixel = weighted ? op->pixel + pixel : NULL, .count = v->w, .c = v->c, .ahead = ahead };
        sum_pixels(leaf, leaf + c, pilot, &run, type);
        sum_flush(part, leaf, 2 * c);
    }
}

static void stats_piece(const struct fused_stats *op, const struct fused_stats_room *room, int task)
{
    _Alignas(64) float leaf[2 * FUSED_CHANNELS_MAX];
    int image = task / room->cut.pieces, piece = task % room->cut.pieces;
    size_t c = (size_t)op->src.c;
    float *part = room->part + (size_t)task * 2 * c;
    const float *pilot = room->pilot + (size_t)image * c;
    int from = fused_cut_at(&room->cut, piece), to = fused_cut_at(&room->cut, piece + 1);
    memset(part, 0, 2 * c * sizeof *part);
    memset(leaf, 0, 2 * c * sizeof *leaf);
    if (op->src.type == FUSED_BF16 && op->pixel)
        stats_rows(part, leaf, pilot, op, image, from, to, FUSED_BF16, true);
    else if (op->src.type == FUSED_BF16)
        stats_rows(part, leaf, pilot, op, image, from, to, FUSED_BF16, false);
    else if (op->pixel)
        stats_rows(part, leaf, pilot, op, image, from, to, FUSED_F32, true);
    else
        stats_rows(part, leaf, pilot, op, image, from, to, FUSED_F32, false);
}

static void fused_stats(const struct fused_stats *op, void *scratch)
{
    struct fused_stats_room room;
    fused_stats_layout(&room, op, scratch);
    stats_pilot(room.pilot, op);
    int tasks = op->src.n * room.cut.pieces;
#pragma omp parallel for schedule(static) if (tasks > 1)
    for (int task = 0; task < tasks; task++)
        stats_piece(op, &room, task);
    struct fused_parts parts = { .part = room.part, .step = 2 * (size_t)op->src.c, .n = op->src.n,
                                 .pieces = room.cut.pieces, .c = op->src.c,
                                 .pixels = (double)op->src.h * op->src.w };
    fused_norm_finish(&op->norm, &parts, 0, room.pilot);
}

#endif
