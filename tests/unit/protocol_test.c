/* The worker's side of the protocol, line by line, on the scripted engine without a script (10 ms per image of virtual
 * time); and the reader of lines below it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "kernels/base/line.h"
#include "kernels/worker/scripted.h"
#include "kernels/worker/session.h"

static int open_session(void **state)
{
    struct session *s;
    if (session_open(&s, &scripted_engine, NULL) != ST_OK)
        return -1;
    *state = s;
    return 0;
}

static int close_session(void **state)
{
    session_close(*state);
    return 0;
}

static json_t *ask(struct session *s, const char *line)
{
    char *text = session_answer(s, line, strlen(line));
    assert_non_null(text);
    assert_null(strchr(text, '\n'));
    json_t *answer = json_loads(text, 0, NULL);
    free(text);
    assert_non_null(answer);
    return answer;
}

/* One line and its answer: kind of the error ("" is ok) and its id (0: null). */
static void expect(struct session *s, const char *line, int id, const char *kind)
{
    json_t *answer = ask(s, line), *its_id = json_object_get(answer, "id");
    const char *got = json_string_value(json_object_get(json_object_get(answer, "error"), "kind"));
    assert_string_equal(got ? got : "", kind);
    assert_int_equal(json_is_true(json_object_get(answer, "ok")), !kind[0]);
    assert_true(id ? json_integer_value(its_id) == id : json_is_null(its_id));
    json_decref(answer);
}

static int64_t member(const json_t *answer, const char *key)
{
    const json_t *value = json_object_get(answer, key);
    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

static void greets(void **state)
{
    json_t *answer = ask(*state, "{\"id\":1,\"op\":\"hello\",\"protocol\":1,\"unknown\":null}");
    assert_string_equal(json_string_value(json_object_get(answer, "engine")), "scripted");
    assert_int_equal(member(answer, "protocol"), 1);
    assert_true(json_is_string(json_object_get(json_object_get(answer, "versions"), "bench")));
    const json_t *device = json_array_get(json_object_get(answer, "devices"), 0);
    assert_string_equal(json_string_value(json_object_get(device, "id")), "cpu:0");
    assert_int_equal(json_array_size(json_object_get(answer, "precisions")), 2);
    assert_int_equal(json_array_size(json_object_get(answer, "can")), 3); /* output, memory, virtual */
    json_decref(answer);
}

static void refuses_what_is_wrong(void **state)
{
    struct session *s = *state;
    expect(s, "", 0, "invalid");
    expect(s, "{", 0, "invalid");
    expect(s, "[]", 0, "invalid");
    expect(s, "{\"op\":\"hello\",\"protocol\":1}", 0, "invalid");           /* no id */
    expect(s, "{\"id\":\"1\",\"op\":\"hello\",\"protocol\":1}", 0, "invalid"); /* an id that is no integer */
    expect(s, "{\"id\":1,\"id\":2,\"op\":\"hello\",\"protocol\":1}", 0, "invalid");
    expect(s, "{\"id\":1,\"op\":\"hello\",\"protocol\":1}x", 0, "invalid");
    expect(s, "{\"id\":1,\"op\":\"\xff\"}", 0, "invalid");
    expect(s, "{\"id\":3}", 3, "invalid");
    expect(s, "{\"id\":4,\"op\":\"Hello\",\"protocol\":1}", 4, "unsupported");
    expect(s, "{\"id\":5,\"op\":\"hello\",\"protocol\":2}", 5, "unsupported");
    expect(s, "{\"id\":6,\"op\":\"hello\",\"protocol\":1.0}", 6, "invalid");
    expect(s, "{\"id\":7,\"op\":\"load\",\"model\":\"x\",\"shape\":[3,8]}", 7, "invalid");
    expect(s, "{\"id\":8,\"op\":\"load\",\"model\":\"x\",\"shape\":[3,8,16385]}", 8, "invalid");
    expect(s, "{\"id\":9,\"op\":\"load\",\"model\":\"x\",\"precision\":\"f8\"}", 9, "unsupported");
    expect(s, "{\"id\":10,\"op\":\"load\",\"model\":\"x\",\"device\":\"cuda:0\"}", 10, "unsupported");
    expect(s, "{\"id\":11,\"op\":\"load\",\"model\":\"x\",\"seed\":4294967296}", 11, "invalid");
    expect(s, "{\"id\":12,\"op\":\"load\",\"model\":\"x\",\"options\":[]}", 12, "invalid");
    expect(s, "{\"id\":13,\"op\":\"load\",\"model\":\"x\",\"options\":{\"cold\":1}}", 13, "invalid");
    expect(s, "{\"id\":14,\"op\":\"load\",\"model\":\"x\",\"options\":{\"script\":\"/nonexistent.yaml\"}}", 14, "model");
    expect(s, "{\"id\":15,\"op\":\"load\",\"model\":\"x\"}", 15, ""); /* none of these was a load */
}

static void keeps_the_order(void **state)
{
    struct session *s = *state;
    static const char *const needs_model[] = { "prepare", "run", "memory", "output", "profile", "release" };
    for (size_t i = 0; i < sizeof needs_model / sizeof *needs_model; i++) {
        char line[64];
        snprintf(line, sizeof line, "{\"id\":1,\"op\":\"%s\",\"batch\":1}", needs_model[i]);
        expect(s, line, 1, "invalid");
    }
    expect(s, "{\"id\":2,\"op\":\"load\",\"model\":\"x\"}", 2, "");
    expect(s, "{\"id\":3,\"op\":\"load\",\"model\":\"x\"}", 3, "invalid");
    expect(s, "{\"id\":4,\"op\":\"run\",\"batch\":2,\"min_ns\":0,\"min_iterations\":1,\"max_iterations\":1}", 4, "invalid");
    expect(s, "{\"id\":5,\"op\":\"prepare\",\"batch\":0}", 5, "invalid");
    expect(s, "{\"id\":6,\"op\":\"prepare\",\"batch\":4097}", 6, "invalid");
    expect(s, "{\"id\":7,\"op\":\"prepare\",\"batch\":2147483648}", 7, "invalid");
    expect(s, "{\"id\":8,\"op\":\"prepare\",\"batch\":2}", 8, "");
    expect(s, "{\"id\":9,\"op\":\"prepare\",\"batch\":2}", 9, "invalid");
    expect(s, "{\"id\":10,\"op\":\"run\",\"batch\":2,\"min_ns\":0,\"min_iterations\":2,\"max_iterations\":1}", 10, "invalid");
    expect(s, "{\"id\":11,\"op\":\"run\",\"batch\":2,\"min_ns\":0,\"min_iterations\":1,\"max_iterations\":100001}", 11,
           "invalid");
    expect(s, "{\"id\":12,\"op\":\"run\",\"batch\":2,\"min_ns\":0,\"min_iterations\":1,\"max_iterations\":1}", 12, "");
    expect(s, "{\"id\":13,\"op\":\"profile\",\"batch\":2,\"iterations\":1}", 13, "unsupported");
    expect(s, "{\"id\":14,\"op\":\"release\",\"batch\":2}", 14, "");
    expect(s, "{\"id\":15,\"op\":\"release\",\"batch\":2}", 15, "invalid");
    expect(s, "{\"id\":16,\"op\":\"run\",\"batch\":2,\"min_ns\":0,\"min_iterations\":1,\"max_iterations\":1}", 16, "invalid");
    int code = -1;
    assert_false(session_ended(s, &code));
    expect(s, "{\"id\":17,\"op\":\"quit\"}", 17, "");
    assert_true(session_ended(s, &code));
    assert_int_equal(code, 0);
}

static void answers_with_numbers_of_the_script(void **state)
{
    struct session *s = *state;
    json_t *answer = ask(s, "{\"id\":1,\"op\":\"load\",\"model\":\"x\",\"shape\":[3,5,7],\"now_ns\":1000}");
    assert_int_equal(member(answer, "load_ns"), 50000000);
    assert_int_equal(member(answer, "now_ns"), 50001000);
    assert_int_equal(json_integer_value(json_array_get(json_object_get(answer, "output_shape"), 2)), 7);
    json_decref(answer);
    answer = ask(s, "{\"id\":2,\"op\":\"prepare\",\"batch\":3}");
    assert_int_equal(member(answer, "prepare_ns"), 5000000);
    assert_int_equal(member(answer, "first_run_ns"), 30000000);
    assert_int_equal(member(json_object_get(answer, "planned"), "activations"), 3 * 10 * 1048576);
    json_decref(answer);
    answer = ask(s, "{\"id\":3,\"op\":\"run\",\"batch\":3,\"min_ns\":100000000,\"min_iterations\":1,"
                    "\"max_iterations\":100,\"unmeasured\":2}");
    assert_int_equal(member(answer, "iterations"), 4);
    assert_int_equal(member(answer, "outputs"), 12);
    assert_int_equal(member(answer, "batch"), 3);
    assert_int_equal(member(answer, "start_ns"), 1000 + 50000000 + 35000000 + 60000000);
    assert_int_equal(member(answer, "end_ns") - member(answer, "start_ns"), 120000000);
    assert_null(json_object_get(answer, "stages"));
    json_decref(answer);
    answer = ask(s, "{\"id\":4,\"op\":\"memory\"}");
    assert_int_equal(member(answer, "current"), (100 + 30) * 1048576);
    json_decref(answer);
}

static void a_long_line_is_invalid(void **state)
{
    char *text = session_answer_too_long(*state);
    json_t *answer = json_loads(text, 0, NULL);
    assert_true(json_is_null(json_object_get(answer, "id")));
    assert_string_equal(json_string_value(json_object_get(json_object_get(answer, "error"), "kind")), "invalid");
    json_decref(answer);
    free(text);
}

/* --- lines --- */

static const char *event_names[] = { "ready", "more", "too long" };

static void lines_come_whole_in_any_pieces(void **state)
{
    (void)state;
    static const char input[] = "one\n\n1234567890\n12345678901\ntwo\nrest";
    for (size_t piece = 1; piece <= sizeof input; piece++) {
        struct line_buffer b;
        int pipe_fd[2];
        char seen[128] = "";
        assert_int_equal(line_open(&b, 10), 0);
        assert_int_equal(pipe(pipe_fd), 0);
        for (size_t at = 0; at < sizeof input - 1; at += piece) {
            size_t size = sizeof input - 1 - at < piece ? sizeof input - 1 - at : piece;
            assert_int_equal(write(pipe_fd[1], input + at, size), size);
            assert_int_equal(line_fill(&b, pipe_fd[0]), size);
            char *text;
            size_t length;
            for (enum line_event e; (e = line_next(&b, &text, &length)) != LINE_MORE;) {
                strcat(seen, e == LINE_READY ? text : event_names[e]);
                strcat(seen, ";");
                if (e == LINE_READY)
                    assert_int_equal(strlen(text), length);
            }
        }
        assert_string_equal(seen, "one;;1234567890;too long;two;");
        const char *rest;
        size_t rest_size;
        line_rest(&b, &rest, &rest_size);
        assert_int_equal(rest_size, 4);
        assert_memory_equal(rest, "rest", 4);
        close(pipe_fd[1]);
        assert_int_equal(line_fill(&b, pipe_fd[0]), 0);
        close(pipe_fd[0]);
        line_close(&b);
    }
}

static void long_lines_grow_the_buffer(void **state)
{
    (void)state;
    enum { SIZE = 300000 };
    struct line_buffer b;
    char name[] = "/tmp/bench-line-XXXXXX";
    int fd = mkstemp(name);
    unlink(name);
    for (int i = 0; i < SIZE / 10; i++)
        assert_int_equal(write(fd, "0123456789", 10), 10);
    assert_int_equal(write(fd, "\nx\n", 3), 3);
    lseek(fd, 0, SEEK_SET);
    assert_int_equal(line_open(&b, SIZE), 0);
    char *text = NULL;
    size_t size = 0;
    while (line_next(&b, &text, &size) == LINE_MORE)
        assert_true(line_fill(&b, fd) > 0);
    assert_int_equal(size, SIZE);
    assert_memory_equal(text + SIZE - 10, "0123456789", 11);
    while (line_next(&b, &text, &size) == LINE_MORE)
        assert_true(line_fill(&b, fd) > 0);
    assert_string_equal(text, "x");
    line_close(&b);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(greets, open_session, close_session),
        cmocka_unit_test_setup_teardown(refuses_what_is_wrong, open_session, close_session),
        cmocka_unit_test_setup_teardown(keeps_the_order, open_session, close_session),
        cmocka_unit_test_setup_teardown(answers_with_numbers_of_the_script, open_session, close_session),
        cmocka_unit_test_setup_teardown(a_long_line_is_invalid, open_session, close_session),
        cmocka_unit_test(lines_come_whole_in_any_pieces),
        cmocka_unit_test(long_lines_grow_the_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
