/* Engine files: what is read, and the sentence for what is wrong. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/config/config.h"

#define LEN(a) (sizeof(a) / sizeof *(a))

static char folder[] = "/tmp/config_engine_test_XXXXXX";

/* Writes FOLDER/configs/engines/NAME and gives its path in `path`. */
static void put(char *path, size_t size, const char *name, const char *text)
{
    snprintf(path, size, "%s/configs/engines/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
    char path[256];
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/configs", folder);
    mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/configs/engines", folder);
    mkdir(path, 0777);
    put(path, sizeof path, "one.yaml", "name: one\ncommand: [sh, -c, \"exit 0\"]\ndescription: first\n"
                                       "env: {A: \"1\", B: x=y}\n");
    put(path, sizeof path, "two.yaml", "name: two\ncommand: [no-such-program-anywhere]\n");
    return setenv("BENCH_HOME", folder, 1);
}

static int tear_down(void **state)
{
    char command[256];
    (void)state;
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

static void an_engine_is_read(void **state)
{
    struct engine_config e;
    struct err err;
    (void)state;
    assert_int_equal(engine_config_read(&e, "one", &err), ST_OK);
    assert_string_equal(e.name, "one");
    assert_string_equal(e.description, "first");
    assert_int_equal(e.command[0][0], '/'); /* sh was looked up */
    assert_string_equal(e.command[1], "-c");
    assert_string_equal(e.command[2], "exit 0");
    assert_null(e.command[3]);
    assert_string_equal(e.environment[0], "A=1");
    assert_string_equal(e.environment[1], "B=x=y");
    assert_null(e.environment[2]);
    engine_config_free(&e);
    assert_int_equal(engine_config_read(&e, "two", &err), ST_OK); /* a missing program is not the file's fault */
    assert_string_equal(e.command[0], "no-such-program-anywhere");
    engine_config_free(&e);
}

static void all_engines_are_listed_by_name(void **state)
{
    struct engine_config *list;
    struct err err;
    size_t count;
    (void)state;
    assert_int_equal(engine_config_list(&list, &count, &err), ST_OK);
    assert_int_equal(count, 2);
    assert_string_equal(list[0].name, "one");
    assert_string_equal(list[1].name, "two");
    for (size_t i = 0; i < count; i++)
        engine_config_free(&list[i]);
    free(list);
}

static void an_unknown_engine_names_the_nearest(void **state)
{
    struct engine_config e;
    struct err err;
    (void)state;
    assert_int_equal(engine_config_read(&e, "oen", &err), ST_USAGE);
    assert_string_equal(err.text, "there is no engine \"oen\" (did you mean \"one\"?); known are: one, two");
}

static const struct { const char *text, *message; } bad[] = {
    { "name: x\n", ":1:1: the key command is missing" },
    { "command: [x]\n", ":1:1: the key name is missing" },
    { "name: x\ncommand: x\n", ":2:10: command must be a list of a program and its arguments, got \"x\"" },
    { "name: x\ncommand: []\n", ":2:10: command must be a list of a program and its arguments, got \"a list\"" },
    { "name: x\ncommand: [a, [b]]\n", ":2:14: command must be a list of a program and its arguments, got \"a list\"" },
    { "name: \"a b\"\ncommand: [x]\n", ":1:7: name must be one word without slash or bar, got \"a b\"" },
    { "nam: x\n", ":1:1: there is no key \"nam\" for an engine (did you mean \"name\"?)" },
    { "name: x\ncommand: [a]\nenv: [A=1]\n", ":3:6: env must be a map of names and texts, got \"a list\"" },
    { "name: x\ncommand: [a]\nenv: {A: [1]}\n", ":3:10: env must be a map of names and texts, got \"a list\"" },
    { "- x\n", ":1:1: an engine must be a map of keys and values" },
    { "name: x\ncommand: [y]\ndevices: [gpu]\n", ":3:11: devices must be a list of cpu, cuda, got \"gpu\"" },
    { "name: x\ncommand: [y]\nlibrary_path: a:b\n",
      ":3:15: library_path must be a folder, or a list of folders without a colon, got \"a:b\"" },
};

static void a_bad_engine_file_is_refused_with_its_place(void **state)
{
    char path[256], want[512];
    (void)state;
    for (size_t i = 0; i < LEN(bad); i++) {
        struct engine_config e;
        struct err err;
        put(path, sizeof path, "bad.yaml", bad[i].text);
        assert_int_equal(engine_config_read(&e, path, &err), ST_CONFIG);
        snprintf(want, sizeof want, "%s%s", path, bad[i].message);
        assert_string_equal(err.text, want);
        assert_null(e.command);
        unlink(path);
    }
}

static void the_name_must_be_the_files(void **state)
{
    char path[256];
    struct engine_config e;
    struct err err;
    (void)state;
    put(path, sizeof path, "three.yaml", "name: four\ncommand: [x]\n");
    assert_int_equal(engine_config_read(&e, "three", &err), ST_CONFIG);
    assert_non_null(strstr(err.text, "its name is \"four\" and must be \"three\""));
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_engine_is_read),
        cmocka_unit_test(all_engines_are_listed_by_name),
        cmocka_unit_test(an_unknown_engine_names_the_nearest),
        cmocka_unit_test(a_bad_engine_file_is_refused_with_its_place),
        cmocka_unit_test(the_name_must_be_the_files),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
