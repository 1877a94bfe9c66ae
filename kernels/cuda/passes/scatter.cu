#include "kernels/cuda/passes/launch.h"

#include "kernels/cuda/passes/scatter_body.cuh"

int gpu_scatter(const struct fused_scatter *op, const struct gpu_place *at)
{
    static void (*const kernels[])(scatter_args) = { scatter_kernel<false, float>, scatter_kernel<false, b16>,
                                                     scatter_kernel<false, h16> };
    const bool mixed = op->src.type != op->dst.type;
    scatter_args a = { *op, gpu_scatter_split(op, at->limits), divider_of(op->src.w) };
    return launch_kernel("scatter", mixed ? scatter_kernel<true, float> : kernels[op->src.type],
                         split_launch(&a.split, op->src.n, 0), at->stream, a);
}
