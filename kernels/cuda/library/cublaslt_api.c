#include "kernels/cuda/library/cublaslt_api.h"

#include "kernels/base/symbols.h"
#include "kernels/cuda/faults/errors.h"

enum status cublaslt_api_load(struct cublaslt_api *api, void *library, const char *path, struct err *err)
{
    const char *missing = NULL;
#define X(name) \
    if (!symbol_find(&api->name, library, #name) && !missing) \
        missing = #name;
    CUBLASLT_CALLS(X)
#undef X
    if (!missing)
        return ST_OK;
    return err_set(err, ST_ENVIRONMENT, "cuBLASLt: %s has no %s: install cuBLAS of CUDA %d", path, missing,
                   CUBLAS_VER_MAJOR);
}

enum status cublaslt_check(const struct cublaslt_api *api, cublasStatus_t code, const char *what,
                           struct err *err)
{
    if (code == CUBLAS_STATUS_SUCCESS)
        return ST_OK;
    return gpu_error_set(err, FAULT_CUBLASLT, (int)code, true, what, api->cublasLtGetStatusString(code));
}
