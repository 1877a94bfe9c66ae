/* Sums of terms with everything taken from them, on random cases, against an oracle in double made of the
 * reference's operators; then each kernel that was made for a shape of the networks. */
#include "tests/unit/cuda_kernel_help.h"

#include "kernels/cuda/passes/launch_apply.h"

extern "C" {
#include "kernels/reference/reference.h"
}

namespace {

struct apply_case {
    case_memory memory;
    fused_apply op = {};
    fused_norm norm = {};
    gpu_place at = {};
};

/* Chance but for what is fixed by `plan`: what the kernels for the networks are chosen by. */
struct apply_plan {
    int terms;
    bool random;                /* all below is ignored: anything goes */
    bool scale[4], shift[4];
    bool pixel, relu;           /* of term 0 */
    enum fused_resize resize[4];
    bool dst, pool, mean, point, dot, norm;
    enum fused_act act;
};

fused_term term_make(apply_case &c, const apply_plan &plan, int i, enum fused_type type, int slices, rng *r)
{
    const fused_apply &op = c.op;
    enum fused_resize resize = plan.random ? (enum fused_resize)random_int(r, 0, 3) : plan.resize[i];
    if (resize == FUSED_WIDE && (op.h % 2 || op.w % 2))
        resize = FUSED_SAME;
    int h = op.h, w = op.w, k = op.c;
    if (resize == FUSED_WIDE)
        h /= 2, w /= 2, k *= 4;
    else if (resize != FUSED_SAME)
        h = random_int(r, 1, op.h + 3), w = random_int(r, 1, op.w + 3);
    fused_term t = {};
    const double mean = random_bool(r) ? 0.2 : -1.5; /* negative: the zeros of padding are no maximum */
    t.src = c.memory.tensor(type, op.n, h, w, k, k, 8 * random_int(r, 0, slices), r, mean, 1);
    /* zero in padding, in each of the four parts of a wide one */
    for (size_t p = 0; p < view_pixels(t.src); p++)
        for (int j = 0; j < k; j++)
            if (j % op.c >= op.c_real)
                store(t.src.data, type, p * (size_t)t.src.stride + (size_t)j, 0);
    t.resize = resize;
    if (plan.random ? random_bool(r) : plan.scale[i])
        t.scale = c.memory.coefficients(op.n, op.c, op.c_real, r, 1, 0.3);
    if (plan.random ? random_bool(r) : plan.shift[i])
        t.shift = c.memory.coefficients(op.n, op.c, op.c_real, r, 0, 0.3);
    if (resize != FUSED_WIDE && (plan.random ? random_int(r, 0, 2) == 0 : plan.pixel && i == 0))
        t.pixel = c.memory.normals(view_pixels(t.src), r, 0.6, 0.1);
    t.relu = plan.random ? random_bool(r) : plan.relu && i == 0;
    return t;
}

void outputs_make(apply_case &c, const apply_plan &plan, enum fused_type type, rng *r)
{
    fused_apply &op = c.op;
    const bool any = plan.random;
    const size_t pixels = (size_t)op.n * (size_t)op.h * (size_t)op.w, all = (size_t)op.n * (size_t)op.c;
    if (any ? random_int(r, 0, 3) : plan.dst)
        op.dst = c.memory.view(any ? random_type(r) : type, op.n, op.h, op.w, op.c, 8 * random_int(r, 0, 3));
    if (op.h > 1 && op.w > 1 && (any ? random_bool(r) : plan.pool))
        op.pool = c.memory.view(any ? random_type(r) : type, op.n, op.h / 2, op.w / 2, op.c,
                                8 * random_int(r, 0, 3));
    op.channel_mean = (any ? random_bool(r) : plan.mean) ? c.memory.floats(all) : nullptr;
    op.point = (any ? random_bool(r) : plan.point) ? c.memory.floats(2 * pixels) : nullptr;
    op.dot = (any ? random_bool(r) : plan.dot) ? c.memory.floats(pixels) : nullptr;
    op.dot_weight = c.memory.coefficients(1, op.c, op.c_real, r, 0, 0.3);
    op.dot_bias = 0.7f;
    c.norm = { c.memory.coefficients(1, op.c, op.c_real, r, 1, 0.2),
               c.memory.coefficients(1, op.c, op.c_real, r, 0, 0.2),
               c.memory.floats(all),
               c.memory.floats(all),
               nullptr,
               nullptr };
    op.norm = (any ? random_bool(r) : plan.norm) ? &c.norm : nullptr;
}

void case_make(apply_case &c, const apply_plan &plan, int n, int h, int w, int c_real, rng *r,
               gpu_shape shape = GPU_SHAPE_EVEN)
{
    const enum fused_type type = random_type(r);
    fused_apply &op = c.op;
    op.n = n, op.h = h, op.w = w, op.c = (c_real + 7) / 8 * 8, op.c_real = c_real;
    op.terms = plan.terms;
    op.act = plan.random ? (enum fused_act)random_int(r, 0, 2) : plan.act;
    op.stream = random_bool(r);
    const bool mixed = plan.random && random_bool(r);
    for (int i = 0; i < op.terms; i++)
        op.term[i] = term_make(c, plan, i, mixed ? random_type(r) : type, 2, r);
    outputs_make(c, plan, type, r);
    gpu_limits limits = test_limits();
    c.at = c.memory.place(gpu_apply_scratch(&op, &limits, shape), shape);
}

/* --- the oracle ---------------------------------------------------------------------------------- */

/* The term as a tensor of the output's size in double; wide ones are put in order first. */
std::vector<double> oracle_term(const fused_apply &op, const fused_term &t)
{
    const int c = op.c_real, parts = t.resize == FUSED_WIDE ? 2 : 1, h = t.src.h * parts, w = t.src.w * parts;
    std::vector<double> x((size_t)op.n * (size_t)h * (size_t)w * (size_t)c);
    for (size_t i = 0; i < x.size(); i++) {
        size_t k = i % (size_t)c, p = i / (size_t)c, px = p % (size_t)w, py = p / (size_t)w % (size_t)h,
               image = p / (size_t)w / (size_t)h, parts2 = (size_t)parts;
        size_t from = (image * (size_t)t.src.h + py / parts2) * (size_t)t.src.w + px / parts2;
        size_t part = t.resize == FUSED_WIDE ? 2 * (py % 2) + px % 2 : 0;
        double v =
            view_get(t.src, from, (int)(part * (size_t)op.c + k)) * (t.pixel ? (double)t.pixel[from] : 1);
        size_t at = image * (size_t)op.c + k;
        v = v * (t.scale ? (double)t.scale[at] : 1) + (t.shift ? (double)t.shift[at] : 0);
        x[i] = t.relu && v < 0 ? 0 : v;
    }
    if (t.resize != FUSED_CORNERS && t.resize != FUSED_HALF_PIXEL)
        return x;
    std::vector<double> resized((size_t)op.n * (size_t)op.h * (size_t)op.w * (size_t)c);
    reference_resize(resized.data(), x.data(), { op.n, h, w, c }, op.h, op.w, t.resize == FUSED_CORNERS);
    return resized;
}

size_t norm_misses(const apply_case &c, const std::vector<double> &sum)
{
    const fused_apply &op = c.op;
    std::vector<double> mean((size_t)op.n * (size_t)op.c_real), variance(mean.size());
    reference_statistics(mean.data(), variance.data(), sum.data(), { op.n, op.h, op.w, op.c_real });
    size_t misses = 0;
    for (int i = 0; i < op.n * op.c; i++) {
        const int k = i % op.c;
        const size_t at = (size_t)(i / op.c * op.c_real + (k < op.c_real ? k : 0));
        const double scale = (double)c.norm.gamma[k] / std::sqrt(variance[at] + 1e-5);
        const double shift = (double)c.norm.beta[k] - mean[at] * scale;
        /* sums are shifted by the first pixel: as far as that lies from the mean, digits are lost (about 20
         * roundings, all of one sign where ReLU makes the values equal) */
        const size_t first =
            (size_t)(i / op.c * op.h * op.w) * (size_t)op.c_real + (size_t)(k < op.c_real ? k : 0);
        const double off = sum[first] - mean[at], limit = 1e-5 + 1e-6 * off * off / (variance[at] + 1e-5);
        misses += std::fabs((double)c.norm.scale[i] - scale) > limit * std::fabs(scale) ||
                  std::fabs((double)c.norm.shift[i] - shift) > limit * (1 + std::fabs(mean[at] * scale));
    }
    return misses;
}

size_t reduced_misses(const fused_apply &op, const std::vector<double> &y)
{
    size_t misses = 0, c = (size_t)op.c_real, image_pixels = (size_t)op.h * (size_t)op.w;
    std::vector<double> mean((size_t)op.n * (size_t)op.c);
    for (size_t p = 0; p < (size_t)op.n * image_pixels; p++) {
        double sum = 0, top = -INFINITY, dot = (double)op.dot_bias;
        for (size_t k = 0; k < c; k++) {
            const double v = y[p * c + k];
            sum += v;
            top = std::fmax(top, v);
            dot += v * (double)op.dot_weight[k];
            mean[p / image_pixels * (size_t)op.c + k] += v / (double)image_pixels;
        }
        misses += op.point && (!near((double)op.point[2 * p], sum / (double)c, FUSED_F32, 1e-5) ||
                               !near((double)op.point[2 * p + 1], top, FUSED_F32, 1e-5));
        misses += op.dot && !near((double)op.dot[p], dot, FUSED_F32, 2e-5);
    }
    return misses + (op.channel_mean ? float_misses(op.channel_mean, mean, 1e-5) : 0);
}

size_t case_misses(const apply_case &c)
{
    const fused_apply &op = c.op;
    std::vector<double> y((size_t)op.n * (size_t)op.h * (size_t)op.w * (size_t)op.c_real);
    for (int i = 0; i < op.terms; i++) {
        std::vector<double> x = oracle_term(op, op.term[i]);
        for (size_t j = 0; j < y.size(); j++)
            y[j] += x[j];
    }
    size_t misses = op.norm ? norm_misses(c, y) : 0;
    for (double &v : y)
        v = op.act == FUSED_RELU ? std::fmax(v, 0) : op.act == FUSED_SIGMOID ? 1 / (1 + std::exp(-v)) : v;
    if (op.dst.data)
        misses += view_misses(op.dst, y, op.c_real, 1e-5) + gap_misses(op.dst);
    if (op.pool.data) {
        std::vector<double> pool(y.size());
        reference_maxpool(pool.data(), y.data(), { op.n, op.h, op.w, op.c_real });
        misses += view_misses(op.pool, pool, op.c_real, 1e-5) + gap_misses(op.pool);
    }
    return misses + reduced_misses(op, y);
}

/* --- the tests ----------------------------------------------------------------------------------- */

void random_cases_agree_in(gpu_shape shape)
{
    for (int seed = 1; seed <= 66; seed++) {
        rng r = rng_seeded((uint64_t)seed);
        apply_plan plan = {};
        plan.random = true, plan.terms = 1 + seed % 4;
        apply_case c;
        case_make(c, plan, 1 + seed % 3, random_int(&r, 1, 9), 1 + seed % 33,
                  random_int(&r, 1, seed % 11 ? 70 : 300), &r, shape);
        c.memory.run([&] { return gpu_apply(&c.op, &c.at); });
        size_t misses = case_misses(c);
        if (misses)
            fail_msg("seed %d, shape %s, %dx%dx%dx%d: %zu misses", seed, gpu_shape_name(shape), c.op.n, c.op.h, c.op.w, c.op.c_real, misses);
    }
}

void random_cases_agree(void **)
{
    for (gpu_shape shape : all_shapes())
        random_cases_agree_in(shape);
}

constexpr bool yes = true, no = false;
const enum fused_resize same = FUSED_SAME, corners = FUSED_CORNERS, wide = FUSED_WIDE;

/* One row for each kernel made, in their order; then those of the points. */
const apply_plan plans[] = {
    { 1, no, { 1 }, { 1 }, no, no, { same }, yes, no, no, no, no, no, FUSED_RELU },
    { 1, no, { 1 }, { 0 }, yes, no, { same }, yes, no, no, no, no, no, FUSED_NONE },
    { 1, no, { 1 }, { 0 }, yes, no, { same }, yes, yes, no, no, no, no, FUSED_NONE },
    { 2, no, { 1, 0 }, { 1, 0 }, no, no, { same, same }, yes, no, no, no, no, no, FUSED_RELU },
    { 2, no, { 1, 1 }, { 1, 1 }, no, no, { same, same }, yes, no, no, no, no, no, FUSED_RELU },
    { 2, no, { 1, 0 }, { 1, 0 }, no, no, { same, same }, yes, no, yes, no, no, no, FUSED_RELU },
    { 3, no, { 1, 1, 0 }, { 1, 1, 0 }, yes, yes, { same, same, same }, yes, no, no, no, no, no,
      FUSED_RELU },
    { 3, no, { 1, 1, 1 }, { 1, 1, 1 }, yes, yes, { same, same, same }, yes, no, no, no, no, no,
      FUSED_RELU },
    { 3, no, { 1, 1, 0 }, { 1, 1, 0 }, yes, yes, { same, same, same }, yes, yes, no, no, no, no,
      FUSED_RELU },
    { 2, no, { 0, 1 }, { 0, 1 }, no, no, { same, corners }, yes, no, no, no, no, no, FUSED_RELU },
    { 3, no, { 1, 0, 1 }, { 1, 0, 1 }, no, no, { same, same, corners }, yes, no, no, no, no, no,
      FUSED_RELU },
    { 4, no, { 0, 1, 1, 1 }, { 0, 1, 1, 1 }, no, no, { same, corners, corners, FUSED_HALF_PIXEL }, yes, no,
      no, no, no, no, FUSED_RELU },
    { 4, no, {}, {}, no, no, { same, corners, corners, corners }, no, no, no, no, no, yes, FUSED_NONE },
};
const apply_plan point_plans[] = {
    { 1, no, { 1 }, { 1 }, no, no, { same }, no, no, no, no, yes, no, FUSED_RELU },
    { 2, no, { 1, 1 }, { 1, 1 }, no, no, { wide, same }, no, no, no, no, yes, no, FUSED_RELU },
    { 4, no, { 1, 1, 1, 1 }, { 1, 0, 0, 0 }, no, no, { same, corners, corners, corners }, no, no, no, no,
      yes, no, FUSED_RELU },
};

void plan_agrees(const apply_plan &plan, int row, enum apply_pass pass, gpu_shape shape)
{
    for (int seed = 1; seed <= 6; seed++) {
        rng r = rng_seeded((uint64_t)(1000 * row + seed));
        apply_case c;
        const int side = pass == APPLY_POINTS ? 2 * seed : 3 + 3 * seed; /* wide ones are even */
        case_make(c, plan, 1 + seed % 3, side, side + 2, random_int(&r, 1, seed % 3 ? 70 : 300), &r,
                  shape);
        assert_int_equal(apply_choose(&c.op, pass), row);
        c.memory.run([&] { return gpu_apply(&c.op, &c.at); });
        size_t misses = case_misses(c);
        if (misses)
            fail_msg("row %d, seed %d, shape %s, %dx%dx%dx%d: %zu misses", row, seed, gpu_shape_name(shape),
                     c.op.n, c.op.h, c.op.w, c.op.c_real, misses);
        for (int i = 0; i < c.op.terms; i++) /* the wrong twin: each term matters */
            if (c.op.term[i].scale) {
                const float *scale = c.op.term[i].scale;
                c.op.term[i].scale = nullptr;
                assert_true(case_misses(c) > 0);
                c.op.term[i].scale = scale;
            }
    }
}

void kernels_made_for_the_networks_agree(void **)
{
    for (gpu_shape shape : all_shapes()) {
        for (int i = 0; i < (int)(sizeof plans / sizeof *plans); i++)
            plan_agrees(plans[i], i, plans[i].norm ? APPLY_NORM : APPLY_VALUES, shape);
        for (int i = 0; i < (int)(sizeof point_plans / sizeof *point_plans); i++)
            plan_agrees(point_plans[i], i, APPLY_POINTS, shape);
    }
}

/* dst may be the src of a term, also where a norm and maps are wanted of the same sum. */
void works_in_place(void **)
{
    for (int all = 0; all < 2; all++) {
        rng r = rng_seeded(77);
        apply_plan plan = { 2,    false, { 1, 0 }, { 1, 0 }, false,   false,   { same, same },
                            true, false, all > 0,  all > 0,  all > 0, all > 0, FUSED_RELU };
        apply_case apart, in_place;
        case_make(apart, plan, 2, 13, 11, 40, &r);
        r = rng_seeded(77);
        case_make(in_place, plan, 2, 13, 11, 40, &r);
        in_place.op.dst = in_place.op.term[1].src;
        apart.memory.run([&] { return gpu_apply(&apart.op, &apart.at); });
        in_place.memory.run([&] { return gpu_apply(&in_place.op, &in_place.at); });
        for (size_t p = 0; p < view_pixels(apart.op.dst); p++)
            for (int k = 0; k < apart.op.c; k++)
                assert_true(view_get(apart.op.dst, p, k) == view_get(in_place.op.dst, p, k));
        if (all)
            assert_memory_equal(apart.norm.scale, in_place.norm.scale, 2 * 40 * sizeof(float));
    }
}

/* Image i of a batch equals the image alone, bit for bit: no sum depends on how many blocks there are. */
void images_are_independent_in(gpu_shape shape)
{
    rng r = rng_seeded(9);
    apply_plan plan = { 2,    false, { 1, 0 }, { 1, 0 }, false, false, { same, same },
                        true, false, true,     true,     true,  true,  FUSED_RELU };
    apply_case c;
    const int n = 5, h = 37, w = 41, k = 24;
    case_make(c, plan, n, h, w, k, &r, shape);
    assert_int_equal(gpu_apply(&c.op, &c.at), 0);
    fused_apply whole = c.op;
    const size_t pixels = (size_t)h * (size_t)w;
    std::vector<float> mean(whole.channel_mean, whole.channel_mean + n * k),
        scale(c.norm.scale, c.norm.scale + n * k);
    for (int i = 0; i < n; i++) {
        fused_apply op = whole;
        op.n = 1;
        for (int j = 0; j < op.terms; j++) {
            const fused_view &v = op.term[j].src;
            op.term[j].src.n = 1;
            op.term[j].src.data = static_cast<char *>(v.data) +
                                  (size_t)i * pixels * (size_t)v.stride * fused_bytes(v.type);
            op.term[j].scale += op.term[j].scale ? i * k : 0;
            op.term[j].shift += op.term[j].shift ? i * k : 0;
        }
        op.dst.n = 1;
        op.channel_mean = whole.channel_mean, c.norm.scale[0] = 0;
        assert_int_equal(gpu_apply(&op, &c.at), 0);
        assert_memory_equal(whole.channel_mean, mean.data() + i * k, (size_t)k * sizeof(float));
        assert_memory_equal(c.norm.scale, scale.data() + i * k, (size_t)k * sizeof(float));
    }
}

void images_are_independent(void **)
{
    for (gpu_shape shape : all_shapes())
        images_are_independent_in(shape);
}

/* Not a number in a value is not hidden by ReLU, nor by the maximum of a square. */
void faults_show(void **)
{
    rng r = rng_seeded(3);
    apply_plan plan = { 1,    false, { 1 }, { 0 }, true,  false, { same },
                        true, true,  false, false, false, false, FUSED_RELU };
    apply_case c;
    case_make(c, plan, 1, 4, 4, 8, &r);
    store(c.op.term[0].src.data, c.op.term[0].src.type, 0, NAN);
    assert_int_equal(gpu_apply(&c.op, &c.at), 0);
    assert_true(std::isnan(view_get(c.op.dst, 0, 0)) && std::isnan(view_get(c.op.pool, 0, 0)));
}

} // namespace

int main()
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_cases_agree),    cmocka_unit_test(kernels_made_for_the_networks_agree),
        cmocka_unit_test(works_in_place),        cmocka_unit_test(images_are_independent),
        cmocka_unit_test(faults_show),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
