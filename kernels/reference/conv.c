/* Convolutions. The sum of one output runs over channels in fours, then over the kernel's taps; loops are
 * ordered so that the innermost one walks over BLOCK output channels, which a compiler turns into vectors. */
#include "kernels/reference/reference.h"

#include <string.h>

enum { BLOCK = 8, FOUR = 4, TILE = 512 }; /* output channels; input channels at once; pixels of one task */

/* A rectangle of output pixels, and the output channels k0 .. k0+BLOCK, of image n. */
struct tile {
    int n, y0, y1, x0, x1, k0;
};

static int smaller(int a, int b) { return a < b ? a : b; }
static int larger(int a, int b) { return a > b ? a : b; }

static size_t index4(struct ref_shape s, int n, int y, int x, int c)
{
    return (((size_t)n * (size_t)s.h + (size_t)y) * (size_t)s.w + (size_t)x) * (size_t)s.c + (size_t)c;
}

static struct ref_shape output_shape(struct ref_shape s, struct ref_conv spec)
{
    return (struct ref_shape){ s.n, (s.h + 2 * spec.pad_h - spec.kernel_h) / spec.stride + 1,
                               (s.w + 2 * spec.pad_w - spec.kernel_w) / spec.stride + 1, spec.out };
}

/* Enough multiply-adds for threads, at `each` of them per output. */
static bool is_large(struct ref_shape d, int each)
{
    return (size_t)d.n * (size_t)d.h * (size_t)d.w * (size_t)d.c / 16 * (size_t)each >=
           REFERENCE_PARALLEL_FROM;
}

/* sums[i][k] += sum over j < FOUR of src[i * step + j] * w[j][k], i < count */
static void add_four(double (*restrict sums)[BLOCK], const double *restrict src, size_t step, int count,
                     const double (*restrict w)[BLOCK])
{
    for (int i = 0; i < count; i++, src += step)
        for (int k = 0; k < BLOCK; k++)
            sums[i][k] += (src[0] * w[0][k] + src[1] * w[1][k]) + (src[2] * w[2][k] + src[3] * w[3][k]);
}

static void add_one(double (*restrict sums)[BLOCK], const double *restrict src, size_t step, int count,
                    const double *restrict w)
{
    for (int i = 0; i < count; i++, src += step)
        for (int k = 0; k < BLOCK; k++)
            sums[i][k] += src[0] * w[k];
}

/* w[j][k] = weight (K,C,KH,KW) at (k0 + k, c + j, tap); zero where there is no such output channel */
static void gather(double (*w)[BLOCK], const float *weight, int k0, int out, int c, int channels, int inputs,
                   int tap, int taps)
{
    memset(w, 0, sizeof(double) * BLOCK * FOUR);
    for (int k = 0; k < smaller(BLOCK, out - k0); k++)
        for (int j = 0; j < channels; j++)
            w[j][k] = (double)weight[((size_t)(k0 + k) * (size_t)inputs + (size_t)(c + j)) * (size_t)taps +
                                     (size_t)tap];
}

/* Adds one tap (r,q) of `channels` (FOUR or 1) input channels from c on to the sums of a tile. */
static void add_tap(double (*sums)[BLOCK], const double *src, struct ref_shape s, struct ref_conv spec,
                    struct tile t, int r, int q, int c, int channels, const double (*w)[BLOCK])
{
    const int width = t.x1 - t.x0, shift = q - spec.pad_w;
    /* outputs x of the tile whose input x * stride + shift lies inside the image */
    const int from = larger(t.x0, shift < 0 ? (-shift + spec.stride - 1) / spec.stride : 0);
    const int to = s.w - 1 - shift < 0 ? from : smaller(t.x1, (s.w - 1 - shift) / spec.stride + 1);
    const size_t step = (size_t)spec.stride * (size_t)s.c;
    for (int y = t.y0; y < t.y1 && from < to; y++) {
        const int sy = y * spec.stride + r - spec.pad_h;
        if (sy < 0 || sy >= s.h)
            continue;
        double (*row)[BLOCK] = sums + (y - t.y0) * width + (from - t.x0);
        const double *at = src + index4(s, t.n, sy, from * spec.stride + shift, c);
        if (channels == FOUR)
            add_four(row, at, step, to - from, w);
        else
            add_one(row, at, step, to - from, w[0]);
    }
}

static void conv_tile(double *dst, struct ref_shape d, const double *src, struct ref_shape s,
                      struct ref_conv spec, const float *weight, const float *bias, struct tile t)
{
    double sums[TILE][BLOCK], w[FOUR][BLOCK];
    const int pixels = (t.y1 - t.y0) * (t.x1 - t.x0), outputs = smaller(BLOCK, spec.out - t.k0);
    const int taps = spec.kernel_h * spec.kernel_w;
    memset(sums, 0, sizeof *sums * (size_t)pixels);
    for (int c = 0, channels; c < s.c; c += channels) {
        channels = s.c - c >= FOUR ? FOUR : 1;
        for (int tap = 0; tap < taps; tap++) {
            gather(w, weight, t.k0, spec.out, c, channels, s.c, tap, taps);
            add_tap(sums, src, s, spec, t, tap / spec.kernel_w, tap % spec.kernel_w, c, channels,
                    (const double (*)[BLOCK])w);
        }
    }
    for (int i = 0; i < pixels; i++)
        for (int k = 0; k < outputs; k++)
            dst[index4(d, t.n, t.y0 + i / (t.x1 - t.x0), t.x0 + i % (t.x1 - t.x0), t.k0 + k)] =
                sums[i][k] + (bias ? (double)bias[t.k0 + k] : 0);
}

/* One output of a grouped convolution: its group's inputs only. */
static double grouped_sum(const double *src, struct ref_shape s, struct ref_conv spec, const float *weight,
                          int n, int y, int x, int k)
{
    const int inputs = s.c / spec.groups, c0 = k / (spec.out / spec.groups) * inputs;
    const float *w = weight + (size_t)k * (size_t)(inputs * spec.kernel_h * spec.kernel_w);
    double sum = 0;
    for (int c = 0; c < inputs; c++)
        for (int r = 0; r < spec.kernel_h; r++)
            for (int q = 0; q < spec.kernel_w; q++, w++) {
                const int sy = y * spec.stride + r - spec.pad_h, sx = x * spec.stride + q - spec.pad_w;
                if (sy >= 0 && sy < s.h && sx >= 0 && sx < s.w)
                    sum += src[index4(s, n, sy, sx, c0 + c)] * (double)*w;
            }
    return sum;
}

static void conv_grouped(double *dst, struct ref_shape d, const double *src, struct ref_shape s,
                         struct ref_conv spec, const float *weight, const float *bias)
{
#pragma omp parallel for collapse(2) if (is_large(d, s.c / spec.groups * spec.kernel_h * spec.kernel_w))
    for (int n = 0; n < d.n; n++)
        for (int y = 0; y < d.h; y++)
            for (int x = 0; x < d.w; x++)
                for (int k = 0; k < d.c; k++)
                    dst[index4(d, n, y, x, k)] = grouped_sum(src, s, spec, weight, n, y, x, k) +
                                                 (bias ? (double)bias[k] : 0);
}

void reference_conv(double *dst, const double *src, struct ref_shape s, struct ref_conv spec,
                    const float *weight, const float *bias)
{
    const struct ref_shape d = output_shape(s, spec);
    if (spec.groups > 1) {
        conv_grouped(dst, d, src, s, spec, weight, bias);
        return;
    }
    const int width = smaller(d.w, TILE), height = larger(1, smaller(d.h, TILE / width));
    const int columns = (d.w + width - 1) / width, rows = (d.h + height - 1) / height;
    const int blocks = (spec.out + BLOCK - 1) / BLOCK;
#pragma omp parallel for collapse(4) schedule(dynamic) if (is_large(d, s.c * spec.kernel_h * spec.kernel_w))
    for (int n = 0; n < d.n; n++)
        for (int row = 0; row < rows; row++)
            for (int column = 0; column < columns; column++)
                for (int block = 0; block < blocks; block++) {
                    const int y0 = row * height, x0 = column * width;
                    conv_tile(dst, d, src, s, spec, weight, bias,
                              (struct tile){ n, y0, smaller(d.h, y0 + height), x0, smaller(d.w, x0 + width),
                                             block * BLOCK });
                }
}

/* y(2i+a, 2j+b, k) = bias(k) + sum over c of x(i,j,c) w(c,k,a,b): no overlap, since kernel = stride */
void reference_tconv(double *dst, const double *src, struct ref_shape s, int out, const float *weight,
                     const float *bias)
{
    const struct ref_shape d = { s.n, 2 * s.h, 2 * s.w, out };
#pragma omp parallel for collapse(2) if (is_large(d, s.c))
    for (int n = 0; n < d.n; n++)
        for (int y = 0; y < d.h; y++)
            for (int x = 0; x < d.w; x++) {
                const double *in = src + index4(s, n, y / 2, x / 2, 0);
                double *to = dst + index4(d, n, y, x, 0);
                const size_t tap = (size_t)(2 * (y % 2) + x % 2);
                for (int k = 0; k < out; k++)
                    to[k] = bias ? (double)bias[k] : 0;
                for (int c = 0; c < s.c; c++)
                    for (int k = 0; k < out; k++)
                        to[k] += in[c] * (double)weight[4 * ((size_t)c * (size_t)out + (size_t)k) + tap];
            }
}
