/* Statistics over the pixels of one channel of one image, and what is made of them. */
#include "kernels/reference/reference.h"

#include <math.h>

enum { BLOCK = 8 };          /* channels whose sums are kept at once */
static const double norm_eps = 1e-5, simam_lambda = 1e-4;

static bool is_large(struct ref_shape s)
{
    return (size_t)s.n * (size_t)s.h * (size_t)s.w * (size_t)s.c >= REFERENCE_PARALLEL_FROM;
}

/* Two passes: mean, then the mean square distance from it; count channels that begin at src. */
static void block_statistics(double *mean, double *variance, const double *src, size_t pixels,
                             size_t channels, int count)
{
    double sum[BLOCK] = { 0 }, square[BLOCK] = { 0 };
    for (size_t p = 0; p < pixels; p++)
        for (int c = 0; c < count; c++)
            sum[c] += src[p * channels + (size_t)c];
    for (int c = 0; c < count; c++)
        mean[c] = sum[c] / (double)pixels;
    for (size_t p = 0; p < pixels; p++)
        for (int c = 0; c < count; c++) {
            const double away = src[p * channels + (size_t)c] - mean[c];
            square[c] += away * away;
        }
    for (int c = 0; c < count; c++)
        variance[c] = square[c] / (double)pixels;
}

void reference_statistics(double *mean, double *variance, const double *src, struct ref_shape s)
{
    const size_t pixels = (size_t)s.h * (size_t)s.w, channels = (size_t)s.c;
#pragma omp parallel for collapse(2) if (is_large(s))
    for (int n = 0; n < s.n; n++)
        for (int c = 0; c < s.c; c += BLOCK) {
            const size_t at = (size_t)n * channels + (size_t)c;
            block_statistics(mean + at, variance + at, src + (size_t)n * pixels * channels + (size_t)c,
                             pixels, channels, s.c - c < BLOCK ? s.c - c : BLOCK);
        }
}

/* Channels c0 .. c0+count of one image: their statistics, and the index of the first pixel's first one. */
struct block {
    double mean[BLOCK], variance[BLOCK];
    size_t first;
    int count;
};

static struct block block_of(const double *src, struct ref_shape s, int n, int c0)
{
    const size_t pixels = (size_t)s.h * (size_t)s.w, channels = (size_t)s.c;
    struct block b = { .first = (size_t)n * pixels * channels + (size_t)c0,
                       .count = s.c - c0 < BLOCK ? s.c - c0 : BLOCK };
    block_statistics(b.mean, b.variance, src + b.first, pixels, channels, b.count);
    return b;
}

/* (x - m) / sqrt(v + 1e-5) gamma + beta */
void reference_norm(double *dst, const double *src, struct ref_shape s, const float *gamma, const float *beta)
{
#pragma omp parallel for collapse(2) if (is_large(s))
    for (int n = 0; n < s.n; n++)
        for (int c0 = 0; c0 < s.c; c0 += BLOCK) {
            const struct block b = block_of(src, s, n, c0);
            for (size_t p = 0; p < (size_t)s.h * (size_t)s.w; p++)
                for (int c = 0; c < b.count; c++) {
                    const size_t at = b.first + p * (size_t)s.c + (size_t)c;
                    dst[at] = (src[at] - b.mean[c]) / sqrt(b.variance[c] + norm_eps) * (double)gamma[c0 + c] +
                              (double)beta[c0 + c];
                }
        }
}

/* x sigmoid(-(x - m) / sqrt(v + 1e-4)) */
void reference_simam(double *dst, const double *src, struct ref_shape s)
{
#pragma omp parallel for collapse(2) if (is_large(s))
    for (int n = 0; n < s.n; n++)
        for (int c0 = 0; c0 < s.c; c0 += BLOCK) {
            const struct block b = block_of(src, s, n, c0);
            for (size_t p = 0; p < (size_t)s.h * (size_t)s.w; p++)
                for (int c = 0; c < b.count; c++) {
                    const size_t at = b.first + p * (size_t)s.c + (size_t)c;
                    dst[at] = src[at] / (1 + exp((src[at] - b.mean[c]) / sqrt(b.variance[c] + simam_lambda)));
                }
        }
}
