/* What a graph costs and which graph it is. */
#include "kernels/graph/graph.h"

#include <stdio.h>

#include "kernels/base/sha256.h"

/* Triplet: two kernels of 1x7 and 7x1 over the row and column descriptors, one 7x7 over the pixels; all taps
 * are counted, the ones that only ever see padding too. */
static uint64_t triplet_macs(uint64_t h, uint64_t w) { return 2 * 7 * (h + w) + 2 * 49 * h * w; }

uint64_t graph_node_macs(const struct graph *g, int node)
{
    const struct node *n = &g->nodes[node];
    const struct node *in = n->inputs > 0 ? &g->nodes[n->in[0]] : NULL;
    const uint64_t c = (uint64_t)n->c, h = (uint64_t)n->h, w = (uint64_t)n->w, pixels = h * w;
    const uint64_t taps = (uint64_t)n->kernel_h * (uint64_t)n->kernel_w;
    switch (n->op) {
    case GRAPH_CONV:
        return pixels * c * (uint64_t)(in->c / n->groups) * taps;
    case GRAPH_TCONV:
        return (uint64_t)in->h * (uint64_t)in->w * (uint64_t)in->c * c * taps;
    case GRAPH_SE:
        return 2 * (uint64_t)g->params[n->param[0]].count;
    case GRAPH_SPATIAL_GATE:
        return pixels * 2 * taps;
    case GRAPH_TRIPLET:
        return triplet_macs(h, w);
    case GRAPH_ATTENTION:
        return 2 * pixels * pixels * c;
    default:
        return 0;
    }
}

uint64_t graph_macs(const struct graph *g)
{
    uint64_t sum = 0;
    for (int i = 0; i < g->node_count; i++)
        sum += graph_node_macs(g, i);
    return sum;
}

uint64_t graph_parameters(const struct graph *g)
{
    uint64_t sum = 0;
    for (int i = 0; i < g->param_count; i++)
        sum += g->params[i].count;
    return sum;
}

uint64_t graph_node_bytes(const struct graph *g, int node, size_t element_bytes)
{
    const struct node *n = &g->nodes[node];
    uint64_t elements = (uint64_t)n->c * (uint64_t)n->h * (uint64_t)n->w;
    for (int i = 0; i < n->inputs; i++) {
        const struct node *in = &g->nodes[n->in[i]];
        elements += (uint64_t)in->c * (uint64_t)in->h * (uint64_t)in->w;
    }
    for (int i = 0; i < GRAPH_PARAMS_MAX; i++)
        if (n->param[i] != GRAPH_NONE)
            elements += g->params[n->param[i]].count;
    return elements * element_bytes;
}

/* Numbers go in as decimal text with a separator: no byte order, no padding, nothing ambiguous. */
static void add_ints(struct sha256 *s, const int *values, int count)
{
    char text[16];
    for (int i = 0; i < count; i++) {
        const int size = snprintf(text, sizeof text, "%d,", values[i]);
        sha256_add(s, text, (size_t)size);
    }
}

static void add_node(struct sha256 *s, const struct node *n)
{
    const int numbers[] = { (int)n->op,  n->inputs,        n->c,      n->h,     n->w,
                            n->kernel_h, n->kernel_w,      n->stride, n->pad_h, n->pad_w,
                            n->groups,   n->align_corners, n->heads };
    add_ints(s, numbers, (int)(sizeof numbers / sizeof *numbers));
    add_ints(s, n->in, n->inputs);
    add_ints(s, n->param, GRAPH_PARAMS_MAX);
}

void graph_sha256(char hex[65], const struct graph *g, const float *const *data)
{
    struct sha256 *s = sha256_open();
    hex[0] = '\0';
    if (!s)
        return;
    sha256_add(s, g->model, sizeof g->model);
    for (int i = 0; i < g->node_count; i++)
        add_node(s, &g->nodes[i]);
    add_ints(s, &g->output, 1);
    for (int i = 0; i < g->param_count; i++) {
        const struct param *p = &g->params[i];
        sha256_add(s, p->name, sizeof p->name);
        add_ints(s, p->dims, p->rank);
        sha256_add(s, data[i], p->count * sizeof(float));
    }
    sha256_close(s, hex);
}
