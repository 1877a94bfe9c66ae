/* map_norm_body.cuh - norm of maps, one value per pixel: dst = act(gamma * (src - m) / sqrt(v + 1e-5) +
 * beta), m and v of each image. Sums are shifted by the image's first value. VECTOR: images begin at 16
 * bytes. */
#include "kernels/cuda/passes/kernels.h"
#include "kernels/cuda/passes/launch_map_norm.h"
#include "kernels/cuda/passes/sigmoid.cuh"

struct map_norm_args {
    fused_map_norm op;
    int chunks, chunk_values;
    float2 *part;               /* scratch [n][chunks] */
    float *pilot;               /* scratch [n] */
};

/* x[0 .. 4) of values at .. of an image; those from `end` on are `otherwise`. */
template <bool VECTOR>
__device__ __forceinline__ void map_load4(float *x, const float *src, int at, int end, float otherwise)
{
    if (VECTOR && at < end) {
        const float4 four = *reinterpret_cast<const float4 *>(src + at);
        x[0] = four.x, x[1] = four.y, x[2] = four.z, x[3] = four.w;
        return;
    }
    UNROLL
    for (int i = 0; i < 4; i++)
        x[i] = at + i < end ? src[at + i] : otherwise;
}

__device__ __forceinline__ float2 map_warp_sum(float2 s)
{
    UNROLL
    for (int step = 16; step; step /= 2) {
        s.x += __shfl_xor_sync(0xffffffffu, s.x, step);
        s.y += __shfl_xor_sync(0xffffffffu, s.y, step);
    }
    return s;
}

/* Sums of chunk blockIdx.x of image blockIdx.y. */
template <bool VECTOR>
__global__ void __launch_bounds__(MAP_NORM_THREADS) map_sums_kernel(struct map_norm_args a)
{
    __shared__ float2 warps[MAP_NORM_THREADS / 32];
    const int tid = (int)threadIdx.x, pixels = a.op.h * a.op.w;
    const int from = (int)blockIdx.x * a.chunk_values, end = min(pixels, from + a.chunk_values);
    const float *src = a.op.src + (size_t)blockIdx.y * (size_t)pixels;
    const float pilot = src[0];
    float2 sum = make_float2(0, 0);
    for (int at = from + 4 * tid; at < end; at += 4 * MAP_NORM_THREADS) {
        float x[4];
        map_load4<VECTOR>(x, src, at, end, pilot);
        UNROLL
        for (int i = 0; i < 4; i++) {
            const float d = x[i] - pilot;
            sum = make_float2(sum.x + d, fmaf(d, d, sum.y));
        }
    }
    sum = map_warp_sum(sum);
    if (tid % 32 == 0)
        warps[tid / 32] = sum;
    __syncthreads();
    if (tid == 0) {
        for (int i = 1; i < MAP_NORM_THREADS / 32; i++)
            sum = make_float2(sum.x + warps[i].x, sum.y + warps[i].y);
        a.part[(size_t)blockIdx.y * (size_t)a.chunks + blockIdx.x] = sum;
        if (blockIdx.x == 0)
            a.pilot[blockIdx.y] = pilot;
    }
}

/* Scale and shift of image blockIdx.y, by the first warp; complete in the first thread. */
__device__ __forceinline__ float2 map_coefficients(const map_norm_args &a)
{
    float2 sum = make_float2(0, 0);
    for (int i = (int)threadIdx.x; i < a.chunks; i += 32) {
        const float2 part = a.part[(size_t)blockIdx.y * (size_t)a.chunks + (size_t)i];
        sum = make_float2(sum.x + part.x, sum.y + part.y);
    }
    sum = map_warp_sum(sum);
    const float share = 1.0f / ((float)a.op.h * (float)a.op.w), offset = sum.x * share;
    const float variance = fmaf(-offset, offset, sum.y * share);
    const float scale = a.op.gamma / sqrtf((variance < 0 ? 0 : variance) + FUSED_NORM_EPS);
    return make_float2(scale, a.op.beta - (a.pilot[blockIdx.y] + offset) * scale);
}

__device__ __forceinline__ float map_act(float x, enum fused_act act)
{
    return act == FUSED_SIGMOID ? sigmoid(x) : act == FUSED_RELU && x < 0 ? 0 : x;
}

/* Values [blockIdx.x * MAP_NORM_THREADS * MAP_NORM_VALUES, ...) of image blockIdx.y. */
template <bool VECTOR>
__global__ void __launch_bounds__(MAP_NORM_THREADS) map_norm_kernel(struct map_norm_args a)
{
    __shared__ float2 shared_coefficients;
    const int pixels = a.op.h * a.op.w;
    if (a.op.normalise && threadIdx.x < 32) {
        const float2 mine = map_coefficients(a);
        if (threadIdx.x == 0)
            shared_coefficients = mine;
    }
    __syncthreads();
    const float2 k = a.op.normalise ? shared_coefficients : make_float2(1, 0);
    const size_t image = (size_t)blockIdx.y * (size_t)pixels;
    const int first = (int)(blockIdx.x * (MAP_NORM_THREADS * MAP_NORM_VALUES) + 4 * threadIdx.x);
    UNROLL
    for (int group = 0; group < MAP_NORM_VALUES / 4; group++) {
        const int at = first + group * 4 * MAP_NORM_THREADS;
        float x[4];
        map_load4<VECTOR>(x, a.op.src + image, at, pixels, 0);
        UNROLL
        for (int i = 0; i < 4; i++)
            x[i] = map_act(fmaf(x[i], k.x, k.y), a.op.act);
        if (VECTOR && at < pixels)
            *reinterpret_cast<float4 *>(a.op.dst + image + at) = make_float4(x[0], x[1], x[2], x[3]);
        UNROLL
        for (int i = 0; i < 4; i++)
            if (!VECTOR && at + i < pixels)
                a.op.dst[image + (size_t)(at + i)] = x[i];
    }
}
