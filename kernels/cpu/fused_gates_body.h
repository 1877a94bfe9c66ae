/* fused_gates_body.h - squeeze-excite, spatial gate and triplet attention: small maps that become factors.
 * For the file of one instruction set. */
#ifndef CPU_FUSED_GATES_BODY_H
#define CPU_FUSED_GATES_BODY_H

#include "kernels/cpu/fused_plan.h"
#include "kernels/cpu/vec.h"

/* Sum over i < count of a[i] * b[i]; count is any. */
static inline float gate_dot(const float *a, const float *b, int count)
{
    vec sum = vec_set(0);
    for (int i = 0; i < count; i += VEC_W) {
        int left = count - i;
        sum = left >= VEC_W ? vec_fma(vec_load(a + i), vec_load(b + i), sum)
                            : vec_fma(vec_load_n(a + i, left, 0), vec_load_n(b + i, left, 0), sum);
    }
    return vec_hsum(sum);
}

static void fused_se(const struct fused_se *op, void *scratch)
{
    float *hidden = scratch;     /* [n][hidden] */
    bool large = (long)op->n * op->c * op->hidden > 16384;
#pragma omp parallel if (large)
    {
#pragma omp for schedule(static)
        for (int i = 0; i < op->n * op->hidden; i++) {
            int image = i / op->hidden, j = i % op->hidden;
            float x = gate_dot(op->w1 + (size_t)j * (size_t)op->c, op->mean + (size_t)image * (size_t)op->c,
                               op->c);
            hidden[i] = x < 0 ? 0 : x;
        }
#pragma omp for schedule(static)
        for (int i = 0; i < op->n * (op->c / FUSED_CHANNEL_BLOCK); i++) {
            int image = i / (op->c / FUSED_CHANNEL_BLOCK),
                k0 = i % (op->c / FUSED_CHANNEL_BLOCK) * FUSED_CHANNEL_BLOCK;
            float x[FUSED_CHANNEL_BLOCK];
            for (int k = 0; k < FUSED_CHANNEL_BLOCK; k++)
                x[k] = gate_dot(op->w2 + (size_t)(k0 + k) * (size_t)op->hidden,
                                hidden + (size_t)image * (size_t)op->hidden, op->hidden);
            float *factor = op->factor + (size_t)image * (size_t)op->c + k0;
            for (int k = 0; k < FUSED_CHANNEL_BLOCK; k += VEC_W)
                vec_store(factor + k, vec_sigmoid(vec_load(x + k)));
        }
    }
}

/* What the 7x7 convolution of an image reads: q[y][x][.] = first * second * point, first
 * and second may be NULL. */
struct gate_source {
    const float *point, *first, *second;
    int h, w;
};

static inline vec gate_weight(const struct gate_source *s, size_t at, int n)
{
    vec weight = s->first ? vec_load_n(s->first + at, n, 0) : vec_set(1);
    return s->second ? vec_mul(weight, vec_load_n(s->second + at, n, 0)) : weight;
}

/* Row y (-3 .. h+2) of the image into row y + 3 of both planes; pixels outside the image are zero. */
static void gate_plane_row(const struct fused_planes *planes, const struct gate_source *s, int y)
{
    float *mean = planes->plane[0] + (size_t)(y + 3) * planes->pitch;
    float *max = planes->plane[1] + (size_t)(y + 3) * planes->pitch;
    memset(mean, 0, planes->pitch * sizeof *mean);
    memset(max, 0, planes->pitch * sizeof *max);
    if (y < 0 || y >= s->h)
        return;
    for (int x = 0; x < s->w; x += VEC_W) {
        size_t at = (size_t)y * (size_t)s->w + (size_t)x;
        int n = s->w - x < VEC_W ? s->w - x : VEC_W;
        float pairs[2 * VEC_W] = { 0 };
        vec a, b, weight = gate_weight(s, at, n);
        if (n < VEC_W)
            memcpy(pairs, s->point + 2 * at, 2 * (size_t)n * sizeof *pairs);
        vec_split(n < VEC_W ? pairs : s->point + 2 * at, &a, &b);
        vec_store_n(mean + 3 + x, n, vec_mul(a, weight));
        vec_store_n(max + 3 + x, n, vec_mul(b, weight));
    }
}

#define GATE_VECS 4

/* sum[0 .. GATE_VECS) = conv 7x7 at row y, columns x, ... */
static inline void gate_conv(vec sum[GATE_VECS], const struct fused_planes *planes, const float *weight,
                             int y, int x)
{
    VEC_UNROLL for (int j = 0; j < GATE_VECS; j++)
        sum[j] = vec_set(0);
    for (int channel = 0; channel < 2; channel++)
        for (int ky = 0; ky < 7; ky++) {
            const float *src = planes->plane[channel] + (size_t)(y + ky) * planes->pitch + x;
            for (int kx = 0; kx < 7; kx++) {
                vec tap = vec_set(weight[(channel * 7 + ky) * 7 + kx]);
                VEC_UNROLL for (int j = 0; j < GATE_VECS; j++)
                    sum[j] = vec_fma(tap, vec_load(src + kx + j * VEC_W), sum[j]);
            }
        }
}

/* Row y of factor = prior * row_factor * column_factor * sigmoid(conv); prior and column may be NULL. */
struct gate_end {
    const float *prior;          /* [h][w] */
    const float *column;         /* [w][2], with column_weight */
    float column_weight[2], row_factor;
    float *factor;               /* [h][w] */
};

static inline vec gate_column(const struct gate_end *end, int x, int n)
{
    float pairs[2 * VEC_W] = { 0 };
    vec mean, max;
    memcpy(pairs, end->column + 2 * (size_t)x, 2 * (size_t)n * sizeof *pairs);
    vec_split(pairs, &mean, &max);
    return vec_sigmoid(vec_fma(vec_set(end->column_weight[0]), mean, vec_mul(vec_set(end->column_weight[1]), max)));
}

static void gate_row(const struct gate_end *end, const struct fused_planes *planes, const float *weight,
                     int y, int w)
{
    for (int x = 0; x < w; x += GATE_VECS * VEC_W) {
        vec sum[GATE_VECS];
        gate_conv(sum, planes, weight, y, x);
        for (int j = 0; j < GATE_VECS; j++) {
            int at_x = x + j * VEC_W, n = w - at_x < VEC_W ? w - at_x : VEC_W;
            if (n <= 0)
                break;
            size_t at = (size_t)y * (size_t)w + (size_t)at_x;
            vec g = vec_mul(vec_sigmoid(sum[j]), vec_set(end->row_factor));
            if (end->column)
                g = vec_mul(g, gate_column(end, at_x, n));
            if (end->prior)
                g = vec_mul(g, vec_load_n(end->prior + at, n, 0));
            vec_store_n(end->factor + at, n, g);
        }
    }
}

/* Every row is read into the planes before the first factor is written: factor may be one of the sources. */
static void fused_gate(const struct fused_gate *op, void *scratch)
{
    struct fused_planes planes;
    fused_planes_layout(&planes, op->h, op->w, scratch);
    for (int image = 0; image < op->n; image++) {
        size_t at = (size_t)image * (size_t)op->h * (size_t)op->w;
        struct gate_source source = { .point = op->point + 2 * at, .h = op->h, .w = op->w,
                                      .first = op->point_factor ? op->point_factor + at : NULL,
                                      .second = op->prior ? op->prior + at : NULL };
        struct gate_end end = { .prior = source.second, .row_factor = 1, .factor = op->factor + at };
#pragma omp parallel if ((long)op->h * op->w > 2048)
        {
#pragma omp for schedule(static)
            for (int y = -3; y < op->h + 3; y++)
                gate_plane_row(&planes, &source, y);
#pragma omp for schedule(static)
            for (int y = 0; y < op->h; y++)
                gate_row(&end, &planes, op->weight, y, op->w);
        }
    }
}

static void fused_triplet(const struct fused_triplet *op, void *scratch)
{
    struct fused_planes planes;
    fused_planes_layout(&planes, op->h, op->w, scratch);
    for (int image = 0; image < op->n; image++) {
        size_t at = (size_t)image * (size_t)op->h * (size_t)op->w;
        struct gate_source source = { .point = op->point + 2 * at, .h = op->h, .w = op->w };
        const float *row = op->row + 2 * (size_t)image * (size_t)op->h;
#pragma omp parallel if ((long)op->h * op->w > 2048)
        {
#pragma omp for schedule(static)
            for (int y = -3; y < op->h + 3; y++)
                gate_plane_row(&planes, &source, y);
#pragma omp for schedule(static)
            for (int y = 0; y < op->h; y++) {
                float x[VEC_W];
                vec_store(x, vec_sigmoid(vec_set(op->row_weight[0] * row[2 * y] +
                                                 op->row_weight[1] * row[2 * y + 1])));
                struct gate_end end = { .prior = op->prior ? op->prior + at : NULL, .row_factor = x[0],
                                        .column = op->column + 2 * (size_t)image * (size_t)op->w,
                                        .column_weight = { op->column_weight[0], op->column_weight[1] },
                                        .factor = op->factor + at };
                gate_row(&end, &planes, op->point_weight, y, op->w);
            }
        }
    }
}

#endif
