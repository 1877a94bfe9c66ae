/* launch_apply.h - how an apply is cut into launches, and which kernel each of them takes. */
#ifndef CUDA_LAUNCH_APPLY_H
#define CUDA_LAUNCH_APPLY_H

#include "kernels/cuda/passes/launch_sums.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What is wanted may take up to three launches, in this order, so that dst may be the very src of a term:
 * maps over channels (point, dot); sums for the norm; all the rest. */
enum apply_pass { APPLY_POINTS, APPLY_NORM, APPLY_VALUES, APPLY_PASSES };
enum apply_sums { APPLY_NO_SUMS, APPLY_MEAN, APPLY_NORM_SUMS };

bool apply_wants(const struct fused_apply *op, enum apply_pass pass);

/* Kernels made for what the networks have, the first that fits is taken:
 *   terms    exactly so many
 *   plain    bit i: term i has no scale
 *   gated    term 0 may have a factor per pixel and ReLU (no other term may)
 *   resized  terms may be resized or wide
 *   square   2 x 2 pixels at a time, for the pool
 *   sums     what is summed over the image
 * None fits: the general kernel, which takes everything. Points kernels make dot only. */
/*        terms plain gated resized square sums            */
#define APPLY_LIST(X) \
    X(1,    0,    0,    0,      0,     APPLY_NO_SUMS) \
    X(1,    0,    1,    0,      0,     APPLY_NO_SUMS) \
    X(1,    0,    1,    0,      1,     APPLY_NO_SUMS) \
    X(2,    2,    0,    0,      0,     APPLY_NO_SUMS) \
    X(2,    0,    0,    0,      0,     APPLY_NO_SUMS) \
    X(2,    2,    0,    0,      0,     APPLY_MEAN) \
    X(3,    4,    1,    0,      0,     APPLY_NO_SUMS) \
    X(3,    0,    1,    0,      0,     APPLY_NO_SUMS) \
    X(3,    4,    1,    0,      1,     APPLY_NO_SUMS) \
    X(2,    0,    0,    1,      0,     APPLY_NO_SUMS) \
    X(3,    0,    0,    1,      0,     APPLY_NO_SUMS) \
    X(4,    0,    0,    1,      0,     APPLY_NO_SUMS) \
    X(4,    15,   0,    1,      0,     APPLY_NORM_SUMS)
#define APPLY_POINTS_LIST(X) \
    X(1,    0,    0,    0,      0,     APPLY_NO_SUMS) \
    X(2,    0,    0,    1,      0,     APPLY_NO_SUMS) \
    X(4,    0,    0,    1,      0,     APPLY_NO_SUMS)

#define APPLY_GENERAL (-1)
/* Row of APPLY_POINTS_LIST for the first pass, of APPLY_LIST for the others, or APPLY_GENERAL. */
int apply_choose(const struct fused_apply *op, enum apply_pass pass);

bool apply_square(const struct fused_apply *op, enum apply_pass pass);          /* cells are 2 x 2 pixels */
enum apply_sums apply_sums_of(const struct fused_apply *op, enum apply_pass pass);

/* Cells that one thread takes at a time. */
#define APPLY_UNROLL 2                  /* of pixels, where nothing is resized nor general; else one */
#define POINTS_UNROLL 4                 /* likewise: coefficients are loaded once for them */
#define POINTS_UNROLL_RESIZED 1         /* in the others */

struct pixel_split apply_split(const struct fused_apply *op, enum apply_pass pass,
                               const struct gpu_limits *limits, enum gpu_shape shape);
/* Images of one launch; its grid. */
int apply_images(const struct fused_apply *op, enum apply_pass pass, const struct pixel_split *split);
struct gpu_launch apply_launch(const struct fused_apply *op, enum apply_pass pass,
                               const struct pixel_split *split, int images);

#ifdef __cplusplus
}
#endif

#endif
