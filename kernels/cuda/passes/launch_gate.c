#include "kernels/cuda/passes/launch_gate.h"

static unsigned pieces_of(size_t whole, size_t piece) { return (unsigned)((whole + piece - 1) / piece); }

int gpu_map_rows(int h, int w, const struct gpu_limits *limits)
{
    unsigned tiles = pieces_of((size_t)w, MAP_TILE_W) * pieces_of((size_t)h, MAP_THREADS_Y * MAP_ROWS);
    return tiles >= 2 * (unsigned)limits->multiprocessors ? MAP_ROWS : 1;
}

struct gpu_launch gpu_map_launch(int images, int h, int w, int rows)
{
    unsigned tiles = pieces_of((size_t)w, MAP_TILE_W) * pieces_of((size_t)h, (size_t)(MAP_THREADS_Y * rows));
    return (struct gpu_launch){ .grid = { tiles, (unsigned)images, 1 },
                                .block = { MAP_TILE_W, MAP_THREADS_Y, 1 } };
}

struct gpu_launch gpu_gate_copy_launch(int h, int w)
{
    return (struct gpu_launch){ .grid = { pieces_of((size_t)h * (size_t)w, 4 * GATE_COPY_THREADS), 1, 1 },
                                .block = { GATE_COPY_THREADS, 1, 1 } };
}

/* Room for the prior of one image: where factor is prior, neighbours must still find it. */
size_t gpu_gate_scratch(const struct fused_gate *op, const struct gpu_limits *limits)
{
    (void)limits;
    return (size_t)op->h * (size_t)op->w * sizeof(float);
}
