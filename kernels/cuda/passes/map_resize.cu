#include "kernels/cuda/passes/launch.h"

#include <cstdint>

#include "kernels/cuda/passes/map_resize_body.cuh"

int gpu_map_resize(const struct fused_map_resize *op, const struct gpu_place *at)
{
    const int invalid = 1, side = MAP_RESIZE_SIDE_MAX; /* cudaErrorInvalidValue */
    if ((op->resize != FUSED_CORNERS && op->resize != FUSED_HALF_PIXEL) || op->h > side || op->w > side ||
        op->to_h > side || op->to_w > side)
        return invalid;
    const bool vector = op->to_w % 4 == 0 && reinterpret_cast<uintptr_t>(op->dst) % 16 == 0;
    void (*const kernel)(struct fused_map_resize) =
        vector ? map_resize_kernel<true> : map_resize_kernel<false>;
    return LAUNCH(gpu_map_resize_launch(op), at->stream, kernel, *op);
}
