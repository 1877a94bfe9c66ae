#include "kernels/cuda/library/sdpa_plan.h"

#include <math.h>
#include <stdlib.h>

#include "kernels/base/len.h"

enum { ID_QUERY = 1, ID_KEY, ID_VALUE, ID_DST, ID_SCALE };

struct sdpa_plan {
    struct sdpa_want want;
    struct graph_plan graph;
};

/* (n, heads, tokens, depth) inside rows of `row` elements, one row per token. */
static cudnnBackendDescriptor_t add_heads(struct graph_draft *draft, int64_t id, const struct sdpa_want *want,
                                          int64_t row)
{
    const struct graph_tensor t = {
        .id = id, .type = graph_storage(want->math),
        .dims = { want->n, want->heads, want->tokens, want->depth },
        .strides = { want->tokens * row, want->depth, row, 1 },
    };
    return graph_tensor_add(draft, &t);
}

static void draft_graph(struct graph_draft *draft, const struct sdpa_want *want)
{
    const int64_t all = (int64_t)want->heads * want->depth;
    const struct graph_tensor scale = { .id = ID_SCALE, .type = CUDNN_DATA_FLOAT, .dims = { 1, 1, 1, 1 },
                                        .strides = { 1, 1, 1, 1 }, .by_value = true };
    cudnnBackendDescriptor_t query = add_heads(draft, ID_QUERY, want, 3 * all);
    cudnnBackendDescriptor_t key = add_heads(draft, ID_KEY, want, 3 * all);
    cudnnBackendDescriptor_t value = add_heads(draft, ID_VALUE, want, 3 * all);
    cudnnBackendDescriptor_t dst = add_heads(draft, ID_DST, want, all);
    graph_sdpa(draft, query, key, value, dst, graph_tensor_add(draft, &scale));
}

/* The plan takes the graph's plan over; on failure that is cleared. */
static struct sdpa_plan *wrap(const struct sdpa_want *want, struct graph_plan *graph, struct err *err)
{
    struct sdpa_plan *plan = calloc(1, sizeof *plan);
    if (plan)
        *plan = (struct sdpa_plan){ .want = *want, .graph = *graph };
    else {
        err_set(err, ST_OUT_OF_MEMORY, "no memory for an attention's plan");
        graph_plan_clear(graph);
    }
    return plan;
}

static enum status wrap_all(struct sdpa_plan ***out, const struct sdpa_want *want, struct graph_plan *graphs,
                            size_t count, struct err *err)
{
    bool whole = true;
    struct sdpa_plan **plans = calloc(count, sizeof *plans);
    if (!plans) {
        for (size_t i = 0; i < count; i++)
            graph_plan_clear(&graphs[i]);
        return err_set(err, ST_OUT_OF_MEMORY, "no memory for %zu plans", count);
    }
    for (size_t i = 0; i < count; i++)
        whole = (plans[i] = wrap(want, &graphs[i], err)) && whole;
    if (whole) {
        *out = plans;
        return ST_OK;
    }
    for (size_t i = 0; i < count; i++)
        sdpa_plan_free(plans[i]);
    free(plans);
    return ST_OUT_OF_MEMORY;
}

enum status sdpa_plan_list(struct sdpa_plan ***plans, size_t *count, const struct gpu_libraries *libraries,
                           const struct sdpa_want *want, size_t most, size_t cap, struct graph_seen *seen,
                           struct err *err)
{
    *plans = NULL;
    *count = 0;
    if (want->math != GPU_F16 && want->math != GPU_BF16)
        return err_set(err, ST_UNSUPPORTED, "cuDNN has attention in f16 and bf16 only");
    struct graph_draft draft;
    struct graph_plan *graphs = NULL;
    size_t found = 0;
    graph_draft_begin(&draft, libraries, err);
    draft_graph(&draft, want);
    enum status st = graph_plans(&graphs, &found, &draft, want->math, most, cap, seen, NULL, err);
    graph_draft_end(&draft);
    if (st != ST_OK)
        return st;
    st = wrap_all(plans, want, graphs, found, err);
    free(graphs);
    *count = st == ST_OK ? found : 0;
    return st;
}

void sdpa_plan_free(struct sdpa_plan *plan)
{
    if (!plan)
        return;
    graph_plan_clear(&plan->graph);
    free(plan);
}

size_t sdpa_plan_workspace(const struct sdpa_plan *plan)
{
    return plan->graph.workspace;
}

const struct graph_plan *sdpa_plan_graph(const struct sdpa_plan *plan)
{
    return &plan->graph;
}

void sdpa_plan_name(const struct sdpa_plan *plan, char *text, size_t size)
{
    graph_plan_name(&plan->graph, text, size);
}

enum status sdpa_plan_run(const struct sdpa_plan *plan, const void *src, void *dst, void *workspace,
                          struct CUstream_st *stream, struct err *err)
{
    const struct sdpa_want *want = &plan->want;
    const size_t part = (size_t)want->heads * (size_t)want->depth * 2; /* bytes of one token's Q, K or V */
    float scale = 1 / sqrtf((float)want->depth);
    char *query = (char *)(uintptr_t)src; /* the graph knows what it only reads */
    const int64_t ids[] = { ID_QUERY, ID_KEY, ID_VALUE, ID_DST, ID_SCALE };
    void *const pointers[] = { query, query + part, query + 2 * part, dst, &scale };
    return graph_plan_run(&plan->graph, LEN(ids), ids, pointers, workspace, stream, err);
}

char *sdpa_plan_save(const struct sdpa_plan *plan, struct err *err)
{
    return graph_plan_save(&plan->graph, err);
}

enum status sdpa_plan_load(struct sdpa_plan **out, const struct gpu_libraries *libraries,
                           const struct sdpa_want *want, const char *text, size_t size, struct err *err)
{
    struct graph_plan graph;
    *out = NULL;
    enum status st = graph_plan_load(&graph, libraries, text, size, err);
    if (st != ST_OK)
        return st;
    *out = wrap(want, &graph, err);
    return *out ? ST_OK : ST_OUT_OF_MEMORY;
}
