/* sums.cuh - sums over the pixels of an image, channel by channel, by many blocks and in one fixed order:
 * each block leaves its sums in scratch, and the last one of an image and slice (which that is, an integer
 * ticket tells) adds them up. No floating-point atomics: results repeat bit for bit.
 *
 * Every thread brings COUNT sums of its group of eight channels (COUNT 8 or 16). Shared memory:
 * SUMS_PAD(COUNT) floats for each thread. Scratch: sums_floats per image. A ticket per image and slice. */
#ifndef CUDA_SUMS_CUH
#define CUDA_SUMS_CUH

#include "kernels/cuda/passes/launch_sums.h"
#include "kernels/cuda/passes/storage.cuh"

struct sums_place {
    float *part;                /* scratch: [image][slice][chunk][lanes][COUNT] */
    unsigned *tickets;          /* [image][slice], all zero */
    int chunks;
};

/* Column j of [lanes][COUNT] summed over the rows of the block; values lie in shared memory. */
template <int COUNT> __device__ __forceinline__ float sums_column(const float *shared, int j)
{
    const int lanes = (int)blockDim.x, rows = (int)blockDim.y;
    const float *at = shared + j / COUNT * SUMS_PAD(COUNT) + j % COUNT;
    float sum = at[0];
    for (int r = 1; r < rows; r++)
        sum += at[r * lanes * SUMS_PAD(COUNT)];
    return sum;
}

template <int COUNT> __device__ __forceinline__ void sums_put(float *shared, const float *value)
{
    float4 *to =
        reinterpret_cast<float4 *>(shared + (threadIdx.y * blockDim.x + threadIdx.x) * SUMS_PAD(COUNT));
    UNROLL
    for (int i = 0; i < COUNT / 4; i++)
        to[i] = make_float4(value[4 * i], value[4 * i + 1], value[4 * i + 2], value[4 * i + 3]);
}

/* Brings `value` of every thread of every block of this image and slice together. True in the last block, for
 * all its threads: then total[0 .. lanes * COUNT) of shared memory (float number lane * COUNT + i) holds the
 * sums. All threads of the block must come here. */
template <int COUNT>
__device__ __forceinline__ bool sums_gather(float *shared, float value[COUNT], const sums_place &place)
{
    const int lanes = (int)blockDim.x, rows = (int)blockDim.y, columns = lanes * COUNT;
    const int tid = (int)(threadIdx.y * blockDim.x + threadIdx.x), threads = lanes * rows;
    const size_t group = (size_t)blockIdx.y * gridDim.z + blockIdx.z;
    float *part = place.part + group * (size_t)place.chunks * (size_t)columns;
    sums_put<COUNT>(shared, value);
    __syncthreads();
    for (int j = tid; j < columns; j += threads)
        part[(size_t)blockIdx.x * (size_t)columns + (size_t)j] = sums_column<COUNT>(shared, j);
    __threadfence();
    __syncthreads();
    unsigned *ticket = reinterpret_cast<unsigned *>(shared);
    if (tid == 0)
        *ticket = atomicAdd(place.tickets + group, 1u);
    __syncthreads();
    const bool last = *ticket + 1 == (unsigned)place.chunks;
    __syncthreads();
    if (!last)
        return false;
    __threadfence();
    UNROLL
    for (int i = 0; i < COUNT; i++)
        value[i] = 0;
    for (int chunk = (int)threadIdx.y; chunk < place.chunks; chunk += rows) {
        const float4 *from =
            reinterpret_cast<const float4 *>(part + ((size_t)chunk * (size_t)lanes + threadIdx.x) * COUNT);
        UNROLL
        for (int i = 0; i < COUNT / 4; i++) {
            float4 x = __ldcg(from + i);
            value[4 * i] += x.x;
            value[4 * i + 1] += x.y;
            value[4 * i + 2] += x.z;
            value[4 * i + 3] += x.w;
        }
    }
    sums_put<COUNT>(shared, value);
    __syncthreads();
    float *total = shared + threads * SUMS_PAD(COUNT);
    for (int j = tid; j < columns; j += threads)
        total[j] = sums_column<COUNT>(shared, j);
    if (tid == 0)
        place.tickets[group] = 0;
    __syncthreads();
    return true;
}

#endif
