#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/base/text.h"

#define LEN(a) (sizeof(a) / sizeof *(a))

static void integers(void **state)
{
    (void)state;
    static const char *const bad[] = { "", " 1", "1 ", "1x", "--1", "0x10", "1.0", "9223372036854775808", "+", "one" };
    int64_t n = 77;
    assert_int_equal(text_int(&n, "-9223372036854775808"), 0);
    assert_true(n == INT64_MIN);
    assert_int_equal(text_int(&n, "+12"), 0);
    assert_true(n == 12);
    for (size_t i = 0; i < LEN(bad); i++)
        if (text_int(&n, bad[i]) == 0)
            fail_msg("\"%s\" was taken for an integer", bad[i]);
    assert_true(n == 12); /* untouched */
}

static void reals(void **state)
{
    (void)state;
    static const char *const bad[] = { "", "nan", "inf", "-inf", "1e999", "0x1p3", "1,5", "1.5 ", "." };
    double x = 7;
    assert_int_equal(text_real(&x, "-1.5e-3"), 0);
    assert_true(x == -1.5e-3);
    for (size_t i = 0; i < LEN(bad); i++)
        if (text_real(&x, bad[i]) == 0)
            fail_msg("\"%s\" was taken for a number", bad[i]);
}

static void durations(void **state)
{
    (void)state;
    static const struct { const char *text; uint64_t ns; } rows[] = {
        { "100ms", 100000000 }, { "2s", UINT64_C(2000000000) }, { "40m", UINT64_C(2400000000000) },
        { "1h", UINT64_C(3600000000000) }, { "3us", 3000 }, { "50ns", 50 }, { "0", 0 }, { "1.5s", 1500000000 } };
    static const char *const bad[] = { "", "100", "1w", "ms", "-1s", "1e30h", "1 s s" };
    uint64_t ns;
    for (size_t i = 0; i < LEN(rows); i++) {
        assert_int_equal(text_duration_ns(&ns, rows[i].text), 0);
        assert_true(ns == rows[i].ns);
    }
    for (size_t i = 0; i < LEN(bad); i++)
        if (text_duration_ns(&ns, bad[i]) == 0)
            fail_msg("\"%s\" was taken for a duration", bad[i]);
}

static void bytes_and_fractions(void **state)
{
    (void)state;
    uint64_t bytes;
    double share;
    assert_int_equal(text_bytes(&bytes, "6GiB"), 0);
    assert_true(bytes == UINT64_C(6) << 30);
    assert_int_equal(text_bytes(&bytes, "500MiB"), 0);
    assert_true(bytes == UINT64_C(500) << 20);
    assert_int_equal(text_bytes(&bytes, "12"), 0);
    assert_true(bytes == 12);
    assert_int_equal(text_bytes(&bytes, "6GB"), -1); /* neither 10^9 nor 2^30 is what everybody means */
    assert_int_equal(text_bytes(&bytes, "-1"), -1);
    assert_int_equal(text_fraction(&share, "5%"), 0);
    assert_true(fabs(share - 0.05) < 1e-15);
    assert_int_equal(text_fraction(&share, "0.05"), 0);
    assert_true(fabs(share - 0.05) < 1e-15);
    assert_int_equal(text_fraction(&share, "5 percent"), -1);
}

static void nearest_names(void **state)
{
    (void)state;
    static const char *const names[] = { "hrnet", "resunet_small", "resunet_advanced" };
    assert_string_equal(text_nearest("hrnt", names, 3), "hrnet");
    assert_string_equal(text_nearest("rhnet", names, 3), "hrnet"); /* two letters changed places */
    assert_string_equal(text_nearest("resunet-smal", names, 3), "resunet_small");
    assert_null(text_nearest("yolo", names, 3));
    assert_null(text_nearest("hrnet", names, 0));
    char word[300]; /* longer than any name */
    memset(word, 'x', sizeof word - 1);
    word[sizeof word - 1] = 0;
    assert_null(text_nearest("resunet_small_and_a_lot_more_than_that", names, 1));
    assert_true(text_nearest(word, names, 3) == NULL || strlen(text_nearest(word, names, 3)) > 0);
}

static void for_people(void **state)
{
    (void)state;
    char text[32];
    static const struct { uint64_t bytes; const char *text; } sizes[] = {
        { 12, "12 B" }, { UINT64_C(5) << 28, "1.25 GiB" }, { UINT64_C(930) << 20, "930 MiB" }, { 0, "0 B" } };
    static const struct { uint64_t ns; const char *text; } times[] = {
        { UINT64_C(125000000000), "2 m 05 s" }, { UINT64_C(4100000000), "4.1 s" }, { 230000000, "230 ms" },
        { UINT64_C(3720000000000), "1 h 02 m" }, { 1500, "1.5 us" } };
    for (size_t i = 0; i < LEN(sizes); i++) {
        text_of_bytes(text, sizeof text, sizes[i].bytes);
        assert_string_equal(text, sizes[i].text);
    }
    for (size_t i = 0; i < LEN(times); i++) {
        text_of_duration(text, sizeof text, times[i].ns);
        assert_string_equal(text, times[i].text);
    }
}

/* First and last of each row of the table in RFC 3629, section 4, and their wrong neighbours. */
static void utf8_sizes(void **state)
{
    (void)state;
    static const struct { const char *text; size_t want; } rows[] = {
        { "", 1 }, { "a", 1 }, { "\177", 1 }, { "\200", 0 }, { "\301\277", 0 }, { "\302\200", 2 },
        { "\337\277", 2 },
        { "\302", 0 }, { "\302a", 0 }, { "\340\237\277", 0 }, { "\340\240\200", 3 }, { "\355\237\277", 3 },
        { "\355\240\200", 0 }, { "\356\200\200", 3 }, { "\357\277\277", 3 }, { "\357\277", 0 },
        { "\360\217\277\277", 0 }, { "\360\220\200\200", 4 }, { "\364\217\277\277", 4 },
        { "\364\220\200\200", 0 },
        { "\361\200\200", 0 }, { "\365\200\200\200", 0 }, { "\377", 0 } };
    for (size_t i = 0; i < LEN(rows); i++)
        if (text_utf8_size(rows[i].text) != rows[i].want)
            fail_msg("row %zu: %zu, not %zu", i, text_utf8_size(rows[i].text), rows[i].want);
}

static void endings(void **state)
{
    (void)state;
    assert_true(text_ends_in("a.yaml", ".yaml"));
    assert_false(text_ends_in(".yaml", ".yaml")); /* nothing before it: no name */
    assert_false(text_ends_in("yaml", ".yaml"));
    assert_false(text_ends_in("a.yaml~", ".yaml"));
    assert_false(text_ends_in("", ".yaml"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers), cmocka_unit_test(reals), cmocka_unit_test(durations),
        cmocka_unit_test(bytes_and_fractions), cmocka_unit_test(nearest_names), cmocka_unit_test(endings),
        cmocka_unit_test(utf8_sizes), cmocka_unit_test(for_people),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
