/* memory.h - memory on the GPU and pinned memory on the host, every byte of it accounted for.
 * What gpu_block_new and gpu_pinned_new give, _free takes back. */
#ifndef CUDA_MEMORY_H
#define CUDA_MEMORY_H

#include "kernels/cuda/device.h"

/* What this process holds on the device. */
struct gpu_memory {
    struct gpu_device *device;      /* borrowed */
    uint64_t allocated;             /* sum of our own blocks */
    uint64_t peak;                  /* highest reading since the last answer; see gpu_memory_note */
    bool foreign;                   /* another process was on the device at some reading */
};

struct gpu_block {
    void *data;                     /* NULL: nothing */
    size_t bytes;
};

/* `bytes` of device memory, aligned to 256; 0 bytes give data NULL. `what` stands in the sentence: "the arena".
 * ST_OUT_OF_MEMORY with asked and free bytes. *out is all zero on failure. */
enum status gpu_block_new(struct gpu_block *out, struct gpu_memory *m, size_t bytes, const char *what,
                          struct err *err);
void gpu_block_free(struct gpu_block *b, struct gpu_memory *m);      /* empty ones too; b is empty afterwards */

/* Pinned: the device copies from and to it by itself. Not in `allocated`. */
enum status gpu_pinned_new(struct gpu_block *out, struct gpu_memory *m, size_t bytes, const char *what,
                           struct err *err);
void gpu_pinned_free(struct gpu_block *b, struct gpu_memory *m);

/* Free memory of the device, as the driver says. */
enum status gpu_memory_free_bytes(uint64_t *out, struct gpu_memory *m, struct err *err);

/* One reading of what this process holds: NVML per process where that works, else what the device lost since before the
 * context. *source: "nvml_process" or "device_delta". */
enum status gpu_memory_read(uint64_t *out, const char **source, struct gpu_memory *m, struct err *err);
/* A reading that only counts for the peak; what cannot be read is left out. */
void gpu_memory_note(struct gpu_memory *m);

#endif
