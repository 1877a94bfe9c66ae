#include "kernels/cuda/passes/launch.h"

#include "kernels/cuda/passes/stats_body.cuh"

int gpu_stats(const struct fused_stats *op, const struct gpu_place *at)
{
    static void (*const kernels[])(stats_args) = { stats_kernel<float>, stats_kernel<b16>,
                                                   stats_kernel<h16> };
    stats_args a = {};
    a.op = *op;
    a.split = gpu_stats_split(op, at->limits, at->shape);
    a.place = { static_cast<float *>(at->scratch), at->tickets, a.split.chunks };
    int error = 0, most = sums_images(&a.split, op->src.n);
    for (; !error && a.first_image < op->src.n; a.first_image += most) {
        int rest = op->src.n - a.first_image;
        error = LAUNCH(gpu_stats_launch(&a.split, rest < most ? rest : most), at->stream,
                       kernels[op->src.type], a);
    }
    return error;
}
