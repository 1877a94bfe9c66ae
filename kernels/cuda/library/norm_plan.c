#include "kernels/cuda/library/norm_plan.h"

#include <stdint.h>
#include <stdlib.h>

#include "kernels/cuda/library/cudnn_graph.h"
#include "kernels/lower/fused.h"

/* Names of the tensors in a graph and in its runs. */
enum { ID_SRC = 1, ID_GAMMA, ID_BETA, ID_EPSILON, ID_RESIDUAL, ID_DST, ID_NORMED, ID_SUMMED };
#define RUN_IDS_MAX 6

/* --- the graph ---------------------------------------------------------------------------------------- */
/* Pixels `stride` apart (0: dense). */
static struct graph_tensor images(const struct norm_want *want, int64_t id, int stride)
{
    return graph_images(id, graph_storage(want->math), want->n, want->c, want->h, want->w, stride);
}

/* What lies between two operations is never stored, and so is not rounded. */
static cudnnBackendDescriptor_t add_between(struct graph_draft *draft, const struct norm_want *want, int64_t id)
{
    struct graph_tensor t = images(want, id, 0);
    t.type = CUDNN_DATA_FLOAT;
    t.is_virtual = true;
    return graph_tensor_add(draft, &t);
}

static cudnnBackendDescriptor_t add_row(struct graph_draft *draft, int64_t id, int64_t channels)
{
    const struct graph_tensor t = graph_images(id, CUDNN_DATA_FLOAT, 1, channels, 1, 1, 0);
    return graph_tensor_add(draft, &t);
}

static cudnnBackendDescriptor_t add_epsilon(struct graph_draft *draft)
{
    struct graph_tensor t = graph_images(ID_EPSILON, CUDNN_DATA_FLOAT, 1, 1, 1, 1, 0);
    t.by_value = true;
    return graph_tensor_add(draft, &t);
}

static void draft_graph(struct graph_draft *draft, const struct norm_want *want)
{
    const struct graph_tensor src = images(want, ID_SRC, 0), dst = images(want, ID_DST, want->dst_stride);
    const struct graph_tensor residual = images(want, ID_RESIDUAL, want->residual_stride);
    cudnnBackendDescriptor_t x = graph_tensor_add(draft, &src), y = graph_tensor_add(draft, &dst);
    cudnnBackendDescriptor_t gamma = add_row(draft, ID_GAMMA, want->c), beta = add_row(draft, ID_BETA, want->c);
    bool last = !want->residual && !want->relu;
    cudnnBackendDescriptor_t normed = last ? y : add_between(draft, want, ID_NORMED);
    graph_instance_norm(draft, x, gamma, beta, add_epsilon(draft), normed);
    if (want->residual) {
        cudnnBackendDescriptor_t summed = want->relu ? add_between(draft, want, ID_SUMMED) : y;
        graph_pointwise(draft, CUDNN_POINTWISE_ADD, normed, graph_tensor_add(draft, &residual), summed);
        normed = summed;
    }
    if (want->relu)
        graph_pointwise(draft, CUDNN_POINTWISE_RELU_FWD, normed, NULL, y);
}

/* --- plans -------------------------------------------------------------------------------------------- */
enum status norm_plan_list(struct graph_plan ***plans, size_t *count, const struct gpu_libraries *libraries,
                           const struct norm_want *want, size_t most, size_t cap, struct graph_seen *seen,
                           struct err *err)
{
    *plans = NULL;
    *count = 0;
    struct graph_draft draft;
    struct graph_plan *found = NULL;
    size_t found_count = 0;
    graph_draft_begin(&draft, libraries, err);
    draft_graph(&draft, want);
    enum status st = graph_plans(&found, &found_count, &draft, want->math, most, cap, seen, want->patience, err);
    graph_draft_end(&draft);
    if (st != ST_OK)
        return st;
    st = graph_plans_apart(plans, found, found_count, err);
    *count = st == ST_OK ? found_count : 0;
    return st;
}

enum status norm_plan_run(const struct graph_plan *plan, const struct norm_buffers *b, struct CUstream_st *stream,
                          struct err *err)
{
    float epsilon = FUSED_NORM_EPS;
    const struct { int64_t id; const void *at; } rows[RUN_IDS_MAX] = {
        { ID_SRC, b->src }, { ID_GAMMA, b->gamma }, { ID_BETA, b->beta }, { ID_EPSILON, &epsilon }, { ID_DST, b->dst },
        { ID_RESIDUAL, b->residual },
    };
    int64_t ids[RUN_IDS_MAX];
    void *pointers[RUN_IDS_MAX];
    size_t count = 0;
    for (int row = 0; row < RUN_IDS_MAX; row++)
        if (rows[row].at) {
            ids[count] = rows[row].id;
            pointers[count++] = (void *)(uintptr_t)rows[row].at; /* the graph knows what it only reads */
        }
    return graph_plan_run(plan, count, ids, pointers, b->workspace, stream, err);
}
