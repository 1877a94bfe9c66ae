/* Conversions between f32 and the two kinds of 16-bit numbers: every value there and back, and the roundings against
 * arithmetic in double, where both neighbours are exact. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kernels/base/half.h"

static void every_f16_comes_back(void **state)
{
    (void)state;
    for (uint32_t x = 0; x < 0x10000; x++) {
        float f = f32_of_f16((f16)x);
        if (((x >> 10) & 31) == 31 && (x & 0x3ff))
            assert_true(isnan(f) && isnan(f32_of_f16(f16_of_f32(f))));
        else
            assert_int_equal(f16_of_f32(f), x);
    }
}

static void known_values(void **state)
{
    (void)state;
    static const struct { f16 bits; double value; } rows[] = { /* IEEE 754-2019, table 3.5 for binary16 */
        { 0x3c00, 1 }, { 0xc000, -2 }, { 0x7bff, 65504 }, { 0x0400, 0x1p-14 }, { 0x0001, 0x1p-24 },
        { 0x03ff, 1023 * 0x1p-24 }, { 0x3555, 0.333251953125 }, { 0x7c00, INFINITY }, { 0x8000, -0.0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_true((double)f32_of_f16(rows[i].bits) == rows[i].value);
}

/* Between neighbours a < b: below the middle a, above it b, in the middle the even one. */
static void halves_round_to_even(void **state)
{
    (void)state;
    for (f16 a = 0; a < 0x7bff; a++) {
        f16 b = (f16)(a + 1);
        double middle = ((double)f32_of_f16(a) + (double)f32_of_f16(b)) / 2; /* exact: 12 bits */
        float at = (float)middle;
        assert_true((double)at == middle);
        assert_int_equal(f16_of_f32(at), a & 1 ? b : a);
        assert_int_equal(f16_of_f32(nextafterf(at, 0)), a);
        assert_int_equal(f16_of_f32(nextafterf(at, INFINITY)), b);
        assert_int_equal(f16_of_f32(-at), 0x8000 | (a & 1 ? b : a));
    }
}

static void too_large_is_infinite(void **state)
{
    (void)state;
    assert_int_equal(f16_of_f32(65519.996f), 0x7bff);
    assert_int_equal(f16_of_f32(65520.0f), 0x7c00);
    assert_int_equal(f16_of_f32(-1e30f), 0xfc00);
    assert_int_equal(f16_of_f32(1e-30f), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_f16_comes_back),
        cmocka_unit_test(known_values),
        cmocka_unit_test(halves_round_to_even),
        cmocka_unit_test(too_large_is_infinite),
    };
    return cmocka_run_group_tests_name("half", tests, NULL, NULL);
}
