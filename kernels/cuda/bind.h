/* bind.h - one step of a plan with its memory on the device: the inner side of exec.h.
 *
 * Which way computes a convolution, and at which level its norm is, comes as a choice per segment (signature.h). At F1
 * the statistics step is a fold of the sums that the convolution left; at F2 the pass between two convolutions is left
 * out, and the second one reads the first one's raw output with the coefficients of the fold. At F3 the statistics step is
 * left out and a norm of cuDNN's stands in the place of the pass. A direct way of a transposed convolution leaves the
 * scatter step out. A wide way reads the input as it is packed with more channels; an input packed in a form that
 * nobody reads is left out.
 *
 * An address_book says where the buffers lie: those of the plan, and per part of a segment its sums and its coefficients
 * in the storage type. Steps are bound twice: first against no memory at all, to learn how much scratch they need
 * (everything that is there has a non-null address which nobody reads), then for good. */
#ifndef CUDA_BIND_H
#define CUDA_BIND_H

#include "kernels/cuda/attention.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/passes/kernels.h"
#include "kernels/cuda/tune/signature.h"
#include "kernels/cuda/upload.h"
#include "kernels/lower/placed.h"

/* The network on the device: what executions of every batch size borrow. */
struct gpu_net {
    struct gpu_device *device;
    struct gpu_libraries *libraries;
    struct plan *plan;
    struct segment *segments;
    int segment_count;
    struct place_in_segment {       /* [step_count] of the plan; segment -1: belongs to none */
        int segment, slot;
        int shaped;                 /* the segment, lone ones too, whose choice has the step's block shape; -1: none */
    } *places;
    struct uploads *uploads;
    unsigned *tickets;              /* [GPU_LANES_MAX][GPU_TICKETS] */
    enum gpu_math math;
    size_t workspace_cap;
};

/* How one segment is computed. Parts may be at different levels; F2 only behind one at F1 or F2. */
struct choice {
    int level[SEGMENT_SLOTS];               /* [parts] enum tune_level */
    struct conv_way *way[SEGMENT_SLOTS];    /* [parts], borrowed */
    struct gpu_shapes shapes;               /* of the segment's own kernels */
    const struct graph_plan *norm[SEGMENT_SLOTS];   /* [parts], borrowed: of a part at F3 */
};

/* What a part leaves for later steps besides its tensor; n times for n images. */
struct part_memory {
    size_t sum, square;                     /* f32 [c] */
    size_t half_scale, half_shift;          /* storage type [c] */
};
struct address_book {
    char *base;                             /* of the arena */
    const size_t *offset;                   /* [buffer_count], of one image */
    const struct part_memory *parts;        /* [segment_count * SEGMENT_SLOTS] offsets of one image */
    const float *input;                     /* (N,C,H,W) */
    float *output;                          /* (N,K,H,W): stands for the plan's output buffer */
};

struct bound_conv {
    struct conv_way *way;
    struct conv_buffers buffers;
};
struct bound_norm {
    const struct graph_plan *plan;
    struct fused_view dst;
    struct norm_buffers buffers;
};
struct bound_attention {
    const struct attention *attention;
    const void *src;
    void *dst;
};

enum bound_kind {
#define X(upper, lower) BOUND_##upper,
    PLAN_STEP_LIST(X)
#undef X
    BOUND_FOLD,
    BOUND_NORM,
    BOUND_NOTHING                 /* left out */
};

struct bound {
    enum bound_kind kind;
    enum gpu_shape shape;         /* of kinds that have one; else the default */
    size_t scratch_bytes;
    union {
        struct fused_pack pack;
        struct bound_conv conv;
        struct bound_norm norm;
        struct fused_stats stats;
        struct gpu_fold fold;
        struct placed_apply apply;
        struct fused_survey survey;
        struct fused_se se;
        struct fused_gate gate;
        struct fused_triplet triplet;
        struct fused_map_norm map_norm;
        struct fused_map_resize map_resize;
        struct fused_scatter scatter;
        struct bound_attention attention;
        struct placed_unpack unpack;
    } u;
};

struct binding {
    const struct gpu_net *net;
    int batch;
    const struct choice *choices;           /* [segment_count] */
    struct attention *const *attentions;    /* [step_count], NULL for steps of other kinds */
    struct address_book at;
};

/* What the libraries are asked for the part at `place` with this choice. */
struct conv_want bind_want(const struct gpu_net *net, const struct choice *choices, int segment, int slot, int batch);
/* Is the norm of this part a plan of cuDNN's, and the statistics step left out? */
bool bind_is_norm(const struct gpu_net *net, const struct choice *choices, int segment, int slot);
/* Is the apply of this part left out? */
bool bind_leaves_out(const struct gpu_net *net, const struct choice *choices, int segment, int slot, int batch);
/* Of the way of this part. A direct one: it writes a transposed convolution's dst itself, with neither the wide product
 * nor the scatter step. */
enum conv_form bind_form(const struct choice *choices, int segment, int slot);
/* The buffer that convolution step `index` reads: the plan's, or that of a wide form. */
int bind_source(const struct gpu_net *net, const struct choice *choices, int index);
/* Does any step read what the pack step `index` writes? */
bool bind_is_read(const struct gpu_net *net, const struct choice *choices, int index);

/* b must stay where it is afterwards. ST_INTERNAL for a step that no segment explains. */
enum status bind_step(struct bound *b, const struct binding *with, int index, struct err *err);
/* Enqueues. at->scratch has as many bytes as the largest step needs. ST_* as the libraries say. */
enum status bound_run(const struct bound *b, const struct gpu_place *at, struct err *err);
/* "cudnn:62", "cublaslt:3", "ours", "ours:small" in another block shape: what computes it; "-" if nothing does. */
void bound_name(const struct bound *b, char *text, size_t size);
int  bound_launches(const struct bound *b);

#endif
