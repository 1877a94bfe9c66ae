#include "kernels/lower/lower.h"

#include <stdlib.h>

#include "kernels/lower/value.h"

static void (*const handlers[GRAPH_OP_COUNT])(struct lowering *l, int node) = {
    [GRAPH_INPUT] = lower_input,
    [GRAPH_CONV] = lower_conv,
    [GRAPH_TCONV] = lower_tconv,
    [GRAPH_NORM] = lower_norm,
    [GRAPH_RELU] = lower_relu,
    [GRAPH_SIGMOID] = lower_sigmoid,
    [GRAPH_ADD] = lower_add,
    [GRAPH_MUL] = lower_mul,
    [GRAPH_MAXPOOL] = lower_maxpool,
    [GRAPH_RESIZE] = lower_resize,
    [GRAPH_CONCAT] = lower_concat,
    [GRAPH_SE] = lower_se,
    [GRAPH_SPATIAL_GATE] = lower_spatial_gate,
    [GRAPH_SIMAM] = lower_simam,
    [GRAPH_TRIPLET] = lower_triplet,
    [GRAPH_ATTENTION] = lower_attention,
};

/* The output as f32 [C][H][W]: a map is that already. */
static void lower_output(struct lowering *l)
{
    int out = l->g->output;
    const struct node *n = &l->g->nodes[out];
    l->node = out;
    if (l->values[out].kind == VALUE_MAP) {
        l->p->output_buffer = l->values[out].buffer;
        return;
    }
    int src = lower_stored(l, out);
    l->p->output_buffer = lower_floats(l, (size_t)n->c * (size_t)n->h * (size_t)n->w);
    lower_step(l,
               (struct step){ .kind = STEP_UNPACK, .u.unpack = { .src = src, .dst = l->p->output_buffer } });
}

static void lower_nodes(struct lowering *l)
{
    for (int i = 0; i < l->g->node_count && l->status == ST_OK; i++) {
        l->node = i;
        if (l->g->nodes[i].op == GRAPH_INPUT) {
            l->p->input[0] = l->g->nodes[i].c;
            l->p->input[1] = l->g->nodes[i].h;
            l->p->input[2] = l->g->nodes[i].w;
        }
        handlers[l->g->nodes[i].op](l, i);
    }
    if (l->status == ST_OK)
        lower_output(l);
    l->p->output[0] = l->g->nodes[l->g->output].c;
    l->p->output[1] = l->g->nodes[l->g->output].h;
    l->p->output[2] = l->g->nodes[l->g->output].w;
}

enum status lower_graph(struct plan **out, const struct graph *g, const struct weights *w,
                        const struct lower_target *target, struct err *err)
{
    struct lowering l = { .p = plan_new(target->type, target->channel_block),
                          .target = target,
                          .g = g,
                          .w = w,
                          .err = err,
                          .status = ST_OK };
    size_t nodes = (size_t)g->node_count;
    l.values = calloc(nodes, sizeof *l.values);
    l.concat_buffer = calloc(nodes, sizeof *l.concat_buffer);
    if (!l.p || !l.values || !l.concat_buffer)
        l.status = err_set(err, ST_OUT_OF_MEMORY, "no memory to plan %d operators", g->node_count);
    for (size_t i = 0; i < nodes && l.status == ST_OK; i++)
        l.concat_buffer[i] = PLAN_NONE;
    if (l.status == ST_OK)
        lower_nodes(&l);
    if (l.status == ST_OK)
        l.status = plan_finish(l.p, err);
    free(l.values);
    free(l.concat_buffer);
    if (l.status != ST_OK) {
        plan_free(l.p);
        return l.status;
    }
    *out = l.p;
    return ST_OK;
}
