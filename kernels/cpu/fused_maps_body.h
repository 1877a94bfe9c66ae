/* fused_maps_body.h - norm and resize of maps (one f32 per pixel), for the file of one instruction set. */
#ifndef CPU_FUSED_MAPS_BODY_H
#define CPU_FUSED_MAPS_BODY_H

#include <math.h>

#include "kernels/cpu/fused_plan.h"
#include "kernels/cpu/vec.h"

/* Sums of x - pilot and its square over `count` values to sums[0 .. VEC_W) and sums[16 .. 16 + VEC_W). */
static void map_sums(float sums[2 * FUSED_CHANNEL_BLOCK], const float *src, size_t count, float pilot)
{
    vec shift = vec_set(pilot);
    memset(sums, 0, 2 * FUSED_CHANNEL_BLOCK * sizeof *sums);
    for (size_t at = 0; at < count;) {
        size_t end = count - at < 64 * VEC_W ? count : at + 64 * VEC_W;
        vec sum = vec_set(0), square = vec_set(0);
        for (; at + VEC_W <= end; at += VEC_W) {
            vec d = vec_sub(vec_load(src + at), shift);
            sum = vec_add(sum, d);
            square = vec_fma(d, d, square);
        }
        if (at < end) {
            vec d = vec_sub(vec_load_n(src + at, (int)(end - at), pilot), shift);
            sum = vec_add(sum, d);
            square = vec_fma(d, d, square);
            at = end;
        }
        vec_store(sums, vec_add(vec_load(sums), sum));
        vec_store(sums + FUSED_CHANNEL_BLOCK, vec_add(vec_load(sums + FUSED_CHANNEL_BLOCK), square));
    }
}

static void map_coefficients(float *scale, float *shift, const struct fused_map_norm *op, const float *part,
                             float pilot)
{
    double sum[FUSED_CHANNEL_BLOCK], square[FUSED_CHANNEL_BLOCK], s = 0, q = 0, pixels = (double)op->h * op->w;
    fused_sum_pairs(sum, part, 2 * FUSED_CHANNEL_BLOCK, FUSED_MAP_PIECES);
    fused_sum_pairs(square, part + FUSED_CHANNEL_BLOCK, 2 * FUSED_CHANNEL_BLOCK, FUSED_MAP_PIECES);
    for (int j = 0; j < FUSED_CHANNEL_BLOCK; j++) {
        s += sum[j];
        q += square[j];
    }
    double offset = s / pixels, variance = q / pixels - offset * offset;
    double rate = (double)op->gamma / sqrt((variance < 0 ? 0 : variance) + (double)FUSED_NORM_EPS);
    *scale = (float)rate;
    *shift = (float)((double)op->beta - ((double)pilot + offset) * rate);
}

static void map_apply(const struct fused_map_norm *op, size_t from, size_t to, float scale, float shift)
{
    for (size_t at = from; at < to; at += VEC_W) {
        int n = to - at < VEC_W ? (int)(to - at) : VEC_W;
        vec x = vec_load_n(op->src + at, n, 0);
        if (op->normalise)
            x = vec_fma(x, vec_set(scale), vec_set(shift));
        if (op->act == FUSED_RELU)
            x = vec_max(vec_set(0), x);
        else if (op->act == FUSED_SIGMOID)
            x = vec_sigmoid(x);
        vec_store_n(op->dst + at, n, x);
    }
}

static void fused_map_norm(const struct fused_map_norm *op, void *scratch)
{
    float *part = scratch;       /* [FUSED_MAP_PIECES][2][16], of one image at a time */
    size_t pixels = (size_t)op->h * (size_t)op->w;
    for (int image = 0; image < op->n; image++) {
        size_t base = (size_t)image * pixels;
        float scale = 1, shift = 0, pilot = op->src[base];
        if (op->normalise) {
#pragma omp parallel for schedule(static) if (pixels > 16384)
            for (int i = 0; i < FUSED_MAP_PIECES; i++) {
                size_t from = pixels * (size_t)i / FUSED_MAP_PIECES,
                       to = pixels * (size_t)(i + 1) / FUSED_MAP_PIECES;
                map_sums(part + (size_t)i * 2 * FUSED_CHANNEL_BLOCK, op->src + base + from, to - from, pilot);
            }
            map_coefficients(&scale, &shift, op, part, pilot);
        }
#pragma omp parallel for schedule(static) if (pixels > 16384)
        for (int i = 0; i < FUSED_MAP_PIECES; i++)
            map_apply(op, base + pixels * (size_t)i / FUSED_MAP_PIECES,
                      base + pixels * (size_t)(i + 1) / FUSED_MAP_PIECES, scale, shift);
    }
}

/* row[w] = upper + weight * (lower - upper) */
static void resize_blend(float *row, const float *upper, const float *lower, float weight, int w)
{
    for (int x = 0; x < w; x += VEC_W) {
        int n = w - x < VEC_W ? w - x : VEC_W;
        vec a = vec_load_n(upper + x, n, 0), b = vec_load_n(lower + x, n, 0);
        vec_store_n(row + x, n, vec_fma(vec_set(weight), vec_sub(b, a), a));
    }
}

static void resize_piece(const struct fused_map_resize *op, const struct fused_resize_room *room, int piece)
{
    float *row = room->row + (size_t)piece * (size_t)op->w;
    long rows = (long)op->n * op->to_h, to = rows * (piece + 1) / FUSED_MAP_PIECES;
    for (long i = rows * piece / FUSED_MAP_PIECES; i < to; i++) {
        struct fused_tap y = fused_tap_at(op->resize, (int)(i % op->to_h), op->h, op->to_h);
        const float *image = op->src + (size_t)(i / op->to_h) * (size_t)op->h * (size_t)op->w;
        resize_blend(row, image + (size_t)y.lo * (size_t)op->w, image + (size_t)y.hi * (size_t)op->w,
                     y.weight, op->w);
        float *dst = op->dst + (size_t)i * (size_t)op->to_w;
        for (int x = 0; x < op->to_w; x++) {
            float a = row[room->left[x]];
            dst[x] = a + room->weight[x] * (row[room->right[x]] - a);
        }
    }
}

/* Nothing is summed here: pieces may cross images. */
static void fused_map_resize(const struct fused_map_resize *op, void *scratch)
{
    struct fused_resize_room room;
    fused_resize_layout(&room, op, scratch);
    for (int x = 0; x < op->to_w; x++) {
        struct fused_tap tap = fused_tap_at(op->resize, x, op->w, op->to_w);
        room.left[x] = tap.lo;
        room.right[x] = tap.hi;
        room.weight[x] = tap.weight;
    }
#pragma omp parallel for schedule(static) if ((long)op->n * op->to_h * op->to_w > 8192)
    for (int piece = 0; piece < FUSED_MAP_PIECES; piece++)
        resize_piece(op, &room, piece);
}

#endif
