/* storage.cuh - the storage types and eight channels at a time: T is float, b16 (bfloat16) or h16 (IEEE
 * half), all arithmetic is f32. A group of eight is 16 bytes aligned in memory (32 for float: two accesses).
 * `_once`: memory that is not looked at again soon (past the caches). */
#ifndef CUDA_STORAGE_CUH
#define CUDA_STORAGE_CUH

#include "kernels/cuda/passes/launch.h"
#include "kernels/lower/fused.h"

#ifndef __CUDA_ARCH__
#include "kernels/base/half.h"
#endif

struct b16 { unsigned short bits; };
struct h16 { unsigned short bits; };

struct float8 { float v[8]; };

/* --- one value ----------------------------------------------------------------------------------- */

__host__ __device__ __forceinline__ float to_f32(float x) { return x; }
__host__ __device__ __forceinline__ float to_f32(b16 x)
{
#ifdef __CUDA_ARCH__
    return __uint_as_float((unsigned)x.bits << 16);
#else
    return f32_of_bf16(x.bits);
#endif
}
__host__ __device__ __forceinline__ float to_f32(h16 x)
{
#ifdef __CUDA_ARCH__
    float f;
    asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"(x.bits));
    return f;
#else
    return f32_of_f16(x.bits);
#endif
}

/* Nearest even; from_f32<T>(x) for the T asked for. */
template <typename T> __host__ __device__ __forceinline__ T from_f32(float x);
template <> __host__ __device__ __forceinline__ float from_f32<float>(float x) { return x; }
template <> __host__ __device__ __forceinline__ b16 from_f32<b16>(float x)
{
#if !defined(__CUDA_ARCH__)
    return { bf16_of_f32(x) };
#elif __CUDA_ARCH__ >= 800
    b16 r;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(r.bits) : "f"(x));
    return r;
#else
    unsigned bits = __float_as_uint(x);
    bits = (bits & 0x7fffffffu) > 0x7f800000u ? 0x7fff0000u : bits + 0x7fffu + ((bits >> 16) & 1u);
    return { (unsigned short)(bits >> 16) };
#endif
}
template <> __host__ __device__ __forceinline__ h16 from_f32<h16>(float x)
{
#ifdef __CUDA_ARCH__
    h16 r;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(r.bits) : "f"(x));
    return r;
#else
    return { f16_of_f32(x) };
#endif
}

/* --- two values in one register: the first in the lower half ------------------------------------- */

template <typename T> __host__ __device__ __forceinline__ void unpack2(unsigned two, float &a, float &b)
{
    a = to_f32(T{ (unsigned short)(two & 0xffffu) });
    b = to_f32(T{ (unsigned short)(two >> 16) });
}

template <typename T> __host__ __device__ __forceinline__ unsigned pack2(float a, float b)
{
    return (unsigned)from_f32<T>(a).bits | (unsigned)from_f32<T>(b).bits << 16;
}
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
template <> __device__ __forceinline__ unsigned pack2<b16>(float a, float b)
{
    unsigned two;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(two) : "f"(b), "f"(a));
    return two;
}
template <> __device__ __forceinline__ unsigned pack2<h16>(float a, float b)
{
    unsigned two;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(two) : "f"(b), "f"(a));
    return two;
}
#endif

/* --- eight channels ------------------------------------------------------------------------------ */

template <typename T> __device__ __forceinline__ float8 unpack8(uint4 x)
{
    float8 r;
    unpack2<T>(x.x, r.v[0], r.v[1]);
    unpack2<T>(x.y, r.v[2], r.v[3]);
    unpack2<T>(x.z, r.v[4], r.v[5]);
    unpack2<T>(x.w, r.v[6], r.v[7]);
    return r;
}
template <typename T> __device__ __forceinline__ uint4 pack8(const float8 &x)
{
    return make_uint4(pack2<T>(x.v[0], x.v[1]), pack2<T>(x.v[2], x.v[3]), pack2<T>(x.v[4], x.v[5]),
                      pack2<T>(x.v[6], x.v[7]));
}
__device__ __forceinline__ float8 float8_of(float4 a, float4 b)
{
    return { { a.x, a.y, a.z, a.w, b.x, b.y, b.z, b.w } };
}
__device__ __forceinline__ float8 float8_all(float x) { return { { x, x, x, x, x, x, x, x } }; }

__device__ __forceinline__ float8 load8(const float *at)
{
    const float4 *p = reinterpret_cast<const float4 *>(at);
    return float8_of(p[0], p[1]);
}
__device__ __forceinline__ float8 load8(const b16 *at)
{
    return unpack8<b16>(*reinterpret_cast<const uint4 *>(at));
}
__device__ __forceinline__ float8 load8(const h16 *at)
{
    return unpack8<h16>(*reinterpret_cast<const uint4 *>(at));
}

__device__ __forceinline__ void store8(float *at, const float8 &x)
{
    float4 *p = reinterpret_cast<float4 *>(at);
    p[0] = make_float4(x.v[0], x.v[1], x.v[2], x.v[3]);
    p[1] = make_float4(x.v[4], x.v[5], x.v[6], x.v[7]);
}
__device__ __forceinline__ void store8(b16 *at, const float8 &x)
{
    *reinterpret_cast<uint4 *>(at) = pack8<b16>(x);
}
__device__ __forceinline__ void store8(h16 *at, const float8 &x)
{
    *reinterpret_cast<uint4 *>(at) = pack8<h16>(x);
}

/* Four channels at a multiple of 8 bytes (16 for float). */
__device__ __forceinline__ void store4(float *at, float4 x) { *reinterpret_cast<float4 *>(at) = x; }
__device__ __forceinline__ void store4(b16 *at, float4 x)
{
    *reinterpret_cast<uint2 *>(at) = make_uint2(pack2<b16>(x.x, x.y), pack2<b16>(x.z, x.w));
}
__device__ __forceinline__ void store4(h16 *at, float4 x)
{
    *reinterpret_cast<uint2 *>(at) = make_uint2(pack2<h16>(x.x, x.y), pack2<h16>(x.z, x.w));
}

__device__ __forceinline__ void store8_once(float *at, const float8 &x)
{
    float4 *p = reinterpret_cast<float4 *>(at);
    __stcs(p, make_float4(x.v[0], x.v[1], x.v[2], x.v[3]));
    __stcs(p + 1, make_float4(x.v[4], x.v[5], x.v[6], x.v[7]));
}
__device__ __forceinline__ void store8_once(b16 *at, const float8 &x)
{
    __stcs(reinterpret_cast<uint4 *>(at), pack8<b16>(x));
}
__device__ __forceinline__ void store8_once(h16 *at, const float8 &x)
{
    __stcs(reinterpret_cast<uint4 *>(at), pack8<h16>(x));
}

/* Of type T or, if MIXED, of the one that `type` says. */
template <bool MIXED, typename T>
__device__ __forceinline__ float8 typed_load(const void *base, enum fused_type type, size_t at)
{
    if (!MIXED)
        return load8(static_cast<const T *>(base) + at);
    if (type == FUSED_F32)
        return load8(static_cast<const float *>(base) + at);
    return type == FUSED_BF16 ? load8(static_cast<const b16 *>(base) + at)
                              : load8(static_cast<const h16 *>(base) + at);
}

template <bool MIXED, typename T>
__device__ __forceinline__ void typed_store(void *base, enum fused_type type, size_t at, const float8 &x)
{
    if (!MIXED)
        store8(static_cast<T *>(base) + at, x);
    else if (type == FUSED_F32)
        store8(static_cast<float *>(base) + at, x);
    else if (type == FUSED_BF16)
        store8(static_cast<b16 *>(base) + at, x);
    else
        store8(static_cast<h16 *>(base) + at, x);
}

#endif
