#include "kernels/cuda/passes/launch.h"

#include "kernels/cuda/passes/pack_body.cuh"

int gpu_pack(const struct fused_pack *op, const struct gpu_place *at)
{
    static void (*const kernels[])(fused_pack) = { pack_kernel<float>, pack_kernel<b16>, pack_kernel<h16> };
    return launch_kernel("pack", kernels[op->dst.type], gpu_pack_launch(op), at->stream, *op);
}

int gpu_unpack(const struct fused_unpack *op, const struct gpu_place *at)
{
    static void (*const kernels[])(fused_unpack) = { unpack_kernel<float>, unpack_kernel<b16>,
                                                     unpack_kernel<h16> };
    return launch_kernel("unpack", kernels[op->src.type], gpu_unpack_launch(op), at->stream, *op);
}
