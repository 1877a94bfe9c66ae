/* One plan of an operation graph: the second part of cudnn_graph.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/json.h"
#include "kernels/base/len.h"
#include "kernels/cuda/library/cudnn_graph.h"

#define NOTE(name) (UINT32_C(1) << CUDNN_NUMERICAL_NOTE_##name)
/* Sums in another order from run to run, inputs or sums of fewer digits than storage and float, transforms */
#define LOSSY (NOTE(NONDETERMINISTIC) | NOTE(DOWN_CONVERT_INPUTS) | NOTE(REDUCED_PRECISION_REDUCTION) | \
               NOTE(FFT) | NOTE(WINOGRAD) | NOTE(WINOGRAD_TILE_4x4) | NOTE(WINOGRAD_TILE_6x6) | \
               NOTE(WINOGRAD_TILE_13x13))

/* What each kind of arithmetic may not do. f32 in and out silently means TF32 unless tensor cores are
 * refused. */
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
        cudnn_destroy(&plan->libraries->cudnn, plan->descriptor);
    *plan = (struct graph_plan){ 0 };
}

void graph_plan_free(struct graph_plan *plan)
{
    if (!plan)
        return;
    graph_plan_clear(plan);
    free(plan);
}

void graph_plan_name(const struct graph_plan *plan, char *text, size_t size)
{
    snprintf(text, size, "cudnn:%lld", (long long)plan->engine);
}

enum status graph_plans_apart(struct graph_plan ***out, struct graph_plan *plans, size_t count, struct err *err)
{
    size_t made = 0;
    *out = calloc(count, sizeof **out);
    while (*out && made < count && ((*out)[made] = malloc(sizeof *plans)) != NULL) {
        *(*out)[made] = plans[made];
        made++;
    }
    enum status st = made == count ? ST_OK : err_set(err, ST_OUT_OF_MEMORY, "no memory for %zu plans", count);
    for (size_t i = 0; st != ST_OK && i < count; i++) {
        graph_plan_clear(&plans[i]);
        if (i < made)
            free((*out)[i]); /* a copy of what is cleared by now */
    }
    free(plans);
    if (st == ST_OK)
        return ST_OK;
    free(*out);
    *out = NULL;
    return st;
}

/* --- from a configuration to a plan ------------------------------------------------------------------- */
static enum status get_notes(const struct cudnn_api *api, uint32_t *bits, cudnnBackendDescriptor_t engine,
                             cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                             struct err *err)
{
    /* both kinds are enums of the size of an int; a library newer than our headers may know more notes */
    int32_t notes[32];
    int64_t count = 0;
    enum status st = cudnn_get(api, engine, name, type, LEN(notes), &count, notes, err);
    *bits = 0;
    for (int64_t i = 0; st == ST_OK && i < count && i < (int64_t)LEN(notes); i++)
        if (notes[i] >= 0 && notes[i] < 32)
            *bits |= UINT32_C(1) << notes[i];
    return st;
}

enum status graph_plan_read_engine(struct graph_plan *plan, cudnnBackendDescriptor_t config, struct err *err)
{
    const struct cudnn_api *api = &plan->libraries->cudnn;
    cudnnBackendDescriptor_t engine = NULL;
    int64_t count = 0;
    enum status st = cudnn_create(api, &engine, CUDNN_BACKEND_ENGINE_DESCRIPTOR, err);
    if (st == ST_OK)
        st = cudnn_get(api, config, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &count,
                       &engine, err);
    if (st == ST_OK)
        st = cudnn_get(api, engine, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, 1, &count,
                       &plan->engine, err);
    if (st == ST_OK)
        st = get_notes(api, &plan->behavior, engine, CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE,
                       CUDNN_TYPE_BEHAVIOR_NOTE, err);
    if (st == ST_OK)
        st = get_notes(api, &plan->numerics, engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE,
                       CUDNN_TYPE_NUMERICAL_NOTE, err);
    cudnn_destroy(api, engine);
    return st;
}

static enum status get_workspace(const struct cudnn_api *api, struct graph_plan *plan, struct err *err)
{
    int64_t count = 0, bytes = 0;
    enum status st = cudnn_get(api, plan->descriptor, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE,
                               CUDNN_TYPE_INT64, 1, &count, &bytes, err);
    plan->workspace = bytes > 0 ? (size_t)bytes : 0;
    return st;
}

enum status graph_plan_build(struct graph_plan *plan, cudnnBackendDescriptor_t config, struct err *err)
{
    const struct gpu_libraries *l = plan->libraries;
    const struct cudnn_api *api = &l->cudnn;
    enum status st = cudnn_create(api, &plan->descriptor, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, err);
    if (st == ST_OK)
        st = cudnn_set(api, plan->descriptor, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG,
                       CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &config, err);
    if (st == ST_OK)
        st = cudnn_set(api, plan->descriptor, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP,
                       CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &l->device, err);
    if (st == ST_OK)
        st = cudnn_finalize(api, plan->descriptor, "a plan", err);
    if (st == ST_OK)
        st = get_workspace(api, plan, err);
    return st;
}

/* --- to and from text --------------------------------------------------------------------------------- */
char *graph_plan_save(const struct graph_plan *plan, struct err *err)
{
    char *text = cudnn_get_text(&plan->libraries->cudnn, plan->descriptor,
                                CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, "the text of a plan", err);
    if (!text)
        return NULL;
    json_t *object = json_pack("{s:I, s:b, s:I, s:I, s:I, s:s}", "engine", (json_int_t)plan->engine,
                               "fallback", (int)plan->fallback, "behavior", (json_int_t)plan->behavior,
                               "numerics", (json_int_t)plan->numerics, "workspace",
                               (json_int_t)plan->workspace, "plan", text);
    char *out = object ? json_write_text(object, JSON_LINE) : NULL;
    json_decref(object);
    free(text);
    if (!out)
        err_set(err, ST_UNSUPPORTED, "the plan of engine %lld cannot be written as text",
                (long long)plan->engine);
    return out;
}

static enum status load_descriptor(const struct gpu_libraries *l, struct graph_plan *plan, const char *text,
                                   struct err *err)
{
    const struct cudnn_api *api = &l->cudnn;
    enum status st = cudnn_create(api, &plan->descriptor, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, err);
    if (st == ST_OK)
        st = cudnn_set(api, plan->descriptor, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP,
                       CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &l->device, err);
    if (st == ST_OK)
        st = cudnn_set(api, plan->descriptor, CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
                 (int64_t)strlen(text), text, err);
    if (st == ST_OK)
        st = cudnn_finalize(api, plan->descriptor, "a stored plan", err);
    if (st == ST_OK)
        st = get_workspace(api, plan, err);
    return st;
}

/* The fields beside the plan itself. *text is borrowed from object. */
static enum status read_fields(struct graph_plan *plan, int64_t *workspace, const char **text,
                               const json_t *object, struct err *err)
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
        st = err_set(err, ST_INVALID,
                     "the stored plan of engine %lld needs %zu bytes of workspace, not the %lld it was "
                     "stored with",
                     (long long)plan->engine, plan->workspace, (long long)workspace);
    json_decref(object);
    if (st != ST_OK)
        graph_plan_clear(plan);
    return st;
}

/* --- running ------------------------------------------------------------------------------------------ */
enum status graph_plan_run(const struct graph_plan *plan, size_t count, const int64_t *ids,
                           void *const *pointers, void *workspace, struct CUstream_st *stream,
                           struct err *err)
{
    const struct gpu_libraries *l = plan->libraries;
    const struct cudnn_api *api = &l->cudnn;
    if (!l->cudnn_handle)
        return err_set(err, ST_ENVIRONMENT, "a plan cannot run: the libraries were opened without a device");
    cudnnBackendDescriptor_t pack = NULL;
    cudnnHandle_t handle = gpu_libraries_handle(l, stream);
    enum status st = cudnn_check(api, api->cudnnSetStream(handle, stream), "cudnnSetStream", err);
    if (st == ST_OK)
        st = cudnn_create(api, &pack, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, err);
    if (st == ST_OK)
        st = cudnn_set(api, pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, (int64_t)count, ids,
                       err);
    if (st == ST_OK)
        st = cudnn_set(api, pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, (int64_t)count,
                       pointers, err);
    if (st == ST_OK)
        st = cudnn_set(api, pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &workspace, err);
    if (st == ST_OK)
        st = cudnn_finalize(api, pack, "the pointers", err);
    if (st == ST_OK)
        st = cudnn_check(api, api->cudnnBackendExecute(handle, plan->descriptor, pack),
                         "cudnnBackendExecute", err);
    cudnn_destroy(api, pack);
    return st;
}
