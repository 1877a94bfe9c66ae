#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "kernels/base/len.h"
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

static enum status read_foreign(struct yaml **y, const char *text, struct err *err)
{
    return yaml_read_foreign_text(y, "f.yaml", text, strlen(text), err);
}

static void foreign_files_may_have_anchors(void **state)
{
    (void)state;
    struct err err = { 0 };
    struct yaml *y = NULL;
    static const char text[] = "base: &b {x: 1, z: &z [5, 6]}\n"
                               "more: {<<: *b, x: 2, y: *z}\n"
                               "list: {<<: [{x: 3}, *b], w: !keep 4}\n";
    assert_int_equal(read_foreign(&y, text, &err), ST_OK);
    const struct yaml *more = yaml_get(y, "more"), *list = yaml_get(y, "list");
    assert_string_equal(yaml_get(more, "x")->text, "2"); /* its own wins */
    assert_string_equal(yaml_get(yaml_get(more, "z"), "x") ? "map" : "list", "list");
    assert_int_equal(yaml_get(more, "z")->count, 2);
    assert_int_equal(yaml_get(more, "y")->line, 1); /* a copy stands where its anchor stands */
    assert_string_equal(yaml_get(list, "x")->text, "3"); /* the first of a list wins */
    assert_string_equal(yaml_get(list, "w")->tag, "!keep");
    assert_null(yaml_get(more, "<<"));
    assert_int_equal(list->count, 3);
    yaml_free(y);
}

static void foreign_files_have_limits(void **state)
{
    (void)state;
    static const struct { const char *text, *want; } rows[] = {
        { "a: *b\nb: &b 1\n", "f.yaml:1:4: this alias names no anchor" },
        { "a: &a [*a]\n", "no anchor that ends before it" },
        { "a: {<<: 5}\n", "must name a map" },
        { "a: 1\na: 2\n", "f.yaml:2:1: this key stands here twice" },
        { "a: &a [1,1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
          "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n", "more than 100000 values" },
    };
    for (size_t i = 0; i < LEN(rows); i++) {
        struct err err = { 0 };
        struct yaml *y = NULL;
        assert_int_equal(read_foreign(&y, rows[i].text, &err), ST_CONFIG);
        assert_null(y);
        if (!strstr(err.text, rows[i].want))
            fail_msg("%s: %s", rows[i].want, err.text);
    }
}

static void trees_can_be_changed(void **state)
{
    (void)state;
    struct err err = { 0 };
    struct yaml *y = NULL;
    assert_int_equal(read_foreign(&y, "a: 1\nb: [2, 3, 4]\nc: 5\n", &err), ST_OK);
    struct yaml *copy = yaml_copy(y);
    yaml_remove(copy, yaml_find(copy, "a"));
    assert_int_equal(yaml_find(copy, "a"), copy->count);
    assert_string_equal(yaml_get(copy, "c")->text, "5");
    for (int i = 0; i < 9; i++)
        assert_true(yaml_append(copy->items[0], yaml_copy(y->items[0])));
    assert_int_equal(yaml_get(copy, "b")->count, 12);
    assert_int_equal(yaml_get(y, "b")->count, 3);
    yaml_free(copy);
    yaml_free(y);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tree_with_places), cmocka_unit_test(what_is_refused), cmocka_unit_test(depth_and_size_have_limits),
        cmocka_unit_test(zero_bytes_are_refused), cmocka_unit_test(files),
        cmocka_unit_test(foreign_files_may_have_anchors), cmocka_unit_test(foreign_files_have_limits),
        cmocka_unit_test(trees_can_be_changed),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
