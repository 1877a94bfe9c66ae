#include "kernels/cuda/library/cudnn_api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/symbols.h"
#include "kernels/cuda/faults/errors.h"

#define REASONS_MAX 700     /* of the library's chain: the sentence has ERR_TEXT_MAX */

enum status cudnn_api_load(struct cudnn_api *api, void *library, const char *path, struct err *err)
{
    const char *missing = NULL;
#define X(name) \
    if (!symbol_find(&api->name, library, #name) && !missing) \
        missing = #name;
    CUDNN_CALLS(X)
#undef X
    if (!missing)
        return ST_OK;
    return err_set(err, ST_ENVIRONMENT, "cuDNN: %s has no %s: install cuDNN 9.8 or newer", path, missing);
}

enum status cudnn_check(const struct cudnn_api *api, cudnnStatus_t code, const char *what, struct err *err)
{
    if (code == CUDNN_STATUS_SUCCESS)
        return ST_OK;
    char reasons[REASONS_MAX] = "";
    api->cudnnGetLastErrorString(reasons, sizeof reasons);
    reasons[sizeof reasons - 1] = 0;
    return gpu_error_set(err, FAULT_CUDNN, (int)code, true, what, reasons[0] ? reasons : NULL);
}

enum status cudnn_create(const struct cudnn_api *api, cudnnBackendDescriptor_t *out,
                         cudnnBackendDescriptorType_t type, struct err *err)
{
    *out = NULL;
    return cudnn_check(api, api->cudnnBackendCreateDescriptor(type, out), "cudnnBackendCreateDescriptor",
                       err);
}

enum status cudnn_set(const struct cudnn_api *api, cudnnBackendDescriptor_t descriptor,
                      cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t count,
                      const void *values, struct err *err)
{
    return cudnn_check(api, api->cudnnBackendSetAttribute(descriptor, name, type, count, values),
                       "cudnnBackendSetAttribute", err);
}

enum status cudnn_get(const struct cudnn_api *api, cudnnBackendDescriptor_t descriptor,
                      cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t room,
                      int64_t *count, void *values, struct err *err)
{
    return cudnn_check(api, api->cudnnBackendGetAttribute(descriptor, name, type, room, count, values),
                       "cudnnBackendGetAttribute", err);
}

enum status cudnn_finalize(const struct cudnn_api *api, cudnnBackendDescriptor_t descriptor, const char *what,
                           struct err *err)
{
    char call[96];
    snprintf(call, sizeof call, "cudnnBackendFinalize of %s", what);
    return cudnn_check(api, api->cudnnBackendFinalize(descriptor), call, err);
}

void cudnn_destroy(const struct cudnn_api *api, cudnnBackendDescriptor_t descriptor)
{
    if (descriptor)
        api->cudnnBackendDestroyDescriptor(descriptor);
}

char *cudnn_get_text(const struct cudnn_api *api, cudnnBackendDescriptor_t descriptor,
                     cudnnBackendAttributeName_t name, const char *what, struct err *err)
{
    int64_t size = 0;
    if (cudnn_get(api, descriptor, name, CUDNN_TYPE_CHAR, 0, &size, NULL, err))
        return NULL;
    char *text = calloc(1, (size_t)size + 1);
    if (!text) {
        err_set(err, ST_OUT_OF_MEMORY, "%s: no memory for a text of %lld bytes", what, (long long)size);
        return NULL;
    }
    if (cudnn_get(api, descriptor, name, CUDNN_TYPE_CHAR, size, &size, text, err)) {
        free(text);
        return NULL;
    }
    return text;
}
