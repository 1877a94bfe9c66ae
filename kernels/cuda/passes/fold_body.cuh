/* fold_body.cuh - sums of a convolution's epilogue to coefficients: one thread per image and channel. The
 * sums are not shifted, so that the variance is a difference of large numbers: taken in double. */
#include "kernels/cuda/passes/kernels.h"
#include "kernels/cuda/passes/norm.cuh"
#include "kernels/cuda/passes/storage.cuh"

template <typename T> /* of half_scale, half_shift */
__global__ void __launch_bounds__(FOLD_THREADS) fold_kernel(struct gpu_fold op)
{
    int at = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (at >= op.n * op.c)
        return;
    double share = 1 / op.pixels, mean = op.sum[at] * share, variance = op.square[at] * share - mean * mean;
    affine a = norm_write(op.norm, at % op.c, (size_t)at, (float)mean, variance < 0 ? 0.0f : (float)variance);
    if (op.half_scale) {
        static_cast<T *>(op.half_scale)[at] = from_f32<T>(a.scale);
        static_cast<T *>(op.half_shift)[at] = from_f32<T>(a.shift);
    }
}
