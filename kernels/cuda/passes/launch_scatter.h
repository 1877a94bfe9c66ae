/* launch_scatter.h - the launch of the scatter: cells are pixels of src, groups its 4 K channels. */
#ifndef CUDA_LAUNCH_SCATTER_H
#define CUDA_LAUNCH_SCATTER_H

#include "kernels/cuda/passes/kernels.h"
#include "kernels/cuda/passes/split.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SCATTER_UNROLL 2

struct pixel_split gpu_scatter_split(const struct fused_scatter *op, const struct gpu_limits *limits);

#ifdef __cplusplus
}
#endif

#endif
