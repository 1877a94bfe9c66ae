/* layout.h - where the buffers of some steps lie in the arena, for one image; times n for n images. Lifetimes follow from
 * the steps as they will really run: a pass that is left out touches nothing, and the convolution behind it reads what
 * that pass would have read; the one before a scatter step that is left out writes what that step would have written.
 * Pure but for memory: layout_plan .. layout_free owns the arrays. */
#ifndef CUDA_LAYOUT_H
#define CUDA_LAYOUT_H

#include "kernels/cuda/branches.h"

struct layout {
    size_t *offset;                 /* [buffer_count] */
    struct part_memory *parts;      /* [segment_count * SEGMENT_SLOTS] */
    size_t image_bytes;
};

/* Steps `first[0..count)` in this order. alone: they run without the others, again and again, so what they read
 * without writing it keeps its place from the first to the last, and so does what the last one wrote. The plan's
 * output buffer takes no room. branches: all steps of the plan, and not in one order but on these lanes; NULL: in this
 * order. ST_OUT_OF_MEMORY. */
enum status layout_plan(struct layout *out, const struct gpu_net *net, const struct choice *choices, const int *steps,
                        int count, bool alone, const struct branches *branches, struct err *err);
void layout_free(struct layout *l);

/* Buffers that step `index` reads or writes with these choices, PLAN_NONE left out; returns how many. *written: how many
 * of them, from the front, it writes. At most PLAN_STEP_BUFFERS. */
int layout_buffers(int *ids, int *written, const struct gpu_net *net, const struct choice *choices, int index);

#endif
