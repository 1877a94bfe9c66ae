/* Transposed 2x2 convolutions that are written where they belong: the products of their taps against the definition,
 * by a product of three loops; then the direct ways of both libraries on the fakes, into slices and dense, beside the
 * wide form, and saved. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/len.h"
#include "kernels/base/rng.h"
#include "kernels/cuda/library/matmul_plan.h"
#include "tests/unit/cuda_libraries_help.h"

#define GAP (-7.0f)     /* between the channels of a slice, before and after */

/* --- one transposed convolution on the host ------------------------------------------------------------------ */

/* src (n,h,w,c) in pixels of `from` elements to dst (n,2h,2w,k) in pixels of `to`, from channel `first` on. */
static const struct tconv { int n, h, w, c, k, from, to, first; bool bias; } cases[] = {
    { 1, 2, 3, 8, 16, 8, 16, 0, true },     /* dense: two products */
    { 2, 5, 7, 16, 8, 16, 8, 0, false },
    { 1, 1, 1, 8, 8, 8, 24, 16, true },     /* one pixel into the last slice of three */
    { 3, 5, 3, 24, 16, 24, 32, 16, true },
    { 2, 3, 5, 8, 8, 16, 16, 8, false },    /* from a slice too */
    { 2, 4, 1, 40, 24, 40, 48, 0, true },
};

static struct conv_want want_of(const struct tconv *t)
{
    struct conv_want wide = { .shape = { .n = t->n, .h = t->h, .w = t->w, .c = t->c, .k = 4 * t->k, .out_h = t->h,
                                         .out_w = t->w, .kernel_h = 1, .kernel_w = 1, .stride = 1, .groups = 1,
                                         .type = FUSED_F32 },
                              .math = GPU_F32, .src_stride = t->from == t->c ? 0 : t->from,
                              .direct = { t->to, t->bias } };
    return wide;
}

struct numbers {
    size_t in, out, taps;
    float *src, *weights, *wide, *bias;     /* weights (c,2,2,k); wide (2,2,k,c); bias [2][k] */
    double *want;                           /* dst; GAP between its channels */
};

static float *random_values(size_t count, uint64_t seed)
{
    struct rng rng = rng_seeded(seed);
    float *values = malloc(count * sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < count; i++)
        values[i] = (float)(2 * rng_uniform(&rng) - 1);
    return values;
}

static double value_at(const struct tconv *t, const struct numbers *v, int n, int y, int x, int k)
{
    const float *src = v->src + ((n * t->h + y / 2) * t->w + x / 2) * t->from;
    double sum = t->bias ? (double)v->bias[k] : 0;
    for (int c = 0; c < t->c; c++)
        sum += (double)src[c] * v->weights[((c * 2 + y % 2) * 2 + x % 2) * t->k + k];
    return sum;
}

static struct numbers numbers_of(const struct tconv *t)
{
    struct numbers v = { .in = (size_t)(t->n * t->h * t->w * t->from), .out = (size_t)(4 * t->n * t->h * t->w * t->to),
                         .taps = (size_t)(4 * t->c * t->k) };
    v.src = random_values(v.in, 1);
    v.weights = random_values(v.taps, 2);
    v.wide = random_values(v.taps, 0);
    v.bias = random_values((size_t)(2 * t->k), 3);
    memcpy(v.bias + t->k, v.bias, (size_t)t->k * sizeof *v.bias);
    for (int c = 0; c < t->c; c++)
        for (int k = 0; k < 4 * t->k; k++)
            v.wide[k * t->c + c] = v.weights[c * 4 * t->k + k];
    v.want = malloc(v.out * sizeof *v.want);
    assert_non_null(v.want);
    double *at = v.want;
    for (int n = 0; n < t->n; n++)
        for (int y = 0; y < 2 * t->h; y++)
            for (int x = 0; x < 2 * t->w; x++)
                for (int k = 0; k < t->to; k++)
                    *at++ = k < t->first || k >= t->first + t->k ? (double)GAP : value_at(t, &v, n, y, x, k - t->first);
    return v;
}

static void numbers_free(struct numbers *v)
{
    free(v->src);
    free(v->weights);
    free(v->wide);
    free(v->bias);
    free(v->want);
}

static float *gaps(const struct numbers *v)
{
    float *dst = malloc(v->out * sizeof *dst);
    assert_non_null(dst);
    for (size_t i = 0; i < v->out; i++)
        dst[i] = GAP;
    return dst;
}

static size_t wrong_values(const struct numbers *v, const float *dst)
{
    size_t wrong = 0;
    for (size_t i = 0; i < v->out; i++)
        wrong += !(fabs((double)dst[i] - v->want[i]) < 1e-5);
    return wrong;
}

/* --- the products ------------------------------------------------------------------------------------------------ */

/* What matmul_plan.h says of a want. */
static void multiply(const struct matmul_want *w, const float *a, const float *b, const float *bias, float *d)
{
    for (int batch = 0; batch < w->batches; batch++)
        for (int j = 0; j < w->n; j++)
            for (int i = 0; i < w->m; i++) {
                double sum = w->bias ? (double)bias[i] : 0;
                for (int k = 0; k < w->k; k++)
                    sum += (double)a[batch * w->batch_a + (w->transpose_a ? (long long)i * w->lda + k
                                                                          : (long long)k * w->lda + i)] *
                           b[batch * w->batch_b + (long long)j * w->ldb + k];
                d[batch * w->batch_d + (long long)j * w->ldd + i] = (float)sum;
            }
}

static size_t products_wrong(const struct tconv *t, const struct matmul_want *product, const struct matmul_tap *taps,
                             int count)
{
    struct numbers v = numbers_of(t);
    float *dst = gaps(&v);
    for (int i = 0; i < count; i++)
        multiply(product, v.weights + taps[i].a, v.src, v.bias, dst + t->first + taps[i].d);
    size_t wrong = wrong_values(&v, dst);
    free(dst);
    numbers_free(&v);
    return wrong;
}

static void taps_are_products(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(cases); i++) {
        const struct tconv *t = &cases[i];
        struct conv_want wide = want_of(t), want = conv_want_direct(&wide);
        struct matmul_want product;
        struct matmul_tap taps[MATMUL_TAPS_MAX];
        assert_true(matmul_of_conv(&product, &want));
        int count = matmul_taps(taps, &want);
        assert_int_equal(count, t->to == t->k ? 2 : 4);
        assert_int_equal(product.m, t->to == t->k ? 2 * t->k : t->k);
        assert_int_equal(product.batches, t->n * t->h);
        assert_int_equal(products_wrong(t, &product, taps, count), 0);
    }
}

/* The wrong twins: taps in another order, one left out, rows of dst half as far apart, pixels too. */
static void other_products_are_seen(void **state)
{
    (void)state;
    const struct tconv *t = &cases[3];
    struct conv_want wide = want_of(t), want = conv_want_direct(&wide);
    struct matmul_want right, product;
    struct matmul_tap taps[MATMUL_TAPS_MAX], other[MATMUL_TAPS_MAX];
    assert_true(matmul_of_conv(&right, &want));
    int count = matmul_taps(taps, &want);
    memcpy(other, taps, sizeof taps);
    other[1].a = taps[2].a;
    other[2].a = taps[1].a;
    assert_true(products_wrong(t, &right, other, count) > 0);
    assert_true(products_wrong(t, &right, taps, count - 1) > 0);
    product = right;
    product.batch_d /= 2;
    assert_true(products_wrong(t, &product, taps, count) > 0);
    product = right;
    product.ldd /= 2;
    assert_true(products_wrong(t, &product, taps, count) > 0);
    product = right;
    product.lda = t->k;
    assert_true(products_wrong(t, &product, taps, count) > 0);
}

static void not_every_one_is_products(void **state)
{
    (void)state;
    for (int change = 0; change < 4; change++) {
        struct conv_want wide = want_of(&cases[3]), want;
        struct matmul_want product;
        switch (change) {
        case 0: wide.shape.c = 3; break;            /* rows of B are not aligned */
        case 1: wide.direct.stride = 34; break;
        case 2: wide.shape.k = 4 * 6; break;
        default: wide.shape.n = 1 << 30; break;     /* 5 << 30 rows */
        }
        want = conv_want_direct(&wide);
        assert_false(matmul_of_conv(&product, &want));
    }
}

/* --- the ways ---------------------------------------------------------------------------------------------------- */

static void *to_device(const float *values, size_t count)
{
    void *device;
    OK(cudaMalloc(&device, count * sizeof *values));
    OK(cudaMemcpy(device, values, count * sizeof *values, cudaMemcpyHostToDevice));
    return device;
}

struct memory {
    struct numbers numbers;
    void *src, *weights, *wide, *bias, *product, *workspace;
};

static struct memory memory_new(const struct tconv *t)
{
    struct memory m = { .numbers = numbers_of(t) };
    m.src = to_device(m.numbers.src, m.numbers.in);
    m.weights = to_device(m.numbers.weights, m.numbers.taps);
    m.wide = to_device(m.numbers.wide, m.numbers.taps);
    m.bias = to_device(m.numbers.bias, (size_t)(2 * t->k));
    OK(cudaMalloc(&m.product, (size_t)(4 * t->n * t->h * t->w * t->k) * sizeof(float)));
    OK(cudaMalloc(&m.workspace, CAP));
    return m;
}

static void memory_free(struct memory *m)
{
    void *pieces[] = { m->src, m->weights, m->wide, m->bias, m->product, m->workspace };
    for (size_t i = 0; i < LEN(pieces); i++)
        OK(cudaFree(pieces[i]));
    numbers_free(&m->numbers);
}

/* dst as the way leaves it, or as the scatter step would from its product. The caller frees. */
static float *run(struct conv_way *way, const struct tconv *t, const struct memory *m)
{
    float *dst = gaps(&m->numbers);
    void *device = to_device(dst, m->numbers.out);
    struct conv_buffers b = { .src = m->src, .weights = m->wide, .dst = m->product, .workspace = m->workspace };
    if (conv_form_is_direct(conv_form(way))) {
        b.weights = m->weights;
        b.bias = m->bias;
        b.dst = (float *)device + t->first;
    }
    GOOD(conv_run(way, &b, NULL, &err));
    OK(cudaMemcpy(dst, device, m->numbers.out * sizeof *dst, cudaMemcpyDeviceToHost));
    OK(cudaFree(device));
    if (conv_form_is_direct(conv_form(way)))
        return dst;
    size_t count = (size_t)(4 * t->n * t->h * t->w * t->k);
    float *wide = malloc(count * sizeof *wide);
    assert_non_null(wide);
    OK(cudaMemcpy(wide, m->product, count * sizeof *wide, cudaMemcpyDeviceToHost));
    for (size_t i = 0; i < count; i++) {
        int k = (int)i % t->k, tap = (int)i / t->k % 4, pixel = (int)i / (4 * t->k);
        int x = 2 * (pixel % t->w) + tap % 2, y = 2 * (pixel / t->w) + tap / 2; /* of all images' rows */
        dst[(y * 2 * t->w + x) * t->to + t->first + k] = wide[i] + (t->bias ? m->numbers.bias[k] : 0);
    }
    free(wide);
    return dst;
}

static void every_way_writes_the_same(void **state)
{
    (void)state;
    struct gpu_libraries *l = open_libraries();
    for (size_t i = 0; i < LEN(cases); i++) {
        const struct tconv *t = &cases[i];
        struct memory m = memory_new(t);
        struct conv_want want = want_of(t);
        struct conv_way **ways;
        size_t count, direct = 0, dense = 0, products = 0;
        GOOD(conv_list(&ways, &count, l, &want, 8, CAP, &err));
        for (size_t k = 0; k < count; k++) {
            bool is_direct = conv_form_is_direct(conv_form(ways[k]));
            assert_true(is_direct || direct == 0);      /* they stand behind all others */
            direct += is_direct;
            products += is_direct && is_product(ways[k]);
            bool copies = conv_form(ways[k]) == CONV_DIRECT_DENSE;
            assert_true(!copies || t->to > t->k);
            dense += copies;
            assert_int_equal(conv_launches(ways[k]),
                             (is_direct && is_product(ways[k]) ? (copies || t->to == t->k ? 2 : 4) : 1) + copies);
            float *dst = run(ways[k], t, &m);
            if (wrong_values(&m.numbers, dst))
                fail_msg("case %zu, way %zu of %zu: %zu wrong values", i, k, count, wrong_values(&m.numbers, dst));
            free(dst);
        }
        assert_true(products > 0 && direct > products && count > direct && (dense > 0) == (t->to > t->k));
        conv_free_all(ways, count);
        GOOD(conv_list(&ways, &count, l, &want, 1, CAP, &err));
        assert_true(count == 1 && conv_form(ways[0]) == CONV_PLAIN);        /* the first guess is the wide product */
        conv_free_all(ways, count);
        memory_free(&m);
    }
    close_libraries(l);
}

/* A way comes back in the form it was saved in, and in no other. */
static void the_name_says_the_form(void **state)
{
    (void)state;
    struct gpu_libraries *l = open_libraries();
    const struct tconv *t = &cases[3];
    struct memory m = memory_new(t);
    struct conv_want want = want_of(t), plain = want;
    struct conv_way **ways, *again;
    size_t count, size;
    plain.direct = (struct conv_direct){ .stride = 0 };
    GOOD(conv_list(&ways, &count, l, &want, 8, CAP, &err));
    for (size_t k = 0; k < count; k++) {
        char name[96], other[128];
        void *bytes;
        conv_name(ways[k], name, sizeof name);
        char *end = strstr(name, " direct");
        assert_int_equal(end != NULL, conv_form_is_direct(conv_form(ways[k])));
        GOOD(conv_save(ways[k], &bytes, &size, &err));
        GOOD(conv_load(&again, l, &want, name, bytes, size, &err));
        assert_int_equal(conv_form(again), conv_form(ways[k]));
        assert_int_equal(conv_launches(again), conv_launches(ways[k]));
        float *dst = run(again, t, &m);
        assert_int_equal(wrong_values(&m.numbers, dst), 0);
        free(dst);
        conv_free(again);
        if (end) {      /* a segment without a scatter step has no such form */
            assert_true(conv_load(&again, l, &plain, name, bytes, size, NULL) != ST_OK);
            assert_null(again);
        }
        snprintf(other, sizeof other, "%.*s%s", end ? (int)(end - name) : (int)strlen(name), name, end ? "" : " direct");
        if (is_product(ways[k]))        /* an algorithm knows its problem */
            assert_true(conv_load(&again, l, &want, other, bytes, size, NULL) != ST_OK);
        free(bytes);
    }
    conv_free_all(ways, count);
    memory_free(&m);
    close_libraries(l);
}

/* None of the direct ways is owed once patience is over. */
static void patience_ends_the_direct_ones(void **state)
{
    (void)state;
    struct gpu_libraries *l = open_libraries();
    struct conv_want want = want_of(&cases[3]);
    size_t before = 0, most = 0;
    for (int time = 0; time < 12; time++) {
        int left = time;
        struct conv_way **ways;
        size_t count, direct = 0;
        const struct patience patience = { one_more, &left, true };
        want.patience = &patience;
        GOOD(conv_list(&ways, &count, l, &want, 8, CAP, &err));
        for (size_t k = 0; k < count; k++)
            direct += conv_form_is_direct(conv_form(ways[k]));
        assert_true(count > direct && count >= before);
        assert_true(time > 0 || direct == 0);
        before = count;
        most = direct;
        conv_free_all(ways, count);
    }
    assert_true(most > 0);
    close_libraries(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(taps_are_products),
        cmocka_unit_test(other_products_are_seen),
        cmocka_unit_test(not_every_one_is_products),
        cmocka_unit_test(every_way_writes_the_same),
        cmocka_unit_test(the_name_says_the_form),
        cmocka_unit_test(patience_ends_the_direct_ones),
    };
    return cmocka_run_group_tests_name("cuda_tconv", tests, NULL, NULL);
}
