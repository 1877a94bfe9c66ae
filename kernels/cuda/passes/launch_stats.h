/* launch_stats.h - the launch of the statistics. */
#ifndef CUDA_LAUNCH_STATS_H
#define CUDA_LAUNCH_STATS_H

#include "kernels/cuda/passes/launch_sums.h"

#ifdef __cplusplus
extern "C" {
#endif

#define STATS_UNROLL 4
#define STATS_SUMS 16                   /* of x and of x^2, eight channels */

struct pixel_split gpu_stats_split(const struct fused_stats *op, const struct gpu_limits *limits,
                                   enum gpu_shape shape);
struct gpu_launch gpu_stats_launch(const struct pixel_split *split, int images);

#ifdef __cplusplus
}
#endif

#endif
