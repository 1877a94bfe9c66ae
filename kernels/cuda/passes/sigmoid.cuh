/* sigmoid.cuh - 1 / (1 + exp(-x)) in f32, by the fast exponential: within 1e-6; 0 and 1 far out, NaN
 * stays. */
#ifndef CUDA_SIGMOID_CUH
#define CUDA_SIGMOID_CUH

#include "kernels/cuda/passes/launch.h"

__device__ __forceinline__ float sigmoid(float x) { return __fdividef(1.0f, 1.0f + __expf(-x)); }

#endif
