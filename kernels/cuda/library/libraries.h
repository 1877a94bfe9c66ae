/* libraries.h - cuDNN and cuBLASLt, opened at run time: their calls, versions, paths, and the device they
 * plan for. What gpu_libraries_open gives, gpu_libraries_close takes back, with everything _use_ made; both
 * only in one thread. A program that only builds plans needs no device and no driver. */
#ifndef CUDA_LIBRARIES_H
#define CUDA_LIBRARIES_H

#include "kernels/cuda/library/cublaslt_api.h"
#include "kernels/cuda/library/cudnn_api.h"
#include "kernels/cuda/library/library_find.h"

#define LIBRARY_WARNING_MAX 1024
#define LIBRARY_STREAMS_MAX 3               /* besides the first: what cudnn_side has room for */

struct gpu_libraries {
    struct cudnn_api    cudnn;
    struct cublaslt_api cublaslt;           /* usable only if has_cublaslt */
    bool has_cublaslt;
    struct library_found cudnn_at, cublaslt_at;
    size_t cudnn_version;                   /* 91900 is 9.19.0 */
    size_t cublaslt_version;                /* 130100 is 13.1.0; 0 without the library */
    char warning[LIBRARY_WARNING_MAX];      /* sentences for people, "" if there is none */

    /* after _use_device or _use_json: what plans are built for */
    cudnnBackendDescriptor_t device;
    /* after _use_device only: what plans run with. NULL: they can be built, not run */
    cudnnHandle_t    cudnn_handle;
    struct {
        cudaStream_t  stream;
        cudnnHandle_t handle;
    } cudnn_side[LIBRARY_STREAMS_MAX];      /* after gpu_libraries_add_stream; cuBLASLt has no state of a stream */
    int cudnn_sides;
    cublasLtHandle_t cublaslt_handle;       /* also NULL without cuBLASLt */
};

/* Opens both libraries; touches no device. ST_ENVIRONMENT as gpu_ladder_cudnn says: cuDNN was not found
 * (every path tried), is not of major 9 or too old (version found and needed). Without cuBLASLt, or with one
 * of another CUDA major, it is left out with a warning. *out is NULL on failure. */
enum status gpu_libraries_open(struct gpu_libraries **out, const struct library_search *search,
                               struct err *err);
void gpu_libraries_close(struct gpu_libraries *libraries); /* NULL is allowed */

/* Plans are built for this device and run on it. The CUDA context exists already (cudaSetDevice).
 * ST_ENVIRONMENT, ST_OUT_OF_MEMORY. Only one of _use_device and _use_json, once. */
enum status gpu_libraries_use_device(struct gpu_libraries *libraries, int device, struct err *err);
/* A handle of its own for a stream on which plans run beside others: a handle's inner streams would make them wait for
 * each other. Of one that is known already: nothing. ST_OUT_OF_MEMORY, ST_ENVIRONMENT. */
enum status gpu_libraries_add_stream(struct gpu_libraries *libraries, cudaStream_t stream, struct err *err);
/* The handle for this stream: its own, or the first one. */
cudnnHandle_t gpu_libraries_handle(const struct gpu_libraries *libraries, cudaStream_t stream);
/* Plans are built for the device that this JSON text describes (device_json.h). ST_UNSUPPORTED: this cuDNN
 * does not take such a description. */
enum status gpu_libraries_use_json(struct gpu_libraries *libraries, const char *json, struct err *err);
/* The description of the device in use, in cuDNN's own words; the caller frees. NULL with err. */
char *gpu_libraries_device_json(const struct gpu_libraries *libraries, struct err *err);

#endif
