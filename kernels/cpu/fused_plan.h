/* fused_plan.h - what the fused kernels share and what does not depend on the instruction set: how work is
 * cut, how scratch is laid out, how partial sums are combined. Nothing is owned. */
#ifndef CPU_FUSED_PLAN_H
#define CPU_FUSED_PLAN_H

#include <stddef.h>

#include "kernels/cpu/fused.h"

/* h rows cut into `pieces` bands whose borders are multiples of `unit` rows; all from one image's shape. */
struct fused_cut { int h, unit, pieces; };

/* Bands of about 2^15 values and at least `unit` rows of w pixels of c values, a power of two of them if
 * there are rows enough, at most `most`. */
struct fused_cut fused_cut_rows(int h, int w, int c, int unit, int most);
/* First row of band i; i = pieces gives h. */
int fused_cut_at(const struct fused_cut *cut, int i);

/* Bump allocation in scratch: with base NULL only `used` counts. */
struct fused_room { char *base; size_t used; };
float *fused_room_floats(struct fused_room *room, size_t count);

/* sum[j] (j < 16) of part[i * step + j] over i < count, pairwise in double: an order that
 * depends on count only. */
void fused_sum_pairs(double sum[FUSED_CHANNEL_BLOCK], const float *part, size_t step, int count);

/* Partial sums of images: piece p of image i has its sums at part + (i * pieces + p) * step. */
struct fused_parts {
    const float *part;
    size_t step;
    int n, pieces, c;
    double pixels;               /* of one image */
};

/* sums[k] = sum of (x - pilot), sums[c + k] = sum of (x - pilot)^2, from float `first` of each piece on. */
void fused_norm_finish(const struct fused_norm *norm, const struct fused_parts *parts, size_t first,
                       const float *pilot);
/* mean[n][c] of sums from float `first` of each piece on. */
void fused_mean_finish(float *mean, const struct fused_parts *parts, size_t first);

/* Position of output index i of `out` along an axis of `in` source values: value = lo
 * + weight * (hi - lo). */
struct fused_tap { int lo, hi; float weight; };
struct fused_tap fused_tap_at(enum fused_resize resize, int i, int in, int out);

/* Layouts of scratch; bytes are returned by the _scratch functions of fused.h. */
struct fused_stats_room {
    struct fused_cut cut;
    float *pilot, *part;         /* [n][c], [n][pieces][2 c] */
};
size_t fused_stats_layout(struct fused_stats_room *room, const struct fused_stats *op, void *scratch);

struct fused_apply_room {
    struct fused_cut cut;
    float *one, *zero;           /* [c]: coefficients of terms that have none */
    float *pilot;                /* [n][c] */
    float *part;                 /* [n][pieces][step] */
    struct fused_tap *tap;       /* [terms][w], NULL if no term is resized */
    size_t step, mean_at;        /* 2 c sums for the norm, then c for the mean, each if wanted */
};
size_t fused_apply_layout(struct fused_apply_room *room, const struct fused_apply *op, void *scratch);

struct fused_survey_room {
    struct fused_cut cut;
    float *one, *zero;           /* [c] */
    float *part;                 /* [pieces][w][c]: sums over the rows of each piece, of one image at a time */
};
size_t fused_survey_layout(struct fused_survey_room *room, const struct fused_survey *op, void *scratch);

/* The two channels of a map as planes of their own with three zeros around and room
 * behind for whole vectors. */
struct fused_planes {
    float *plane[2];             /* [h + 6][pitch], of one image at a time */
    size_t pitch;
};
size_t fused_planes_layout(struct fused_planes *planes, int h, int w, void *scratch);

#define FUSED_MAP_PIECES 32
struct fused_resize_room {
    int *left, *right;           /* [to_w] */
    float *weight;               /* [to_w] */
    float *row;                  /* [FUSED_MAP_PIECES][w] */
};
size_t fused_resize_layout(struct fused_resize_room *room, const struct fused_map_resize *op, void *scratch);

#endif
