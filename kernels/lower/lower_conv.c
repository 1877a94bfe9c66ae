/* Convolutions, products, concatenations: what a library computes, and in which layout it gets it. */
#include <string.h>

#include "kernels/lower/pack.h"
#include "kernels/lower/value.h"

void lower_input(struct lowering *l, int node)
{
    l->values[node] = value_new(VALUE_IMAGE);
}

static struct conv_shape conv_shape(const struct lowering *l, const struct node *n, int h, int w, int c,
                                     int k)
{
    struct conv_shape s;
    memset(&s, 0, sizeof s);
    s.n = 1;
    s.h = h;
    s.w = w;
    s.c = c;
    s.k = k;
    s.kernel_h = n->kernel_h;
    s.kernel_w = n->kernel_w;
    s.stride = n->stride;
    s.pad_h = n->pad_h;
    s.pad_w = n->pad_w;
    s.groups = n->groups;
    s.out_h = (h + 2 * n->pad_h - n->kernel_h) / n->stride + 1;
    s.out_w = (w + 2 * n->pad_w - n->kernel_w) / n->stride + 1;
    s.type = l->p->type;
    s.bias = n->param[1] != GRAPH_NONE;
    return s;
}

/* src, its channels laid out as `in` -> a new tensor of the shape's output; its index. */
static int emit_conv(struct lowering *l, int node, int src, struct channel_map in,
                     const struct conv_shape *shape)
{
    const struct node *n = &l->g->nodes[node];
    const struct channel_map out = channel_map_simple(n->c);
    struct conv_step conv = { .src = src, .shape = *shape };
    conv.dst = plan_tensor(l->p, shape->out_h, shape->out_w, shape->k, &out);
    if (conv.dst == PLAN_NONE)
        return lower_fail(l, ST_OUT_OF_MEMORY, "no memory for the plan");
    struct err why = { .status = ST_OK };
    enum status st = pack_conv(&conv.weights, l->target, shape, lower_param(l, node, 0), n->c, &in, &why);
    if (st != ST_OK)
        return lower_fail(l, st, "%s", why.text);
    if (shape->bias) {
        conv.bias = pack_vector(l->p, lower_param(l, node, 1), &out, shape->k);
        if (!conv.bias)
            return lower_fail(l, ST_OUT_OF_MEMORY, "no memory for a bias");
    }
    lower_step(l,
               (struct step){ .kind = STEP_CONV, .flops = 2 * graph_node_macs(l->g, node), .u.conv = conv });
    return conv.dst;
}

/* One output channel: a product per pixel in the pass that makes its input. */
static void lower_dot(struct lowering *l, int node)
{
    const struct node *n = &l->g->nodes[node];
    int in = n->in[0];
    const struct value *v = &l->values[in];
    struct term_ref terms[FUSED_TERMS_MAX];
    enum fused_act act = FUSED_NONE;
    int count;
    if (v->kind == VALUE_SUM && lower_readers(l, in) == 1) {
        count = v->terms;
        memcpy(terms, v->term, sizeof terms);
        act = v->act;
    } else {
        count = lower_terms(l, in, terms);
    }
    if (l->status != ST_OK)
        return;
    struct step s = lower_apply(l, in, terms, count);
    struct apply_step *a = &s.u.apply;
    s.flops = 2 * graph_node_macs(l->g, node);
    a->act = act;
    a->dot = lower_floats(l, (size_t)n->h * (size_t)n->w);
    a->dot_weight = pack_vector(l->p, lower_param(l, node, 0), lower_map(l, terms[0].src), a->c);
    a->dot_bias = n->param[1] == GRAPH_NONE ? 0.0f : lower_param(l, node, 1)[0];
    if (!a->dot_weight)
        lower_fail(l, ST_OUT_OF_MEMORY, "no memory for its weights");
    lower_step(l, s);
    l->values[node] = value_map(a->dot);
}

/* A 1x1 before a norm reads a transposed convolution's product as it lies: the missing bias adds a constant
 * to each channel, which the norm takes away, and statistics do not mind the order of pixels. */
static bool reads_wide(const struct lowering *l, int node)
{
    const struct node *n = &l->g->nodes[node];
    return l->values[n->in[0]].wide != PLAN_NONE && lower_is_pointwise(n) &&
           lower_read_only_by(l, node, GRAPH_NORM);
}

/* The tensor that a convolution reads: without gaps between its pixels, but where that would be a copy of what
 * a transposed convolution wrote into a concatenation. */
static int lower_source(struct lowering *l, int node)
{
    int in = l->g->nodes[node].in[0];
    return l->target->ordered && reads_wide(l, node) ? lower_stored(l, in) : lower_dense(l, in);
}

static void lower_conv_of_wide(struct lowering *l, int node)
{
    const struct node *n = &l->g->nodes[node], *up = &l->g->nodes[n->in[0]];
    int wide = l->values[n->in[0]].wide;
    struct conv_shape shape = conv_shape(l, n, up->h / 2, up->w * 2, lower_channels(l, wide) / 4,
                                          plan_padded(l->p, n->c));
    struct value v = value_new(VALUE_SUM);
    v.terms = 1;
    v.term[0] = term_of(emit_conv(l, node, wide, channel_map_simple(up->c), &shape));
    v.term[0].resize = FUSED_WIDE;
    l->values[node] = v;
}

/* A factor per pixel commutes with a 1x1: (f x) W = f (x W), so the product with f
 * waits for the next pass. */
static bool commutes(const struct lowering *l, int node)
{
    const struct node *n = &l->g->nodes[node];
    const struct value *v = &l->values[n->in[0]];
    return v->kind == VALUE_SCALED && v->channel_factor == PLAN_NONE && lower_is_pointwise(n) &&
           l->p->buffers[v->buffer].parent == PLAN_NONE;
}

static struct value times_pixel(int src, int pixel)
{
    struct value v = value_new(VALUE_SUM);
    v.terms = 1;
    v.term[0] = term_of(src);
    v.term[0].pixel = pixel;
    return v;
}

void lower_conv(struct lowering *l, int node)
{
    const struct node *n = &l->g->nodes[node], *in = &l->g->nodes[n->in[0]];
    if (lower_is_dot(n)) {
        lower_dot(l, node);
        return;
    }
    if (!l->target->ordered && reads_wide(l, node)) {
        lower_conv_of_wide(l, node);
        return;
    }
    bool late_factor = commutes(l, node);
    int pixel = l->values[n->in[0]].pixel;
    int src = late_factor ? l->values[n->in[0]].buffer : lower_source(l, node);
    if (l->status != ST_OK)
        return;
    int c = lower_channels(l, src), real = in->c;
    if (n->groups > 1 && (c != real || plan_padded(l->p, n->c) != n->c)) {
        lower_fail(l, ST_UNSUPPORTED, "grouped convolutions need channels in multiples of %d, got %d and %d",
                   l->p->channel_block, real, n->c);
        return;
    }
    struct conv_shape shape = conv_shape(l, n, in->h, in->w, c, plan_padded(l->p, n->c));
    int dst = emit_conv(l, node, src, *lower_map(l, src), &shape);
    l->values[node] = late_factor ? times_pixel(dst, pixel) : value_stored(dst);
}

/* As a product with four times the outputs: twice as fast as oneDNN's deconvolution, and its result can
 * be read before it is brought into order (on a GPU too that saves a pass). */
void lower_tconv(struct lowering *l, int node)
{
    const struct node *n = &l->g->nodes[node], *in = &l->g->nodes[n->in[0]];
    int src = lower_dense(l, n->in[0]);
    if (l->status != ST_OK)
        return;
    const struct channel_map map = *lower_map(l, src), out = channel_map_simple(n->c);
    static const struct node product = { .kernel_h = 1, .kernel_w = 1, .stride = 1, .groups = 1,
                                         .param = { GRAPH_NONE, GRAPH_NONE } };
    int k = plan_padded(l->p, n->c);
    struct conv_step conv = { .src = src,
                              .shape = conv_shape(l, &product, in->h, in->w, lower_channels(l, src), 4 * k) };
    struct channel_map wide = { .segments = 4 };
    for (int tap = 0; tap < 4; tap++) {
        wide.real[tap] = n->c;
        wide.at[tap] = tap * k;
    }
    conv.dst = plan_tensor(l->p, in->h, in->w, 4 * k, &wide);
    struct err why = { .status = ST_OK };
    enum status st =
        pack_tconv(&conv.weights, l->target, &conv.shape, lower_param(l, node, 0), n->c, &map, &why);
    struct value v = value_new(VALUE_WIDE);
    v.wide = conv.dst;
    if (n->param[1] != GRAPH_NONE)
        v.bias = pack_vector(l->p, lower_param(l, node, 1), &out, k);
    if (conv.dst == PLAN_NONE || (n->param[1] != GRAPH_NONE && !v.bias))
        lower_fail(l, ST_OUT_OF_MEMORY, "no memory for the plan");
    if (st != ST_OK)
        lower_fail(l, st, "%s", why.text);
    lower_step(l,
               (struct step){ .kind = STEP_CONV, .flops = 2 * graph_node_macs(l->g, node), .u.conv = conv });
    l->values[node] = v;
    if (l->target->ordered)
        lower_stored(l, node);
}

/* Do its channels follow each other, so that it can be read as one tensor? */
static bool has_no_gaps(const struct channel_map *map)
{
    int next = 0;
    for (int i = 0; i < map->segments; next += map->real[i++])
        if (map->at[i] != next)
            return false;
    return true;
}

void lower_concat(struct lowering *l, int node)
{
    const struct node *n = &l->g->nodes[node];
    for (int k = 0; k < n->inputs; k++) {
        struct term_ref term = term_of(lower_stored(l, n->in[k]));
        int slice = lower_slice_of(l, node, k);
        if (l->status != ST_OK)
            return;
        const struct buffer *from = &l->p->buffers[term.src], *to = &l->p->buffers[slice];
        if (from->parent == to->parent && from->first_channel == to->first_channel)
            continue; /* written in place */
        if (from->c != to->c || !has_no_gaps(&from->map)) {
            lower_fail(l, ST_UNSUPPORTED, "an input of a concatenation may not be one with padding in between");
            return;
        }
        struct step s = lower_apply(l, n->in[k], &term, 1);
        s.u.apply.dst = slice;
        lower_step(l, s);
    }
    l->values[node] = value_stored(l->concat_buffer[node]);
}

void lower_attention(struct lowering *l, int node)
{
    const struct node *n = &l->g->nodes[node];
    int src = lower_dense(l, n->in[0]);
    if (l->status != ST_OK)
        return;
    if (n->c % l->p->channel_block != 0 || n->c % n->heads != 0) {
        lower_fail(l, ST_UNSUPPORTED,
                   "attention needs channels in multiples of %d and of its %d heads, got %d",
                   l->p->channel_block, n->heads, n->c);
        return;
    }
    int dst = lower_tensor(l, n->h, n->w, n->c);
    lower_step(l, (struct step){ .kind = STEP_ATTENTION, .flops = 2 * graph_node_macs(l->g, node),
                                 .u.attention = { .src = src, .dst = dst, .heads = n->heads,
                                                  .depth = n->c / n->heads, .tokens = n->h * n->w } });
    l->values[node] = value_stored(dst);
}
