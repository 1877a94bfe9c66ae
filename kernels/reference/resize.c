/* Bilinear resizing. align_corners: source = dst (in - 1)/(out - 1), 0 for one output;
 * half-pixel: source = max((dst + 0.5) in/out - 0.5, 0). */
#include "kernels/reference/reference.h"

#include <math.h>

struct tap { /* value = (1 - weight) at[low] + weight at[high] */
    int low, high;
    double weight;
};

static struct tap tap_of(int dst, int in, int out, bool align_corners)
{
    double from;
    if (align_corners)
        from = out > 1 ? (double)dst * (in - 1) / (out - 1) : 0;
    else
        from = fmax((dst + 0.5) * in / out - 0.5, 0);
    struct tap t = { .low = (int)floor(from) };
    if (t.low > in - 1)
        t.low = in - 1;
    t.high = t.low + 1 < in ? t.low + 1 : in - 1;
    t.weight = from - t.low;
    return t;
}

void reference_resize(double *dst, const double *src, struct ref_shape s, int to_h, int to_w,
                      bool align_corners)
{
    const size_t c = (size_t)s.c, row = (size_t)s.w * c;
#pragma omp parallel for collapse(2) if ((size_t)(s.n * to_h) * (size_t)to_w * c >= REFERENCE_PARALLEL_FROM)
    for (int n = 0; n < s.n; n++)
        for (int y = 0; y < to_h; y++) {
            const struct tap v = tap_of(y, s.h, to_h, align_corners);
            const double *top = src + ((size_t)n * (size_t)s.h + (size_t)v.low) * row;
            const double *bottom = src + ((size_t)n * (size_t)s.h + (size_t)v.high) * row;
            double *out = dst + ((size_t)n * (size_t)to_h + (size_t)y) * (size_t)to_w * c;
            for (int x = 0; x < to_w; x++, out += c) {
                const struct tap u = tap_of(x, s.w, to_w, align_corners);
                const size_t left = (size_t)u.low * c, right = (size_t)u.high * c;
                for (size_t k = 0; k < c; k++)
                    out[k] = (1 - v.weight) * ((1 - u.weight) * top[left + k] + u.weight * top[right + k]) +
                             v.weight * ((1 - u.weight) * bottom[left + k] + u.weight * bottom[right + k]);
            }
        }
}
