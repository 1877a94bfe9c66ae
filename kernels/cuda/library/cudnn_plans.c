/* The plans that the heuristics give for an operation graph: the third part of cudnn_graph.h. */
#include <stdlib.h>

#include "kernels/cuda/library/cudnn_graph.h"

#define REASONS_MAX 700     /* of the library's chain: the sentence has ERR_TEXT_MAX */

/* --- from a graph to configurations ------------------------------------------------------------------- */
static enum status make_graph(const struct cudnn_api *api, cudnnBackendDescriptor_t *out,
                              const struct graph_draft *draft, struct err *err)
{
    enum status st = cudnn_create(api, out, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR, err);
    if (st == ST_OK)
        st = cudnn_set(api, *out, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                       draft->operation_count, draft->operations, err);
    if (st == ST_OK)
        st = cudnn_finalize(api, *out, "the operation graph", err);
    return st;
}

/* Configurations that one mode of the heuristics gives; all of them are to be destroyed. */
struct configs {
    cudnnBackendDescriptor_t *list;
    int64_t count;
};

static void configs_clear(const struct cudnn_api *api, struct configs *configs)
{
    for (int64_t i = 0; i < configs->count; i++)
        cudnn_destroy(api, configs->list[i]);
    free(configs->list);
    *configs = (struct configs){ 0 };
}

static enum status get_configs(const struct cudnn_api *api, struct configs *out,
                               cudnnBackendDescriptor_t heuristics, struct err *err)
{
    int64_t count = 0;
    enum status st = cudnn_get(api, heuristics, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                               0, &count, NULL, err);
    if (st != ST_OK || count <= 0)
        return st;
    out->list = calloc((size_t)count, sizeof *out->list);
    if (!out->list)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory for %lld engine configurations", (long long)count);
    for (; st == ST_OK && out->count < count; out->count += st == ST_OK)
        st = cudnn_create(api, &out->list[out->count], CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, err);
    int64_t filled = 0;
    if (st == ST_OK)
        st = cudnn_get(api, heuristics, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, count,
                       &filled, out->list, err);
    while (out->count > filled) /* fewer than announced: the rest was never filled */
        cudnn_destroy(api, out->list[--out->count]);
    return st;
}

static enum status ask_heuristics(const struct gpu_libraries *l, struct configs *out,
                                  cudnnBackendDescriptor_t graph, cudnnBackendHeurMode_t mode,
                                  struct err *err)
{
    const struct cudnn_api *api = &l->cudnn;
    cudnnBackendDescriptor_t heuristics = NULL;
    enum status st = cudnn_create(api, &heuristics, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, err);
    if (st == ST_OK)
        st = cudnn_set(api, heuristics, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                       1, &graph, err);
    if (st == ST_OK)
        st = cudnn_set(api, heuristics, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode, err);
    if (st == ST_OK)
        st = cudnn_set(api, heuristics, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1,
                       &l->device, err);
    if (st == ST_OK)
        st = cudnn_finalize(api, heuristics, "the heuristics", err);
    if (st == ST_OK)
        st = get_configs(api, out, heuristics, err);
    cudnn_destroy(api, heuristics);
    return st;
}

/* --- the list of plans -------------------------------------------------------------------------------- */
struct collection {
    struct graph_plan *plans;
    size_t count, most, cap;
    enum gpu_math math;
    const struct patience *patience;
    bool late;                  /* patience is over: nothing more is built */
    struct graph_seen seen;
    struct err first;           /* of the first configuration that failed; status ST_OK: none yet */
    struct err last;            /* what ended the collection */
};

/* Keeps the first failure for the message. Want of memory is no configuration's fault and ends the
 * collection. */
static enum status ends(struct collection *c, enum status st, const struct err *err)
{
    if (st != ST_OK && c->first.status == ST_OK)
        c->first = *err;
    if (st != ST_OUT_OF_MEMORY)
        return ST_OK;
    c->last = *err;
    return st;
}

/* A configuration that cannot be built is dropped. */
static enum status consider(struct collection *c, const struct gpu_libraries *l,
                            cudnnBackendDescriptor_t config, bool fallback)
{
    struct graph_plan plan = { .libraries = l, .fallback = fallback };
    struct err err = { 0 };
    enum status st = graph_plan_read_engine(&plan, config, &err);
    if (st == ST_OK && !graph_numerics_allowed(plan.numerics, c->math)) {
        c->seen.refused_by_notes++;
        return ST_OK;
    }
    c->late = st == ST_OK && !patience_left(c->patience, c->count);
    if (c->late) {
        graph_plan_clear(&plan);
        return ST_OK;
    }
    if (st == ST_OK)
        st = graph_plan_build(&plan, config, &err);
    if (st == ST_OK && plan.workspace <= c->cap) {
        c->plans[c->count++] = plan;
        return ST_OK;
    }
    if (st == ST_OK)
        c->seen.refused_by_workspace++;
    else
        c->seen.failed++;
    graph_plan_clear(&plan);
    return ends(c, st, &err);
}

static enum status collect(struct collection *c, const struct gpu_libraries *l,
                           cudnnBackendDescriptor_t graph, cudnnBackendHeurMode_t mode)
{
    struct configs configs = { 0 };
    struct err err = { 0 };
    enum status asked = ask_heuristics(l, &configs, graph, mode, &err), st = ends(c, asked, &err);
    c->seen.listed += (int)configs.count;
    for (int64_t i = 0; asked == ST_OK && st == ST_OK && i < configs.count && c->count < c->most &&
                        !c->late; i++)
        st = consider(c, l, configs.list[i], mode == CUDNN_HEUR_MODE_FALLBACK);
    configs_clear(&l->cudnn, &configs);
    return st;
}

/* Where not one configuration was listed no call failed: the library still knows why. A failure that is no
 * "cannot do that" (a lost device makes every plan fail) stays what it is, with its number. */
static enum status nothing_left(const struct collection *c, const struct cudnn_api *api, struct err *err)
{
    const struct graph_seen *s = &c->seen;
    char reasons[REASONS_MAX] = "";
    if (c->first.status != ST_OK && c->first.status != ST_UNSUPPORTED) {
        if (err)
            *err = c->first;
        return c->first.status;
    }
    if (c->first.status == ST_OK && s->listed == 0) {
        api->cudnnGetLastErrorString(reasons, sizeof reasons);
        reasons[sizeof reasons - 1] = 0;
    }
    const char *why = c->first.status != ST_OK ? c->first.text : reasons;
    return err_set(err, ST_UNSUPPORTED,
                   "no plan of cuDNN: %d configurations, %d refused for their arithmetic, %d for "
                   "more than %zu bytes of workspace, %d failed%s%s",
                   s->listed, s->refused_by_notes, s->refused_by_workspace, c->cap, s->failed,
                   *why ? ": " : "", why);
}

enum status graph_plans(struct graph_plan **plans, size_t *count, struct graph_draft *draft,
                        enum gpu_math math, size_t most, size_t cap, struct graph_seen *seen,
                        const struct patience *patience, struct err *err)
{
    *plans = NULL;
    *count = 0;
    if (draft->status != ST_OK)
        return draft->status;
    const struct gpu_libraries *l = draft->libraries;
    struct collection c = { .most = most, .cap = cap, .math = math, .patience = patience };
    c.plans = calloc(most ? most : 1, sizeof *c.plans);
    if (!c.plans)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory for %zu plans", most);
    cudnnBackendDescriptor_t graph = NULL;
    enum status st = make_graph(&l->cudnn, &graph, draft, err);
    if (st == ST_OK) {
        st = collect(&c, l, graph, CUDNN_HEUR_MODE_A);
        if (st == ST_OK && c.count == 0 && !c.late)
            st = collect(&c, l, graph, CUDNN_HEUR_MODE_FALLBACK);
        if (st == ST_OK && c.count == 0)
            st = nothing_left(&c, &l->cudnn, err);
        else if (st != ST_OK && err)
            *err = c.last;
    }
    cudnn_destroy(&l->cudnn, graph);
    if (seen)
        *seen = c.seen;
    if (st == ST_OK) {
        *plans = c.plans;
        *count = c.count;
        return ST_OK;
    }
    while (c.count > 0)
        graph_plan_clear(&c.plans[--c.count]);
    free(c.plans);
    return st;
}
