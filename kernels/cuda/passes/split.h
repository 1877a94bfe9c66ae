/* split.h - how kernels that go over the pixels of images share the work out. A block is `lanes` x `rows`
 * threads: a thread keeps to one group of eight channels, so that coefficients stay in registers, and takes
 * every rows-th pixel of its chunk, `unroll` of them at a time. Groups beyond `lanes` are other slices.
 *
 * Cells are what a thread takes at a time: pixels, or squares of 2 x 2. Cells of an image are numbered 0 ..
 * cells-1. Pure functions; usable from C, C++ and on the device. */
#ifndef CUDA_SPLIT_H
#define CUDA_SPLIT_H

#include "kernels/cuda/passes/limits.h"
#include "kernels/cuda/passes/shape.h"

#ifdef __CUDACC__
#define SPLIT_INLINE static __host__ __device__ inline
#else
#define SPLIT_INLINE static inline
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define SPLIT_THREADS 256               /* of a block, at most */

struct pixel_split {
    int lanes, rows;                    /* threads of a block in x and y */
    int slices; /* groups of channels: slices * lanes, the last perhaps beyond the end */
    int unroll, rounds;                 /* cells of one thread: unroll * rounds */
    int chunks;                         /* blocks of one image and slice */
};

/* Chunks as for one image alone: they do not depend on the batch, which keeps sums over an image the same in
 * every batch. At most about as many blocks per multiprocessor as the shape says, each of at least 128 cells.
 * `groups` of eight channels. */
struct pixel_split split_for_sums(int groups, int cells, int unroll, const struct gpu_limits *limits,
                                  enum gpu_shape shape);

/* Chunks for values that need no sums: shorter the less work there is. */
struct pixel_split split_for_values(int groups, int cells, int unroll, int images,
                                    const struct gpu_limits *limits, enum gpu_shape shape);

/* For values made of all channels of a pixel: its threads lie in one warp (lanes is a power of two, at most
 * 32), one slice; a thread takes groups lane, lane + lanes, ... */
struct pixel_split split_for_points(int groups, int cells, int unroll, int images,
                                    const struct gpu_limits *limits, enum gpu_shape shape);

/* Grid: chunks, images, slices. */
struct gpu_launch split_launch(const struct pixel_split *split, int images, size_t shared_bytes);

/* The cell that the thread in row `row` of chunk `chunk` takes as number `turn` (0 .. unroll * rounds - 1);
 * perhaps beyond the last. */
SPLIT_INLINE int split_cell(const struct pixel_split *split, int chunk, int row, int turn)
{
    return (chunk * split->unroll * split->rounds + turn) * split->rows + row;
}

#ifdef __cplusplus
}
#endif

#endif
