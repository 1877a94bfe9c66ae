#include "kernels/cuda/passes/launch_scatter.h"

struct pixel_split gpu_scatter_split(const struct fused_scatter *op, const struct gpu_limits *limits)
{
    const struct fused_view *v = &op->src;
    return split_for_values(v->c / GPU_CHANNEL_BLOCK, v->h * v->w, SCATTER_UNROLL, v->n, limits, GPU_SHAPE_EVEN);
}

size_t gpu_scatter_scratch(const struct fused_scatter *op, const struct gpu_limits *limits)
{
    (void)op;
    (void)limits;
    return 0;
}
