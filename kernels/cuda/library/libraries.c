#include "kernels/cuda/library/libraries.h"

#include <cuda_runtime_api.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cuda/faults/ladder.h"

static void warn(struct gpu_libraries *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void warn(struct gpu_libraries *l, const char *format, ...)
{
    size_t used = strlen(l->warning);
    if (used && used + 2 < sizeof l->warning) {
        memcpy(l->warning + used, "; ", 3);
        used += 2;
    }
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(l->warning + used, sizeof l->warning - used, format, arguments);
    va_end(arguments);
}

static enum status open_cudnn(struct gpu_libraries *l, const struct library_search *search, struct err *err)
{
    library_find(&l->cudnn_at, LIBRARY_CUDNN, search);
    struct gpu_library_probe probe = { .found = l->cudnn_at.handle != NULL, .tried = l->cudnn_at.tried };
    if (!probe.found)
        return gpu_ladder_cudnn(&probe, err);
    probe.tried = l->cudnn_at.path;
    enum status st = cudnn_api_load(&l->cudnn, l->cudnn_at.handle, l->cudnn_at.path, err);
    if (st != ST_OK)
        return st;
    l->cudnn_version = l->cudnn.cudnnGetVersion();
    probe.version = (long)l->cudnn_version;
    return gpu_ladder_cudnn(&probe, err);
}

static void warn_of_cudnn(struct gpu_libraries *l)
{
    size_t v = l->cudnn_version, major = l->cudnn.cudnnGetCudartVersion() / 1000;
    if (v < CUDNN_VERSION)
        warn(l, "cuDNN %zu.%zu.%zu (%s) is older than the %d.%d.%d this program was built with: some of its "
             "convolutions will be missing", v / 10000, v / 100 % 100, v % 100, l->cudnn_at.path, CUDNN_MAJOR,
             CUDNN_MINOR, CUDNN_PATCHLEVEL);
    if (major != CUDART_VERSION / 1000)
        warn(l, "cuDNN (%s) was built for CUDA %zu, this program for CUDA %d", l->cudnn_at.path, major,
             CUDART_VERSION / 1000);
}

/* Not needed: whatever is wrong with it becomes a warning, and the program goes on without. */
static void open_cublaslt(struct gpu_libraries *l, const struct library_search *search)
{
    library_find(&l->cublaslt_at, LIBRARY_CUBLASLT, search);
    struct err err = { 0 };
    struct gpu_library_probe probe = { .found = l->cublaslt_at.handle != NULL,
                                       .tried = l->cublaslt_at.tried };
    enum status st = ST_OK;
    if (probe.found) {
        st = cublaslt_api_load(&l->cublaslt, l->cublaslt_at.handle, l->cublaslt_at.path, &err);
        probe.tried = l->cublaslt_at.path;
        if (st == ST_OK)
            probe.version = (long)(l->cublaslt_version = l->cublaslt.cublasLtGetVersion());
    }
    if (st == ST_OK)
        st = gpu_ladder_cublaslt(&probe, CUDART_VERSION, &err);
    l->has_cublaslt = st == ST_OK;
    if (st != ST_OK)
        warn(l, "%s", err.text);
}

enum status gpu_libraries_open(struct gpu_libraries **out, const struct library_search *search,
                               struct err *err)
{
    *out = NULL;
    struct gpu_libraries *l = calloc(1, sizeof *l);
    if (!l)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory for the table of the GPU libraries");
    enum status st = open_cudnn(l, search, err);
    if (st != ST_OK) {
        gpu_libraries_close(l);
        return st;
    }
    warn_of_cudnn(l);
    open_cublaslt(l, search);
    *out = l;
    return ST_OK;
}

void gpu_libraries_close(struct gpu_libraries *l)
{
    if (!l)
        return;
    if (l->cublaslt_handle)
        l->cublaslt.cublasLtDestroy(l->cublaslt_handle);
    for (int i = 0; i < l->cudnn_sides; i++)
        l->cudnn.cudnnDestroy(l->cudnn_side[i].handle);
    if (l->cudnn_handle)
        l->cudnn.cudnnDestroy(l->cudnn_handle);
    cudnn_destroy(&l->cudnn, l->device);
    library_found_close(&l->cublaslt_at);
    library_found_close(&l->cudnn_at);
    free(l);
}

/* The description is final after its one attribute. */
static enum status describe_device(struct gpu_libraries *l, cudnnBackendAttributeName_t name,
                                   cudnnBackendAttributeType_t type, int64_t count, const void *value,
                                   struct err *err)
{
    cudnnBackendDescriptor_t device;
    enum status st = cudnn_create(&l->cudnn, &device, CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, err);
    if (st == ST_OK)
        st = cudnn_set(&l->cudnn, device, name, type, count, value, err);
    if (st == ST_OK)
        st = cudnn_finalize(&l->cudnn, device, "a device description", err);
    if (st == ST_OK)
        l->device = device;
    else
        cudnn_destroy(&l->cudnn, device);
    return st;
}

static enum status make_handles(struct gpu_libraries *l, struct err *err)
{
    cudnnStatus_t code = l->cudnn.cudnnCreate(&l->cudnn_handle);
    const struct gpu_library_probe probe = { .found = true, .tried = l->cudnn_at.path,
                                             .version = (long)l->cudnn_version, .code = (int)code };
    if (code == CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH || code == CUDNN_STATUS_SUBLIBRARY_LOADING_FAILED)
        return gpu_ladder_cudnn(&probe, err);
    enum status st = cudnn_check(&l->cudnn, code, "cudnnCreate", err);
    if (st != ST_OK || !l->has_cublaslt)
        return st;
    return cublaslt_check(&l->cublaslt, l->cublaslt.cublasLtCreate(&l->cublaslt_handle), "cublasLtCreate",
                          err);
}

enum status gpu_libraries_use_device(struct gpu_libraries *l, int device, struct err *err)
{
    enum status st = make_handles(l, err);
    if (st != ST_OK)
        return st;
    int32_t id = device;
    return describe_device(l, CUDNN_ATTR_DEVICEPROP_DEVICE_ID, CUDNN_TYPE_INT32, 1, &id, err);
}

cudnnHandle_t gpu_libraries_handle(const struct gpu_libraries *l, cudaStream_t stream)
{
    for (int i = 0; i < l->cudnn_sides; i++)
        if (l->cudnn_side[i].stream == stream)
            return l->cudnn_side[i].handle;
    return l->cudnn_handle;
}

enum status gpu_libraries_add_stream(struct gpu_libraries *l, cudaStream_t stream, struct err *err)
{
    if (gpu_libraries_handle(l, stream) != l->cudnn_handle)
        return ST_OK;
    if (l->cudnn_sides == LIBRARY_STREAMS_MAX)
        return err_set(err, ST_INTERNAL, "no more than %d streams beside the first", LIBRARY_STREAMS_MAX);
    cudnnHandle_t handle = NULL;
    enum status st = cudnn_check(&l->cudnn, l->cudnn.cudnnCreate(&handle), "cudnnCreate", err);
    if (st == ST_OK) {
        l->cudnn_side[l->cudnn_sides].stream = stream;
        l->cudnn_side[l->cudnn_sides++].handle = handle;
    }
    return st;
}

enum status gpu_libraries_use_json(struct gpu_libraries *l, const char *json, struct err *err)
{
    enum status st = describe_device(l, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
                                     (int64_t)strlen(json), json, err);
    if (st != ST_INTERNAL)
        return st;
    err_prefix(err, "this cuDNN does not take our description of a device");
    if (err)
        err->status = ST_UNSUPPORTED;
    return ST_UNSUPPORTED;
}

char *gpu_libraries_device_json(const struct gpu_libraries *l, struct err *err)
{
    return cudnn_get_text(&l->cudnn, l->device, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION,
                          "the device description", err);
}
