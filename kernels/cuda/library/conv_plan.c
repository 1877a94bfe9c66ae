#include "kernels/cuda/library/conv_plan.h"

#include <stdlib.h>
#include <string.h>

#define ELEMENTS_MAX INT64_C(2147483647)    /* of one tensor: beyond, engines vanish or count wrongly */

/* Names of the tensors in a graph and in its runs. */
enum { ID_SRC = 1, ID_WEIGHTS, ID_BIAS, ID_SCALE, ID_SHIFT, ID_DST, ID_SUM, ID_SQUARE,
       ID_SCALED, ID_SHIFTED, ID_POSITIVE, ID_PRODUCT };
#define RUN_IDS_MAX 8

struct conv_plan {
    struct conv_want want;
    struct conv_groups groups;
    struct graph_plan graph;
};

static int64_t src_stride(const struct conv_want *want)
{
    return want->src_stride ? want->src_stride : want->shape.c;
}

static int64_t dst_stride(const struct conv_want *want)
{
    return want->dst_stride ? want->dst_stride : want->shape.k;
}

static int64_t src_image(const struct conv_want *want)  /* elements from image to image */
{
    return src_stride(want) * want->shape.h * want->shape.w;
}

static int64_t dst_image(const struct conv_want *want)
{
    return dst_stride(want) * want->shape.out_h * want->shape.out_w;
}

static int64_t element_bytes(const struct conv_want *want)
{
    return want->math == GPU_F16 || want->math == GPU_BF16 ? 2 : 4;
}

struct conv_groups conv_plan_groups(const struct conv_want *want)
{
    int n = want->shape.n;
    if (want->prologue || want->stats)
        return (struct conv_groups){ .images = 1, .launches = n };
    int64_t image = src_image(want) > dst_image(want) ? src_image(want) : dst_image(want);
    int64_t fit = ELEMENTS_MAX / image;
    if (fit >= n)
        return (struct conv_groups){ .images = n, .launches = 1 };
    if (fit < 1)
        fit = 1;
    int launches = (int)((n + fit - 1) / fit);
    return (struct conv_groups){ .images = (n + launches - 1) / launches, .launches = launches };
}

int conv_plan_first_image(const struct conv_groups *groups, int n, int i)
{
    int first = i * groups->images;
    return first + groups->images <= n ? first : n - groups->images;
}

/* --- the graph ---------------------------------------------------------------------------------------- */
static cudnnBackendDescriptor_t add_images(struct graph_draft *draft, int64_t id, cudnnDataType_t type,
                                           bool is_virtual, const int64_t dims[4], int64_t stride)
{
    struct graph_tensor t = graph_images(id, type, dims[0], dims[1], dims[2], dims[3], stride);
    t.is_virtual = is_virtual;
    return graph_tensor_add(draft, &t);
}

/* One value per channel: [1, channels, 1, 1]. */
static cudnnBackendDescriptor_t add_row(struct graph_draft *draft, int64_t id, cudnnDataType_t type,
                                        int64_t channels)
{
    return add_images(draft, id, type, false, (int64_t[4]){ 1, channels, 1, 1 }, 0);
}

/* relu(scale * src + shift) as the convolution's input, never stored. Its last tensor has the storage type:
 * then the engines that were compiled ahead take it. */
static cudnnBackendDescriptor_t add_prologue(struct graph_draft *draft, cudnnBackendDescriptor_t src,
                                             const int64_t dims[4], cudnnDataType_t type)
{
    cudnnBackendDescriptor_t scaled = add_images(draft, ID_SCALED, CUDNN_DATA_FLOAT, true, dims, 0);
    cudnnBackendDescriptor_t shifted = add_images(draft, ID_SHIFTED, CUDNN_DATA_FLOAT, true, dims, 0);
    cudnnBackendDescriptor_t positive = add_images(draft, ID_POSITIVE, type, true, dims, 0);
    graph_pointwise(draft, CUDNN_POINTWISE_MUL, src, add_row(draft, ID_SCALE, type, dims[1]), scaled);
    graph_pointwise(draft, CUDNN_POINTWISE_ADD, scaled, add_row(draft, ID_SHIFT, type, dims[1]), shifted);
    graph_pointwise(draft, CUDNN_POINTWISE_RELU_FWD, shifted, NULL, positive);
    return positive;
}

/* Where pointers advance image by image, they are aligned as far as an image's bytes are. */
static int64_t image_alignment(const struct conv_want *want, int64_t image)
{
    int64_t bytes = image * element_bytes(want), alignment = 16;
    while (conv_plan_groups(want).launches > 1 && bytes % alignment)
        alignment /= 2;
    return alignment;
}

/* src or dst. */
static cudnnBackendDescriptor_t add_end(struct graph_draft *draft, int64_t id, const struct conv_want *want,
                                        const int64_t dims[4], int64_t stride)
{
    struct graph_tensor t = graph_images(id, graph_storage(want->math), dims[0], dims[1], dims[2], dims[3],
                                         stride);
    t.alignment = image_alignment(want, t.strides[0]);
    return graph_tensor_add(draft, &t);
}

static void draft_graph(struct graph_draft *draft, const struct conv_want *want, int images)
{
    const struct conv_shape *s = &want->shape;
    cudnnDataType_t type = graph_storage(want->math);
    const int64_t in[4] = { images, s->c, s->h, s->w }, out[4] = { images, s->k, s->out_h, s->out_w };
    const int64_t taps[4] = { want->transposed ? s->c : s->k, want->transposed ? s->k : s->c / s->groups,
                              s->kernel_h, s->kernel_w };
    const struct graph_window window = { { s->pad_h, s->pad_w }, { s->stride, s->stride } };
    cudnnBackendDescriptor_t src = add_end(draft, ID_SRC, want, in, src_stride(want));
    cudnnBackendDescriptor_t weights = add_images(draft, ID_WEIGHTS, type, false, taps, 0);
    cudnnBackendDescriptor_t dst = add_end(draft, ID_DST, want, out, dst_stride(want));
    if (want->prologue)
        src = add_prologue(draft, src, in, type);
    cudnnBackendDescriptor_t product =
        s->bias ? add_images(draft, ID_PRODUCT, CUDNN_DATA_FLOAT, true, out, 0) : dst;
    (want->transposed ? graph_convolution_back : graph_convolution)(draft, &window, src, weights, product);
    if (s->bias)
        graph_pointwise(draft, CUDNN_POINTWISE_ADD, product, add_row(draft, ID_BIAS, type, s->k), dst);
    if (want->stats)
        graph_gen_stats(draft, dst, add_row(draft, ID_SUM, CUDNN_DATA_FLOAT, s->k),
                        add_row(draft, ID_SQUARE, CUDNN_DATA_FLOAT, s->k));
}

/* --- plans -------------------------------------------------------------------------------------------- */
/* Wraps each plan; on failure those that are not wrapped yet stay the caller's. */
static enum status wrap(struct conv_plan **out, const struct conv_want *want, struct graph_plan *graph,
                        struct err *err)
{
    struct conv_plan *plan = calloc(1, sizeof *plan);
    if (!plan)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory for a convolution's plan");
    *plan = (struct conv_plan){ .want = *want, .groups = conv_plan_groups(want), .graph = *graph };
    *graph = (struct graph_plan){ 0 };
    *out = plan;
    return ST_OK;
}

static enum status wrap_all(struct conv_plan ***out, const struct conv_want *want, struct graph_plan *graphs,
                            size_t count, struct err *err)
{
    struct conv_plan **plans = calloc(count, sizeof *plans);
    enum status st = plans ? ST_OK : err_set(err, ST_OUT_OF_MEMORY, "no memory for %zu plans", count);
    for (size_t i = 0; st == ST_OK && i < count; i++)
        st = wrap(&plans[i], want, &graphs[i], err);
    for (size_t i = 0; i < count; i++)
        graph_plan_clear(&graphs[i]); /* empty where it was wrapped */
    if (st == ST_OK) {
        *out = plans;
        return ST_OK;
    }
    for (size_t i = 0; plans && i < count; i++)
        conv_plan_free(plans[i]);
    free(plans);
    return st;
}

enum status conv_plan_list(struct conv_plan ***plans, size_t *count, const struct gpu_libraries *libraries,
                           const struct conv_want *want, size_t most, size_t cap, struct graph_seen *seen,
                           struct err *err)
{
    *plans = NULL;
    *count = 0;
    struct graph_draft draft;
    struct graph_plan *graphs = NULL;
    size_t found = 0;
    graph_draft_begin(&draft, libraries, err);
    draft_graph(&draft, want, conv_plan_groups(want).images);
    enum status st = graph_plans(&graphs, &found, &draft, want->math, most, cap, seen, want->patience, err);
    graph_draft_end(&draft);
    if (st != ST_OK)
        return st;
    st = wrap_all(plans, want, graphs, found, err);
    free(graphs);
    *count = st == ST_OK ? found : 0;
    return st;
}

void conv_plan_free(struct conv_plan *plan)
{
    if (!plan)
        return;
    graph_plan_clear(&plan->graph);
    free(plan);
}

size_t conv_plan_workspace(const struct conv_plan *plan)
{
    return plan->graph.workspace;
}

int conv_plan_launches(const struct conv_plan *plan)
{
    return plan->groups.launches;
}

const struct graph_plan *conv_plan_graph(const struct conv_plan *plan)
{
    return &plan->graph;
}

void conv_plan_name(const struct conv_plan *plan, char *text, size_t size)
{
    graph_plan_name(&plan->graph, text, size);
}

/* --- running ------------------------------------------------------------------------------------------ */
static const void *at(const void *start, int64_t elements, int64_t bytes)
{
    return start ? (const char *)start + elements * bytes : NULL;
}

enum status conv_plan_run(const struct conv_plan *plan, const struct conv_buffers *b,
                          struct CUstream_st *stream, struct err *err)
{
    const struct conv_want *want = &plan->want;
    const int64_t bytes = element_bytes(want), f32 = sizeof(float);
    for (int i = 0; i < plan->groups.launches; i++) {
        int64_t image = conv_plan_first_image(&plan->groups, want->shape.n, i);
        const struct { int64_t id; const void *start; bool used; } rows[RUN_IDS_MAX] = {
            { ID_SRC, at(b->src, image * src_image(want), bytes), true },
            { ID_WEIGHTS, b->weights, true },
            { ID_DST, at(b->dst, image * dst_image(want), bytes), true },
            { ID_BIAS, b->bias, want->shape.bias },
            { ID_SCALE, at(b->scale, image * want->shape.c, bytes), want->prologue },
            { ID_SHIFT, at(b->shift, image * want->shape.c, bytes), want->prologue },
            { ID_SUM, at(b->sum, image * want->shape.k, f32), want->stats },
            { ID_SQUARE, at(b->square, image * want->shape.k, f32), want->stats },
        };
        int64_t ids[RUN_IDS_MAX];
        void *pointers[RUN_IDS_MAX];
        size_t count = 0;
        for (int row = 0; row < RUN_IDS_MAX; row++)
            if (rows[row].used) {
                ids[count] = rows[row].id;
                pointers[count++] = (void *)(uintptr_t)rows[row].start; /* src is only read */
            }
        enum status st = graph_plan_run(&plan->graph, count, ids, pointers, b->workspace, stream, err);
        if (st != ST_OK)
            return st;
    }
    return ST_OK;
}

/* --- to and from text --------------------------------------------------------------------------------- */
char *conv_plan_save(const struct conv_plan *plan, struct err *err)
{
    return graph_plan_save(&plan->graph, err);
}

enum status conv_plan_load(struct conv_plan **out, const struct gpu_libraries *libraries,
                           const struct conv_want *want, const char *text, size_t size, struct err *err)
{
    *out = NULL;
    struct graph_plan graph;
    enum status st = graph_plan_load(&graph, libraries, text, size, err);
    if (st == ST_OK)
        st = wrap(out, want, &graph, err);
    if (st != ST_OK)
        graph_plan_clear(&graph);
    return st;
}

/* Sums of an f32 convolution: every engine for it is compiled when it is built. */
bool conv_plan_runtime_works(const struct gpu_libraries *libraries, struct err *err)
{
    const struct conv_want want = {
        .shape = { .n = 1, .h = 8, .w = 8, .c = 8, .k = 8, .out_h = 8, .out_w = 8, .kernel_h = 1,
                   .kernel_w = 1, .stride = 1, .groups = 1, .type = FUSED_F32 },
        .math = GPU_TF32, .stats = true,
    };
    struct conv_plan **plans = NULL;
    size_t count = 0;
    bool works = conv_plan_list(&plans, &count, libraries, &want, 1, SIZE_MAX, NULL, err) == ST_OK;
    for (size_t i = 0; i < count; i++)
        conv_plan_free(plans[i]);
    free(plans);
    return works;
}
