#include "kernels/cuda/passes/launch.h"

#include <cstdint>

#include "kernels/cuda/passes/row_softmax_body.cuh"

int gpu_row_softmax(const struct gpu_row_softmax *op, const struct gpu_place *at)
{
    const bool vector =
        op->cols % 4 == 0 &&
        (reinterpret_cast<uintptr_t>(op->scores) | reinterpret_cast<uintptr_t>(op->probs)) % 16 == 0;
    void (*const kernel)(struct gpu_row_softmax) =
        vector ? row_softmax_kernel<true> : row_softmax_kernel<false>;
    return LAUNCH(gpu_row_softmax_launch(op), at->stream, kernel, *op);
}
