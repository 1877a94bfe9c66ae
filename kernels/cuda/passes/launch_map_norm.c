#include "kernels/cuda/passes/launch_map_norm.h"

static int pieces_of(int whole, int piece) { return (whole + piece - 1) / piece; }

/* 16 values a thread, more only where there would be too many chunks. */
int gpu_map_norm_chunk_values(const struct fused_map_norm *op)
{
    int least = MAP_NORM_THREADS * 16, even = pieces_of(pieces_of(op->h * op->w, MAP_NORM_CHUNKS), 4) * 4;
    return even > least ? even : least;
}

int gpu_map_norm_chunks(const struct fused_map_norm *op)
{
    return pieces_of(op->h * op->w, gpu_map_norm_chunk_values(op));
}

struct gpu_launch gpu_map_sums_launch(const struct fused_map_norm *op)
{
    return (struct gpu_launch){ .grid = { (unsigned)gpu_map_norm_chunks(op), (unsigned)op->n, 1 },
                                .block = { MAP_NORM_THREADS, 1, 1 } };
}

struct gpu_launch gpu_map_norm_launch(const struct fused_map_norm *op)
{
    unsigned blocks = (unsigned)pieces_of(op->h * op->w, MAP_NORM_THREADS * MAP_NORM_VALUES);
    return (struct gpu_launch){ .grid = { blocks, (unsigned)op->n, 1 }, .block = { MAP_NORM_THREADS, 1, 1 } };
}

size_t gpu_map_norm_scratch(const struct fused_map_norm *op, const struct gpu_limits *limits)
{
    (void)limits;
    return op->normalise ? (size_t)op->n * (2 * (size_t)gpu_map_norm_chunks(op) + 1) * sizeof(float) : 0;
}
