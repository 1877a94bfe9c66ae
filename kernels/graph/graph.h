/* graph.h - one network as a list of operators in execution order, shapes per image, parameters by name.
 * graph_new .. graph_free owns everything inside; everything else borrows. Not thread-safe.
 * A builder that makes a mistake (shapes that do not fit, memory out) sets g->failed with the first sentence
 * and gives node GRAPH_NONE; builders go on calling and graph_finish reports it. */
#ifndef GRAPH_GRAPH_H
#define GRAPH_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/base/err.h"

#define GRAPH_NONE (-1)
#define GRAPH_INPUTS_MAX 8
#define GRAPH_PARAMS_MAX 4
#define GRAPH_NAME_MAX 80

/*        name          params, in the order of node.param      meaning (see kernels/reference/ for the formulas) */
#define GRAPH_OP_LIST(X) \
    X(INPUT)        /* -                 the image */ \
    X(CONV)         /* weight, bias|-    cross-correlation, zero padding */ \
    X(TCONV)        /* weight, bias|-    transposed convolution, kernel 2, stride 2 */ \
    X(NORM)         /* weight, bias      instance normalisation, eps 1e-5, biased variance, affine */ \
    X(RELU)         /* - */ \
    X(SIGMOID)      /* - */ \
    X(ADD)          /* -                 sum of all inputs, in order; equal shapes */ \
    X(MUL)          /* -                 in[0] times in[1]; in[1] has the same shape or one channel */ \
    X(MAXPOOL)      /* -                 kernel 2, stride 2, odd last row and column dropped */ \
    X(RESIZE)       /* -                 bilinear to (h,w), align_corners or half-pixel */ \
    X(CONCAT)       /* -                 inputs one after another in the channels */ \
    X(SE)           /* fc.0, fc.3        x * sigmoid(W2 relu(W1 mean_hw x)) */ \
    X(SPATIAL_GATE) /* conv 7x7          x * sigmoid(conv7x7[mean_c x, max_c x]) */ \
    X(SIMAM)        /* -                 x * sigmoid(-(x - m) / sqrt(v + 1e-4)) */ \
    X(TRIPLET)      /* ch, cw, hw        x * a_h * a_w * a_p */ \
    X(ATTENTION)    /* -                 softmax(Q K^T / sqrt(d)) V of in[0] = (Q,K,V), 3c channels */

enum graph_op {
#define X(name) GRAPH_##name,
    GRAPH_OP_LIST(X)
#undef X
    GRAPH_OP_COUNT
};

struct node {
    enum graph_op op;
    char name[GRAPH_NAME_MAX];         /* prefix of its parameters ("stage2.0.branches.0.0.conv1"), or where it is */
    int  in[GRAPH_INPUTS_MAX], inputs; /* earlier nodes */
    int  c, h, w;                      /* output, per image */
    int  kernel_h, kernel_w, stride, pad_h, pad_w, groups; /* CONV, TCONV, SPATIAL_GATE (7,7) */
    bool align_corners;                /* RESIZE */
    int  heads;                        /* ATTENTION */
    int  param[GRAPH_PARAMS_MAX];      /* indices into g->params, or GRAPH_NONE */
};

enum param_kind { PARAM_WEIGHT, PARAM_TCONV_WEIGHT, PARAM_LINEAR_WEIGHT, PARAM_NORM_WEIGHT, PARAM_BIAS, PARAM_TABLE };

struct param {
    char   name[GRAPH_NAME_MAX + 16]; /* as in a checkpoint: "conv1.weight" */
    enum param_kind kind;
    int    rank, dims[4];             /* stored layout: conv [out, in/groups, kh, kw], tconv [in, out, 2, 2] */
    size_t count;                     /* product of dims */
    bool   damped;                    /* an instance-norm weight that the damped set scales by 0.1 */
    bool   unused;                    /* in the checkpoint and the count, read by no operator */
};

struct graph_mark { /* a module's output, for the load option `until` */
    char name[GRAPH_NAME_MAX];        /* "layer1", "stage2.0:1" */
    int  node;
};

struct graph {
    char model[32];                   /* "hrnet": first part of the seeded generator's strings */
    struct node *nodes;
    int    node_count, output;        /* output: index of the node whose value is the result */
    struct param *params;
    int    param_count;
    struct graph_mark *marks;
    int    mark_count;
    struct err failed;                /* status ST_OK while all went well */
};

const char *graph_op_name(enum graph_op op); /* "conv", "spatial_gate": lower case */

struct graph *graph_new(const char *model); /* NULL if memory is out */
void graph_free(struct graph *g);           /* NULL is allowed */

/* --- builders: each appends one node and gives its index --- */
int graph_input(struct graph *g, int c, int h, int w);
struct conv_spec {
    int  out, kernel, stride, pad, groups; /* groups 0 means 1 */
    bool bias;
};
int graph_conv(struct graph *g, const char *name, int src, struct conv_spec spec);
int graph_tconv(struct graph *g, const char *name, int src, int out);                 /* 2x2, stride 2, bias */
int graph_norm(struct graph *g, const char *name, int src, bool damped);
int graph_relu(struct graph *g, int src);
int graph_sigmoid(struct graph *g, int src);
int graph_add(struct graph *g, const int *src, int count);
int graph_mul(struct graph *g, int src, int factor);
int graph_maxpool(struct graph *g, int src);
int graph_resize(struct graph *g, int src, int h, int w, bool align_corners);
int graph_concat(struct graph *g, const int *src, int count);
int graph_se(struct graph *g, const char *name, int src, int hidden);                 /* name.fc.0, name.fc.3 */
int graph_spatial_gate(struct graph *g, const char *name, int src);                   /* name.conv */
int graph_simam(struct graph *g, int src);
int graph_triplet(struct graph *g, const char *name, int src);                        /* name.conv_ch, _cw, _hw */
int graph_attention(struct graph *g, int qkv, int heads);
void graph_unused_param(struct graph *g, const char *name, int rows, int columns);    /* PARAM_TABLE, unused */
void graph_mark(struct graph *g, const char *name, int node);

/* Last call of a builder: sets the output. The first failure of any call, or ST_OK. */
enum status graph_finish(struct graph *g, int output, struct err *err);
/* Makes the marked node the output and drops every node that it does not need. Parameters stay (a checkpoint
 * is loaded whole). ST_INVALID names the nearest mark. */
enum status graph_cut(struct graph *g, const char *until, struct err *err);

/* --- measures, per image --- */
uint64_t graph_node_macs(const struct graph *g, int node);  /* models' counting rule: dense, padding included */
uint64_t graph_macs(const struct graph *g);
uint64_t graph_parameters(const struct graph *g);           /* unused ones included */
/* Least traffic of a node: every input, parameter and output element once. */
uint64_t graph_node_bytes(const struct graph *g, int node, size_t element_bytes);
/* Hex SHA-256 over model name, nodes, shapes and all f32 weights (data[param] as loaded). */
void graph_sha256(char hex[65], const struct graph *g, const float *const *data);

#endif
