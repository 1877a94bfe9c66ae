/* The builders of graph.h: each checks that shapes fit, works out its own, and appends one node. */
#include "kernels/graph/graph.h"

#include <stdio.h>
#include <string.h>

#include "kernels/graph/append.h"

const char *graph_op_name(enum graph_op op)
{
    static const char *const names[GRAPH_OP_COUNT] = {
        [GRAPH_INPUT] = "input", [GRAPH_CONV] = "conv", [GRAPH_TCONV] = "tconv", [GRAPH_NORM] = "norm",
        [GRAPH_RELU] = "relu", [GRAPH_SIGMOID] = "sigmoid", [GRAPH_ADD] = "add", [GRAPH_MUL] = "mul",
        [GRAPH_MAXPOOL] = "maxpool", [GRAPH_RESIZE] = "resize", [GRAPH_CONCAT] = "concat", [GRAPH_SE] = "se",
        [GRAPH_SPATIAL_GATE] = "spatial_gate", [GRAPH_SIMAM] = "simam", [GRAPH_TRIPLET] = "triplet",
        [GRAPH_ATTENTION] = "attention",
    };
    return op < GRAPH_OP_COUNT && names[op] ? names[op] : "unknown";
}

/* A node of this op with the shape of its first input and no parameters. */
static struct node node_like(const struct graph *g, enum graph_op op, const char *name, const int *src,
                             int count)
{
    struct node n = { .op = op, .inputs = count };
    for (int i = 0; i < GRAPH_PARAMS_MAX; i++)
        n.param[i] = GRAPH_NONE;
    for (int i = 0; i < count; i++)
        n.in[i] = src[i];
    if (count > 0) {
        const struct node *first = &g->nodes[src[0]];
        n.c = first->c;
        n.h = first->h;
        n.w = first->w;
    }
    snprintf(n.name, sizeof n.name, "%s", name);
    return n;
}

/* Where a node without parameters is: the dotted parts that all its inputs share, else the name of the last
 * one. "downs.0.norm2" and "downs.0.adjust_channels" meet in "downs.0". */
static void meeting_name(char name[GRAPH_NAME_MAX], const struct graph *g, const int *src, int count)
{
    const char *last = g->nodes[src[count - 1]].name;
    size_t shared = strlen(last);
    for (int i = 0; i < count; i++) {
        const char *other = g->nodes[src[i]].name;
        size_t same = 0;
        while (same < shared && other[same] == last[same])
            same++;
        while (same > 0 && !((last[same] == '.' || !last[same]) && (other[same] == '.' || !other[same])))
            same--;
        shared = same;
    }
    if (shared == 0)
        shared = strlen(last);
    memcpy(name, last, shared);
    name[shared] = '\0';
}

static int append_plain(struct graph *g, enum graph_op op, int src)
{
    if (!graph_has_nodes(g, op, &src, 1))
        return GRAPH_NONE;
    struct node n = node_like(g, op, g->nodes[src].name, &src, 1);
    return graph_append(g, &n);
}

int graph_input(struct graph *g, int c, int h, int w)
{
    if (c < 1 || h < 1 || w < 1)
        return graph_fail(g, ST_USAGE, "an input of %d channels, %dx%d, is empty", c, h, w);
    struct node n = node_like(g, GRAPH_INPUT, "input", NULL, 0);
    n.c = c;
    n.h = h;
    n.w = w;
    return graph_append(g, &n);
}

int graph_conv(struct graph *g, const char *name, int src, struct conv_spec spec)
{
    if (!graph_has_nodes(g, GRAPH_CONV, &src, 1))
        return GRAPH_NONE;
    struct node n = node_like(g, GRAPH_CONV, name, &src, 1);
    const int groups = spec.groups ? spec.groups : 1;
    const int h = n.h + 2 * spec.pad - spec.kernel, w = n.w + 2 * spec.pad - spec.kernel;
    if (h < 0 || w < 0 || spec.kernel < 1 || spec.stride < 1 || spec.out < 1)
        return graph_fail(g, ST_MODEL, "%s: a %dx%d convolution does not fit an image of %dx%d", name,
                          spec.kernel, spec.kernel, n.h, n.w);
    if (groups < 1 || n.c % groups != 0 || spec.out % groups != 0)
        return graph_fail(g, ST_MODEL, "%s: %d groups do not divide %d and %d channels", name, groups, n.c,
                          spec.out);
    const int dims[4] = { spec.out, n.c / groups, spec.kernel, spec.kernel };
    n.param[0] = graph_append_param(g, name, "weight", PARAM_WEIGHT, 4, dims);
    if (spec.bias)
        n.param[1] = graph_append_param(g, name, "bias", PARAM_BIAS, 1, dims);
    n.c = spec.out;
    n.h = h / spec.stride + 1;
    n.w = w / spec.stride + 1;
    n.kernel_h = n.kernel_w = spec.kernel;
    n.pad_h = n.pad_w = spec.pad;
    n.stride = spec.stride;
    n.groups = groups;
    return graph_append(g, &n);
}

int graph_tconv(struct graph *g, const char *name, int src, int out)
{
    if (!graph_has_nodes(g, GRAPH_TCONV, &src, 1))
        return GRAPH_NONE;
    struct node n = node_like(g, GRAPH_TCONV, name, &src, 1);
    const int dims[4] = { n.c, out, 2, 2 };
    n.param[0] = graph_append_param(g, name, "weight", PARAM_TCONV_WEIGHT, 4, dims);
    n.param[1] = graph_append_param(g, name, "bias", PARAM_BIAS, 1, &dims[1]);
    n.c = out;
    n.h *= 2;
    n.w *= 2;
    n.kernel_h = n.kernel_w = n.stride = 2;
    n.groups = 1;
    return graph_append(g, &n);
}

int graph_norm(struct graph *g, const char *name, int src, bool damped)
{
    if (!graph_has_nodes(g, GRAPH_NORM, &src, 1))
        return GRAPH_NONE;
    struct node n = node_like(g, GRAPH_NORM, name, &src, 1);
    if (n.h * n.w < 2)
        return graph_fail(g, ST_USAGE, "%s: an instance norm needs more than one pixel; take a larger input",
                          name);
    n.param[0] = graph_append_param(g, name, "weight", PARAM_NORM_WEIGHT, 1, &n.c);
    n.param[1] = graph_append_param(g, name, "bias", PARAM_BIAS, 1, &n.c);
    if (n.param[0] >= 0)
        g->params[n.param[0]].damped = damped;
    return graph_append(g, &n);
}

int graph_relu(struct graph *g, int src) { return append_plain(g, GRAPH_RELU, src); }
int graph_sigmoid(struct graph *g, int src) { return append_plain(g, GRAPH_SIGMOID, src); }
int graph_simam(struct graph *g, int src) { return append_plain(g, GRAPH_SIMAM, src); }

static bool same_size(const struct graph *g, int a, int b)
{
    return g->nodes[a].h == g->nodes[b].h && g->nodes[a].w == g->nodes[b].w;
}

int graph_add(struct graph *g, const int *src, int count)
{
    if (count < 1 || count > GRAPH_INPUTS_MAX)
        return graph_fail(g, ST_INTERNAL, "add of %d inputs, allowed are 1 to %d", count, GRAPH_INPUTS_MAX);
    if (!graph_has_nodes(g, GRAPH_ADD, src, count))
        return GRAPH_NONE;
    char name[GRAPH_NAME_MAX];
    meeting_name(name, g, src, count);
    for (int i = 1; i < count; i++)
        if (!same_size(g, src[0], src[i]) || g->nodes[src[0]].c != g->nodes[src[i]].c)
            return graph_fail(g, ST_MODEL, "%s: an add of %dx%dx%d and %dx%dx%d", name, g->nodes[src[0]].c,
                              g->nodes[src[0]].h, g->nodes[src[0]].w, g->nodes[src[i]].c, g->nodes[src[i]].h,
                              g->nodes[src[i]].w);
    struct node n = node_like(g, GRAPH_ADD, name, src, count);
    return graph_append(g, &n);
}

int graph_mul(struct graph *g, int src, int factor)
{
    const int both[2] = { src, factor };
    if (!graph_has_nodes(g, GRAPH_MUL, both, 2))
        return GRAPH_NONE;
    const int c = g->nodes[factor].c;
    char name[GRAPH_NAME_MAX];
    meeting_name(name, g, both, 2);
    if (!same_size(g, src, factor) || (c != 1 && c != g->nodes[src].c))
        return graph_fail(g, ST_MODEL, "%s: a product of %d channels, %dx%d, and %d channels, %dx%d", name,
                          g->nodes[src].c, g->nodes[src].h, g->nodes[src].w, c, g->nodes[factor].h,
                          g->nodes[factor].w);
    struct node n = node_like(g, GRAPH_MUL, name, both, 2);
    return graph_append(g, &n);
}

int graph_maxpool(struct graph *g, int src)
{
    if (!graph_has_nodes(g, GRAPH_MAXPOOL, &src, 1))
        return GRAPH_NONE;
    struct node n = node_like(g, GRAPH_MAXPOOL, g->nodes[src].name, &src, 1);
    if (n.h < 2 || n.w < 2)
        return graph_fail(g, ST_USAGE, "%s: nothing is left of %dx%d after a pool; take a larger input",
                          n.name, n.h, n.w);
    n.h /= 2;
    n.w /= 2;
    n.kernel_h = n.kernel_w = n.stride = 2;
    return graph_append(g, &n);
}

int graph_resize(struct graph *g, int src, int h, int w, bool align_corners)
{
    if (!graph_has_nodes(g, GRAPH_RESIZE, &src, 1))
        return GRAPH_NONE;
    struct node n = node_like(g, GRAPH_RESIZE, g->nodes[src].name, &src, 1);
    if (h < 1 || w < 1)
        return graph_fail(g, ST_MODEL, "%s: a resize to %dx%d", n.name, h, w);
    n.h = h;
    n.w = w;
    n.align_corners = align_corners;
    return graph_append(g, &n);
}

int graph_concat(struct graph *g, const int *src, int count)
{
    if (count < 1 || count > GRAPH_INPUTS_MAX)
        return graph_fail(g, ST_INTERNAL, "concat of %d inputs, allowed are 1 to %d", count,
                          GRAPH_INPUTS_MAX);
    if (!graph_has_nodes(g, GRAPH_CONCAT, src, count))
        return GRAPH_NONE;
    char name[GRAPH_NAME_MAX];
    meeting_name(name, g, src, count);
    struct node n = node_like(g, GRAPH_CONCAT, name, src, count);
    for (int i = 1; i < count; i++) {
        if (!same_size(g, src[0], src[i]))
            return graph_fail(g, ST_MODEL, "%s: a concatenation of %dx%d and %dx%d", name, n.h, n.w,
                              g->nodes[src[i]].h, g->nodes[src[i]].w);
        n.c += g->nodes[src[i]].c;
    }
    return graph_append(g, &n);
}

int graph_se(struct graph *g, const char *name, int src, int hidden)
{
    if (!graph_has_nodes(g, GRAPH_SE, &src, 1))
        return GRAPH_NONE;
    struct node n = node_like(g, GRAPH_SE, name, &src, 1);
    const int down[2] = { hidden, n.c }, up[2] = { n.c, hidden };
    n.param[0] = graph_append_param(g, name, "fc.0.weight", PARAM_LINEAR_WEIGHT, 2, down);
    n.param[1] = graph_append_param(g, name, "fc.3.weight", PARAM_LINEAR_WEIGHT, 2, up);
    return graph_append(g, &n);
}

int graph_spatial_gate(struct graph *g, const char *name, int src)
{
    if (!graph_has_nodes(g, GRAPH_SPATIAL_GATE, &src, 1))
        return GRAPH_NONE;
    struct node n = node_like(g, GRAPH_SPATIAL_GATE, name, &src, 1);
    const int dims[4] = { 1, 2, 7, 7 };
    n.param[0] = graph_append_param(g, name, "conv.weight", PARAM_WEIGHT, 4, dims);
    n.kernel_h = n.kernel_w = 7;
    n.pad_h = n.pad_w = 3;
    n.stride = n.groups = 1;
    return graph_append(g, &n);
}

int graph_triplet(struct graph *g, const char *name, int src)
{
    if (!graph_has_nodes(g, GRAPH_TRIPLET, &src, 1))
        return GRAPH_NONE;
    struct node n = node_like(g, GRAPH_TRIPLET, name, &src, 1);
    const int ch[4] = { 1, 2, 1, 7 }, cw[4] = { 1, 2, 7, 1 }, hw[4] = { 1, 2, 7, 7 };
    n.param[0] = graph_append_param(g, name, "conv_ch.weight", PARAM_WEIGHT, 4, ch);
    n.param[1] = graph_append_param(g, name, "conv_cw.weight", PARAM_WEIGHT, 4, cw);
    n.param[2] = graph_append_param(g, name, "conv_hw.weight", PARAM_WEIGHT, 4, hw);
    n.kernel_h = n.kernel_w = 7;
    n.pad_h = n.pad_w = 3;
    n.stride = n.groups = 1;
    return graph_append(g, &n);
}

int graph_attention(struct graph *g, int qkv, int heads)
{
    if (!graph_has_nodes(g, GRAPH_ATTENTION, &qkv, 1))
        return GRAPH_NONE;
    struct node n = node_like(g, GRAPH_ATTENTION, g->nodes[qkv].name, &qkv, 1);
    if (heads < 1 || n.c % (3 * heads) != 0)
        return graph_fail(g, ST_MODEL, "%s: %d channels are no queries, keys and values of %d heads", n.name,
                          n.c, heads);
    n.c /= 3;
    n.heads = heads;
    return graph_append(g, &n);
}

void graph_unused_param(struct graph *g, const char *name, int rows, int columns)
{
    const int dims[2] = { rows, columns };
    const int p = graph_append_param(g, name, "", PARAM_TABLE, 2, dims);
    if (p >= 0)
        g->params[p].unused = true;
}
