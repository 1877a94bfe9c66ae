/* plan.h - a network as a list of steps over buffers, the same for every batch size: what lowering makes
 * and what an execution binds to memory. A step owns its kind of kernel, its inputs' layout and its need
 * of scratch, so that other kernels can take its place one by one. plan_new .. plan_free owns everything
 * inside, constants too; a convolution's weights belong to the back end that binds the plan. Graphs are
 * borrowed for the call. */
#ifndef LOWER_PLAN_H
#define LOWER_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/base/err.h"
#include "kernels/graph/graph.h"
#include "kernels/lower/conv_shape.h"
#include "kernels/lower/fused.h"

#define PLAN_NONE (-1)
#define PLAN_SEGMENTS_MAX GRAPH_INPUTS_MAX
#define PLAN_STEP_BUFFERS 32
#define PLAN_IMAGES 3

/* Where the network's channels lie in a buffer: segment s holds `real[s]` channels from `at[s]` on; all
 * others are zero. One segment unless the buffer is a concatenation. */
struct channel_map {
    int segments, real[PLAN_SEGMENTS_MAX], at[PLAN_SEGMENTS_MAX];
};

struct buffer {
    bool tensor;                /* (h,w,c) of the plan's type; else `floats` f32 per image */
    int h, w, c;                /* c: channels stored, padding included */
    size_t floats;
    struct channel_map map;     /* tensors only */
    int parent, first_channel;  /* a slice of another tensor's channels; PLAN_NONE: its own memory */
    size_t image_bytes;         /* 0 for a slice */
    int first, last;            /* steps in which it is alive; first > last: never used */
    size_t offset;              /* in the arena for one image; times n for n images */
};

/* Buffer numbers; PLAN_NONE where a fused kernel would get NULL. */
struct term_ref {
    int src, scale, shift, pixel;
    bool relu;
    enum fused_resize resize;
};
struct norm_ref {
    const float *gamma, *beta;
    int scale, shift, center, rate;
};

struct pack_step { int dst; };
struct conv_step {
    int src, dst, weights;      /* weights: what the target's keep_weights gave */
    const float *bias;          /* [k] padded, or NULL */
    struct conv_shape shape;   /* for one image */
};
struct stats_step {
    int src, pixel;
    struct norm_ref norm;
};
struct apply_step {
    struct term_ref term[FUSED_TERMS_MAX];
    int terms, h, w, c, c_real;
    enum fused_act act;
    int dst, pool, channel_mean, point, dot;
    const float *dot_weight;
    float dot_bias;
    bool has_norm;
    struct norm_ref norm;
};
struct survey_step {
    int src, c_real, scale, shift, center, rate, pixel, dst, row, column, point;
};
struct se_step {
    int c, hidden, mean, factor;
    const float *w1, *w2;
};
struct gate_step {
    int h, w, point, point_factor, prior, factor;
    const float *weight;
};
struct triplet_step {
    int h, w, row, column, point, prior, factor;
    float row_weight[2], column_weight[2];
    const float *point_weight;
};
struct map_norm_step {
    int h, w, src, dst;
    bool normalise;
    float gamma, beta;
    enum fused_act act;
};
struct map_resize_step {
    int h, w, to_h, to_w, src, dst;
    enum fused_resize resize;
};
struct scatter_step {
    int src, dst;
    const float *bias;
};
struct attention_step {
    int src, dst, heads, depth, tokens;
};
struct unpack_step {
    int src, dst;
};

#define PLAN_STEP_LIST(X) \
    X(PACK, pack) X(CONV, conv) X(STATS, stats) X(APPLY, apply) X(SURVEY, survey) X(SE, se) X(GATE, gate) \
    X(TRIPLET, triplet) X(MAP_NORM, map_norm) X(MAP_RESIZE, map_resize) X(SCATTER, scatter) \
    X(ATTENTION, attention) X(UNPACK, unpack)

enum step_kind {
#define X(upper, lower) STEP_##upper,
    PLAN_STEP_LIST(X)
#undef X
    STEP_COUNT
};

struct step {
    enum step_kind kind;
    int node;                   /* of the graph: for its name and operator */
    uint64_t flops, bytes;      /* per image: arithmetic by the networks' counting rule; each operand once */
    uint64_t weight_bytes;      /* per iteration */
    union {
#define X(upper, lower) struct lower##_step lower;
        PLAN_STEP_LIST(X)
#undef X
    } u;
};

struct plan {
    enum fused_type type;
    int channel_block;          /* channels of tensors are padded to a multiple of it */
    struct buffer *buffers;
    int buffer_count, buffer_room;
    struct step *steps;
    int step_count, step_room;
    void **constants;               /* malloc'ed pieces */
    int constant_count, constant_room;
    size_t constant_bytes;
    int input[3], output[3];        /* C,H,W of the network */
    int image[PLAN_IMAGES];         /* the packed input: as the steps read it, with 4 channels, with 8; PLAN_NONE */
    int output_buffer;              /* f32 [C][H][W] per image */
    size_t arena_image_bytes;       /* per image */
};

struct plan *plan_new(enum fused_type type, int channel_block);      /* NULL: no memory */
void plan_free(struct plan *p);                                      /* NULL is allowed */

int plan_padded(const struct plan *p, int c); /* the next multiple of the channel block */
struct channel_map channel_map_simple(int real);
int channel_map_real(const struct channel_map *m); /* channels of the network */

/* Each gives an index, or PLAN_NONE if memory is out. */
int plan_tensor(struct plan *p, int h, int w, int c, const struct channel_map *map);
int plan_slice(struct plan *p, int parent, int first_channel, int c, int real);
int plan_floats(struct plan *p, size_t floats);
int plan_step(struct plan *p, const struct step *s);
/* Zeroed f32 array that lives as long as the plan; NULL: no memory. */
float *plan_constant(struct plan *p, size_t count);
/* Does it read the input where that is packed with more channels too? Only in one group these change nothing. */
bool plan_reads_image(const struct plan *p, const struct conv_step *c);
/* Buffers a step touches, PLAN_NONE left out; returns how many (at most PLAN_STEP_BUFFERS). */
int step_buffers(int *ids, const struct step *s);
const char *step_kind_name(enum step_kind kind); /* "conv", "apply": lower case */
/* Lifetimes and offsets, after the last step. */
enum status plan_finish(struct plan *p, struct err *err);

#endif
