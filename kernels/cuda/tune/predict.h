/* predict.h - what a step should take and what a batch size should need, before anything runs: arithmetic of
 * shape and device, so that tuning spends its time where it counts and memory is refused before it is asked
 * for. Pure functions; nothing is owned. */
#ifndef CUDA_PREDICT_H
#define CUDA_PREDICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/base/err.h"
#include "kernels/cuda/passes/limits.h"
#include "kernels/lower/conv_shape.h"

/* What the device reaches at best. */
struct gpu_speed {
    double flops[GPU_BF16 + 1];   /* per second, dense, by enum gpu_math; 0: has no such arithmetic */
    double bytes_per_s;           /* achievable: 0.9 of what clock and bus width give */
    int    multiprocessors;
};

/* From the numbers that the driver reports: core clock and memory clock in kHz, bus width in bits.
 * Architectures that are not in the table count as the newest one below them. */
struct gpu_speed predict_speed(int sm, int multiprocessors, int clock_khz, int memory_khz, int bus_bits);

/* One convolution for the shape's whole batch: max(compute at 60 % of the tensor peak (80 % for f32) in whole
 * waves of tiles, each operand once over the memory, 2.5 us). f32 has no tile quantisation. In ns. */
double predict_conv_ns(const struct conv_shape *shape, enum gpu_math math, const struct gpu_speed *speed);
/* One pass over `bytes`: max(bytes / bandwidth, 2.5 us). */
double predict_pass_ns(size_t bytes, const struct gpu_speed *speed);

/* planned(b) = context + weights + b * arena + workspace(b) + io(b), bytes on the device. */
struct predict_memory {
    uint64_t context;             /* measured; 0: not known */
    uint64_t weights;
    uint64_t arena_image;         /* for one image */
    uint64_t workspace;           /* the cap while tuning, then the largest of the winners; of all streams */
    uint64_t io_image;            /* device input and output of one image */
};
uint64_t predict_planned(const struct predict_memory *m, int batch);
/* What `prepare` still has to allocate: b * arena + workspace + io; context and weights are there already. */
uint64_t predict_needed(const struct predict_memory *m, int batch);
/* 2 % of the device, at least 256 MiB: stays free. */
uint64_t predict_reserve(uint64_t device_bytes);
/* ST_OK, or ST_OUT_OF_MEMORY with needed, free and reserved bytes in the sentence. `held` is what this engine
 * will give back first (a smaller arena that is replaced). */
enum status predict_fits(const struct predict_memory *m, int batch, uint64_t free_bytes, uint64_t held,
                         uint64_t device_bytes, struct err *err);
/* The largest batch up to `most` that fits; 0: none. */
int predict_largest_batch(const struct predict_memory *m, int most, uint64_t free_bytes, uint64_t held,
                          uint64_t device_bytes);
/* How many different input buffers timing needs so that none is in the L2 cache still: max(3, ceil(2 x L2 /
 * input)). */
int predict_input_buffers(size_t l2_bytes, size_t input_bytes);

#endif
