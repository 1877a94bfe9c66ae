#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "kernels/base/yaml.h"

static enum status read_text(struct yaml **out, const char *text, struct err *err)
{
    return yaml_read_text(out, "f.yaml", text, strlen(text), err);
}

static void a_tree_with_places(void **state)
{
    (void)state;
    struct err err = { 0 };
    struct yaml *y;
    assert_int_equal(read_text(&y, "name: hrnet\nlist: [1, \"2\",\n  three]\nmap:\n  a: b\nempty:\n", &err), ST_OK);
    assert_int_equal(y->kind, YAML_MAP);
    assert_int_equal(y->count, 4);
    assert_string_equal(y->keys[0]->text, "name");
    const struct yaml *list = yaml_get(y, "list");
    assert_int_equal(list->kind, YAML_LIST);
    assert_int_equal(list->count, 3);
    assert_false(list->items[0]->quoted);
    assert_true(list->items[1]->quoted);
    assert_int_equal(list->items[2]->line, 3);
    assert_int_equal(list->items[2]->column, 3);
    const struct yaml *map = yaml_get(y, "map");
    assert_string_equal(yaml_get(map, "a")->text, "b");
    assert_int_equal(yaml_get(map, "a")->column, 6);
    assert_string_equal(yaml_get(y, "empty")->text, "");
    assert_null(yaml_get(y, "absent"));
    assert_null(yaml_get(list, "absent"));
    yaml_free(y);
    yaml_free(NULL);
}

static void what_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = { "", "# only a comment\n", "a: 1\na: 2\n", "a: &x 1\nb: *x\n", "a: &x [*x]\n", "a: !!int 1\n",
                                       "--- a\n--- b\n", "[1]: a\n", "{a: b}: c\n", "a: [1\n", "a: b: c\n", "\ta: 1\n",
                                       "a: \"\\0\"\n", "a: \xff\n" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err err = { 0 };
        struct yaml *y = NULL;
        if (read_text(&y, bad[i], &err) != ST_CONFIG)
            fail_msg("\"%s\" was not refused", bad[i]);
        assert_null(y);
        assert_memory_equal(err.text, "f.yaml:", 7);
    }
    struct err err = { 0 };
    struct yaml *y;
    assert_int_equal(read_text(&y, "a: 1\nb: 2\n\na: 3\n", &err), ST_CONFIG);
    assert_memory_equal(err.text, "f.yaml:4:1:", 11); /* where the key comes again */
}

static char *nested(int levels)
{
    char *text = malloc(2 * (size_t)levels + 1);
    memset(text, '[', (size_t)levels);
    memset(text + levels, ']', (size_t)levels);
    text[2 * levels] = 0;
    return text;
}

static void depth_and_size_have_limits(void **state)
{
    (void)state;
    struct err err = { 0 };
    struct yaml *y = NULL;
    char *text = nested(YAML_MAX_DEPTH);
    assert_int_equal(read_text(&y, text, &err), ST_OK);
    yaml_free(y);
    free(text);
    text = nested(YAML_MAX_DEPTH + 2);
    assert_int_equal(read_text(&y, text, &err), ST_CONFIG);
    free(text);
    text = nested(100000); /* no stack is eaten */
    assert_int_equal(read_text(&y, text, &err), ST_CONFIG);
    free(text);
    text = malloc(YAML_MAX_BYTES + 2);
    memset(text, ' ', YAML_MAX_BYTES + 1);
    memcpy(text, "a: b", 4);
    text[YAML_MAX_BYTES + 1] = 0;
    assert_int_equal(read_text(&y, text, &err), ST_CONFIG);
    free(text);
}

static void zero_bytes_are_refused(void **state)
{
    (void)state;
    struct err err = { 0 };
    struct yaml *y = NULL;
    assert_int_equal(yaml_read_text(&y, "f.yaml", "a: b\0c\n", 7, &err), ST_CONFIG);
    assert_null(y);
}

static void files(void **state)
{
    (void)state;
    struct err err = { 0 };
    struct yaml *y = NULL;
    char path[] = "/tmp/bench-yaml-XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, "a: b\n", 5), 5);
    close(fd);
    assert_int_equal(yaml_read_file(&y, path, &err), ST_OK);
    assert_string_equal(yaml_get(y, "a")->text, "b");
    yaml_free(y);
    unlink(path);
    assert_int_equal(yaml_read_file(&y, path, &err), ST_CONFIG); /* a wrong name is the user's to mend */
    assert_non_null(strstr(err.text, path));
    assert_int_equal(yaml_read_file(&y, "/tmp", &err), ST_CONFIG);
    assert_non_null(strstr(err.text, "directory"));
    assert_null(y);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tree_with_places), cmocka_unit_test(what_is_refused), cmocka_unit_test(depth_and_size_have_limits),
        cmocka_unit_test(zero_bytes_are_refused), cmocka_unit_test(files),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
