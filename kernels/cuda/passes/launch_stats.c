#include "kernels/cuda/passes/launch_stats.h"

struct pixel_split gpu_stats_split(const struct fused_stats *op, const struct gpu_limits *limits,
                                   enum gpu_shape shape)
{
    return split_for_sums(op->src.c / GPU_CHANNEL_BLOCK, op->src.h * op->src.w, STATS_UNROLL, limits, shape);
}

struct gpu_launch gpu_stats_launch(const struct pixel_split *split, int images)
{
    return split_launch(split, images, sums_shared_bytes(split, STATS_SUMS));
}

size_t gpu_stats_scratch(const struct fused_stats *op, const struct gpu_limits *limits, enum gpu_shape shape)
{
    struct pixel_split split = gpu_stats_split(op, limits, shape);
    return (size_t)sums_images(&split, op->src.n) * sums_scratch_bytes(&split, STATS_SUMS);
}
