/* Statistics of tensors and maps against the reference in double. */
#include "tests/unit/cpu_fused_help.h"

#include "kernels/reference/reference.h"

struct coefficients { float *gamma, *beta, *scale, *shift, *center, *rate; };

static struct coefficients coefficients_of(int n, int c_real, struct rng *r)
{
    size_t count = (size_t)n * (size_t)up16(c_real);
    return (struct coefficients){
        .gamma = coefficients_new(1, c_real, r, 1, 0.3), .beta = coefficients_new(1, c_real, r, 0, 0.5),
        .scale = aligned_new(count * sizeof(float)), .shift = aligned_new(count * sizeof(float)),
        .center = aligned_new(count * sizeof(float)), .rate = aligned_new(count * sizeof(float)),
    };
}

static void coefficients_free(struct coefficients *k)
{
    free(k->gamma), free(k->beta), free(k->scale), free(k->shift), free(k->center), free(k->rate);
}

/* Coefficients that differ from those of the double statistics; errors are measured as the norm sees them: relative for
 * the factor, and the shift against one standard deviation of the output. */
static size_t coefficient_misses(const struct coefficients *k, bool affine, const double *mean, const double *variance,
                                 int n, int c_real, double slack)
{
    size_t misses = 0, c = (size_t)up16(c_real);
    for (size_t i = 0; i < (size_t)n * c; i++) {
        size_t ch = i % c, at = i / c * (size_t)c_real + ch;
        if (ch >= (size_t)c_real) {
            misses += affine && (k->scale[i] != 0 || k->shift[i] != 0 || k->center[i] != 0);
            continue;
        }
        double gamma = affine ? (double)k->gamma[ch] : 1, beta = affine ? (double)k->beta[ch] : mean[at];
        double v = variance[at], scale = gamma / sqrt(v + 1e-5), shift = beta - mean[at] * scale;
        double spread = affine ? gamma * gamma * v / (v + 1e-5) : v;
        if (affine)
            misses += fabs((double)k->scale[i] - scale) > slack * fabs(scale) ||
                      fabs((double)k->shift[i] - shift) > slack * (1 + fabs(mean[at] * scale) * 1e-2);
        misses += fabs((double)k->center[i] - beta) > slack * (1 + fabs(beta) * 1e-2) ||
                  fabs((double)k->rate[i] * sqrt(spread + 1e-4) - 1) > slack;
    }
    return misses;
}

struct stats_case { enum fused_type type; int n, h, w, c_real, gap; bool affine, weighted; double mean; };

/* values * pixel in f32, which is what is to be measured */
static double *weighted_doubles(const struct tensor *t, const float *pixel)
{
    double *x = view_doubles(&t->view, t->c_real);
    for (size_t i = 0; pixel && i < view_pixels(&t->view) * (size_t)t->c_real; i++)
        x[i] = (double)((float)x[i] * pixel[i / (size_t)t->c_real]);
    return x;
}

static size_t stats_misses(const struct stats_case *s, enum cpu_isa isa, uint64_t seed)
{
    struct rng r = rng_seeded(seed);
    struct tensor t = tensor_new(s->type, s->n, s->h, s->w, s->c_real, s->gap);
    tensor_fill(&t, &r, s->mean, 1);
    float *pixel = s->weighted ? floats_new(view_pixels(&t.view), &r, 0.5, 0.1) : NULL;
    struct coefficients k = coefficients_of(s->n, s->c_real, &r);
    struct fused_stats op = { .src = t.view, .pixel = pixel,
                              .norm = { s->affine ? k.gamma : NULL, s->affine ? k.beta : NULL, k.scale, k.shift,
                                        k.center, k.rate } };
    size_t bytes = fused_stats_scratch(&op), count = (size_t)s->n * (size_t)s->c_real;
    void *scratch = scratch_new(bytes);
    fused_kernels(isa)->stats(&op, scratch);

    double *x = weighted_doubles(&t, pixel), *mean = aligned_new(count * sizeof *mean);
    double *variance = aligned_new(count * sizeof *variance);
    reference_statistics(mean, variance, x, (struct ref_shape){ s->n, s->h, s->w, s->c_real });
    size_t misses = coefficient_misses(&k, s->affine, mean, variance, s->n, s->c_real, 2e-5) +
                    scratch_misses(scratch, bytes) + tensor_guard_misses(&t);
    free(x), free(mean), free(variance), free(scratch), free(pixel);
    coefficients_free(&k);
    tensor_free(&t);
    return misses;
}

static const struct stats_case stats_cases[] = {
    { FUSED_F32, 1, 1, 1, 16, 0, true, false, 1 },       { FUSED_BF16, 1, 1, 2, 3, 16, true, false, 1 },
    { FUSED_F32, 2, 7, 33, 24, 32, true, false, 0 },     { FUSED_BF16, 3, 5, 9, 48, 0, true, true, 0.5 },
    { FUSED_F32, 1, 97, 61, 48, 0, true, false, 10 },    { FUSED_BF16, 2, 65, 31, 96, 32, false, false, 2 },
    { FUSED_F32, 1, 33, 17, 384, 0, false, true, -3 },   { FUSED_BF16, 1, 9, 8, 1024, 0, true, false, 0 },
    { FUSED_F32, 1, 512, 96, 16, 0, true, false, 100 },  { FUSED_F32, 1, 64, 64, 20, 0, true, false, 1000 },
};

static void stats_agree(void **state)
{
    (void)state;
    for (int isa = 0; isa <= (int)cpu_isa_best(); isa++)
        for (size_t i = 0; i < LEN(stats_cases); i++)
            if (stats_misses(&stats_cases[i], (enum cpu_isa)isa, i + 1) != 0)
                fail_msg("case %zu with %s", i, cpu_isa_name((enum cpu_isa)isa));
}

static void stats_agree_for_every_width(void **state)
{
    (void)state;
    for (int isa = 0; isa <= (int)cpu_isa_best(); isa++)
        for (int w = 1; w <= 33; w++) {
            struct stats_case s = { w % 2 ? FUSED_F32 : FUSED_BF16, 1 + w % 3, 1 + w % 7, w, 10 + w, 16 * (w % 3),
                                    true, w % 5 == 0, 0.3 };
            assert_int_equal(stats_misses(&s, (enum cpu_isa)isa, (uint64_t)w), 0);
        }
}

/* The wrong twin: sums without a pilot. Mean 1000, standard deviation 1: E x^2 - m^2 loses every digit in f32. */
static void plain_sums_are_caught(void **state)
{
    (void)state;
    struct rng r = rng_seeded(7);
    struct tensor t = tensor_new(FUSED_F32, 1, 64, 64, 16, 0);
    tensor_fill(&t, &r, 1000, 1);
    struct coefficients k = coefficients_of(1, 16, &r);
    double *x = view_doubles(&t.view, 16), mean[16], variance[16];
    reference_statistics(mean, variance, x, (struct ref_shape){ 1, 64, 64, 16 });
    for (int ch = 0; ch < 16; ch++) {
        float sum = 0, square = 0;
        for (int p = 0; p < 64 * 64; p++) {
            float v = (float)x[p * 16 + ch];
            sum += v;
            square += v * v;
        }
        float m = sum / 4096, v = fmaxf(square / 4096 - m * m, 0);
        k.scale[ch] = k.gamma[ch] / sqrtf(v + 1e-5f);
        k.shift[ch] = k.beta[ch] - m * k.scale[ch];
        k.center[ch] = k.beta[ch];
        k.rate[ch] = 1 / sqrtf(k.gamma[ch] * k.gamma[ch] * v / (v + 1e-5f) + 1e-4f);
    }
    assert_true(coefficient_misses(&k, true, mean, variance, 1, 16, 2e-5) > 8);
    free(x);
    coefficients_free(&k);
    tensor_free(&t);
}

static void run_stats(const struct fused_view *view, int image, int images, const float *gamma, float *out,
                      enum cpu_isa isa, int threads)
{
    struct fused_stats op = { .src = *view };
    size_t c = (size_t)view->c, pixels = (size_t)view->h * (size_t)view->w, all = (size_t)images * c;
    op.src.n = images;
    op.src.data = (char *)view->data + (size_t)image * pixels * (size_t)view->stride * type_size(view->type);
    op.norm = (struct fused_norm){ gamma, gamma, out, out + all, out + 2 * all, out + 3 * all };
    void *scratch = scratch_new(fused_stats_scratch(&op));
    omp_set_num_threads(threads);
    fused_kernels(isa)->stats(&op, scratch);
    free(scratch);
}

static void threads_and_batch_change_no_bit(void **state)
{
    (void)state;
    struct rng r = rng_seeded(3);
    struct tensor t = tensor_new(FUSED_BF16, 3, 61, 47, 48, 16);
    tensor_fill(&t, &r, 0.5, 1);
    float *gamma = coefficients_new(1, 48, &r, 1, 0.1), want[4 * 3 * 48], got[4 * 3 * 48], single[4 * 48];
    for (int isa = 0; isa <= (int)cpu_isa_best(); isa++) {
        run_stats(&t.view, 0, 3, gamma, want, (enum cpu_isa)isa, 1);
        for (int threads = 2; threads <= 3; threads++) {
            run_stats(&t.view, 0, 3, gamma, got, (enum cpu_isa)isa, threads);
            assert_memory_equal(got, want, sizeof want);
        }
        for (int image = 0; image < 3; image++) {
            run_stats(&t.view, image, 1, gamma, single, (enum cpu_isa)isa, 2);
            for (int what = 0; what < 4; what++)
                assert_memory_equal(single + 48 * what, want + 3 * 48 * what + 48 * image, 48 * sizeof(float));
        }
    }
    free(gamma);
    tensor_free(&t);
}

static void nan_reaches_its_channel_only(void **state)
{
    (void)state;
    struct rng r = rng_seeded(5);
    struct tensor t = tensor_new(FUSED_F32, 1, 5, 13, 32, 0);
    tensor_fill(&t, &r, 0, 1);
    view_set(&t.view, 40, 7, NAN);
    view_set(&t.view, 41, 9, INFINITY);
    float *gamma = coefficients_new(1, 32, &r, 1, 0.1), got[4 * 32];
    for (int isa = 0; isa <= (int)cpu_isa_best(); isa++) {
        run_stats(&t.view, 0, 1, gamma, got, (enum cpu_isa)isa, 2);
        for (int k = 0; k < 32; k++)
            assert_true(isfinite(got[k]) == (k != 7 && k != 9));
    }
    free(gamma);
    tensor_free(&t);
}

static size_t map_norm_misses(int n, int h, int w, enum fused_act act, bool normalise, double offset, enum cpu_isa isa)
{
    struct rng r = rng_seeded((uint64_t)(h * 100 + w));
    size_t count = (size_t)n * (size_t)h * (size_t)w, misses = 0;
    float *src = floats_new(count, &r, offset, 2), *dst = aligned_new(count * sizeof *dst);
    struct fused_map_norm op = { .n = n, .h = h, .w = w, .normalise = normalise, .gamma = 1.5f, .beta = -0.25f,
                                 .act = act, .src = src, .dst = dst };
    double *x = aligned_new(count * sizeof *x), *want = aligned_new(count * sizeof *want);
    for (size_t i = 0; i < count; i++)
        want[i] = x[i] = (double)src[i];
    if (normalise)
        reference_norm(want, x, (struct ref_shape){ n, h, w, 1 }, &op.gamma, &op.beta);
    for (size_t i = 0; i < count; i++)
        want[i] = act == FUSED_RELU ? fmax(want[i], 0) : act == FUSED_SIGMOID ? 1 / (1 + exp(-want[i])) : want[i];
    size_t bytes = fused_map_norm_scratch(&op);
    void *scratch = scratch_new(bytes);
    for (int threads = 1; threads <= 3; threads++) {
        omp_set_num_threads(threads);
        fused_kernels(isa)->map_norm(&op, scratch);
        misses += float_misses(dst, want, count, 2e-5);
    }
    op.dst = src;                /* in place: the same bits */
    fused_kernels(isa)->map_norm(&op, scratch);
    misses += memcmp(src, dst, count * sizeof *dst) != 0;
    misses += scratch_misses(scratch, bytes);
    free(src), free(dst), free(x), free(want), free(scratch);
    return misses;
}

static void map_norm_agrees(void **state)
{
    (void)state;
    static const enum fused_act acts[] = { FUSED_NONE, FUSED_RELU, FUSED_SIGMOID };
    for (int isa = 0; isa <= (int)cpu_isa_best(); isa++)
        for (int i = 0; i < 33; i++) {
            assert_int_equal(map_norm_misses(1 + i % 3, 2 + i % 5, 1 + i, acts[i % 3], i % 4 != 0, i,
                                             (enum cpu_isa)isa), 0);
        }
    assert_int_equal(map_norm_misses(2, 141, 167, FUSED_SIGMOID, true, 30, cpu_isa_best()), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stats_agree),
        cmocka_unit_test(stats_agree_for_every_width),
        cmocka_unit_test(plain_sums_are_caught),
        cmocka_unit_test(threads_and_batch_change_no_bit),
        cmocka_unit_test(nan_reaches_its_channel_only),
        cmocka_unit_test(map_norm_agrees),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
