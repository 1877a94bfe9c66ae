#include "kernels/lower/value.h"

#include <stdarg.h>
#include <stdio.h>

struct value value_new(enum value_kind kind)
{
    return (struct value){ .kind = kind,
                           .buffer = PLAN_NONE,
                           .channel_factor = PLAN_NONE,
                           .pixel = PLAN_NONE,
                           .point = PLAN_NONE,
                           .point_factor = PLAN_NONE,
                           .center = PLAN_NONE,
                           .rate = PLAN_NONE,
                           .norm_step = PLAN_NONE,
                           .wide = PLAN_NONE,
                           .pool = PLAN_NONE };
}

struct value value_stored(int buffer)
{
    struct value v = value_new(VALUE_STORED);
    v.buffer = buffer;
    return v;
}

struct value value_map(int buffer)
{
    struct value v = value_new(VALUE_MAP);
    v.buffer = buffer;
    return v;
}

struct term_ref term_of(int src)
{
    return (struct term_ref){ .src = src, .scale = PLAN_NONE, .shift = PLAN_NONE, .pixel = PLAN_NONE };
}

int lower_fail(struct lowering *l, enum status st, const char *format, ...)
{
    if (l->status != ST_OK)
        return PLAN_NONE;
    char text[ERR_TEXT_MAX / 2];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    const struct node *n = &l->g->nodes[l->node];
    l->status = err_set(l->err, st, "%s \"%s\": %s", graph_op_name(n->op), n->name, text);
    return PLAN_NONE;
}

static int or_no_memory(struct lowering *l, int index)
{
    return index == PLAN_NONE ? lower_fail(l, ST_OUT_OF_MEMORY, "no memory for the plan") : index;
}

int lower_step(struct lowering *l, struct step s)
{
    s.node = l->node;
    return l->status == ST_OK ? or_no_memory(l, plan_step(l->p, &s)) : PLAN_NONE;
}

int lower_tensor(struct lowering *l, int h, int w, int real)
{
    int c = plan_padded(l->p, real);
    if (c > FUSED_CHANNELS_MAX && l->g->nodes[l->node].op != GRAPH_CONV &&
        l->g->nodes[l->node].op != GRAPH_TCONV)
        return lower_fail(l, ST_UNSUPPORTED, "%d channels, the kernels take at most %d", c,
                          FUSED_CHANNELS_MAX);
    struct channel_map map = channel_map_simple(real);
    return or_no_memory(l, plan_tensor(l->p, h, w, c, &map));
}

int lower_floats(struct lowering *l, size_t floats)
{
    return or_no_memory(l, plan_floats(l->p, floats));
}

const float *lower_param(const struct lowering *l, int node, int which)
{
    int param = l->g->nodes[node].param[which];
    return param == GRAPH_NONE ? NULL : l->w->data[param];
}

int lower_readers(const struct lowering *l, int node)
{
    int count = l->g->output == node;
    for (int i = node + 1; i < l->g->node_count; i++)
        for (int k = 0; k < l->g->nodes[i].inputs; k++)
            count += l->g->nodes[i].in[k] == node;
    return count;
}

bool lower_read_only_by(const struct lowering *l, int node, enum graph_op op)
{
    if (l->g->output == node)
        return false;
    for (int i = node + 1; i < l->g->node_count; i++)
        for (int k = 0; k < l->g->nodes[i].inputs; k++)
            if (l->g->nodes[i].in[k] == node && l->g->nodes[i].op != op)
                return false;
    return true;
}

bool lower_is_pointwise(const struct node *n)
{
    return n->op == GRAPH_CONV && n->kernel_h == 1 && n->kernel_w == 1 && n->stride == 1 && n->groups == 1 &&
           n->pad_h == 0 && n->pad_w == 0 && n->param[1] == GRAPH_NONE;
}

bool lower_is_dot(const struct node *n)
{
    return n->op == GRAPH_CONV && n->c == 1 && n->kernel_h == 1 && n->kernel_w == 1 && n->stride == 1 && n->groups == 1;
}

const struct channel_map *lower_map(const struct lowering *l, int buffer)
{
    return &l->p->buffers[buffer].map;
}

int lower_channels(const struct lowering *l, int buffer)
{
    return l->p->buffers[buffer].c;
}

struct step lower_apply(const struct lowering *l, int node, const struct term_ref *term, int terms)
{
    const struct node *n = &l->g->nodes[node];
    struct step s = { .kind = STEP_APPLY };
    struct apply_step *a = &s.u.apply;
    *a = (struct apply_step){ .terms = terms,
                              .h = n->h,
                              .w = n->w,
                              .c_real = n->c,
                              .dst = PLAN_NONE,
                              .pool = PLAN_NONE,
                              .channel_mean = PLAN_NONE,
                              .point = PLAN_NONE,
                              .dot = PLAN_NONE };
    for (int t = 0; t < terms; t++)
        a->term[t] = term[t];
    if (term[0].src != PLAN_NONE)
        a->c = lower_channels(l, term[0].src);
    return s;
}
