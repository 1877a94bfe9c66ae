/* errors.h - what an error number of CUDA, NVML, cuDNN or cuBLASLt means for us: which outcome it is, and
 * whether the process can go on. Pure functions of numbers; nothing here calls a library or includes a
 * header of one. */
#ifndef CUDA_ERRORS_H
#define CUDA_ERRORS_H

#include <stdbool.h>

#include "kernels/base/err.h"

/* Whose number it is; the lists differ: 18 is NVML's mismatch. */
enum fault_api { FAULT_CUDA, FAULT_NVML, FAULT_CUDNN, FAULT_CUBLASLT };

struct gpu_fault {
    enum status status; /* ST_OK for 0; ST_OUT_OF_MEMORY, ST_DEVICE_LOST, ST_ENVIRONMENT, ST_UNSUPPORTED,
                           ST_INTERNAL */
    bool sticky;         /* every later CUDA call fails too: answer, flush, _exit(3) without CUDA teardown */
    bool ask_device;     /* the number alone does not tell: see gpu_fault_settle */
    const char *name;    /* "cudaErrorMemoryAllocation"; "" where we have none */
};

/* The protocol's word: "cuda", "nvml", "cudnn", "cublaslt". */
const char *fault_api_name(enum fault_api api);

/* What `code` of that library means. `context`: a CUDA context exists in this process (after the first call
 * that takes device memory). ST_UNSUPPORTED is a candidate to drop; an error for the user only if none is
 * left. */
struct gpu_fault gpu_fault_of(enum fault_api api, int code, bool context);

/* After an error with `ask_device`, the caller ends and discards a running capture, calls cudaGetLastError
 * and then cudaDeviceSynchronize; `again` is what the latter returned. An error that comes back is sticky:
 * the answer is then ST_DEVICE_LOST, else the first one unchanged. */
struct gpu_fault gpu_fault_settle(struct gpu_fault first, int again);

/* Writes the sentence "CALL: DETAIL NAME (CUDA 2)" with api and code into err and returns the fault's
 * status; ST_OK writes nothing. `call` is the function that returned the code; `detail` (bytes asked, free
 * and planned; the library's chain of reasons) may be NULL, and so may err. */
enum status gpu_fault_set(struct err *err, enum fault_api api, int code, struct gpu_fault fault,
                          const char *call, const char *detail);

/* gpu_fault_of and gpu_fault_set in one, for callers that need no settling. */
enum status gpu_error_set(struct err *err, enum fault_api api, int code, bool context, const char *call,
                          const char *detail);

#endif
