/* timing.h - device times of one iteration's stages, by events on the stream.
 * timing_new .. timing_free owns the events. */
#ifndef CUDA_TIMING_H
#define CUDA_TIMING_H

#include "kernels/cuda/device.h"

enum timing_stage { TIMING_H2D, TIMING_COMPUTE, TIMING_D2H, TIMING_STAGES };

struct timing {
    cudaEvent_t begin[TIMING_STAGES], end[TIMING_STAGES];
};

enum status timing_new(struct timing *out, struct gpu_device *d, struct err *err);
void timing_free(struct timing *t, const struct gpu_device *d); /* of one that is all zero: nothing */
/* ns between two recorded events, both done. */
enum status timing_between(uint64_t *ns, cudaEvent_t begin, cudaEvent_t end, struct gpu_device *d, struct err *err);

#endif
