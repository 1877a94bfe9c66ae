/* Norm and resize of maps and softmax of rows of the GPU's kernels, against the reference in double. */
#include "tests/unit/cuda_kernel_help.h"

extern "C" {
#include "kernels/reference/reference.h"
}

namespace {

std::vector<double> doubles(const float *x, size_t count) { return std::vector<double>(x, x + count); }

/* --- norm ---------------------------------------------------------------------------------------------- */

struct map_case {
    int n, h, w;
    double mean;
    bool normalise, in_place;
    enum fused_act act;
};

std::vector<double> map_norm_wanted(const map_case &c, const std::vector<double> &x, float gamma, float beta)
{
    std::vector<double> want = x;
    if (c.normalise)
        reference_norm(want.data(), x.data(), { c.n, c.h, c.w, 1 }, &gamma, &beta);
    for (double &v : want)
        v = c.act == FUSED_SIGMOID ? 1 / (1 + std::exp(-v)) : c.act == FUSED_RELU ? std::fmax(v, 0) : v;
    return want;
}

size_t map_norm_misses(const map_case &c, float wrong_gamma)
{
    case_memory memory;
    rng r = rng_seeded((uint64_t)(c.h * 100 + c.w));
    const size_t count = (size_t)(c.n * c.h * c.w);
    const float gamma = 1.3f, beta = -0.2f;
    float *src = memory.normals(count, &r, c.mean, 0.7);
    struct fused_map_norm op = { c.n, c.h, c.w, c.normalise, gamma * wrong_gamma, beta, c.act, src,
                                 c.in_place ? src : memory.floats(count) };
    std::vector<double> want = map_norm_wanted(c, doubles(src, count), gamma, beta);
    gpu_place at = memory.place(gpu_map_norm_scratch(&op, nullptr));
    memory.run([&] { return gpu_map_norm(&op, &at); });
    return float_misses(op.dst, want, std::fabs(c.mean) > 100 ? 3e-4 : 2e-5);
}

/* A mean of 1000 costs the stored values 4 digits (6e-5 / 0.7 of a deviation), not more. */
void map_norm_agrees(void **)
{
    rng r = rng_seeded(21);
    for (int w = 1; w <= 33; w++) {
        map_case c = { 1 + w % 3, 1 + w % 7, w, w % 5 ? 0.4 : 1000, w % 6 != 0, random_bool(&r),
                       (enum fused_act)random_int(&r, 0, 2) };
        size_t misses = map_norm_misses(c, 1);
        if (misses)
            fail_msg("%dx%dx%d, mean %g, act %d: %zu misses", c.n, c.h, c.w, c.mean, c.act, misses);
    }
    assert_int_equal(map_norm_misses({ 2, 101, 99, 3, true, true, FUSED_SIGMOID }, 1), 0); /* 3 chunks, odd */
    assert_int_equal(map_norm_misses({ 1, 96, 128, -3, true, false, FUSED_NONE }, 1), 0);
    assert_true(map_norm_misses({ 1, 9, 9, 0, true, false, FUSED_NONE }, 1.001f) > 10);
}

/* More values than MAP_NORM_CHUNKS chunks of the usual size. */
void map_norm_agrees_on_a_large_map(void **)
{
    assert_int_equal(map_norm_misses({ 1, 725, 731, 50, true, true, FUSED_RELU }, 1), 0);
}

void an_image_of_a_batch_equals_itself_alone(void **)
{
    case_memory memory;
    rng r = rng_seeded(22);
    const size_t pixels = 77 * 61;
    struct fused_map_norm op = { 3, 77, 61, true, 1, 0, FUSED_SIGMOID, memory.normals(3 * pixels, &r, 1, 1),
                                 memory.floats(3 * pixels) };
    gpu_place at = memory.place(gpu_map_norm_scratch(&op, nullptr));
    memory.run([&] { return gpu_map_norm(&op, &at); });
    for (size_t i = 0; i < 3; i++) {
        struct fused_map_norm one = op;
        one.n = 1, one.src = op.src + i * pixels, one.dst = memory.floats(pixels);
        memory.run([&] { return gpu_map_norm(&one, &at); });
        assert_memory_equal(one.dst, op.dst + i * pixels, pixels * sizeof(float));
    }
}

/* --- resize -------------------------------------------------------------------------------------------- */

size_t resize_misses(int n, int h, int w, int to_h, int to_w, enum fused_resize how, bool corners)
{
    case_memory memory;
    rng r = rng_seeded((uint64_t)(h * 1000 + to_w));
    const size_t count = (size_t)(n * h * w), to = (size_t)(n * to_h * to_w);
    struct fused_map_resize op = {
        n, h, w, to_h, to_w, how, memory.normals(count, &r, 0.5, 1), memory.floats(to)
    };
    std::vector<double> x = doubles(op.src, count), want(to);
    reference_resize(want.data(), x.data(), { n, h, w, 1 }, to_h, to_w, corners);
    gpu_place at = memory.place(gpu_map_resize_scratch(&op, nullptr));
    memory.run([&] { return gpu_map_resize(&op, &at); });
    return float_misses(op.dst, want, 2e-6);
}

void map_resize_agrees(void **)
{
    rng r = rng_seeded(23);
    for (int w = 1; w <= 33; w++)
        for (int corners = 0; corners < 2; corners++) {
            int h = random_int(&r, 1, 9), to_h = random_int(&r, 1, 20), to_w = random_int(&r, 1, 70);
            size_t misses = resize_misses(1 + w % 3, h, w, to_h, to_w,
                                          corners ? FUSED_CORNERS : FUSED_HALF_PIXEL, corners);
            if (misses)
                fail_msg("%dx%d -> %dx%d, corners %d: %zu misses", h, w, to_h, to_w, corners, misses);
        }
    assert_int_equal(resize_misses(2, 64, 48, 256, 192, FUSED_CORNERS, true), 0); /* as HRNet's head */
    assert_int_equal(resize_misses(1, 37, 80, 74, 160, FUSED_HALF_PIXEL, false), 0);
    assert_true(resize_misses(1, 8, 8, 32, 32, FUSED_CORNERS, false) > 100);      /* the wrong twin */
}

void what_is_no_interpolation_is_refused(void **)
{
    case_memory memory;
    struct fused_map_resize op = { 1, 2, 2, 4, 4, FUSED_WIDE, memory.floats(4), memory.floats(16) };
    gpu_place at = memory.place(0);
    assert_int_not_equal(gpu_map_resize(&op, &at), 0);
}

/* --- softmax ------------------------------------------------------------------------------------------- */

std::vector<double> softmax_wanted(const struct gpu_row_softmax &op)
{
    std::vector<double> want;
    for (size_t row = 0; row < op.rows; row++) {
        const float *x = op.scores + row * (size_t)op.cols;
        double top = -INFINITY, sum = 0;
        for (int i = 0; i < op.cols; i++)
            top = std::fmax(top, (double)op.scale * (double)x[i]);
        for (int i = 0; i < op.cols; i++)
            sum += std::exp((double)op.scale * (double)x[i] - top);
        for (int i = 0; i < op.cols; i++)
            want.push_back(std::exp((double)op.scale * (double)x[i] - top) / sum);
    }
    return want;
}

size_t softmax_misses(size_t rows, int cols, float scale, double mean, bool in_place, float wrong_scale)
{
    case_memory memory;
    rng r = rng_seeded((uint64_t)cols);
    float *scores = memory.normals(rows * (size_t)cols, &r, mean, 3);
    struct gpu_row_softmax op = { rows, cols, scale, scores,
                                  in_place ? scores : memory.floats(rows * (size_t)cols) };
    std::vector<double> want = softmax_wanted(op);
    op.scale *= wrong_scale;
    gpu_place at = memory.place(gpu_row_softmax_scratch(&op, nullptr));
    memory.run([&] { return gpu_row_softmax(&op, &at); });
    size_t misses = 0;
    for (size_t i = 0; i < want.size(); i++) /* relative: probabilities are small */
        misses += !(std::fabs((double)op.probs[i] - want[i]) <= 2e-5 * want[i] + 1e-30);
    return misses;
}

void row_softmax_agrees(void **)
{
    for (int cols = 1; cols <= 33; cols++)
        assert_int_equal(
            softmax_misses(1 + (size_t)cols % 4, cols, 0.3f, cols % 2 ? 0 : -40, cols % 3 == 0, 1), 0);
    assert_int_equal(softmax_misses(3, 1023, 0.09f, 200, true, 1), 0);
    assert_int_equal(softmax_misses(2, 4096, 0.088f, 0, true, 1), 0); /* 64 x 64 tokens */
    assert_int_equal(softmax_misses(1, 5001, 1, -300, false, 1), 0);
    assert_true(softmax_misses(2, 64, 0.3f, 0, false, 1.01f) > 50);
}

/* What overflowed must not look like a probability. */
void infinite_scores_are_seen(void **)
{
    case_memory memory;
    rng r = rng_seeded(24);
    float *scores = memory.normals(3 * 40, &r, 0, 1);
    scores[7] = INFINITY;
    scores[40 + 9] = NAN;
    struct gpu_row_softmax op = { 3, 40, 1, scores, memory.floats(3 * 40) };
    gpu_place at = memory.place(0);
    memory.run([&] { return gpu_row_softmax(&op, &at); });
    assert_true(std::isnan(op.probs[7]) && std::isnan(op.probs[40 + 9]) && std::isfinite(op.probs[80]));
}

} // namespace

int main()
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(map_norm_agrees),
        cmocka_unit_test(map_norm_agrees_on_a_large_map),
        cmocka_unit_test(an_image_of_a_batch_equals_itself_alone),
        cmocka_unit_test(map_resize_agrees),
        cmocka_unit_test(what_is_no_interpolation_is_refused),
        cmocka_unit_test(row_softmax_agrees),
        cmocka_unit_test(infinite_scores_are_seen),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
