/* Squeeze-excite, spatial gate and triplet factors of the GPU's kernels, against the reference in double. */
#include "tests/unit/cuda_kernel_help.h"

extern "C" {
#include "kernels/reference/reference.h"
}

namespace {

constexpr int CHANNELS = 20;

/* A tensor x (n,h,w,CHANNELS) and its descriptors as the kernels get them. */
struct described {
    ref_shape shape;
    std::vector<double> x;
    float *row, *column, *point;
};

void pair_put(float *pair, const double *channel)
{
    double sum = 0, top = channel[0];
    for (int k = 0; k < CHANNELS; k++) {
        sum += channel[k];
        top = std::fmax(top, channel[k]);
    }
    pair[0] = (float)(sum / CHANNELS);
    pair[1] = (float)top;
}

/* pairs[i] of lines of `count` pixels, `step` apart, the i-th from pixel i * next on */
void lines_put(float *pairs, int lines, const double *x, int next, int count, int step)
{
    for (int i = 0; i < lines; i++) {
        double mean[CHANNELS] = {};
        for (int j = 0; j < count; j++)
            for (int k = 0; k < CHANNELS; k++)
                mean[k] += x[(size_t)(i * next + j * step) * CHANNELS + (size_t)k] / count;
        pair_put(pairs + 2 * i, mean);
    }
}

described described_new(case_memory &memory, rng *r, int n, int h, int w)
{
    described d = { { n, h, w, CHANNELS }, {}, nullptr, nullptr, nullptr };
    const size_t image = (size_t)(h * w);
    d.row = memory.floats(2 * (size_t)(n * h)), d.column = memory.floats(2 * (size_t)(n * w));
    d.point = memory.floats(2 * (size_t)n * image);
    for (size_t i = 0; i < (size_t)n * image * CHANNELS; i++)
        d.x.push_back(-0.2 + rng_normal(r));
    for (int i = 0; i < n; i++) {
        const double *x = d.x.data() + (size_t)i * image * CHANNELS;
        lines_put(d.row + 2 * i * h, h, x, w, w, 1);
        lines_put(d.column + 2 * i * w, w, x, 1, h, w);
        lines_put(d.point + 2 * (size_t)i * image, h * w, x, 1, 1, 1);
    }
    return d;
}

/* x times a factor per pixel that differs from want */
size_t product_misses(const described &d, const float *factor, const std::vector<double> &want)
{
    size_t misses = 0;
    for (size_t i = 0; i < d.x.size(); i++)
        misses += !near(d.x[i] * (double)factor[i / CHANNELS], want[i], FUSED_F32, 2e-5);
    return misses;
}

/* 132 multiprocessors: a value a thread; 1: four. */
gpu_limits device_of(int multiprocessors)
{
    gpu_limits l = test_limits();
    l.multiprocessors = multiprocessors;
    return l;
}

/* The gate of x * point_factor * prior, times prior, must be what the reference makes of that product. */
size_t gate_misses(int n, int h, int w, int multiprocessors, bool exchange)
{
    case_memory memory;
    rng r = rng_seeded((uint64_t)(h * 50 + w));
    const gpu_limits limits = device_of(multiprocessors);
    described d = described_new(memory, &r, n, h, w);
    const size_t pixels = (size_t)(n * h * w);
    struct fused_gate op = {};
    op.n = n, op.h = h, op.w = w, op.point = d.point;
    op.point_factor = w % 3 ? memory.normals(pixels, &r, 0.5, 0.05) : nullptr;
    float *prior = w % 4 ? memory.normals(pixels, &r, 0.5, 0.05) : nullptr,
          *weight = memory.normals(98, &r, 0, 0.2);
    float *twin = memory.floats(98);             /* wrong: mean and maximum exchanged */
    for (int i = 0; i < 98; i++)
        twin[i] = weight[(i + 49) % 98];
    op.prior = prior, op.weight = exchange ? twin : weight, op.factor = memory.floats(pixels);
    std::vector<double> x = d.x, want(d.x.size());
    for (size_t i = 0; i < x.size(); i++)
        x[i] *= (prior ? (double)prior[i / CHANNELS] : 1) *
                (op.point_factor ? (double)op.point_factor[i / CHANNELS] : 1);
    assert_int_equal(reference_spatial_gate(want.data(), x.data(), d.shape, weight), ST_OK);
    for (size_t i = 0; i < x.size(); i++)
        want[i] /= op.point_factor ? (double)op.point_factor[i / CHANNELS] : 1;
    gpu_place at = memory.place(gpu_gate_scratch(&op, &limits));
    at.limits = &limits;
    memory.run([&] { return gpu_gate(&op, &at); });
    size_t misses = product_misses(d, op.factor, want);
    if (prior) {                                 /* over the prior: the same bits */
        struct fused_gate over = op;
        over.factor = prior;
        memory.run([&] { return gpu_gate(&over, &at); });
        misses += std::memcmp(prior, op.factor, pixels * sizeof(float)) != 0;
    }
    return misses;
}

void gate_agrees(void **)
{
    for (int w = 1; w <= 33; w++)
        assert_int_equal(gate_misses(1 + w % 3, 1 + w % 8, w, w % 2 ? 1 : 132, false), 0);
    for (int multiprocessors = 1; multiprocessors < 200; multiprocessors += 131)
        assert_int_equal(gate_misses(2, 45, 71, multiprocessors, false), 0);
    assert_true(gate_misses(1, 9, 14, 1, true) > 100);
}

size_t triplet_misses(int n, int h, int w, int multiprocessors, bool exchange)
{
    case_memory memory;
    rng r = rng_seeded((uint64_t)(h * 40 + w));
    const gpu_limits limits = device_of(multiprocessors);
    described d = described_new(memory, &r, n, h, w);
    const size_t pixels = (size_t)(n * h * w);
    float *ch = memory.normals(14, &r, 0, 0.7), *cw = memory.normals(14, &r, 0, 0.7),
          *hw = memory.normals(98, &r, 0, 0.2);
    struct fused_triplet op = {};
    op.n = n, op.h = h, op.w = w, op.row = d.row, op.column = d.column, op.point = d.point;
    op.point_weight = hw;
    op.row_weight[exchange] = ch[3], op.row_weight[!exchange] = ch[10]; /* 3: the middle of seven taps */
    op.column_weight[0] = cw[3], op.column_weight[1] = cw[10];
    op.factor = memory.floats(pixels);
    std::vector<double> want(d.x.size());
    assert_int_equal(reference_triplet(want.data(), d.x.data(), d.shape, ch, cw, hw), ST_OK);
    float *prior = memory.normals(pixels, &r, 0.5, 0.1);
    gpu_place at = memory.place(gpu_triplet_scratch(&op, &limits));
    at.limits = &limits;
    memory.run([&] { return gpu_triplet(&op, &at); });
    size_t misses = product_misses(d, op.factor, want);
    std::vector<float> before(prior, prior + pixels);
    struct fused_triplet over = op;              /* in place: what stands there is multiplied in, once */
    over.prior = over.factor = prior;
    memory.run([&] { return gpu_triplet(&over, &at); });
    for (size_t i = 0; i < pixels; i++)
        misses += !near((double)prior[i], (double)before[i] * (double)op.factor[i], FUSED_F32, 1e-6);
    return misses;
}

void triplet_agrees(void **)
{
    for (int w = 1; w <= 33; w++)
        assert_int_equal(triplet_misses(1 + w % 3, 1 + w % 8, w, w % 2 ? 1 : 132, false), 0);
    for (int multiprocessors = 1; multiprocessors < 200; multiprocessors += 131)
        assert_int_equal(triplet_misses(2, 53, 67, multiprocessors, false), 0);
    assert_true(triplet_misses(1, 9, 14, 1, true) > 100);
}

/* Both ways of cutting a map give the same bits, so that a device's size decides about speed only. */
void tiles_of_a_map_do_not_matter(void **)
{
    std::vector<float> factor[2];
    for (int i = 0; i < 2; i++) {
        case_memory memory;
        rng r = rng_seeded(5);
        const gpu_limits limits = device_of(i ? 132 : 1);
        struct fused_gate op = {};
        op.n = 1, op.h = 67, op.w = 35;
        op.point = memory.normals(2 * 67 * 35, &r, 0, 1), op.weight = memory.normals(98, &r, 0, 0.2);
        op.factor = memory.floats(67 * 35);
        gpu_place at = memory.place(gpu_gate_scratch(&op, &limits));
        at.limits = &limits;
        memory.run([&] { return gpu_gate(&op, &at); });
        factor[i].assign(op.factor, op.factor + 67 * 35);
    }
    assert_memory_equal(factor[0].data(), factor[1].data(), 67 * 35 * sizeof(float));
}

/* On one pixel the mean is the pixel itself, and the reference's product is x * factor. */
size_t se_misses(int n, int c, int c_real, int hidden, bool without_relu)
{
    case_memory memory;
    rng r = rng_seeded((uint64_t)(c + hidden));
    struct fused_se op = {};
    op.n = n, op.c = c, op.hidden = hidden;
    op.mean = memory.coefficients(n, c, c_real, &r, 0.3, 1);
    op.w1 = memory.coefficients(hidden, c, c_real, &r, 0, 0.2);
    float *w2 = memory.normals((size_t)(c * hidden), &r, 0, 0.4);
    op.w2 = w2, op.factor = memory.floats((size_t)(n * c));
    std::vector<float> packed;                   /* w1 without its padding */
    std::vector<double> x, want((size_t)(n * c_real));
    for (int i = 0; i < hidden * c_real; i++)
        packed.push_back(op.w1[i / c_real * c + i % c_real]);
    for (int i = 0; i < n * c_real; i++)
        x.push_back((double)op.mean[i / c_real * c + i % c_real]);
    if (without_relu) /* the wrong twin: as if the first hidden value were never below zero */
        for (int i = 0; i < c_real; i++)
            packed[(size_t)i] = -packed[(size_t)i];
    assert_int_equal(reference_se(want.data(), x.data(), { n, 1, 1, c_real }, hidden, packed.data(), w2),
                     ST_OK);
    gpu_place at = memory.place(gpu_se_scratch(&op, nullptr));
    memory.run([&] { return gpu_se(&op, &at); });
    size_t misses = 0;
    for (int i = 0; i < n * c_real; i++)
        misses += !near(x[(size_t)i] * (double)op.factor[i / c_real * c + i % c_real], want[(size_t)i],
                        FUSED_F32, 2e-5);
    return misses;
}

void se_agrees(void **)
{
    assert_int_equal(se_misses(1, 48, 48, 8, false), 0);
    assert_int_equal(se_misses(3, 24, 20, 12, false), 0);
    assert_int_equal(se_misses(2, 8, 1, 1, false), 0);
    assert_int_equal(se_misses(2, 192, 192, 17, false), 0);
    assert_int_equal(se_misses(2, 1024, 1024, 64, false), 0);
    assert_true(se_misses(1, 48, 48, 8, true) > 10);
}

} // namespace

int main()
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gate_agrees),
        cmocka_unit_test(triplet_agrees),
        cmocka_unit_test(tiles_of_a_map_do_not_matter),
        cmocka_unit_test(se_agrees),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
