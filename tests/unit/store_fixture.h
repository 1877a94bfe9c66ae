/* A store in a folder of its own, and rows to put into it. */
#ifndef STORE_FIXTURE_H
#define STORE_FIXTURE_H

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/store/store.h"

struct place {
    char folder[64], path[96];
};

static inline int place_make(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    strcpy(p->folder, "/tmp/bench-störe%3F-XXXXXX"); /* a letter of two bytes, and what a URI reads as one */
    if (!mkdtemp(p->folder))
        return -1;
    snprintf(p->path, sizeof p->path, "%s/bench.sqlite", p->folder);
    *state = p;
    return 0;
}

static inline int place_drop(void **state)
{
    struct place *p = *state;
    DIR *folder = opendir(p->folder);
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(folder), entry->d_name, 0);
    if (folder)
        closedir(folder);
    int left = rmdir(p->folder);
    free(p);
    return left;
}

static inline struct store *fixture_open(const struct place *p, enum store_mode mode)
{
    struct err err = { 0 };
    struct store *s = NULL;
    if (store_open(&s, p->path, mode, &err) != ST_OK)
        fail_msg("store_open: %s", err.text);
    return s;
}

static inline struct run_row fixture_run(void)
{
    return (struct run_row){ .kind = "tune", .seed = UINT64_C(0xfedcba9876543210), .argv = "bench --all-models",
                             .config_text = "within: 5%\n", .config_sha256 = "abc", .build = "0.1.0+g1", .variant = "release",
                             .rule_version = 1, .start_unix_s = 1772329502, .budget_ns = UINT64_C(900000000000),
                             .state = "running", .exit_code = -1 };
}

static inline struct target_row fixture_target(int64_t run, int place)
{
    return (struct target_row){ .run = run, .place = place, .model = "hrnet", .engine = "onednn", .device = "cpu:0",
                                .precision = "f32", .mode = "e2e", .threads = 2, .instances = 1, .shape = { 3, 256, 320 },
                                .key = "hrnet|onednn|cpu:0|f32|2|1|3x256x320|e2e" };
}

static inline struct execution_row fixture_execution(int64_t target, const char *label)
{
    struct execution_row row = { .target = target, .command = "bench-worker-onednn", .pid = 4711, .start_unix_s = 1772329503,
                                 .exit_code = -1, .exit_signal = -1 };
    snprintf(row.label, sizeof row.label, "%s", label);
    return row;
}

static inline struct block_row fixture_block(int64_t execution, int number, int iterations)
{
    return (struct block_row){ .execution = execution, .round = 1, .place = number, .batch = 1 << number,
                               .kind = BLOCK_RACE, .start_ns = 1000, .end_ns = 2000, .worker_start_ns = 1010,
                               .worker_end_ns = 1990, .images = iterations << number, .outputs = iterations << number,
                               .iterations = iterations, .y = 1.25 + number, .wall_images_per_s = 3.5, .valid = true };
}

/* A run with one target and one execution; ids come back. */
struct fixture_ids { int64_t run, target, execution; };
static inline struct fixture_ids fixture_fill(struct store *s)
{
    struct err err = { 0 };
    struct run_row run = fixture_run();
    assert_int_equal(store_append_run(s, &run, &err), ST_OK);
    struct target_row target = fixture_target(run.id, 0);
    assert_int_equal(store_append_target(s, &target, &err), ST_OK);
    struct execution_row execution = fixture_execution(target.id, "normal");
    assert_int_equal(store_append_execution(s, &execution, &err), ST_OK);
    return (struct fixture_ids){ run.id, target.id, execution.id };
}

/* Appends block `number` with iterations 100 + number, 101 + number, ... */
static inline enum status fixture_append_block(struct store *s, int64_t execution, int number, int iterations,
                                               struct err *err)
{
    struct block_row row = fixture_block(execution, number % 8, iterations);
    uint64_t *ns = malloc((size_t)iterations * sizeof *ns);
    for (int i = 0; i < iterations; i++)
        ns[i] = (uint64_t)(100 + number + i);
    const struct field_row telemetry[] = {
        { .name = "throttled_usec", .number = 7, .is_number = true, .source = "cgroup cpu.stat" },
        { .name = "thermal_count", .absent = "not_found", .source = "thermal_throttle" },
    };
    const struct mark_row mark = { .subject = "block", .reason = "quota", .value = 7, .limit = 0, .rule_version = 1 };
    const struct store_block_parts parts = { .samples.iteration_ns = ns, .telemetry = telemetry, .telemetry_count = 2,
                                             .marks = &mark, .mark_count = 1 };
    enum status st = store_append_block(s, &row, &parts, err);
    free(ns);
    return st;
}

struct fixture_count { int blocks; uint64_t sum; };
static inline enum status fixture_count_block(void *context, const struct store_block *block, struct err *err)
{
    (void)err;
    struct fixture_count *c = context;
    c->blocks++;
    for (int i = 0; block->samples.iteration_ns && i < block->row.iterations; i++)
        c->sum += block->samples.iteration_ns[i];
    return ST_OK;
}

#endif
