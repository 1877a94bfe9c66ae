/* row_softmax_body.cuh - probs [rows][cols] = softmax over the columns of scale * scores: maximum and sum in
 * one read, the probabilities in a second one, by the same threads (so probs may be scores). VECTOR: rows
 * begin at 16 bytes. */
#include "kernels/cuda/passes/kernels.h"
#include "kernels/cuda/passes/launch.h"
#include "kernels/cuda/passes/launch_row_softmax.h"

/* Sum of exp(x - top) and its top; nothing yet: 0, -infinity. */
struct softmax_state { float top, sum; };

__device__ __forceinline__ float softmax_keep(float old_top, float top)
{
    return old_top == top ? 1 : __expf(old_top - top);
}

__device__ __forceinline__ softmax_state softmax_join(softmax_state a, softmax_state b)
{
    const float top = a.top > b.top ? a.top : b.top;
    return { top, a.sum * softmax_keep(a.top, top) + b.sum * softmax_keep(b.top, top) };
}

/* Four scaled scores from column at on; -infinity from cols on. */
template <bool VECTOR>
__device__ __forceinline__ void softmax_load(float *x, const float *row, int at, int cols, float scale)
{
    if (VECTOR) {
        const float4 four = *reinterpret_cast<const float4 *>(row + at);
        x[0] = four.x * scale, x[1] = four.y * scale, x[2] = four.z * scale, x[3] = four.w * scale;
    } else {
        UNROLL
        for (int i = 0; i < 4; i++)
            x[i] = at + i < cols ? row[at + i] * scale : -INFINITY;
    }
}

template <bool VECTOR>
__device__ __forceinline__ softmax_state softmax_read(const float *row, int cols, float scale)
{
    softmax_state s = { -INFINITY, 0 };
    for (int at = 4 * (int)threadIdx.x; at < cols; at += 4 * (int)blockDim.x) {
        float x[4];
        softmax_load<VECTOR>(x, row, at, cols, scale);
        const float top = fmaxf(fmaxf(s.top, fmaxf(x[0], x[1])), fmaxf(x[2], x[3]));
        s.sum *= softmax_keep(s.top, top);
        UNROLL
        for (int i = 0; i < 4; i++)
            s.sum += __expf(x[i] - top); /* infinite scores: not a number, here and below */
        s.top = top;
    }
    return s;
}

/* Row blockIdx.x. */
template <bool VECTOR>
__global__ void __launch_bounds__(ROW_SOFTMAX_THREADS) row_softmax_kernel(struct gpu_row_softmax op)
{
    __shared__ softmax_state warps[ROW_SOFTMAX_THREADS / 32];
    const size_t first = (size_t)blockIdx.x * (size_t)op.cols;
    const int tid = (int)threadIdx.x;
    softmax_state s = softmax_read<VECTOR>(op.scores + first, op.cols, op.scale);
    UNROLL
    for (int step = 16; step; step /= 2) {
        const softmax_state other = { __shfl_xor_sync(0xffffffffu, s.top, step),
                                      __shfl_xor_sync(0xffffffffu, s.sum, step) };
        s = softmax_join(s, other);
    }
    if (tid % 32 == 0)
        warps[tid / 32] = s;
    __syncthreads();
    s = warps[0];
    for (int i = 1; i < (int)blockDim.x / 32; i++)
        s = softmax_join(s, warps[i]);
    const float share = 1.0f / s.sum;
    for (int at = 4 * tid; at < op.cols; at += 4 * (int)blockDim.x) {
        float x[4];
        softmax_load<VECTOR>(x, op.scores + first, at, op.cols, op.scale);
        UNROLL
        for (int i = 0; i < 4; i++)
            x[i] = __expf(x[i] - s.top) * share;
        if (VECTOR)
            *reinterpret_cast<float4 *>(op.probs + first + at) = make_float4(x[0], x[1], x[2], x[3]);
        UNROLL
        for (int i = 0; i < 4; i++)
            if (!VECTOR && at + i < op.cols)
                op.probs[first + (size_t)(at + i)] = x[i];
    }
}
