/* Max pooling 2x2, stride 2: an odd last row or column is dropped. */
#include "kernels/reference/reference.h"

#include <math.h>

/* The larger of two; not a number if one is none. */
static double larger(double a, double b) { return a > b || isnan(a) ? a : b; }

void reference_maxpool(double *dst, const double *src, struct ref_shape s)
{
    const int h = s.h / 2, w = s.w / 2;
    const size_t c = (size_t)s.c, row = (size_t)s.w * c;
#pragma omp parallel for collapse(2) if ((size_t)(s.n * s.h) * row >= REFERENCE_PARALLEL_FROM)
    for (int n = 0; n < s.n; n++)
        for (int y = 0; y < h; y++)
            for (int x = 0; x < w; x++) {
                const double *in = src + ((size_t)n * (size_t)s.h + 2 * (size_t)y) * row + 2 * (size_t)x * c;
                double *out = dst + (((size_t)n * (size_t)h + (size_t)y) * (size_t)w + (size_t)x) * c;
                for (size_t k = 0; k < c; k++)
                    out[k] = larger(larger(in[k], in[c + k]), larger(in[row + k], in[row + c + k]));
            }
}
