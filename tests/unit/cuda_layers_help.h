/* cuda_layers_help.h - every step of the networks, at several sizes, and the limits of devices: what launch
 * configurations are tried on. For C. */
#ifndef TESTS_CUDA_LAYERS_HELP_H
#define TESTS_CUDA_LAYERS_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kernels/base/model_config.h"
#include "kernels/cuda/passes/limits.h"
#include "kernels/graph/rewrite.h"
#include "kernels/lower/lower.h"
#include "kernels/models/models.h"

#define LEN(rows) (sizeof(rows) / sizeof *(rows))
#define MUST(call) do { if ((call) != ST_OK) fail_msg("%s", err.text); } while (0)

/* From the public data sheets: A100, A5000, H100, T4; shared memory of one block after asking: 163, 99, 227,
 * 64 KB. The last two: a slice of an H100, and one multiprocessor. */
static const struct gpu_limits device_limits[] = {
    /* sm, SMs, block, resident threads and blocks, shared memory static and at most, second-level cache */
    { 80, 108, 1024, 2048, 32, 48 << 10, 166912, 41943040 },
    { 86, 64, 1024, 1536, 16, 48 << 10, 101376, 6291456 },
    { 90, 132, 1024, 2048, 32, 48 << 10, 232448, 52428800 },
    { 75, 40, 1024, 1024, 16, 48 << 10, 65536, 4194304 },
    { 90, 16, 1024, 2048, 32, 48 << 10, 232448, 6553600 },
    { 86, 1, 1024, 1536, 16, 48 << 10, 101376, 98304 },
};
static const int batches[] = { 1, 2, 3, 7, 8, 16, 31, 64 };

/* What breaks a rule of every device: 0 if nothing. */
static inline size_t launch_misses(const struct gpu_launch *l, const struct gpu_limits *limits)
{
    const size_t threads = (size_t)l->block[0] * l->block[1] * l->block[2];
    size_t misses = l->grid[0] > 2147483647u || l->grid[1] > 65535 || l->grid[2] > 65535;
    misses += !l->grid[0] || !l->grid[1] || !l->grid[2] || !threads;
    misses += threads > (size_t)limits->block_threads || l->block[2] > 64 || threads % 32 != 0;
    return misses + (l->shared_bytes > limits->shared_optin_bytes);
}

static inline enum status keep_no_weights(int *index, void *context, const struct conv_shape *shape,
                                          const float *plain, struct err *err)
{
    (void)context, (void)shape, (void)plain, (void)err;
    *index = 0;
    return ST_OK;
}

/* The plan of a network as the GPU lowers it, for plan_free. */
static inline struct plan *layers_plan(const char *model, int h, int w)
{
    struct err err = { .status = ST_OK };
    struct model_config config;
    struct graph *built, *g;
    struct weights seeded, weights;
    struct plan *plan;
    const struct lower_target target = { .type = FUSED_F16,
                                         .channel_block = 8,
                                         .ordered = true,
                                         .keep_weights = keep_no_weights };
    MUST(model_config_read(&config, "configs/models", model, &err));
    MUST(model_build(&built, &config, (int[]){ 3, h, w }, &err));
    MUST(weights_load(&seeded, built, "seeded", &err));
    MUST(rewrite_all(&g, &weights, built, &seeded, &err));
    MUST(lower_graph(&plan, g, &weights, &target, &err));
    weights_free(&weights);
    weights_free(&seeded);
    graph_free(g);
    graph_free(built);
    return plan;
}

/* A step of a network at a size: sides of its buffers times `scale`, which the networks' sizes allow. */
struct layer {
    const char *model;
    const struct plan *plan;
    const struct step *step;
    int scale_h, scale_w;
};

/* All steps of the four networks for inputs of 256x256, 512x512, 768x256 and 1024x1024, each to visit. */
static inline void layers_each(void (*visit)(const struct layer *layer, void *context), void *context)
{
    static const char *const models[] = { "hrnet", "resunet_small", "resunet_advanced",
                                          "resunet_advanced_20" };
    static const int scales[][2] = { { 1, 1 }, { 2, 2 }, { 3, 1 }, { 4, 4 } };
    for (size_t m = 0; m < LEN(models); m++) {
        struct plan *plan = layers_plan(models[m], 256, 256);
        for (size_t s = 0; s < LEN(scales); s++)
            for (int i = 0; i < plan->step_count; i++) {
                struct layer l = { models[m], plan, &plan->steps[i], scales[s][0], scales[s][1] };
                visit(&l, context);
            }
        plan_free(plan);
    }
}

/* Buffer `id` of the layer as a view for `n` images; data is not NULL where there is one, and must not be
 * used. */
static inline struct fused_view layer_view(const struct layer *l, int id, int n)
{
    struct fused_view v = { .data = NULL };
    if (id == PLAN_NONE)
        return v;
    const struct buffer *b = &l->plan->buffers[id];
    v = (struct fused_view){ .data = l->plan->buffers, .type = l->plan->type, .n = n, .h = b->h * l->scale_h,
                             .w = b->w * l->scale_w, .c = b->c, .stride = b->c };
    v.stride = b->parent == PLAN_NONE ? b->c : l->plan->buffers[b->parent].c;
    return v;
}

/* Not NULL where there is such a buffer; must not be used. */
static inline float *layer_floats(const struct layer *l, int id)
{
    return id == PLAN_NONE ? NULL : (float *)(void *)l->plan->buffers;
}

#endif
