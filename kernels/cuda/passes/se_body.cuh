/* se_body.cuh - squeeze-excite without its product: factor [n][c] = sigmoid(w2 relu(w1 mean)), w1
 * [hidden][c], w2 [c][hidden]. A warp makes a hidden value, then SE_LANES threads make a channel. */
#include "kernels/cuda/passes/kernels.h"
#include "kernels/cuda/passes/launch_se.h"
#include "kernels/cuda/passes/sigmoid.cuh"

__global__ void __launch_bounds__(SE_THREADS) se_kernel(struct fused_se op)
{
    DYN_SMEM(float, hidden);
    const int tid = (int)threadIdx.x, lane = tid % 32;
    const float *mean = op.mean + (size_t)blockIdx.x * (size_t)op.c;
    for (int j = tid / 32; j < op.hidden; j += SE_THREADS / 32) {
        const float *weight = op.w1 + (size_t)j * (size_t)op.c;
        float sum = 0;
        for (int k = lane * 4; k < op.c; k += 128) {
            const float4 a = *reinterpret_cast<const float4 *>(weight + k);
            const float4 b = *reinterpret_cast<const float4 *>(mean + k);
            sum = fmaf(a.x, b.x, fmaf(a.y, b.y, fmaf(a.z, b.z, fmaf(a.w, b.w, sum))));
        }
        UNROLL
        for (int step = 16; step; step /= 2)
            sum += __shfl_xor_sync(0xffffffffu, sum, step);
        if (lane == 0)
            hidden[j] = sum < 0 ? 0 : sum; /* NaN stays */
    }
    __syncthreads();
    for (int first = 0; first < op.c; first += SE_THREADS / SE_LANES) {
        const int k = first + tid / SE_LANES;
        float sum = 0;
        for (int j = tid % SE_LANES; k < op.c && j < op.hidden; j += SE_LANES)
            sum = fmaf(op.w2[(size_t)k * (size_t)op.hidden + (size_t)j], hidden[j], sum);
        UNROLL
        for (int step = SE_LANES / 2; step; step /= 2)
            sum += __shfl_xor_sync(0xffffffffu, sum, step);
        if (k < op.c && tid % SE_LANES == 0)
            op.factor[(size_t)blockIdx.x * (size_t)op.c + (size_t)k] = sigmoid(sum);
    }
}
