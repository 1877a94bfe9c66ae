#include "kernels/cuda/passes/launch.h"

#include "kernels/cuda/passes/triplet_body.cuh"

int gpu_triplet(const struct fused_triplet *op, const struct gpu_place *at)
{
    const int rows = gpu_map_rows(op->h, op->w, at->limits);
    void (*const kernel)(struct fused_triplet) = rows == 1 ? triplet_kernel<1> : triplet_kernel<MAP_ROWS>;
    return LAUNCH(gpu_map_launch(op->n, op->h, op->w, rows), at->stream, kernel, *op);
}
