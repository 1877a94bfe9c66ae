#include "kernels/cuda/passes/launch_map_resize.h"

static unsigned pieces_of(int whole, int piece) { return (unsigned)((whole + piece - 1) / piece); }

struct gpu_launch gpu_map_resize_launch(const struct fused_map_resize *op)
{
    unsigned tiles =
        pieces_of(op->to_w, 4 * MAP_RESIZE_THREADS_X) * pieces_of(op->to_h, MAP_RESIZE_THREADS_Y);
    return (struct gpu_launch){ .grid = { tiles, (unsigned)op->n, 1 },
                                .block = { MAP_RESIZE_THREADS_X, MAP_RESIZE_THREADS_Y, 1 } };
}

size_t gpu_map_resize_scratch(const struct fused_map_resize *op, const struct gpu_limits *limits)
{
    (void)op;
    (void)limits;
    return 0;
}
