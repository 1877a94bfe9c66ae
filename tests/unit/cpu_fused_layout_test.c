/* Layouts, resized maps and softmax. */
#include "tests/unit/cpu_fused_help.h"

#include "kernels/reference/reference.h"

static const enum fused_type types[] = { FUSED_F32, FUSED_BF16 };

static float stored(float x, enum fused_type type) { return type == FUSED_BF16 ? f32_of_bf16(bf16_of_f32(x)) : x; }

/* dst.c and stride need not be multiples of 16: c padded to `c`, pixels `stride` apart. */
static void pack_of(enum cpu_isa isa, enum fused_type type, int n, int h, int w, int c_real, int c, int stride)
{
    struct rng r = rng_seeded((uint64_t)(w + c));
    size_t plane = (size_t)(h * w);
    float *src = floats_new((size_t)(n * c_real) * plane, &r, 0, 1);
    struct tensor dst = tensor_new(type, n, h, w, c, 16 + stride); /* room enough; the view is made narrower */
    struct fused_view view = dst.view;
    view.c = c;
    view.stride = stride;
    struct fused_pack op = { src, c_real, view };
    for (int threads = 1; threads <= 3; threads++) {
        omp_set_num_threads(threads);
        fused_kernels(isa)->pack(&op, NULL);
        for (int p = 0; p < n * h * w; p++)
            for (int k = 0; k < stride; k++) {
                size_t image = (size_t)p / plane, at = (size_t)p % plane;
                float value = k < c_real ? stored(src[(image * (size_t)c_real + (size_t)k) * plane + at], type) : 0;
                double got = view_get(&view, (size_t)p, k);
                if (k < c)
                    assert_true(got == (double)value);
                else             /* behind the channels: the guard */
                    assert_memory_equal((char *)view.data + ((size_t)p * (size_t)stride + (size_t)k) * type_size(type),
                                        "\x7b\x7b", 2);
            }
    }
    free(src);
    tensor_free(&dst);
}

static void pack_agrees(void **state)
{
    (void)state;
    for (int isa = 0; isa <= (int)cpu_isa_best(); isa++)
        for (size_t t = 0; t < LEN(types); t++) {
            for (int w = 1; w <= 33; w += 4)
                pack_of((enum cpu_isa)isa, types[t], 1 + w % 3, 3, w, 3, 3 + w % 2, 4 + w % 3);
            pack_of((enum cpu_isa)isa, types[t], 2, 45, 47, 3, 16, 16);
            pack_of((enum cpu_isa)isa, types[t], 1, 5, 7, 20, 32, 48);
        }
}

static void unpack_of(enum cpu_isa isa, enum fused_type type, int n, int h, int w, int c_real, int first, int dst_c)
{
    struct rng r = rng_seeded((uint64_t)(w + first));
    struct tensor src = tensor_new(type, n, h, w, c_real, 16);
    tensor_fill(&src, &r, 0, 1);
    size_t plane = (size_t)(h * w), count = (size_t)(n * dst_c) * plane;
    float *dst = aligned_new(count * sizeof *dst);
    for (size_t i = 0; i < count; i++)
        dst[i] = -7;
    struct fused_unpack op = { src.view, c_real, first, dst_c, dst };
    omp_set_num_threads(2);
    fused_kernels(isa)->unpack(&op, NULL);
    for (size_t i = 0; i < count; i++) {
        int k = (int)(i / plane) % dst_c - first;
        size_t pixel = i / plane / (size_t)dst_c * plane + i % plane;
        double want = k < 0 || k >= c_real ? -7 : view_get(&src.view, pixel, k);
        assert_true((double)dst[i] == want);
    }
    free(dst);
    tensor_free(&src);
}

static void unpack_agrees(void **state)
{
    (void)state;
    for (int isa = 0; isa <= (int)cpu_isa_best(); isa++)
        for (size_t t = 0; t < LEN(types); t++) {
            for (int w = 1; w <= 33; w += 4)
                unpack_of((enum cpu_isa)isa, types[t], 1 + w % 3, 3, w, 1 + w % 20, w % 4, 26);
            unpack_of((enum cpu_isa)isa, types[t], 2, 45, 47, 1, 0, 1);
        }
}

/* A 2x2 transposed convolution as a product (here in double, by hand) and the scatter, against the reference. */
static void scatter_of(enum cpu_isa isa, enum fused_type from, enum fused_type to, int h, int w, int k_real, bool biased)
{
    struct rng r = rng_seeded((uint64_t)(w + k_real));
    int n = 1 + w % 3, cin = 3, k = up16(k_real);
    size_t pixels = (size_t)(n * h * w), out_pixels = 4 * pixels;
    float *weight = floats_new((size_t)(cin * k_real * 4), &r, 0, 0.5);
    float *bias = coefficients_new(1, k_real, &r, 0, 1);
    double *x = aligned_new(pixels * (size_t)cin * sizeof *x);
    double *want = aligned_new(out_pixels * (size_t)k_real * sizeof *want);
    struct tensor src = tensor_new(from, n, h, w, 4 * k, 32), dst = tensor_new(to, n, 2 * h, 2 * w, k_real, 16 * (w % 3));
    for (size_t i = 0; i < pixels * (size_t)cin; i++)
        x[i] = floor(8 * rng_normal(&r)) / 8;
    for (int i = 0; i < cin * k_real * 4; i++)
        weight[i] = floorf(4 * weight[i]) / 4; /* products that bf16 keeps nearly always; the rest is in the limit */
    reference_tconv(want, x, (struct ref_shape){ n, h, w, cin }, k_real, weight, biased ? bias : NULL);
    for (size_t p = 0; p < pixels; p++)
        for (int tap = 0; tap < 4; tap++)
            for (int o = 0; o < k; o++) {
                double sum = 0;
                for (int i = 0; i < cin && o < k_real; i++)
                    sum += x[p * (size_t)cin + (size_t)i] * (double)weight[(i * k_real + o) * 4 + tap];
                view_set(&src.view, p, tap * k + o, (float)sum);
            }
    struct fused_scatter op = { src.view, dst.view, biased ? bias : NULL, w % 2 == 0 };
    for (int threads = 1; threads <= 3; threads++) {
        omp_set_num_threads(threads);
        fused_kernels(isa)->scatter(&op, NULL);
        assert_int_equal(view_misses(&dst.view, want, k_real, from == FUSED_BF16 ? 0.02 : 1e-5), 0);
    }
    assert_int_equal(tensor_guard_misses(&dst) + tensor_guard_misses(&src), 0);
    free(weight), free(bias), free(x), free(want);
    tensor_free(&src), tensor_free(&dst);
}

static void scatter_agrees(void **state)
{
    (void)state;
    for (int isa = 0; isa <= (int)cpu_isa_best(); isa++)
        for (int pair = 0; pair < 4; pair++)
            for (int w = 1; w <= 33; w += 4)
                scatter_of((enum cpu_isa)isa, types[pair % 2], types[pair / 2], 1 + w % 7, w, 10 + w, w % 3 != 0);
}

static size_t resize_misses(enum cpu_isa isa, int n, int h, int w, int to_h, int to_w, enum fused_resize got_mode,
                            enum fused_resize want_mode)
{
    struct rng r = rng_seeded((uint64_t)(w * 40 + to_w));
    size_t count = (size_t)(n * h * w), to_count = (size_t)(n * to_h * to_w), misses = 0;
    float *src = floats_new(count, &r, 0, 1), *dst = aligned_new(to_count * sizeof *dst);
    double *x = aligned_new(count * sizeof *x), *want = aligned_new(to_count * sizeof *want);
    for (size_t i = 0; i < count; i++)
        x[i] = (double)src[i];
    reference_resize(want, x, (struct ref_shape){ n, h, w, 1 }, to_h, to_w, want_mode == FUSED_CORNERS);
    struct fused_map_resize op = { n, h, w, to_h, to_w, got_mode, src, dst };
    size_t bytes = fused_map_resize_scratch(&op);
    void *scratch = scratch_new(bytes);
    for (int threads = 1; threads <= 3; threads++) {
        omp_set_num_threads(threads);
        fused_kernels(isa)->map_resize(&op, scratch);
        misses += float_misses(dst, want, to_count, 1e-6);
    }
    misses += scratch_misses(scratch, bytes);
    free(src), free(dst), free(x), free(want), free(scratch);
    return misses;
}

static void map_resize_agrees(void **state)
{
    (void)state;
    static const enum fused_resize modes[] = { FUSED_CORNERS, FUSED_HALF_PIXEL };
    for (int isa = 0; isa <= (int)cpu_isa_best(); isa++)
        for (int m = 0; m < 2; m++) {
            for (int w = 1; w <= 33; w++)
                assert_int_equal(resize_misses((enum cpu_isa)isa, 1 + w % 3, 1 + w % 6, w, 1 + w % 11, 1 + w * 7 % 40,
                                               modes[m], modes[m]), 0);
            assert_int_equal(resize_misses((enum cpu_isa)isa, 2, 31, 33, 124, 132, modes[m], modes[m]), 0);
        }
    assert_true(resize_misses(cpu_isa_best(), 1, 8, 8, 32, 32, FUSED_CORNERS, FUSED_HALF_PIXEL) > 100);
    assert_true(resize_misses(cpu_isa_best(), 1, 8, 8, 32, 32, FUSED_HALF_PIXEL, FUSED_CORNERS) > 100);
}

/* Relative error of exp (as softmax uses it) and of the sigmoid over the whole range, against libm. */
static void exponentials_keep_their_error(void **state)
{
    (void)state;
    enum { COUNT = 20001 };
    float *x = aligned_new(COUNT * sizeof *x), *y = aligned_new(COUNT * sizeof *y);
    for (int isa = 0; isa <= (int)cpu_isa_best(); isa++) {
        float max, sum, acc[1];
        for (int i = 0; i < COUNT; i++)
            x[i] = -(float)i * 0.0052f;  /* 0 .. -104: the largest is 0, so that probs are exp(x) */
        struct fused_softmax softmax = { .groups = 1, .rows = 1, .cols = COUNT, .depth = 1, .scale = 1, .first = true,
                                         .scores = x, .probs = y, .type = FUSED_F32, .max = &max, .sum = &sum,
                                         .acc = acc };
        fused_kernels((enum cpu_isa)isa)->softmax(&softmax, NULL);
        for (int i = 0; i < COUNT; i++) {
            double want = exp((double)x[i]);
            assert_true(x[i] < -87.33f ? (double)y[i] <= 1.19e-38 : fabs((double)y[i] / want - 1) < 1e-6);
        }
        for (int i = 0; i < COUNT; i++)
            x[i] = (float)(i - COUNT / 2) * 0.01f; /* -100 .. 100 */
        struct fused_map_norm sigmoid = { .n = 1, .h = 1, .w = COUNT, .act = FUSED_SIGMOID, .src = x, .dst = y };
        fused_kernels((enum cpu_isa)isa)->map_norm(&sigmoid, NULL);
        for (int i = 0; i < COUNT; i++) {
            double want = 1 / (1 + exp(-(double)x[i]));
            assert_true(x[i] < -87 ? y[i] < 2e-38f : fabs((double)y[i] / want - 1) < 1e-6);
        }
        x[0] = NAN, x[1] = INFINITY, x[2] = -INFINITY, x[17] = NAN;
        fused_kernels((enum cpu_isa)isa)->map_norm(&sigmoid, NULL);
        assert_true(isnan(y[0]) && y[1] == 1 && y[2] < 2e-38f && isnan(y[17]) && !isnan(y[3]));
    }
    free(x), free(y);
}

/* Softmax by blocks of keys with a weighted sum of values, against the whole softmax in double. */
static void attention_of(enum cpu_isa isa, enum fused_type type, int groups, int rows, int keys, int block, int depth)
{
    struct rng r = rng_seeded((uint64_t)(keys + depth));
    size_t lines = (size_t)(groups * rows), out = lines * (size_t)depth;
    float *scores = floats_new(lines * (size_t)keys, &r, 0, 6), *value = floats_new((size_t)(keys * depth), &r, 0, 1);
    float *part = aligned_new(lines * (size_t)block * sizeof *part), *acc = floats_new(out, &r, NAN, 0);
    float *max = aligned_new(lines * sizeof *max), *sum = aligned_new(lines * sizeof *sum);
    bf16 *half = aligned_new(lines * (size_t)block * sizeof *half);
    size_t row_stride = (size_t)depth + 5, group_stride = row_stride * (size_t)rows + 3;
    float *dst = floats_new(group_stride * (size_t)groups, &r, -7, 0);
    for (int from = 0; from < keys; from += block) {
        int cols = keys - from < block ? keys - from : block;
        struct fused_softmax op = { .groups = groups, .rows = rows, .cols = cols, .depth = depth, .scale = 0.5f,
                                    .first = from == 0, .scores = part, .type = type, .max = max, .sum = sum,
                                    .acc = acc, .probs = type == FUSED_BF16 ? (void *)half : (void *)part };
        for (size_t l = 0; l < lines; l++)
            memcpy(part + l * (size_t)cols, scores + l * (size_t)keys + from, (size_t)cols * sizeof *part);
        omp_set_num_threads(1 + from % 3);
        fused_kernels(isa)->softmax(&op, NULL);
        for (size_t l = 0; l < lines; l++)
            for (int j = 0; j < cols; j++) {
                size_t at = l * (size_t)cols + (size_t)j;
                float p = type == FUSED_BF16 ? f32_of_bf16(half[at]) : part[at];
                for (int i = 0; i < depth; i++)
                    acc[l * (size_t)depth + (size_t)i] += p * value[(from + j) * depth + i];
            }
    }
    struct fused_softmax_end end = { groups, rows, depth, acc, sum, dst, FUSED_F32, group_stride, row_stride };
    fused_kernels(isa)->softmax_end(&end, NULL);
    for (size_t l = 0; l < lines; l++)
        for (int i = 0; i < depth; i++) {
            double top = -INFINITY, weight = 0, want = 0;
            for (int j = 0; j < keys; j++)
                top = fmax(top, 0.5 * (double)scores[l * (size_t)keys + (size_t)j]);
            for (int j = 0; j < keys; j++) {
                double p = exp(0.5 * (double)scores[l * (size_t)keys + (size_t)j] - top);
                weight += p;
                want += p * (double)value[j * depth + i];
            }
            float got = dst[l / (size_t)rows * group_stride + l % (size_t)rows * row_stride + (size_t)i];
            assert_true(near((double)got, want / weight, FUSED_F32, type == FUSED_BF16 ? 4e-3 : 1e-5));
        }
    for (int g = 0; g < groups; g++) /* between the rows nothing is written */
        for (int row = 0; row < rows; row++)
            assert_true(dst[(size_t)g * group_stride + (size_t)row * row_stride + (size_t)depth] == -7);
    free(scores), free(value), free(part), free(acc), free(max), free(sum), free(half), free(dst);
}

static void attention_agrees(void **state)
{
    (void)state;
    for (int isa = 0; isa <= (int)cpu_isa_best(); isa++)
        for (size_t t = 0; t < LEN(types); t++) {
            for (int cols = 1; cols <= 33; cols += 2)
                attention_of((enum cpu_isa)isa, types[t], 2, 3, cols + 5, cols, 1 + cols % 19);
            attention_of((enum cpu_isa)isa, types[t], 3, 17, 100, 48, 32);
        }
}

static void softmax_end_rounds_to_bf16(void **state)
{
    (void)state;
    float acc[2 * 20], sum[2] = { 3, 7 };
    bf16 dst[2 * 20];
    for (int i = 0; i < 40; i++)
        acc[i] = (float)(i * i) - 100;
    for (int isa = 0; isa <= (int)cpu_isa_best(); isa++) {
        struct fused_softmax_end op = { 1, 2, 20, acc, sum, dst, FUSED_BF16, 40, 20 };
        memset(dst, 0, sizeof dst);
        fused_kernels((enum cpu_isa)isa)->softmax_end(&op, NULL);
        for (int i = 0; i < 40; i++)
            assert_int_equal(dst[i], bf16_of_f32(acc[i] / sum[i / 20]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pack_agrees),      cmocka_unit_test(unpack_agrees),
        cmocka_unit_test(scatter_agrees),   cmocka_unit_test(map_resize_agrees),
        cmocka_unit_test(attention_agrees), cmocka_unit_test(exponentials_keep_their_error),
        cmocka_unit_test(softmax_end_rounds_to_bf16),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
