/* cublaslt_api.h - the calls of cuBLASLt that we use, looked up by name. Each name stands once, in
 * CUBLASLT_CALLS: that makes the typed pointer, the lookup and the text of a missing one. */
#ifndef CUDA_CUBLASLT_API_H
#define CUDA_CUBLASLT_API_H

#include <cublasLt.h>

#include "kernels/base/err.h"

#define CUBLASLT_CALLS(X) \
    X(cublasLtCreate) X(cublasLtDestroy) X(cublasLtGetVersion) X(cublasLtGetCudartVersion) \
    X(cublasLtGetStatusName) X(cublasLtGetStatusString) \
    X(cublasLtMatmulDescCreate) X(cublasLtMatmulDescDestroy) X(cublasLtMatmulDescSetAttribute) \
    X(cublasLtMatrixLayoutCreate) X(cublasLtMatrixLayoutDestroy) X(cublasLtMatrixLayoutSetAttribute) \
    X(cublasLtMatmulPreferenceCreate) X(cublasLtMatmulPreferenceDestroy) \
    X(cublasLtMatmulPreferenceSetAttribute) \
    X(cublasLtMatmulAlgoGetHeuristic) X(cublasLtMatmulAlgoConfigGetAttribute) X(cublasLtMatmulAlgoCheck) \
    X(cublasLtMatmul)

struct cublaslt_api {
#define X(name) __typeof__(&name) name;
    CUBLASLT_CALLS(X)
#undef X
};

/* As cudnn_api_load. */
enum status cublaslt_api_load(struct cublaslt_api *api, void *library, const char *path, struct err *err);

/* What a failed call means (errors.h). For CUBLAS_STATUS_SUCCESS ST_OK, err untouched. */
enum status cublaslt_check(const struct cublaslt_api *api, cublasStatus_t code, const char *what,
                           struct err *err);

#endif
