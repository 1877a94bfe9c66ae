/* The oracle itself: every operator on cases worked out by hand or by a property, wrong twins beside them, then small
 * relatives of the networks. (The networks as they are: reference_networks_test.) */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/image.h"
#include "kernels/base/rng.h"
#include "kernels/models/models.h"
#include "kernels/reference/reference.h"
#include "tests/unit/small_networks.h"

#define LEN(a) (sizeof(a) / sizeof *(a))

static double largest_difference(const double *a, const double *b, size_t count)
{
    double most = 0;
    for (size_t i = 0; i < count; i++)
        most = isnan(a[i]) || isnan(b[i]) ? INFINITY : fmax(most, fabs(a[i] - b[i]));
    return most;
}

#define ASSERT_CLOSE(a, b, count) assert_true(largest_difference((a), (b), (count)) < 1e-12)

static void fill(double *x, size_t count, struct rng *r)
{
    for (size_t i = 0; i < count; i++)
        x[i] = rng_normal(r);
}

static void fill_f32(float *x, size_t count, struct rng *r)
{
    for (size_t i = 0; i < count; i++)
        x[i] = (float)rng_normal(r);
}

/* 1 2 3 / 4 5 6 / 7 8 9 with the kernel 1 2 3 / 4 5 6 / 7 8 9, not flipped, zeros around:
 * (0,0) = 1*5 + 2*6 + 4*8 + 5*9 = 94, (0,1) = 1*4 + 2*5 + 3*6 + 4*7 + 5*8 + 6*9 = 154, (1,1) = 285 */
static void conv_by_hand(void **state)
{
    (void)state;
    const double x[9] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 };
    const float w[9] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 }, bias = 0.5f;
    double y[9];
    const struct ref_shape s = { 1, 3, 3, 1 };
    struct ref_conv spec = { 1, 3, 3, 1, 1, 1, 1 };
    reference_conv(y, x, s, spec, w, NULL);
    ASSERT_CLOSE(y, ((double[]){ 94, 154, 106, 186, 285, 186, 106, 154, 94 }), 9);
    spec.stride = 2; /* the corners */
    reference_conv(y, x, s, spec, w, &bias);
    ASSERT_CLOSE(y, ((double[]){ 94.5, 106.5, 106.5, 94.5 }), 4);
}

/* y (N,H',W',K), straight from the definition: one output, one sum */
static void conv_by_definition(double *y, const double *x, struct ref_shape s, struct ref_conv k, const float *w,
                               const float *bias)
{
    const int oh = (s.h + 2 * k.pad_h - k.kernel_h) / k.stride + 1, ow = (s.w + 2 * k.pad_w - k.kernel_w) / k.stride + 1;
    const int inputs = s.c / k.groups;
    for (int n = 0; n < s.n; n++)
        for (int i = 0; i < oh; i++)
            for (int j = 0; j < ow; j++)
                for (int o = 0; o < k.out; o++) {
                    double sum = bias ? (double)bias[o] : 0;
                    for (int c = 0; c < inputs; c++)
                        for (int r = 0; r < k.kernel_h; r++)
                            for (int q = 0; q < k.kernel_w; q++) {
                                const int a = i * k.stride + r - k.pad_h, b = j * k.stride + q - k.pad_w;
                                if (a >= 0 && a < s.h && b >= 0 && b < s.w)
                                    sum += x[((n * s.h + a) * s.w + b) * s.c + o / (k.out / k.groups) * inputs + c] *
                                           (double)w[((o * inputs + c) * k.kernel_h + r) * k.kernel_w + q];
                            }
                    y[((n * oh + i) * ow + j) * k.out + o] = sum;
                }
}

/* Every edge of the tiles: widths around the tile of 512 pixels, channels that are no multiples of 4 and 8. */
static void conv_agrees_with_its_definition(void **state)
{
    (void)state;
    static const struct {
        struct ref_shape s;
        struct ref_conv k;
    } rows[] = {
        { { 2, 5, 7, 3 }, { 5, 3, 3, 1, 1, 1, 1 } },    { { 1, 1, 1, 9 }, { 17, 3, 3, 1, 1, 1, 1 } },
        { { 1, 3, 515, 2 }, { 9, 3, 3, 1, 1, 1, 1 } },  { { 1, 2, 1030, 5 }, { 1, 1, 1, 1, 0, 0, 1 } },
        { { 1, 40, 37, 4 }, { 8, 3, 3, 2, 1, 1, 1 } },  { { 3, 6, 4, 7 }, { 6, 7, 7, 1, 3, 3, 1 } },
        { { 1, 9, 8, 6 }, { 6, 3, 3, 1, 1, 1, 6 } },    { { 1, 4, 5, 6 }, { 4, 3, 3, 1, 1, 1, 2 } },
        { { 1, 2, 2, 4 }, { 3, 7, 7, 2, 3, 3, 1 } },    { { 1, 5, 4, 2 }, { 2, 1, 7, 1, 0, 3, 1 } },
    };
    struct rng r = rng_seeded(1);
    for (size_t i = 0; i < LEN(rows); i++) {
        const struct ref_shape s = rows[i].s;
        const struct ref_conv k = rows[i].k;
        const size_t in = (size_t)(s.n * s.h * s.w * s.c), out = (size_t)(s.n * s.h * s.w * k.out);
        const size_t weights = (size_t)(k.out * s.c / k.groups * k.kernel_h * k.kernel_w);
        double *x = malloc(in * sizeof *x), *got = calloc(out, sizeof *got), *want = calloc(out, sizeof *want);
        float *w = malloc(weights * sizeof *w), *bias = malloc((size_t)k.out * sizeof *bias);
        fill(x, in, &r);
        fill_f32(w, weights, &r);
        fill_f32(bias, (size_t)k.out, &r);
        reference_conv(got, x, s, k, w, bias);
        conv_by_definition(want, x, s, k, w, bias);
        if (!(largest_difference(got, want, out) < 1e-11))
            fail_msg("row %zu: %g", i, largest_difference(got, want, out));
        free(bias), free(w), free(want), free(got), free(x);
    }
}

/* One pixel (2,3), weights w(c,k,a,b) = 10c + 4k + 2a + b: y(a,b,k) = bias + 2 w(0,..) + 3 w(1,..) */
static void tconv_by_hand(void **state)
{
    (void)state;
    const double x[2] = { 2, 3 };
    float w[16];
    for (int c = 0; c < 2; c++)
        for (int i = 0; i < 8; i++)
            w[8 * c + i] = (float)(10 * c + i);
    double y[8], want[8];
    for (int a = 0; a < 2; a++)
        for (int b = 0; b < 2; b++)
            for (int k = 0; k < 2; k++) {
                const double at = 4 * k + 2 * a + b;
                want[(2 * a + b) * 2 + k] = (k ? 7 : 1) + 2 * at + 3 * (10 + at);
            }
    reference_tconv(y, x, (struct ref_shape){ 1, 1, 1, 2 }, 2, w, (const float[]){ 1, 7 });
    ASSERT_CLOSE(y, want, 8);
    /* the wrong twin: weights read as [out, in, 2, 2] give another result */
    assert_true(fabs(want[1] - (7 + 2.0 * 10 + 3 * 14)) > 1);
}

/* Channel 0: 1 3 5 7, mean 4, variance (9+1+1+9)/4 = 5, not 20/3. Channel 1 is constant: it becomes beta. */
static void norm_and_simam_by_hand(void **state)
{
    (void)state;
    const double x[8] = { 1, 6, 3, 6, 5, 6, 7, 6 };
    const struct ref_shape s = { 1, 2, 2, 2 };
    double mean[2], variance[2], y[8], want[8];
    reference_statistics(mean, variance, x, s);
    ASSERT_CLOSE(mean, ((double[]){ 4, 6 }), 2);
    ASSERT_CLOSE(variance, ((double[]){ 5, 0 }), 2);
    reference_norm(y, x, s, (const float[]){ 2, 3 }, (const float[]){ -1, 0.25f });
    for (int i = 0; i < 8; i++)
        want[i] = i % 2 ? 0.25 : (x[i] - 4) / sqrt(5 + 1e-5) * 2 - 1;
    ASSERT_CLOSE(y, want, 8);
    reference_simam(y, x, s);
    for (int i = 0; i < 8; i++)
        want[i] = i % 2 ? 3 : x[i] / (1 + exp((x[i] - 4) / sqrt(5 + 1e-4)));
    ASSERT_CLOSE(y, want, 8);
    assert_true(y[0] / x[0] > 0.5 && y[6] / x[6] < 0.5); /* negative sign: small values pass, large ones do not */
}

/* Each image has statistics of its own: two images together equal the same two alone, bit for bit. */
static void norm_does_not_mix_images(void **state)
{
    (void)state;
    enum { PIXELS = 15, C = 11, ONE = PIXELS * C };
    static double x[2 * ONE], both[2 * ONE], alone[ONE];
    float gamma[C], beta[C];
    struct rng r = rng_seeded(3);
    fill(x, LEN(x), &r);
    fill_f32(gamma, C, &r);
    fill_f32(beta, C, &r);
    reference_norm(both, x, (struct ref_shape){ 2, 3, 5, C }, gamma, beta);
    for (int n = 0; n < 2; n++) {
        reference_norm(alone, x + n * ONE, (struct ref_shape){ 1, 3, 5, C }, gamma, beta);
        assert_memory_equal(alone, both + n * ONE, sizeof alone);
    }
}

static void pointwise_by_hand(void **state)
{
    (void)state;
    const struct ref_shape s = { 1, 1, 2, 2 };
    const double x[4] = { -1, 0, 2, 3 }, map[2] = { 10, 100 };
    double y[4], wide[6];
    reference_relu(y, x, s);
    ASSERT_CLOSE(y, ((double[]){ 0, 0, 2, 3 }), 4);
    reference_relu(y, (const double[]){ NAN, 1, 1, 1 }, s);
    assert_true(isnan(y[0])); /* a fault is not hidden */
    reference_sigmoid(y, (const double[]){ 0, log(3), -log(3), 1000 }, s);
    ASSERT_CLOSE(y, ((double[]){ 0.5, 0.75, 0.25, 1 }), 4);
    reference_add(y, x, x, s);
    ASSERT_CLOSE(y, ((double[]){ -2, 0, 4, 6 }), 4);
    reference_mul(y, x, x, s, false);
    ASSERT_CLOSE(y, ((double[]){ 1, 0, 4, 9 }), 4);
    reference_mul(y, x, map, s, true);
    ASSERT_CLOSE(y, ((double[]){ -10, 0, 200, 300 }), 4);
    reference_concat(wide, (const double *const[]){ map, x }, (const int[]){ 1, 2 }, 2, 1, 1, 2);
    ASSERT_CLOSE(wide, ((double[]){ 10, -1, 0, 100, 2, 3 }), 6);
}

/* 3x5 drops its last row and column. */
static void maxpool_by_hand(void **state)
{
    (void)state;
    const double x[15] = { 1, 2, -5, -6, 99, 3, 0, -7, -4, 99, 99, 99, 99, 99, 99 };
    double y[2];
    reference_maxpool(y, x, (struct ref_shape){ 1, 3, 5, 1 });
    ASSERT_CLOSE(y, ((double[]){ 3, -4 }), 2);
}

/* A ramp 0 1 2 to five values: corners aligned 0 .5 1 1.5 2; half-pixel sources .1 .7 ... : (d + .5) 3/5 - .5,
 * -0.2 is taken as 0, 2.2 stays on the last value. To one value: aligned takes the first, half-pixel the middle. */
static void resize_by_hand(void **state)
{
    (void)state;
    const double ramp[3] = { 0, 1, 2 };
    const struct ref_shape row = { 1, 1, 3, 1 }, column = { 1, 3, 1, 1 };
    double y[5];
    reference_resize(y, ramp, row, 1, 5, true);
    ASSERT_CLOSE(y, ((double[]){ 0, 0.5, 1, 1.5, 2 }), 5);
    reference_resize(y, ramp, row, 1, 5, false);
    ASSERT_CLOSE(y, ((double[]){ 0, 0.4, 1, 1.6, 2 }), 5);
    reference_resize(y, ramp, column, 5, 1, false);
    ASSERT_CLOSE(y, ((double[]){ 0, 0.4, 1, 1.6, 2 }), 5);
    reference_resize(y, ramp, row, 1, 1, true);
    assert_true(y[0] == 0);
    reference_resize(y, ramp, row, 1, 1, false);
    ASSERT_CLOSE(y, ((double[]){ 1 }), 1);
    reference_resize(y, ramp, row, 1, 3, true);
    ASSERT_CLOSE(y, ramp, 3); /* the same size changes nothing */
}

/* Two channels with means 2 and -1; W1 = [1 1; 0 1] -> (1, -1) -> relu (1, 0); W2 = [1 9; -2 9] -> (1, -2) */
static void se_by_hand(void **state)
{
    (void)state;
    const double x[4] = { 1, -3, 3, 1 };
    double y[4], want[4];
    assert_int_equal(reference_se(y, x, (struct ref_shape){ 1, 1, 2, 2 }, 2, (const float[]){ 1, 1, 0, 1 },
                                  (const float[]){ 1, 9, -2, 9 }), ST_OK);
    for (int i = 0; i < 4; i++)
        want[i] = x[i] / (1 + exp(i % 2 ? 2 : -1));
    ASSERT_CLOSE(y, want, 4);
}

/* One pixel: only the kernel's middle tap meets it. Then a tap right of the middle: it reads the right neighbour. */
static void spatial_gate_by_hand(void **state)
{
    (void)state;
    float w[98] = { 0 };
    w[24] = 2;       /* mean, (3,3) */
    w[49 + 25] = 1;  /* max, (3,4) */
    const double x[4] = { 1, -3, 5, 7 }; /* means -1 and 6, maxima 1 and 7 */
    double y[4];
    assert_int_equal(reference_spatial_gate(y, x, (struct ref_shape){ 1, 1, 2, 2 }, w), ST_OK);
    const double left = 1 / (1 + exp(-(2 * -1 + 7))), right = 1 / (1 + exp(-(2 * 6)));
    ASSERT_CLOSE(y, ((double[]){ left, -3 * left, 5 * right, 7 * right }), 4);
}

/* 1 x 2 pixels, two channels: row descriptor means (3, 2) -> mean 2.5, max 3; columns are the pixels themselves. */
static void triplet_by_hand(void **state)
{
    (void)state;
    float ch[14] = { 0 }, cw[14] = { 0 }, hw[98] = { 0 };
    ch[3] = 1, ch[7 + 3] = 2; /* the middle taps */
    cw[3] = -1, cw[7 + 3] = 0.5f;
    hw[24] = 0.25f;
    ch[2] = cw[4] = 1000;     /* taps that only ever see padding */
    const double x[4] = { 1, -3, 5, 7 };
    double y[4], want[4];
    assert_int_equal(reference_triplet(y, x, (struct ref_shape){ 1, 1, 2, 2 }, ch, cw, hw), ST_OK);
    const double row = 1 / (1 + exp(-(2.5 + 2 * 3)));
    const double column[2] = { 1 / (1 + exp(-(1 + 0.5))), 1 / (1 + exp(-(-6 + 3.5))) };
    const double pixel[2] = { 1 / (1 + exp(0.25)), 1 / (1 + exp(-1.5)) };
    for (int i = 0; i < 4; i++)
        want[i] = x[i] * row * column[i / 2] * pixel[i / 2];
    ASSERT_CLOSE(y, want, 4);
}

/* Transposing the image and swapping the row and column kernels transposes the result; not swapping does not. */
static void triplet_knows_rows_from_columns(void **state)
{
    (void)state;
    enum { H = 4, W = 6, C = 3 };
    double x[H * W * C], t[H * W * C], y[H * W * C], yt[H * W * C], back[H * W * C];
    float ch[14], cw[14], hw[98], hw_t[98];
    struct rng r = rng_seeded(9);
    fill(x, LEN(x), &r);
    fill_f32(ch, 14, &r);
    fill_f32(cw, 14, &r);
    fill_f32(hw, 98, &r);
    for (int m = 0; m < 2; m++)
        for (int a = 0; a < 7; a++)
            for (int b = 0; b < 7; b++)
                hw_t[49 * m + 7 * a + b] = hw[49 * m + 7 * b + a];
    for (int i = 0; i < H; i++)
        for (int j = 0; j < W; j++)
            memcpy(t + (j * H + i) * C, x + (i * W + j) * C, C * sizeof *x);
    reference_triplet(y, x, (struct ref_shape){ 1, H, W, C }, ch, cw, hw);
    for (int swapped = 0; swapped < 2; swapped++) {
        reference_triplet(yt, t, (struct ref_shape){ 1, W, H, C }, swapped ? cw : ch, swapped ? ch : cw, hw_t);
        for (int i = 0; i < H; i++)
            for (int j = 0; j < W; j++)
                memcpy(back + (i * W + j) * C, yt + (j * H + i) * C, C * sizeof *x);
        assert_int_equal(largest_difference(y, back, LEN(y)) < 1e-12, swapped);
    }
}

/* Two tokens, two heads of width 1: scores q k, weights a softmax over the two keys. */
static void attention_by_hand(void **state)
{
    (void)state;
    /* per token: q0 q1 k0 k1 v0 v1 */
    const double x[12] = { 1, 0, 0, 5, 10, 1, 0, 2, log(3), 5, 20, 3 };
    double y[4];
    reference_attention(y, x, (struct ref_shape){ 1, 1, 2, 6 }, 2);
    /* head 0, query 1: weights 1 : 3 -> 17.5; query 0: 1 : 1 -> 15. Head 1: keys are equal -> 2 */
    ASSERT_CLOSE(y, ((double[]){ 17.5, 2, 15, 2 }), 4);
    /* one head of width 2: scores / sqrt(2); query (0,2): 10 and 10 -> the mean of the values */
    reference_attention(y, x, (struct ref_shape){ 1, 1, 2, 6 }, 1);
    const double more = exp(log(3) / sqrt(2));
    ASSERT_CLOSE(y, ((double[]){ (10 + 20 * more) / (1 + more), (1 + 3 * more) / (1 + more), 15, 2 }), 4);
}

/* Three images at once equal the three alone, and one thread equals two, bit for bit. */
static void batch_and_threads_change_nothing(const struct model_config *config, int h, int width)
{
    enum { N = 3 };
    struct graph *g = NULL;
    struct weights w;
    assert_int_equal(model_build(&g, config, (int[]){ 3, h, width }, NULL), ST_OK);
    assert_int_equal(weights_load(&w, g, "seeded", NULL), ST_OK);
    const struct node *last = &g->nodes[g->output];
    const size_t in = 3 * (size_t)h * (size_t)width;
    const size_t out = (size_t)last->c * (size_t)last->h * (size_t)last->w;
    float *x = malloc(N * in * sizeof *x);
    double *all = malloc(N * out * sizeof *all), *alone = malloc(out * sizeof *alone);
    for (uint32_t n = 0; n < N; n++)
        image_make(x + n * in, n, 3, h, width);
    assert_int_equal(reference_run(all, g, &w, x, N, NULL), ST_OK);
    const int threads = omp_get_max_threads();
    omp_set_num_threads(threads == 1 ? 2 : 1);
    for (size_t n = 0; n < N; n++) {
        assert_int_equal(reference_run(alone, g, &w, x + n * in, 1, NULL), ST_OK);
        assert_memory_equal(alone, all + n * out, out * sizeof *alone);
    }
    omp_set_num_threads(threads);
    assert_memory_not_equal(all, all + out, out * sizeof *alone);
    free(alone), free(all), free(x);
    weights_free(&w);
    graph_free(g);
}

static void networks_know_no_batch_and_no_threads(void **state)
{
    (void)state;
    batch_and_threads_change_nothing(&small_hrnet, 36, 40);
    batch_and_threads_change_nothing(&small_resunet, 24, 21);
    batch_and_threads_change_nothing(&small_advanced, 32, 48);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conv_by_hand),
        cmocka_unit_test(conv_agrees_with_its_definition),
        cmocka_unit_test(tconv_by_hand),
        cmocka_unit_test(norm_and_simam_by_hand),
        cmocka_unit_test(norm_does_not_mix_images),
        cmocka_unit_test(pointwise_by_hand),
        cmocka_unit_test(maxpool_by_hand),
        cmocka_unit_test(resize_by_hand),
        cmocka_unit_test(se_by_hand),
        cmocka_unit_test(spatial_gate_by_hand),
        cmocka_unit_test(triplet_by_hand),
        cmocka_unit_test(triplet_knows_rows_from_columns),
        cmocka_unit_test(attention_by_hand),
        cmocka_unit_test(networks_know_no_batch_and_no_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
