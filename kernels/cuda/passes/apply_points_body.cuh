/* apply_points_body.cuh - what an apply makes of all channels of a pixel: their mean and maximum, a dot
 * product. The threads of a pixel lie in one warp; a thread takes the groups lane, lane + lanes, ... and
 * gathers by shuffles. */
#include "kernels/cuda/passes/apply_terms.cuh"

template <class K> struct point_turn {
    static constexpr int count = K::resized ? POINTS_UNROLL_RESIZED : POINTS_UNROLL;
    apply_spot spot[count];
    bool inside[count];
    float sum[count], top[count], dot[count];
};

template <class K>
__device__ __forceinline__ void points_start(point_turn<K> *t, const apply_args &a, size_t image, int chunk,
                                             int round)
{
    UNROLL
    for (int i = 0; i < point_turn<K>::count; i++) {
        const int cell = split_cell(&a.split, chunk, (int)threadIdx.y, round * point_turn<K>::count + i);
        apply_spot s = { image, min(cell, a.cells - 1), 0, 0, 0 };
        if (K::resized)
            s.y = divide(s.pixel, a.width, &s.x);
        t->spot[i] = s;
        t->inside[i] = cell < a.cells;
        t->sum[i] = t->dot[i] = 0;
        t->top[i] = -INFINITY;
    }
}

/* Adds eight channels of every pixel of the turn. */
template <class K>
__device__ __forceinline__ void points_add(point_turn<K> *t, const apply_args &a, int channel)
{
    apply_coefficients<K> k;
    coefficients_of<K>(&k, a, t->spot[0].image, channel);
    const float8 weight = coefficients_load(a.dot_weight, (size_t)channel, 0);
    UNROLL
    for (int i = 0; i < point_turn<K>::count; i++) {
        t->spot[i].channel = channel;
        const float8 y = apply_act<K>(a, apply_value<K>(a, k, t->spot[i]), channel);
        UNROLL
        for (int j = 0; j < 8; j++) {
            t->dot[i] = fmaf(weight.v[j], y.v[j], t->dot[i]);
            if (K::points) {
                t->sum[i] += y.v[j];
                t->top[i] = channel + j < a.c_real ? max_or_nan(t->top[i], y.v[j]) : t->top[i];
            }
        }
    }
}

/* Over the threads of each pixel; all threads of the block must come here. */
template <class K> __device__ __forceinline__ void points_gather(point_turn<K> *t)
{
    for (int step = (int)blockDim.x / 2; step; step /= 2)
        UNROLL
        for (int i = 0; i < point_turn<K>::count; i++) {
            t->dot[i] += __shfl_xor_sync(0xffffffffu, t->dot[i], step);
            if (K::points) {
                t->sum[i] += __shfl_xor_sync(0xffffffffu, t->sum[i], step);
                t->top[i] = max_or_nan(t->top[i], __shfl_xor_sync(0xffffffffu, t->top[i], step));
            }
        }
}

template <class K>
__global__ void __launch_bounds__(SPLIT_THREADS, K::blocks)
    apply_points_kernel(const __grid_constant__ apply_args a)
{
    const size_t image = (size_t)a.first_image + (gridDim.y - 1 - blockIdx.y);
    const int chunk = (int)(gridDim.x - 1 - blockIdx.x);
    for (int round = 0; round < a.split.rounds; round++) {
        point_turn<K> t;
        points_start<K>(&t, a, image, chunk, round);
        for (int channel = (int)threadIdx.x * 8; channel < a.c; channel += (int)blockDim.x * 8)
            points_add<K>(&t, a, channel);
        points_gather<K>(&t);
        UNROLL
        for (int i = 0; i < point_turn<K>::count; i++) {
            const size_t pixel = image * (size_t)a.cells + (size_t)t.spot[i].pixel;
            if (threadIdx.x != 0 || !t.inside[i])
                continue;
            if (!K::general || a.dot)
                a.dot[pixel] = a.dot_bias + t.dot[i];
            if (K::points && a.point)
                *reinterpret_cast<float2 *>(a.point + 2 * pixel) =
                    make_float2(t.sum[i] / (float)a.c_real, t.top[i]);
        }
    }
}
