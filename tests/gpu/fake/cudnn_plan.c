/* cudnn_plan.c - from operations to programs, and the engines that the heuristics list for them: one that is
 * not deterministic comes first, one fails when it is built, one wants a workspace beyond every cap, and
 * those that remain differ in arithmetic and workspace as the real ones do. Groups have an engine only in
 * the fallback list. A norm, alone or with a sum and a relu behind it, has engines of its own, and only where its channels
 * are a multiple of 8. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/len.h"
#include "tests/gpu/fake/cudnn_inside.h"
#include "tests/gpu/fake/enqueue.h"

/* --- from descriptors to a program ---------------------------------------------------------------------- */
static int64_t one(const struct descriptor *d, cudnnBackendAttributeName_t name)
{
    const int64_t *value = attribute_get(d, name, NULL);
    return value ? *value : 0;
}

static int word(const struct descriptor *d, cudnnBackendAttributeName_t name)
{
    const int *value = attribute_get(d, name, NULL);
    return value ? *value : 0;
}

static bool yes(const struct descriptor *d, cudnnBackendAttributeName_t name)
{
    const bool *value = attribute_get(d, name, NULL);
    return value && *value;
}

static struct tensor read_tensor(const struct descriptor *d)
{
    struct tensor t = { .id = one(d, CUDNN_ATTR_TENSOR_UNIQUE_ID),
                        .alignment = one(d, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT),
                        .type = word(d, CUDNN_ATTR_TENSOR_DATA_TYPE),
                        .is_virtual = yes(d, CUDNN_ATTR_TENSOR_IS_VIRTUAL),
                        .by_value = yes(d, CUDNN_ATTR_TENSOR_IS_BY_VALUE) };
    memcpy(t.dims, attribute_get(d, CUDNN_ATTR_TENSOR_DIMENSIONS, NULL), sizeof t.dims);
    memcpy(t.strides, attribute_get(d, CUDNN_ATTR_TENSOR_STRIDES, NULL), sizeof t.strides);
    return t;
}

/* The tensor's index; -1: no such attribute, -2: not a tensor, too many, or two tensors of one id. */
static int32_t add_tensor(struct program *p, const struct descriptor *operation,
                          cudnnBackendAttributeName_t name)
{
    const struct descriptor *d = attribute_child(operation, name, 0);
    if (!d)
        return -1;
    if (d->type != CUDNN_BACKEND_TENSOR_DESCRIPTOR)
        return -2;
    struct tensor t = read_tensor(d);
    for (int32_t i = 0; i < p->tensor_count; i++)
        if (p->tensors[i].id == t.id)
            return memcmp(&p->tensors[i], &t, sizeof t) == 0 ? i : -2;
    if (p->tensor_count == PROGRAM_TENSORS)
        return -2;
    p->tensors[p->tensor_count] = t;
    return p->tensor_count++;
}

/* Padding and stride of the window; x is the larger side, y what a convolution makes of it. */
static cudnnStatus_t add_window(struct step *s, const struct descriptor *c, const float *alpha, const float *beta,
                                const int64_t *x, const int64_t *w, const int64_t *y)
{
    if (c->type != CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR)
        return fail(CUDNN_STATUS_BAD_PARAM, "a convolution of no window");
    memcpy(s->pad, attribute_get(c, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, NULL), sizeof s->pad);
    memcpy(s->stride, attribute_get(c, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, NULL), sizeof s->stride);
    const int64_t *post = attribute_get(c, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, NULL);
    const int64_t *dilations = attribute_get(c, CUDNN_ATTR_CONVOLUTION_DILATIONS, NULL);
    if (*alpha != 1 || *beta != 0 || dilations[0] != 1 || dilations[1] != 1 ||
        word(c, CUDNN_ATTR_CONVOLUTION_CONV_MODE) != CUDNN_CROSS_CORRELATION ||
        word(c, CUDNN_ATTR_CONVOLUTION_COMP_TYPE) != CUDNN_DATA_FLOAT ||
        one(c, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS) != 2)
        return fail(CUDNN_STATUS_NOT_SUPPORTED, "only plain cross-correlations of two dimensions in float");
    if (x[1] % w[1] || w[0] % (x[1] / w[1]) || y[0] != x[0] || y[1] != w[0])
        return fail(CUDNN_STATUS_BAD_PARAM, "channels: x %lld, w %lld to %lld, y %lld", (long long)x[1],
                    (long long)w[1], (long long)w[0], (long long)y[1]);
    for (int i = 0; i < 2; i++)
        if (s->stride[i] < 1 || y[2 + i] != (x[2 + i] + s->pad[i] + post[i] - w[2 + i]) / s->stride[i] + 1)
            return fail(CUDNN_STATUS_BAD_PARAM, "y has %lld rows or columns of %lld", (long long)y[2 + i],
                        (long long)x[2 + i]);
    return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t add_convolution(struct program *p, struct step *s, const struct descriptor *d)
{
    const struct descriptor *c = attribute_child(d, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, 0);
    const float *alpha = attribute_get(d, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, NULL);
    const float *beta = attribute_get(d, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, NULL);
    *s = (struct step){ .kind = STEP_CONVOLUTION, .third = -1, .dst2 = -1, .scale = -1 };
    s->src = add_tensor(p, d, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X);
    s->other = add_tensor(p, d, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W);
    s->dst = add_tensor(p, d, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y);
    if (s->src < 0 || s->other < 0 || s->dst < 0)
        return fail(CUDNN_STATUS_BAD_PARAM, "a convolution without X, W, Y or with too many tensors");
    return add_window(s, c, alpha, beta, p->tensors[s->src].dims, p->tensors[s->other].dims,
                      p->tensors[s->dst].dims);
}

static cudnnStatus_t add_convolution_back(struct program *p, struct step *s, const struct descriptor *d)
{
    const struct descriptor *c = attribute_child(d, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC, 0);
    const float *alpha = attribute_get(d, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA, NULL);
    const float *beta = attribute_get(d, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA, NULL);
    *s = (struct step){ .kind = STEP_CONVOLUTION_BACK, .third = -1, .dst2 = -1, .scale = -1 };
    s->src = add_tensor(p, d, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY);
    s->other = add_tensor(p, d, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W);
    s->dst = add_tensor(p, d, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX);
    if (s->src < 0 || s->other < 0 || s->dst < 0)
        return fail(CUDNN_STATUS_BAD_PARAM, "a convolution back without DY, W, DX or with too many tensors");
    if (p->tensors[s->other].dims[1] != p->tensors[s->dst].dims[1])
        return fail(CUDNN_STATUS_NOT_SUPPORTED, "a convolution back in groups");
    return add_window(s, c, alpha, beta, p->tensors[s->dst].dims, p->tensors[s->other].dims,
                      p->tensors[s->src].dims);
}

static cudnnStatus_t add_pointwise(struct program *p, struct step *s, const struct descriptor *d)
{
    const struct descriptor *w = attribute_child(d, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, 0);
    *s = (struct step){ .kind = STEP_POINTWISE, .mode = word(w, CUDNN_ATTR_POINTWISE_MODE), .third = -1,
                        .dst2 = -1, .scale = -1 };
    s->src = add_tensor(p, d, CUDNN_ATTR_OPERATION_POINTWISE_XDESC);
    s->other = add_tensor(p, d, CUDNN_ATTR_OPERATION_POINTWISE_BDESC);
    s->dst = add_tensor(p, d, CUDNN_ATTR_OPERATION_POINTWISE_YDESC);
    bool binary = s->mode == CUDNN_POINTWISE_ADD || s->mode == CUDNN_POINTWISE_MUL;
    if (!binary && s->mode != CUDNN_POINTWISE_RELU_FWD && s->mode != CUDNN_POINTWISE_SIGMOID_FWD)
        return fail(CUDNN_STATUS_NOT_SUPPORTED, "pointwise mode %d", s->mode);
    if (s->src < 0 || s->dst < 0 || s->other < -1 || (s->other >= 0) != binary)
        return fail(CUDNN_STATUS_BAD_PARAM, "operands of pointwise mode %d", s->mode);
    for (int i = 0; i < 4; i++) {
        int64_t x = p->tensors[s->src].dims[i], y = p->tensors[s->dst].dims[i];
        int64_t b = binary ? p->tensors[s->other].dims[i] : y;
        if ((x != y && x != 1) || (b != y && b != 1))
            return fail(CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH, "dimension %d of a pointwise operation", i);
    }
    return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t add_stats(struct program *p, struct step *s, const struct descriptor *d)
{
    *s = (struct step){ .kind = STEP_STATS, .other = -1, .third = -1, .scale = -1 };
    s->src = add_tensor(p, d, CUDNN_ATTR_OPERATION_GENSTATS_XDESC);
    s->dst = add_tensor(p, d, CUDNN_ATTR_OPERATION_GENSTATS_SUMDESC);
    s->dst2 = add_tensor(p, d, CUDNN_ATTR_OPERATION_GENSTATS_SQSUMDESC);
    if (s->src < 0 || s->dst < 0 || s->dst2 < 0 ||
        word(d, CUDNN_ATTR_OPERATION_GENSTATS_MODE) != CUDNN_GENSTATS_SUM_SQSUM)
        return fail(CUDNN_STATUS_BAD_PARAM, "operands of sums");
    for (int i = 0; i < 2; i++) {
        const struct tensor *t = &p->tensors[i ? s->dst2 : s->dst];
        if (t->type != CUDNN_DATA_FLOAT || t->dims[1] != p->tensors[s->src].dims[1] ||
            t->dims[0] * t->dims[2] * t->dims[3] != 1)
            return fail(CUDNN_STATUS_NOT_SUPPORTED_SHAPE, "sums are [1, c, 1, 1] in float");
    }
    return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t add_attention(struct program *p, struct step *s, const struct descriptor *d)
{
    *s = (struct step){ .kind = STEP_ATTENTION, .dst2 = -1 };
    s->src = add_tensor(p, d, CUDNN_ATTR_OPERATION_SDPA_FWD_QDESC);
    s->other = add_tensor(p, d, CUDNN_ATTR_OPERATION_SDPA_FWD_KDESC);
    s->third = add_tensor(p, d, CUDNN_ATTR_OPERATION_SDPA_FWD_VDESC);
    s->dst = add_tensor(p, d, CUDNN_ATTR_OPERATION_SDPA_FWD_ODESC);
    s->scale = add_tensor(p, d, CUDNN_ATTR_OPERATION_SDPA_FWD_SCALEDESC);
    if (s->src < 0 || s->other < 0 || s->third < 0 || s->dst < 0 || s->scale < 0 ||
        !p->tensors[s->scale].by_value)
        return fail(CUDNN_STATUS_BAD_PARAM, "operands of attention");
    const int64_t *q = p->tensors[s->src].dims, *k = p->tensors[s->other].dims,
                  *v = p->tensors[s->third].dims;
    const int64_t *o = p->tensors[s->dst].dims;
    if (q[0] != k[0] || q[1] != k[1] || q[3] != k[3] || v[1] != k[1] || v[2] != k[2] || o[2] != q[2] ||
        o[3] != v[3])
        return fail(CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH, "shapes of attention");
    return CUDNN_STATUS_SUCCESS;
}

/* [1, c, 1, 1] in float */
static bool is_row(const struct tensor *t, int64_t c)
{
    return t->type == CUDNN_DATA_FLOAT && t->dims[1] == c && t->dims[0] * t->dims[2] * t->dims[3] == 1;
}

static cudnnStatus_t add_norm(struct program *p, struct step *s, const struct descriptor *d)
{
    *s = (struct step){ .kind = STEP_NORM, .dst2 = -1 };
    s->src = add_tensor(p, d, CUDNN_ATTR_OPERATION_NORM_FWD_XDESC);
    s->other = add_tensor(p, d, CUDNN_ATTR_OPERATION_NORM_FWD_SCALE_DESC);
    s->third = add_tensor(p, d, CUDNN_ATTR_OPERATION_NORM_FWD_BIAS_DESC);
    s->scale = add_tensor(p, d, CUDNN_ATTR_OPERATION_NORM_FWD_EPSILON_DESC);
    s->dst = add_tensor(p, d, CUDNN_ATTR_OPERATION_NORM_FWD_YDESC);
    if (s->src < 0 || s->other < 0 || s->third < 0 || s->scale < 0 || s->dst < 0 || !p->tensors[s->scale].by_value)
        return fail(CUDNN_STATUS_BAD_PARAM, "operands of a norm");
    if (word(d, CUDNN_ATTR_OPERATION_NORM_FWD_MODE) != CUDNN_INSTANCE_NORM ||
        word(d, CUDNN_ATTR_OPERATION_NORM_FWD_PHASE) != CUDNN_NORM_FWD_INFERENCE)
        return fail(CUDNN_STATUS_NOT_SUPPORTED, "only instance norms, only in inference");
    const struct tensor *x = &p->tensors[s->src], *y = &p->tensors[s->dst];
    if (!is_row(&p->tensors[s->other], x->dims[1]) || !is_row(&p->tensors[s->third], x->dims[1]))
        return fail(CUDNN_STATUS_NOT_SUPPORTED_SHAPE, "scale and bias of a norm are [1, c, 1, 1] in float");
    return memcmp(x->dims, y->dims, sizeof x->dims) == 0
               ? CUDNN_STATUS_SUCCESS
               : fail(CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH, "shapes of a norm");
}

cudnnStatus_t graph_finalize(struct descriptor *graph)
{
    static const struct {
        cudnnBackendDescriptorType_t type;
        cudnnStatus_t (*add)(struct program *, struct step *, const struct descriptor *);
    } kinds[] = {
        { CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR, add_convolution },
        { CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR, add_convolution_back },
        { CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR, add_pointwise },
        { CUDNN_BACKEND_OPERATION_GEN_STATS_DESCRIPTOR, add_stats },
        { CUDNN_BACKEND_OPERATION_SDPA_FWD_DESCRIPTOR, add_attention },
        { CUDNN_BACKEND_OPERATION_NORM_FORWARD_DESCRIPTOR, add_norm },
    };
    struct program *p = &graph->program;
    int64_t count;
    attribute_get(graph, CUDNN_ATTR_OPERATIONGRAPH_OPS, &count);
    *p = (struct program){ .engine = -1 };
    for (int64_t i = 0; i < count; i++) {
        const struct descriptor *d = attribute_child(graph, CUDNN_ATTR_OPERATIONGRAPH_OPS, i);
        cudnnStatus_t st = CUDNN_STATUS_BAD_PARAM;
        for (size_t k = 0; k < LEN(kinds); k++)
            if (kinds[k].type == d->type)
                st = kinds[k].add(p, &p->steps[p->step_count], d);
        if (st)
            return st;
        p->step_count++;
    }
    return CUDNN_STATUS_SUCCESS;
}

/* --- engines -------------------------------------------------------------------------------------------- */
enum fits { FOR_PLAIN = 1, FOR_GROUPS = 2, FOR_ATTENTION = 4, FOR_NORM = 8 };

static const struct engine {
    int index;
    unsigned fits;
    bool fallback, runtime, tensor_core, noise, broken;
    int64_t workspace;          /* bytes, and: */
    bool repacks;               /* as many as the source has */
} engines[] = {
    { .index = 91, .fits = FOR_PLAIN | FOR_GROUPS | FOR_NORM, .noise = true, .tensor_core = true, .workspace = 2048 },
    { .index = 62, .fits = FOR_PLAIN, .tensor_core = true, .workspace = 4096, .repacks = true },
    { .index = 77, .fits = FOR_PLAIN | FOR_GROUPS | FOR_ATTENTION | FOR_NORM, .runtime = true, .broken = true },
    { .index = 47, .fits = FOR_PLAIN, .runtime = true, .workspace = 1024 },
    { .index = 94, .fits = FOR_PLAIN, .tensor_core = true, .workspace = (int64_t)8 << 30 },
    { .index = 51, .fits = FOR_PLAIN, .workspace = 640 },
    { .index = 30, .fits = FOR_NORM, .runtime = true, .workspace = 34816 },
    { .index = 31, .fits = FOR_NORM, .runtime = true, .workspace = 17408 },
    { .index = 12, .fits = FOR_ATTENTION, .runtime = true, .tensor_core = true },
    { .index = 3, .fits = FOR_PLAIN | FOR_GROUPS, .fallback = true, .workspace = 512 },
};

static const struct tensor *src_of(const struct program *p)
{
    return &p->tensors[p->steps[0].src];
}

/* A norm, a sum, a relu, in this order; each but the first may be missing. */
static unsigned norm_pattern(const struct program *p)
{
    int next = 1;
    if (next < p->step_count && p->steps[next].kind == STEP_POINTWISE && p->steps[next].mode == CUDNN_POINTWISE_ADD)
        next++;
    if (next < p->step_count && p->steps[next].kind == STEP_POINTWISE &&
        p->steps[next].mode == CUDNN_POINTWISE_RELU_FWD)
        next++;
    return next == p->step_count && src_of(p)->dims[1] % 8 == 0 ? FOR_NORM : 0;
}

/* Patterns: pointwise steps, one convolution, pointwise steps, sums; a norm; or attention alone. 0: no engine. */
static unsigned pattern(const struct program *p)
{
    int convolutions = 0;
    unsigned fits = FOR_PLAIN;
    for (int i = 0; i < p->tensor_count; i++)
        if (tensor_span(&p->tensors[i]) / tensor_element(&p->tensors[i]) >= (size_t)1 << 31)
            return 0;
    for (int i = 0; i < p->step_count; i++) {
        const struct step *s = &p->steps[i];
        if (s->kind == STEP_ATTENTION) /* half precision only */
            return p->step_count == 1 && src_of(p)->type != CUDNN_DATA_FLOAT ? FOR_ATTENTION : 0;
        if (s->kind == STEP_NORM)
            return i == 0 ? norm_pattern(p) : 0;
        if (s->kind == STEP_STATS &&
            (i + 1 < p->step_count || !convolutions || p->tensors[s->src].dims[0] != 1))
            return 0;
        convolutions += s->kind == STEP_CONVOLUTION || s->kind == STEP_CONVOLUTION_BACK;
        if (s->kind == STEP_CONVOLUTION && p->tensors[s->other].dims[1] != p->tensors[s->src].dims[1])
            fits = FOR_GROUPS;
    }
    return convolutions == 1 ? fits : 0;
}

/* The i-th row of the table that this mode lists for the program; -1: there is none. */
static int32_t listed(const struct program *p, bool fallback, int64_t i)
{
    unsigned fits = pattern(p);
    for (size_t row = 0; row < LEN(engines); row++)
        if ((engines[row].fits & fits) && engines[row].fallback == fallback && i-- == 0)
            return (int32_t)row;
    return -1;
}

static const struct program *program_of(const struct descriptor *heuristics)
{
    return &attribute_child(heuristics, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, 0)->program;
}

static bool is_fallback(const struct descriptor *heuristics)
{
    return word(heuristics, CUDNN_ATTR_ENGINEHEUR_MODE) == CUDNN_HEUR_MODE_FALLBACK;
}

int64_t heuristics_count(const struct descriptor *heuristics)
{
    int64_t count = 0;
    while (listed(program_of(heuristics), is_fallback(heuristics), count) >= 0)
        count++;
    return count;
}

void heuristics_fill(const struct descriptor *heuristics, int64_t index, struct descriptor *config)
{
    config->program = *program_of(heuristics);
    config->program.engine = listed(&config->program, is_fallback(heuristics), index);
    config->origin = attribute_child(heuristics, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, 0);
}

int64_t engine_index(const struct program *program)
{
    return engines[program->engine].index;
}

int64_t engine_notes(const struct program *program, bool numerical, int64_t room, int *values)
{
    const struct engine *e = &engines[program->engine];
    const struct { bool numerical, has; int note; } rows[] = {
        { true, e->tensor_core, CUDNN_NUMERICAL_NOTE_TENSOR_CORE },
        { true, e->noise, CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC },
        { false, e->runtime, CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION },
    };
    int64_t count = 0;
    for (size_t i = 0; i < LEN(rows); i++)
        if (rows[i].has && rows[i].numerical == numerical) {
            if (count < room)
                values[count] = rows[i].note;
            count++;
        }
    return count;
}

/* --- plans ---------------------------------------------------------------------------------------------- */
static int described_sm(const struct descriptor *device)
{
    const char *at = strstr(device->text, "\"deviceVer\"");
    return at ? atoi(at + strcspn(at, "0123456789")) / 10 : 0;
}

/* {"fake":[bytes]} as it was written by this version for this device. */
static cudnnStatus_t read_plan(struct program *p, const char *text, int sm)
{
    unsigned long version = 0;
    int at = 0;
    unsigned char *bytes = (unsigned char *)p;
    if (sscanf(text, "{\"fake\":%lu,\"program\":\"%n", &version, &at) < 1 || at == 0)
        return fail(CUDNN_STATUS_BAD_PARAM, "not a plan");
    if (strlen(text + at) < 2 * sizeof *p)
        return fail(CUDNN_STATUS_BAD_PARAM, "the plan is cut");
    for (size_t i = 0; i < sizeof *p; i++) {
        unsigned byte;
        if (sscanf(text + at + 2 * i, "%2x", &byte) != 1)
            return fail(CUDNN_STATUS_BAD_PARAM, "not a plan");
        bytes[i] = (unsigned char)byte;
    }
    if (version != cudnnGetVersion())
        return fail(CUDNN_STATUS_SERIALIZATION_VERSION_MISMATCH, "the plan is of version %lu", version);
    return p->sm == sm ? CUDNN_STATUS_SUCCESS
                       : fail(CUDNN_STATUS_NOT_SUPPORTED_ARCH_MISMATCH, "the plan is for sm_%d, not sm_%d",
                              p->sm, sm);
}

static cudnnStatus_t build_plan(struct program *p, const struct descriptor *config, int sm)
{
    if (!descriptor_whole(config->origin))
        return fail(CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED, "the graph is gone, or a part of it");
    *p = config->program;
    const struct engine *e = &engines[p->engine];
    const struct tensor *src = src_of(p);
    if (e->broken)
        return fail(CUDNN_STATUS_INTERNAL_ERROR_COMPILATION_FAILED, "engine %d does not compile", e->index);
    p->sm = sm;
    p->workspace = e->workspace + (e->repacks ? (int64_t)tensor_span(src) : 0);
    p->tf32 = e->tensor_core && src->type == CUDNN_DATA_FLOAT;
    p->noise = e->noise;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t plan_finalize(struct descriptor *plan)
{
    const struct descriptor *config = attribute_child(plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, 0);
    const struct descriptor *device = attribute_child(plan, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, 0);
    const char *text = attribute_get(plan, CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, NULL);
    if (!config && !text)
        return fail(CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED, "a plan of nothing");
    return config ? build_plan(&plan->program, config, described_sm(device))
                  : read_plan(&plan->program, text, described_sm(device));
}

cudnnStatus_t plan_text(struct descriptor *plan)
{
    const struct program *p = &plan->program;
    const unsigned char *bytes = (const unsigned char *)p;
    size_t room = 2 * sizeof *p + 64;
    free(plan->text);
    plan->text = malloc(room);
    if (!plan->text)
        return fail(CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED, "no memory");
    int at = snprintf(plan->text, room, "{\"fake\":%zu,\"program\":\"", cudnnGetVersion());
    for (size_t i = 0; i < sizeof *p; i++)
        at += snprintf(plan->text + at, room - (size_t)at, "%02x", bytes[i]);
    snprintf(plan->text + at, room - (size_t)at, "\"}");
    return CUDNN_STATUS_SUCCESS;
}

/* --- execution ------------------------------------------------------------------------------------------ */
static bool on_device(const void *pointer, size_t bytes)
{
    return !fake_is_device || fake_is_device(pointer, bytes);
}

/* The address of every tensor that is not virtual. */
static cudnnStatus_t place(struct run *run, const struct descriptor *pack)
{
    int64_t count;
    const int64_t *ids = attribute_get(pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, &count);
    void *const *pointers = attribute_get(pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, NULL);
    for (int i = 0; i < run->program.tensor_count; i++) {
        const struct tensor *t = &run->program.tensors[i];
        int64_t at = 0;
        while (at < count && ids[at] != t->id)
            at++;
        if (t->is_virtual)
            continue;
        if (at == count)
            return fail(CUDNN_STATUS_BAD_PARAM, "no pointer for tensor %lld", (long long)t->id);
        if (!pointers[at])
            return fail(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "tensor %lld is NULL", (long long)t->id);
        if (t->by_value) {
            memcpy(&run->by_value[i], pointers[at], sizeof run->by_value[i]);
            continue;
        }
        if ((uintptr_t)pointers[at] % (uintptr_t)t->alignment)
            return fail(CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER, "tensor %lld at %p", (long long)t->id,
                        pointers[at]);
        if (!on_device(pointers[at], tensor_span(t)))
            return fail(CUDNN_STATUS_EXECUTION_FAILED,
                        "tensor %lld at %p, %zu bytes, leaves its piece of device memory", (long long)t->id,
                        pointers[at], tensor_span(t));
        run->at[i] = pointers[at];
    }
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t plan_execute(const struct descriptor *plan, const struct descriptor *pack, cudaStream_t stream)
{
    struct run run = { .program = plan->program };
    run.workspace = *(void *const *)attribute_get(pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, NULL);
    size_t workspace = (size_t)run.program.workspace;
    if (workspace && !run.workspace)
        return fail(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "%zu bytes of workspace are needed", workspace);
    if (workspace && !on_device(run.workspace, workspace))
        return fail(CUDNN_STATUS_EXECUTION_FAILED,
                    "the workspace of %zu bytes leaves its piece of device memory", workspace);
    cudnnStatus_t st = place(&run, pack);
    if (st)
        return st;
    int code = fake_run(stream, FAKE_LIBRARY, program_run, &run, sizeof run);
    return code ? fail(CUDNN_STATUS_EXECUTION_FAILED_CUDART, "CUDA error %d", code) : CUDNN_STATUS_SUCCESS;
}
