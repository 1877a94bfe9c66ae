#include "kernels/cpu/bind.h"

#include <stdlib.h>

/* Outputs above this leave the caches anyway: written past them. */
#define STREAM_BYTES ((size_t)16 << 20)

static char *base_of(const void *exec, int buffer)
{
    const struct exec *e = exec;
    return (char *)e->arena.data + e->p->buffers[buffer].offset * (size_t)e->batch;
}

static struct placement placement_of(const struct exec *e)
{
    return (struct placement){ .plan = e->p, .batch = e->batch, .stream_bytes = STREAM_BYTES, .base = base_of, .context = e };
}

/* --- one function per kind of step ---------------------------------------------------------------------- */

static enum status bind_pack(struct bound *b, struct exec *e, const struct pack_step *s, struct err *err)
{
    (void)err;
    const struct placement m = placement_of(e);
    struct bound_pack *p = &b->u.pack;
    p->op = (struct fused_pack){ .c_real = e->p->input[0], .dst = placed_view(&m, s->dst) };
    p->op.dst.n = 1;
    p->image_bytes = placed_view_bytes(&p->op.dst);
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

/* Kinds that need nothing but their operation and its scratch. */
#define SIMPLE(X) \
    X(stats) X(survey) X(se) X(gate) X(triplet) X(map_norm) X(map_resize) X(scatter)
#define X(name) \
    static enum status bind_##name(struct bound *b, struct exec *e, const struct name##_step *s, struct err *err) \
    { \
        (void)err; \
        const struct placement m = placement_of(e); \
        b->u.name = placed_##name(&m, s); \
        b->scratch_bytes = fused_##name##_scratch(&b->u.name); \
        return ST_OK; \
    }
SIMPLE(X)
#undef X

static enum status bind_apply(struct bound *b, struct exec *e, const struct apply_step *s, struct err *err)
{
    (void)err;
    const struct placement m = placement_of(e);
    placed_apply(&b->u.apply, &m, s);
    b->scratch_bytes = fused_apply_scratch(&b->u.apply.op);
    return ST_OK;
}

static enum status bind_attention(struct bound *b, struct exec *e, const struct attention_step *s,
                                  struct err *err)
{
    const struct placement m = placement_of(e);
    struct attention_shape shape = { e->batch, s->heads, s->depth, s->tokens, e->p->type };
    b->u.attention.src = placed_data(&m, s->src);
    b->u.attention.dst = placed_data(&m, s->dst);
    enum status st = attention_new(&b->u.attention.attention, e->packing->compat, &shape, err);
    if (st == ST_OK)
        b->scratch_bytes = attention_scratch_bytes(b->u.attention.attention);
    return st;
}

static enum status bind_unpack(struct bound *b, struct exec *e, const struct unpack_step *s, struct err *err)
{
    (void)err;
    const struct placement m = placement_of(e);
    placed_unpack(&b->u.unpack, &m, s);
    for (int i = 0; i < b->u.unpack.count; i++) {
        size_t scratch = fused_unpack_scratch(&b->u.unpack.op[i]);
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
    const struct placement m = placement_of(e);
    const struct compat_buffers buffers = { placed_data(&m, s->src), weights, (void *)(uintptr_t)s->bias,
                                            placed_data(&m, s->dst), e->scratch.data };
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
