#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "kernels/base/json.h"

static json_t *read_text(const char *text, struct err *err)
{
    return json_read_text("NAME", text, strlen(text), err);
}

static void broken_texts_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = { "", " ", "{", "[1,]", "{\"a\":1,\"a\":2}", "{} x", "nul", "01", "1e999", "\"\\u0000\"",
                                       "[\"\xff\"]", "NaN", "'a'", "{\"a\":}" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err err = { 0 };
        json_t *value = read_text(bad[i], &err);
        if (value)
            fail_msg("\"%s\" was read", bad[i]);
        assert_int_equal(err.status, ST_INVALID);
        assert_memory_equal(err.text, "NAME:", 5);
    }
    struct err err = { 0 };
    assert_null(read_text("{\n  \"a\": 1,\n  \"b\" 2}", &err));
    assert_memory_equal(err.text, "NAME:3:", 7); /* the line of the missing colon */
    assert_null(json_read_text("NAME", "1 \0", 3, &err)); /* nothing may follow, a zero byte neither */
}

static void any_value_is_read(void **state)
{
    (void)state;
    static const char *const good[] = { "1", "-0.5", "\"x\"", "null", "[]", "{\"a\":[true,false,null]}" };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct err err = { 0 };
        json_t *value = read_text(good[i], &err);
        assert_non_null(value);
        char *text = json_write_text(value, JSON_LINE);
        assert_string_equal(text, good[i]);
        free(text);
        json_decref(value);
    }
}

/* Shortest text that reads back the same; `.0` where it would look like an integer. */
static void reals_are_short_and_exact(void **state)
{
    (void)state;
    static const struct { double x; const char *text; } rows[] = {
        { 17.3, "17.3" }, { 1, "1.0" }, { 0, "0.0" }, { -2, "-2.0" }, { 0.1, "0.1" }, { 1.0 / 3, "0.3333333333333333" },
        { 0.1 + 0.2, "0.30000000000000004" }, { 1e300, "1e+300" }, { 123456789012345680.0, "1.2345678901234568e+17" },
    };
    char text[32];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_real_text(text, rows[i].x);
        assert_string_equal(text, rows[i].text);
        assert_true(strtod(text, NULL) == rows[i].x);
    }
}

static void six_digits(void **state)
{
    (void)state;
    json_t *value = json_real6(123.4567891);
    assert_true(json_real_value(value) == 123.457);
    json_decref(value);
    assert_null(json_real6(NAN));
    assert_null(json_real6(INFINITY));
}

static void layout_is_fixed(void **state)
{
    (void)state;
    struct err err = { 0 };
    json_t *value = read_text("{\"b\": [1, 2.50, {}], \"a\": {\"\xc3\xa9\": \"\xf0\x9f\x98\x80\\n\"}, \"c\": []}", &err);
    assert_non_null(value);
    char *text = json_write_text(value, JSON_INDENTED);
    assert_string_equal(text, "{\n  \"b\": [\n    1,\n    2.5,\n    {}\n  ],\n  \"a\": {\n"
                              "    \"\\u00E9\": \"\\uD83D\\uDE00\\n\"\n  },\n  \"c\": []\n}\n");
    json_t *again = read_text(text, &err);
    assert_true(json_equal(value, again));
    json_decref(again);
    free(text);
    text = json_write_text(value, JSON_LINE);
    assert_null(strchr(text, '\n'));
    free(text);
    json_decref(value);
    assert_null(json_write_text(NULL, JSON_LINE));
}

static void members_are_typed(void **state)
{
    (void)state;
    struct err err = { 0 };
    int64_t n = 5;
    const char *text = "kept";
    json_t *object = read_text("{\"batch\": \"8\", \"n\": 4096, \"x\": 1.0, \"name\": \"hrnet\", \"none\": null}", &err);
    assert_int_equal(json_get_int(&n, object, "run", "batch", 1, 4096, &err), ST_INVALID);
    assert_string_equal(err.text, "run.batch must be an integer 1..4096, got \"8\"");
    assert_int_equal(json_get_int(&n, object, "run", "x", 1, 4096, &err), ST_INVALID);
    assert_int_equal(json_get_int(&n, object, "run", "n", 1, 4095, &err), ST_INVALID);
    assert_int_equal(json_get_int(&n, object, "run", "gone", 1, 4096, &err), ST_INVALID);
    assert_true(n == 5);
    assert_int_equal(json_get_int(&n, object, "run", "n", 1, 4096, &err), ST_OK);
    assert_true(n == 4096);
    assert_int_equal(json_find_int(&n, object, "run", "none", 1, 2, &err), ST_OK);
    assert_int_equal(json_find_int(&n, object, "run", "gone", 1, 2, &err), ST_OK);
    assert_true(n == 4096);
    assert_int_equal(json_find_int(&n, object, "run", "batch", 1, 2, &err), ST_INVALID);
    assert_int_equal(json_find_text(&text, object, "run", "gone", &err), ST_OK);
    assert_string_equal(text, "kept");
    assert_int_equal(json_get_text(&text, object, "run", "n", &err), ST_INVALID);
    assert_int_equal(json_get_text(&text, object, "run", "name", &err), ST_OK);
    assert_string_equal(text, "hrnet");
    json_decref(object);
}

static void files_have_a_limit(void **state)
{
    (void)state;
    struct err err = { 0 };
    char path[] = "/tmp/bench-json-XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, "[1,2,3]", 7), 7);
    close(fd);
    json_t *value = json_read_file(path, 7, &err);
    assert_int_equal(json_array_size(value), 3);
    json_decref(value);
    assert_null(json_read_file(path, 6, &err));
    assert_int_equal(err.status, ST_INVALID);
    assert_non_null(strstr(err.text, "7 bytes"));
    unlink(path);
    assert_null(json_read_file(path, 7, &err));
    assert_int_equal(err.status, ST_IO);
    assert_null(json_read_file("/tmp", 7, &err));
    assert_int_equal(err.status, ST_IO);
    assert_non_null(strstr(err.text, "directory"));
    assert_null(json_read_file("/dev/zero", 7, &err));
    assert_non_null(strstr(err.text, "/dev/zero: has more than the 7 bytes that are read"));
    assert_int_equal(mkfifo(path, 0600), 0); /* nobody writes it: an error, and no waiting */
    assert_null(json_read_file(path, 7, &err));
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broken_texts_are_refused), cmocka_unit_test(any_value_is_read),
        cmocka_unit_test(reals_are_short_and_exact), cmocka_unit_test(six_digits), cmocka_unit_test(layout_is_fixed),
        cmocka_unit_test(members_are_typed), cmocka_unit_test(files_have_a_limit),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
