/* What a plan computes, on the fake cuDNN: every pattern in every storage type against sums of small
 * integers, which all of them hold exactly, so that results are equal or wrong. Images are kept apart,
 * slices' gaps stay untouched.
 *
 * With TESTS_ON_DEVICE the same on a GPU, with the libraries that are there (found as the worker finds them);
 * what they have no plan for is told and skipped. Exit code 77: there is no GPU. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <cuda_runtime_api.h>
#include <libgen.h>
#include <unistd.h>

#include "kernels/base/half.h"
#include "kernels/base/len.h"
#include "kernels/cuda/library/conv_plan.h"
#include "kernels/cuda/library/cudnn_graph.h"
#include "kernels/cuda/library/norm_plan.h"
#include "kernels/cuda/library/sdpa_plan.h"
#ifndef TESTS_ON_DEVICE
#include "tests/gpu/fake/cudart.h"
#endif

#define CAP ((size_t)256 << 20)
#define MUST(call) do { if ((call) != ST_OK) fail_msg("%s", err.text); } while (0)
#define CUDA(call) assert_int_equal(call, cudaSuccess)

#ifdef TESTS_ON_DEVICE
static struct gpu_libraries *libraries_open(void)
{
    struct gpu_libraries *l = NULL;
    struct err err = { 0 };
    const struct library_search search = library_search_usual();
    MUST(gpu_libraries_open(&l, &search, &err));
    CUDA(cudaSetDevice(0));
    MUST(gpu_libraries_use_device(l, 0, &err));
    return l;
}

/* A line that check-gpu keeps: plans for such a device can then be built where there is none. */
static void tell_device(const struct gpu_libraries *l)
{
    struct err err = { 0 };
    char *text = gpu_libraries_device_json(l, &err);
    printf("# device as cuDNN sees it: %s\n", text ? text : err.text);
    free(text);
}

/* A plan may round the weights of a softmax to storage before it multiplies by them, another one the sums. */
#define ATTENTION_ROUNDINGS 8

static void libraries_close(struct gpu_libraries *l) { gpu_libraries_close(l); }
/* Plans of one pattern: building one may take cuDNN two seconds. */
static size_t most_plans(enum gpu_math math) { return math == GPU_F16 ? 4 : 1; }
static bool may_lack(enum status st) { return st == ST_UNSUPPORTED; }
#else
static struct gpu_libraries *libraries_open(void)
{
    char self[1024], folder[2048];
    ssize_t size = readlink("/proc/self/exe", self, sizeof self - 1);
    assert_true(size > 0);
    self[size] = 0;
    snprintf(folder, sizeof folder, "%s/../../fake", dirname(self)); /* OUT/tests/unit -> OUT/fake */
    struct gpu_libraries *l = NULL;
    struct err err = { 0 };
    const struct library_search search = { .folders = folder };
    fake_cudart_restart("");
    MUST(gpu_libraries_open(&l, &search, &err));
    CUDA(cudaSetDevice(0));
    MUST(gpu_libraries_use_device(l, 0, &err));
    return l;
}

static void tell_device(const struct gpu_libraries *l) { (void)l; }
#define ATTENTION_ROUNDINGS 1

static void libraries_close(struct gpu_libraries *l)
{
    gpu_libraries_close(l);
    assert_int_equal(fake_cudart_leaks(1), 0);
}

static size_t most_plans(enum gpu_math math)
{
    (void)math;
    return 8;
}

/* The fake has a plan for everything. */
static bool may_lack(enum status st)
{
    (void)st;
    return false;
}
#endif

/* --- numbers on the host and on the device ------------------------------------------------------------ */
static size_t bytes_of(enum gpu_math math) { return math == GPU_F16 || math == GPU_BF16 ? 2 : 4; }

static void *device_of(const float *values, size_t count, enum gpu_math math)
{
    size_t bytes = bytes_of(math);
    char *host = malloc(count * bytes);
    void *device = NULL;
    assert_non_null(host);
    for (size_t i = 0; i < count; i++) {
        uint16_t half = math == GPU_F16 ? f16_of_f32(values[i]) : bf16_of_f32(values[i]);
        memcpy(host + i * bytes, bytes == 2 ? (const void *)&half : (const void *)&values[i], bytes);
    }
    CUDA(cudaMalloc(&device, count * bytes));
    CUDA(cudaMemcpy(device, host, count * bytes, cudaMemcpyHostToDevice));
    free(host);
    return device;
}

static float *host_of(const void *device, size_t count, enum gpu_math math)
{
    size_t bytes = bytes_of(math);
    char *host = malloc(count * bytes);
    float *values = malloc(count * sizeof *values);
    assert_non_null(host);
    assert_non_null(values);
    CUDA(cudaMemcpy(host, device, count * bytes, cudaMemcpyDeviceToHost));
    for (size_t i = 0; i < count; i++) {
        uint16_t half;
        memcpy(&half, host + i * bytes, sizeof half);
        values[i] = math == GPU_F16 ? f32_of_f16(half) : f32_of_bf16(half);
        if (bytes == 4)
            memcpy(&values[i], host + i * bytes, bytes);
    }
    free(host);
    return values;
}

/* -1, 0, 1 without a pattern that sums to nothing. */
static float *small_integers(size_t count, unsigned seed)
{
    float *x = malloc(count * sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        x[i] = (float)((int)((seed >> 16) % 3) - 1);
    }
    return x;
}

/* --- a convolution beside its definition -------------------------------------------------------------- */
struct numbers {
    size_t src, weights, dst;   /* counts, gaps between pixels included */
    float *x, *w, *bias, *scale, *shift;
};

static struct numbers numbers_of(const struct conv_want *want)
{
    const struct conv_shape *s = &want->shape;
    size_t ld_in = (size_t)(want->src_stride ? want->src_stride : s->c);
    size_t ld_out = (size_t)(want->dst_stride ? want->dst_stride : s->k);
    struct numbers v = { .src = (size_t)s->n * (size_t)(s->h * s->w) * ld_in,
                         .weights = (size_t)s->k * (size_t)(s->kernel_h * s->kernel_w * s->c / s->groups),
                         .dst = (size_t)s->n * (size_t)(s->out_h * s->out_w) * ld_out };
    v.x = small_integers(v.src, 1);
    v.w = small_integers(v.weights, 2);
    v.bias = small_integers((size_t)s->k, 3);
    v.scale = small_integers((size_t)(s->n * s->c), 4);
    v.shift = small_integers((size_t)(s->n * s->c), 5);
    return v;
}

static void numbers_free(struct numbers *v)
{
    free(v->x), free(v->w), free(v->bias), free(v->scale), free(v->shift);
}

/* src at (n, y, x, c) as the convolution sees it; zero outside. */
static float seen_at(const struct conv_want *want, const struct numbers *v, int n, int y, int x, int c)
{
    const struct conv_shape *s = &want->shape;
    int ld = want->src_stride ? want->src_stride : s->c;
    if (y < 0 || y >= s->h || x < 0 || x >= s->w)
        return 0;
    float value = v->x[((n * s->h + y) * s->w + x) * ld + c];
    return want->prologue ? fmaxf(0, v->scale[n * s->c + c] * value + v->shift[n * s->c + c]) : value;
}

/* Each pixel has one src pixel, through the tap of its own. */
static float transposed_at(const struct conv_want *want, const struct numbers *v, int n, int y, int x, int k)
{
    const struct conv_shape *s = &want->shape;
    float sum = s->bias ? v->bias[k] : 0;
    for (int c = 0; c < s->c; c++)
        sum += seen_at(want, v, n, y / 2, x / 2, c) * v->w[((c * 2 + y % 2) * 2 + x % 2) * s->k + k];
    return sum;
}

static float dst_at(const struct conv_want *want, const struct numbers *v, int n, int y, int x, int k)
{
    const struct conv_shape *s = &want->shape;
    if (want->transposed)
        return transposed_at(want, v, n, y, x, k);
    int depth = s->c / s->groups, first = k / (s->k / s->groups) * depth;
    float sum = s->bias ? v->bias[k] : 0;
    for (int i = 0; i < s->kernel_h; i++)
        for (int j = 0; j < s->kernel_w; j++)
            for (int c = 0; c < depth; c++)
                sum += seen_at(want, v, n, y * s->stride - s->pad_h + i, x * s->stride - s->pad_w + j,
                               first + c) *
                       v->w[((k * s->kernel_h + i) * s->kernel_w + j) * depth + c];
    return sum;
}

#define GAP 77.0f    /* what lies between the pixels of a slice before and after */

static size_t wrong_values(const struct conv_want *want, const struct numbers *v, const float *dst,
                           const float *sum, const float *square)
{
    const struct conv_shape *s = &want->shape;
    int ld = want->dst_stride ? want->dst_stride : s->k;
    size_t wrong = 0;
    for (int n = 0; n < s->n; n++)
        for (int k = 0; k < ld; k++) {
            float total = 0, squares = 0;
            for (int y = 0; y < s->out_h; y++)
                for (int x = 0; x < s->out_w; x++) {
                    float got = dst[((n * s->out_h + y) * s->out_w + x) * ld + k];
                    float right = k < s->k ? dst_at(want, v, n, y, x, k) : GAP;
                    wrong += !(got == right);
                    total += right;
                    squares += right * right;
                }
            if (want->stats && k < s->k)
                wrong += !(sum[n * s->k + k] == total && square[n * s->k + k] == squares);
        }
    return wrong;
}

/* Every plan of the list gives the same; returns the wrong values of all of them. No plan: *plans_seen stays 0. */
static size_t run_all(struct gpu_libraries *l, const struct conv_want *want, size_t *plans_seen)
{
    const struct conv_shape *s = &want->shape;
    struct numbers v = numbers_of(want);
    struct err err = { 0 };
    struct conv_plan **plans;
    size_t count, wrong = 0, sums = (size_t)(s->n * s->k);
    enum status listed = conv_plan_list(&plans, &count, l, want, most_plans(want->math), CAP, NULL,
                                        &err);
    if (may_lack(listed)) {
        numbers_free(&v);
        return 0;
    }
    MUST(listed);
    float *gaps = malloc(v.dst * sizeof *gaps);
    for (size_t i = 0; i < v.dst; i++)
        gaps[i] = GAP;
    struct conv_buffers b = { .src = device_of(v.x, v.src, want->math) };
    b.weights = device_of(v.w, v.weights, want->math);
    b.bias = device_of(v.bias, (size_t)s->k, want->math);
    b.scale = device_of(v.scale, (size_t)(s->n * s->c), want->math);
    b.shift = device_of(v.shift, (size_t)(s->n * s->c), want->math);
    for (size_t i = 0; i < count; i++) {
        b.dst = device_of(gaps, v.dst, want->math);
        CUDA(cudaMalloc((void **)&b.sum, sums * sizeof(float)));
        CUDA(cudaMalloc((void **)&b.square, sums * sizeof(float)));
        CUDA(cudaMalloc(&b.workspace, conv_plan_workspace(plans[i]) + 1));
        assert_int_equal(conv_plan_launches(plans[i]), want->stats || want->prologue ? s->n : 1);
        MUST(conv_plan_run(plans[i], &b, NULL, &err));
        CUDA(cudaDeviceSynchronize());
        float *dst = host_of(b.dst, v.dst, want->math);
        float *sum = host_of(b.sum, sums, GPU_F32), *square = host_of(b.square, sums, GPU_F32);
        wrong += wrong_values(want, &v, dst, sum, square);
        free(dst), free(sum), free(square);
        CUDA(cudaFree(b.dst)), CUDA(cudaFree(b.sum)), CUDA(cudaFree(b.square)), CUDA(cudaFree(b.workspace));
        conv_plan_free(plans[i]);
    }
    *plans_seen += count;
    free(plans), free(gaps);
    CUDA(cudaFree((void *)(uintptr_t)b.src)), CUDA(cudaFree((void *)(uintptr_t)b.weights));
    CUDA(cudaFree((void *)(uintptr_t)b.bias)), CUDA(cudaFree((void *)(uintptr_t)b.scale));
    CUDA(cudaFree((void *)(uintptr_t)b.shift));
    numbers_free(&v);
    return wrong;
}

/* n h w c k kernel stride groups, ld of src and dst; bias, prologue, stats */
#define ROW(n_, h_, w_, c_, k_, size, step, parts, in, out, bias_, prologue_, stats_) \
    { .shape = { .n = n_, .h = h_, .w = w_, .c = c_, .k = k_, .kernel_h = size, .kernel_w = size, \
                 .stride = step, .pad_h = size / 2, .pad_w = size / 2, .groups = parts, \
                 .out_h = (h_ - 1) / step + 1, .out_w = (w_ - 1) / step + 1, .bias = bias_ }, \
      .src_stride = in, .dst_stride = out, .prologue = prologue_, .stats = stats_ }

/* n h w c k of a transposed convolution, ld of src and dst; bias */
#define BACK(n_, h_, w_, c_, k_, in, out, bias_) \
    { .shape = { .n = n_, .h = h_, .w = w_, .c = c_, .k = k_, .kernel_h = 2, .kernel_w = 2, .stride = 2, .groups = 1, \
                 .out_h = 2 * h_, .out_w = 2 * w_, .bias = bias_ }, \
      .src_stride = in, .dst_stride = out, .transposed = true }

static const struct conv_want wants[] = {
    ROW(1, 5, 7, 8, 8, 3, 1, 1, 0, 0, false, false, false), /* the usual one */
    ROW(3, 5, 4, 8, 16, 1, 1, 1, 0, 0, false, false, false),
    ROW(2, 8, 6, 3, 8, 7, 2, 1, 0, 0, false, false, false), /* the network's first, three channels */
    ROW(2, 7, 7, 8, 8, 3, 2, 1, 0, 0, true, false, false),  /* odd size, stride 2, bias */
    ROW(2, 4, 4, 8, 32, 1, 1, 1, 0, 0, true, false,
        false), /* 1x1 with 4 K outputs: stands for a transposed one */
    ROW(2, 5, 3, 8, 8, 3, 1, 8, 0, 0, false, false, false),   /* depthwise */
    ROW(2, 4, 5, 16, 8, 3, 1, 2, 0, 0, false, false, false),  /* two groups */
    ROW(2, 4, 5, 8, 8, 3, 1, 1, 24, 16, false, false, false), /* from and into slices of channels */
    ROW(3, 4, 5, 8, 8, 3, 1, 1, 0, 0, false, false, true),    /* sums of each image */
    ROW(3, 4, 5, 8, 8, 3, 1, 1, 0, 0, false, true, false),    /* each image with its own coefficients */
    ROW(3, 4, 5, 8, 16, 3, 2, 1, 16, 24, false, true, true),  /* everything */
    ROW(2, 5, 5, 3, 8, 3, 1, 1, 0, 0, false, false, true), /* images 75 elements apart: their pointers are not
                                                            * 16-byte aligned */
    BACK(2, 4, 6, 16, 8, 0, 0, false), /* transposed, dense */
    BACK(2, 3, 5, 16, 8, 0, 24, false), /* into a slice, odd sizes */
    BACK(1, 5, 3, 8, 16, 16, 32, true), /* and from one, with a bias */
};

static void every_pattern_in_every_type(void **state)
{
    (void)state;
    struct gpu_libraries *l = libraries_open();
    tell_device(l);
    for (size_t i = 0; i < LEN(wants); i++)
        for (int math = GPU_F32; math <= GPU_BF16; math++) {
            struct conv_want want = wants[i];
            size_t plans = 0;
            want.math = (enum gpu_math)math;
            size_t wrong = run_all(l, &want, &plans);
            if (wrong)
                fail_msg("row %zu, arithmetic %d: %zu wrong values in %zu plans", i, math, wrong, plans);
            if (may_lack(ST_UNSUPPORTED))
                printf("# row %zu, arithmetic %d: %zu plans%s\n", i, math, plans, plans ? "" : ", skipped");
            else
                assert_true(plans > 0);
        }
    libraries_close(l);
}

/* The comparison notices one tap, one coefficient, one image that is another. */
static void wrong_numbers_are_seen(void **state)
{
    (void)state;
    const struct conv_want want = wants[10];
    const struct conv_shape *s = &want.shape;
    struct numbers v = numbers_of(&want);
    float *dst = malloc(v.dst * sizeof *dst), *sum = calloc((size_t)(s->n * s->k), sizeof *sum);
    float *square = calloc((size_t)(s->n * s->k), sizeof *square);
    for (int n = 0; n < s->n; n++)
        for (int y = 0; y < s->out_h; y++)
            for (int x = 0; x < s->out_w; x++)
                for (int k = 0; k < want.dst_stride; k++) {
                    float value = k < s->k ? dst_at(&want, &v, n, y, x, k) : GAP;
                    dst[((n * s->out_h + y) * s->out_w + x) * want.dst_stride + k] = value;
                    if (k < s->k) {
                        sum[n * s->k + k] += value;
                        square[n * s->k + k] += value * value;
                    }
                }
    assert_int_equal(wrong_values(&want, &v, dst, sum, square), 0);
    v.w[5] += 1;
    assert_true(wrong_values(&want, &v, dst, sum, square) > 0);
    v.w[5] -= 1;
    v.scale[s->c] += 1;
    v.shift[s->c] += 1;
    assert_true(wrong_values(&want, &v, dst, sum, square) > 0);
    v.scale[s->c] -= 1;
    v.shift[s->c] -= 1;
    dst[s->k] = 0; /* a gap that was written */
    assert_int_equal(wrong_values(&want, &v, dst, sum, square), 1);
    dst[s->k] = GAP;
    for (int k = 0; k < s->k; k++)
        sum[k] += sum[s->k + k]; /* what sums over a whole batch would be */
    assert_true(wrong_values(&want, &v, dst, sum, square) > 0);
    free(dst), free(sum), free(square);
    numbers_free(&v);
}

/* --- attention ---------------------------------------------------------------------------------------- */
static double attention_at(const float *src, const struct sdpa_want *w, int n, int head, int token, int d)
{
    const int all = w->heads * w->depth, row = 3 * all;
    const float *image = src + (size_t)n * (size_t)(w->tokens * row) + head * w->depth;
    double total = 0, value = 0;
    for (int t = 0; t < w->tokens; t++) {
        double score = 0;
        for (int i = 0; i < w->depth; i++)
            score += (double)image[token * row + i] * (double)image[t * row + all + i];
        double weight = exp(score / sqrt(w->depth));
        total += weight;
        value += weight * (double)image[t * row + 2 * all + d];
    }
    return value / total;
}

static void attention_reads_packed_heads(void **state)
{
    (void)state;
    struct gpu_libraries *l = libraries_open();
    for (int math = GPU_F16; math <= GPU_BF16; math++) {
        const struct sdpa_want want = { .n = 2, .heads = 3, .depth = 8, .tokens = 10,
                                        .math = (enum gpu_math)math };
        const size_t rows = (size_t)(want.n * want.tokens), all = (size_t)(want.heads * want.depth);
        float *x = small_integers(rows * 3 * all, 9);
        void *src = device_of(x, rows * 3 * all, want.math), *dst = NULL, *workspace = NULL;
        struct err err = { 0 };
        struct sdpa_plan **plans;
        size_t count;
        enum status listed = sdpa_plan_list(&plans, &count, l, &want, most_plans(want.math), CAP, NULL, &err);
        if (may_lack(listed)) {
            printf("# attention, arithmetic %d: no plans, skipped\n", math);
            free(x);
            CUDA(cudaFree(src));
            continue;
        }
        MUST(listed);
        assert_true(count > 0);
        CUDA(cudaMalloc(&dst, rows * all * 2));
        CUDA(cudaMalloc(&workspace, sdpa_plan_workspace(plans[0]) + 1));
        MUST(sdpa_plan_run(plans[0], src, dst, workspace, NULL, &err));
        CUDA(cudaDeviceSynchronize());
        float *y = host_of(dst, rows * all, want.math);
        for (int n = 0; n < want.n; n++)
            for (int token = 0; token < want.tokens; token++)
                for (int i = 0; i < (int)all; i++) {
                    double right = attention_at(x, &want, n, i / want.depth, token, i % want.depth);
                    double got = (double)y[(n * want.tokens + token) * (int)all + i];
                    assert_true(fabs(got - right) <= ATTENTION_ROUNDINGS *
                                (math == GPU_F16 ? 0x1p-11 : 0x1p-8)); /* half a unit at 1 */
                }
        char *text = sdpa_plan_save(plans[0], &err);
        struct sdpa_plan *again;
        assert_non_null(text);
        MUST(sdpa_plan_load(&again, l, &want, text, strlen(text), &err));
        assert_int_equal(sdpa_plan_workspace(again), sdpa_plan_workspace(plans[0]));
        sdpa_plan_free(again);
        for (size_t i = 0; i < count; i++)
            sdpa_plan_free(plans[i]);
        free(text), free(plans), free(x), free(y);
        CUDA(cudaFree(src)), CUDA(cudaFree(dst)), CUDA(cudaFree(workspace));
    }
    libraries_close(l);
}

/* --- norms -------------------------------------------------------------------------------------------- */
/* What a norm reads and where it writes, the gaps between pixels included; gamma and beta on the host too. */
struct norm_world {
    const struct norm_want *want;
    size_t pixels, ld_dst, ld_residual;
    float *x, *residual, *gamma, *beta;
    struct norm_buffers at;
    void *dst;
};

static struct norm_world norm_world_of(const struct norm_want *want)
{
    struct norm_world v = { .want = want, .pixels = (size_t)want->n * (size_t)(want->h * want->w),
                            .ld_dst = (size_t)(want->dst_stride ? want->dst_stride : want->c),
                            .ld_residual = (size_t)(want->residual_stride ? want->residual_stride : want->c) };
    size_t c = (size_t)want->c, image = v.pixels / (size_t)want->n * c;
    v.x = small_integers(v.pixels * c, 21);
    v.residual = small_integers(v.pixels * v.ld_residual, 22);
    v.gamma = small_integers(c, 23);
    v.beta = small_integers(c, 24);
    for (size_t i = 0; i < v.pixels * c; i++) /* each image of its own mean and size */
        v.x[i] = v.x[i] * (float)(1 + i / image) + (float)(i / image);
    float *gaps = malloc(v.pixels * v.ld_dst * sizeof *gaps);
    assert_non_null(gaps);
    for (size_t i = 0; i < v.pixels * v.ld_dst; i++)
        gaps[i] = GAP;
    v.dst = device_of(gaps, v.pixels * v.ld_dst, want->math);
    v.at = (struct norm_buffers){ .src = device_of(v.x, v.pixels * c, want->math), .dst = v.dst,
                                  .gamma = device_of(v.gamma, c, GPU_F32), .beta = device_of(v.beta, c, GPU_F32) };
    if (want->residual)
        v.at.residual = device_of(v.residual, v.pixels * v.ld_residual, want->math);
    free(gaps);
    return v;
}

static void free_device(const void *memory) { CUDA(cudaFree((void *)(uintptr_t)memory)); }

static void norm_world_free(struct norm_world *v)
{
    free_device(v->at.src), free_device(v->at.gamma), free_device(v->at.beta), free_device(v->dst);
    if (v->at.residual)
        free_device(v->at.residual);
    free(v->x), free(v->residual), free(v->gamma), free(v->beta);
}

/* Mean and variance over pixels first .. first + count - 1. */
static double normed(const struct norm_world *v, size_t pixel, size_t c, size_t first, size_t count)
{
    size_t channels = (size_t)v->want->c;
    double mean = 0, variance = 0;
    for (size_t i = first; i < first + count; i++)
        mean += (double)v->x[i * channels + c] / (double)count;
    for (size_t i = first; i < first + count; i++)
        variance += pow((double)v->x[i * channels + c] - mean, 2) / (double)count;
    return ((double)v->x[pixel * channels + c] - mean) / sqrt(variance + 1e-5) * (double)v->gamma[c] +
           (double)v->beta[c];
}

/* Values that are not what the want says, written gaps among them. mixed: the wrong twin, whose statistics are those of
 * all images together. */
static size_t norms_wrong(const struct norm_world *v, const float *dst, bool mixed)
{
    const struct norm_want *want = v->want;
    size_t wrong = 0, image = v->pixels / (size_t)want->n;
    double unit = want->math == GPU_BF16 ? 0x1p-8 : want->math == GPU_F16 ? 0x1p-11 : 0x1p-20;
    for (size_t pixel = 0; pixel < v->pixels; pixel++)
        for (size_t c = 0; c < v->ld_dst; c++) {
            double right = (double)GAP, got = (double)dst[pixel * v->ld_dst + c];
            if (c < (size_t)want->c) {
                right = mixed ? normed(v, pixel, c, 0, v->pixels) : normed(v, pixel, c, pixel / image * image, image);
                right += want->residual ? (double)v->residual[pixel * v->ld_residual + c] : 0;
                right = want->relu && right < 0 ? 0 : right;
            }
            wrong += !(fabs(got - right) <= 4 * unit * (1 + fabs(right)));
        }
    return wrong;
}

static void check_norm(const struct gpu_libraries *l, const struct graph_plan *plan, const struct norm_want *want)
{
    struct norm_world v = norm_world_of(want);
    struct err err = { 0 };
    CUDA(cudaMalloc(&v.at.workspace, plan->workspace + 1));
    MUST(norm_plan_run(plan, &v.at, NULL, &err));
    CUDA(cudaDeviceSynchronize());
    float *y = host_of(v.dst, v.pixels * v.ld_dst, want->math);
    size_t wrong = norms_wrong(&v, y, false);
    if (wrong)
        fail_msg("engine %lld, arithmetic %d, residual %d, relu %d: %zu wrong values", (long long)plan->engine,
                 (int)want->math, want->residual, want->relu, wrong);
    assert_true(want->n == 1 || norms_wrong(&v, y, true) > 0);
    char *text = graph_plan_save(plan, &err);
    struct graph_plan again;
    assert_non_null(text);
    MUST(graph_plan_load(&again, l, text, strlen(text), &err));
    assert_int_equal(again.engine, plan->engine);
    graph_plan_clear(&again);
    free(text), free(y);
    CUDA(cudaFree(v.at.workspace));
    norm_world_free(&v);
}

static void norms_keep_images_apart(void **state)
{
    (void)state;
    static const struct norm_want norms[] = {
        { .n = 1, .h = 16, .w = 16, .c = 48, .relu = true },
        { .n = 3, .h = 16, .w = 8, .c = 24, .relu = true },
        { .n = 2, .h = 9, .w = 7, .c = 16 },
        { .n = 2, .h = 16, .w = 16, .c = 48, .residual = true, .relu = true },
        { .n = 2, .h = 8, .w = 8, .c = 32, .residual = true },
        { .n = 2, .h = 8, .w = 8, .c = 16, .dst_stride = 48, .residual = true, .residual_stride = 24, .relu = true },
    };
    struct gpu_libraries *l = libraries_open();
    for (size_t i = 0; i < LEN(norms); i++)
        for (int math = GPU_F32; math <= GPU_BF16; math++) {
            struct norm_want want = norms[i];
            struct err err = { 0 };
            struct graph_plan **plans;
            size_t count;
            want.math = (enum gpu_math)math;
            enum status st = norm_plan_list(&plans, &count, l, &want, most_plans(want.math), CAP, NULL, &err);
            if (may_lack(st)) {
                printf("# norm %zu, arithmetic %d: no plans, skipped\n", i, math);
                continue;
            }
            MUST(st);
            assert_true(count > 0);
            for (size_t k = 0; k < count; k++) {
                check_norm(l, plans[k], &want);
                graph_plan_free(plans[k]);
            }
            free(plans);
        }
    libraries_close(l);
}

#ifndef TESTS_ON_DEVICE
/* The n-th call of each kind fails, n = 1, 2, 3 ... until none is left: memory that is short is told as such, another
 * failure leaves fewer plans or none. */
static void norms_may_fail_anywhere(void **state)
{
    (void)state;
    static const char *const names[] = { "cudnnBackendCreateDescriptor", "cudnnBackendSetAttribute",
                                         "cudnnBackendGetAttribute", "cudnnBackendFinalize" };
    static const int codes[] = { CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED, CUDNN_STATUS_NOT_SUPPORTED };
    const struct norm_want want = { .n = 2, .h = 8, .w = 8, .c = 16, .residual = true, .relu = true, .math = GPU_F16 };
    for (size_t i = 0; i < LEN(names) * LEN(codes); i++)
        for (int n = 1, failed = 1; failed; n++) {
            struct gpu_libraries *l = libraries_open();
            struct err err = { 0 };
            struct graph_plan **plans;
            char script[96];
            size_t count;
            snprintf(script, sizeof script, "fail=%s:%d:%d", names[i / LEN(codes)], n, codes[i % LEN(codes)]);
            fake_cudart_restart(script);
            CUDA(cudaSetDevice(0));
            enum status st = norm_plan_list(&plans, &count, l, &want, 8, CAP, NULL, &err);
            failed = fake_cudart_calls(names[i / LEN(codes)]) >= (size_t)n;
            assert_true(st == ST_OK ? plans && count > 0 : !plans && count == 0 && err.text[0]);
            if (failed && i % LEN(codes) == 0)
                assert_int_equal(st, ST_OUT_OF_MEMORY);
            for (size_t k = 0; k < count; k++)
                graph_plan_free(plans[k]);
            free(plans);
            libraries_close(l);
            assert_true(failed || n > 10);
        }
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pattern_in_every_type),
        cmocka_unit_test(wrong_numbers_are_seen),
        cmocka_unit_test(attention_reads_packed_heads),
        cmocka_unit_test(norms_keep_images_apart),
#ifndef TESTS_ON_DEVICE
        cmocka_unit_test(norms_may_fail_anywhere),
#endif
    };
#ifdef TESTS_ON_DEVICE
    int devices = 0;
    if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
        fprintf(stderr, "gpu-pattern-tests: no GPU to run on\n");
        return 77;
    }
#endif
    return cmocka_run_group_tests(tests, NULL, NULL);
}
