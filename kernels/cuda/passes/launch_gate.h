/* launch_gate.h - launches of the 7x7 convolutions over maps (gate and triplet). A block of 32 x 8 threads
 * makes a tile 32 wide and 8 * rows high of one image; blocks lie in x, images in y. */
#ifndef CUDA_LAUNCH_GATE_H
#define CUDA_LAUNCH_GATE_H

#include "kernels/cuda/passes/kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MAP_TILE_W 32
#define MAP_THREADS_Y 8
#define MAP_ROWS 4              /* of a thread on maps that fill the device; else 1 */
#define GATE_COPY_THREADS 256

int gpu_map_rows(int h, int w, const struct gpu_limits *limits); /* MAP_ROWS or 1: same results */
struct gpu_launch gpu_map_launch(int images, int h, int w, int rows);
struct gpu_launch gpu_gate_copy_launch(int h, int w);            /* of one image, 4 values a thread */

#ifdef __cplusplus
}
#endif

#endif
