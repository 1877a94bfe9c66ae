/* device.h - the GPUs of this machine, found without taking memory on them, and the context on one of them.
 * gpu_device_open .. gpu_device_close owns the context, NVML and the stream; gpu_devices_find owns nothing. */
#ifndef CUDA_DEVICE_H
#define CUDA_DEVICE_H

#include <cuda_runtime_api.h>

#include "kernels/base/nvml.h"
#include "kernels/cuda/passes/limits.h"
#include "kernels/cuda/tune/predict.h"

#define GPU_DEVICES_MAX 16
#define GPU_LANES_MAX 4             /* streams on which kernels may run at a time: HRNet has four branches */

struct gpu_card {
    int      index;
    char     id[16];                 /* "cuda:0" */
    char     name[96], uuid[48];     /* uuid as NVML writes it: "GPU-..." */
    uint64_t memory_bytes;
    struct gpu_limits limits;
    struct gpu_speed speed;
};

/* What is installed, beside the cards. */
struct gpu_driver {
    int  driver, runtime;            /* 13000 is CUDA 13.0; driver 0: none */
    char module[NVML_TEXT_MAX];      /* of the loaded kernel module; "" unknown */
};

/* All cards, without making a context. ST_ENVIRONMENT or ST_DEVICE_LOST with the first rung of the ladder that fails;
 * *driver is filled as far as it could be asked in every case. */
enum status gpu_devices_find(struct gpu_card cards[GPU_DEVICES_MAX], int *count, struct gpu_driver *driver,
                             struct err *err);

struct gpu_device {
    struct gpu_card card;
    struct gpu_driver driver;
    struct nvml nvml;                /* not open: memory is told by differences of free memory only */
    struct nvmlDevice_st *nvml_device;
    cudaStream_t stream;             /* on which everything runs, but for the branches of gpu_device_lanes */
    cudaStream_t side[GPU_LANES_MAX - 1]; /* NULL before gpu_device_lanes */
    bool has_context;                /* one that this struct made */
    bool lost;                       /* nothing of CUDA may be called any more */
    uint64_t context_bytes;          /* what the context took; 0: not known (no NVML) */
    uint64_t free_before;            /* on the device, right after the context existed and less what it took */
};

/* The context on card `index`; waiting threads spin, so that waking up is in no measured time. Statuses of the ladder,
 * ST_OUT_OF_MEMORY. */
enum status gpu_device_open(struct gpu_device *out, const struct gpu_card *card, const struct gpu_driver *driver,
                            struct err *err);
/* Streams for `lanes` branches, lane 0 being d->stream; those that are there stay. ST_OUT_OF_MEMORY, ST_DEVICE_LOST. */
enum status gpu_device_lanes(struct gpu_device *d, int lanes, struct err *err);
cudaStream_t gpu_device_lane(const struct gpu_device *d, int lane);
void gpu_device_close(struct gpu_device *d);     /* of one that is all zero: nothing; of a lost one: NVML only */

/* Half a sentence with the capabilities that this build has code for: "75 80 86 89 90". */
const char *gpu_device_archs(void);

/* The sentence for the error of a runtime call; ST_OK for cudaSuccess. Asks the device whether the error comes back:
 * then ST_DEVICE_LOST, and d->lost. detail may be NULL. No capture may be running. */
enum status gpu_check(struct gpu_device *d, cudaError_t code, const char *call, const char *detail, struct err *err);
/* After anything failed with `st`, whose sentence is in err: the same question. Returns st or ST_DEVICE_LOST. */
enum status gpu_settle(struct gpu_device *d, enum status st, struct err *err);

#endif
