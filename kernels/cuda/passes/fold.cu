#include "kernels/cuda/passes/launch.h"

#include "kernels/cuda/passes/launch_fold.h"

#include "kernels/cuda/passes/fold_body.cuh"

int gpu_fold(const struct gpu_fold *op, const struct gpu_place *at)
{
    void (*const kernel)(struct gpu_fold) = op->half == FUSED_F16 ? fold_kernel<h16> : fold_kernel<b16>;
    return LAUNCH(gpu_fold_launch(op), at->stream, kernel, *op);
}
