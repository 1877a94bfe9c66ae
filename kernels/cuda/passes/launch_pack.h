/* launch_pack.h - the launches of pack and unpack: a thread for each pixel and group of eight channels. */
#ifndef CUDA_LAUNCH_PACK_H
#define CUDA_LAUNCH_PACK_H

#include "kernels/cuda/passes/kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PACK_THREADS 256

/* Grid: pixels of an image, images, groups of channels. */
struct gpu_launch gpu_pack_launch(const struct fused_pack *op);
struct gpu_launch gpu_unpack_launch(const struct fused_unpack *op);

#ifdef __cplusplus
}
#endif

#endif
