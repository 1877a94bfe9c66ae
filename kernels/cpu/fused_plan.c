#include "kernels/cpu/fused_plan.h"

#include <math.h>

#define PIECE_VALUES 32768
#define ALIGNMENT 64

static int at_most(long value, int most) { return value < most ? (int)value : most; }

struct fused_cut fused_cut_rows(int h, int w, int c, int unit, int most)
{
    int units = (h + unit - 1) / unit;
    int pieces = 1;
    while (pieces < most && (long)pieces * PIECE_VALUES < (long)h * w * c)
        pieces *= 2;
    return (struct fused_cut){ .h = h, .unit = unit, .pieces = pieces < units ? pieces : units };
}

int fused_cut_at(const struct fused_cut *cut, int i)
{
    long units = (cut->h + cut->unit - 1) / cut->unit;
    return at_most(units * i / cut->pieces * cut->unit, cut->h);
}

float *fused_room_floats(struct fused_room *room, size_t count)
{
    float *floats = room->base ? (float *)(void *)(room->base + room->used) : NULL;
    room->used += (count * sizeof(float) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return floats;
}

void fused_sum_pairs(double sum[FUSED_CHANNEL_BLOCK], const float *part, size_t step, int count)
{
    if (count == 1) {
        for (int j = 0; j < FUSED_CHANNEL_BLOCK; j++)
            sum[j] = (double)part[j];
        return;
    }
    double right[FUSED_CHANNEL_BLOCK];
    int half = count / 2;
    fused_sum_pairs(sum, part, step, half);
    fused_sum_pairs(right, part + (size_t)half * step, step, count - half);
    for (int j = 0; j < FUSED_CHANNEL_BLOCK; j++)
        sum[j] += right[j];
}

static void norm_channel(const struct fused_norm *norm, size_t at, int k, double mean, double variance)
{
    const double eps = (double)FUSED_NORM_EPS, lambda = (double)FUSED_SIMAM_LAMBDA;
    bool affine = norm->gamma != NULL;
    double gamma = affine ? (double)norm->gamma[k] : 1, beta = affine ? (double)norm->beta[k] : mean;
    double scale = gamma / sqrt(variance + eps);
    if (affine) {
        norm->scale[at] = (float)scale;
        norm->shift[at] = (float)(beta - mean * scale);
    }
    if (norm->center) {
        double spread = affine ? gamma * gamma * variance / (variance + eps) : variance;
        norm->center[at] = (float)beta;
        norm->rate[at] = (float)(1 / sqrt(spread + lambda));
    }
}

/* Sums 16 channels at a time; `body` of the loops below is the same for every thread count. */
static const float *part_of(const struct fused_parts *parts, int image, size_t first)
{
    return parts->part + (size_t)image * (size_t)parts->pieces * parts->step + first;
}

void fused_norm_finish(const struct fused_norm *norm, const struct fused_parts *parts, size_t first,
                       const float *pilot)
{
    int blocks = parts->c / FUSED_CHANNEL_BLOCK;
#pragma omp parallel for schedule(static) if ((long)parts->n * blocks * parts->pieces > 256)
    for (int task = 0; task < parts->n * blocks; task++) {
        int image = task / blocks, k0 = task % blocks * FUSED_CHANNEL_BLOCK;
        const float *part = part_of(parts, image, first) + k0;
        double sum[FUSED_CHANNEL_BLOCK], square[FUSED_CHANNEL_BLOCK];
        fused_sum_pairs(sum, part, parts->step, parts->pieces);
        fused_sum_pairs(square, part + parts->c, parts->step, parts->pieces);
        for (int j = 0; j < FUSED_CHANNEL_BLOCK; j++) {
            size_t at = (size_t)image * (size_t)parts->c + (size_t)(k0 + j);
            double offset = sum[j] / parts->pixels;
            double variance = square[j] / parts->pixels - offset * offset;
            norm_channel(norm, at, k0 + j, (double)pilot[at] + offset, variance < 0 ? 0 : variance);
        }
    }
}

void fused_mean_finish(float *mean, const struct fused_parts *parts, size_t first)
{
    int blocks = parts->c / FUSED_CHANNEL_BLOCK;
#pragma omp parallel for schedule(static) if ((long)parts->n * blocks * parts->pieces > 256)
    for (int task = 0; task < parts->n * blocks; task++) {
        int image = task / blocks, k0 = task % blocks * FUSED_CHANNEL_BLOCK;
        double sum[FUSED_CHANNEL_BLOCK];
        fused_sum_pairs(sum, part_of(parts, image, first) + k0, parts->step, parts->pieces);
        for (int j = 0; j < FUSED_CHANNEL_BLOCK; j++)
            mean[(size_t)image * (size_t)parts->c + (size_t)(k0 + j)] = (float)(sum[j] / parts->pixels);
    }
}

struct fused_tap fused_tap_at(enum fused_resize resize, int i, int in, int out)
{
    double at = 0;
    if (resize == FUSED_CORNERS)
        at = out > 1 ? (double)i * (in - 1) / (out - 1) : 0;
    else
        at = fmax((i + 0.5) * in / out - 0.5, 0);
    int lo = at_most((long)at, in - 1);
    return (struct fused_tap){ .lo = lo, .hi = at_most(lo + 1, in - 1), .weight = (float)(at - lo) };
}

size_t fused_stats_layout(struct fused_stats_room *room, const struct fused_stats *op, void *scratch)
{
    struct fused_room at = { .base = scratch };
    const struct fused_view *v = &op->src;
    size_t images = (size_t)v->n, c = (size_t)v->c;
    room->cut = fused_cut_rows(v->h, v->w, v->c, 1, 64);
    room->pilot = fused_room_floats(&at, images * c);
    room->part = fused_room_floats(&at, images * (size_t)room->cut.pieces * 2 * c);
    return at.used;
}

size_t fused_apply_layout(struct fused_apply_room *room, const struct fused_apply *op, void *scratch)
{
    struct fused_room at = { .base = scratch };
    size_t images = (size_t)op->n, c = (size_t)op->c;
    room->cut = fused_cut_rows(op->h, op->w, op->c, 2, 64);
    room->one = fused_room_floats(&at, c);
    room->zero = fused_room_floats(&at, c);
    room->pilot = fused_room_floats(&at, op->norm ? images * c : 0);
    bool resized = false;
    for (int i = 0; i < op->terms; i++)
        resized = resized || op->term[i].resize == FUSED_CORNERS || op->term[i].resize == FUSED_HALF_PIXEL;
    size_t taps = resized ? (size_t)op->terms * (size_t)op->w : 0;
    room->tap = (struct fused_tap *)(void *)fused_room_floats(&at, taps * sizeof *room->tap / sizeof(float));
    room->tap = resized ? room->tap : NULL;
    room->mean_at = op->norm ? 2 * c : 0;
    room->step = room->mean_at + (op->channel_mean ? c : 0);
    room->part = fused_room_floats(&at, images * (size_t)room->cut.pieces * room->step);
    return at.used;
}

size_t fused_survey_layout(struct fused_survey_room *room, const struct fused_survey *op, void *scratch)
{
    struct fused_room at = { .base = scratch };
    const struct fused_view *v = &op->src;
    size_t c = (size_t)v->c;
    room->cut = fused_cut_rows(v->h, v->w, v->c, 4, 16);
    room->one = fused_room_floats(&at, c);
    room->zero = fused_room_floats(&at, c);
    room->part = fused_room_floats(&at, op->column ? (size_t)room->cut.pieces * (size_t)v->w * c : 0);
    return at.used;
}

size_t fused_planes_layout(struct fused_planes *planes, int h, int w, void *scratch)
{
    struct fused_room at = { .base = scratch };
    planes->pitch = ((size_t)w + 63) / 64 * 64 + 16;
    for (int k = 0; k < 2; k++)
        planes->plane[k] = fused_room_floats(&at, planes->pitch * ((size_t)h + 6));
    return at.used;
}

size_t fused_resize_layout(struct fused_resize_room *room, const struct fused_map_resize *op, void *scratch)
{
    struct fused_room at = { .base = scratch };
    size_t to_w = (size_t)op->to_w;
    room->left = (int *)(void *)fused_room_floats(&at, to_w);
    room->right = (int *)(void *)fused_room_floats(&at, to_w);
    room->weight = fused_room_floats(&at, to_w);
    room->row = fused_room_floats(&at, (size_t)FUSED_MAP_PIECES * (size_t)op->w);
    return at.used;
}
