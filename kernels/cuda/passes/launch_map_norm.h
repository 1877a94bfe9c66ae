/* launch_map_norm.h - the launches of the norm of maps: sums over `chunks` pieces of each image, then the
 * norm itself, where every block adds the sums of its image up again. Chunks depend on one image's size only.
 * Scratch: [n][chunks][2] sums of x - pilot and of its square, then [n] pilots (the first value of each
 * image). */
#ifndef CUDA_LAUNCH_MAP_NORM_H
#define CUDA_LAUNCH_MAP_NORM_H

#include "kernels/cuda/passes/kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MAP_NORM_THREADS 256
#define MAP_NORM_CHUNKS 128     /* at most */
#define MAP_NORM_VALUES 16      /* of a thread of the second launch, in groups of four */

int gpu_map_norm_chunks(const struct fused_map_norm *op);
/* Values [chunk * result, (chunk + 1) * result) of an image, a multiple of four. */
int gpu_map_norm_chunk_values(const struct fused_map_norm *op);
struct gpu_launch gpu_map_sums_launch(const struct fused_map_norm *op);
struct gpu_launch gpu_map_norm_launch(const struct fused_map_norm *op);

#ifdef __cplusplus
}
#endif

#endif
