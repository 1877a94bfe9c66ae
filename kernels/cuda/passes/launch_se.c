#include "kernels/cuda/passes/launch_se.h"

struct gpu_launch gpu_se_launch(const struct fused_se *op)
{
    return (struct gpu_launch){ .grid = { (unsigned)op->n, 1, 1 }, .block = { SE_THREADS, 1, 1 },
                                .shared_bytes = (size_t)op->hidden * sizeof(float) };
}

size_t gpu_se_scratch(const struct fused_se *op, const struct gpu_limits *limits)
{
    (void)op;
    (void)limits;
    return 0;
}
