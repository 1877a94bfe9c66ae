/* shim.h - stands in for the CUDA device language when a kernel is compiled by a C++ compiler (-DCUDA_SHIM),
 * so that it runs on the CPU, one fiber per thread (call.h). Not covered: tensor cores, asynchronous copies,
 * clusters, true races. A shuffle or warp barrier is for all threads of a warp; a function-like barrier is
 * known by its file and line. */
#ifndef CUDA_SHIM_SHIM_H
#define CUDA_SHIM_SHIM_H

#include <cmath>
#include <cstdint>
#include <cstring>

#include "kernels/cuda/shim/call.h"

#define __global__ static
#define __device__
#define __host__
#define __shared__ static
#define __constant__ static
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __grid_constant__
#define __restrict__ __restrict

struct shim_index { unsigned x, y, z; };
struct float2 { float x, y; };
struct alignas(16) float4 { float x, y, z, w; };
struct alignas(8)  uint2 { unsigned x, y; };
struct alignas(16) uint4 { unsigned x, y, z, w; };

extern shim_index threadIdx, blockIdx, blockDim, gridDim;
constexpr int warpSize = 32;

/* Dynamic shared memory of the block that runs, 0xCD before it starts. */
void *shim_shared();
/* Ends this fiber's turn until every thread of the block (of the warp) has come here. */
void shim_wait_block(const char *file, int line);
void shim_wait_warp(const char *file, int line);
/* The value that thread `lane` of this warp gave; bits of 32-bit values. A lane that does not exist: own
 * value. */
uint32_t shim_exchange(uint32_t bits, unsigned lane, const char *file, int line);

#define __syncthreads() shim_wait_block(__FILE__, __LINE__)
#define __syncwarp(...) shim_wait_warp(__FILE__, __LINE__)

inline unsigned shim_lane()
{
    return (threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z)) % 32;
}

template <typename T> T shim_shuffle(T value, unsigned lane, const char *file, int line)
{
    static_assert(sizeof(T) == 4, "shuffles exchange 32 bits");
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    bits = shim_exchange(bits, lane, file, line);
    std::memcpy(&value, &bits, sizeof bits);
    return value;
}

/* As in CUDA a lane outside the group of `width` gives the own value (xor, down) or wraps (plain). */
inline unsigned shim_lane_xor(unsigned mask, unsigned width)
{
    unsigned own = shim_lane(), lane = own ^ mask;
    return lane / width <= own / width ? lane : own;
}
inline unsigned shim_lane_down(unsigned delta, unsigned width)
{
    unsigned own = shim_lane(), lane = own + delta;
    return lane / width == own / width ? lane : own;
}
inline unsigned shim_lane_of(unsigned lane, unsigned width)
{
    return shim_lane() / width * width + lane % width;
}

#define SHIM_PICK_WIDTH(a, b, width, ...) (width)
#define SHIM_WIDTH(...) SHIM_PICK_WIDTH(__VA_ARGS__, 32, 0)
#define SHIM_LANE(how, ...) how(SHIM_FIRST(__VA_ARGS__, 0), SHIM_WIDTH(0, __VA_ARGS__))
#define SHIM_SHUFFLE(value, lane) shim_shuffle(value, lane, __FILE__, __LINE__)
#define __shfl_xor_sync(all, value, ...) SHIM_SHUFFLE(value, SHIM_LANE(shim_lane_xor, __VA_ARGS__))
#define __shfl_down_sync(all, value, ...) SHIM_SHUFFLE(value, SHIM_LANE(shim_lane_down, __VA_ARGS__))
#define __shfl_sync(all, value, ...) SHIM_SHUFFLE(value, SHIM_LANE(shim_lane_of, __VA_ARGS__))
#define SHIM_FIRST(first, ...) (unsigned)(first)

template <typename T> T atomicAdd(T *at, T value) { T old = *at; *at = old + value; return old; }
inline void __threadfence() {}
template <typename T> T __ldg(const T *at)  { return *at; }
template <typename T> T __ldcs(const T *at) { return *at; }
template <typename T> T __ldcg(const T *at) { return *at; }
template <typename T> void __stcs(T *at, T value) { *at = value; }
template <typename T> void __stcg(T *at, T value) { *at = value; }
inline float rsqrtf(float x) { return 1 / std::sqrt(x); }
inline float __expf(float x) { return std::exp(x); }
inline float __fdividef(float a, float b) { return a / b; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return { x, y, z, w }; }
inline uint2 make_uint2(unsigned x, unsigned y) { return { x, y }; }
inline float4 make_float4(float x, float y, float z, float w) { return { x, y, z, w }; }
inline float2 make_float2(float x, float y) { return { x, y }; }
inline float __uint_as_float(unsigned bits) { float f; std::memcpy(&f, &bits, sizeof f); return f; }
inline unsigned __float_as_uint(float f) { unsigned bits; std::memcpy(&bits, &f, sizeof bits); return bits; }
using std::fma;
template <typename T> constexpr T min(T a, T b) { return b < a ? b : a; }
template <typename T> constexpr T max(T a, T b) { return a < b ? b : a; }

#endif
