/* norm.cuh - mean and variance of one channel of one image turned into the coefficients of fused_norm. */
#ifndef CUDA_NORM_CUH
#define CUDA_NORM_CUH

#include "kernels/cuda/launch.h"
#include "kernels/lower/fused.h"

struct affine { float scale, shift; };

/* Writes coefficients number `at` (image * c + channel) and gives the affine part back. */
__device__ __forceinline__ affine norm_write(const fused_norm &norm, int channel, size_t at, float mean, float variance)
{
    affine a = { 1, 0 };
    float center = mean, spread = variance;
    if (norm.gamma) {
        a.scale = norm.gamma[channel] / sqrtf(variance + FUSED_NORM_EPS);
        a.shift = norm.beta[channel] - mean * a.scale;
        center = norm.beta[channel];
        spread = a.scale * a.scale * variance;
        norm.scale[at] = a.scale;
        norm.shift[at] = a.shift;
    }
    if (norm.center) {
        norm.center[at] = center;
        norm.rate[at] = 1 / sqrtf(spread + FUSED_SIMAM_LAMBDA);
    }
    return a;
}

#endif
