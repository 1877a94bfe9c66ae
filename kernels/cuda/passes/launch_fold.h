/* launch_fold.h - the launch of the fold of sums. */
#ifndef CUDA_LAUNCH_FOLD_H
#define CUDA_LAUNCH_FOLD_H

#include "kernels/cuda/passes/kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FOLD_THREADS 128

struct gpu_launch gpu_fold_launch(const struct gpu_fold *op); /* a thread for each of n * c */

#ifdef __cplusplus
}
#endif

#endif
