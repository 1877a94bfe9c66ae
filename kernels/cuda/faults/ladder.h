/* ladder.h - why this machine cannot run the CUDA engine, in one sentence: the first rung that fails, with
 * both versions. Asked in `hello` and again when a context is made. A pure function of what the probes
 * returned; the caller fills the structs and keeps the strings alive for the call. */
#ifndef CUDA_LADDER_H
#define CUDA_LADDER_H

#include <stdbool.h>

#include "kernels/base/err.h"

/* A field that was not probed is 0, "" or NULL. */
struct gpu_probes {
    int driver_code;              /* what cudaDriverGetVersion returned */
    int driver_version;           /* what it gave: 12040 is CUDA 12.4; 0: no driver library */
    int runtime_version;          /* cudaRuntimeGetVersion: what this build needs */
    bool nvml_found;              /* libnvidia-ml.so.1 could be opened */
    int  nvml_code;               /* what nvmlInit_v2 or the first device call returned */
    const char *module_version;   /* of the loaded kernel module: "570.86.15" */
    const char *library_version;  /* of the user-space libraries: "570.133.20" */
    int count_code, devices;      /* cudaGetDeviceCount */
    int context_code;             /* of the first call that needs a context; 0 also before it was tried */
    const char *context_call;     /* that call's name; NULL: not tried */
    const char *archs;            /* compute capabilities built in: "75 80 86 89 90 100 120" */
    int sm;                       /* the device's, 86; 0 before there is one */
};

/* ST_OK, or ST_ENVIRONMENT, ST_DEVICE_LOST (NVML 15, 16), ST_OUT_OF_MEMORY (no memory left for a context),
 * ST_INTERNAL with the sentence, api and code in err (may be NULL). Every sentence ends with "(CUDA 803)" or
 * "(NVML 18)". */
enum status gpu_ladder(const struct gpu_probes *probes, struct err *err);

#define GPU_CUDNN_NEEDED 90800    /* device property descriptors */

/* One of the two libraries that are opened at run time. */
struct gpu_library_probe {
    bool found;                   /* opened, every function in it */
    const char *tried;            /* the paths tried, or the loader's error */
    long version; /* as the library counts: cuDNN 91900 is 9.19.0; cuBLASLt 130001 is 13.0.1 */
    int  code;                    /* what creating a handle returned */
};

/* cuDNN: missing, not of major 9, older than GPU_CUDNN_NEEDED, or its parts do not fit (1002, 1008):
 * ST_ENVIRONMENT with the paths tried, the version found and the one needed; other codes as errors.h has
 * them. */
enum status gpu_ladder_cudnn(const struct gpu_library_probe *cudnn, struct err *err);

/* cuBLASLt is not needed; a reason here is a warning. ST_ENVIRONMENT: missing, or not of CUDA's major
 * version of the runtime (cudaRuntimeGetVersion) this build has; other codes as errors.h has them. */
enum status gpu_ladder_cublaslt(const struct gpu_library_probe *cublaslt, int runtime_version,
                                struct err *err);

#endif
