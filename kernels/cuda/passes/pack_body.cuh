/* pack_body.cuh - (N,C,H,W) f32 to NHWC and back: neighbours in a warp are neighbours in a plane. */
#include "kernels/cuda/passes/launch_pack.h"
#include "kernels/cuda/passes/storage.cuh"

/* Up to eight channels of a pixel: whole where the view allows it. c: channels that are there. */
template <typename T> __device__ __forceinline__ void pack_store(T *to, const float8 &x, int c, int stride)
{
    if (c >= 8 && stride % 8 == 0) {
        store8(to, x);
    } else if (c == 4 && stride % 4 == 0) {
        store4(to, make_float4(x.v[0], x.v[1], x.v[2], x.v[3]));
    } else {
        UNROLL
        for (int i = 0; i < 8; i++)
            if (i < c)
                to[i] = from_f32<T>(x.v[i]);
    }
}

template <typename T>
__global__ void __launch_bounds__(PACK_THREADS) pack_kernel(const __grid_constant__ fused_pack op)
{
    const fused_view &v = op.dst;
    const int plane = v.h * v.w, p = (int)(blockIdx.x * blockDim.x + threadIdx.x),
              first = (int)blockIdx.z * 8;
    if (p >= plane)
        return;
    const float *src =
        op.src + ((size_t)blockIdx.y * (size_t)op.c_real + (size_t)first) * (size_t)plane + (size_t)p;
    float8 x;
    UNROLL
    for (int i = 0; i < 8; i++)
        x.v[i] = first + i < op.c_real ? src[(size_t)i * (size_t)plane] : 0.0f;
    const size_t pixel = (size_t)blockIdx.y * (size_t)plane + (size_t)p;
    pack_store(static_cast<T *>(v.data) + pixel * (size_t)v.stride + (size_t)first, x, v.c - first, v.stride);
}

template <typename T>
__global__ void __launch_bounds__(PACK_THREADS) unpack_kernel(const __grid_constant__ fused_unpack op)
{
    const fused_view &v = op.src;
    const int plane = v.h * v.w, p = (int)(blockIdx.x * blockDim.x + threadIdx.x),
              first = (int)blockIdx.z * 8;
    if (p >= plane)
        return;
    const size_t pixel = (size_t)blockIdx.y * (size_t)plane + (size_t)p;
    const float8 x = load8(static_cast<const T *>(v.data) + pixel * (size_t)v.stride + (size_t)first);
    float *dst = op.dst +
                 ((size_t)blockIdx.y * (size_t)op.dst_c + (size_t)(op.first + first)) * (size_t)plane +
                 (size_t)p;
    UNROLL
    for (int i = 0; i < 8; i++)
        if (first + i < op.c_real)
            dst[(size_t)i * (size_t)plane] = x.v[i];
}
