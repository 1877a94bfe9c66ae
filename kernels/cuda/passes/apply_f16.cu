#include "kernels/cuda/passes/launch.h"

#include "kernels/cuda/passes/apply_launch.cuh"

#include "kernels/cuda/passes/apply_body.cuh"

#define ROW(terms, plain, gated, resized, square, sums) \
    apply_kernel<apply_kind<h16, terms, plain, gated, resized, square, sums>>,

apply_function apply_made_f16(int row)
{
    static const apply_function made[] = { APPLY_LIST(ROW) };
    return made[row];
}
