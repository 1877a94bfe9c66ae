/* fused_apply_body.h - sum of terms, activation and everything taken from it, for the file
 * of one instruction set. */
#ifndef CPU_FUSED_APPLY_BODY_H
#define CPU_FUSED_APPLY_BODY_H

#include "kernels/cpu/fused_plan.h"
#include "kernels/cpu/fused_stage.h"
#include "kernels/cpu/fused_terms.h"
#include "kernels/cpu/vec.h"

/* What one piece of one image works with. */
struct apply_piece {
    const struct fused_apply *op;
    struct term_at term[FUSED_TERMS_MAX];
    int image;
    bool stream;
    bool keep;                   /* y is wanted after dst is written */
    const float *pilot;          /* [c] */
    float *part;                 /* sums of this piece */
    float *leaf;                 /* the same, since the last flush */
    size_t step, mean_at;
    const struct fused_tap *tap; /* [terms][w] of the resized ones */
};

static void apply_fill(float *values, const struct apply_piece *p, int y, int x, int count)
{
    for (int i = 0; i < p->op->terms; i++) {
        const struct term_at *t = &p->term[i];
        if (t->resize == FUSED_SAME)
            term_same(values, t, (size_t)y * (size_t)t->w + (size_t)x, count, i == 0);
        else if (t->resize == FUSED_WIDE)
            term_wide(values, t, y, x, count, i == 0);
        else
            term_resized(values, t, y, p->tap + (size_t)i * (size_t)p->op->w + x, count, p->op->h, i == 0);
    }
}

/* Everything but the pool that is made of pixels x, ... of row y; s holds the sum of
 * terms and is left as y. */
static void apply_outputs(const struct apply_piece *p, const struct stage *s, int y, int x)
{
    const struct fused_apply *op = p->op;
    size_t pixel = ((size_t)p->image * (size_t)op->h + (size_t)y) * (size_t)op->w + (size_t)x;
    if (op->norm)
        stage_sums(s, p->leaf, p->leaf + op->c, p->pilot);
    if (op->act == FUSED_SIGMOID)
        stage_sigmoid(s);
    float floor = op->act == FUSED_RELU ? 0 : -INFINITY;
    if (op->dst.data)
        stage_store(s, floor, op->act == FUSED_RELU && p->keep, &op->dst, pixel, p->stream);
    else if (op->act == FUSED_RELU)
        stage_floor(s, floor);
    if (op->channel_mean)
        stage_sums(s, p->leaf + p->mean_at, NULL, NULL);
    if (op->point)
        stage_points(s, op->point + 2 * pixel);
    if (op->dot)
        stage_dots(s, op->dot_weight, op->dot_bias, op->dot + pixel);
}

static void apply_rows(const struct apply_piece *p, int y, int rows)
{
    _Alignas(64) float values[2][SEGMENT_FLOATS];
    const struct fused_apply *op = p->op;
    int span = stage_span(SEGMENT_FLOATS, op->c, 2);
    for (int x = 0; x < op->w; x += span) {
        int count = op->w - x < span ? op->w - x : span;
        struct stage s[2];
        for (int r = 0; r < rows; r++) {
            s[r] = (struct stage){ .values = values[r], .count = count, .c = op->c, .c_real = op->c_real };
            apply_fill(values[r], p, y + r, x, count);
            apply_outputs(p, &s[r], y + r, x);
        }
        if (op->pool.data && rows == 2) {
            size_t row = (size_t)p->image * (size_t)op->pool.h + (size_t)y / 2;
            stage_pool(&s[0], &s[1], &op->pool, row * (size_t)op->pool.w + (size_t)x / 2);
        }
    }
    sum_flush(p->part, p->leaf, p->step);
}

/* Whether only dst is wanted, of terms that need no second look: the path of most layers. */
static bool apply_is_direct(const struct fused_apply *op)
{
    bool direct = op->dst.data && !op->pool.data && !op->channel_mean && !op->point && !op->dot &&
                  !op->norm && op->act != FUSED_SIGMOID && op->terms <= 3;
    for (int i = 0; i < op->terms; i++)
        direct = direct && op->term[i].resize == FUSED_SAME && !op->term[i].pixel &&
                 op->term[i].src.type == op->dst.type;
    return direct;
}

static void apply_direct(const struct apply_piece *p, int from, int to)
{
    const struct fused_apply *op = p->op;
    size_t size = op->dst.type == FUSED_BF16 ? sizeof(bf16) : sizeof(float), stride = (size_t)op->dst.stride;
    size_t image = (size_t)p->image * (size_t)op->h * (size_t)op->w * stride * size;
    term_direct((char *)op->dst.data + image, stride, p->term, op->terms, (size_t)from * (size_t)op->w,
                (to - from) * op->w, op->act == FUSED_RELU ? 0 : -INFINITY, p->stream);
}

static void apply_staged(const struct apply_piece *p, int from, int to)
{
    for (int y = from; y < to; y += 2)
        if (p->op->pool.data && y + 1 < to) {
            apply_rows(p, y, 2);
        } else {
            apply_rows(p, y, 1);
            if (y + 1 < to)
                apply_rows(p, y + 1, 1);
        }
}

static void apply_task(const struct fused_apply *op, const struct fused_apply_room *room, int task)
{
    _Alignas(64) float leaf[3 * FUSED_CHANNELS_MAX];
    int piece = task % room->cut.pieces;
    struct apply_piece p = { .op = op, .image = task / room->cut.pieces, .leaf = leaf, .step = room->step,
                             .mean_at = room->mean_at, .stream = stage_streams(&op->dst, op->stream), .tap = room->tap,
                             .keep = op->pool.data || op->channel_mean || op->point || op->dot };
    p.part = room->part + (size_t)task * room->step;
    p.pilot = room->pilot + (op->norm ? (size_t)p.image * (size_t)op->c : 0);
    memset(p.part, 0, room->step * sizeof *p.part);
    memset(leaf, 0, room->step * sizeof *leaf);
    for (int i = 0; i < op->terms; i++)
        p.term[i] = term_of_image(&op->term[i], p.image, room->one, room->zero);
    int from = fused_cut_at(&room->cut, piece), to = fused_cut_at(&room->cut, piece + 1);
    if (apply_is_direct(op))
        apply_direct(&p, from, to);
    else
        apply_staged(&p, from, to);
    if (p.stream)
        vec_fence();
}

static void apply_prepare(const struct fused_apply *op, const struct fused_apply_room *room)
{
    for (int k = 0; k < op->c; k++) {
        room->one[k] = 1;
        room->zero[k] = 0;
    }
    for (int i = 0; i < op->terms; i++)
        for (int x = 0; room->tap && x < op->w; x++)
            room->tap[i * op->w + x] = fused_tap_at(op->term[i].resize, x, op->term[i].src.w, op->w);
    for (int image = 0; op->norm && image < op->n; image++) {
        struct apply_piece p = { .op = op, .tap = room->tap };
        for (int i = 0; i < op->terms; i++)
            p.term[i] = term_of_image(&op->term[i], image, room->one, room->zero);
        apply_fill(room->pilot + (size_t)image * (size_t)op->c, &p, 0, 0, 1);
    }
}

static void fused_apply(const struct fused_apply *op, void *scratch)
{
    struct fused_apply_room room;
    fused_apply_layout(&room, op, scratch);
    apply_prepare(op, &room);
    int tasks = op->n * room.cut.pieces;
#pragma omp parallel for schedule(static) if (tasks > 1)
    for (int task = 0; task < tasks; task++)
        apply_task(op, &room, task);
    struct fused_parts parts = { .part = room.part, .step = room.step, .n = op->n, .pieces = room.cut.pieces,
                                 .c = op->c, .pixels = (double)op->h * op->w };
    if (op->norm)
        fused_norm_finish(op->norm, &parts, 0, room.pilot);
    if (op->channel_mean)
        fused_mean_finish(op->channel_mean, &parts, room.mean_at);
}

#endif
