/* signature.h - what a convolution step looks like to the tuner, as one line of text:
 *   conv3x3s1p1 g1 c48 k48 h256 w256 ld48/48 f16 post=in+res+relu consumers=2
 * operation, groups, channels in and out, size of src, channels of the buffers read and written, arithmetic,
 * what follows, how many read the result. A transposed convolution, in whatever form it is computed, is
 *   tconv2x2s2p0 g1 c96 k48 h512 w512 ld96/96 f16 bias post=- consumers=3
 * Two steps with equal lines cost the same and are tuned once. The
 * batch size is not in it. "image" behind the arithmetic: src is the packed input, there with 4 and 8 channels too. Pure functions; nothing is owned. */
#ifndef CUDA_SIGNATURE_H
#define CUDA_SIGNATURE_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/cuda/library/conv.h"
#include "kernels/cuda/library/norm_plan.h"
#include "kernels/cuda/passes/shape.h"
#include "kernels/lower/plan.h"

#define SIGNATURE_STEP_MAX 192
#define SEGMENT_SLOTS 4                 /* convolutions in one segment, at most */
#define SIGNATURE_MAX (SEGMENT_SLOTS * (SIGNATURE_STEP_MAX + 4))

const char *gpu_math_name(enum gpu_math math);   /* "f32" "tf32" "f16" "bf16" */

/* One convolution and what belongs to it. Step numbers of the plan; PLAN_NONE: there is none. */
struct segment_part {
    int conv;
    int stats;      /* the statistics of its output */
    int apply;      /* the pass that stores it normalised; only if that pass reads nothing else raw and so
                     * belongs to this convolution alone */
    bool sums;      /* F1 is possible: plain statistics of the whole output, no factor per pixel */
    int scatter;    /* brings the product of a transposed convolution into order; only if nobody else reads that:
                     * then a way may write what the step would, and there is no such step */
    bool prologue;  /* F2 is possible into this one: nobody else reads its src, the previous part's apply */
    size_t norm_bytes;  /* of one image of what apply stores, where apply is a norm as norm_plan.h has it and F3 is
                         * possible in a small batch; 0: it is not */
};

/* A convolution and everything up to the next stored tensor; where F2 may leave out the pass between two
 * convolutions, these form one segment, since the choice moves cost from one to the other. */
struct segment {
    struct segment_part part[SEGMENT_SLOTS];
    int parts;      /* >= 1; 0: no convolution but one step of ours by itself, see segments_add_lone */
    int lone;       /* that step, where parts is 0 */
    unsigned shaped;            /* bits 1 << enum gpu_shaped: kernels in it that have a block shape */
    int same;       /* index of the first segment with the same text: itself, unless it repeats */
    int count;      /* how many have the same text; valid where same is itself */
    char text[SIGNATURE_MAX];   /* lines of the parts, " > " between */
};

/* Cuts a plan into segments, every CONV step in exactly one, in order of their first steps. *segments is one
 * array for free(). ST_OUT_OF_MEMORY. */
enum status segments_of_plan(struct segment **segments, int *count, const struct plan *p, enum gpu_math math,
                             struct err *err);
/* Adds the statistics, applies and surveys that belong to no convolution, each a segment of its own, so that
 * their block shapes can be tuned like the others'. Left out: an apply that writes over what it reads, which
 * gives other values each time it runs. Arguments and status as above. */
enum status segments_add_lone(struct segment **segments, int *count, const struct plan *p, enum gpu_math math,
                              struct err *err);
/* The line of one part. */
void signature_part(char text[SIGNATURE_STEP_MAX], const struct plan *p, const struct segment_part *part,
                    enum gpu_math math);
/* What the libraries are asked for part `slot` of a segment. level as in tune.h: F1 adds the sums where the
 * part allows them, F2 also the prologue, F3 asks as F0. *stats and *prologue of the result say which. */
struct conv_want segment_want(const struct plan *p, const struct segment *s, int slot, int level, int batch,
                              enum gpu_math math);
/* The norm that F3 asks cuDNN for behind part `slot`, which has norm_bytes. */
struct norm_want segment_norm(const struct plan *p, const struct segment *s, int slot, int batch, enum gpu_math math);
/* Can the part do what the level says? F2 also needs sums of the part before. F3: the tensor of the whole batch fits on
 * the chip. */
bool segment_part_has(const struct segment_part *part, int level, int batch);
/* F1 and F2 launch once per image: they pay only where one image of the convolution takes at least 20 us.
 * Bits 1 << level of the levels that the segment has; bit 0 is always set. image_ns[slot]: predicted time of
 * one image. */
unsigned segment_levels(const struct segment *s, const double *image_ns, int batch);

#endif
