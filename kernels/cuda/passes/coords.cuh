/* coords.cuh - from indices to coordinates and to the two neighbours of a bilinear resize, in whole numbers:
 * exact, and without the integer division that the device does not have. Sides up to 32768. */
#ifndef CUDA_COORDS_CUH
#define CUDA_COORDS_CUH

#include "kernels/cuda/passes/launch.h"
#include "kernels/lower/fused.h"

struct divider {
    int by;
    float share;                /* 1 / by */
};

inline divider divider_of(int by) { return { by, 1.0f / (float)by }; }

/* value / by, rounded down, for quotients up to 2^20; *rest is what is left. The product in f32 is at most
 * one off. */
__device__ __forceinline__ int divide(int value, const divider &d, int *rest)
{
    int quotient = (int)((float)value * d.share), left = value - quotient * d.by;
    if (left < 0) {
        quotient--;
        left += d.by;
    } else if (left >= d.by) {
        quotient++;
        left -= d.by;
    }
    *rest = left;
    return quotient;
}

/* Position i of the output lies at max(i * step + start, 0) / by of the source. */
struct axis {
    int step, start, last;      /* last: of the source */
    divider by;
};

inline axis axis_of(enum fused_resize resize, int in, int out)
{
    if (resize == FUSED_HALF_PIXEL)     /* (i + 1/2) in / out - 1/2 */
        return { 2 * in, in - out, in - 1, divider_of(2 * out) };
    return { in - 1, 0, in - 1, divider_of(out > 1 ? out - 1 : 1) };
}

struct axis_tap {
    int lo, hi;
    float weight;               /* of hi */
};

__device__ __forceinline__ axis_tap axis_at(const axis &a, int i)
{
    int rest, lo = divide(max(i * a.step + a.start, 0), a.by, &rest);
    return { lo, min(lo + 1, a.last), (float)rest * a.by.share };
}

#endif
