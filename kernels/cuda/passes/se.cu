#include "kernels/cuda/passes/launch.h"

#include "kernels/cuda/passes/se_body.cuh"

int gpu_se(const struct fused_se *op, const struct gpu_place *at)
{
    return LAUNCH(gpu_se_launch(op), at->stream, se_kernel, *op);
}
