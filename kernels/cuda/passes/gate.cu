#include "kernels/cuda/passes/launch.h"

#include "kernels/cuda/passes/gate_body.cuh"

static int gate_launch(const gate_args &a, const struct gpu_place *at)
{
    const int rows = gpu_map_rows(a.op.h, a.op.w, at->limits);
    void (*const kernel)(struct gate_args) = rows == 1 ? gate_kernel<1> : gate_kernel<MAP_ROWS>;
    return LAUNCH(gpu_map_launch(a.op.n, a.op.h, a.op.w, rows), at->stream, kernel, a);
}

int gpu_gate(const struct fused_gate *op, const struct gpu_place *at)
{
    gate_args a = { *op, op->prior };
    if (!op->prior || op->prior != op->factor)
        return gate_launch(a, at);
    const size_t pixels = (size_t)op->h * (size_t)op->w;
    float *copy = static_cast<float *>(at->scratch);
    a.around = copy;
    a.op.n = 1;
    for (int i = 0; i < op->n; i++) {
        const gate_copy_args copying = { a.op.prior, copy, (int)pixels };
        int error = LAUNCH(gpu_gate_copy_launch(op->h, op->w), at->stream, gate_copy_kernel, copying);
        error = error ? error : gate_launch(a, at);
        if (error)
            return error;
        a.op.point += 2 * pixels;
        a.op.point_factor += a.op.point_factor ? pixels : 0;
        a.op.prior += pixels;
        a.op.factor += pixels;
    }
    return 0;
}
