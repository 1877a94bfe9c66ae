/* cuda_engine_help.h - a graph through the CUDA engine's rooms on the fakes of CUDA's libraries, beside the reference, for
 * tests. What world_open gives, world_close takes, and says what was not given back to the device. */
#ifndef TESTS_CUDA_ENGINE_HELP_H
#define TESTS_CUDA_ENGINE_HELP_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "kernels/base/image.h"
#include "kernels/cuda/iterate.h"
#include "kernels/cuda/library/libraries.h"
#include "kernels/cuda/net.h"
#include "kernels/models/models.h"
#include "kernels/reference/reference.h"
#include "tests/gpu/fake/cudart.h"

#define LEN(rows) (sizeof(rows) / sizeof *(rows))
#define MUST(call) do { if ((call) != ST_OK) fail_msg("%s", err.text); } while (0)

/* The fakes lie beside the folder of the test programs. */
static inline void use_fakes(void)
{
    char path[4096];
    ssize_t size = readlink("/proc/self/exe", path, sizeof path - 64);
    assert_true(size > 0);
    path[size] = 0;
    for (int up = 0; up < 3; up++)
        *strrchr(path, '/') = 0;
    strcat(path, "/fake");
    setenv("BENCH_CUDA_LIBRARY_PATH", path, 1);
    strcat(path, "/libnvidia-ml.so.1");
    setenv("BENCH_NVML_LIBRARY", path, 1);
}

struct source { /* a graph and its weights */
    struct graph *g;
    struct weights w;
};

static inline struct source source_of_graph(struct graph *g, int output, const char *set)
{
    struct err err = { .status = ST_OK };
    struct source s = { .g = g };
    MUST(graph_finish(g, output, &err));
    MUST(weights_load(&s.w, g, set, &err));
    return s;
}

static inline struct source source_of_model(const struct model_config *config, int h, int w, const char *until)
{
    struct err err = { .status = ST_OK };
    struct source s = { .g = NULL };
    MUST(model_build(&s.g, config, (int[]){ 3, h, w }, &err));
    MUST(weights_load(&s.w, s.g, "seeded", &err));
    if (*until)
        MUST(graph_cut(s.g, until, &err));
    return s;
}

static inline void source_free(struct source *s)
{
    weights_free(&s->w);
    graph_free(s->g);
}

static inline size_t values_of(const struct node *n) { return (size_t)n->c * (size_t)n->h * (size_t)n->w; }
static inline size_t values_in(const struct source *s) { return values_of(&s->g->nodes[0]); }
static inline size_t values_out(const struct source *s) { return values_of(&s->g->nodes[s->g->output]); }

/* Input images number 1 .. count, one after another. */
static inline float *images_of(const struct source *s, int count)
{
    const struct node *in = &s->g->nodes[0];
    float *images = malloc(values_of(in) * (size_t)count * sizeof *images);
    assert_non_null(images);
    for (int i = 0; i < count; i++)
        image_make(images + (size_t)i * values_of(in), (uint32_t)i + 1, in->c, in->h, in->w);
    return images;
}

static inline double *reference_of(const struct source *s, const float *images, int batch)
{
    struct err err = { .status = ST_OK };
    double *out = malloc((size_t)batch * values_out(s) * sizeof *out);
    assert_non_null(out);
    MUST(reference_run(out, s->g, &s->w, images, batch, &err));
    return out;
}

/* ||got - want|| / ||want||; infinite if anything is not a number. */
static inline double relative_l2(const float *got, const double *want, size_t count)
{
    double wrong = 0, all = 0;
    for (size_t i = 0; i < count; i++) {
        double d = (double)got[i] - want[i];
        if (!isfinite(got[i]))
            return INFINITY;
        wrong += d * d;
        all += want[i] * want[i];
    }
    return sqrt(wrong / all);
}

/* The engine without its table: device, libraries, network, batch sizes. */
struct world {
    struct gpu_device device;
    struct gpu_libraries *libraries;
    struct gpu_memory memory;
    struct net net;
    struct images images;
    struct gpu_options options;
    struct ready ready;
    struct iterate iterate;
};

struct how {
    enum gpu_math math;
    int level;              /* OPTIONS_LEVEL_TUNED: by the tuner */
    int batch;
    bool stream, pipelined;
};

static inline void world_close(struct world *w)
{
    struct err err = { .status = ST_OK };
    if (w->iterate.device)
        iterate_drain(&w->iterate, &err);
    if (w->ready.net)
        ready_remove_all(&w->ready);
    iterate_free(&w->iterate);
    cache_close(w->ready.cache);
    images_free(&w->images);
    net_free(&w->net, &w->memory);
    gpu_libraries_close(w->libraries);
    gpu_device_close(&w->device);
    assert_int_equal(w->memory.allocated, 0);
    free(w);
    assert_int_equal(fake_cudart_leaks(1), 0);
}

/* Both are allowed to fail: the caller closes. */
static inline enum status world_try(struct world *w, const struct source *s, struct how how, struct err *err)
{
    struct gpu_card cards[GPU_DEVICES_MAX];
    struct gpu_driver driver;
    const struct library_search search = { .folders = getenv("BENCH_CUDA_LIBRARY_PATH") };
    const struct node *in = &s->g->nodes[0];
    int count = 0;
    w->memory.device = &w->device;
    w->options = (struct gpu_options){ .stream = how.stream, .tune = TUNE_FRESH, .tune_budget_ns = 20000000000u,
                                       .workspace_cap = (size_t)64 << 20, .level = how.level,
                                       .predict = true };
    enum status st = gpu_devices_find(cards, &count, &driver, err);
    if (st == ST_OK)
        st = gpu_device_open(&w->device, &cards[0], &driver, err);
    if (st == ST_OK)
        st = gpu_libraries_open(&w->libraries, &search, err);
    if (st == ST_OK)
        st = gpu_libraries_use_device(w->libraries, 0, err);
    w->device.card.limits.l2_bytes = 64 << 10; /* small images: few input buffers */
    w->net.net.device = &w->device;
    w->net.net.libraries = w->libraries;
    w->net.net.math = how.math;
    w->net.net.workspace_cap = w->options.workspace_cap;
    if (st == ST_OK)
        st = net_make(&w->net, s->g, &s->w, &w->memory, err);
    if (st == ST_OK)
        st = images_new(&w->images, (int[]){ in->c, in->h, in->w }, 1, err);
    if (st == ST_OK)
        st = iterate_new(&w->iterate, &w->device, how.pipelined, err);
    const struct cache_device device = { "fake", 90, 0, 0 };
    const struct cache_build build = { 0, "" };
    if (st == ST_OK)
        w->ready = (struct ready){ .net = &w->net.net, .options = &w->options, .memory = &w->memory,
                                   .images = &w->images, .cache = cache_open("", &device, &build),
                                   .slots = how.pipelined ? 2 : 1 };
    return st;
}

static inline struct world *world_open(const struct source *s, struct how how)
{
    struct err err = { .status = ST_OK };
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    MUST(world_try(w, s, how, &err));
    return w;
}

/* (batch, C, H, W) of the output of a size that is prepared. */
static inline float *world_output(struct world *w, const struct source *s, int batch, const float *images)
{
    struct err err = { .status = ST_OK };
    float *out = malloc((size_t)batch * values_out(s) * sizeof *out);
    assert_non_null(out);
    MUST(iterate_output(&w->iterate, &w->ready, ready_find(&w->ready, batch), images, out, &err));
    return out;
}

static inline struct prepared *world_prepare(struct world *w, int batch)
{
    struct err err = { .status = ST_OK };
    struct prepared *p = NULL;
    MUST(ready_add(&p, &w->ready, batch, &err));
    return p;
}

/* All of it once; the second run must repeat the first. */
static inline float *run_once(const struct source *s, const float *images, struct how how)
{
    struct world *w = world_open(s, how);
    world_prepare(w, how.batch);
    float *first = world_output(w, s, how.batch, images), *second = world_output(w, s, how.batch, images);
    assert_memory_equal(first, second, (size_t)how.batch * values_out(s) * sizeof *first);
    free(second);
    world_close(w);
    return first;
}

static inline double deviation_of(const struct source *s, struct how how)
{
    float *images = images_of(s, how.batch);
    double *want = reference_of(s, images, how.batch);
    float *got = run_once(s, images, how);
    double d = relative_l2(got, want, (size_t)how.batch * values_out(s));
    free(got);
    free(want);
    free(images);
    return d;
}

#endif
