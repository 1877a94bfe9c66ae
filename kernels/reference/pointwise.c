/* What works on each value, or each pixel, alone. */
#include "kernels/reference/reference.h"

#include <math.h>
#include <string.h>

static size_t values(struct ref_shape s) { return (size_t)s.n * (size_t)s.h * (size_t)s.w * (size_t)s.c; }

void reference_relu(double *dst, const double *src, struct ref_shape s)
{
    const size_t count = values(s);
#pragma omp parallel for if (count >= REFERENCE_PARALLEL_FROM)
    for (size_t i = 0; i < count; i++)
        dst[i] = src[i] < 0 ? 0 : src[i]; /* not a number stays what it is: a fault must show */
}

void reference_sigmoid(double *dst, const double *src, struct ref_shape s)
{
    const size_t count = values(s);
#pragma omp parallel for if (count >= REFERENCE_PARALLEL_FROM)
    for (size_t i = 0; i < count; i++)
        dst[i] = 1 / (1 + exp(-src[i]));
}

void reference_add(double *dst, const double *a, const double *b, struct ref_shape s)
{
    const size_t count = values(s);
#pragma omp parallel for if (count >= REFERENCE_PARALLEL_FROM)
    for (size_t i = 0; i < count; i++)
        dst[i] = a[i] + b[i];
}

void reference_mul(double *dst, const double *a, const double *b, struct ref_shape s, bool b_one_channel)
{
    const size_t count = values(s), channels = (size_t)s.c;
#pragma omp parallel for if (count >= REFERENCE_PARALLEL_FROM)
    for (size_t i = 0; i < count; i++)
        dst[i] = a[i] * b[b_one_channel ? i / channels : i];
}

void reference_concat(double *dst, const double *const *src, const int *channels, int count, int n, int h,
                      int w)
{
    size_t all = 0;
    for (int i = 0; i < count; i++)
        all += (size_t)channels[i];
    const size_t pixels = (size_t)n * (size_t)h * (size_t)w;
    size_t first = 0;
    for (int i = 0; i < count; first += (size_t)channels[i], i++) {
        const size_t own = (size_t)channels[i];
#pragma omp parallel for if (pixels * own >= REFERENCE_PARALLEL_FROM)
        for (size_t p = 0; p < pixels; p++)
            memcpy(dst + p * all + first, src[i] + p * own, own * sizeof *dst);
    }
}
