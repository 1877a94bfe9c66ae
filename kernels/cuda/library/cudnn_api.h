/* cudnn_api.h - the calls of cuDNN's graph library that we use, looked up by name. Each name stands once, in
 * CUDNN_CALLS: that makes the typed pointer, the lookup and the text of a missing one. */
#ifndef CUDA_CUDNN_API_H
#define CUDA_CUDNN_API_H

#include <cudnn_graph.h>

#include "kernels/base/err.h"

#define CUDNN_CALLS(X) \
    X(cudnnCreate) X(cudnnDestroy) X(cudnnSetStream) \
    X(cudnnGetVersion) X(cudnnGetCudartVersion) X(cudnnGetMaxDeviceVersion) \
    X(cudnnGetErrorString) X(cudnnGetLastErrorString) \
    X(cudnnBackendCreateDescriptor) X(cudnnBackendDestroyDescriptor) X(cudnnBackendSetAttribute) \
    X(cudnnBackendGetAttribute) X(cudnnBackendFinalize) X(cudnnBackendExecute)

struct cudnn_api {
#define X(name) __typeof__(&name) name;
    CUDNN_CALLS(X)
#undef X
};

/* Fills every pointer from the library that dlopen gave; path only for the message. ST_ENVIRONMENT names a
 * missing call: then *api is unusable. */
enum status cudnn_api_load(struct cudnn_api *api, void *library, const char *path, struct err *err);

/* What a failed call means (errors.h), with the library's own chain of reasons in the sentence. For
 * CUDNN_STATUS_SUCCESS ST_OK, err untouched. */
enum status cudnn_check(const struct cudnn_api *api, cudnnStatus_t code, const char *what, struct err *err);

/* The calls that make, fill, read and finish a descriptor, each failure as cudnn_check says. *out is NULL
 * then. */
enum status cudnn_create(const struct cudnn_api *api, cudnnBackendDescriptor_t *out,
                         cudnnBackendDescriptorType_t type, struct err *err);
enum status cudnn_set(const struct cudnn_api *api, cudnnBackendDescriptor_t descriptor,
                      cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t count,
                      const void *values, struct err *err);
/* room 0 asks for the number alone; values may be NULL then. */
enum status cudnn_get(const struct cudnn_api *api, cudnnBackendDescriptor_t descriptor,
                      cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t room,
                      int64_t *count, void *values, struct err *err);
/* what: "the operation graph" */
enum status cudnn_finalize(const struct cudnn_api *api, cudnnBackendDescriptor_t descriptor, const char *what,
                           struct err *err);
void cudnn_destroy(const struct cudnn_api *api, cudnnBackendDescriptor_t descriptor); /* NULL is allowed */
/* A text attribute (CUDNN_TYPE_CHAR) of a final descriptor; `what` for the message. The caller frees. NULL
 * with err. */
char *cudnn_get_text(const struct cudnn_api *api, cudnnBackendDescriptor_t descriptor,
                     cudnnBackendAttributeName_t name, const char *what, struct err *err);

#endif
