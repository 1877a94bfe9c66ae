#include "kernels/graph/rewrite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/graph/append.h"
#include "kernels/graph/rewrite_match.h"

struct source {       /* where a new param's data comes from */
    int param;        /* of the old graph */
    int first, count; /* input channels of a slice; count 0: the whole param */
};

struct job {
    const struct graph *g;
    struct graph *out;
    struct rewrite_match *found; /* [old nodes] */
    int *node_of;                /* [old nodes] -> new node, or GRAPH_NONE */
    int *param_of;               /* [old params] -> new param, or GRAPH_NONE while nobody read it */
    struct source *sources;      /* [new params], room for source_room */
    int source_room;
};

static void note_source(struct job *j, int param, struct source source)
{
    if (param >= j->source_room)
        graph_fail(j->out, ST_INTERNAL, "more than %d rewritten parameters", j->source_room);
    else if (param >= 0)
        j->sources[param] = source;
}

/* The new param that is the old one, whole; made at its first use. */
static int use_param(struct job *j, int old)
{
    if (old == GRAPH_NONE)
        return GRAPH_NONE;
    if (j->param_of[old] == GRAPH_NONE) {
        const struct param *p = &j->g->params[old];
        const int added = graph_append_param(j->out, p->name, "", p->kind, p->rank, p->dims);
        if (added == GRAPH_NONE)
            return GRAPH_NONE;
        j->out->params[added].damped = p->damped;
        note_source(j, added, (struct source){ .param = old });
        j->param_of[old] = added;
    }
    return j->param_of[old];
}

/* A new param: `count` input channels, from `first` on, of an old 1x1 weight [out, in, 1, 1]. */
static int slice_param(struct job *j, int old, int first, int count)
{
    const struct param *p = &j->g->params[old];
    char name[sizeof p->name + 32];
    snprintf(name, sizeof name, "%s[%d:%d]", p->name, first, count);
    const int dims[4] = { p->dims[0], count, 1, 1 };
    const int added = graph_append_param(j->out, name, "", p->kind, 4, dims);
    note_source(j, added, (struct source){ old, first, count });
    return added;
}

static int copy_node(struct job *j, int i)
{
    struct node n = j->g->nodes[i];
    for (int k = 0; k < n.inputs; k++)
        n.in[k] = j->node_of[n.in[k]];
    if (j->found[i].drop_bias)
        n.param[1] = GRAPH_NONE;
    for (int k = 0; k < GRAPH_PARAMS_MAX; k++)
        n.param[k] = use_param(j, n.param[k]);
    return graph_append(j->out, &n);
}

/* One branch of a split conv: its slice at the branch's own size, then the resize if there was one. */
static int split_branch(struct job *j, int conv, int branch, int first, int bias)
{
    struct node n = j->g->nodes[conv];
    const struct node *in = &j->g->nodes[branch];
    const bool resized = j->found[branch].absorbed;
    const int src = resized ? in->in[0] : branch;
    n.in[0] = j->node_of[src];
    n.h = j->g->nodes[src].h;
    n.w = j->g->nodes[src].w;
    n.param[0] = slice_param(j, n.param[0], first, in->c);
    n.param[1] = bias;
    const int at = graph_append(j->out, &n);
    return resized ? graph_resize(j->out, at, in->h, in->w, in->align_corners) : at;
}

static int split_conv(struct job *j, int conv)
{
    const struct node *n = &j->g->nodes[conv], *concat = &j->g->nodes[n->in[0]];
    int terms[GRAPH_INPUTS_MAX], first = 0;
    for (int k = 0; k < concat->inputs; k++) {
        const bool keeps_bias = k == 0 && !j->found[conv].drop_bias;
        terms[k] = split_branch(j, conv, concat->in[k], first,
                                keeps_bias ? use_param(j, n->param[1]) : GRAPH_NONE);
        first += j->g->nodes[concat->in[k]].c;
    }
    return graph_add(j->out, terms, concat->inputs);
}

static enum status build(struct job *j, struct err *err)
{
    const struct graph *g = j->g;
    for (int i = 0; i < g->param_count; i++)
        j->param_of[i] = GRAPH_NONE;
    for (int i = 0; i < g->node_count; i++)
        j->node_of[i] = j->found[i].absorbed ? GRAPH_NONE
                        : j->found[i].split  ? split_conv(j, i)
                                             : copy_node(j, i);
    for (int i = 0; i < g->mark_count; i++) {
        const int node = g->marks[i].node;
        if (!j->found[node].absorbed && !j->found[node].drop_bias)
            graph_mark(j->out, g->marks[i].name, j->node_of[node]);
    }
    return graph_finish(j->out, j->node_of[g->output], err);
}

/* dst [out, count] = input channels first .. first+count of src [out, in] */
static void copy_slice(float *dst, const float *src, struct source s, int outputs, int inputs)
{
    for (int o = 0; o < outputs; o++)
        memcpy(dst + (size_t)o * (size_t)s.count, src + (size_t)o * (size_t)inputs + (size_t)s.first,
               (size_t)s.count * sizeof *dst);
}

static enum status derive_weights(struct weights *out, const struct job *j, const struct weights *w,
                                  struct err *err)
{
    const struct graph *g = j->out;
    size_t own = 0;
    for (int i = 0; i < g->param_count; i++)
        own += j->sources[i].count > 0 ? g->params[i].count : 0;
    *out = (struct weights){ .count = g->param_count, .storage_bytes = own * sizeof(float) };
    out->data = calloc((size_t)g->param_count + 1, sizeof *out->data);
    out->storage = own > 0 ? malloc(out->storage_bytes) : NULL;
    if (!out->data || (own > 0 && !out->storage)) {
        weights_free(out);
        return err_set(err, ST_OUT_OF_MEMORY, "no memory for %zu rewritten weights of %s", own, g->model);
    }
    float *next = out->storage;
    for (int i = 0; i < g->param_count; i++) {
        const struct source s = j->sources[i];
        out->data[i] = w->data[s.param];
        if (s.count == 0)
            continue;
        copy_slice(next, w->data[s.param], s, g->params[i].dims[0], j->g->params[s.param].dims[1]);
        out->data[i] = next;
        next += g->params[i].count;
    }
    return ST_OK;
}

enum status rewrite_some(struct graph **out, struct weights *out_weights, const struct graph *g,
                         const struct weights *w, unsigned which, struct err *err)
{
    const size_t nodes = (size_t)g->node_count, params = (size_t)g->param_count;
    /* a param is read whole at most once, or in at most GRAPH_INPUTS_MAX slices */
    struct job j = { .g = g, .source_room = (int)(params * GRAPH_INPUTS_MAX) };
    *out = NULL;
    *out_weights = (struct weights){ 0 };
    j.out = graph_new(g->model);
    j.found = calloc(nodes + 1, sizeof *j.found);
    j.node_of = malloc((nodes + 1) * sizeof *j.node_of);
    j.param_of = malloc((params + 1) * sizeof *j.param_of);
    j.sources = calloc(params * GRAPH_INPUTS_MAX + 1, sizeof *j.sources);
    enum status st = j.out && j.found && j.node_of && j.param_of && j.sources
                         ? rewrite_find(j.found, g, which, err)
                         : err_set(err, ST_OUT_OF_MEMORY, "no memory to rewrite %s", g->model);
    if (st == ST_OK)
        st = build(&j, err);
    if (st == ST_OK)
        st = derive_weights(out_weights, &j, w, err);
    if (st == ST_OK)
        *out = j.out;
    else
        graph_free(j.out);
    free(j.sources);
    free(j.param_of);
    free(j.node_of);
    free(j.found);
    return st;
}

enum status rewrite_all(struct graph **out, struct weights *out_weights, const struct graph *g,
                        const struct weights *w, struct err *err)
{
    return rewrite_some(out, out_weights, g, w, REWRITE_ALL, err);
}
