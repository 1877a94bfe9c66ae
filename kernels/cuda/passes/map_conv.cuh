/* map_conv.cuh - the 7x7 convolution of a map of pairs (mean, maximum), zeros around it, directly: a block
 * has a tile of launch_gate.h and its surroundings in shared memory; a thread makes `ROWS` values, one below
 * the other, so that what it reads serves up to seven times. */
#ifndef CUDA_MAP_CONV_CUH
#define CUDA_MAP_CONV_CUH

#include "kernels/cuda/passes/launch.h"
#include "kernels/cuda/passes/launch_gate.h"

#define MAP_REACH 3
#define MAP_TAPS 7

template <int ROWS> struct map_shared {
    enum { W = MAP_TILE_W + 2 * MAP_REACH, H = MAP_THREADS_Y * ROWS + 2 * MAP_REACH };
    float plane[2][H][W];
    float weight[2][MAP_TAPS][MAP_TAPS];
};

/* This block's tile of image blockIdx.y: its first column and row. */
struct map_place { int x, y; };

template <int ROWS> __device__ __forceinline__ map_place map_place_of(int w)
{
    const int nx = (w + MAP_TILE_W - 1) / MAP_TILE_W, tile = (int)blockIdx.x;
    return { tile % nx * MAP_TILE_W, tile / nx * MAP_THREADS_Y * ROWS };
}

/* first * second * point of the tile; first, second [h][w] may be NULL. Ends with a barrier. */
template <int ROWS>
__device__ __forceinline__ void map_fill(map_shared<ROWS> &m, const map_place &p, const float2 *point,
                                         const float *first, const float *second, const float *weight, int h,
                                         int w)
{
    const int tid = (int)(threadIdx.y * blockDim.x + threadIdx.x), threads = MAP_TILE_W * MAP_THREADS_Y;
    for (int i = tid; i < map_shared<ROWS>::H * map_shared<ROWS>::W; i += threads) {
        const int y = p.y - MAP_REACH + i / map_shared<ROWS>::W,
                  x = p.x - MAP_REACH + i % map_shared<ROWS>::W;
        float2 q = make_float2(0, 0);
        if (y >= 0 && y < h && x >= 0 && x < w) {
            const size_t at = (size_t)y * (size_t)w + (size_t)x;
            const float factor = (first ? first[at] : 1.0f) * (second ? second[at] : 1.0f);
            q = point[at];
            q = make_float2(q.x * factor, q.y * factor);
        }
        (&m.plane[0][0][0])[i] = q.x;
        (&m.plane[1][0][0])[i] = q.y;
    }
    for (int i = tid; i < 2 * MAP_TAPS * MAP_TAPS; i += threads)
        (&m.weight[0][0][0])[i] = weight[i];
    __syncthreads();
}

/* sum[r] of column threadIdx.x, row threadIdx.y * ROWS + r of the tile */
template <int ROWS> __device__ __forceinline__ void map_sums(float *sum, const map_shared<ROWS> &m)
{
    UNROLL
    for (int r = 0; r < ROWS; r++)
        sum[r] = 0;
    for (int plane = 0; plane < 2; plane++) {
        ROLLED
        for (int kx = 0; kx < MAP_TAPS; kx++) {
            float v[ROWS + MAP_TAPS - 1];
            UNROLL
            for (int i = 0; i < ROWS + MAP_TAPS - 1; i++)
                v[i] = m.plane[plane][(int)threadIdx.y * ROWS + i][(int)threadIdx.x + kx];
            UNROLL
            for (int ky = 0; ky < MAP_TAPS; ky++) {
                const float weight = m.weight[plane][ky][kx];
                UNROLL
                for (int r = 0; r < ROWS; r++)
                    sum[r] = fmaf(weight, v[r + ky], sum[r]);
            }
        }
    }
}

#endif
