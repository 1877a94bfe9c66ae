#include "kernels/graph/rewrite_match.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/graph/rewrite.h"

struct readers { /* of one node's value */
    int count;   /* the graph's output counts as one */
    int last;    /* index of the last one, or GRAPH_NONE */
};

static struct readers *find_readers(const struct graph *g)
{
    struct readers *r = malloc(sizeof *r * (size_t)g->node_count);
    for (int i = 0; r && i < g->node_count; i++) {
        r[i] = (struct readers){ 0, GRAPH_NONE };
        for (int k = 0; k < g->nodes[i].inputs; k++) {
            r[g->nodes[i].in[k]].count++;
            r[g->nodes[i].in[k]].last = i;
        }
    }
    if (r)
        r[g->output].count++;
    return r;
}

static bool only_a_norm_reads(const struct graph *g, const struct readers *r, int node)
{
    return r[node].count == 1 && r[node].last != GRAPH_NONE && g->nodes[r[node].last].op == GRAPH_NORM;
}

static bool is_pointwise_conv(const struct node *n)
{
    return n->op == GRAPH_CONV && n->kernel_h == 1 && n->kernel_w == 1 && n->stride == 1 && n->pad_h == 0 &&
           n->pad_w == 0 && n->groups == 1;
}

/* A resize to a larger size that nobody else reads: convolving before it saves work. */
static bool can_be_absorbed(const struct graph *g, const struct readers *r, int node)
{
    const struct node *n = &g->nodes[node];
    if (n->op != GRAPH_RESIZE || r[node].count != 1)
        return false;
    const struct node *in = &g->nodes[n->in[0]];
    return (long long)in->h * in->w < (long long)n->h * n->w;
}

static void match_split(struct rewrite_match *found, const struct graph *g, const struct readers *r, int conv)
{
    const int concat = g->nodes[conv].in[0];
    const struct node *c = &g->nodes[concat];
    if (!is_pointwise_conv(&g->nodes[conv]) || c->op != GRAPH_CONCAT || r[concat].count != 1)
        return;
    for (int k = 0; k < c->inputs; k++)
        if (can_be_absorbed(g, r, c->in[k])) {
            found[c->in[k]].absorbed = true;
            found[concat].absorbed = found[conv].split = true;
        }
}

enum status rewrite_find(struct rewrite_match *found, const struct graph *g, unsigned which, struct err *err)
{
    struct readers *r = find_readers(g);
    if (!r)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory to rewrite %s", g->model);
    memset(found, 0, sizeof *found * (size_t)g->node_count);
    for (int i = 0; i < g->node_count; i++) {
        const struct node *n = &g->nodes[i];
        if ((which & REWRITE_NORM_BIAS) && n->op == GRAPH_CONV && n->param[1] != GRAPH_NONE)
            found[i].drop_bias = only_a_norm_reads(g, r, i);
        if ((which & REWRITE_BRANCH_CONV) && n->inputs == 1)
            match_split(found, g, r, i);
    }
    free(r);
    return ST_OK;
}
