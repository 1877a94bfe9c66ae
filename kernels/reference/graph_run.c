/* A graph from its first node to its output, one operator after another. */
#include "kernels/reference/reference.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/base/clock.h"

struct run {
    const struct graph *g;
    const struct weights *w;
    int batch;
    double **value; /* [node_count]: NULL before it is computed and after its last reader */
    int *last;      /* [node_count]: the last node that reads it */
};

static struct ref_shape shape_of(const struct run *r, int node)
{
    const struct node *n = &r->g->nodes[node];
    return (struct ref_shape){ r->batch, n->h, n->w, n->c };
}

static size_t values_of(const struct run *r, int node)
{
    const struct ref_shape s = shape_of(r, node);
    return (size_t)s.n * (size_t)s.h * (size_t)s.w * (size_t)s.c;
}

static const float *param_of(const struct run *r, const struct node *n, int which)
{
    return n->param[which] == GRAPH_NONE ? NULL : r->w->data[n->param[which]];
}

/* (N,C,H,W) f32 to (N,H,W,C) */
static void to_channels_last(double *dst, const float *src, struct ref_shape s)
{
    const size_t pixels = (size_t)s.h * (size_t)s.w, c = (size_t)s.c;
    for (size_t n = 0; n < (size_t)s.n; n++)
        for (size_t k = 0; k < c; k++)
            for (size_t p = 0; p < pixels; p++)
                dst[(n * pixels + p) * c + k] = (double)src[(n * c + k) * pixels + p];
}

static void from_channels_last(double *dst, const double *src, struct ref_shape s)
{
    const size_t pixels = (size_t)s.h * (size_t)s.w, c = (size_t)s.c;
    for (size_t n = 0; n < (size_t)s.n; n++)
        for (size_t k = 0; k < c; k++)
            for (size_t p = 0; p < pixels; p++)
                dst[(n * c + k) * pixels + p] = src[(n * pixels + p) * c + k];
}

static void run_conv(const struct run *r, const struct node *n, double *dst)
{
    const struct ref_conv spec = { n->c, n->kernel_h, n->kernel_w, n->stride, n->pad_h, n->pad_w, n->groups };
    reference_conv(dst, r->value[n->in[0]], shape_of(r, n->in[0]), spec, param_of(r, n, 0),
                   param_of(r, n, 1));
}

/* Left to right: ((a + b) + c) + ... */
static void run_add(const struct run *r, const struct node *n, double *dst, struct ref_shape s)
{
    memcpy(dst, r->value[n->in[0]], (size_t)s.n * (size_t)s.h * (size_t)s.w * (size_t)s.c * sizeof *dst);
    for (int i = 1; i < n->inputs; i++)
        reference_add(dst, dst, r->value[n->in[i]], s);
}

static void run_concat(const struct run *r, const struct node *n, double *dst)
{
    const double *src[GRAPH_INPUTS_MAX];
    int channels[GRAPH_INPUTS_MAX];
    for (int i = 0; i < n->inputs; i++) {
        src[i] = r->value[n->in[i]];
        channels[i] = r->g->nodes[n->in[i]].c;
    }
    reference_concat(dst, src, channels, n->inputs, r->batch, n->h, n->w);
}

static enum status run_node(const struct run *r, const struct node *n, double *dst)
{
    const int in = n->in[0];
    const double *src = r->value[in];
    const struct ref_shape s = shape_of(r, in);
    switch (n->op) {
    case GRAPH_CONV:
        run_conv(r, n, dst);
        return ST_OK;
    case GRAPH_TCONV:
        reference_tconv(dst, src, s, n->c, param_of(r, n, 0), param_of(r, n, 1));
        return ST_OK;
    case GRAPH_NORM:
        reference_norm(dst, src, s, param_of(r, n, 0), param_of(r, n, 1));
        return ST_OK;
    case GRAPH_RELU:
        reference_relu(dst, src, s);
        return ST_OK;
    case GRAPH_SIGMOID:
        reference_sigmoid(dst, src, s);
        return ST_OK;
    case GRAPH_ADD:
        run_add(r, n, dst, s);
        return ST_OK;
    case GRAPH_MUL:
        reference_mul(dst, src, r->value[n->in[1]], s, r->g->nodes[n->in[1]].c == 1);
        return ST_OK;
    case GRAPH_MAXPOOL:
        reference_maxpool(dst, src, s);
        return ST_OK;
    case GRAPH_RESIZE:
        reference_resize(dst, src, s, n->h, n->w, n->align_corners);
        return ST_OK;
    case GRAPH_CONCAT:
        run_concat(r, n, dst);
        return ST_OK;
    case GRAPH_SE:
        return reference_se(dst, src, s, r->g->params[n->param[0]].dims[0], param_of(r, n, 0),
                            param_of(r, n, 1));
    case GRAPH_SPATIAL_GATE:
        return reference_spatial_gate(dst, src, s, param_of(r, n, 0));
    case GRAPH_SIMAM:
        reference_simam(dst, src, s);
        return ST_OK;
    case GRAPH_TRIPLET:
        return reference_triplet(dst, src, s, param_of(r, n, 0), param_of(r, n, 1), param_of(r, n, 2));
    case GRAPH_ATTENTION:
        reference_attention(dst, src, s, n->heads);
        return ST_OK;
    default:
        return ST_INTERNAL;
    }
}

static enum status step(struct run *r, int i, const float *src, struct err *err)
{
    const struct node *n = &r->g->nodes[i];
    r->value[i] = malloc(values_of(r, i) * sizeof(double));
    enum status st = r->value[i] ? ST_OK : ST_OUT_OF_MEMORY;
    if (st == ST_OK && n->op == GRAPH_INPUT)
        to_channels_last(r->value[i], src, shape_of(r, i));
    else if (st == ST_OK)
        st = run_node(r, n, r->value[i]);
    if (st != ST_OK)
        return err_set(err, st, "%s: the reference could not run %s of %s (%d images of %dx%dx%d)",
                       r->g->model, graph_op_name(n->op), n->name, r->batch, n->c, n->h, n->w);
    for (int k = 0; k < n->inputs; k++)
        if (r->last[n->in[k]] == i) {
            free(r->value[n->in[k]]);
            r->value[n->in[k]] = NULL;
        }
    return ST_OK;
}

static void find_last_readers(struct run *r)
{
    for (int i = 0; i < r->g->node_count; i++) {
        r->last[i] = GRAPH_NONE;
        for (int k = 0; k < r->g->nodes[i].inputs; k++)
            r->last[r->g->nodes[i].in[k]] = i;
    }
    r->last[r->g->output] = GRAPH_NONE;
}

enum status reference_run_timed(double *dst, const struct graph *g, const struct weights *w, const float *src,
                                int batch, uint64_t *node_ns, struct err *err)
{
    const size_t count = (size_t)g->node_count;
    struct run r = { g, w, batch, calloc(count, sizeof *r.value), malloc(count * sizeof *r.last) };
    enum status st = r.value && r.last ? ST_OK
                                       : err_set(err, ST_OUT_OF_MEMORY, "%s: no memory to run", g->model);
    if (st == ST_OK)
        find_last_readers(&r);
    const struct clock clk = clock_system();
    for (int i = 0; i < g->node_count && st == ST_OK; i++) {
        const uint64_t before_ns = clock_now_ns(&clk);
        st = step(&r, i, src, err);
        if (node_ns)
            node_ns[i] += clock_now_ns(&clk) - before_ns;
    }
    if (st == ST_OK)
        from_channels_last(dst, r.value[g->output], shape_of(&r, g->output));
    for (size_t i = 0; r.value && i < count; i++)
        free(r.value[i]);
    free(r.last);
    free(r.value);
    return st;
}

enum status reference_run(double *dst, const struct graph *g, const struct weights *w, const float *src,
                          int batch, struct err *err)
{
    return reference_run_timed(dst, g, w, src, batch, NULL, err);
}
