/* Model files: what is in the tree reads as written, and each mistake is named with its place. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/base/model_config.h"

#define LEN(a) (sizeof(a) / sizeof *(a))
#define GOOD "name: m\narchitecture: hrnet\nfeatures: [1, 2, 3, 4]\ninput: [3, 64, 64]\n"

static void write_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static void the_tree_has_its_models(void **state)
{
    (void)state;
    struct model_config *all;
    size_t count;
    struct err err = { .status = ST_OK };
    assert_int_equal(model_config_list(&all, &count, "configs/models", &err), ST_OK);
    static const char *const names[] = { "hrnet", "resunet_advanced", "resunet_advanced_20", "resunet_small",
                                         "smoke" };
    assert_int_equal(count, LEN(names));
    for (size_t i = 0; i < count; i++) {
        const bool smoke = strcmp(names[i], "smoke") == 0;
        const int side = smoke ? 64 : 1024;
        assert_string_equal(all[i].name, names[i]);
        assert_int_equal(all[i].served, !smoke && strcmp(names[i], "resunet_advanced_20") != 0);
        assert_true(all[i].mask == !smoke && all[i].has_expected == smoke && *all[i].description);
        assert_memory_equal(all[i].input, ((int[]){ 3, side, side }), sizeof all[i].input);
    }
    assert_int_equal(all[3].feature_count, 5);
    assert_int_equal(all[3].features[4], 512);
    free(all);
}

/* Number k of 48 stands in the middle of the k-th 48th: 0.5/48 of 4096 is 42.67. */
static void where_expected_values_stand(void **state)
{
    (void)state;
    assert_int_equal(model_expected_at(0, 4096), 42);
    assert_int_equal(model_expected_at(47, 4096), 4053);
    assert_int_equal(model_expected_at(47, 48), 47);
}

static void presets(void **state)
{
    (void)state;
    char path[] = "/tmp/model_config_test.XXXXXX.yaml";
    close(mkstemps(path, 5));
    write_text(path, GOOD);
    struct model_config c;
    struct err err = { .status = ST_OK };
    assert_int_equal(model_config_read(&c, "nowhere", path, &err), ST_OK);
    assert_true(c.multiple == 1 && c.min_side == 1 && !c.served && !c.mask && !*c.description);
    unlink(path);
}

static void each_mistake_has_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } rows[] = {
        { GOOD "featurs: [1]\n", ":5:1: there is no key \"featurs\" for a model; the nearest is features" },
        { GOOD "multiple: 0\n", ":5:11: multiple must be an integer 1..16384, got 0" },
        { GOOD "multiple: 1.5\n", "an integer 1..16384, got 1.5" },
        { GOOD "multiple: \"4\"\n", "an integer" },
        { GOOD "multiple: [4]\n", "got a list" },
        { GOOD "served: yes\n", ":5:9: served must be true or false, got yes" },
        { GOOD "description: {a: 1}\n", "a text of 1 to 159 bytes, got a map" },
        { GOOD "name: again\n", ":5" }, /* a duplicate key */
        { "name: m\narchitecture: hrnet\nfeatures: [1]\n", "the key input is missing" },
        { "name: m\narchitecture: vgg\n", ":2:15: architecture must be hrnet, resunet_small, resunet_advanced or smoke" },
        { "name: \"\"\n", "name must be a text of 1 to 31 bytes" },
        { "name: a-name-that-is-longer-than-any-model-needs\n", "1 to 31 bytes" },
        { "features: []\n", "a list of 1 to 8 integers" },
        { "features: [1,2,3,4,5,6,7,8,9]\n", "a list of 1 to 8 integers" },
        { "features: [4, 0]\n", ":1:15: features must be an integer 1..65536, got 0" },
        { "input: [3, 64]\n", "a list of 3 to 3 integers" },
        { "input: 3x64x64\n", "got 3x64x64" },
        { "expected: [[1], [2], [3]]\n", ":1:12: expected must be 3 lists of 48 numbers, got a list" },
        { "- 1\n", "a model is a map" },
        { GOOD "multiple: 48\n", "the default input does not fit" },
    };
    char path[] = "/tmp/model_config_test.XXXXXX.yaml";
    close(mkstemps(path, 5));
    for (size_t i = 0; i < LEN(rows); i++) {
        struct model_config c;
        struct err err = { .status = ST_OK };
        write_text(path, rows[i].text);
        const enum status st = model_config_read(&c, "nowhere", path, &err);
        if (st != ST_CONFIG || strncmp(err.text, path, strlen(path)) != 0 || !strstr(err.text, rows[i].says))
            fail_msg("row %zu: %s: %s", i, status_kind(st), err.text);
    }
    unlink(path);
}

static void unknown_models_are_answered_with_a_hint(void **state)
{
    (void)state;
    struct model_config c;
    struct err err = { .status = ST_OK };
    assert_int_equal(model_config_read(&c, "configs/models", "hrnt", &err), ST_USAGE);
    assert_non_null(strstr(err.text, "did you mean hrnet?"));
    assert_non_null(strstr(err.text, "resunet_advanced_20, resunet_small"));
    assert_int_equal(model_config_read(&c, "configs/models", "../models/hrnet", &err), ST_USAGE);
    assert_int_equal(model_config_read(&c, "configs/models", "", &err), ST_USAGE);
    assert_int_equal(model_config_read(&c, "no-such-folder", "hrnet", &err), ST_IO);
    assert_int_equal(model_config_read(&c, "configs/models", "missing.yaml", &err), ST_CONFIG);
}

/* A file that calls itself otherwise than it is called would be measured under a name nobody asked for. */
static void a_file_must_be_called_by_its_name(void **state)
{
    (void)state;
    char folder[] = "/tmp/model_config_test.XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/other.yaml", folder);
    write_text(path, GOOD);
    struct model_config c, *all;
    size_t count;
    struct err err = { .status = ST_OK };
    assert_int_equal(model_config_read(&c, folder, "other", &err), ST_CONFIG);
    assert_non_null(strstr(err.text, "must be \"other\""));
    assert_int_equal(model_config_list(&all, &count, folder, &err), ST_CONFIG);
    assert_null(all);
    unlink(path);
    assert_int_equal(model_config_list(&all, &count, folder, &err), ST_OK);
    assert_int_equal(count, 0);
    free(all);
    rmdir(folder);
}

static void sizes(void **state)
{
    (void)state;
    const struct model_config c = { .name = "m", .input = { 3, 64, 64 }, .multiple = 16, .min_side = 20 };
    static const struct {
        int shape[3];
        const char *says; /* NULL: it fits */
    } rows[] = {
        { { 3, 32, 16384 }, NULL },
        { { 3, 16, 32 }, "multiples of 16, 32..16384; the nearest that works is 32x32" },
        { { 3, 39, 41 }, "32x48" },
        { { 3, 16400, 64 }, "16384x64" },
        { { 3, -16, 64 }, "-16x64" },
        { { 4, 64, 64 }, "3 channels, got 4" },
    };
    for (size_t i = 0; i < LEN(rows); i++) {
        struct err err = { .status = ST_OK };
        assert_int_equal(model_config_check_size(&c, rows[i].shape, &err), rows[i].says ? ST_USAGE : ST_OK);
        if (rows[i].says && !strstr(err.text, rows[i].says))
            fail_msg("row %zu: %s", i, err.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tree_has_its_models),
        cmocka_unit_test(where_expected_values_stand),
        cmocka_unit_test(presets),
        cmocka_unit_test(each_mistake_has_its_place),
        cmocka_unit_test(unknown_models_are_answered_with_a_hint),
        cmocka_unit_test(a_file_must_be_called_by_its_name),
        cmocka_unit_test(sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
