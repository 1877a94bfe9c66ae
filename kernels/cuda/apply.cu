#include "kernels/cuda/launch.h"

#include "kernels/cuda/apply_launch.cuh"

#include "kernels/cuda/apply_body.cuh"

typedef void (*apply_function)(apply_args);

#define ROW(terms, plain, gated, resized, square, sums) \
    { apply_kernel<apply_kind<float, terms, plain, gated, resized, square, sums>>, \
      apply_kernel<apply_kind<b16, terms, plain, gated, resized, square, sums>>, \
      apply_kernel<apply_kind<h16, terms, plain, gated, resized, square, sums>> },
static const apply_function made[][3] = { APPLY_LIST(ROW) };
#undef ROW

/* [square][sums]; a square has no sums of a norm: these are a pass of their own */
static const apply_function general[2][3] = {
    { apply_kernel<apply_general<false, APPLY_NO_SUMS, false>>, apply_kernel<apply_general<false, APPLY_MEAN, false>>,
      apply_kernel<apply_general<false, APPLY_NORM_SUMS, false>> },
    { apply_kernel<apply_general<true, APPLY_NO_SUMS, false>>, apply_kernel<apply_general<true, APPLY_MEAN, false>>,
      nullptr },
};

static int apply_pass_run(const fused_apply &op, enum apply_pass pass, const gpu_place &at)
{
    const int row = apply_choose(&op, pass);
    if (row == APPLY_GENERAL)
        return apply_run("apply", general[apply_square(&op, pass)][apply_sums_of(&op, pass)], op, pass, at);
    return apply_run("apply", made[row][op.term[0].src.type], op, pass, at);
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
