/* The expansion of a configuration into targets and points, with the sentences for what cannot be. */
#include "bench/measure/plan.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "kernels/base/host.h"

static char home[] = "/tmp/bench-plan-XXXXXX";

static void write_file(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", home, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

/* Three models (one of them not served) and two engines. */
static int set_up(void **state)
{
    (void)state;
    char path[256];
    if (!mkdtemp(home))
        return -1;
    const char *const folders[] = { "configs", "configs/models", "configs/engines" };
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", home, folders[i]);
        mkdir(path, 0700);
    }
    write_file("configs/models/alpha.yaml", "name: alpha\narchitecture: hrnet\nfeatures: [8]\ninput: [3, 512, 512]\n"
                                            "multiple: 32\nmin_side: 64\nserved: true\nmask: true\n");
    write_file("configs/models/beta.yaml", "name: beta\narchitecture: resunet_small\nfeatures: [8]\n"
                                           "input: [3, 1024, 1024]\nmultiple: 16\nserved: true\n");
    write_file("configs/models/gamma.yaml", "name: gamma\narchitecture: resunet_small\nfeatures: [8]\n"
                                            "input: [3, 1024, 1024]\nserved: false\n");
    write_file("configs/engines/onednn.yaml", "name: onednn\ncommand: [bench-worker-onednn]\ndescription: ours\n"
                                              "devices: [cpu]\n");
    write_file("configs/engines/cuda.yaml", "name: cuda\ncommand: [bench-worker-cuda]\ndevices: [cuda]\n"
                                            "library_path: [/opt/a, /opt/b]\nenv: {A: b}\n");
    write_file("configs/engines/other.yaml", "name: other\ncommand: [other-worker]\ndescription: another\n");
    return setenv("BENCH_HOME", home, 1);
}

static int tear_down(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", home);
    return system(command);
}

struct ask {
    struct config config;
    char *models[4], *engines[4], *devices[4], *precisions[4];
    int   threads[4], instances[4], batches[400];
};

static struct ask *ask_for_all(void)
{
    static char preset[] = "e2e";
    struct ask *a = calloc(1, sizeof *a);
    assert_non_null(a);
    a->config = (struct config){ .all_models = true, .batches_auto = true, .max_batch = 16, .mode = preset,
                                 .within = .05 };
    return a;
}

static void name(struct name_list *list, char **room, const char *word)
{
    list->names = room;
    room[list->count++] = (char *)(uintptr_t)word;
}

static void all_models_on_the_default_engine(void **state)
{
    (void)state;
    struct ask *a = ask_for_all();
    struct plan p;
    struct err err;
    assert_int_equal(plan_make(&p, &a->config, NULL, &err), ST_OK);
    assert_int_equal(p.target_count, 2); /* gamma is not served */
    assert_string_equal(p.targets[0].model.name, "alpha");
    assert_string_equal(p.targets[1].engine->name, "onednn");
    assert_string_equal(p.targets[1].device, "cpu:0");
    assert_string_equal(p.targets[1].precision, "f32");
    assert_int_equal(p.targets[0].point_count, 5); /* 1 2 4 8 16 */
    assert_int_equal(p.targets[0].points[4].batch, 16);
    assert_int_equal(p.targets[0].threads, host_threads(NULL, NULL, 0));
    assert_true(isnan(plan_predicted_s(&p)));
    assert_true(p.targets[0].points[0].predicted_bytes == 0 && isnan(p.targets[0].points[0].predicted_s));
    char key[256];
    snprintf(key, sizeof key, "beta|onednn|cpu:0|f32|%d|1|3x1024x1024|e2e", host_threads(NULL, NULL, 0));
    assert_string_equal(p.targets[1].key, key);
    plan_free(&p);
    free(a);
}

static void the_last_axis_changes_fastest(void **state)
{
    (void)state;
    struct ask *a = ask_for_all();
    struct plan p;
    struct err err;
    static const int sizes[] = { 8, 2, 2, 1 };
    name(&a->config.precisions, a->precisions, "f32");
    name(&a->config.precisions, a->precisions, "bf16");
    name(&a->config.engines, a->engines, "onednn");
    name(&a->config.engines, a->engines, "other");
    a->config.input_h = 256;
    a->config.input_w = 128;
    a->config.batches_auto = false;
    memcpy(a->batches, sizes, sizeof sizes);
    a->config.batches = (struct int_list){ a->batches, 4 };
    a->threads[0] = 1;
    a->threads[1] = 1; /* the same again is one target */
    a->config.threads = (struct int_list){ a->threads, 2 };
    assert_int_equal(plan_make(&p, &a->config, NULL, &err), ST_OK);
    static const char *const want[] = { "alpha onednn cpu:0 f32 1 thread", "alpha onednn cpu:0 bf16 1 thread",
                                        "alpha other cpu:0 f32 1 thread", "alpha other cpu:0 bf16 1 thread" };
    assert_int_equal(p.target_count, 8);
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(p.targets[i].name, want[i]);
    assert_int_equal(p.targets[3].shape[1], 256);
    assert_int_equal(p.targets[3].shape[2], 128);
    assert_int_equal(p.targets[0].point_count, 3); /* in order, without doubles */
    assert_int_equal(p.targets[0].points[1].batch, 2);
    plan_free(&p);
    free(a);
}

static void refused(struct ask *a, const char *sentence)
{
    struct plan p;
    struct err err = { 0 };
    assert_int_equal(plan_make(&p, &a->config, NULL, &err), ST_USAGE);
    if (!strstr(err.text, sentence))
        fail_msg("\"%s\" does not say \"%s\"", err.text, sentence);
    assert_null(p.targets);
    free(a);
}

static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    struct ask *a = ask_for_all();
    a->config.all_models = false;
    refused(a, "nothing to measure");
    a = ask_for_all();
    name(&a->config.models, a->models, "gama");
    refused(a, "gamma");
    a = ask_for_all();
    name(&a->config.engines, a->engines, "onednm");
    refused(a, "onednn");
    a = ask_for_all();
    name(&a->config.devices, a->devices, "cuba:0");
    refused(a, "did you mean cuda:0?");
    a = ask_for_all();
    name(&a->config.devices, a->devices, "cpu");
    refused(a, "did you mean cpu:0?");
    a = ask_for_all();
    name(&a->config.precisions, a->precisions, "tf32");
    refused(a, "does not exist on cpu:0: allowed are f32, bf16");
    a = ask_for_all();
    a->config.input_h = a->config.input_w = 100;
    refused(a, "multiple");
    a = ask_for_all();
    a->threads[0] = 100000;
    a->config.threads = (struct int_list){ a->threads, 1 };
    refused(a, "threads is 100000");
    a = ask_for_all();
    a->config.batches_auto = false;
    a->config.batches = (struct int_list){ a->batches, 300 };
    refused(a, "300 sizes");
}

/* Each device gets the engines that run on it, each of its precisions that is asked for. */
static void devices_side_by_side(void **state)
{
    (void)state;
    struct ask *a = ask_for_all();
    struct plan p;
    struct err err;
    name(&a->config.devices, a->devices, "cpu:0");
    name(&a->config.devices, a->devices, "cuda:0");
    name(&a->config.precisions, a->precisions, "f32");
    name(&a->config.precisions, a->precisions, "f16");
    assert_int_equal(plan_make(&p, &a->config, NULL, &err), ST_OK);
    static const char *const want[] = { "alpha onednn cpu:0 f32", "alpha cuda cuda:0 f32", "alpha cuda cuda:0 f16",
                                        "beta onednn cpu:0 f32", "beta cuda cuda:0 f32", "beta cuda cuda:0 f16" };
    assert_int_equal(p.target_count, 6);
    for (size_t i = 0; i < 6; i++)
        assert_string_equal(p.targets[i].name, want[i]);
    const struct engine_config *cuda = p.targets[1].engine;
    assert_string_equal(cuda->environment[0], "A=b");
    assert_string_equal(cuda->environment[1], "BENCH_CUDA_LIBRARY_PATH=/opt/a:/opt/b");
    assert_null(cuda->environment[2]);
    plan_free(&p);
    name(&a->config.engines, a->engines, "other"); /* does not say what it runs on: both */
    name(&a->config.engines, a->engines, "onednn");
    assert_int_equal(plan_make(&p, &a->config, NULL, &err), ST_OK);
    static const char *const both[] = { "alpha other cpu:0 f32", "alpha other cuda:0 f32", "alpha other cuda:0 f16",
                                        "alpha onednn cpu:0 f32" };
    assert_int_equal(p.target_count, 8);
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(p.targets[i].name, both[i]);
    plan_free(&p);
    free(a);
}

static void a_device_without_engine_is_refused(void **state)
{
    (void)state;
    struct ask *a = ask_for_all();
    name(&a->config.devices, a->devices, "cuda:0");
    name(&a->config.engines, a->engines, "onednn");
    refused(a, "no engine that is asked for (onednn) runs on cuda:0: use --engine cuda or --device cpu:0");
    a = ask_for_all();
    name(&a->config.engines, a->engines, "onednn");
    name(&a->config.engines, a->engines, "cuda");
    refused(a, "engine cuda does not run on cpu:0: add --device cuda:0");
    a = ask_for_all();
    name(&a->config.devices, a->devices, "cpu:0");
    name(&a->config.devices, a->devices, "cuda:0");
    name(&a->config.precisions, a->precisions, "f16"); /* nothing is left for the CPU */
    refused(a, "precision \"f16\" does not exist on cpu:0");
}

/* Instances share the CPUs out; with the threads of each they may not need more than there are. */
static void instances_are_an_axis_before_threads(void **state)
{
    (void)state;
    struct ask *a = ask_for_all();
    struct plan p;
    struct err err;
    const int cpus = host_threads(NULL, NULL, 0);
    if (cpus < 2)
        skip();
    a->instances[0] = 1;
    a->instances[1] = 2;
    a->config.instances = (struct int_list){ a->instances, 2 };
    name(&a->config.precisions, a->precisions, "f32");
    name(&a->config.precisions, a->precisions, "bf16");
    assert_int_equal(plan_make(&p, &a->config, NULL, &err), ST_OK);
    assert_int_equal(p.target_count, 8);
    static const char *const want[] = { "alpha onednn cpu:0 f32 1 instance", "alpha onednn cpu:0 f32 2 instances",
                                        "alpha onednn cpu:0 bf16 1 instance",
                                        "alpha onednn cpu:0 bf16 2 instances" };
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(p.targets[i].name, want[i]);
    assert_int_equal(p.targets[0].threads, cpus);
    assert_int_equal(p.targets[1].threads, cpus / 2);
    char key[256];
    snprintf(key, sizeof key, "alpha|onednn|cpu:0|f32|%d|2|3x512x512|e2e", cpus / 2);
    assert_string_equal(p.targets[1].key, key);
    plan_free(&p);
    a->threads[0] = 1;
    a->threads[1] = cpus / 2;
    a->config.threads = (struct int_list){ a->threads, cpus / 2 > 1 ? 2 : 1 };
    assert_int_equal(plan_make(&p, &a->config, NULL, &err), ST_OK);
    assert_int_equal(p.targets[0].instances * p.targets[0].threads, 1);
    plan_free(&p);
    a->threads[0] = cpus; /* fits one instance, not two */
    a->config.threads.count = 1;
    refused(a, "in each of 2 instances");
}

/* Without a number of threads one is left for each: with more instances than CPUs that is too much. */
static void more_instances_than_cpus_are_refused(void **state)
{
    (void)state;
    struct ask *a = ask_for_all();
    a->instances[0] = host_threads(NULL, NULL, 0) + 1;
    a->config.instances = (struct int_list){ a->instances, 1 };
    refused(a, "threads is 1 in each of");
}

static void one_thread_is_always_allowed(void **state)
{
    (void)state;
    struct ask *a = ask_for_all();
    struct plan p;
    struct err err;
    a->threads[0] = 1;
    a->config.threads = (struct int_list){ a->threads, 1 };
    assert_int_equal(plan_make(&p, &a->config, NULL, &err), ST_OK);
    assert_int_equal(p.targets[0].threads, 1);
    plan_free(&p);
    free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_models_on_the_default_engine),
        cmocka_unit_test(the_last_axis_changes_fastest),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(devices_side_by_side),
        cmocka_unit_test(a_device_without_engine_is_refused),
        cmocka_unit_test(instances_are_an_axis_before_threads),
        cmocka_unit_test(more_instances_than_cpus_are_refused),
        cmocka_unit_test(one_thread_is_always_allowed),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
