/* cudnn.c - a cuDNN whose plans run on the CPU: the calls that kernels/cuda/library/cudnn_api.h lists, with the
 * descriptors and attributes that kernels/cuda/library/cudnn_graph.h lists. Anything else is refused, as is a wrong
 * type or count, a missing attribute, a child that is not final, a change after finalising: with the code of
 * the real library where that was seen to refuse. Built as libcudnn_graph.so.9.
 *
 * BENCH_FAKE_CUDA (cudart.h) may name its calls: fail=cudnnBackendFinalize:7:4003.
 * BENCH_FAKE_CUDNN_VERSION: the version it claims; preset that of the headers. */
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/len.h"
#include "tests/gpu/fake/cudnn_inside.h"
#include "tests/gpu/fake/enqueue.h"

struct cudnnContext { cudaStream_t stream; };

/* --- which attributes there are ------------------------------------------------------------------------- */
enum need { OPTIONAL, REQUIRED };

static const struct schema_row {
    cudnnBackendDescriptorType_t owner;
    cudnnBackendAttributeName_t name;
    cudnnBackendAttributeType_t type;
    int64_t least, most;
    enum need need;
} schema[] = {
#define A(owner, name, type, least, most, need) \
    { CUDNN_BACKEND_##owner##_DESCRIPTOR, CUDNN_ATTR_##name, CUDNN_TYPE_##type, least, most, need },
#define CHILD(owner, name, need) A(owner, name, BACKEND_DESCRIPTOR, 1, 1, need)
    A(TENSOR, TENSOR_DATA_TYPE, DATA_TYPE, 1, 1, REQUIRED)
    A(TENSOR, TENSOR_UNIQUE_ID, INT64, 1, 1, REQUIRED)
    A(TENSOR, TENSOR_BYTE_ALIGNMENT, INT64, 1, 1, REQUIRED)
    A(TENSOR, TENSOR_DIMENSIONS, INT64, 4, 4, REQUIRED)
    A(TENSOR, TENSOR_STRIDES, INT64, 4, 4, REQUIRED)
    A(TENSOR, TENSOR_IS_VIRTUAL, BOOLEAN, 1, 1, OPTIONAL)
    A(TENSOR, TENSOR_IS_BY_VALUE, BOOLEAN, 1, 1, OPTIONAL)
    A(CONVOLUTION, CONVOLUTION_COMP_TYPE, DATA_TYPE, 1, 1, REQUIRED)
    A(CONVOLUTION, CONVOLUTION_CONV_MODE, CONVOLUTION_MODE, 1, 1, REQUIRED)
    A(CONVOLUTION, CONVOLUTION_SPATIAL_DIMS, INT64, 1, 1, REQUIRED)
    A(CONVOLUTION, CONVOLUTION_PRE_PADDINGS, INT64, 2, 2, REQUIRED)
    A(CONVOLUTION, CONVOLUTION_POST_PADDINGS, INT64, 2, 2, REQUIRED)
    A(CONVOLUTION, CONVOLUTION_FILTER_STRIDES, INT64, 2, 2, REQUIRED)
    A(CONVOLUTION, CONVOLUTION_DILATIONS, INT64, 2, 2, REQUIRED)
    CHILD(OPERATION_CONVOLUTION_FORWARD, OPERATION_CONVOLUTION_FORWARD_CONV_DESC, REQUIRED)
    CHILD(OPERATION_CONVOLUTION_FORWARD, OPERATION_CONVOLUTION_FORWARD_X, REQUIRED)
    CHILD(OPERATION_CONVOLUTION_FORWARD, OPERATION_CONVOLUTION_FORWARD_W, REQUIRED)
    CHILD(OPERATION_CONVOLUTION_FORWARD, OPERATION_CONVOLUTION_FORWARD_Y, REQUIRED)
    A(OPERATION_CONVOLUTION_FORWARD, OPERATION_CONVOLUTION_FORWARD_ALPHA, FLOAT, 1, 1, REQUIRED)
    A(OPERATION_CONVOLUTION_FORWARD, OPERATION_CONVOLUTION_FORWARD_BETA, FLOAT, 1, 1, REQUIRED)
    CHILD(OPERATION_CONVOLUTION_BACKWARD_DATA, OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC, REQUIRED)
    CHILD(OPERATION_CONVOLUTION_BACKWARD_DATA, OPERATION_CONVOLUTION_BWD_DATA_W, REQUIRED)
    CHILD(OPERATION_CONVOLUTION_BACKWARD_DATA, OPERATION_CONVOLUTION_BWD_DATA_DX, REQUIRED)
    CHILD(OPERATION_CONVOLUTION_BACKWARD_DATA, OPERATION_CONVOLUTION_BWD_DATA_DY, REQUIRED)
    A(OPERATION_CONVOLUTION_BACKWARD_DATA, OPERATION_CONVOLUTION_BWD_DATA_ALPHA, FLOAT, 1, 1, REQUIRED)
    A(OPERATION_CONVOLUTION_BACKWARD_DATA, OPERATION_CONVOLUTION_BWD_DATA_BETA, FLOAT, 1, 1, REQUIRED)
    A(POINTWISE, POINTWISE_MODE, POINTWISE_MODE, 1, 1, REQUIRED)
    A(POINTWISE, POINTWISE_MATH_PREC, DATA_TYPE, 1, 1, REQUIRED)
    CHILD(OPERATION_POINTWISE, OPERATION_POINTWISE_PW_DESCRIPTOR, REQUIRED)
    CHILD(OPERATION_POINTWISE, OPERATION_POINTWISE_XDESC, REQUIRED)
    CHILD(OPERATION_POINTWISE, OPERATION_POINTWISE_BDESC, OPTIONAL)
    CHILD(OPERATION_POINTWISE, OPERATION_POINTWISE_YDESC, REQUIRED)
    A(OPERATION_GEN_STATS, OPERATION_GENSTATS_MODE, GENSTATS_MODE, 1, 1, REQUIRED)
    A(OPERATION_GEN_STATS, OPERATION_GENSTATS_MATH_PREC, DATA_TYPE, 1, 1, REQUIRED)
    CHILD(OPERATION_GEN_STATS, OPERATION_GENSTATS_XDESC, REQUIRED)
    CHILD(OPERATION_GEN_STATS, OPERATION_GENSTATS_SUMDESC, REQUIRED)
    CHILD(OPERATION_GEN_STATS, OPERATION_GENSTATS_SQSUMDESC, REQUIRED)
    A(OPERATION_NORM_FORWARD, OPERATION_NORM_FWD_MODE, NORM_MODE, 1, 1, REQUIRED)
    A(OPERATION_NORM_FORWARD, OPERATION_NORM_FWD_PHASE, NORM_FWD_PHASE, 1, 1, REQUIRED)
    CHILD(OPERATION_NORM_FORWARD, OPERATION_NORM_FWD_XDESC, REQUIRED)
    CHILD(OPERATION_NORM_FORWARD, OPERATION_NORM_FWD_SCALE_DESC, REQUIRED)
    CHILD(OPERATION_NORM_FORWARD, OPERATION_NORM_FWD_BIAS_DESC, REQUIRED)
    CHILD(OPERATION_NORM_FORWARD, OPERATION_NORM_FWD_EPSILON_DESC, REQUIRED)
    CHILD(OPERATION_NORM_FORWARD, OPERATION_NORM_FWD_YDESC, REQUIRED)
    CHILD(OPERATION_SDPA_FWD, OPERATION_SDPA_FWD_QDESC, REQUIRED)
    CHILD(OPERATION_SDPA_FWD, OPERATION_SDPA_FWD_KDESC, REQUIRED)
    CHILD(OPERATION_SDPA_FWD, OPERATION_SDPA_FWD_VDESC, REQUIRED)
    CHILD(OPERATION_SDPA_FWD, OPERATION_SDPA_FWD_ODESC, REQUIRED)
    CHILD(OPERATION_SDPA_FWD, OPERATION_SDPA_FWD_SCALEDESC, REQUIRED)
    A(OPERATIONGRAPH, OPERATIONGRAPH_OPS, BACKEND_DESCRIPTOR, 1, PROGRAM_STEPS, REQUIRED)
    CHILD(ENGINEHEUR, ENGINEHEUR_OPERATION_GRAPH, REQUIRED)
    A(ENGINEHEUR, ENGINEHEUR_MODE, HEUR_MODE, 1, 1, REQUIRED)
    CHILD(ENGINEHEUR, ENGINEHEUR_DEVICEPROP, REQUIRED)
    CHILD(EXECUTION_PLAN, EXECUTION_PLAN_ENGINE_CONFIG, OPTIONAL)
    CHILD(EXECUTION_PLAN, EXECUTION_PLAN_DEVICEPROP, REQUIRED)
    A(EXECUTION_PLAN, EXECUTION_PLAN_JSON_REPRESENTATION, CHAR, 1, INT64_MAX, OPTIONAL)
    A(VARIANT_PACK, VARIANT_PACK_UNIQUE_IDS, INT64, 1, PROGRAM_TENSORS, REQUIRED)
    A(VARIANT_PACK, VARIANT_PACK_DATA_POINTERS, VOID_PTR, 1, PROGRAM_TENSORS, REQUIRED)
    A(VARIANT_PACK, VARIANT_PACK_WORKSPACE, VOID_PTR, 1, 1, REQUIRED)
    A(DEVICEPROP, DEVICEPROP_DEVICE_ID, INT32, 1, 1, OPTIONAL)
    A(DEVICEPROP, DEVICEPROP_JSON_REPRESENTATION, CHAR, 1, INT64_MAX, OPTIONAL)
#undef CHILD
#undef A
};

/* Descriptors without an attribute that may be set: what others give is filled into them. */
static bool is_filled(cudnnBackendDescriptorType_t type)
{
    return type == CUDNN_BACKEND_ENGINE_DESCRIPTOR || type == CUDNN_BACKEND_ENGINECFG_DESCRIPTOR;
}

static size_t size_of(cudnnBackendAttributeType_t type)
{
    switch (type) {
    case CUDNN_TYPE_INT64:
    case CUDNN_TYPE_VOID_PTR:
    case CUDNN_TYPE_BACKEND_DESCRIPTOR: return 8;
    case CUDNN_TYPE_BOOLEAN:            return sizeof(bool);
    case CUDNN_TYPE_CHAR:               return 1;
    default:                            return 4; /* float, int32, enums */
    }
}

/* --- what is alive, and the last error ------------------------------------------------------------------ */
static struct {
    pthread_mutex_t lock;
    struct descriptor *first;
} alive = { .lock = PTHREAD_MUTEX_INITIALIZER };

static _Thread_local char last_error[512];

cudnnStatus_t fail(cudnnStatus_t code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(last_error, sizeof last_error, format, arguments);
    va_end(arguments);
    return code;
}

static cudnnStatus_t scripted(const char *call)
{
    int code = fake_call ? fake_call(call) : 0;
    return code ? fail((cudnnStatus_t)code, "the script lets %s fail", call) : CUDNN_STATUS_SUCCESS;
}

bool descriptor_alive(const struct descriptor *d)
{
    pthread_mutex_lock(&alive.lock);
    const struct descriptor *at = alive.first;
    while (at && at != d)
        at = at->next;
    pthread_mutex_unlock(&alive.lock);
    return at != NULL;
}

static struct attribute *find(const struct descriptor *d, cudnnBackendAttributeName_t name)
{
    struct attribute *a = d->attributes;
    while (a && a->name != name)
        a = a->next;
    return a;
}

const void *attribute_get(const struct descriptor *d, cudnnBackendAttributeName_t name, int64_t *count)
{
    const struct attribute *a = find(d, name);
    if (count)
        *count = a ? a->count : 0;
    return a ? a->values : NULL;
}

struct descriptor *attribute_child(const struct descriptor *d, cudnnBackendAttributeName_t name,
                                   int64_t index)
{
    int64_t count;
    struct descriptor *const *children = attribute_get(d, name, &count);
    if (!children || index >= count)
        return NULL;
    struct descriptor *child = children[index];
    return descriptor_alive(child) && child->final ? child : NULL;
}

bool descriptor_whole(const struct descriptor *d)
{
    if (!descriptor_alive(d))
        return false;
    for (const struct attribute *a = d->attributes; a; a = a->next)
        for (int64_t i = 0; a->children && i < a->count; i++)
            if (!descriptor_whole(((struct descriptor **)a->values)[i]))
                return false;
    return true;
}

/* --- descriptors ---------------------------------------------------------------------------------------- */
static bool is_known(cudnnBackendDescriptorType_t type)
{
    for (size_t i = 0; i < LEN(schema); i++)
        if (schema[i].owner == type)
            return true;
    return is_filled(type);
}

cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type, cudnnBackendDescriptor_t *out)
{
    cudnnStatus_t st = scripted("cudnnBackendCreateDescriptor");
    if (st)
        return st;
    struct descriptor *d = is_known(type) ? calloc(1, sizeof *d) : NULL;
    if (!d)
        return fail(CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED, "no descriptor of type %d",
                    (int)type);
    d->type = type;
    pthread_mutex_lock(&alive.lock);
    d->next = alive.first;
    alive.first = d;
    pthread_mutex_unlock(&alive.lock);
    *out = d;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t handle)
{
    struct descriptor *d = handle, **at = &alive.first;
    pthread_mutex_lock(&alive.lock);
    while (*at && *at != d)
        at = &(*at)->next;
    bool found = *at != NULL;
    if (found)
        *at = d->next;
    pthread_mutex_unlock(&alive.lock);
    if (!found)
        return fail(CUDNN_STATUS_BAD_PARAM, "no such descriptor");
    for (struct attribute *a = d->attributes; a;) {
        struct attribute *next = a->next;
        free(a->values);
        free(a);
        a = next;
    }
    free(d->text);
    free(d);
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t handle, cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t count, const void *values)
{
    struct descriptor *d = handle;
    cudnnStatus_t st = scripted("cudnnBackendSetAttribute");
    if (st)
        return st;
    if (!descriptor_alive(d) || d->final || !values)
        return fail(CUDNN_STATUS_BAD_PARAM,
                    "attribute %d of a descriptor that is final or gone, or no values", (int)name);
    const struct schema_row *row = schema;
    while (row < schema + LEN(schema) && (row->owner != d->type || row->name != name))
        row++;
    if (row == schema + LEN(schema))
        return fail(CUDNN_STATUS_BAD_PARAM, "descriptor %d has no attribute %d", (int)d->type, (int)name);
    if (row->type != type)
        return fail(CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE, "attribute %d has type %d, not %d", (int)name,
                    (int)row->type, (int)type);
    if (count < row->least || count > row->most)
        return fail(CUDNN_STATUS_BAD_PARAM, "attribute %d does not take %lld values", (int)name,
                    (long long)count);
    struct attribute *a = find(d, name);
    if (!a) {
        if (!(a = calloc(1, sizeof *a)))
            return fail(CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED, "no memory");
        a->name = name;
        a->children = type == CUDNN_TYPE_BACKEND_DESCRIPTOR;
        a->next = d->attributes;
        d->attributes = a;
    }
    size_t bytes = (size_t)count * size_of(type);
    free(a->values);
    a->values = calloc(1, bytes + 1); /* text ends with 0 */
    if (!a->values)
        return fail(CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED, "no memory");
    memcpy(a->values, values, bytes);
    a->count = count;
    return CUDNN_STATUS_SUCCESS;
}

/* --- finalising ----------------------------------------------------------------------------------------- */
/* Every required attribute is there, every child is alive and final. */
static cudnnStatus_t is_complete(const struct descriptor *d)
{
    for (size_t i = 0; i < LEN(schema); i++) {
        const struct schema_row *row = &schema[i];
        int64_t count;
        if (row->owner != d->type)
            continue;
        if (!attribute_get(d, row->name, &count) && row->need == REQUIRED)
            return fail(CUDNN_STATUS_BAD_PARAM, "descriptor %d lacks attribute %d", (int)d->type,
                        (int)row->name);
        for (int64_t c = 0; row->type == CUDNN_TYPE_BACKEND_DESCRIPTOR && c < count; c++)
            if (!attribute_child(d, row->name, c))
                return fail(CUDNN_STATUS_BAD_PARAM, "attribute %d of descriptor %d is not final, or gone",
                            (int)row->name, (int)d->type);
    }
    return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t tensor_finalize(const struct descriptor *d)
{
    const int64_t *dims = attribute_get(d, CUDNN_ATTR_TENSOR_DIMENSIONS, NULL);
    const int64_t *alignment = attribute_get(d, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, NULL);
    for (int i = 0; i < 4; i++)
        if (dims[i] < 1)
            return fail(CUDNN_STATUS_BAD_PARAM, "dimension %d is %lld", i, (long long)dims[i]);
    if (*alignment <= 0 || *alignment & (*alignment - 1))
        return fail(CUDNN_STATUS_BAD_PARAM, "alignment %lld", (long long)*alignment);
    return CUDNN_STATUS_SUCCESS;
}

int device_sm(void)
{
    return fake_device_sm ? fake_device_sm() : 90;
}

/* By number: the device of the fake runtime. By text: what the caller says. */
static cudnnStatus_t device_finalize(struct descriptor *d)
{
    const char *text = attribute_get(d, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, NULL);
    if (!text && !attribute_get(d, CUDNN_ATTR_DEVICEPROP_DEVICE_ID, NULL))
        return fail(CUDNN_STATUS_NOT_INITIALIZED, "no device");
    char made[128];
    snprintf(made, sizeof made, "{\"deviceName\":\"fake\",\"deviceVer\":%d}", 10 * device_sm());
    d->text = strdup(text ? text : made);
    const char *version = strstr(d->text, "\"deviceVer\"");
    return version ? CUDNN_STATUS_SUCCESS
                   : fail(CUDNN_STATUS_INTERNAL_ERROR, "no deviceVer in the description");
}

static cudnnStatus_t pack_finalize(const struct descriptor *d)
{
    int64_t ids, pointers;
    attribute_get(d, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, &ids);
    attribute_get(d, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, &pointers);
    return ids == pointers ? CUDNN_STATUS_SUCCESS
                           : fail(CUDNN_STATUS_BAD_PARAM, "%lld ids, %lld pointers", (long long)ids,
                                  (long long)pointers);
}

cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t handle)
{
    struct descriptor *d = handle;
    cudnnStatus_t st = scripted("cudnnBackendFinalize");
    if (st)
        return st;
    if (!descriptor_alive(d) || d->final)
        return fail(CUDNN_STATUS_BAD_PARAM, "the descriptor is final, or gone");
    st = is_complete(d);
    if (!st && d->type == CUDNN_BACKEND_TENSOR_DESCRIPTOR)
        st = tensor_finalize(d);
    if (!st && d->type == CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR)
        st = device_finalize(d);
    if (!st && d->type == CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR)
        st = pack_finalize(d);
    if (!st && d->type == CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR)
        st = graph_finalize(d);
    if (!st && d->type == CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR)
        st = plan_finalize(d);
    d->final = st == CUDNN_STATUS_SUCCESS;
    return st;
}

/* --- asking --------------------------------------------------------------------------------------------- */
static cudnnStatus_t get_text(const struct descriptor *d, int64_t room, int64_t *count, char *out)
{
    int64_t size = d->text ? (int64_t)strlen(d->text) + 1 : 0;
    if (!size)
        return fail(CUDNN_STATUS_NOT_SUPPORTED, "no text");
    *count = size;
    if (room == 0)
        return CUDNN_STATUS_SUCCESS;
    if (room < size || !out)
        return fail(CUDNN_STATUS_BAD_PARAM_SIZE_INSUFFICIENT, "%lld bytes for %lld", (long long)room,
                    (long long)size);
    memcpy(out, d->text, (size_t)size);
    return CUDNN_STATUS_SUCCESS;
}

/* The caller brings descriptors of the right type; they are filled and final. */
static cudnnStatus_t fill(struct descriptor *into, cudnnBackendDescriptorType_t type)
{
    if (!descriptor_alive(into) || into->type != type)
        return fail(CUDNN_STATUS_BAD_PARAM, "a descriptor of type %d is needed", (int)type);
    into->final = true;
    return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t get_results(const struct descriptor *d, int64_t room, int64_t *count, void *values)
{
    struct descriptor **configs = values;
    int64_t there = heuristics_count(d);
    *count = room == 0 || there < room ? there : room;
    for (int64_t i = 0; room > 0 && i < *count; i++) {
        cudnnStatus_t st = fill(configs[i], CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
        if (st)
            return st;
        heuristics_fill(d, i, configs[i]);
    }
    if (there == 0)
        fail(CUDNN_STATUS_NOT_SUPPORTED, "no engine of this mode takes the graph");
    return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t get_engine(const struct descriptor *d, void *values)
{
    struct descriptor *engine = *(struct descriptor **)values;
    cudnnStatus_t st = fill(engine, CUDNN_BACKEND_ENGINE_DESCRIPTOR);
    if (!st)
        engine->program = d->program;
    return st;
}

cudnnStatus_t cudnnBackendGetAttribute(cudnnBackendDescriptor_t handle, cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t room, int64_t *count,
                                       void *values)
{
    struct descriptor *d = handle;
    cudnnStatus_t st = scripted("cudnnBackendGetAttribute");
    int64_t unused;
    count = count ? count : &unused;
    if (st)
        return st;
    if (!descriptor_alive(d))
        return fail(CUDNN_STATUS_BAD_PARAM, "no such descriptor");
    if (!d->final)
        return fail(CUDNN_STATUS_NOT_INITIALIZED, "the descriptor is not final");
    if (name == CUDNN_ATTR_ENGINEHEUR_RESULTS && type == CUDNN_TYPE_BACKEND_DESCRIPTOR)
        return get_results(d, room, count, values);
    if (name == CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION && type == CUDNN_TYPE_CHAR)
        return (st = plan_text(d)) ? st : get_text(d, room, count, values);
    if (name == CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION && type == CUDNN_TYPE_CHAR)
        return get_text(d, room, count, values);
    if (name == CUDNN_ATTR_ENGINE_NUMERICAL_NOTE && type == CUDNN_TYPE_NUMERICAL_NOTE)
        return *count = engine_notes(&d->program, true, room, values), CUDNN_STATUS_SUCCESS;
    if (name == CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE && type == CUDNN_TYPE_BEHAVIOR_NOTE)
        return *count = engine_notes(&d->program, false, room, values), CUDNN_STATUS_SUCCESS;
    if (room < 1 || !values)
        return fail(CUDNN_STATUS_BAD_PARAM_SIZE_INSUFFICIENT, "no room for attribute %d", (int)name);
    *count = 1;
    if (name == CUDNN_ATTR_ENGINECFG_ENGINE && type == CUDNN_TYPE_BACKEND_DESCRIPTOR)
        return get_engine(d, values);
    int64_t number =
        name == CUDNN_ATTR_ENGINE_GLOBAL_INDEX ? engine_index(&d->program) : d->program.workspace;
    if (type != CUDNN_TYPE_INT64 ||
        (name != CUDNN_ATTR_ENGINE_GLOBAL_INDEX && name != CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE))
        return fail(CUDNN_STATUS_BAD_PARAM, "attribute %d of descriptor %d cannot be asked", (int)name,
                    (int)d->type);
    memcpy(values, &number, sizeof number);
    return CUDNN_STATUS_SUCCESS;
}

/* --- the library ---------------------------------------------------------------------------------------- */
size_t cudnnGetVersion(void)
{
    const char *claimed = getenv("BENCH_FAKE_CUDNN_VERSION");
    return claimed ? (size_t)strtoul(claimed, NULL, 10) : CUDNN_VERSION;
}

size_t cudnnGetCudartVersion(void)
{
    return CUDART_VERSION;
}

size_t cudnnGetMaxDeviceVersion(void)
{
    return 1210;
}

const char *cudnnGetErrorString(cudnnStatus_t status)
{
    return status == CUDNN_STATUS_SUCCESS ? "CUDNN_STATUS_SUCCESS" : "an error of the fake cuDNN";
}

void cudnnGetLastErrorString(char *message, size_t size)
{
    snprintf(message, size, "%s", last_error);
    last_error[0] = '\0';
}

cudnnStatus_t cudnnCreate(cudnnHandle_t *out)
{
    cudnnStatus_t st = scripted("cudnnCreate");
    if (st)
        return st;
    *out = calloc(1, sizeof **out);
    return *out ? CUDNN_STATUS_SUCCESS
                : fail(CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED, "no memory");
}

cudnnStatus_t cudnnDestroy(cudnnHandle_t handle)
{
    free(handle);
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream)
{
    if (!handle)
        return fail(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "no handle");
    handle->stream = stream;
    return scripted("cudnnSetStream");
}

cudnnStatus_t cudnnBackendExecute(cudnnHandle_t handle, cudnnBackendDescriptor_t plan,
                                  cudnnBackendDescriptor_t pack)
{
    const struct descriptor *p = plan, *v = pack;
    cudnnStatus_t st = scripted("cudnnBackendExecute");
    if (st)
        return st;
    if (!handle || !descriptor_alive(p) || !descriptor_alive(v))
        return fail(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "no handle, plan or pack");
    if (!p->final || !v->final || p->type != CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR ||
        v->type != CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR)
        return fail(CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED, "plan or pack is not final");
    return plan_execute(p, v, handle->stream);
}
