/* Plans of an operation graph: the second half of cudnn_graph.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/json.h"
#include "kernels/base/len.h"
#include "kernels/cuda/cudnn_graph.h"

#define REASONS_MAX 700     /* of the library's chain: the sentence has ERR_TEXT_MAX */
#define NOTE(name) (UINT32_C(1) << CUDNN_NUMERICAL_NOTE_##name)
/* Sums in another order from run to run, inputs or sums of fewer digits than storage and float, transforms. */
#define LOSSY (NOTE(NONDETERMINISTIC) | NOTE(DOWN_CONVERT_INPUTS) | NOTE(REDUCED_PRECISION_REDUCTION) | NOTE(FFT) | \
               NOTE(WINOGRAD) | NOTE(WINOGRAD_TILE_4x4) | NOTE(WINOGRAD_TILE_6x6) | NOTE(WINOGRAD_TILE_13x13))

typedef cudnnBackendDescriptor_t descriptor; /* a pointer without a type, used in every line here */

/* What each kind of arithmetic may not do. f32 in and out silently means TF32 unless tensor cores are refused. */
static const struct {
    cudnnDataType_t storage;
    uint32_t forbidden;
} maths[] = {
    [GPU_F32]  = { CUDNN_DATA_FLOAT, LOSSY | NOTE(TENSOR_CORE) },
    [GPU_TF32] = { CUDNN_DATA_FLOAT, LOSSY },
    [GPU_F16]  = { CUDNN_DATA_HALF, LOSSY },
    [GPU_BF16] = { CUDNN_DATA_BFLOAT16, LOSSY },
};

bool graph_numerics_allowed(uint32_t numerics, enum gpu_math math)
{
    return !(numerics & maths[math].forbidden);
}

cudnnDataType_t graph_storage(enum gpu_math math)
{
    return maths[math].storage;
}

bool graph_plan_runtime(const struct graph_plan *plan)
{
    return plan->behavior >> CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION & 1;
}

void graph_plan_clear(struct graph_plan *plan)
{
    if (plan->descriptor)
        plan->libraries->cudnn.cudnnBackendDestroyDescriptor(plan->descriptor);
    *plan = (struct graph_plan){ 0 };
}

/* --- short forms of the calls -------------------------------------------------------------------------------------- */
static enum status create(const struct cudnn_api *api, descriptor *out, cudnnBackendDescriptorType_t type,
                          struct err *err)
{
    *out = NULL;
    return cudnn_check(api, api->cudnnBackendCreateDescriptor(type, out), "cudnnBackendCreateDescriptor", err);
}

static void destroy(const struct cudnn_api *api, descriptor d)
{
    if (d)
        api->cudnnBackendDestroyDescriptor(d);
}

static enum status set(const struct cudnn_api *api, descriptor d, cudnnBackendAttributeName_t name,
                       cudnnBackendAttributeType_t type, int64_t count, const void *values, struct err *err)
{
    return cudnn_check(api, api->cudnnBackendSetAttribute(d, name, type, count, values), "cudnnBackendSetAttribute",
                       err);
}

static enum status finalize(const struct cudnn_api *api, descriptor d, const char *what, struct err *err)
{
    return cudnn_check(api, api->cudnnBackendFinalize(d), what, err);
}

static enum status get(const struct cudnn_api *api, descriptor d, cudnnBackendAttributeName_t name,
                       cudnnBackendAttributeType_t type, int64_t room, int64_t *count, void *values, struct err *err)
{
    return cudnn_check(api, api->cudnnBackendGetAttribute(d, name, type, room, count, values),
                       "cudnnBackendGetAttribute", err);
}

/* --- from a graph to configurations -------------------------------------------------------------------------------- */
static enum status make_graph(const struct cudnn_api *api, descriptor *out, const struct graph_draft *draft,
                              struct err *err)
{
    enum status st = create(api, out, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR, err);
    if (st == ST_OK)
        st = set(api, *out, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, draft->operation_count,
                 draft->operations, err);
    if (st == ST_OK)
        st = finalize(api, *out, "cudnnBackendFinalize of the operation graph", err);
    return st;
}

/* Configurations that one mode of the heuristics gives; all of them are to be destroyed. */
struct configs {
    descriptor *list;
    int64_t count;
};

static void configs_clear(const struct cudnn_api *api, struct configs *configs)
{
    for (int64_t i = 0; i < configs->count; i++)
        destroy(api, configs->list[i]);
    free(configs->list);
    *configs = (struct configs){ 0 };
}

static enum status get_configs(const struct cudnn_api *api, struct configs *out, descriptor heuristics,
                               struct err *err)
{
    int64_t count = 0;
    enum status st = get(api, heuristics, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, &count,
                         NULL, err);
    if (st != ST_OK || count <= 0)
        return st;
    out->list = calloc((size_t)count, sizeof *out->list);
    if (!out->list)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory for %lld engine configurations", (long long)count);
    for (; st == ST_OK && out->count < count; out->count += st == ST_OK)
        st = create(api, &out->list[out->count], CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, err);
    int64_t filled = 0;
    if (st == ST_OK)
        st = get(api, heuristics, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, count, &filled,
                 out->list, err);
    while (out->count > filled) /* fewer than announced: the rest was never filled */
        destroy(api, out->list[--out->count]);
    return st;
}

static enum status ask_heuristics(const struct gpu_libraries *l, struct configs *out, descriptor graph,
                                  cudnnBackendHeurMode_t mode, struct err *err)
{
    const struct cudnn_api *api = &l->cudnn;
    descriptor heuristics = NULL;
    enum status st = create(api, &heuristics, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, err);
    if (st == ST_OK)
        st = set(api, heuristics, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &graph,
                 err);
    if (st == ST_OK)
        st = set(api, heuristics, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode, err);
    if (st == ST_OK)
        st = set(api, heuristics, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &l->device, err);
    if (st == ST_OK)
        st = finalize(api, heuristics, "cudnnBackendFinalize of the heuristics", err);
    if (st == ST_OK)
        st = get_configs(api, out, heuristics, err);
    destroy(api, heuristics);
    return st;
}

/* --- from a configuration to a plan -------------------------------------------------------------------------------- */
static enum status get_notes(const struct cudnn_api *api, uint32_t *bits, descriptor engine,
                             cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, struct err *err)
{
    /* both kinds of note are enums of the size of an int; a library newer than our headers may know more of them */
    int32_t notes[32];
    int64_t count = 0;
    enum status st = get(api, engine, name, type, LEN(notes), &count, notes, err);
    *bits = 0;
    for (int64_t i = 0; st == ST_OK && i < count && i < (int64_t)LEN(notes); i++)
        if (notes[i] >= 0 && notes[i] < 32)
            *bits |= UINT32_C(1) << notes[i];
    return st;
}

static enum status get_engine(const struct cudnn_api *api, struct graph_plan *plan, descriptor config,
                              struct err *err)
{
    descriptor engine = NULL;
    int64_t count = 0;
    enum status st = create(api, &engine, CUDNN_BACKEND_ENGINE_DESCRIPTOR, err);
    if (st == ST_OK)
        st = get(api, config, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &count, &engine, err);
    if (st == ST_OK)
        st = get(api, engine, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, 1, &count, &plan->engine, err);
    if (st == ST_OK)
        st = get_notes(api, &plan->behavior, engine, CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE, CUDNN_TYPE_BEHAVIOR_NOTE, err);
    if (st == ST_OK)
        st = get_notes(api, &plan->numerics, engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE, err);
    destroy(api, engine);
    return st;
}

static enum status get_workspace(const struct cudnn_api *api, struct graph_plan *plan, struct err *err)
{
    int64_t count = 0, bytes = 0;
    enum status st = get(api, plan->descriptor, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1, &count,
                         &bytes, err);
    plan->workspace = bytes > 0 ? (size_t)bytes : 0;
    return st;
}

static enum status finalize_plan(const struct gpu_libraries *l, struct graph_plan *plan, descriptor config,
                                 struct err *err)
{
    const struct cudnn_api *api = &l->cudnn;
    enum status st = create(api, &plan->descriptor, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, err);
    if (st == ST_OK)
        st = set(api, plan->descriptor, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1,
                 &config, err);
    if (st == ST_OK)
        st = set(api, plan->descriptor, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1,
                 &l->device, err);
    if (st == ST_OK)
        st = finalize(api, plan->descriptor, "cudnnBackendFinalize of a plan", err);
    if (st == ST_OK)
        st = get_workspace(api, plan, err);
    return st;
}

/* --- the list of plans ----------------------------------------------------------------------------------------------- */
struct collection {
    struct graph_plan *plans;
    size_t count, most, cap;
    enum gpu_math math;
    struct graph_seen seen;
    struct err first;           /* the first configuration that did not become a plan; status ST_OK: none yet */
    struct err last;            /* what ended the collection */
};

/* Keeps the first failure for the message. Want of memory is no configuration's fault and ends the collection. */
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
static enum status consider(struct collection *c, const struct gpu_libraries *l, descriptor config, bool fallback)
{
    struct graph_plan plan = { .libraries = l, .fallback = fallback };
    struct err err = { 0 };
    enum status st = get_engine(&l->cudnn, &plan, config, &err);
    if (st == ST_OK && !graph_numerics_allowed(plan.numerics, c->math)) {
        c->seen.refused_by_notes++;
        return ST_OK;
    }
    if (st == ST_OK)
        st = finalize_plan(l, &plan, config, &err);
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

static enum status collect(struct collection *c, const struct gpu_libraries *l, descriptor graph,
                           cudnnBackendHeurMode_t mode)
{
    struct configs configs = { 0 };
    struct err err = { 0 };
    enum status asked = ask_heuristics(l, &configs, graph, mode, &err), st = ends(c, asked, &err);
    c->seen.listed += (int)configs.count;
    for (int64_t i = 0; asked == ST_OK && st == ST_OK && i < configs.count && c->count < c->most; i++)
        st = consider(c, l, configs.list[i], mode == CUDNN_HEUR_MODE_FALLBACK);
    configs_clear(&l->cudnn, &configs);
    return st;
}

/* Where not one configuration was listed no call failed: the library still knows why. A failure that is no "cannot do
 * that" (a lost device makes every plan fail) stays what it is, with its number. */
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
    return err_set(err, ST_UNSUPPORTED, "no plan of cuDNN: %d configurations, %d refused for their arithmetic, %d for "
                   "more than %zu bytes of workspace, %d failed%s%s", s->listed, s->refused_by_notes,
                   s->refused_by_workspace, c->cap, s->failed, *why ? ": " : "", why);
}

enum status graph_plans(struct graph_plan **plans, size_t *count, struct graph_draft *draft, enum gpu_math math,
                        size_t most, size_t cap, struct graph_seen *seen, struct err *err)
{
    *plans = NULL;
    *count = 0;
    if (draft->status != ST_OK)
        return draft->status;
    const struct gpu_libraries *l = draft->libraries;
    struct collection c = { .most = most, .cap = cap, .math = math, .plans = calloc(most ? most : 1, sizeof *c.plans) };
    if (!c.plans)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory for %zu plans", most);
    descriptor graph = NULL;
    enum status st = make_graph(&l->cudnn, &graph, draft, err);
    if (st == ST_OK) {
        st = collect(&c, l, graph, CUDNN_HEUR_MODE_A);
        if (st == ST_OK && c.count == 0)
            st = collect(&c, l, graph, CUDNN_HEUR_MODE_FALLBACK);
        if (st == ST_OK && c.count == 0)
            st = nothing_left(&c, &l->cudnn, err);
        else if (st != ST_OK && err)
            *err = c.last;
    }
    destroy(&l->cudnn, graph);
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

/* --- to and from text ------------------------------------------------------------------------------------------------ */
char *graph_plan_save(const struct graph_plan *plan, struct err *err)
{
    char *text = cudnn_get_text(&plan->libraries->cudnn, plan->descriptor,
                                CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, "the text of a plan", err);
    if (!text)
        return NULL;
    json_t *object = json_pack("{s:I, s:b, s:I, s:I, s:I, s:s}", "engine", (json_int_t)plan->engine, "fallback",
                               (int)plan->fallback, "behavior", (json_int_t)plan->behavior, "numerics",
                               (json_int_t)plan->numerics, "workspace", (json_int_t)plan->workspace, "plan", text);
    char *out = object ? json_write_text(object, JSON_LINE) : NULL;
    json_decref(object);
    free(text);
    if (!out)
        err_set(err, ST_UNSUPPORTED, "the plan of engine %lld cannot be written as text", (long long)plan->engine);
    return out;
}

static enum status load_descriptor(const struct gpu_libraries *l, struct graph_plan *plan, const char *text,
                                   struct err *err)
{
    const struct cudnn_api *api = &l->cudnn;
    enum status st = create(api, &plan->descriptor, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, err);
    if (st == ST_OK)
        st = set(api, plan->descriptor, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1,
                 &l->device, err);
    if (st == ST_OK)
        st = set(api, plan->descriptor, CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
                 (int64_t)strlen(text), text, err);
    if (st == ST_OK)
        st = finalize(api, plan->descriptor, "cudnnBackendFinalize of a stored plan", err);
    if (st == ST_OK)
        st = get_workspace(api, plan, err);
    return st;
}

/* The fields beside the plan itself. *text is borrowed from object. */
static enum status read_fields(struct graph_plan *plan, int64_t *workspace, const char **text, const json_t *object,
                               struct err *err)
{
    int64_t behavior = 0, numerics = 0;
    enum status st = json_get_int(&plan->engine, object, "plan", "engine", INT64_MIN, INT64_MAX, err);
    if (st == ST_OK)
        st = json_get_int(&behavior, object, "plan", "behavior", 0, UINT32_MAX, err);
    if (st == ST_OK)
        st = json_get_int(&numerics, object, "plan", "numerics", 0, UINT32_MAX, err);
    if (st == ST_OK)
        st = json_get_int(workspace, object, "plan", "workspace", 0, INT64_MAX, err);
    if (st == ST_OK)
        st = json_get_text(text, object, "plan", "plan", err);
    plan->behavior = (uint32_t)behavior;
    plan->numerics = (uint32_t)numerics;
    plan->fallback = json_is_true(json_object_get(object, "fallback"));
    return st;
}

enum status graph_plan_load(struct graph_plan *plan, const struct gpu_libraries *libraries, const char *text,
                            size_t size, struct err *err)
{
    *plan = (struct graph_plan){ .libraries = libraries };
    json_t *object = json_read_text("plan", text, size, err);
    if (!object)
        return ST_INVALID;
    const char *inner = NULL;
    int64_t workspace = 0;
    enum status st = read_fields(plan, &workspace, &inner, object, err);
    if (st == ST_OK)
        st = load_descriptor(libraries, plan, inner, err);
    if (st == ST_OK && plan->workspace != (size_t)workspace)
        st = err_set(err, ST_INVALID, "the stored plan of engine %lld needs %zu bytes of workspace, not the %lld it was "
                     "stored with", (long long)plan->engine, plan->workspace, (long long)workspace);
    json_decref(object);
    if (st != ST_OK)
        graph_plan_clear(plan);
    return st;
}

/* --- running --------------------------------------------------------------------------------------------------------- */
enum status graph_plan_run(const struct graph_plan *plan, size_t count, const int64_t *ids, void *const *pointers,
                           void *workspace, struct CUstream_st *stream, struct err *err)
{
    const struct gpu_libraries *l = plan->libraries;
    const struct cudnn_api *api = &l->cudnn;
    if (!l->cudnn_handle)
        return err_set(err, ST_ENVIRONMENT, "a plan cannot run: the libraries were opened without a device");
    descriptor pack = NULL;
    enum status st = cudnn_check(api, api->cudnnSetStream(l->cudnn_handle, stream), "cudnnSetStream", err);
    if (st == ST_OK)
        st = create(api, &pack, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, err);
    if (st == ST_OK)
        st = set(api, pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, (int64_t)count, ids, err);
    if (st == ST_OK)
        st = set(api, pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, (int64_t)count, pointers, err);
    if (st == ST_OK)
        st = set(api, pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &workspace, err);
    if (st == ST_OK)
        st = finalize(api, pack, "cudnnBackendFinalize of the pointers", err);
    if (st == ST_OK)
        st = cudnn_check(api, api->cudnnBackendExecute(l->cudnn_handle, plan->descriptor, pack), "cudnnBackendExecute",
                         err);
    destroy(api, pack);
    return st;
}
