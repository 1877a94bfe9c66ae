/* stats_body.cuh - mean and variance of every channel of every image, shifted by the image's first pixel, so
 * that a large mean costs no digits. Grid as split.h says. */
#include "kernels/cuda/passes/launch_stats.h"
#include "kernels/cuda/passes/norm.cuh"
#include "kernels/cuda/passes/sums.cuh"

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 1000
#define STATS_BLOCKS 2          /* resident, at least; with three a few registers would be spilled */
#else
#define STATS_BLOCKS 3
#endif

struct stats_args {
    fused_stats op;
    pixel_split split;
    sums_place place;
    int first_image;
};

/* `factor` NULL is one everywhere. */
template <typename T>
__device__ __forceinline__ float8 stats_load(const T *src, const float *factor, size_t pixel, size_t stride)
{
    float8 x = load8(src + pixel * stride);
    const float f = factor ? factor[pixel] : 1.0f;
    UNROLL
    for (int i = 0; i < 8; i++)
        x.v[i] *= f;
    return x;
}

template <typename T>
__global__ void __launch_bounds__(SPLIT_THREADS, STATS_BLOCKS) stats_kernel(struct stats_args a)
{
    DYN_SMEM(float, shared);
    const fused_view &v = a.op.src;
    const int group = (int)(blockIdx.z * blockDim.x + threadIdx.x), cells = v.h * v.w;
    const bool active = group * GPU_CHANNEL_BLOCK < v.c;
    const size_t image = (size_t)a.first_image + blockIdx.y, first = image * (size_t)cells,
                 stride = (size_t)v.stride;
    const T *src = static_cast<const T *>(v.data) + first * stride + (active ? group : 0) * GPU_CHANNEL_BLOCK;
    const float *factor = a.op.pixel ? a.op.pixel + first : nullptr;
    const float8 pilot = stats_load(src, factor, 0, stride);
    float sums[STATS_SUMS] = {};
    for (int round = 0; active && round < a.split.rounds; round++) {
        float8 x[STATS_UNROLL];
        UNROLL
        for (int u = 0; u < STATS_UNROLL; u++) {
            const int p = split_cell(&a.split, (int)blockIdx.x, (int)threadIdx.y, round * STATS_UNROLL + u);
            x[u] = p < cells ? stats_load(src, factor, (size_t)p, stride) : pilot;
        }
        UNROLL
        for (int u = 0; u < STATS_UNROLL; u++)
            UNROLL
            for (int i = 0; i < 8; i++) {
                const float d = x[u].v[i] - pilot.v[i];
                sums[i] += d;
                sums[8 + i] = fmaf(d, d, sums[8 + i]);
            }
    }
    if (!sums_gather<STATS_SUMS>(shared, sums, a.place))
        return;
    float *pilots = shared; /* [lanes * 8]; what the threads brought is no longer needed */
    if (threadIdx.y == 0)
        store8(pilots + threadIdx.x * 8, pilot);
    __syncthreads();
    norm_finish(a.op.norm, shared + blockDim.x * blockDim.y * SUMS_PAD(STATS_SUMS), pilots, v.c, image,
                1.0f / (float)cells);
}
