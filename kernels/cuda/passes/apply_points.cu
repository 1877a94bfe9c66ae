#include "kernels/cuda/passes/launch.h"

#include "kernels/cuda/passes/apply_launch.cuh"

#include "kernels/cuda/passes/apply_points_body.cuh"

#define ROW(terms, plain, gated, resized, square, sums) \
    { apply_points_kernel<points_kind<float, terms, plain, gated, resized, square, sums>>, \
      apply_points_kernel<points_kind<b16, terms, plain, gated, resized, square, sums>>, \
      apply_points_kernel<points_kind<h16, terms, plain, gated, resized, square, sums>> },
static void (*const made[][3])(apply_args) = { APPLY_POINTS_LIST(ROW) };
#undef ROW

int apply_points_run(const fused_apply &op, const gpu_place &at)
{
    const int row = apply_choose(&op, APPLY_POINTS);
    void (*const kernel)(apply_args) = row == APPLY_GENERAL
        ? apply_points_kernel<apply_general<false, APPLY_NO_SUMS, true>> : made[row][op.term[0].src.type];
    return apply_run("apply_points", kernel, op, APPLY_POINTS, at);
}
