#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/base/err.h"
#include "kernels/base/text.h"

static void a_sentence_is_set_and_prefixed(void **state)
{
    (void)state;
    struct err err = { .api = "onednn", .code = 3 };
    assert_int_equal(err_set(&err, ST_CONFIG, "batch must be 1..%d, got %d", 4096, 0), ST_CONFIG);
    assert_int_equal(err.status, ST_CONFIG);
    assert_string_equal(err.text, "batch must be 1..4096, got 0");
    assert_string_equal(err.api, ""); /* that of an earlier error */
    err_prefix(&err, "%s:%d", "tune.yaml", 7);
    assert_string_equal(err.text, "tune.yaml:7: batch must be 1..4096, got 0");
    assert_int_equal(err.status, ST_CONFIG);
    assert_int_equal(err_set(NULL, ST_IO, "nobody reads this"), ST_IO);
    err_prefix(NULL, "nor this");
}

/* A sentence may be made from the one that is there, and is cut, not overrun. */
static void long_sentences_are_cut(void **state)
{
    (void)state;
    struct err err = { 0 };
    char longest[2 * ERR_TEXT_MAX];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    err_set(&err, ST_IO, "%s", longest);
    assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
    err_prefix(&err, "%s", longest);
    assert_true(strlen(err.text) < ERR_TEXT_MAX && strlen(err.text) > ERR_TEXT_MAX - 8);
    assert_non_null(strstr(err.text, "x: x")); /* something of both is kept */
    err_set(&err, ST_IO, "short");
    err_set(&err, ST_ENVIRONMENT, "engine: %s", err.text);
    assert_string_equal(err.text, "engine: short");
}

/* What a worker or a file says cannot break the line or steer the terminal; letters of any language stay. */
static void control_characters_are_spaces(void **state)
{
    (void)state;
    struct err err = { 0 };
    err_set(&err, ST_MODEL, "engine: %s", "no\nlicence\t\033[31m for Z\303\274rich\302\233x\177");
    assert_string_equal(err.text, "engine: no licence  [31m for Z\303\274rich  x ");
    err_prefix(&err, "a\rb");
    assert_memory_equal(err.text, "a b: engine", 11);
}

/* A sentence is UTF-8 whatever goes in: a letter that was cut, a byte of another encoding. */
static void sentences_are_utf8(void **state)
{
    (void)state;
    struct err err = { 0 };
    err_set(&err, ST_INVALID, "there is no \"%.2s\"", "a\303\244");
    assert_string_equal(err.text, "there is no \"a?\"");
    /* Latin-1, a surrogate, a car */
    err_set(&err, ST_INVALID, "%s", "Z\374rich \355\240\200 \360\237\232\227");
    assert_string_equal(err.text, "Z?rich ??? \360\237\232\227");
    char longest[2 * ERR_TEXT_MAX] = "";
    while (strlen(longest) + 3 < sizeof longest)
        strcat(longest, "\303\244");
    err_set(&err, ST_INVALID, "%s", longest); /* 1023 bytes: half a letter at the end */
    assert_int_equal(err.text[ERR_TEXT_MAX - 2], '?');
    err_prefix(&err, "a");
    for (const char *c = err.text; *c; c += text_utf8_size(c))
        assert_true(text_utf8_size(c) > 0);
}

/* The exit codes that the program promises. */
static void statuses_have_words_and_exit_codes(void **state)
{
    (void)state;
    static const struct { enum status st; const char *kind; int exit_code; } rows[] = {
        { ST_OK, "ok", 0 }, { ST_BAD_NEWS, "bad_news", 1 }, { ST_USAGE, "usage", 2 }, { ST_CONFIG, "config", 2 },
        { ST_MODEL, "model", 2 }, { ST_ENVIRONMENT, "environment", 3 }, { ST_IO, "io", 3 }, { ST_BUSY, "busy", 3 },
        { ST_OUT_OF_MEMORY, "out_of_memory", 3 }, { ST_UNDECIDED, "undecided", 4 }, { ST_INTERRUPTED, "interrupted", 4 } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_string_equal(status_kind(rows[i].st), rows[i].kind);
        assert_int_equal(status_exit(rows[i].st), rows[i].exit_code);
    }
    for (int st = 0; st < ST_COUNT; st++) {
        assert_int_equal(status_of_kind(status_kind((enum status)st)), st);
        assert_true(strlen(status_text((enum status)st)) > 0);
    }
    assert_int_equal(status_of_kind("no such kind"), ST_INTERNAL);
    assert_int_equal(status_of_kind(NULL), ST_INTERNAL);
}

/* Exit codes win in the order 2, 1, 3, 4, 0. */
static void the_worse_status_wins(void **state)
{
    (void)state;
    static const enum status worst_first[] = { ST_USAGE, ST_BAD_NEWS, ST_IO, ST_UNDECIDED, ST_OK };
    for (size_t i = 1; i < sizeof worst_first / sizeof *worst_first; i++)
        assert_true(status_rank(worst_first[i - 1]) > status_rank(worst_first[i]));
    assert_int_equal(status_rank(ST_CONFIG), status_rank(ST_INVALID)); /* both exit with 2 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sentence_is_set_and_prefixed), cmocka_unit_test(long_sentences_are_cut),
        cmocka_unit_test(control_characters_are_spaces), cmocka_unit_test(sentences_are_utf8),
        cmocka_unit_test(statuses_have_words_and_exit_codes), cmocka_unit_test(the_worse_status_wins),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
