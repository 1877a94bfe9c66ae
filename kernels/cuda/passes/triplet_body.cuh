/* triplet_body.cuh - triplet attention: factor = prior * a_h * a_w * a_p, a number of the row, one of the
 * column and one of a 7x7 convolution. */
#include "kernels/cuda/passes/kernels.h"
#include "kernels/cuda/passes/map_conv.cuh"
#include "kernels/cuda/passes/sigmoid.cuh"

__device__ __forceinline__ float triplet_line(float2 line, const float weight[2])
{
    return sigmoid(fmaf(weight[0], line.x, weight[1] * line.y));
}

template <int ROWS>
__global__ void __launch_bounds__(MAP_TILE_W * MAP_THREADS_Y) triplet_kernel(struct fused_triplet op)
{
    __shared__ map_shared<ROWS> m;
    const size_t n = blockIdx.y, image = n * (size_t)op.h * (size_t)op.w;
    const map_place p = map_place_of<ROWS>(op.w);
    map_fill<ROWS>(m, p, reinterpret_cast<const float2 *>(op.point) + image, nullptr, nullptr,
                   op.point_weight, op.h, op.w);
    float sum[ROWS];
    map_sums<ROWS>(sum, m);
    const int x = p.x + (int)threadIdx.x, y = p.y + (int)threadIdx.y * ROWS;
    if (x >= op.w)
        return;
    const float2 *rows = reinterpret_cast<const float2 *>(op.row) + n * (size_t)op.h;
    const float column = triplet_line(
        reinterpret_cast<const float2 *>(op.column)[n * (size_t)op.w + (size_t)x], op.column_weight);
    UNROLL
    for (int r = 0; r < ROWS; r++)
        if (y + r < op.h) {
            const size_t at = image + (size_t)(y + r) * (size_t)op.w + (size_t)x;
            const float gate = sigmoid(sum[r]) * triplet_line(rows[y + r], op.row_weight) * column;
            op.factor[at] = (op.prior ? op.prior[at] : 1.0f) * gate;
        }
}
