/* Both providers behind conv.h, on the fakes: who is asked first, that every way computes the same, that a
 * way survives being saved, and what happens where one library has nothing. The fakes' arithmetic is tested
 * for itself. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/half.h"
#include "kernels/base/len.h"
#include "kernels/base/rng.h"
#include "kernels/cuda/library/matmul_plan.h"
#include "tests/unit/cuda_libraries_help.h"

/* 2 images of 6 x 5 pixels, 16 channels to 8. */
static struct conv_want want_1x1(void)
{
    return (struct conv_want){ .shape = { .n = 2, .h = 6, .w = 5, .c = 16, .k = 8, .out_h = 6, .out_w = 5,
                                          .kernel_h = 1, .kernel_w = 1, .stride = 1, .groups = 1,
                                          .type = FUSED_F32, .bias = true },
                               .math = GPU_F32 };
}

static struct conv_want want_3x3(void)
{
    struct conv_want w = want_1x1();
    w.shape.kernel_h = w.shape.kernel_w = 3;
    w.shape.pad_h = w.shape.pad_w = 1;
    return w;
}

static void name_of(char name[96], const struct conv_way *way)
{
    conv_name(way, name, 96);
}

/* --- who is asked --------------------------------------------------------------------------------------- */

static void both_are_asked_in_order(void **state)
{
    (void)state;
    struct gpu_libraries *l = open_libraries();
    struct conv_want dense = want_1x1(), from = dense, into = dense, wide = want_3x3(), sums = dense;
    from.src_stride = 32;
    into.dst_stride = 24;
    sums.shape.bias = false;
    sums.stats = true;
    static const char *const names[] = { "dense", "from a slice", "into a slice", "3x3", "with sums" };
    const struct { const struct conv_want *want; bool products, first; } rows[] = {
        { &dense, true, false }, { &from, true, true }, { &into, true, true }, { &wide, false, false },
        { &sums, false, false } };
    for (size_t i = 0; i < LEN(rows); i++) {
        struct conv_way **ways;
        size_t count, products = 0, copies = 0;
        GOOD(conv_list(&ways, &count, l, rows[i].want, 8, CAP, &err));
        print_message("%s: %zu ways\n", names[i], count);
        for (size_t k = 0; k < count; k++) {
            products += is_product(ways[k]);
            assert_true(conv_workspace(ways[k]) <= CAP);
            bool copied = conv_form(ways[k]) == CONV_DENSE;     /* they stand behind the others */
            assert_true(copied || copies == 0);
            copies += copied;
            assert_int_equal(conv_launches(ways[k]), (rows[i].want->stats ? 2 : 1) + copied); /* one for each image */
        }
        assert_int_equal(copies > 0, rows[i].want == &into);
        assert_int_equal(products > 0, rows[i].products);
        assert_true(count > products);
        assert_int_equal(is_product(ways[0]), rows[i].first);
        conv_free_all(ways, count);
        GOOD(conv_list(&ways, &count, l, rows[i].want, 1, CAP, &err));     /* the best guess alone */
        assert_int_equal(count, 1);
        assert_int_equal(is_product(ways[0]), rows[i].first);
        conv_free_all(ways, count);
    }
    close_libraries(l);
}

/* A dense result needs room in the workspace: none is offered beyond the cap. */
static void dense_results_keep_to_the_cap(void **state)
{
    (void)state;
    struct gpu_libraries *l = open_libraries();
    struct conv_want into = want_1x1();
    into.dst_stride = 24;
    const struct conv_shape *s = &into.shape;
    size_t dense = (size_t)(s->n * s->out_h * s->out_w * s->k) * 4 + 256;   /* f32, and what aligns it */
    for (int less = 0; less < 2; less++) {
        struct conv_way **ways;
        size_t count, copies = 0;
        GOOD(conv_list(&ways, &count, l, &into, 8, dense - (size_t)less, &err));
        for (size_t k = 0; k < count; k++) {
            copies += conv_form(ways[k]) == CONV_DENSE;
            assert_true(conv_workspace(ways[k]) <= dense - (size_t)less);
        }
        assert_int_equal(copies > 0, !less);
        conv_free_all(ways, count);
    }
    close_libraries(l);
}

static void a_list_ends_with_patience(void **state)
{
    (void)state;
    struct gpu_libraries *l = open_libraries();
    /* No product, so plans of cuDNN only: the first configuration does not compile, two others do. */
    struct conv_want want = want_3x3();
    static const struct { int time; bool at_least_one; size_t count; } rows[] = {
        { 8, false, 2 }, { 2, false, 1 }, { 1, true, 2 }, { 0, true, 1 } };
    for (size_t i = 0; i < LEN(rows); i++) {
        int left = rows[i].time;
        struct conv_way **ways;
        size_t count;
        const struct patience patience = { one_more, &left, rows[i].at_least_one };
        want.patience = &patience;
        GOOD(conv_list(&ways, &count, l, &want, 8, CAP, &err));
        assert_int_equal(count, rows[i].count);
        conv_free_all(ways, count);
    }
    int none = 0;
    struct err why = { 0 };
    struct conv_way **ways;
    size_t count;
    const struct patience over = { one_more, &none, false };
    want.patience = &over;
    assert_int_equal(conv_list(&ways, &count, l, &want, 8, CAP, &why), ST_UNSUPPORTED);
    assert_int_equal(count, 0);
    close_libraries(l);
}

static void without_cublaslt_cudnn_does_all(void **state)
{
    (void)state;
    struct gpu_libraries *l = open_libraries();
    struct conv_want want = want_1x1();
    struct conv_way **ways;
    size_t count;
    want.src_stride = 32;       /* where the product would come first */
    l->has_cublaslt = false;
    for (size_t most = 1; most <= 8; most += 7) {
        GOOD(conv_list(&ways, &count, l, &want, most, CAP, &err));
        for (size_t k = 0; k < count; k++)
            assert_false(is_product(ways[k]));
        conv_free_all(ways, count);
    }
    l->has_cublaslt = true;
    close_libraries(l);
}

/* No plan of cuDNN's fake needs less than 512 bytes, one product needs none: within 100 bytes a 1x1 is that
 * one, and a 3x3 has nobody, for both reasons. */
static void the_cap_holds_for_both(void **state)
{
    (void)state;
    struct gpu_libraries *l = open_libraries();
    struct conv_want one = want_1x1(), three = want_3x3();
    struct conv_way **ways;
    size_t count;
    struct err why = { 0 };
    GOOD(conv_list(&ways, &count, l, &one, 8, 100, &err));
    assert_int_equal(count, 1);
    assert_true(is_product(ways[0]) && conv_workspace(ways[0]) == 0 && conv_precompiled(ways[0]));
    conv_free_all(ways, count);
    assert_int_equal(conv_list(&ways, &count, l, &three, 8, 100, &why), ST_UNSUPPORTED);
    assert_null(ways);
    assert_int_equal(count, 0);
    assert_non_null(strstr(why.text, "; "));
    assert_non_null(strstr(why.text, "no single product"));
    conv_free(NULL);
    close_libraries(l);
}

/* --- what they compute ---------------------------------------------------------------------------------- */

struct memory {
    size_t pixels, src_c, dst_c;
    float *src, *weights, *bias;
    struct conv_buffers at;
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

static void *to_device(const float *values, size_t count)
{
    void *device;
    OK(cudaMalloc(&device, count * sizeof *values));
    OK(cudaMemcpy(device, values, count * sizeof *values, cudaMemcpyHostToDevice));
    return device;
}

static struct memory memory_new(const struct conv_want *w)
{
    const struct conv_shape *s = &w->shape;
    struct memory m = { .pixels = (size_t)(s->n * s->h * s->w),
                        .src_c = (size_t)(w->src_stride ? w->src_stride : s->c),
                        .dst_c = (size_t)(w->dst_stride ? w->dst_stride : s->k) };
    m.src = random_values(m.pixels * m.src_c, 1);
    m.weights = random_values((size_t)(s->k * s->c), 2);
    m.bias = random_values((size_t)s->k, 3);
    m.at.src = to_device(m.src, m.pixels * m.src_c);
    m.at.weights = to_device(m.weights, (size_t)(s->k * s->c));
    m.at.bias = to_device(m.bias, (size_t)s->k);
    OK(cudaMalloc(&m.at.dst, m.pixels * m.dst_c * sizeof(float)));
    OK(cudaMalloc(&m.at.workspace, CAP));
    return m;
}

static void memory_free(struct memory *m)
{
    free(m->src);
    free(m->weights);
    free(m->bias);
    OK(cudaFree((void *)(uintptr_t)m->at.src));
    OK(cudaFree((void *)(uintptr_t)m->at.weights));
    OK(cudaFree((void *)(uintptr_t)m->at.bias));
    OK(cudaFree(m->at.dst));
    OK(cudaFree(m->at.workspace));
}

/* Largest error against the definition; what lies between the channels of a slice must stay -1. */
static double run_and_compare(struct conv_way *way, const struct conv_want *w, struct memory *m)
{
    size_t count = m->pixels * m->dst_c;
    float *got = malloc(count * sizeof *got);
    double worst = 0;
    assert_non_null(got);
    for (size_t i = 0; i < count; i++)
        got[i] = -1;
    OK(cudaMemcpy(m->at.dst, got, count * sizeof *got, cudaMemcpyHostToDevice));
    GOOD(conv_run(way, &m->at, NULL, &err));
    OK(cudaMemcpy(got, m->at.dst, count * sizeof *got, cudaMemcpyDeviceToHost));
    for (size_t p = 0; p < m->pixels; p++)
        for (size_t k = 0; k < m->dst_c; k++) {
            double want = -1;
            if (k < (size_t)w->shape.k) {
                want = (double)m->bias[k];
                for (size_t c = 0; c < (size_t)w->shape.c; c++)
                    want += (double)m->weights[k * (size_t)w->shape.c + c] * m->src[p * m->src_c + c];
            }
            worst = fmax(worst, fabs(got[p * m->dst_c + k] - want));
        }
    free(got);
    return worst;
}

static void every_way_computes_the_same(void **state)
{
    (void)state;
    struct gpu_libraries *l = open_libraries();
    static const int strides[][2] = { { 0, 0 }, { 32, 0 }, { 0, 24 }, { 24, 40 } };
    for (size_t i = 0; i < LEN(strides); i++) {
        struct conv_want want = want_1x1();
        struct conv_way **ways;
        size_t count;
        want.src_stride = strides[i][0];
        want.dst_stride = strides[i][1];
        struct memory m = memory_new(&want);
        GOOD(conv_list(&ways, &count, l, &want, 8, CAP, &err));
        for (size_t k = 0; k < count; k++)
            assert_true(run_and_compare(ways[k], &want, &m) < 1e-5);
        conv_free_all(ways, count);
        memory_free(&m);
    }
    close_libraries(l);
}

/* --- saving --------------------------------------------------------------------------------------------- */

static void ways_are_saved_and_loaded(void **state)
{
    (void)state;
    struct gpu_libraries *l = open_libraries();
    struct conv_want want = want_1x1();
    struct memory m = memory_new(&want);
    struct conv_way **ways, *again;
    size_t count, size;
    GOOD(conv_list(&ways, &count, l, &want, 8, CAP, &err));
    for (size_t k = 0; k < count; k++) {
        char name[96], found[96];
        void *bytes;
        name_of(name, ways[k]);
        GOOD(conv_save(ways[k], &bytes, &size, &err));
        GOOD(conv_load(&again, l, &want, name, bytes, size, &err));
        name_of(found, again);
        assert_string_equal(found, name);
        assert_int_equal(conv_workspace(again), conv_workspace(ways[k]));
        assert_true(run_and_compare(again, &want, &m) < 1e-5);
        conv_free(again);
        /* under another name, cut, or for what it is not: never a way */
        const char *other = is_product(ways[k]) ? "cublaslt:1.2.3" : "cudnn:999";
        assert_true(conv_load(&again, l, &want, other, bytes, size, NULL) != ST_OK);
        assert_null(again);
        for (size_t cut = 0; cut < size; cut += 1 + size / 40)
            assert_true(conv_load(&again, l, &want, name, bytes, cut, NULL) != ST_OK);
        other = is_product(ways[k]) ? "cudnn:62" : "cublaslt:1.2.3";
        assert_true(conv_load(&again, l, &want, other, bytes, size, NULL) != ST_OK);
        free(bytes);
    }
    conv_free_all(ways, count);
    memory_free(&m);
    close_libraries(l);
}

/* The 64 bytes of an algorithm are for one version of cuBLASLt, and for one product. */
static void products_are_of_one_version(void **state)
{
    (void)state;
    struct gpu_libraries *l = open_libraries();
    struct conv_want want = want_1x1();
    struct matmul_want product;
    struct matmul_plan **plans, *again;
    size_t count, size;
    void *bytes;
    assert_true(matmul_of_conv(&product, &want));
    GOOD(matmul_list(&plans, &count, l, &product, 8, CAP, &err));
    GOOD(matmul_save(plans[0], &bytes, &size, &err));
    l->cublaslt_version++;
    assert_int_equal(matmul_load(&again, l, &product, bytes, size, NULL), ST_INVALID);
    assert_null(again);
    l->cublaslt_version--;
    ((char *)bytes)[0] ^= 1;
    assert_int_equal(matmul_load(&again, l, &product, bytes, size, NULL), ST_INVALID);
    ((char *)bytes)[0] ^= 1;
    product.lda = 1;            /* no layout of k rows */
    assert_true(matmul_load(&again, l, &product, bytes, size, NULL) != ST_OK);
    free(bytes);
    for (size_t i = 0; i < count; i++)
        matmul_free(plans[i]);
    free(plans);
    close_libraries(l);
}

/* --- which products ------------------------------------------------------------------------------------- */

static void not_every_convolution_is_a_product(void **state)
{
    (void)state;
    struct matmul_want m;
    struct conv_want w = want_1x1();
    assert_true(matmul_of_conv(&m, &w));
    assert_int_equal(m.m, 8);
    assert_int_equal(m.n, 60);
    assert_int_equal(m.k, 16);
    assert_true(m.transpose_a && m.bias && m.lda == 16 && m.ldb == 16 && m.ldd == 8 && m.batches == 1);
    for (int change = 0; change < 11; change++) {
        w = want_1x1();
        switch (change) {
        case 0: w.shape.kernel_h = 3; break;
        case 1: w.shape.kernel_w = 3; break;
        case 2: w.shape.stride = 2; break;
        case 3: w.shape.groups = 2; break;
        case 4: w.shape.pad_h = 1; break;
        case 5: w.prologue = true; break;
        case 6: w.stats = true; break;
        case 7: w.shape.c = 3; break;                  /* 12 bytes: rows of A are not aligned */
        case 8: w.dst_stride = 9; break;
        case 9: w.src_stride = 18; break;
        case 10: w.shape.n = 1 << 27; break;           /* 2^27 x 30 pixels */
        default: break;
        }
        assert_false(matmul_of_conv(&m, &w));
    }
}

/* Two heads of depth 8 over 4 tokens, 3 queries: probs (head, row, token) x v, v packed with 48 values per
 * token. */
static void values_are_weighted(void **state)
{
    (void)state;
    enum { ROWS = 3, TOKENS = 4, DEPTH = 8, HEADS = 2, STRIDE = 48, DST = 16 };
    struct gpu_libraries *l = open_libraries();
    struct matmul_want want = matmul_of_values(ROWS, TOKENS, DEPTH, HEADS, STRIDE, DST, GPU_F32);
    struct matmul_plan **plans;
    size_t count;
    float *v = random_values(TOKENS * STRIDE, 5), *probs = random_values(HEADS * ROWS * TOKENS, 6),
          got[ROWS * DST];
    void *at_v = to_device(v, TOKENS * STRIDE), *at_probs = to_device(probs, HEADS * ROWS * TOKENS), *dst,
         *workspace;
    OK(cudaMalloc(&dst, sizeof got));
    OK(cudaMalloc(&workspace, CAP));
    GOOD(matmul_list(&plans, &count, l, &want, 8, CAP, &err));
    for (size_t i = 0; i < count; i++) {
        GOOD(matmul_run(plans[i], at_v, at_probs, NULL, dst, workspace, NULL, &err));
        OK(cudaMemcpy(got, dst, sizeof got, cudaMemcpyDeviceToHost));
        for (int h = 0; h < HEADS; h++)
            for (int r = 0; r < ROWS; r++)
                for (int d = 0; d < DEPTH; d++) {
                    double sum = 0;
                    for (int t = 0; t < TOKENS; t++)
                        sum += (double)probs[(h * ROWS + r) * TOKENS + t] * v[t * STRIDE + h * DEPTH + d];
                    assert_true(fabs(got[r * DST + h * DEPTH + d] - sum) < 1e-5);
                }
        matmul_free(plans[i]);
    }
    free(plans);
    free(v);
    free(probs);
    OK(cudaFree(at_v));
    OK(cudaFree(at_probs));
    OK(cudaFree(dst));
    OK(cudaFree(workspace));
    close_libraries(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_are_asked_in_order),
        cmocka_unit_test(dense_results_keep_to_the_cap),
        cmocka_unit_test(a_list_ends_with_patience),
        cmocka_unit_test(without_cublaslt_cudnn_does_all),
        cmocka_unit_test(the_cap_holds_for_both),
        cmocka_unit_test(every_way_computes_the_same),
        cmocka_unit_test(ways_are_saved_and_loaded),
        cmocka_unit_test(products_are_of_one_version),
        cmocka_unit_test(not_every_convolution_is_a_product),
        cmocka_unit_test(values_are_weighted),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
