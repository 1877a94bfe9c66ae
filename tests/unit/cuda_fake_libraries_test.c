/* The fake cuDNN and cuBLASLt through the code that uses the real ones: what they compute is compared with
 * the naive reference in double precision, in every storage type and arithmetic, also from a replayed graph;
 * what they refuse with what the real cuDNN refuses, where that is installed. */
#include <dlfcn.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/half.h"
#include "kernels/base/len.h"
#include "kernels/base/rng.h"
#include "kernels/cuda/library/conv_plan.h"
#include "kernels/cuda/library/matmul_plan.h"
#include "kernels/cuda/library/sdpa_plan.h"
#include "kernels/reference/reference.h"
#include "tests/unit/cuda_libraries_help.h"

/* Storage, and the relative error that rounding the factors and the result may leave: 2^-11 for f16 and
 * tf32, 2^-8 for bf16, times 4; float sums of a few hundred terms for f32. */
static const struct { enum gpu_math math; double limit; } maths[] = {
    { GPU_F32, 2e-6 }, { GPU_TF32, 2e-3 }, { GPU_F16, 2e-3 }, { GPU_BF16, 1.6e-2 },
};

/* --- a process with libraries --------------------------------------------------------------------------- */
/* --- numbers in device memory --------------------------------------------------------------------------- */
static size_t element(enum gpu_math math)
{
    return math == GPU_F32 || math == GPU_TF32 ? 4 : 2;
}

static float rounded(float x, enum gpu_math math)
{
    return math == GPU_F16 ? f32_of_f16(f16_of_f32(x)) : math == GPU_BF16 ? f32_of_bf16(bf16_of_f32(x)) : x;
}

/* Random values that the type holds exactly. */
static float *random_values(size_t count, uint64_t seed, enum gpu_math math)
{
    struct rng rng = rng_seeded(seed);
    float *values = malloc(count * sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < count; i++)
        values[i] = rounded((float)(2 * rng_uniform(&rng) - 1), math);
    return values;
}

static void *to_device(const float *values, size_t count, enum gpu_math math)
{
    unsigned char *bytes = malloc(count * element(math));
    void *device;
    for (size_t i = 0; i < count; i++) {
        f16 half = math == GPU_F16 ? f16_of_f32(values[i]) : bf16_of_f32(values[i]);
        memcpy(bytes + i * element(math), element(math) == 4 ? (const void *)&values[i] : (const void *)&half,
               element(math));
    }
    OK(cudaMalloc(&device, count * element(math)));
    OK(cudaMemcpy(device, bytes, count * element(math), cudaMemcpyHostToDevice));
    free(bytes);
    return device;
}

static float *from_device(const void *device, size_t count, enum gpu_math math)
{
    float *values = malloc(count * sizeof *values);
    unsigned char *bytes = malloc(count * element(math));
    OK(cudaMemcpy(bytes, device, count * element(math), cudaMemcpyDeviceToHost));
    for (size_t i = 0; i < count; i++) {
        f16 half;
        memcpy(&half, bytes + i * element(math), 2);
        if (element(math) == 4)
            memcpy(&values[i], bytes + i * 4, 4);
        else
            values[i] = math == GPU_F16 ? f32_of_f16(half) : f32_of_bf16(half);
    }
    free(bytes);
    return values;
}

/* Largest difference over the root mean square of what is wanted. */
static double error_of(const float *got, const double *want, size_t count)
{
    double worst = 0, square = 0;
    for (size_t i = 0; i < count; i++) {
        double difference = fabs(got[i] - want[i]);
        worst = difference > worst || isnan(difference) ? difference : worst;
        square += want[i] * want[i];
    }
    return worst / sqrt(square / (double)count);
}

/* --- convolutions --------------------------------------------------------------------------------------- */
static const struct conv_case {
    const char *name;
    int n, h, w, c, k, kernel, stride, pad, groups;
    bool bias, prologue, stats;
} cases[] = {
    { "3x3 stride 2 with bias", 2, 7, 5, 8, 24, 3, 2, 1, 1, true, false, false },
    { "7x7", 1, 9, 11, 3, 5, 7, 1, 3, 1, false, false, false },
    { "1x1", 3, 5, 3, 16, 8, 1, 1, 0, 1, true, false, false },
    { "depthwise", 2, 6, 5, 8, 8, 3, 1, 1, 8, false, false, false },
    { "two groups", 1, 5, 5, 16, 8, 3, 1, 1, 2, true, false, false },
    { "sums", 3, 5, 7, 8, 16, 3, 1, 1, 1, false, false, true },
    { "prologue and sums", 2, 5, 4, 8, 16, 3, 1, 1, 1, false, true, true },
};

static struct conv_want want_of(const struct conv_case *c, enum gpu_math math)
{
    static const enum fused_type types[] = {
        [GPU_F32] = FUSED_F32, [GPU_TF32] = FUSED_F32, [GPU_F16] = FUSED_F16, [GPU_BF16] = FUSED_BF16
    };
    return (struct conv_want){
        .shape = { .n = c->n, .h = c->h, .w = c->w, .c = c->c, .k = c->k,
                   .out_h = (c->h + 2 * c->pad - c->kernel) / c->stride + 1,
                   .out_w = (c->w + 2 * c->pad - c->kernel) / c->stride + 1,
                   .kernel_h = c->kernel, .kernel_w = c->kernel, .stride = c->stride, .pad_h = c->pad,
                   .pad_w = c->pad, .groups = c->groups, .type = types[math],
                   .bias = c->bias },
        .math = math, .prologue = c->prologue, .stats = c->stats,
    };
}

struct conv_world {
    struct conv_want want;
    size_t in, out, taps;
    float *src, *weights, *bias, *scale, *shift;
    struct conv_buffers at;
    double *expected;
};

/* weights (k, kh, kw, c/groups) in the reference's order (k, c/groups, kh, kw) */
static float *reference_weights(const struct conv_world *w)
{
    const struct conv_shape *s = &w->want.shape;
    int cg = s->c / s->groups, taps = s->kernel_h * s->kernel_w;
    float *out = malloc(w->taps * sizeof *out);
    for (int k = 0; k < s->k; k++)
        for (int t = 0; t < taps; t++)
            for (int c = 0; c < cg; c++)
                out[(k * cg + c) * taps + t] = w->weights[(k * taps + t) * cg + c];
    return out;
}

static void expect(struct conv_world *w)
{
    const struct conv_shape *s = &w->want.shape;
    double *src = malloc(w->in * sizeof *src);
    float *weights = reference_weights(w);
    for (size_t i = 0; i < w->in; i++) {
        size_t at = i / (w->in / (size_t)s->n) * (size_t)s->c + i % (size_t)s->c;
        src[i] =
            w->want.prologue ? fmax(0, (double)w->src[i] * w->scale[at] + w->shift[at]) : (double)w->src[i];
    }
    w->expected = malloc(w->out * sizeof *w->expected);
    reference_conv(
        w->expected, src, (struct ref_shape){ s->n, s->h, s->w, s->c },
        (struct ref_conv){ s->k, s->kernel_h, s->kernel_w, s->stride, s->pad_h, s->pad_w, s->groups },
        weights, s->bias ? w->bias : NULL);
    free(src);
    free(weights);
}

static void world_make(struct conv_world *w, const struct conv_case *c, enum gpu_math math)
{
    *w = (struct conv_world){ .want = want_of(c, math) };
    const struct conv_shape *s = &w->want.shape;
    size_t rows = (size_t)s->n * (size_t)s->c, sums = (size_t)s->n * (size_t)s->k * sizeof(float);
    w->in = rows * (size_t)s->h * (size_t)s->w;
    w->out = (size_t)s->n * (size_t)s->k * (size_t)s->out_h * (size_t)s->out_w;
    w->taps = conv_shape_weights(s);
    w->src = random_values(w->in, 1, math);
    w->weights = random_values(w->taps, 2, math);
    w->bias = random_values((size_t)s->k, 3, math);
    w->scale = random_values(rows, 4, math);
    w->shift = random_values(rows, 5, math);
    expect(w);
    w->at = (struct conv_buffers){ .src = to_device(w->src, w->in, math),
                                   .weights = to_device(w->weights, w->taps, math),
                                   .bias = to_device(w->bias, (size_t)s->k, math),
                                   .scale = to_device(w->scale, rows, math),
                                   .shift = to_device(w->shift, rows, math) };
    OK(cudaMalloc(&w->at.dst, w->out * element(math)));
    OK(cudaMalloc((void **)&w->at.sum, sums));
    OK(cudaMalloc((void **)&w->at.square, sums));
}

static void world_free(struct conv_world *w)
{
    const void *device[] = { w->at.src,   w->at.weights, w->at.bias, w->at.scale,
                             w->at.shift, w->at.dst,     w->at.sum,  w->at.square };
    float *host[] = { w->src, w->weights, w->bias, w->scale, w->shift };
    for (size_t i = 0; i < LEN(device); i++)
        OK(cudaFree((void *)(uintptr_t)device[i]));
    for (size_t i = 0; i < LEN(host); i++)
        free(host[i]);
    free(w->expected);
}

/* Sums of what is stored, image by image. */
static void check_sums(const struct conv_world *w, const float *got, const char *name)
{
    const struct conv_shape *s = &w->want.shape;
    size_t rows = (size_t)s->n * (size_t)s->k, pixels = (size_t)s->out_h * (size_t)s->out_w;
    float *sum = from_device(w->at.sum, rows, GPU_F32), *square = from_device(w->at.square, rows, GPU_F32);
    for (size_t row = 0; row < rows; row++) {
        double a = 0, b = 0;
        for (size_t p = 0; p < pixels; p++) {
            double x = got[(row / (size_t)s->k * pixels + p) * (size_t)s->k + row % (size_t)s->k];
            a += x;
            b += x * x;
        }
        if (fabs(sum[row] - a) > 1e-4 * sqrt(b) || fabs(square[row] - b) > 1e-4 * b)
            fail_msg("%s: sums of row %zu: %g and %g, not %g and %g", name, row, sum[row], square[row], a, b);
    }
    free(sum);
    free(square);
}

static void run_plan(const struct conv_plan *plan, struct conv_world *w, cudaStream_t stream)
{
    OK(cudaMalloc(&w->at.workspace, conv_plan_workspace(plan)));
    GOOD(conv_plan_run(plan, &w->at, stream, &err));
    OK(cudaStreamSynchronize(stream));
    OK(cudaFree(w->at.workspace));
}

static void every_plan_convolves(void **state)
{
    (void)state;
    struct gpu_libraries *l = open_libraries();
    for (size_t c = 0; c < LEN(cases); c++)
        for (size_t m = 0; m < LEN(maths); m++) {
            struct conv_world w;
            struct conv_plan **plans;
            size_t count;
            world_make(&w, &cases[c], maths[m].math);
            GOOD(conv_plan_list(&plans, &count, l, &w.want, 8, CAP, NULL, &err));
            /* 62, 47, 51, for f32 without the one of tensor cores; groups: only the fallback */
            assert_int_equal(count, cases[c].groups > 1 ? 1 : maths[m].math == GPU_F32 ? 2 : 3);
            for (size_t i = 0; i < count; i++) {
                OK(cudaMemset(w.at.dst, 0xFF, w.out * element(maths[m].math)));
                run_plan(plans[i], &w, NULL);
                float *got = from_device(w.at.dst, w.out, maths[m].math);
                double error = error_of(got, w.expected, w.out);
                if (!(error < maths[m].limit))
                    fail_msg("%s, arithmetic %d, plan %zu: error %g", cases[c].name, (int)maths[m].math, i,
                             error);
                if (w.want.stats)
                    check_sums(&w, got, cases[c].name);
                free(got);
                conv_plan_free(plans[i]);
            }
            free(plans);
            world_free(&w);
        }
    close_libraries(l);
}

/* The wrong twin of strict f32: the first plan of tf32 is not within its limit, and so would be found. */
static void tf32_is_not_f32(void **state)
{
    (void)state;
    struct gpu_libraries *l = open_libraries();
    struct conv_world w;
    struct conv_plan **plans;
    size_t count;
    world_make(&w, &cases[0], GPU_TF32);
    GOOD(conv_plan_list(&plans, &count, l, &w.want, 1, CAP, NULL, &err));
    run_plan(plans[0], &w, NULL);
    float *got = from_device(w.at.dst, w.out, GPU_TF32);
    assert_true(error_of(got, w.expected, w.out) > 10 * maths[0].limit);
    free(got);
    conv_plan_free(plans[0]);
    free(plans);
    world_free(&w);
    close_libraries(l);
}

static void a_captured_plan_replays(void **state)
{
    (void)state;
    struct gpu_libraries *l = open_libraries();
    struct conv_world w;
    struct conv_plan **plans;
    size_t count;
    cudaStream_t s;
    cudaGraph_t graph;
    cudaGraphExec_t exec;
    world_make(&w, &cases[6], GPU_F16);
    GOOD(conv_plan_list(&plans, &count, l, &w.want, 1, CAP, NULL, &err));
    OK(cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking));
    OK(cudaMalloc(&w.at.workspace, conv_plan_workspace(plans[0])));
    OK(cudaStreamBeginCapture(s, cudaStreamCaptureModeThreadLocal));
    GOOD(conv_plan_run(plans[0], &w.at, s, &err));
    OK(cudaStreamEndCapture(s, &graph));
    OK(cudaGraphInstantiate(&exec, graph, 0));
    assert_int_equal(fake_cudart_ran(FAKE_LIBRARY), 0);
    for (size_t launch = 1; launch <= 2; launch++) {
        OK(cudaMemsetAsync(w.at.dst, 0xFF, w.out * 2, s));
        OK(cudaGraphLaunch(exec, s));
        OK(cudaStreamSynchronize(s));
        float *got = from_device(w.at.dst, w.out, GPU_F16);
        assert_true(error_of(got, w.expected, w.out) < maths[2].limit);
        check_sums(&w, got, "captured");
        free(got);
        assert_int_equal(fake_cudart_ran(FAKE_LIBRARY), launch * (size_t)w.want.shape.n); /* image by image */
    }
    OK(cudaGraphExecDestroy(exec));
    OK(cudaGraphDestroy(graph));
    OK(cudaFree(w.at.workspace));
    OK(cudaStreamDestroy(s));
    conv_plan_free(plans[0]);
    free(plans);
    world_free(&w);
    close_libraries(l);
}

/* Saved and loaded; refused when cut, or by another version. */
static void plans_travel_as_text(void **state)
{
    (void)state;
    struct gpu_libraries *l = open_libraries();
    struct conv_world w;
    struct conv_plan **plans, *loaded;
    size_t count;
    world_make(&w, &cases[0], GPU_BF16);
    GOOD(conv_plan_list(&plans, &count, l, &w.want, 1, CAP, NULL, &err));
    struct err why;
    char *text = conv_plan_save(plans[0], &why);
    assert_non_null(text);
    GOOD(conv_plan_load(&loaded, l, &w.want, text, strlen(text), &err));
    run_plan(loaded, &w, NULL);
    float *got = from_device(w.at.dst, w.out, GPU_BF16);
    assert_true(error_of(got, w.expected, w.out) < maths[3].limit);
    free(got);
    conv_plan_free(loaded);
    setenv("BENCH_FAKE_CUDNN_VERSION", "91300", 1);
    assert_int_not_equal(conv_plan_load(&loaded, l, &w.want, text, strlen(text), &why), ST_OK);
    assert_int_equal(why.code, 1003);
    unsetenv("BENCH_FAKE_CUDNN_VERSION");
    memset(text + strlen(text) / 2, 'z', 4);
    assert_int_not_equal(conv_plan_load(&loaded, l, &w.want, text, strlen(text), &why), ST_OK);
    free(text);
    conv_plan_free(plans[0]);
    free(plans);
    world_free(&w);
    close_libraries(l);
}

/* --- attention ------------------------------------------------------------------------------------------ */
static void attention_attends(void **state)
{
    (void)state;
    struct gpu_libraries *l = open_libraries();
    for (size_t m = 2; m < 4; m++) {
        const struct sdpa_want want = { .n = 2, .heads = 3, .depth = 8, .tokens = 15, .math = maths[m].math };
        size_t out = 2 * 15 * 24, in = 3 * out, count;
        float *src = random_values(in, 7, want.math);
        double *wide = malloc(in * sizeof *wide), *expected = malloc(out * sizeof *expected);
        for (size_t i = 0; i < in; i++)
            wide[i] = src[i];
        reference_attention(expected, wide, (struct ref_shape){ 2, 3, 5, 72 }, 3);
        void *from = to_device(src, in, want.math), *to;
        struct sdpa_plan **plans;
        OK(cudaMalloc(&to, out * 2));
        GOOD(sdpa_plan_list(&plans, &count, l, &want, 4, CAP, NULL, &err));
        assert_int_equal(count, 1);
        GOOD(sdpa_plan_run(plans[0], from, to, NULL, NULL, &err));
        float *got = from_device(to, out, want.math);
        assert_true(error_of(got, expected, out) < maths[m].limit);
        sdpa_plan_free(plans[0]);
        free(plans);
        free(got);
        free(src);
        free(wide);
        free(expected);
        OK(cudaFree(from));
        OK(cudaFree(to));
    }
    close_libraries(l);
}

/* --- products ------------------------------------------------------------------------------------------- */
/* A 1x1 convolution from a slice of one buffer into a slice of another: what lies beside the slice stays. */
static void products_multiply(void **state)
{
    (void)state;
    struct gpu_libraries *l = open_libraries();
    const struct conv_case one = { "1x1", 2, 5, 3, 16, 8, 1, 1, 0, 1, true, false, false };
    const size_t pixels = 2 * 5 * 3, wide_in = 24, wide_out = 32, skip = 8;
    for (size_t m = 0; m < LEN(maths); m++) {
        enum gpu_math math = maths[m].math;
        struct conv_world w;
        struct matmul_want want;
        struct matmul_plan **plans;
        size_t count;
        world_make(&w, &one, math);
        float *src = random_values(pixels * wide_in, 9, math);
        for (size_t p = 0; p < pixels; p++)
            memcpy(src + p * wide_in + skip, w.src + p * 16, 16 * sizeof *src);
        float *before = random_values(pixels * wide_out, 10, math);
        char *from = to_device(src, pixels * wide_in, math), *to = to_device(before, pixels * wide_out, math);
        w.want.src_stride = (int)wide_in;
        w.want.dst_stride = (int)wide_out;
        assert_true(matmul_of_conv(&want, &w.want));
        GOOD(matmul_list(&plans, &count, l, &want, 8, CAP, &err));
        assert_int_equal(count, 3); /* not the one whose state is no success, not the one beyond the cap */
        for (size_t i = 0; i < count; i++) {
            void *workspace = NULL;
            OK(cudaMalloc(&workspace, matmul_workspace(plans[i])));
            GOOD(matmul_run(plans[i], w.at.weights, from + skip * element(math), w.at.bias,
                            to + skip * element(math), workspace, NULL, &err));
            float *all = from_device(to, pixels * wide_out, math), *got = malloc(w.out * sizeof *got);
            for (size_t p = 0; p < pixels; p++)
                for (size_t c = 0; c < wide_out; c++) {
                    if (c >= skip && c < skip + 8)
                        got[p * 8 + c - skip] = all[p * wide_out + c];
                    else
                        assert_true(all[p * wide_out + c] == before[p * wide_out + c]);
                }
            assert_true(error_of(got, w.expected, w.out) < maths[m].limit);
            free(all);
            free(got);
            OK(cudaFree(workspace));
            matmul_free(plans[i]);
        }
        free(plans);
        free(src);
        free(before);
        OK(cudaFree(from));
        OK(cudaFree(to));
        world_free(&w);
    }
    close_libraries(l);
}

/* Scores of attention: op(A) transposed, one product per head. D (tokens x rows) of head h = K_h Q_h^T */
static void products_come_in_batches(void **state)
{
    (void)state;
    struct gpu_libraries *l = open_libraries();
    const int rows = 5, tokens = 8, depth = 16, heads = 3, stride = 3 * heads * depth;
    struct matmul_want want = matmul_of_scores(rows, tokens, depth, heads, stride, GPU_F32);
    size_t in = (size_t)(tokens * stride), out = (size_t)(heads * rows * tokens), count;
    float *src = random_values(in, 11, GPU_F32);
    float *from = to_device(src, in, GPU_F32), *to;
    struct matmul_plan **plans;
    OK(cudaMalloc((void **)&to, out * sizeof *to));
    GOOD(matmul_list(&plans, &count, l, &want, 4, 0, &err)); /* one needs no workspace, and one fails */
    assert_int_equal(count, 1);
    assert_int_equal(matmul_algorithm(plans[0]), 24);
    GOOD(matmul_run(plans[0], from + heads * depth, from, NULL, to, NULL, NULL, &err));
    float *got = from_device(to, out, GPU_F32);
    for (int h = 0; h < heads; h++)
        for (int r = 0; r < rows; r++)
            for (int t = 0; t < tokens; t++) {
                double sum = 0;
                for (int d = 0; d < depth; d++)
                    sum += (double)src[r * stride + h * depth + d] *
                           src[t * stride + heads * depth + h * depth + d];
                assert_true(fabs(got[(h * rows + r) * tokens + t] - sum) < 1e-5);
            }
    free(got);
    free(src);
    matmul_free(plans[0]);
    free(plans);
    OK(cudaFree(from));
    OK(cudaFree(to));
    close_libraries(l);
}

/* --- what is refused ------------------------------------------------------------------------------------ */
struct misuse {
    struct cudnn_api api;
    cudnnBackendDescriptor_t made[16];
    int count;
};

static cudnnBackendDescriptor_t make(struct misuse *m, cudnnBackendDescriptorType_t type)
{
    cudnnBackendDescriptor_t d = NULL;
    assert_int_equal(m->api.cudnnBackendCreateDescriptor(type, &d), 0);
    return m->made[m->count++] = d;
}

/* A tensor without the attribute `skip`; not finalised. */
static cudnnBackendDescriptor_t tensor(struct misuse *m, cudnnBackendAttributeName_t skip)
{
    static const int64_t dims[] = { 1, 8, 4, 4 }, strides[] = { 128, 1, 32, 8 }, id = 1, alignment = 16;
    static const cudnnDataType_t type = CUDNN_DATA_HALF;
    static const struct { cudnnBackendAttributeName_t name; cudnnBackendAttributeType_t type; int64_t count;
                          const void *values; } rows[] = {
        { CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type },
        { CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &id },
        { CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, &alignment },
        { CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, dims },
        { CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, strides },
    };
    cudnnBackendDescriptor_t d = make(m, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    for (size_t i = 0; i < LEN(rows); i++)
        if (rows[i].name != skip)
            assert_int_equal(m->api.cudnnBackendSetAttribute(d, rows[i].name, rows[i].type, rows[i].count,
                                                             rows[i].values), 0);
    return d;
}

#define NO_ATTRIBUTE ((cudnnBackendAttributeName_t)-1)
static const int64_t some_id = 5;

static cudnnStatus_t good_tensor(struct misuse *m)
{
    return m->api.cudnnBackendFinalize(tensor(m, NO_ATTRIBUTE));
}
static cudnnStatus_t no_alignment(struct misuse *m)
{
    return m->api.cudnnBackendFinalize(tensor(m, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT));
}
static cudnnStatus_t no_dimensions(struct misuse *m)
{
    return m->api.cudnnBackendFinalize(tensor(m, CUDNN_ATTR_TENSOR_DIMENSIONS));
}
static cudnnStatus_t no_strides(struct misuse *m)
{
    return m->api.cudnnBackendFinalize(tensor(m, CUDNN_ATTR_TENSOR_STRIDES));
}
static cudnnStatus_t set_when_final(struct misuse *m)
{
    cudnnBackendDescriptor_t d = tensor(m, NO_ATTRIBUTE);
    assert_int_equal(m->api.cudnnBackendFinalize(d), 0);
    return m->api.cudnnBackendSetAttribute(d, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &some_id);
}
static cudnnStatus_t final_twice(struct misuse *m)
{
    cudnnBackendDescriptor_t d = tensor(m, NO_ATTRIBUTE);
    assert_int_equal(m->api.cudnnBackendFinalize(d), 0);
    return m->api.cudnnBackendFinalize(d);
}
static cudnnStatus_t wrong_type(struct misuse *m)
{
    return m->api.cudnnBackendSetAttribute(tensor(m, NO_ATTRIBUTE), CUDNN_ATTR_TENSOR_UNIQUE_ID,
                                           CUDNN_TYPE_FLOAT, 1, &some_id);
}
static cudnnStatus_t foreign_attribute(struct misuse *m)
{
    return m->api.cudnnBackendSetAttribute(tensor(m, NO_ATTRIBUTE), CUDNN_ATTR_CONVOLUTION_COMP_TYPE,
                                           CUDNN_TYPE_DATA_TYPE, 1, &some_id);
}
static cudnnStatus_t no_values(struct misuse *m)
{
    return m->api.cudnnBackendSetAttribute(tensor(m, NO_ATTRIBUTE), CUDNN_ATTR_TENSOR_UNIQUE_ID,
                                           CUDNN_TYPE_INT64, 1, NULL);
}
static cudnnStatus_t two_ids(struct misuse *m)
{
    const int64_t ids[2] = { 1, 2 };
    return m->api.cudnnBackendSetAttribute(tensor(m, NO_ATTRIBUTE), CUDNN_ATTR_TENSOR_UNIQUE_ID,
                                           CUDNN_TYPE_INT64, 2, ids);
}
static cudnnStatus_t get_before_final(struct misuse *m)
{
    int64_t id, count;
    return m->api.cudnnBackendGetAttribute(tensor(m, NO_ATTRIBUTE), CUDNN_ATTR_TENSOR_UNIQUE_ID,
                                           CUDNN_TYPE_INT64, 1, &count, &id);
}
static cudnnStatus_t empty_convolution(struct misuse *m)
{
    return m->api.cudnnBackendFinalize(make(m, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR));
}
static cudnnStatus_t operation_of_nothing(struct misuse *m)
{
    return m->api.cudnnBackendFinalize(make(m, CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR));
}
static cudnnStatus_t empty_graph(struct misuse *m)
{
    return m->api.cudnnBackendFinalize(make(m, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR));
}
static cudnnStatus_t empty_heuristics(struct misuse *m)
{
    return m->api.cudnnBackendFinalize(make(m, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR));
}
static cudnnStatus_t more_ids_than_pointers(struct misuse *m)
{
    cudnnBackendDescriptor_t d = make(m, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
    const int64_t ids[2] = { 1, 2 };
    void *pointers[1] = { m }, *workspace = NULL;
    assert_int_equal(
        m->api.cudnnBackendSetAttribute(d, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, 2, ids), 0);
    assert_int_equal(m->api.cudnnBackendSetAttribute(d, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS,
                                                     CUDNN_TYPE_VOID_PTR, 1, pointers),
                     0);
    assert_int_equal(m->api.cudnnBackendSetAttribute(d, CUDNN_ATTR_VARIANT_PACK_WORKSPACE,
                                                     CUDNN_TYPE_VOID_PTR, 1, &workspace),
                     0);
    return m->api.cudnnBackendFinalize(d);
}
static cudnnStatus_t unknown_descriptor(struct misuse *m)
{
    cudnnBackendDescriptor_t d;
    return m->api.cudnnBackendCreateDescriptor((cudnnBackendDescriptorType_t)999, &d);
}

/* The codes were read off cuDNN 9.19. */
static const struct { const char *name; cudnnStatus_t (*act)(struct misuse *m); int code; } misuses[] = {
    { "good_tensor", good_tensor, 0 },
    { "no_alignment", no_alignment, 2000 },
    { "no_dimensions", no_dimensions, 2000 },
    { "no_strides", no_strides, 2000 },
    { "set_when_final", set_when_final, 2000 },
    { "final_twice", final_twice, 2000 },
    { "wrong_type", wrong_type, 2010 },
    { "foreign_attribute", foreign_attribute, 2000 },
    { "no_values", no_values, 2000 },
    { "two_ids", two_ids, 2000 },
    { "get_before_final", get_before_final, 1001 },
    { "empty_convolution", empty_convolution, 2000 },
    { "operation_of_nothing", operation_of_nothing, 2000 },
    { "empty_graph", empty_graph, 2000 },
    { "empty_heuristics", empty_heuristics, 2000 },
    { "more_ids_than_pointers", more_ids_than_pointers, 2000 },
    { "unknown_descriptor", unknown_descriptor, 4003 },
};

static void misuse_all(void *library, const char *path)
{
    struct misuse m = { .count = 0 };
    GOOD(cudnn_api_load(&m.api, library, path, &err));
    for (size_t i = 0; i < LEN(misuses); i++) {
        m.count = 0;
        int code = (int)misuses[i].act(&m);
        if (code != misuses[i].code)
            fail_msg("%s: %s gives %d, not %d", path, misuses[i].name, code, misuses[i].code);
        for (int d = 0; d < m.count; d++)
            m.api.cudnnBackendDestroyDescriptor(m.made[d]);
    }
}

static void the_fake_refuses_misuse(void **state)
{
    (void)state;
    char folder[LIBRARY_PATH_MAX], path[LIBRARY_PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/libcudnn_graph.so.9", fake_folder(folder, sizeof folder));
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    assert_non_null(library);
    misuse_all(library, path);
    dlclose(library);
}

static void so_does_the_real_one(void **state)
{
    (void)state;
    const struct library_search search = { .loader = true };
    struct library_found found;
    library_find(&found, LIBRARY_CUDNN, &search);
    if (!found.handle) {
        library_found_close(&found);
        skip(); /* no cuDNN here */
    }
    misuse_all(found.handle, found.path);
    library_found_close(&found);
}

/* What the driver of a run gets wrong: pointers. */
static void pointers_are_looked_at(void **state)
{
    (void)state;
    struct gpu_libraries *l = open_libraries();
    struct conv_world w;
    struct conv_plan **plans;
    size_t count;
    struct err why;
    world_make(&w, &cases[0], GPU_F16);
    GOOD(conv_plan_list(&plans, &count, l, &w.want, 1, CAP, NULL, &err));
    OK(cudaMalloc(&w.at.workspace, conv_plan_workspace(plans[0])));
    struct conv_buffers bad = w.at;
    bad.dst = (char *)w.at.dst + 2;
    assert_int_equal(conv_plan_run(plans[0], &bad, NULL, &why), ST_INTERNAL);
    assert_int_equal(why.code, 2003);
    bad.dst = (char *)w.at.dst + 16;                /* aligned, but its end is behind the buffer's */
    assert_int_not_equal(conv_plan_run(plans[0], &bad, NULL, &why), ST_OK);
    assert_int_equal(why.code, 5000);
    bad = w.at;
    bad.workspace = NULL;
    assert_int_not_equal(conv_plan_run(plans[0], &bad, NULL, &why), ST_OK);
    assert_int_equal(why.code, 2002);
    GOOD(conv_plan_run(plans[0], &w.at, NULL, &err));
    OK(cudaFree(w.at.workspace));
    conv_plan_free(plans[0]);
    free(plans);
    world_free(&w);
    close_libraries(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_plan_convolves),     cmocka_unit_test(tf32_is_not_f32),
        cmocka_unit_test(a_captured_plan_replays),  cmocka_unit_test(plans_travel_as_text),
        cmocka_unit_test(attention_attends),        cmocka_unit_test(products_multiply),
        cmocka_unit_test(products_come_in_batches), cmocka_unit_test(the_fake_refuses_misuse),
        cmocka_unit_test(so_does_the_real_one),     cmocka_unit_test(pointers_are_looked_at),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
