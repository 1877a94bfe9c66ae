/* Check values: measurement rule 1.10 and section "conformance vectors" of the networks' specification. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kernels/base/image.h"
#include "kernels/base/rng.h"

enum { C = 3, H = 64, W = 64, PIXELS = C * H * W };

static const struct {
    int c, y, x, level;
} levels[] = { { 0, 0, 0, 124 }, { 0, 0, 63, 169 }, { 1, 31, 17, 96 }, { 2, 63, 63, 90 }, { 2, 10, 50, 165 } };
#define LEVEL_SUM 1537918

static int level_of(float v)
{
    return (int)lrintf(v * 255.0f);
}

/* How many of the published values this image misses. */
static int levels_missed(const float *image)
{
    int missed = 0, sum = 0;
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        missed += level_of(image[(levels[i].c * H + levels[i].y) * W + levels[i].x]) != levels[i].level;
    for (int i = 0; i < PIXELS; i++)
        sum += level_of(image[i]);
    return missed + (sum != LEVEL_SUM);
}

static void image_has_published_values(void **state)
{
    (void)state;
    static float image[PIXELS];
    image_make(image, 1, C, H, W);
    assert_int_equal(levels_missed(image), 0);
}

static void values_reject_another_seed_and_transposed_image(void **state)
{
    (void)state;
    static float image[PIXELS], turned[PIXELS];
    image_make(image, 2, C, H, W);
    assert_true(levels_missed(image) > 0);
    image_make(image, 1, C, H, W);
    for (int c = 0; c < C; c++)
        for (int y = 0; y < H; y++)
            for (int x = 0; x < W; x++)
                turned[(c * H + x) * W + y] = image[(c * H + y) * W + x];
    assert_true(levels_missed(turned) > 0);
}

/* The formula once more, one pixel at a time and one hash per grid point: slow and without any of the shortcuts. */
static double slow_grid(uint32_t s, int c, int o, int row, int column)
{
    uint32_t words[5] = { s, (uint32_t)c, (uint32_t)o, (uint32_t)row, (uint32_t)column };
    unsigned char key[20];
    for (int i = 0; i < 20; i++)
        key[i] = (unsigned char)(words[i / 4] >> (8 * (i % 4)));
    return (double)(splitmix64(fnv1a64_bytes(FNV1A64_START, key, 20)) >> 40) / 16777216.0;
}

static double slow_field(uint32_t s, int c, int y, int x, int h, int w)
{
    double sum = 0, weights = 0;
    for (int o = 0; o < 8; o++) {
        int cells = 1 << o;
        double gy = h > 1 ? (double)y * cells / (h - 1) : 0, gx = w > 1 ? (double)x * cells / (w - 1) : 0;
        int i = (int)fmin(floor(gy), cells - 1), j = (int)fmin(floor(gx), cells - 1);
        double fy = gy - i, fx = gx - j;
        double value = (1 - fy) * ((1 - fx) * slow_grid(s, c, o, i, j) + fx * slow_grid(s, c, o, i, j + 1)) +
                       fy * ((1 - fx) * slow_grid(s, c, o, i + 1, j) + fx * slow_grid(s, c, o, i + 1, j + 1));
        sum += value / cells;
        weights += 1.0 / cells;
    }
    return sum / weights;
}

static void odd_shapes_follow_the_formula(void **state)
{
    (void)state;
    static const int shapes[][3] = { { 1, 1, 1 }, { 1, 1, 7 }, { 2, 5, 1 }, { 1, 3, 1030 }, { 4, 9, 17 } };
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
        int c = shapes[k][0], h = shapes[k][1], w = shapes[k][2];
        float *image = malloc((size_t)(c * h * w) * sizeof *image);
        assert_non_null(image);
        image_make(image, 77, c, h, w);
        for (int i = 0; i < c * h * w; i++) {
            int channel = i / (h * w), y = i / w % h, x = i % w;
            double v = 0.8 * slow_field(77, 1000, y, x, h, w) + 0.2 * slow_field(77, channel, y, x, h, w);
            double level = floor(255 * v + 0.5), edge = fabs(255 * v + 0.5 - rint(255 * v + 0.5));
            if (edge > 1e-9) /* on an edge the last bit of v decides */
                assert_true(image[i] == (float)(level / 255.0));
            assert_true(image[i] >= 0 && image[i] <= 1);
        }
        free(image);
    }
}

static void conformance_input_begins_as_published(void **state)
{
    (void)state;
    float input[12];
    image_conformance(input, 3, 2, 2);
    assert_true(fnv1a64("input") == UINT64_C(0x1ebbae8f5810b65b));
    static const double want[] = { 0.0978183427, 0.6523604282, 0.2036242733 };
    for (int i = 0; i < 3; i++)
        assert_true(fabs((double)input[i] - want[i]) < 6e-8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(image_has_published_values),
        cmocka_unit_test(values_reject_another_seed_and_transposed_image),
        cmocka_unit_test(odd_shapes_follow_the_formula),
        cmocka_unit_test(conformance_input_begins_as_published),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
