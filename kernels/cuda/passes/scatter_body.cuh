/* scatter_body.cuh - the pixels of a 2x2 transposed convolution that was computed as a product, put in order:
 * a thread keeps to one tap and eight channels, reads whole pixels of src in order and writes runs of dst. */
#include "kernels/cuda/passes/coords.cuh"
#include "kernels/cuda/passes/launch_scatter.h"
#include "kernels/cuda/passes/storage.cuh"

struct scatter_args {
    fused_scatter op;
    pixel_split split;
    divider width;
};

template <bool MIXED, typename T>
__global__ void __launch_bounds__(SPLIT_THREADS) scatter_kernel(const __grid_constant__ scatter_args a)
{
    const fused_view &in = a.op.src, &out = a.op.dst;
    const int first = (int)(blockIdx.z * blockDim.x + threadIdx.x) * 8, cells = in.h * in.w;
    if (first >= in.c)
        return;
    const int tap = first / out.c, channel = first - tap * out.c;
    const float8 bias = a.op.bias ? load8(a.op.bias + channel) : float8_all(0);
    ROLLED
    for (int round = 0; round < a.split.rounds; round++) {
        int p[SCATTER_UNROLL];
        float8 x[SCATTER_UNROLL];
        UNROLL
        for (int u = 0; u < SCATTER_UNROLL; u++) {
            p[u] = split_cell(&a.split, (int)blockIdx.x, (int)threadIdx.y, round * SCATTER_UNROLL + u);
            const size_t pixel = (size_t)blockIdx.y * (size_t)cells + (size_t)min(p[u], cells - 1);
            x[u] = typed_load<MIXED, T>(in.data, in.type, pixel * (size_t)in.stride + (size_t)first);
        }
        UNROLL
        for (int u = 0; u < SCATTER_UNROLL; u++) {
            int column, row = divide(min(p[u], cells - 1), a.width, &column);
            row = 2 * row + tap / 2;
            column = 2 * column + tap % 2;
            const size_t pixel =
                ((size_t)blockIdx.y * (size_t)out.h + (size_t)row) * (size_t)out.w + (size_t)column;
            UNROLL
            for (int j = 0; j < 8; j++)
                x[u].v[j] += bias.v[j];
            if (p[u] < cells)
                typed_store<MIXED, T>(out.data, out.type, pixel * (size_t)out.stride + (size_t)channel, x[u]);
        }
    }
}
