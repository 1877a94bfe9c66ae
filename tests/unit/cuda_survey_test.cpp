/* SimAM and the descriptors of attention on the GPU's kernels, against their definitions in double and the
 * reference. */
#include "tests/unit/cuda_kernel_help.h"

extern "C" {
#include "kernels/reference/reference.h"
}

namespace {

struct shape { int n, h, w, c, c_real; };

struct survey_case {
    struct fused_survey op = {};
    gpu_limits limits = test_limits();
    std::vector<double> v;       /* what dst should be: (n,h,w,c_real) */
};

/* u = scale * x + shift, SimAM of it, times the pixel's factor: in double from what is stored. */
std::vector<double> survey_values(const struct fused_survey &op)
{
    std::vector<double> v = view_doubles(op.src, op.c_real);
    const size_t image = (size_t)op.src.h * (size_t)op.src.w, c = (size_t)op.c_real;
    for (size_t i = 0; i < v.size(); i++) {
        size_t pixel = i / c, at = pixel / image * (size_t)op.src.c + i % c;
        double u = op.scale ? (double)op.scale[at] * v[i] + (double)op.shift[at] : v[i];
        if (op.center)
            u /= 1 + std::exp(-((double)op.center[at] - u) * (double)op.rate[at]);
        v[i] = u * (op.pixel ? (double)op.pixel[pixel] : 1);
    }
    return v;
}

/* `mean`: of the tensor; a large one is taken away again by shift, as a norm does. */
survey_case survey_new(case_memory &memory, rng *r, enum fused_type type, const shape &s, double mean)
{
    survey_case t;
    struct fused_survey &op = t.op;
    const size_t pixels = (size_t)s.n * (size_t)s.h * (size_t)s.w;
    op.src = memory.tensor(type, s.n, s.h, s.w, s.c, s.c_real, 8 * random_int(r, 0, 3), r, mean, 1.5);
    op.c_real = s.c_real;
    if (random_bool(r) || std::fabs(mean) > 10) {
        float *scale = memory.coefficients(s.n, s.c, s.c_real, r, 1, 0.2);
        float *shift = memory.coefficients(s.n, s.c, s.c_real, r, 0.1, 0.3);
        for (int i = 0; i < s.n * s.c; i++)
            shift[i] -= std::fabs(mean) > 10 ? (float)mean * scale[i] : 0;
        op.scale = scale, op.shift = shift;
    }
    if (random_int(r, 0, 2)) {
        op.center = memory.coefficients(s.n, s.c, s.c_real, r, 0, 0.3);
        op.rate = memory.coefficients(s.n, s.c, s.c_real, r, 1, 0.2);
    }
    op.pixel = random_bool(r) ? memory.normals(pixels, r, 0.6, 0.1) : nullptr;
    if (random_int(r, 0, 3))
        op.dst = memory.view(type, s.n, s.h, s.w, s.c, 8 * random_int(r, 0, 3));
    op.stream = random_bool(r);
    if (random_int(r, 0, 3)) {
        op.row = memory.floats(2 * (size_t)(s.n * s.h));
        op.column = random_int(r, 0, 5) ? memory.floats(2 * (size_t)(s.n * s.w)) : nullptr;
    }
    op.point = op.row && !random_int(r, 0, 5) ? nullptr : memory.floats(2 * pixels);
    const int devices[] = { 3, 1, 16, 132 }; /* multiprocessors: tiles of 4 to 32 rows */
    t.limits.multiprocessors = devices[random_int(r, 0, 3)];
    t.limits.l2_bytes = random_bool(r) ? 1 : t.limits.l2_bytes; /* a launch for each image */
    t.v = survey_values(op);
    return t;
}

/* Mean and maximum over channels of the means of `count` values, `step` pixels apart, from v on. */
size_t pair_misses(const float pair[2], const double *v, int c, int count, size_t step)
{
    double sum = 0, top = -INFINITY;
    for (int k = 0; k < c; k++) {
        double mean = 0;
        for (int i = 0; i < count; i++)
            mean += v[(size_t)i * step * (size_t)c + (size_t)k] / count;
        sum += mean;
        top = std::fmax(top, mean);
    }
    return !near((double)pair[0], sum / c, FUSED_F32, 2e-5) + !near((double)pair[1], top, FUSED_F32, 2e-5);
}

size_t survey_misses(const survey_case &t)
{
    const struct fused_survey &op = t.op;
    const int n = op.src.n, h = op.src.h, w = op.src.w, c = op.c_real;
    size_t misses = op.dst.data ? view_misses(op.dst, t.v, c, 2e-5) + gap_misses(op.dst) : 0;
    for (int i = 0; i < n; i++) {
        const double *image = t.v.data() + (size_t)i * (size_t)(h * w) * (size_t)c;
        for (int y = 0; op.row && y < h; y++)
            misses += pair_misses(op.row + 2 * (i * h + y), image + (size_t)(y * w) * (size_t)c, c, w, 1);
        for (int x = 0; op.column && x < w; x++)
            misses +=
                pair_misses(op.column + 2 * (i * w + x), image + (size_t)x * (size_t)c, c, h, (size_t)w);
        for (int p = 0; op.point && p < h * w; p++)
            misses += pair_misses(op.point + 2 * (i * h * w + p), image + (size_t)p * (size_t)c, c, 1, 1);
    }
    return misses;
}

int survey_run(const survey_case &t, gpu_place at)
{
    at.limits = &t.limits;
    return gpu_survey(&t.op, &at);
}

void survey_agrees_in(gpu_shape blocks, rng *r, enum fused_type type, const shape &s, double mean)
{
    case_memory memory;
    survey_case t = survey_new(memory, r, type, s, mean);
    gpu_place at = memory.place(gpu_survey_scratch(&t.op, &t.limits, blocks), blocks);
    memory.run([&] { return survey_run(t, at); });
    size_t misses = survey_misses(t);
    if (misses)
        fail_msg("type %d, shape %s, %dx%dx%dx%d(%d), mean %g: %zu misses", type, gpu_shape_name(blocks), s.n,
                 s.h, s.w, s.c, s.c_real, mean, misses);
}

/* The same case in every block shape. */
void survey_agrees_at(rng *r, enum fused_type type, const shape &s, double mean)
{
    const rng before = *r;
    for (gpu_shape blocks : all_shapes()) {
        *r = before;
        survey_agrees_in(blocks, r, type, s, mean);
    }
}

void survey_agrees(void **)
{
    rng r = rng_seeded(11);
    const double means[] = { 0.3, -3, 1000 };    /* negative: the zeros of padding are no maximum */
    for (int w = 1; w <= 33; w++) {
        int c = 8 * random_int(&r, 1, 8);
        shape s = { 1 + w % 3, 1 + w % 9, w, c, c - random_int(&r, 0, 7) };
        survey_agrees_at(&r, (enum fused_type)(w % 3), s, means[w / 3 % 3]);
    }
}

/* Several tiles in both directions, several threads of a warp, several warps to a pixel, a block to
 * a pixel. */
void survey_agrees_on_many_tiles(void **)
{
    rng r = rng_seeded(12);
    const shape shapes[] = { { 1, 39, 300, 24, 20 },    { 2, 37, 35, 8, 8 },        { 1, 35, 133, 64, 64 },
                             { 2, 33, 17, 384, 377 }, { 1, 9, 11, 1024, 1024 }, { 1, 5, 6, 2048, 2041 } };
    for (size_t i = 0; i < 6; i++)
        for (int k = 0; k < 2; k++)
            survey_agrees_at(&r, (enum fused_type)((i + (size_t)k) % 3), shapes[i], 0.5);
}

/* Rows are not columns: on a square image the exchanged descriptors must be caught. */
void exchanged_descriptors_are_caught(void **)
{
    rng r = rng_seeded(13);
    case_memory memory;
    survey_case t;
    t.op.src = memory.tensor(FUSED_F16, 1, 12, 12, 24, 24, 0, &r, 0, 1);
    t.op.c_real = 24;
    t.op.row = memory.floats(24), t.op.column = memory.floats(24);
    t.v = survey_values(t.op);
    gpu_place at = memory.place(gpu_survey_scratch(&t.op, &t.limits, GPU_SHAPE_EVEN));
    memory.run([&] { return survey_run(t, at); });
    assert_int_equal(survey_misses(t), 0);
    std::swap(t.op.row, t.op.column);
    assert_true(survey_misses(t) > 20);
}

void an_image_of_a_batch_equals_itself_in(gpu_shape blocks)
{
    rng r = rng_seeded(14);
    const int n = 3, h = 39, w = 31, c = 48;
    const size_t pixels = (size_t)(h * w);
    case_memory memory;
    struct fused_survey op = {};
    gpu_limits limits = test_limits();
    op.src = memory.tensor(FUSED_BF16, n, h, w, c, c, 8, &r, 0.4, 1), op.c_real = c;
    op.center = memory.coefficients(n, c, c, &r, 0, 0.3), op.rate = memory.coefficients(n, c, c, &r, 1, 0.2);
    op.row = memory.floats(2 * (size_t)(n * h)), op.column = memory.floats(2 * (size_t)(n * w));
    op.point = memory.floats(2 * (size_t)n * pixels);
    gpu_place at = memory.place(gpu_survey_scratch(&op, &limits, blocks), blocks);
    at.limits = &limits;
    memory.run([&] { return gpu_survey(&op, &at); });
    for (int i = 0; i < n; i++) {
        case_memory alone;
        struct fused_survey one = op;
        one.src.n = 1;
        one.src.data = static_cast<uint16_t *>(op.src.data) + (size_t)i * pixels * (size_t)op.src.stride;
        one.center += i * c, one.rate += i * c;
        one.row = alone.floats(2 * (size_t)h), one.column = alone.floats(2 * (size_t)w);
        one.point = alone.floats(2 * pixels);
        gpu_place place = alone.place(gpu_survey_scratch(&one, &limits, blocks), blocks);
        place.limits = &limits;
        alone.run([&] { return gpu_survey(&one, &place); });
        assert_memory_equal(one.row, op.row + 2 * h * i, 2 * (size_t)h * sizeof(float));
        assert_memory_equal(one.column, op.column + 2 * w * i, 2 * (size_t)w * sizeof(float));
        assert_memory_equal(one.point, op.point + 2 * pixels * (size_t)i, 2 * pixels * sizeof(float));
    }
}

void an_image_of_a_batch_equals_itself_alone(void **)
{
    for (gpu_shape blocks : all_shapes())
        an_image_of_a_batch_equals_itself_in(blocks);
}

/* SimAM with mean and variance of the reference is the reference's SimAM; a rate of the deviation itself,
 * without lambda, is not. */
size_t simam_misses(double lambda)
{
    rng r = rng_seeded(15);
    const struct ref_shape s = { 2, 11, 9, 24 };
    case_memory memory;
    struct fused_survey op = {};
    op.src = memory.tensor(FUSED_F32, s.n, s.h, s.w, s.c, s.c, 0, &r, 0.02, 0.01), op.c_real = s.c;
    op.dst = memory.view(FUSED_F32, s.n, s.h, s.w, s.c, 0);
    std::vector<double> x = view_doubles(op.src, s.c), want(x.size()), mean(48), variance(48);
    reference_statistics(mean.data(), variance.data(), x.data(), s);
    reference_simam(want.data(), x.data(), s);
    float *center = memory.floats(48), *rate = memory.floats(48);
    for (int i = 0; i < 48; i++) {
        center[i] = (float)mean[(size_t)i];
        rate[i] = (float)(1 / std::sqrt(variance[(size_t)i] + lambda));
    }
    op.center = center, op.rate = rate;
    const gpu_limits limits = test_limits();
    gpu_place at = memory.place(gpu_survey_scratch(&op, &limits, GPU_SHAPE_EVEN));
    memory.run([&] { return gpu_survey(&op, &at); });
    return view_misses(op.dst, want, s.c, 1e-6);
}

void simam_agrees(void **)
{
    assert_int_equal(simam_misses(1e-4), 0);
    assert_true(simam_misses(0) > 100);
}

/* A source and a destination of two types are refused, not read wrong. */
void mixed_types_are_refused(void **)
{
    rng r = rng_seeded(16);
    case_memory memory;
    struct fused_survey op = {};
    op.src = memory.tensor(FUSED_F16, 1, 2, 2, 8, 8, 0, &r, 0, 1), op.c_real = 8;
    op.dst = memory.view(FUSED_BF16, 1, 2, 2, 8, 0);
    gpu_place at = memory.place(0);
    assert_int_not_equal(gpu_survey(&op, &at), 0);
}

} // namespace

int main()
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(survey_agrees),
        cmocka_unit_test(survey_agrees_on_many_tiles),
        cmocka_unit_test(exchanged_descriptors_are_caught),
        cmocka_unit_test(an_image_of_a_batch_equals_itself_alone),
        cmocka_unit_test(simam_agrees),
        cmocka_unit_test(mixed_types_are_refused),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
