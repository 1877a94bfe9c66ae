/* Sums of an epilogue to coefficients, against the formula in double. */
#include "tests/unit/cuda_kernel_help.h"

#include "kernels/cuda/passes/launch_fold.h"

namespace {

size_t coefficient_misses(const struct gpu_fold &op, bool plain_variance)
{
    size_t misses = 0;
    for (int i = 0; i < op.n * op.c; i++) {
        double mean = (double)op.sum[i] / op.pixels,
               variance = (double)op.square[i] / op.pixels - mean * mean;
        variance = plain_variance ? variance + mean * mean : variance < 0 ? 0 : variance;
        double scale = (double)op.norm.gamma[i % op.c] / std::sqrt(variance + 1e-5);
        double shift = (double)op.norm.beta[i % op.c] - mean * scale;
        misses += !near((double)op.norm.scale[i], scale, FUSED_F32, 2e-6) ||
                  !near((double)op.norm.shift[i], shift, FUSED_F32, 2e-6 * (1 + std::fabs(mean)));
        misses += op.half_scale && (!near(stored(op.half_scale, op.half, (size_t)i), scale, op.half, 1e-5) ||
                                    !near(stored(op.half_shift, op.half, (size_t)i), shift, op.half, 1e-4));
    }
    return misses;
}

struct gpu_fold fold_case(case_memory &memory, rng *r, int n, int c, enum fused_type half, bool halves)
{
    struct gpu_fold op = {};
    size_t all = (size_t)n * (size_t)c;
    op.n = n, op.c = c, op.pixels = 1003, op.half = half;
    float *sum = memory.normals(all, r, 0, 500), *square = memory.floats(all);
    for (size_t i = 0; i < all; i++) /* a variance of 0.5 to 1.5, or a constant channel */
        square[i] = (float)((double)sum[i] * (double)sum[i] / op.pixels +
                            op.pixels * (i % 7 ? 0.5 + rng_uniform(r) : 0));
    op.sum = sum, op.square = square;
    op.norm = { memory.normals((size_t)c, r, 1, 0.2),
                memory.normals((size_t)c, r, 0, 0.2),
                memory.floats(all),
                memory.floats(all),
                nullptr,
                nullptr };
    op.half_scale = halves ? memory.bytes(2 * all, 0xff) : nullptr;
    op.half_shift = halves ? memory.bytes(2 * all, 0xff) : nullptr;
    return op;
}

void sums_become_coefficients(void **)
{
    rng r = rng_seeded(7);
    for (int i = 0; i < 12; i++) {
        case_memory memory;
        struct gpu_fold op = fold_case(memory, &r, 1 + i % 3, 8 * random_int(&r, 1, 30),
                                       i % 2 ? FUSED_F16 : FUSED_BF16, i > 3);
        gpu_place at = memory.place(gpu_fold_scratch(&op, nullptr));
        memory.run([&] { return gpu_fold(&op, &at); });
        assert_int_equal(coefficient_misses(op, false), 0);
        assert_true(coefficient_misses(op, true) > 0); /* the wrong twin: mean square for variance */
    }
}

} // namespace

int main()
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(sums_become_coefficients) };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
