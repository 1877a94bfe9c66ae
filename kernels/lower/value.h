/* value.h - what lowering knows of a node's value before anybody needs it in memory.
 *
 * A value stays an expression as long as its readers can compute it in their own pass: that is what
 * saves memory traffic. lower_stored turns it into a tensor, once. Failures are sticky, as with graph
 * builders: the first one is in l->status and *l->err, indices are PLAN_NONE from then on, and lower()
 * reports it at the end. */
#ifndef LOWER_VALUE_H
#define LOWER_VALUE_H

#include "kernels/lower/lower.h"

enum value_kind {
    VALUE_NONE,   /* not lowered yet */
    VALUE_IMAGE,  /* the network's input, not packed yet */
    VALUE_STORED, /* the tensor `buffer` */
    VALUE_SUM,    /* act(sum of term[0..terms)) */
    VALUE_SCALED, /* buffer * channel_factor * pixel */
    VALUE_SIMAM,  /* SimAM, by center and rate, of the affine term[0] */
    VALUE_WIDE,   /* a transposed convolution: the tensor `wide` in the order of FUSED_WIDE, plus bias */
    VALUE_MAP     /* one channel: the f32 map `buffer` */
};

struct value {
    enum value_kind kind;
    struct term_ref term[FUSED_TERMS_MAX];
    int terms;
    enum fused_act act;
    int buffer;
    int channel_factor, pixel; /* VALUE_SCALED; PLAN_NONE: one */
    /* Mean and maximum over the channels of buffer * channel_factor are point_factor *
     * point; PLAN_NONE: unknown. */
    int point, point_factor;
    bool own;                  /* VALUE_SCALED: nobody else reads buffer, it may be scaled in place */
    int center, rate;          /* VALUE_SIMAM */
    int norm_step;             /* VALUE_SUM: the step that made the coefficients of term[0], or PLAN_NONE */
    int wide; /* a transposed convolution's product, also after it was stored; or PLAN_NONE */
    const float *bias;         /* of VALUE_WIDE, padded */
    int pool;                  /* the 2x2 maximum, made in the same pass; or PLAN_NONE */
};

struct lowering {
    struct plan *p;
    const struct lower_target *target;
    const struct graph *g;
    const struct weights *w;
    struct value *values;      /* [node_count] */
    int *concat_buffer;        /* [node_count]: of a CONCAT node whose tensor exists, else PLAN_NONE */
    int node;                  /* being lowered: steps are named after it */
    enum status status;
    struct err *err;
};

struct value value_new(enum value_kind kind);              /* every index PLAN_NONE */
struct value value_stored(int buffer);
struct value value_map(int buffer);
struct term_ref term_of(int src);                          /* the tensor as it is */

/* The first failure counts; the sentence names the node. Returns PLAN_NONE. */
int lower_fail(struct lowering *l, enum status st, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int lower_step(struct lowering *l, struct step s);         /* index; fills s.node */
int lower_tensor(struct lowering *l, int h, int w, int real);
int lower_floats(struct lowering *l, size_t floats);
const float *lower_param(const struct lowering *l, int node, int which); /* f32 as loaded; NULL: has none */
int lower_readers(const struct lowering *l,
                  int node); /* how many inputs of nodes name it; the output counts */
bool lower_read_only_by(const struct lowering *l, int node, enum graph_op op);
bool lower_is_pointwise(const struct node *n);             /* 1x1, stride 1, one group, no bias */
bool lower_is_dot(const struct node *n);                   /* a 1x1 to one channel: no convolution step but a pass */
const struct channel_map *lower_map(const struct lowering *l, int buffer);
int lower_channels(const struct lowering *l, int buffer);  /* stored, padding included */

/* A step of struct apply_step with one term per entry and no output yet; shape of `node`. */
struct step lower_apply(const struct lowering *l, int node, const struct term_ref *term, int terms);

/* lower_store.c: the tensor that holds the node's value; dense: without gaps between pixels. */
int lower_stored(struct lowering *l, int node);
int lower_dense(struct lowering *l, int node);
/* The same, and *mean: [c] means of the channels, from the same pass if the value is not stored yet. */
int lower_stored_mean(struct lowering *l, int node, int *mean);
/* Terms that a pass over all of node's readers may compute itself; stores the value
 * first if there are none. */
int lower_terms(struct lowering *l, int node, struct term_ref *terms);
int lower_slice_of(struct lowering *l, int concat,
                   int index); /* that input's channels in the concatenation */

/* One function per operator: lowers node l->node and sets its value. */
void lower_input(struct lowering *l, int node);
void lower_conv(struct lowering *l, int node);
void lower_tconv(struct lowering *l, int node);
void lower_norm(struct lowering *l, int node);
void lower_relu(struct lowering *l, int node);
void lower_sigmoid(struct lowering *l, int node);
void lower_add(struct lowering *l, int node);
void lower_mul(struct lowering *l, int node);
void lower_maxpool(struct lowering *l, int node);
void lower_resize(struct lowering *l, int node);
void lower_concat(struct lowering *l, int node);
void lower_se(struct lowering *l, int node);
void lower_spatial_gate(struct lowering *l, int node);
void lower_simam(struct lowering *l, int node);
void lower_triplet(struct lowering *l, int node);
void lower_attention(struct lowering *l, int node);

#endif
