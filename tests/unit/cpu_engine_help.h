/* cpu_engine_help.h - a graph through lowering and execution, beside the reference, for tests of the CPU engine.
 * What net_new gives, net_free takes; what net_run and net_reference give, free() takes. */
#ifndef TESTS_CPU_ENGINE_HELP_H
#define TESTS_CPU_ENGINE_HELP_H

#include <math.h>
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/base/image.h"
#include "kernels/cpu/exec.h"
#include "kernels/lower/lower.h"
#include "kernels/graph/rewrite.h"
#include "kernels/models/models.h"
#include "kernels/reference/reference.h"

#define LEN(rows) (sizeof(rows) / sizeof *(rows))
#define MUST(call) do { if ((call) != ST_OK) fail_msg("%s", err.text); } while (0)

struct net {
    struct graph *g;
    struct weights w;
    struct compat *compat;
};

static inline struct net net_of_graph(struct graph *g, int output, const char *set)
{
    struct err err = { .status = ST_OK };
    struct net net = { .g = g };
    MUST(graph_finish(g, output, &err));
    MUST(weights_load(&net.w, g, set, &err));
    MUST(compat_open(&net.compat, &err));
    return net;
}

static inline struct net net_of_model(const struct model_config *config, int h, int w, const char *set,
                                      const char *until)
{
    struct err err = { .status = ST_OK };
    struct net net = { .g = NULL };
    MUST(model_build(&net.g, config, (int[]){ 3, h, w }, &err));
    MUST(weights_load(&net.w, net.g, set, &err));
    if (*until)
        MUST(graph_cut(net.g, until, &err));
    MUST(compat_open(&net.compat, &err));
    return net;
}

static inline void net_free(struct net *net)
{
    weights_free(&net->w);
    graph_free(net->g);
    compat_close(net->compat);
}

static inline size_t values_of(const struct node *n) { return (size_t)n->c * (size_t)n->h * (size_t)n->w; }

/* Input images number 1 .. count, one after another. */
static inline float *images_new(const struct net *net, int count)
{
    const struct node *in = &net->g->nodes[0];
    float *images = malloc(values_of(in) * (size_t)count * sizeof *images);
    assert_non_null(images);
    for (int i = 0; i < count; i++)
        image_make(images + (size_t)i * values_of(in), (uint32_t)i + 1, in->c, in->h, in->w);
    return images;
}

struct how {
    enum fused_type type;
    enum cpu_isa isa;
    int batch;
    bool as_built; /* without the rewrites */
};

/* (batch, C, H, W) of the output. The second run of an execution must repeat the first. */
static inline float *net_run(const struct net *net, const float *images, struct how how)
{
    struct err err = { .status = ST_OK };
    struct graph *g = NULL;
    struct weights w = { .data = NULL };
    struct plan *plan;
    struct packing *packing = packing_new(net->compat);
    const struct lower_target target = packing_target(packing, how.type);
    struct exec *exec;
    const float *each[16];
    assert_true(how.batch <= (int)LEN(each));
    MUST(rewrite_some(&g, &w, net->g, &net->w, how.as_built ? 0 : REWRITE_ALL, &err));
    MUST(lower_graph(&plan, g, &w, &target, &err));
    weights_free(&w);
    MUST(exec_new(&exec, plan, packing, how.batch, fused_kernels(how.isa), &err));
    for (int i = 0; i < how.batch; i++)
        each[i] = images + (size_t)i * values_of(&net->g->nodes[0]);
    size_t bytes = (size_t)how.batch * values_of(&net->g->nodes[net->g->output]) * sizeof(float);
    float *out = malloc(bytes);
    assert_non_null(out);
    MUST(exec_run(exec, each, &err));
    memcpy(out, exec_output(exec), bytes);
    MUST(exec_run(exec, each, &err));
    assert_memory_equal(out, exec_output(exec), bytes);
    exec_free(exec);
    plan_free(plan);
    packing_free(packing);
    graph_free(g);
    return out;
}

static inline double *net_reference(const struct net *net, const float *images, int batch)
{
    struct err err = { .status = ST_OK };
    double *out = malloc((size_t)batch * values_of(&net->g->nodes[net->g->output]) * sizeof *out);
    assert_non_null(out);
    MUST(reference_run(out, net->g, &net->w, images, batch, &err));
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

/* The network on `batch` images against the reference. */
static inline double net_deviation(const struct net *net, struct how how)
{
    float *images = images_new(net, how.batch);
    double *want = net_reference(net, images, how.batch);
    float *got = net_run(net, images, how);
    double d = relative_l2(got, want, (size_t)how.batch * values_of(&net->g->nodes[net->g->output]));
    free(got);
    free(want);
    free(images);
    return d;
}

#endif
