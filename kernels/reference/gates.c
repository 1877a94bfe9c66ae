/* Gates: x times a sigmoid of something that is smaller than x. */
#include "kernels/reference/reference.h"

#include <math.h>
#include <stdlib.h>

enum { SPAN = 7, REACH = 3 }; /* side of the pixel kernel, and its padding */

static double sigmoid(double x) { return 1 / (1 + exp(-x)); }

static size_t pixels_of(struct ref_shape s) { return (size_t)s.h * (size_t)s.w; }

/* gate[c] of one image: sigmoid(W2 relu(W1 mean)), mean[C] and inner[R] are scratch */
static void se_gate(double *gate, double *mean, double *inner, const double *src, struct ref_shape s,
                    int hidden, const float *fc0, const float *fc3)
{
    const size_t c = (size_t)s.c, r = (size_t)hidden;
    for (size_t k = 0; k < c; k++)
        mean[k] = 0;
    for (size_t p = 0; p < pixels_of(s); p++)
        for (size_t k = 0; k < c; k++)
            mean[k] += src[p * c + k] / (double)pixels_of(s);
    for (size_t i = 0; i < r; i++) {
        inner[i] = 0;
        for (size_t k = 0; k < c; k++)
            inner[i] += (double)fc0[i * c + k] * mean[k];
        inner[i] = inner[i] > 0 ? inner[i] : 0;
    }
    for (size_t k = 0; k < c; k++) {
        double sum = 0;
        for (size_t i = 0; i < r; i++)
            sum += (double)fc3[k * r + i] * inner[i];
        gate[k] = sigmoid(sum);
    }
}

enum status reference_se(double *dst, const double *src, struct ref_shape s, int hidden, const float *fc0,
                         const float *fc3)
{
    const size_t c = (size_t)s.c, image = pixels_of(s) * c;
    double *gate = malloc((2 * c + (size_t)hidden) * sizeof *gate);
    if (!gate)
        return ST_OUT_OF_MEMORY;
    for (size_t n = 0; n < (size_t)s.n; n++) {
        se_gate(gate, gate + c, gate + 2 * c, src + n * image, s, hidden, fc0, fc3);
#pragma omp parallel for if (image >= REFERENCE_PARALLEL_FROM)
        for (size_t i = 0; i < image; i++)
            dst[n * image + i] = src[n * image + i] * gate[i % c];
    }
    free(gate);
    return ST_OK;
}

/* Mean and maximum of count values. */
struct pair {
    double mean, max;
};

static struct pair pair_of(const double *x, size_t count)
{
    struct pair p = { 0, x[0] };
    for (size_t i = 0; i < count; i++) {
        p.mean += x[i];
        p.max = x[i] > p.max || isnan(x[i]) ? x[i] : p.max;
    }
    p.mean /= (double)count;
    return p;
}

/* sigmoid of the 7x7 kernel (1,2,7,7) over the map of pairs, at (y,x) */
static double pixel_gate(const struct pair *map, int h, int w, const float *weight, int y, int x)
{
    double sum = 0;
    for (int r = 0; r < SPAN; r++)
        for (int q = 0; q < SPAN; q++) {
            const int sy = y + r - REACH, sx = x + q - REACH;
            if (sy < 0 || sy >= h || sx < 0 || sx >= w)
                continue;
            const struct pair p = map[(size_t)sy * (size_t)w + (size_t)sx];
            sum += (double)weight[SPAN * r + q] * p.mean + (double)weight[SPAN * SPAN + SPAN * r + q] * p.max;
        }
    return sigmoid(sum);
}

static void pixel_pairs(struct pair *map, const double *src, struct ref_shape s)
{
    const size_t pixels = pixels_of(s), c = (size_t)s.c;
#pragma omp parallel for if (pixels * c >= REFERENCE_PARALLEL_FROM)
    for (size_t p = 0; p < pixels; p++)
        map[p] = pair_of(src + p * c, c);
}

enum status reference_spatial_gate(double *dst, const double *src, struct ref_shape s, const float *weight)
{
    const size_t c = (size_t)s.c, image = pixels_of(s) * c;
    struct pair *map = malloc(pixels_of(s) * sizeof *map);
    if (!map)
        return ST_OUT_OF_MEMORY;
    for (size_t n = 0; n < (size_t)s.n; n++) {
        pixel_pairs(map, src + n * image, s);
#pragma omp parallel for collapse(2) if (image >= REFERENCE_PARALLEL_FROM)
        for (int y = 0; y < s.h; y++)
            for (int x = 0; x < s.w; x++) {
                const double gate = pixel_gate(map, s.h, s.w, weight, y, x);
                const size_t at = n * image + ((size_t)y * (size_t)s.w + (size_t)x) * c;
                for (size_t k = 0; k < c; k++)
                    dst[at + k] = src[at + k] * gate;
            }
    }
    free(map);
    return ST_OK;
}

/* A line of `count` pixels, `step` values apart: each channel's mean over it, then the pair of those means.
 * channel: [C] scratch. */
static struct pair line_pair(double *channel, const double *src, size_t count, size_t step, size_t c)
{
    for (size_t k = 0; k < c; k++)
        channel[k] = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < c; k++)
            channel[k] += src[i * step + k];
    for (size_t k = 0; k < c; k++)
        channel[k] /= (double)count;
    return pair_of(channel, c);
}

/* The kernel is seven taps long across a map one pixel wide: the six others only ever meet padding. */
static double line_gate(struct pair p, const float *weight)
{
    return sigmoid((double)weight[REACH] * p.mean + (double)weight[SPAN + REACH] * p.max);
}

/* dst, src: one image; rows[H], columns[W], channel[C], map[HW] are scratch */
static void triplet_image(double *dst, const double *src, struct ref_shape s, const float *const weight[3],
                          double *rows, double *columns, double *channel, struct pair *map)
{
    const size_t c = (size_t)s.c, h = (size_t)s.h, w = (size_t)s.w;
    for (size_t y = 0; y < h; y++)
        rows[y] = line_gate(line_pair(channel, src + y * w * c, w, c, c), weight[0]);
    for (size_t x = 0; x < w; x++)
        columns[x] = line_gate(line_pair(channel, src + x * c, h, w * c, c), weight[1]);
    pixel_pairs(map, src, s);
#pragma omp parallel for collapse(2) if (h * w * c >= REFERENCE_PARALLEL_FROM)
    for (int y = 0; y < s.h; y++)
        for (int x = 0; x < s.w; x++) {
            const double gate = rows[y] * columns[x] * pixel_gate(map, s.h, s.w, weight[2], y, x);
            const size_t at = ((size_t)y * w + (size_t)x) * c;
            for (size_t k = 0; k < c; k++)
                dst[at + k] = src[at + k] * gate;
        }
}

enum status reference_triplet(double *dst, const double *src, struct ref_shape s, const float *ch,
                              const float *cw, const float *hw)
{
    const size_t image = pixels_of(s) * (size_t)s.c;
    const float *const weight[3] = { ch, cw, hw };
    struct pair *map = malloc(pixels_of(s) * sizeof *map);
    double *lines = malloc(((size_t)s.h + (size_t)s.w + (size_t)s.c) * sizeof *lines);
    const enum status st = map && lines ? ST_OK : ST_OUT_OF_MEMORY;
    for (size_t n = 0; n < (size_t)s.n && st == ST_OK; n++)
        triplet_image(dst + n * image, src + n * image, s, weight, lines, lines + s.h, lines + s.h + s.w,
                      map);
    free(lines);
    free(map);
    return st;
}
