/* campaign_world.h - a campaign against the scripted engine in virtual time: a folder, a store, a plan of hand-made
 * targets. The test program is its own worker: started with --script FILE it serves the scripted engine. */
#ifndef TEST_CAMPAIGN_WORLD_H
#define TEST_CAMPAIGN_WORLD_H

#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/measure/campaign.h"
#include "bench/store/store.h"
#include "kernels/worker/scripted.h"
#include "kernels/worker/server.h"

/* main begins with this: the program as a worker. -1: it is the test. */
static inline int world_serve(int argc, char **argv)
{
    struct scripted_context context = { 0 };
    struct engine engine = scripted_engine;
    if (argc != 3 || strcmp(argv[1], "--script") != 0)
        return -1;
    context.script_path = argv[2];
    context.answer_fd = worker_take_stdout();
    engine.context = &context;
    return worker_serve(&engine, context.answer_fd);
}

struct world {
    char folder[64], script[96], store_path[96], program[4096];
    char *command[4];
    struct engine_config engine;
    struct config config;
    struct plan_target target[6];
    struct plan_point points[6][PLAN_BATCHES_MAX];
    struct plan plan;
    struct store *store;
    struct campaign_context context;
    volatile sig_atomic_t stop;
    char notes[2048]; /* sentences of progress, one a line */
    uint64_t elapsed_ns; /* at the last of them */
    int  tells, stop_after; /* stop_after: sets stop at that tell; 0: never */
    int  kill_after;        /* kills the process at that tell, as kill -9 would; 0: never */
};

static inline void world_tell(void *context, const struct progress_event *e)
{
    struct world *w = context;
    size_t used = strlen(w->notes);
    w->elapsed_ns = e->elapsed_ns;
    if (e->text)
        snprintf(w->notes + used, sizeof w->notes - used, "%s: %s\n", e->phase, e->text);
    if (++w->tells == w->stop_after)
        w->stop = 1;
    if (w->tells == w->kill_after)
        kill(getpid(), SIGKILL);
}

static inline void world_write_script(struct world *w, const char *script)
{
    FILE *f = fopen(w->script, "w");
    assert_non_null(f);
    fputs(script, f);
    assert_int_equal(fclose(f), 0);
}

static inline void world_open_store(struct world *w)
{
    struct err err = { 0 };
    enum status st = store_open(&w->store, w->store_path, STORE_WRITE, &err);
    if (st != ST_OK)
        fail_msg("%s", err.text);
    w->context.store = w->store;
}

/* One target of model "toy" per precision (f32, then bf16), 3x32x32; batches "auto" up to 64 unless changed. */
static inline void world_open(struct world *w, const char *script, int targets)
{
    static const char *const precisions[] = { "f32", "bf16", "f16", "tf32", "f64", "i8" };
    static char preset[] = "e2e", weights[] = "seeded";
    memset(w, 0, sizeof *w);
    /* in memory where there is such a place: every block is synced to the disk */
    snprintf(w->folder, sizeof w->folder, "%s/bench-campaign-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(w->folder));
    snprintf(w->script, sizeof w->script, "%s/script.yaml", w->folder);
    snprintf(w->store_path, sizeof w->store_path, "%s/bench.sqlite", w->folder);
    world_write_script(w, script);
    ssize_t size = readlink("/proc/self/exe", w->program, sizeof w->program - 1);
    assert_true(size > 0);
    static char flag[] = "--script";
    w->command[0] = w->program;
    w->command[1] = flag;
    w->command[2] = w->script;
    snprintf(w->engine.name, sizeof w->engine.name, "scripted");
    w->engine.command = w->command;
    w->config = (struct config){ .batches_auto = true, .max_batch = 64, .mode = preset, .weights = weights,
                                 .within = 0.05, .alpha = 0.05, .budget_set = true, .seed = 7, .seed_set = true,
                                 .reserve = 0.1, .gate = true, .memory_limit_bytes = UINT64_C(1) << 30 };
    for (int i = 0; i < targets; i++) {
        struct plan_target *t = &w->target[i];
        *t = (struct plan_target){ .engine = &w->engine, .threads = 1, .instances = 1, .shape = { 3, 32, 32 },
                                   .batches_auto = true, .points = w->points[i] };
        snprintf(t->model.name, sizeof t->model.name, "toy");
        t->model.mask = true;
        snprintf(t->device, sizeof t->device, "cpu:0");
        snprintf(t->precision, sizeof t->precision, "%s", precisions[i]);
        snprintf(t->mode, sizeof t->mode, "e2e");
        snprintf(t->key, sizeof t->key, "toy|scripted|cpu:0|%s|1|1|3x32x32|e2e", precisions[i]);
        snprintf(t->name, sizeof t->name, "toy scripted cpu:0 %s", precisions[i]);
        for (int b = 1; b <= 64; b *= 2)
            t->points[t->point_count++].batch = b;
    }
    w->plan = (struct plan){ .engines = &w->engine, .engine_count = 1, .targets = w->target,
                             .target_count = (size_t)targets };
    static char unused[] = "test";
    w->config.text = unused;
    w->context = (struct campaign_context){ .config = &w->config, .plan = &w->plan, .stop = &w->stop,
                                            .argv_text = "test", .build = "test", .variant = "release" };
    world_open_store(w);
}

/* Sizes to measure in place of the ascent. */
static inline void world_give(struct world *w, const int *batches, size_t count)
{
    for (size_t i = 0; i < w->plan.target_count; i++) {
        w->target[i].batches_auto = false;
        w->target[i].point_count = count;
        for (size_t k = 0; k < count; k++)
            w->points[i][k].batch = batches[k];
    }
}

static inline enum status world_run(struct world *w, struct err *err)
{
    struct progress progress = { world_tell, w };
    w->context.progress = &progress;
    w->notes[0] = 0;
    w->tells = 0;
    w->stop = 0;
    enum status st = campaign_run(&w->context, err);
    w->context.progress = NULL;
    return st;
}

static inline struct campaign *world_load(struct world *w)
{
    struct campaign *c = NULL;
    struct err err = { 0 };
    if (store_load_campaign(&c, w->store, NULL, &err) != ST_OK)
        fail_msg("%s", err.text);
    return c;
}

static inline const struct point_view *world_point(const struct target_view *t, int batch)
{
    for (size_t i = 0; i < t->point_count; i++)
        if (t->points[i].batch == batch)
            return &t->points[i];
    fail_msg("no point of batch %d", batch);
    return NULL;
}

static inline void world_assert_why(const struct target_view *t, int batch, const char *reason)
{
    const struct point_view *p = world_point(t, batch);
    assert_true(p->has_why);
    if (strcmp(p->why.reason, reason) != 0)
        fail_msg("batch %d is %s (%s), %s was expected", batch, p->why.reason, p->why.text, reason);
}

static inline void world_close(struct world *w)
{
    char command[128];
    store_close(w->store);
    snprintf(command, sizeof command, "rm -rf %s", w->folder);
    assert_int_equal(system(command), 0);
}

#endif
