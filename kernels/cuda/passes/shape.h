/* shape.h - block shapes: named ways to cut the work of one of our kernels into blocks. Every shape computes the same,
 * sums up to rounding: each has one order of its own, so results repeat bit for bit under any of them. Which one is
 * fastest is a question for the device; the tuner asks it. Pure tables; usable from C and C++. */
#ifndef CUDA_SHAPE_H
#define CUDA_SHAPE_H

#ifdef __cplusplus
extern "C" {
#endif

/* Of kernels over pixels (split.h):
 *   threads     of a block: rows of them, since the lanes follow from the channels
 *   sum_blocks  for each multiprocessor, at most, where an image is summed up
 *   rounds      of a block whose values need no sums, at most
 * Of the survey:
 *   lines, bare  rows of a tile, at most: with sums of rows or columns, and without
 *   quarters     fewer tiles than so many quarters of the multiprocessors are made lower
 * The first is the default: what runs where nothing was measured. */
/*    upper  lower  threads sum_blocks rounds lines bare quarters */
#define GPU_SHAPE_LIST(X) \
    X(EVEN,  even,  256,    4,         8,     32,   8,   3) \
    X(SMALL, small, 128,    8,         8,     16,   4,   6) \
    X(LONG,  long,  256,    2,         16,    64,   16,  2) \
    X(SHORT, short, 256,    8,         2,     8,    4,   12)

enum gpu_shape {
#define X(upper, ...) GPU_SHAPE_##upper,
    GPU_SHAPE_LIST(X)
#undef X
    GPU_SHAPES
};

struct gpu_shape_row { int threads, sum_blocks, rounds, lines, bare, quarters; };
const struct gpu_shape_row *gpu_shape_row(enum gpu_shape shape);

const char *gpu_shape_name(enum gpu_shape shape);      /* "even"; "unknown" beyond the last */
int gpu_shape_of(const char *name);                    /* -1: there is none of this name */

/* The kernels that have a shape. */
#define GPU_SHAPED_LIST(X) X(STATS, stats) X(APPLY, apply) X(SURVEY, survey)
enum gpu_shaped {
#define X(upper, lower) GPU_SHAPED_##upper,
    GPU_SHAPED_LIST(X)
#undef X
    GPU_SHAPED_KERNELS
};
const char *gpu_shaped_name(enum gpu_shaped kernel);   /* "stats" */

/* One for each of them; all zero: the default everywhere. */
struct gpu_shapes { enum gpu_shape of[GPU_SHAPED_KERNELS]; };

#ifdef __cplusplus
}
#endif

#endif
