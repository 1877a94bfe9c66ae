/* apply_body.cuh - sum of terms and activation, with what is taken from them in the same pass: the tensor
 * itself, its 2 x 2 maximum, the mean of each channel or the coefficients of a norm. Blocks start at the end
 * of the tensor: what the convolution before wrote last is still in the cache, and what the next one reads
 * first will be. */
#include "kernels/cuda/passes/apply_terms.cuh"
#include "kernels/cuda/passes/norm.cuh"
#include "kernels/cuda/passes/sums.cuh"

/* The pixels of one turn of a thread: `unroll` of them, or the four of a square, upper row first. */
template <class K> struct apply_turn {
    static constexpr int count = K::square ? 4 : K::unroll;
    apply_spot spot[count];     /* a pixel beyond the image is its last one */
    bool inside[count];
};

template <class K>
__device__ __forceinline__ void turn_of(apply_turn<K> *t, const apply_args &a, size_t image, int channel,
                                        int chunk, int round)
{
    UNROLL
    for (int i = 0; i < apply_turn<K>::count; i++) {
        const int cell =
            split_cell(&a.split, chunk, (int)threadIdx.y, K::square ? round : round * K::unroll + i);
        apply_spot s = { image, min(cell, a.cells - 1), 0, 0, channel };
        bool inside = cell < a.cells;
        if (K::square || K::resized)
            s.y = divide(s.pixel, a.width, &s.x);
        if (K::square) {
            const int y = 2 * s.y + i / 2, x = 2 * s.x + i % 2;
            inside = inside && y < a.h && x < a.w;
            s.y = min(y, a.h - 1);
            s.x = min(x, a.w - 1);
            s.pixel = s.y * a.w + s.x;
        }
        t->spot[i] = s;
        t->inside[i] = inside;
    }
}

/* Maximum of the four pixels of a square that lies inside whole. */
template <class K>
__device__ __forceinline__ void pool_store(const apply_args &a, const apply_turn<K> &t, const float8 *y)
{
    constexpr int last = apply_turn<K>::count - 1;
    if (!K::square || !t.inside[0] || !t.inside[last])
        return;
    float8 top = y[0];
    UNROLL
    for (int i = 1; i <= last; i++)
        UNROLL
        for (int j = 0; j < 8; j++)
            top.v[j] = max_or_nan(top.v[j], y[i].v[j]);
    const apply_spot &s = t.spot[0];
    const size_t pixel =
        (s.image * (size_t)a.pool.h + (size_t)(s.y / 2)) * (size_t)a.pool.w + (size_t)(s.x / 2);
    typed_store<K::mixed, typename K::T>(a.pool.data, a.pool.type,
                                         pixel * (size_t)a.pool.stride + (size_t)s.channel, top);
}

/* One turn: the values, what is written of them, and their sums. */
template <class K>
__device__ __forceinline__ void turn_run(float *sums, const apply_args &a, const apply_turn<K> &t,
                                         const apply_coefficients<K> &k, const float8 &pilot)
{
    constexpr int count = apply_turn<K>::count;
    float8 y[count];
    UNROLL
    for (int i = 0; i < count; i++)
        y[i] = apply_value<K>(a, k, t.spot[i]);
    UNROLL
    for (int i = 0; i < count; i++) {
        const apply_spot &s = t.spot[i];
        if (K::sums == APPLY_NORM_SUMS) {
            UNROLL
            for (int j = 0; j < 8; j++) {
                const float d = t.inside[i] ? y[i].v[j] - pilot.v[j] : 0.0f;
                sums[j] += d;
                sums[8 + j] = fmaf(d, d, sums[8 + j]);
            }
            continue;
        }
        y[i] = apply_act<K>(a, y[i], s.channel);
        if (t.inside[i] && (!K::general || a.dst.data)) {
            const size_t pixel = s.image * (size_t)a.h * (size_t)a.w + (size_t)s.pixel;
            typed_store<K::mixed, typename K::T>(a.dst.data, a.dst.type,
                                                 pixel * (size_t)a.dst.stride + (size_t)s.channel, y[i]);
        }
        if (K::sums == APPLY_MEAN)
            UNROLL
            for (int j = 0; j < 8; j++)
                sums[j] += t.inside[i] ? y[i].v[j] : 0.0f;
    }
    pool_store<K>(a, t, y);
}

/* Sums of all blocks of an image to its coefficients or means. */
template <class K, int COUNT>
__device__ __forceinline__ void sums_finish(float *shared, float *sums, const apply_args &a, size_t image,
                                            const float8 &pilot)
{
    const sums_place place = { a.part, a.tickets, a.split.chunks };
    if (!sums_gather<COUNT>(shared, sums, place))
        return;
    const float *total = shared + blockDim.x * blockDim.y * SUMS_PAD(COUNT),
                share = 1.0f / (float)(a.h * a.w);
    if (K::sums == APPLY_NORM_SUMS) {
        if (threadIdx.y == 0)
            store8(shared + threadIdx.x * 8, pilot);
        __syncthreads();
        norm_finish(a.norm, total, shared, a.c, image, share);
    } else {
        const int lanes = (int)blockDim.x, first = (int)blockIdx.z * lanes * 8;
        const int tid = (int)(threadIdx.y * blockDim.x + threadIdx.x), threads = lanes * (int)blockDim.y;
        for (int j = tid; j < lanes * 8 && first + j < a.c; j += threads)
            a.channel_mean[image * (size_t)a.c + (size_t)(first + j)] = total[j] * share;
    }
}

template <class K>
__global__ void __launch_bounds__(SPLIT_THREADS, K::blocks) apply_kernel(const __grid_constant__ apply_args a)
{
    const int channel = (int)(blockIdx.z * blockDim.x + threadIdx.x) * 8;
    const bool active = channel < a.c;
    const size_t image = (size_t)a.first_image + (gridDim.y - 1 - blockIdx.y);
    const int chunk = (int)(gridDim.x - 1 - blockIdx.x);
    apply_coefficients<K> k;
    coefficients_of<K>(&k, a, image, active ? channel : 0);
    constexpr int count = K::sums == APPLY_NORM_SUMS ? 16 : 8;
    float sums[count] = {};
    float8 pilot = float8_all(0);
    if (K::sums == APPLY_NORM_SUMS)
        pilot = apply_value<K>(a, k, { image, 0, 0, 0, active ? channel : 0 });
    for (int round = 0; active && round < a.split.rounds; round++) {
        apply_turn<K> t;
        turn_of<K>(&t, a, image, channel, chunk, round);
        turn_run<K>(sums, a, t, k, pilot);
    }
    if (K::sums != APPLY_NO_SUMS) {
        DYN_SMEM(float, shared);
        sums_finish<K, count>(shared, sums, a, image, pilot);
    }
}
