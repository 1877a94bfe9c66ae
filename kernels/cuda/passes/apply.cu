#include "kernels/cuda/passes/launch.h"

#include "kernels/cuda/passes/apply_launch.cuh"

#include "kernels/cuda/passes/apply_body.cuh"

/* [square][sums]; a square has no sums of a norm: these are a pass of their own */
static const apply_function general[2][3] = {
    { apply_kernel<apply_general<false, APPLY_NO_SUMS, false>>,
      apply_kernel<apply_general<false, APPLY_MEAN, false>>,
      apply_kernel<apply_general<false, APPLY_NORM_SUMS, false>> },
    { apply_kernel<apply_general<true, APPLY_NO_SUMS, false>>,
      apply_kernel<apply_general<true, APPLY_MEAN, false>>, nullptr },
};

static int apply_pass_run(const fused_apply &op, enum apply_pass pass, const gpu_place &at)
{
    static apply_function (*const made[])(int row) = { apply_made_f32, apply_made_bf16, apply_made_f16 };
    const int row = apply_choose(&op, pass);
    if (row == APPLY_GENERAL)
        return apply_run("apply", general[apply_square(&op, pass)][apply_sums_of(&op, pass)], op, pass, at);
    return apply_run("apply", made[op.term[0].src.type](row), op, pass, at);
}

int gpu_apply(const struct fused_apply *op, const struct gpu_place *at)
{
    int error = 0;
    if (apply_wants(op, APPLY_POINTS))
        error = apply_points_run(*op, *at);
    if (!error && apply_wants(op, APPLY_NORM))
        error = apply_pass_run(*op, APPLY_NORM, *at);
    if (!error && apply_wants(op, APPLY_VALUES))
        error = apply_pass_run(*op, APPLY_VALUES, *at);
    return error;
}
