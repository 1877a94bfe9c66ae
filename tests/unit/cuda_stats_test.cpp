/* Statistics of images against the reference in double: all types, odd sizes, slices, factors, means a
 * thousand times the spread. */
#include "tests/unit/cuda_kernel_help.h"

extern "C" {
#include "kernels/reference/reference.h"
}

namespace {

struct stats_case {
    case_memory memory;
    fused_stats op = {};
    gpu_place at = {};
};

void case_make(stats_case &c, rng *r, int seed, gpu_shape shape)
{
    const int n = 1 + seed % 3, h = random_int(r, 1, 33), w = 1 + seed % 33,
              k = 8 * random_int(r, 1, seed % 4 ? 6 : 40);
    const double means[] = { 0.3, 10, 100, 1000 };
    c.op.src = c.memory.tensor(random_type(r), n, h, w, k, k - random_int(r, 0, 7), 8 * random_int(r, 0, 3),
                               r, means[seed % 4], 1);
    const size_t all = (size_t)n * (size_t)k;
    c.op.pixel = seed % 5 == 1 ? c.memory.normals(view_pixels(c.op.src), r, 0.6, 0.1) : nullptr;
    if (seed % 7) {
        c.op.norm.gamma = c.memory.normals((size_t)k, r, 1, 0.2);
        c.op.norm.beta = c.memory.normals((size_t)k, r, 0, 0.2);
        c.op.norm.scale = c.memory.floats(all);
        c.op.norm.shift = c.memory.floats(all);
    }
    if (seed % 7 == 0 || seed % 2) {
        c.op.norm.center = c.memory.floats(all);
        c.op.norm.rate = c.memory.floats(all);
    }
    gpu_limits limits = test_limits();
    c.at = c.memory.place(gpu_stats_scratch(&c.op, &limits, shape), shape);
}

size_t case_misses(const stats_case &c, double variance_factor)
{
    const fused_view &v = c.op.src;
    std::vector<double> x = view_doubles(v, v.c), mean((size_t)v.n * (size_t)v.c), variance(mean.size());
    for (size_t i = 0; c.op.pixel && i < x.size(); i++)
        x[i] *= (double)c.op.pixel[i / (size_t)v.c];
    reference_statistics(mean.data(), variance.data(), x.data(), { v.n, v.h, v.w, v.c });
    size_t misses = 0;
    for (size_t i = 0; i < mean.size(); i++) {
        const fused_norm &norm = c.op.norm;
        double m = mean[i], var = variance[i] * variance_factor, scale = 1, shift = 0, center = m,
               spread = var;
        if (norm.gamma) {
            scale = (double)norm.gamma[i % (size_t)v.c] / std::sqrt(var + 1e-5);
            shift = (double)norm.beta[i % (size_t)v.c] - m * scale;
            center = (double)norm.beta[i % (size_t)v.c];
            spread = scale * scale * var;
            misses += std::fabs((double)norm.scale[i] - scale) > 3e-6 * std::fabs(scale) ||
                      std::fabs((double)norm.shift[i] - shift) > 4e-6 * (1 + std::fabs(m * scale));
        }
        if (norm.center) {
            double rate = 1 / std::sqrt(spread + 1e-4);
            misses += !near((double)norm.center[i], center, FUSED_F32, 1e-6) ||
                      std::fabs((double)norm.rate[i] - rate) > 3e-6 * rate;
        }
    }
    return misses;
}

void statistics_agree_at(int seed, gpu_shape shape)
{
    rng r = rng_seeded((uint64_t)seed);
    stats_case c;
    case_make(c, &r, seed, shape);
    c.memory.run([&] { return gpu_stats(&c.op, &c.at); });
    size_t misses = case_misses(c, 1);
    if (misses)
        fail_msg("seed %d, shape %s, %dx%dx%dx%d: %zu misses", seed, gpu_shape_name(shape), c.op.src.n,
                 c.op.src.h, c.op.src.w, c.op.src.c, misses);
    if (c.op.src.h * c.op.src.w > 1)
        assert_true(case_misses(c, 1.001) > 0); /* the wrong twin: a variance 0.1 % too large */
}

void statistics_agree(void **)
{
    for (gpu_shape shape : all_shapes())
        for (int seed = 1; seed <= 50; seed++)
            statistics_agree_at(seed, shape);
}

/* Image i of a batch equals the image alone, bit for bit. */
void images_are_independent_at(gpu_shape shape)
{
    rng r = rng_seeded(5);
    case_memory memory;
    gpu_limits limits = test_limits();
    fused_stats op = {};
    const int n = 5, c = 24;
    op.src = memory.tensor(FUSED_F16, n, 61, 47, c, c, 8, &r, 3, 1);
    float *out = memory.floats((size_t)(4 * n * c)), *one = memory.floats(2 * c);
    op.norm = {
        memory.normals(c, &r, 1, 0.2), memory.normals(c, &r, 0, 0.2), out, out + n * c, nullptr, nullptr
    };
    gpu_place at = memory.place(gpu_stats_scratch(&op, &limits, shape), shape);
    assert_int_equal(gpu_stats(&op, &at), 0);
    for (int i = 0; i < n; i++) {
        fused_stats alone = op;
        alone.src.n = 1;
        alone.src.data = static_cast<char *>(op.src.data) + (size_t)i * 61 * 47 * (size_t)op.src.stride * 2;
        alone.norm.scale = one, alone.norm.shift = one + c;
        assert_int_equal(gpu_stats(&alone, &at), 0);
        assert_memory_equal(one, out + i * c, c * sizeof *one);
        assert_memory_equal(one + c, out + (n + i) * c, c * sizeof *one);
    }
    memory.check();
}

void images_are_independent(void **)
{
    for (gpu_shape shape : all_shapes())
        images_are_independent_at(shape);
}

/* More images than tickets: several launches, nothing forgotten. */
void many_images_take_several_launches(void **)
{
    rng r = rng_seeded(6);
    case_memory memory;
    gpu_limits limits = test_limits();
    fused_stats op = {};
    const int n = GPU_TICKETS / 2 + 3, c = 136; /* 17 groups: two slices */
    op.src = memory.tensor(FUSED_BF16, n, 1, 1, c, c, 0, &r, 0, 1);
    float *center = memory.floats((size_t)(n * c)), *rate = memory.floats((size_t)(n * c));
    op.norm.center = center, op.norm.rate = rate;
    gpu_place at = memory.place(gpu_stats_scratch(&op, &limits, GPU_SHAPE_EVEN));
    assert_int_equal(gpu_stats(&op, &at), 0);
    for (int i = 0; i < n * c; i++)
        assert_true((double)center[i] == view_get(op.src, (size_t)(i / c), i % c));
    memory.check();
}

} // namespace

int main()
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statistics_agree),
        cmocka_unit_test(images_are_independent),
        cmocka_unit_test(many_images_take_several_launches),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
