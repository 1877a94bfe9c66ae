/* device_json.h - a GPU described in cuDNN's words, so that plans for it can be built where there is none.
 * Filled in by hand from public figures. */
#ifndef CUDA_DEVICE_JSON_H
#define CUDA_DEVICE_JSON_H

#include <stddef.h>

#include "kernels/cuda/passes/limits.h"

#define DEVICE_JSON_MAX 2048

struct device_card {
    const char *key;            /* "h100" */
    const char *name;           /* "NVIDIA H100 80GB HBM3" */
    struct gpu_limits limits;
    int sm_clock_khz, memory_clock_khz;
    size_t memory_bytes;
};

extern const struct device_card device_cards[];     /* sm_90, sm_80, sm_86 */
extern const size_t device_cards_count;

/* The text for gpu_libraries_use_json; out has DEVICE_JSON_MAX bytes. */
void device_json_write(char *out, const struct device_card *card);

#endif
