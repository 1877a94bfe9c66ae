/* launch_row_softmax.h - the launch of softmax over rows: a block for each row, as many threads as it has
 * groups of four values, 32 to 256. */
#ifndef CUDA_LAUNCH_ROW_SOFTMAX_H
#define CUDA_LAUNCH_ROW_SOFTMAX_H

#include "kernels/cuda/passes/kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ROW_SOFTMAX_THREADS 256 /* at most */

struct gpu_launch gpu_row_softmax_launch(const struct gpu_row_softmax *op);

#ifdef __cplusplus
}
#endif

#endif
