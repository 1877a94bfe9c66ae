/* norm.cuh - mean and variance of one channel of one image turned into the coefficients of fused_norm. */
#ifndef CUDA_NORM_CUH
#define CUDA_NORM_CUH

#include "kernels/cuda/passes/launch.h"
#include "kernels/lower/fused.h"

struct affine { float scale, shift; };

/* Writes coefficients number `at` (image * c + channel) and gives the affine part back. */
__device__ __forceinline__ affine norm_write(const fused_norm &norm, int channel, size_t at, float mean,
                                             float variance)
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

/* The totals of sums.cuh ([lanes][16]: of x - pilot and of (x - pilot)^2, for this block's slice) to the
 * coefficients of one image, by all threads of the block. pilot: [lanes * 8], in shared memory; share: 1 /
 * pixels. */
__device__ __forceinline__ void norm_finish(const fused_norm &norm, const float *total, const float *pilot,
                                            int c, size_t image, float share)
{
    const int lanes = (int)blockDim.x, first = (int)blockIdx.z * lanes * 8;
    const int tid = (int)(threadIdx.y * blockDim.x + threadIdx.x), threads = lanes * (int)blockDim.y;
    for (int j = tid; j < lanes * 8 && first + j < c; j += threads) {
        const float *sums = total + j / 8 * 16 + j % 8;
        const float mean = sums[0] * share, variance = sums[8] * share - mean * mean;
        norm_write(norm, first + j, image * (size_t)c + (size_t)(first + j), pilot[j] + mean,
                   variance < 0 ? 0.0f : variance);
    }
}

#endif
