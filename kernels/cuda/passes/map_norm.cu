#include "kernels/cuda/passes/launch.h"

#include <cstdint>

#include "kernels/cuda/passes/map_norm_body.cuh"

typedef void (*map_function)(struct map_norm_args);

int gpu_map_norm(const struct fused_map_norm *op, const struct gpu_place *at)
{
    const int chunks = gpu_map_norm_chunks(op);
    float2 *part = static_cast<float2 *>(at->scratch);
    map_norm_args a = { *op, chunks, gpu_map_norm_chunk_values(op), part, nullptr };
    const bool vector =
        op->h * op->w % 4 == 0 &&
        (reinterpret_cast<uintptr_t>(op->src) | reinterpret_cast<uintptr_t>(op->dst)) % 16 == 0;
    const map_function sums = vector ? map_sums_kernel<true> : map_sums_kernel<false>;
    const map_function norm = vector ? map_norm_kernel<true> : map_norm_kernel<false>;
    int error = 0;
    if (op->normalise) {
        a.pilot = reinterpret_cast<float *>(part + (size_t)op->n * (size_t)chunks);
        error = LAUNCH(gpu_map_sums_launch(op), at->stream, sums, a);
    }
    return error ? error : LAUNCH(gpu_map_norm_launch(op), at->stream, norm, a);
}
