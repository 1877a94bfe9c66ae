/* apply_launch.cuh - arguments of an apply for the device. */
#ifndef CUDA_APPLY_LAUNCH_CUH
#define CUDA_APPLY_LAUNCH_CUH

#include "kernels/cuda/passes/apply_terms.cuh"

inline apply_term apply_term_of(const fused_term &t, int h, int w)
{
    apply_term r = {};
    r.src = t.src.data, r.type = t.src.type, r.stride = (size_t)t.src.stride, r.h = t.src.h, r.w = t.src.w;
    r.scale = t.scale, r.shift = t.shift, r.pixel = t.pixel;
    r.floor = t.relu ? 0 : -INFINITY;
    r.resize = t.resize;
    r.row = axis_of(t.resize, t.src.h, h), r.column = axis_of(t.resize, t.src.w, w);
    return r;
}

/* Everything but first_image. */
inline apply_args apply_args_of(const fused_apply &op, enum apply_pass pass, const gpu_place &at)
{
    apply_args a = {};
    for (int i = 0; i < op.terms; i++)
        a.term[i] = apply_term_of(op.term[i], op.h, op.w);
    a.terms = op.terms, a.h = op.h, a.w = op.w, a.c = op.c, a.c_real = op.c_real;
    a.split = apply_split(&op, pass, at.limits, at.shape);
    const bool square = apply_square(&op, pass);
    a.width = divider_of(square ? (op.w + 1) / 2 : op.w);
    a.cells = square ? ((op.h + 1) / 2) * a.width.by : op.h * op.w;
    a.floor = op.act == FUSED_RELU ? 0 : -INFINITY;
    a.sigmoid = op.act == FUSED_SIGMOID;
    a.dst = op.dst, a.pool = op.pool;
    a.channel_mean = op.channel_mean, a.point = op.point, a.dot = op.dot;
    a.dot_weight = op.dot ? op.dot_weight : nullptr, a.dot_bias = op.dot_bias;
    if (op.norm)
        a.norm = *op.norm;
    a.part = static_cast<float *>(at.scratch), a.tickets = at.tickets;
    return a;
}

/* The launches of one pass. */
inline int apply_run(const char *name, void (*kernel)(apply_args), const fused_apply &op,
                     enum apply_pass pass, const gpu_place &at)
{
    apply_args a = apply_args_of(op, pass, at);
    int error = 0;
    const int most = apply_images(&op, pass, &a.split);
    for (; !error && a.first_image < op.n; a.first_image += most) {
        const int rest = op.n - a.first_image;
        error = launch_kernel(name, kernel, apply_launch(&op, pass, &a.split, rest < most ? rest : most),
                              at.stream, a);
    }
    return error;
}

/* apply_points.cu */
int apply_points_run(const fused_apply &op, const gpu_place &at);

/* The kernel for a row of APPLY_LIST; a file for each type, so that they compile side by side. */
typedef void (*apply_function)(apply_args);
apply_function apply_made_f32(int row);
apply_function apply_made_bf16(int row);
apply_function apply_made_f16(int row);

#endif
