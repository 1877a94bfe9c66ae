/* launch_se.h - the launch of squeeze-excite's two products: a block for each image; dynamic shared memory
 * holds the hidden values. */
#ifndef CUDA_LAUNCH_SE_H
#define CUDA_LAUNCH_SE_H

#include "kernels/cuda/passes/kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SE_THREADS 512
#define SE_LANES 8              /* threads of one channel's dot product over the hidden values */

struct gpu_launch gpu_se_launch(const struct fused_se *op);

#ifdef __cplusplus
}
#endif

#endif
