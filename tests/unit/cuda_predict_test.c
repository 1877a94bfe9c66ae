/* Times and memory that are predicted from shape and device: the published peaks, and arithmetic shown beside
 * it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/cuda/tune/predict.h"

#define LEN(rows) (sizeof(rows) / sizeof *(rows))
#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

static bool near(double got, double want, double part)
{
    return fabs(got - want) <= part * want;
}

/* Dense peaks in TFLOP/s and achievable TB/s of three cards, from their data sheets: clock, memory clock and
 * bus as the driver reports them. The H100's tensor peaks are given at 1830 MHz, its f32 peak at 1980. */
static const struct card {
    const char *name;
    int sm, multiprocessors, clock_khz, memory_khz, bus_bits;
    double f32, tf32, f16, bytes;
} cards[] = {
    { "RTX A5000", 86, 64, 1695000, 8001000, 384, 27.8, 55.5, 111, 0.69 },
    { "A100 80GB", 80, 108, 1410000, 1593000, 5120, 19.5, 156, 312, 1.8 },
    { "H100 SXM, tensor clock", 90, 132, 1830000, 2619000, 5120, 61.8, 494, 989, 3.0 },
    { "H100 SXM, f32 clock", 90, 132, 1980000, 2619000, 5120, 66.9, 535, 1070, 3.0 },
};

static void peaks_are_the_published_ones(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(cards); i++) {
        const struct card *c = &cards[i];
        struct gpu_speed s =
            predict_speed(c->sm, c->multiprocessors, c->clock_khz, c->memory_khz, c->bus_bits);
        assert_true(near(s.flops[GPU_F32], c->f32 * 1e12, 0.01));
        assert_true(near(s.flops[GPU_TF32], c->tf32 * 1e12, 0.01));
        assert_true(near(s.flops[GPU_F16], c->f16 * 1e12, 0.01));
        assert_true(near(s.flops[GPU_BF16], c->f16 * 1e12, 0.01));
        assert_true(near(s.bytes_per_s, c->bytes * 1e12, 0.025));
    }
    assert_true(predict_speed(75, 68, 1545000, 7000000, 352).flops[GPU_BF16] <= 0);
    /* newer than the table: as the newest in it */
    assert_true(near(predict_speed(130, 100, 1000000, 1, 1).flops[GPU_F16],
                     predict_speed(120, 100, 1000000, 1, 1).flops[GPU_F16], 1e-12));
}

static struct conv_shape conv3x3(int n, int c, int k, int side)
{
    return (struct conv_shape){ .n = n, .h = side, .w = side, .c = c, .k = k, .out_h = side, .out_w = side,
                                .kernel_h = 3, .kernel_w = 3, .stride = 1, .pad_h = 1, .pad_w = 1,
                                .groups = 1 };
}

static void times_follow_from_the_shape(void **state)
{
    (void)state;
    const struct gpu_speed h100 = predict_speed(90, 132, 1830000, 2619000, 5120);
    /* 48 -> 48 at 1024 x 1024: 8192 tiles of 128 x 64 in 63 waves of 132: 63 * 132 * 2 * 128 * 64 * 432
     * operations = 58.9 GFLOP at 0.6 * 989 TFLOP/s = 99 us; bytes (2 * 48 * 2^20 + 20736) * 2 / 3.0 TB/s = 67
     * us */
    struct conv_shape s = conv3x3(1, 48, 48, 1024);
    assert_true(near(predict_conv_ns(&s, GPU_F16, &h100), 99.2e3, 0.01));
    /* 1x1 at the same size: a ninth of the operations, so the bytes decide */
    s.kernel_h = s.kernel_w = 1;
    assert_true(near(predict_conv_ns(&s, GPU_F16, &h100), 66.7e3, 0.01));
    /* f32 without quantisation: 2 * 2^20 * 48 * 432 = 43.5 GFLOP at 0.8 * 61.8 = 879 us */
    s = conv3x3(1, 48, 48, 1024);
    assert_true(near(predict_conv_ns(&s, GPU_F32, &h100), 879e3, 0.01));
    /* nothing is faster than a launch; 8 channels on 8 x 8 pixels */
    s = conv3x3(1, 8, 8, 8);
    assert_true(near(predict_conv_ns(&s, GPU_F32, &h100), 2500, 1e-9));
    /* 32 x 32 pixels of 384 channels: 8 x 3 tiles leave most of the 132 idle, so eight images cost as much as
     * five */
    s = conv3x3(1, 384, 384, 32);
    struct conv_shape five = conv3x3(5, 384, 384, 32), eight = conv3x3(8, 384, 384, 32);
    assert_true(near(predict_conv_ns(&five, GPU_F16, &h100), predict_conv_ns(&s, GPU_F16, &h100), 1e-9));
    assert_true(near(predict_conv_ns(&eight, GPU_F16, &h100), 2 * predict_conv_ns(&s, GPU_F16, &h100), 1e-9));
    /* a card without tf32 computes it in f32 */
    const struct gpu_speed turing = predict_speed(75, 68, 1545000, 7000000, 352);
    assert_true(near(predict_conv_ns(&s, GPU_TF32, &turing), predict_conv_ns(&s, GPU_F32, &turing), 1e-9));
    assert_true(near(predict_pass_ns(3000000000u, &h100), 3e9 / h100.bytes_per_s * 1e9, 1e-9));
}

/* Small f16 at 1024 x 1024: 116 MiB of weights, 0.40 GB of arena and 3 + 1 images of 4 MiB of input and
 * output each. */
static const struct predict_memory small = { .context = 500 * MIB, .weights = 116 * MIB,
                                             .arena_image = 400000000, .workspace = 256 * MIB,
                                             .io_image = 16 * MIB };

static void planned_is_the_sum(void **state)
{
    (void)state;
    assert_true(predict_planned(&small, 1) == (500 + 116 + 256 + 16) * MIB + 400000000);
    assert_true(predict_planned(&small, 8) == (500 + 116 + 256 + 8 * 16) * MIB + UINT64_C(3200000000));
    /* no overflow where int would: 64 images of 4 GB */
    const struct predict_memory large = { .arena_image = UINT64_C(4000000000) };
    assert_true(predict_needed(&large, 64) == UINT64_C(256000000000));
    assert_true(predict_reserve(8 * GIB) == 256 * MIB);      /* 2 % would be 164 MiB */
    assert_true(predict_reserve(80 * GIB) == 80 * GIB / 50);
}

static void the_largest_that_fits(void **state)
{
    (void)state;
    struct err err = { .status = ST_OK };
    static const struct { uint64_t free_mib, held_mib, device_gib; } rows[] = {
        { 23000, 0, 24 }, { 600, 0, 24 }, { 500, 300, 24 }, { 100, 0, 24 }, { 80000, 0, 80 },
        { 0, 0, 24 },
    };
    for (size_t i = 0; i < LEN(rows); i++) {
        uint64_t space = rows[i].free_mib * MIB, held = rows[i].held_mib * MIB,
                 device = rows[i].device_gib * GIB;
        int most = predict_largest_batch(&small, 4096, space, held, device), counted = 0;
        for (int b = 1; b <= 4096; b++)     /* the second way: try them all */
            if (predict_fits(&small, b, space, held, device, NULL) == ST_OK)
                counted = b;
        assert_int_equal(most, counted);
    }
    /* 23000 MiB less 2 % of 24 GiB and 256 MiB: 22252.5 MiB for 397.5 MiB per image */
    assert_int_equal(predict_largest_batch(&small, 4096, 23000 * MIB, 0, 24 * GIB), 55);
    assert_int_equal(predict_largest_batch(&small, 8, 23000 * MIB, 0, 24 * GIB), 8);
    assert_int_equal(predict_fits(&small, 56, 23000 * MIB, 0, 24 * GIB, &err), ST_OUT_OF_MEMORY);
    assert_non_null(strstr(err.text, "batch 56"));
    assert_non_null(strstr(err.text, "the largest batch that fits is 55"));
    assert_int_equal(predict_fits(&small, 55, 23000 * MIB, 0, 24 * GIB, &err), ST_OK);
    /* what this engine gives back first counts */
    assert_int_equal(predict_fits(&small, 56, 22000 * MIB, 1400 * MIB, 24 * GIB, &err), ST_OK);
}

static void inputs_outgrow_the_cache(void **state)
{
    (void)state;
    static const struct { size_t l2, input; int count; } rows[] = {
        { 50 * MIB, 12 * MIB, 9 },      /* 100 / 12 = 8.3 */
        { 50 * MIB, 25 * MIB, 4 }, { 50 * MIB, 50 * MIB, 3 }, { 6 * MIB, 12 * MIB, 3 }, { 50 * MIB, 0, 3 },
    };
    for (size_t i = 0; i < LEN(rows); i++)
        assert_int_equal(predict_input_buffers(rows[i].l2, rows[i].input), rows[i].count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(peaks_are_the_published_ones), cmocka_unit_test(times_follow_from_the_shape),
        cmocka_unit_test(planned_is_the_sum),           cmocka_unit_test(the_largest_that_fits),
        cmocka_unit_test(inputs_outgrow_the_cache),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
