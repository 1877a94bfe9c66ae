#include "kernels/cuda/passes/launch_pack.h"

static struct gpu_launch launch_of(const struct fused_view *v, int channels)
{
    unsigned pixels = (unsigned)v->h * (unsigned)v->w, groups = (unsigned)(channels + 7) / 8;
    return (struct gpu_launch){
        .grid = { (pixels + PACK_THREADS - 1) / PACK_THREADS, (unsigned)v->n, groups },
        .block = { PACK_THREADS, 1, 1 },
    };
}

struct gpu_launch gpu_pack_launch(const struct fused_pack *op) { return launch_of(&op->dst, op->dst.c); }
struct gpu_launch gpu_unpack_launch(const struct fused_unpack *op) { return launch_of(&op->src, op->c_real); }

size_t gpu_pack_scratch(const struct fused_pack *op, const struct gpu_limits *limits)
{
    (void)op;
    (void)limits;
    return 0;
}

size_t gpu_unpack_scratch(const struct fused_unpack *op, const struct gpu_limits *limits)
{
    (void)op;
    (void)limits;
    return 0;
}
