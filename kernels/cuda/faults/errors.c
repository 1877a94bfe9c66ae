#include "kernels/cuda/faults/errors.h"

#include <stddef.h>
#include <stdio.h>

#include "kernels/base/len.h"

/* One row per number or range that is not ST_INTERNAL. `before` is the outcome while no context exists,
 * `after` with one. The last row that is left is "anything else". */
struct fault_row {
    enum fault_api api;
    int first, last;
    enum status before, after;
    bool sticky;
    const char *name;
};

#define OOM    ST_OUT_OF_MEMORY
#define LOST   ST_DEVICE_LOST
#define ENV    ST_ENVIRONMENT
#define DROP   ST_UNSUPPORTED
#define BROKEN ST_INTERNAL

static const struct fault_row rows[] = {
    { FAULT_CUDA, 2, 2, OOM, OOM, false, "cudaErrorMemoryAllocation" },
    { FAULT_CUDA, 3, 3, ENV, BROKEN, false, "cudaErrorInitializationError" },
    { FAULT_CUDA, 34, 34, ENV, ENV, false, "cudaErrorStubLibrary" },
    { FAULT_CUDA, 35, 35, ENV, ENV, false, "cudaErrorInsufficientDriver" },
    { FAULT_CUDA, 46, 46, ENV, ENV, false, "cudaErrorDevicesUnavailable" },
    { FAULT_CUDA, 100, 100, ENV, ENV, false, "cudaErrorNoDevice" },
    { FAULT_CUDA, 209, 209, ENV, ENV, false, "cudaErrorNoKernelImageForDevice" },
    { FAULT_CUDA, 222, 222, ENV, ENV, false, "cudaErrorUnsupportedPtxVersion" },
    { FAULT_CUDA, 802, 802, ENV, ENV, false, "cudaErrorSystemNotReady" },
    { FAULT_CUDA, 803, 803, ENV, ENV, false, "cudaErrorSystemDriverMismatch" },
    { FAULT_CUDA, 804, 804, ENV, ENV, false, "cudaErrorCompatNotSupportedOnDevice" },
    { FAULT_CUDA, 805, 805, ENV, ENV, false, "cudaErrorMpsConnectionFailed" },
    { FAULT_CUDA, 214, 214, LOST, LOST, true, "cudaErrorECCUncorrectable" },
    { FAULT_CUDA, 220, 220, LOST, LOST, true, "cudaErrorNvlinkUncorrectable" },
    { FAULT_CUDA, 226, 226, LOST, LOST, true, "cudaErrorContained" },
    { FAULT_CUDA, 700, 700, LOST, LOST, true, "cudaErrorIllegalAddress" },
    { FAULT_CUDA, 702, 702, LOST, LOST, true, "cudaErrorLaunchTimeout" },
    { FAULT_CUDA, 710, 710, LOST, LOST, true, "cudaErrorAssert" },
    { FAULT_CUDA, 714, 714, LOST, LOST, true, "cudaErrorHardwareStackError" },
    { FAULT_CUDA, 715, 715, LOST, LOST, true, "cudaErrorIllegalInstruction" },
    { FAULT_CUDA, 716, 716, LOST, LOST, true, "cudaErrorMisalignedAddress" },
    { FAULT_CUDA, 717, 717, LOST, LOST, true, "cudaErrorInvalidAddressSpace" },
    { FAULT_CUDA, 718, 718, LOST, LOST, true, "cudaErrorInvalidPc" },
    { FAULT_CUDA, 719, 719, LOST, LOST, true, "cudaErrorLaunchFailure" },
    { FAULT_CUDA, 999, 999, ENV, LOST, true, "cudaErrorUnknown" },

    { FAULT_NVML, 4, 4, ENV, ENV, false, "NVML_ERROR_NO_PERMISSION" },
    { FAULT_NVML, 9, 9, ENV, ENV, false, "NVML_ERROR_DRIVER_NOT_LOADED" },
    { FAULT_NVML, 12, 12, ENV, ENV, false, "NVML_ERROR_LIBRARY_NOT_FOUND" },
    { FAULT_NVML, 15, 15, LOST, LOST, true, "NVML_ERROR_GPU_IS_LOST" },
    { FAULT_NVML, 16, 16, LOST, LOST, true, "NVML_ERROR_RESET_REQUIRED" },
    { FAULT_NVML, 17, 17, ENV, ENV, false, "NVML_ERROR_OPERATING_SYSTEM" },
    { FAULT_NVML, 18, 18, ENV, ENV, false, "NVML_ERROR_LIB_RM_VERSION_MISMATCH" },

    { FAULT_CUDNN, 1002, 1002, ENV, ENV, false, "CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH" },
    { FAULT_CUDNN, 1008, 1008, ENV, ENV, false, "CUDNN_STATUS_SUBLIBRARY_LOADING_FAILED" },
    { FAULT_CUDNN, 3000, 3999, DROP, DROP, false, "CUDNN_STATUS_NOT_SUPPORTED" },
    { FAULT_CUDNN, 4001, 4001, DROP, DROP, false, "CUDNN_STATUS_INTERNAL_ERROR_COMPILATION_FAILED" },
    { FAULT_CUDNN, 4003, 4003, OOM, OOM, false, "CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED" },
    { FAULT_CUDNN, 4004, 4004, OOM, OOM, false, "CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED" },

    { FAULT_CUBLASLT, 3, 3, OOM, OOM, false, "CUBLAS_STATUS_ALLOC_FAILED" },
    { FAULT_CUBLASLT, 15, 15, DROP, DROP, false, "CUBLAS_STATUS_NOT_SUPPORTED" },
};

#undef OOM
#undef LOST
#undef ENV
#undef DROP
#undef BROKEN

static const struct {
    const char *word, *label; /* in the protocol; before the number in a sentence */
} apis[] = {
    [FAULT_CUDA] = { "cuda", "CUDA" },
    [FAULT_NVML] = { "nvml", "NVML" },
    [FAULT_CUDNN] = { "cudnn", "cuDNN" },
    [FAULT_CUBLASLT] = { "cublaslt", "cuBLASLt" },
};

const char *fault_api_name(enum fault_api api)
{
    return apis[api].word;
}

/* Whether the library ran something on the device or called CUDA, so that a broken device may stand behind
 * it. */
static bool may_hide_device(enum fault_api api, int code)
{
    switch (api) {
    case FAULT_CUDA:     return true;
    case FAULT_CUDNN:    return code >= 4000 && code < 6000;
    case FAULT_CUBLASLT: return code == 13 || code == 14 || code == 3 || code == 11;
    case FAULT_NVML:     return false;
    }
    return false;
}

struct gpu_fault gpu_fault_of(enum fault_api api, int code, bool context)
{
    if (code == 0)
        return (struct gpu_fault){ .status = ST_OK, .name = "" };
    struct gpu_fault fault = { .status = ST_INTERNAL, .name = "" };
    for (size_t i = 0; i < LEN(rows); i++) {
        const struct fault_row *row = &rows[i];
        if (row->api != api || code < row->first || code > row->last)
            continue;
        fault.status = context ? row->after : row->before;
        fault.sticky = row->sticky && fault.status == ST_DEVICE_LOST;
        fault.name = row->name;
    }
    fault.ask_device = context && !fault.sticky && may_hide_device(api, code);
    return fault;
}

struct gpu_fault gpu_fault_settle(struct gpu_fault first, int again)
{
    if (first.status == ST_OK || !first.ask_device || again == 0)
        return first;
    first.status = ST_DEVICE_LOST;
    first.sticky = true;
    first.ask_device = false;
    return first;
}

enum status gpu_fault_set(struct err *err, enum fault_api api, int code, struct gpu_fault fault,
                          const char *call, const char *detail)
{
    if (fault.status == ST_OK || !err)
        return fault.status;
    bool named = fault.name && *fault.name, detailed = detail && *detail;
    err_set(err, fault.status, "%s: %s%s%s (%s %d)", call, detailed ? detail : "", detailed ? ", " : "",
            named ? fault.name : "failed", apis[api].label, code);
    snprintf(err->api, sizeof err->api, "%s", apis[api].word);
    err->code = code;
    return fault.status;
}

enum status gpu_error_set(struct err *err, enum fault_api api, int code, bool context, const char *call,
                          const char *detail)
{
    return gpu_fault_set(err, api, code, gpu_fault_of(api, code, context), call, detail);
}
