#include "kernels/cpu/bind.h"

#include <stdlib.h>

/* Outputs above this leave the caches anyway: written past them. */
#define STREAM_BYTES ((size_t)16 << 20)

static char *data_of(const struct exec *e, int id)
{
    if (id == PLAN_NONE)
        return NULL;
    const struct buffer *b = &e->p->buffers[id];
    size_t element = fused_bytes(e->p->type), n = (size_t)e->batch;
    if (b->parent != PLAN_NONE)
        return (char *)e->arena.data + e->p->buffers[b->parent].offset * n +
               (size_t)b->first_channel * element;
    return (char *)e->arena.data + b->offset * n;
}

static float *floats(const struct exec *e, int id)
{
    return (float *)(void *)data_of(e, id);
}

static struct fused_view view(const struct exec *e, int id)
{
    if (id == PLAN_NONE)
        return (struct fused_view){ .data = NULL };
    const struct buffer *b = &e->p->buffers[id];
    int stride = b->parent == PLAN_NONE ? b->c : e->p->buffers[b->parent].c;
    return (struct fused_view){ data_of(e, id), e->p->type, e->batch, b->h, b->w, b->c, stride };
}

static size_t view_bytes(const struct fused_view *v)
{
    size_t element = fused_bytes(v->type);
    return v->data ? (size_t)v->n * (size_t)v->h * (size_t)v->w * (size_t)v->c * element : 0;
}

static struct fused_norm norm(const struct exec *e, const struct norm_ref *r)
{
    return (struct fused_norm){
        r->gamma, r->beta, floats(e, r->scale), floats(e, r->shift), floats(e, r->center), floats(e, r->rate)
    };
}

static struct fused_term term(const struct exec *e, const struct term_ref *r)
{
    struct fused_term t = { view(e, r->src), floats(e, r->scale), floats(e, r->shift), floats(e, r->pixel), r->relu,
                            r->resize };
    if (r->resize == FUSED_WIDE) { /* (h/2, 2w, c) as it was computed is (h/2, w/2, 4c) as it is read */
        t.src.w /= 4;
        t.src.c *= 4;
        t.src.stride *= 4;
    }
    return t;
}

/* --- one function per kind of step ---------------------------------------------------------------------- */

static enum status bind_pack(struct bound *b, struct exec *e, const struct pack_step *s, struct err *err)
{
    (void)err;
    struct bound_pack *p = &b->u.pack;
    p->op = (struct fused_pack){ .c_real = e->p->input[0], .dst = view(e, s->dst) };
    p->op.dst.n = 1;
    p->image_bytes = view_bytes(&p->op.dst);
    b->scratch_bytes = fused_pack_scratch(&p->op);
    return ST_OK;
}

/* The kernel for this batch size: the same one at batch 1, else described once. */
static enum status batch_kernel(struct compat_kernel **out, struct exec *e, int index, struct err *err)
{
    *out = e->kernels[index];
    if (*out)
        return ST_OK;
    struct conv_shape shape = e->packing->shapes[index];
    shape.n = e->batch;
    enum status st = compat_describe_conv(&e->kernels[index], e->packing->compat, &shape, err);
    *out = e->kernels[index];
    return st;
}

/* Weights in the layout of this batch size: the packed ones where oneDNN asks for the same, else a copy. */
static enum status batch_weights(void **out, struct exec *e, int index, const struct compat_kernel *kernel,
                                 struct err *err)
{
    const struct packed *w = &e->packing->weights[index];
    const struct compat_kernel *layout = e->packing->kernels[w->kernel];
    *out = w->data;
    if (compat_same_weights(kernel, layout))
        return ST_OK;
    if (!e->repacked[index]) {
        size_t bytes = (compat_weights_bytes(kernel) + 63) / 64 * 64;
        e->repacked[index] = aligned_alloc(64, bytes);
        if (!e->repacked[index])
            return err_set(err, ST_OUT_OF_MEMORY, "no memory for %zu bytes of repacked weights", bytes);
        e->repacked_bytes += bytes;
        enum status st = compat_repack_weights(e->repacked[index], kernel, w->data, layout, err);
        if (st != ST_OK)
            return st;
    }
    *out = e->repacked[index];
    return ST_OK;
}

static enum status bind_conv(struct bound *b, struct exec *e, const struct conv_step *s, struct err *err)
{
    int index = e->packing->weights[s->weights].kernel;
    enum status st = batch_kernel(&b->u.conv.kernel, e, index, err);
    if (st == ST_OK)
        b->scratch_bytes = compat_scratch_bytes(b->u.conv.kernel);
    return st;
}

static enum status bind_stats(struct bound *b, struct exec *e, const struct stats_step *s, struct err *err)
{
    (void)err;
    b->u.stats = (struct fused_stats){ view(e, s->src), floats(e, s->pixel), norm(e, &s->norm) };
    b->scratch_bytes = fused_stats_scratch(&b->u.stats);
    return ST_OK;
}

static enum status bind_apply(struct bound *b, struct exec *e, const struct apply_step *s, struct err *err)
{
    (void)err;
    struct bound_apply *a = &b->u.apply;
    a->op = (struct fused_apply){ .terms = s->terms, .n = e->batch, .h = s->h, .w = s->w, .c = s->c,
                                  .c_real = s->c_real, .act = s->act, .dst = view(e, s->dst),
                                  .pool = view(e, s->pool), .channel_mean = floats(e, s->channel_mean),
                                  .point = floats(e, s->point), .dot_weight = s->dot_weight,
                                  .dot_bias = s->dot_bias, .dot = floats(e, s->dot) };
    for (int t = 0; t < s->terms; t++)
        a->op.term[t] = term(e, &s->term[t]);
    a->op.stream = view_bytes(&a->op.dst) > STREAM_BYTES;
    if (s->has_norm) {
        a->norm = norm(e, &s->norm);
        a->op.norm = &a->norm;
    }
    b->scratch_bytes = fused_apply_scratch(&a->op);
    return ST_OK;
}

static enum status bind_survey(struct bound *b, struct exec *e, const struct survey_step *s, struct err *err)
{
    (void)err;
    struct fused_survey *v = &b->u.survey;
    *v = (struct fused_survey){ .src = view(e, s->src), .c_real = s->c_real, .scale = floats(e, s->scale),
                                .shift = floats(e, s->shift), .center = floats(e, s->center),
                                .rate = floats(e, s->rate), .pixel = floats(e, s->pixel), .dst = view(e, s->dst),
                                .row = floats(e, s->row), .column = floats(e, s->column),
                                .point = floats(e, s->point) };
    v->stream = view_bytes(&v->dst) > STREAM_BYTES;
    b->scratch_bytes = fused_survey_scratch(v);
    return ST_OK;
}

static enum status bind_se(struct bound *b, struct exec *e, const struct se_step *s, struct err *err)
{
    (void)err;
    b->u.se = (struct fused_se){ e->batch, s->c,  s->hidden,           floats(e, s->mean),
                                  s->w1,    s->w2, floats(e, s->factor) };
    b->scratch_bytes = fused_se_scratch(&b->u.se);
    return ST_OK;
}

static enum status bind_gate(struct bound *b, struct exec *e, const struct gate_step *s, struct err *err)
{
    (void)err;
    b->u.gate = (struct fused_gate){ e->batch, s->h, s->w, floats(e, s->point), floats(e, s->point_factor),
                                     floats(e, s->prior), s->weight, floats(e, s->factor) };
    b->scratch_bytes = fused_gate_scratch(&b->u.gate);
    return ST_OK;
}

static enum status bind_triplet(struct bound *b, struct exec *e, const struct triplet_step *s,
                                struct err *err)
{
    (void)err;
    b->u.triplet = (struct fused_triplet){ .n = e->batch, .h = s->h, .w = s->w, .row = floats(e, s->row),
                                           .column = floats(e, s->column), .point = floats(e, s->point),
                                           .prior = floats(e, s->prior),
                                           .row_weight = { s->row_weight[0], s->row_weight[1] },
                                           .column_weight = { s->column_weight[0], s->column_weight[1] },
                                           .point_weight = s->point_weight, .factor = floats(e, s->factor) };
    b->scratch_bytes = fused_triplet_scratch(&b->u.triplet);
    return ST_OK;
}

static enum status bind_map_norm(struct bound *b, struct exec *e, const struct map_norm_step *s,
                                 struct err *err)
{
    (void)err;
    b->u.map_norm = (struct fused_map_norm){ e->batch, s->h, s->w, s->normalise, s->gamma, s->beta, s->act,
                                             floats(e, s->src), floats(e, s->dst) };
    b->scratch_bytes = fused_map_norm_scratch(&b->u.map_norm);
    return ST_OK;
}

static enum status bind_map_resize(struct bound *b, struct exec *e, const struct map_resize_step *s,
                                   struct err *err)
{
    (void)err;
    b->u.map_resize = (struct fused_map_resize){ e->batch, s->h, s->w, s->to_h, s->to_w, s->resize,
                                                 floats(e, s->src), floats(e, s->dst) };
    b->scratch_bytes = fused_map_resize_scratch(&b->u.map_resize);
    return ST_OK;
}

static enum status bind_scatter(struct bound *b, struct exec *e, const struct scatter_step *s,
                                struct err *err)
{
    (void)err;
    struct fused_scatter *v = &b->u.scatter;
    *v = (struct fused_scatter){ .src = view(e, s->src), .dst = view(e, s->dst), .bias = s->bias };
    v->stream = view_bytes(&v->dst) > STREAM_BYTES;
    b->scratch_bytes = fused_scatter_scratch(v);
    return ST_OK;
}

static enum status bind_attention(struct bound *b, struct exec *e, const struct attention_step *s,
                                  struct err *err)
{
    struct attention_shape shape = { e->batch, s->heads, s->depth, s->tokens, e->p->type };
    b->u.attention.src = data_of(e, s->src);
    b->u.attention.dst = data_of(e, s->dst);
    enum status st = attention_new(&b->u.attention.attention, e->packing->compat, &shape, err);
    if (st == ST_OK)
        b->scratch_bytes = attention_scratch_bytes(b->u.attention.attention);
    return st;
}

static enum status bind_unpack(struct bound *b, struct exec *e, const struct unpack_step *s, struct err *err)
{
    (void)err;
    struct bound_unpack *u = &b->u.unpack;
    const struct channel_map *map = &e->p->buffers[s->src].map;
    size_t element = fused_bytes(e->p->type);
    int first = 0;
    u->count = map->segments;
    for (int i = 0; i < map->segments; i++) {
        struct fused_view src = view(e, s->src);
        src.data = (char *)src.data + (size_t)map->at[i] * element;
        src.c = plan_padded(e->p, map->real[i]);
        u->op[i] = (struct fused_unpack){ src, map->real[i], first, e->p->output[0], floats(e, s->dst) };
        first += map->real[i];
        size_t scratch = fused_unpack_scratch(&u->op[i]);
        if (scratch > b->scratch_bytes)
            b->scratch_bytes = scratch;
    }
    return ST_OK;
}

enum status bind_step(struct bound *b, struct exec *e, int index, struct err *err)
{
    const struct step *s = &e->p->steps[index];
    b->kind = s->kind;
    switch (s->kind) {
#define X(upper, lower) \
    case STEP_##upper: \
        return bind_##lower(b, e, &s->u.lower, err);
        PLAN_STEP_LIST(X)
#undef X
    case STEP_COUNT:
        break;
    }
    return err_set(err, ST_INTERNAL, "step %d of kind %d", index, (int)s->kind);
}

enum status bind_scratch(struct bound *b, struct exec *e, int index, struct err *err)
{
    if (b->kind != STEP_CONV)
        return ST_OK;
    const struct conv_step *s = &e->p->steps[index].u.conv;
    void *weights;
    enum status st = batch_weights(&weights, e, s->weights, b->u.conv.kernel, err);
    if (st != ST_OK)
        return st;
    const struct compat_buffers buffers = { data_of(e, s->src), weights, (void *)(uintptr_t)s->bias,
                                            data_of(e, s->dst), e->scratch.data };
    return compat_bind(&b->u.conv.call, b->u.conv.kernel, &buffers, err);
}

void bind_free(struct bound *b)
{
    if (b->kind == STEP_CONV)
        compat_unbind(b->u.conv.call);
    if (b->kind == STEP_ATTENTION)
        attention_free(b->u.attention.attention);
}

static void run_pack(struct bound_pack *p, struct exec *e, const float *const *images)
{
    struct fused_pack op = p->op;
    for (int i = 0; i < e->batch; i++) {
        op.src = images[i];
        op.dst.data = (char *)p->op.dst.data + (size_t)i * p->image_bytes;
        e->k->pack(&op, e->scratch.data);
    }
}

enum status bound_run(struct bound *b, struct exec *e, const float *const *images, struct err *err)
{
    const struct fused_kernels *k = e->k;
    void *scratch = e->scratch.data;
    switch (b->kind) {
    case STEP_PACK:       run_pack(&b->u.pack, e, images); break;
    case STEP_CONV:       return compat_run(b->u.conv.call, err);
    case STEP_STATS:      k->stats(&b->u.stats, scratch); break;
    case STEP_APPLY:      k->apply(&b->u.apply.op, scratch); break;
    case STEP_SURVEY:     k->survey(&b->u.survey, scratch); break;
    case STEP_SE:         k->se(&b->u.se, scratch); break;
    case STEP_GATE:       k->gate(&b->u.gate, scratch); break;
    case STEP_TRIPLET:    k->triplet(&b->u.triplet, scratch); break;
    case STEP_MAP_NORM:   k->map_norm(&b->u.map_norm, scratch); break;
    case STEP_MAP_RESIZE: k->map_resize(&b->u.map_resize, scratch); break;
    case STEP_SCATTER:    k->scatter(&b->u.scatter, scratch); break;
    case STEP_ATTENTION:
        return attention_run(b->u.attention.attention, k, b->u.attention.src, b->u.attention.dst, scratch,
                             err);
    case STEP_UNPACK:
        for (int i = 0; i < b->u.unpack.count; i++)
            k->unpack(&b->u.unpack.op[i], scratch);
        break;
    case STEP_COUNT:
        break;
    }
    return ST_OK;
}
