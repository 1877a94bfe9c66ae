/* launch_map_resize.h - the launch of the bilinear resize of maps: a block of 32 x 8 threads makes a tile of
 * 128 x 8 values of one image, a thread four neighbours of a row. */
#ifndef CUDA_LAUNCH_MAP_RESIZE_H
#define CUDA_LAUNCH_MAP_RESIZE_H

#include "kernels/cuda/passes/kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MAP_RESIZE_THREADS_X 32
#define MAP_RESIZE_THREADS_Y 8
#define MAP_RESIZE_SIDE_MAX 32768 /* of src and dst: positions are exact in 32 bits up to here */

struct gpu_launch gpu_map_resize_launch(const struct fused_map_resize *op);

#ifdef __cplusplus
}
#endif

#endif
