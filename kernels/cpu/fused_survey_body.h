/* fused_survey_body.h - SimAM and the descriptors of triplet attention, for the file
 * of one instruction set. */
#ifndef CPU_FUSED_SURVEY_BODY_H
#define CPU_FUSED_SURVEY_BODY_H

#include "kernels/cpu/fused_plan.h"
#include "kernels/cpu/fused_stage.h"
#include "kernels/cpu/vec.h"

#define SURVEY_ROWS 4 /* rows at a time: sums over a column are touched once for all of them */
#define SURVEY_FLOATS 2048

struct survey_piece {
    const struct fused_survey *op;
    int image;
    bool stream;
    const float *scale, *shift, *center, *rate; /* [c]; center may be NULL */
    float *column;                              /* [w][c] or NULL */
    bool column_started;                        /* false: column holds nothing yet */
};

VEC_INLINE void survey_fill_run(float *values, const struct survey_piece *p, size_t pixel, int count,
                                const enum fused_type type, const bool simam, const bool weighted)
{
    const struct fused_view v = p->op->src;
    const float *const scale = p->scale, *const shift = p->shift, *const center = p->center,
                       *const rate = p->rate;
    const float *const factors = p->op->pixel;
    for (int i = 0; i < count; i++) {
        size_t at = (pixel + (size_t)i) * (size_t)v.stride;
        float *out = values + (size_t)i * (size_t)v.c;
        vec factor = vec_set(weighted ? factors[pixel + (size_t)i] : 1);
        for (int k = 0; k < v.c; k += VEC_W) {
            vec u = vec_fma(vec_get(type, v.data, at + (size_t)k), vec_load(scale + k), vec_load(shift + k));
            if (simam) {
                vec x = vec_mul(vec_sub(vec_load(center + k), u), vec_load(rate + k));
                u = vec_mul(u, vec_sigmoid(x));
            }
            vec_store(out + k, weighted ? vec_mul(u, factor) : u);
        }
    }
}

VEC_INLINE void survey_fill_typed(float *values, const struct survey_piece *p, size_t pixel, int count,
                                  const enum fused_type type)
{
    if (p->center && p->op->pixel)
        survey_fill_run(values, p, pixel, count, type, true, true);
    else if (p->center)
        survey_fill_run(values, p, pixel, count, type, true, false);
    else if (p->op->pixel)
        survey_fill_run(values, p, pixel, count, type, false, true);
    else
        survey_fill_run(values, p, pixel, count, type, false, false);
}

static void survey_fill(float *values, const struct survey_piece *p, size_t pixel, int count)
{
    if (p->op->src.type == FUSED_BF16)
        survey_fill_typed(values, p, pixel, count, FUSED_BF16);
    else
        survey_fill_typed(values, p, pixel, count, FUSED_F32);
}

/* column (the segment's part of it) += the sum of `rows` segments */
static void survey_columns(float *column, float (*values)[SURVEY_FLOATS * 2], int rows, size_t floats,
                           bool started)
{
    for (size_t i = 0; i < floats; i += VEC_W) {
        vec sum = vec_load(values[0] + i);
        for (int r = 1; r < rows; r++)
            sum = vec_add(sum, vec_load(values[r] + i));
        vec_store(column + i, started ? vec_add(vec_load(column + i), sum) : sum);
    }
}

/* Rows y .. y+rows-1 of p's image. */
static void survey_rows(struct survey_piece *p, int y, int rows)
{
    _Alignas(64) float values[SURVEY_ROWS][SURVEY_FLOATS * 2];
    _Alignas(64) float row_sum[SURVEY_ROWS][FUSED_CHANNELS_MAX];
    const struct fused_survey *op = p->op;
    size_t c = (size_t)op->src.c, w = (size_t)op->src.w;
    size_t row = (size_t)p->image * (size_t)op->src.h + (size_t)y;
    int span = stage_span(SURVEY_FLOATS, op->src.c, 1);
    for (int r = 0; op->row && r < rows; r++)
        memset(row_sum[r], 0, c * sizeof **row_sum);
    for (int x = 0; x < op->src.w; x += span) {
        int count = op->src.w - x < span ? op->src.w - x : span;
        for (int r = 0; r < rows; r++) {
            struct stage s = { .values = values[r], .count = count, .c = op->src.c, .c_real = op->c_real };
            size_t pixel = (row + (size_t)r) * w + (size_t)x;
            survey_fill(values[r], p, pixel, count);
            if (op->dst.data)
                stage_store(&s, -INFINITY, false, &op->dst, pixel, p->stream);
            if (op->row)
                stage_sums(&s, row_sum[r], NULL, NULL);
            if (op->point)
                stage_points(&s, op->point + 2 * pixel);
        }
        if (p->column)
            survey_columns(p->column + (size_t)x * c, values, rows, (size_t)count * c, p->column_started);
    }
    p->column_started = true;
    for (int r = 0; op->row && r < rows; r++) {
        for (size_t k = 0; k < c; k += VEC_W)
            vec_store(row_sum[r] + k, vec_div(vec_load(row_sum[r] + k), vec_set((float)op->src.w)));
        stage_mean_max(op->row + 2 * (row + (size_t)r), row_sum[r], op->c_real);
    }
}

static void survey_task(const struct fused_survey *op, const struct fused_survey_room *room, int image,
                        int piece)
{
    size_t c = (size_t)op->src.c, c_at = (size_t)image * c;
    struct survey_piece p = {
        .op = op, .image = image, .stream = stage_streams(&op->dst, op->stream),
        .scale = op->scale ? op->scale + c_at : room->one, .shift = op->shift ? op->shift + c_at : room->zero,
        .center = op->center ? op->center + c_at : NULL, .rate = op->rate ? op->rate + c_at : NULL,
        .column = op->column ? room->part + (size_t)piece * (size_t)op->src.w * c : NULL,
    };
    int end = fused_cut_at(&room->cut, piece + 1);
    for (int y = fused_cut_at(&room->cut, piece); y < end; y += SURVEY_ROWS)
        survey_rows(&p, y, end - y < SURVEY_ROWS ? end - y : SURVEY_ROWS);
    if (p.stream)
        vec_fence();
}

/* column[x] of one image from the sums of its pieces */
static void survey_column(float pair[2], const struct fused_survey *op, const struct fused_survey_room *room,
                          int x)
{
    _Alignas(64) float mean[FUSED_CHANNELS_MAX];
    size_t c = (size_t)op->src.c, step = (size_t)op->src.w * c;
    for (size_t k = 0; k < c; k += FUSED_CHANNEL_BLOCK) {
        double sum[FUSED_CHANNEL_BLOCK];
        fused_sum_pairs(sum, room->part + (size_t)x * c + k, step, room->cut.pieces);
        for (int j = 0; j < FUSED_CHANNEL_BLOCK; j++)
            mean[k + (size_t)j] = (float)(sum[j] / op->src.h);
    }
    stage_mean_max(pair, mean, op->c_real);
}

/* Images one after another, so that scratch does not grow with the batch. */
static void fused_survey(const struct fused_survey *op, void *scratch)
{
    struct fused_survey_room room;
    fused_survey_layout(&room, op, scratch);
    for (int k = 0; k < op->src.c; k++) {
        room.one[k] = 1;
        room.zero[k] = 0;
    }
    for (int image = 0; image < op->src.n; image++) {
#pragma omp parallel if (room.cut.pieces > 1)
        {
#pragma omp for schedule(static)
            for (int piece = 0; piece < room.cut.pieces; piece++)
                survey_task(op, &room, image, piece);
            if (op->column) {
#pragma omp for schedule(static)
                for (int x = 0; x < op->src.w; x++)
                    survey_column(op->column + 2 * ((size_t)image * (size_t)op->src.w + (size_t)x), op, &room,
                                  x);
            }
        }
    }
}

#endif
