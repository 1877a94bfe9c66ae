#include "kernels/cuda/net.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/graph/rewrite.h"
#include "kernels/models/native.h"

/* Tensor cores of a kind exist from this compute capability on. */
static const struct {
    const char *name;
    enum gpu_math math;
    int sm;
} precisions[] = { { "f32", GPU_F32, 0 }, { "tf32", GPU_TF32, 80 }, { "f16", GPU_F16, 70 }, { "bf16", GPU_BF16, 80 } };

enum status net_math(enum gpu_math *out, const char *precision, const struct gpu_card *card, struct err *err)
{
    for (size_t i = 0; i < sizeof precisions / sizeof *precisions; i++) {
        if (strcmp(precision, precisions[i].name) != 0)
            continue;
        *out = precisions[i].math;
        if (card->limits.sm >= precisions[i].sm)
            return ST_OK;
        return err_set(err, ST_UNSUPPORTED, "%s needs compute capability %d.%d, %s has %d.%d", precision,
                       precisions[i].sm / 10, precisions[i].sm % 10, card->name, card->limits.sm / 10,
                       card->limits.sm % 10);
    }
    return err_set(err, ST_UNSUPPORTED, "cuda has the precisions f32, tf32, f16 and bf16, got %.40s", precision);
}

enum fused_type net_storage(enum gpu_math math)
{
    return math == GPU_F16 ? FUSED_F16 : math == GPU_BF16 ? FUSED_BF16 : FUSED_F32;
}

static void put_place(struct gpu_net *net, int step, int segment, int slot)
{
    if (step != PLAN_NONE)
        net->places[step] = (struct place_in_segment){ segment, slot, segment };
}

static enum status cut_segments(struct gpu_net *net, struct err *err)
{
    enum status st = segments_of_plan(&net->segments, &net->segment_count, net->plan, net->math, err);
    if (st == ST_OK)
        st = segments_add_lone(&net->segments, &net->segment_count, net->plan, net->math, err);
    if (st != ST_OK)
        return st;
    net->places = calloc((size_t)net->plan->step_count + 1, sizeof *net->places);
    if (!net->places)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory for the places of %d steps", net->plan->step_count);
    for (int i = 0; i < net->plan->step_count; i++)
        put_place(net, i, -1, 0);
    for (int i = 0; i < net->segment_count; i++) {
        if (net->segments[i].parts == 0)
            net->places[net->segments[i].lone].shaped = i;
        for (int slot = 0; slot < net->segments[i].parts; slot++) {
            const struct segment_part *part = &net->segments[i].part[slot];
            put_place(net, part->conv, i, slot);
            put_place(net, part->stats, i, slot);
            put_place(net, part->apply, i, slot);
            put_place(net, part->scatter, i, slot);
        }
    }
    return ST_OK;
}

static enum status lower(struct net *n, const struct graph *g, const struct weights *w, struct err *err)
{
    struct weights rewritten = { .data = NULL };
    n->net.uploads = uploads_new(net_storage(n->net.math));
    if (!n->net.uploads)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory for the network's parameters");
    const struct lower_target target = uploads_target(n->net.uploads);
    enum status st = rewrite_all(&n->graph, &rewritten, g, w, err);
    if (st == ST_OK)
        st = lower_graph(&n->net.plan, n->graph, &rewritten, &target, err);
    weights_free(&rewritten);
    return st;
}

static enum status make_tickets(struct net *n, struct gpu_memory *m, struct err *err)
{
    enum status st = gpu_block_new(&n->tickets, m, GPU_LANES_MAX * GPU_TICKETS * sizeof(unsigned), "the tickets", err);
    if (st == ST_OK)
        st = gpu_check(m->device, cudaMemset(n->tickets.data, 0, n->tickets.bytes), "cudaMemset", NULL, err);
    n->net.tickets = n->tickets.data;
    return st;
}

enum status net_make(struct net *out, const struct graph *g, const struct weights *w, struct gpu_memory *m,
                     struct err *err)
{
    enum status st = lower(out, g, w, err);
    if (st == ST_OK)
        st = cut_segments(&out->net, err);
    if (st == ST_OK)
        st = uploads_finish(out->net.uploads, out->net.plan, m, err);
    return st == ST_OK ? make_tickets(out, m, err) : st;
}

enum status net_load(struct net *out, struct model_info *info, const struct model_request *req, struct gpu_memory *m,
                     struct err *err)
{
    struct graph *g = NULL;
    struct weights w = { .data = NULL };
    enum status st = native_load(&g, &w, info, req, err);
    if (st != ST_OK)
        return st;
    st = net_make(out, g, &w, m, err);
    weights_free(&w);
    graph_free(g);
    if (st == ST_OK)
        info->weight_bytes = uploads_bytes(out->net.uploads);
    return st;
}

void net_free(struct net *n, struct gpu_memory *m)
{
    gpu_block_free(&n->tickets, m);
    uploads_free(n->net.uploads, m);
    plan_free(n->net.plan);
    graph_free(n->graph);
    free(n->net.segments);
    free(n->net.places);
    n->net.uploads = NULL;
    n->net.plan = NULL;
    n->net.segments = NULL;
    n->net.places = NULL;
    n->graph = NULL;
}
