/* launch_sums.h - memory for sums over the pixels of images (sums.cuh). */
#ifndef CUDA_LAUNCH_SUMS_H
#define CUDA_LAUNCH_SUMS_H

#include "kernels/cuda/passes/kernels.h"
#include "kernels/cuda/passes/split.h"

/* floats of one thread: 16-byte accesses of eight threads hit 32 banks */
#define SUMS_PAD(count) ((count) + 4)

/* Of one block: what the threads bring, then the totals. `count` sums for each thread. */
SPLIT_INLINE size_t sums_shared_bytes(const struct pixel_split *s, int count)
{
    size_t threads = (size_t)s->lanes * (size_t)s->rows;
    return (threads * (size_t)SUMS_PAD(count) + (size_t)s->lanes * (size_t)count) * sizeof(float);
}

/* Scratch of one image. */
SPLIT_INLINE size_t sums_scratch_bytes(const struct pixel_split *s, int count)
{
    return (size_t)s->slices * (size_t)s->chunks * (size_t)s->lanes * (size_t)count * sizeof(float);
}

/* Images of one launch: a ticket for each slice of each. */
SPLIT_INLINE int sums_images(const struct pixel_split *s, int images)
{
    int most = GPU_TICKETS / s->slices;
    return images < most ? images : most;
}

#endif
