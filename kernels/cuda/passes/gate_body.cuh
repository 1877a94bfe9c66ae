/* gate_body.cuh - the spatial gate: factor = prior * sigmoid(conv 7x7 of point_factor * prior * point). */
#include "kernels/cuda/passes/kernels.h"
#include "kernels/cuda/passes/map_conv.cuh"
#include "kernels/cuda/passes/sigmoid.cuh"

struct gate_args {
    fused_gate op;
    const float *around;        /* prior as the neighbours read it: a copy where factor is written over it */
};

template <int ROWS>
__global__ void __launch_bounds__(MAP_TILE_W * MAP_THREADS_Y) gate_kernel(struct gate_args a)
{
    __shared__ map_shared<ROWS> m;
    const fused_gate &op = a.op;
    const size_t image = (size_t)blockIdx.y * (size_t)op.h * (size_t)op.w;
    const map_place p = map_place_of<ROWS>(op.w);
    map_fill<ROWS>(m, p, reinterpret_cast<const float2 *>(op.point) + image,
                   op.point_factor ? op.point_factor + image : nullptr, a.around ? a.around + image : nullptr,
                   op.weight, op.h, op.w);
    float sum[ROWS];
    map_sums<ROWS>(sum, m);
    const int x = p.x + (int)threadIdx.x, y = p.y + (int)threadIdx.y * ROWS;
    UNROLL
    for (int r = 0; r < ROWS; r++)
        if (x < op.w && y + r < op.h) {
            const size_t at = image + (size_t)(y + r) * (size_t)op.w + (size_t)x;
            op.factor[at] = (op.prior ? op.prior[at] : 1.0f) * sigmoid(sum[r]);
        }
}

struct gate_copy_args {
    const float *src;
    float *dst;
    int count;
};

__global__ void __launch_bounds__(GATE_COPY_THREADS) gate_copy_kernel(struct gate_copy_args a)
{
    for (int i = 0; i < 4; i++) {
        const int at = (int)((blockIdx.x * 4 + (unsigned)i) * GATE_COPY_THREADS + threadIdx.x);
        if (at < a.count)
            a.dst[at] = a.src[at];
    }
}
