#include "kernels/cuda/bind.h"

#include <stdio.h>

#include "kernels/cuda/faults/errors.h"

/* Outputs above this leave the L2 cache anyway. */
#define STREAM_BYTES ((size_t)64 << 20)

/* --- where things lie -------------------------------------------------------------------------------------- */

static char *data_of(const struct binding *w, int id)
{
    const struct plan *p = w->net->plan;
    if (id == PLAN_NONE)
        return NULL;
    if (id == p->output_buffer)
        return (char *)w->at.output;
    const struct buffer *b = &p->buffers[id];
    size_t n = (size_t)w->batch;
    if (b->parent != PLAN_NONE)
        return w->at.base + w->at.offset[b->parent] * n + (size_t)b->first_channel * fused_bytes(p->type);
    return w->at.base + w->at.offset[id] * n;
}

static float *floats(const struct binding *w, int id)
{
    return (float *)(void *)data_of(w, id);
}

static struct fused_view view(const struct binding *w, int id)
{
    const struct plan *p = w->net->plan;
    if (id == PLAN_NONE)
        return (struct fused_view){ .data = NULL };
    const struct buffer *b = &p->buffers[id];
    int stride = b->parent == PLAN_NONE ? b->c : p->buffers[b->parent].c;
    return (struct fused_view){ data_of(w, id), p->type, w->batch, b->h, b->w, b->c, stride };
}

static size_t view_bytes(const struct fused_view *v)
{
    return v->data ? (size_t)v->n * (size_t)v->h * (size_t)v->w * (size_t)v->c * fused_bytes(v->type) : 0;
}

static const float *constant(const struct binding *w, const float *host)
{
    return uploads_constant(w->net->uploads, host);
}

static struct fused_norm norm(const struct binding *w, const struct norm_ref *r)
{
    return (struct fused_norm){ constant(w, r->gamma), constant(w, r->beta), floats(w, r->scale), floats(w, r->shift),
                                floats(w, r->center), floats(w, r->rate) };
}

static struct fused_term term(const struct binding *w, const struct term_ref *r)
{
    struct fused_term t = { view(w, r->src), floats(w, r->scale), floats(w, r->shift), floats(w, r->pixel), r->relu,
                            r->resize };
    if (r->resize == FUSED_WIDE) { /* (h/2, 2w, c) as it was computed is (h/2, w/2, 4c) as it is read */
        t.src.w /= 4;
        t.src.c *= 4;
        t.src.stride *= 4;
    }
    return t;
}

/* --- levels ------------------------------------------------------------------------------------------------- */

struct conv_want bind_want(const struct gpu_net *net, const struct choice *choices, int segment, int slot, int batch)
{
    return segment_want(net->plan, &net->segments[segment], slot, choices[segment].level[slot], batch, net->math);
}

bool bind_leaves_out(const struct gpu_net *net, const struct choice *choices, int segment, int slot, int batch)
{
    return slot + 1 < net->segments[segment].parts && bind_want(net, choices, segment, slot + 1, batch).prologue;
}

static const struct part_memory *memory_of(const struct binding *w, int segment, int slot)
{
    return &w->at.parts[segment * SEGMENT_SLOTS + slot];
}

static void *part_data(const struct binding *w, size_t offset)
{
    return w->at.base + offset * (size_t)w->batch;
}

/* --- one function per kind of step -------------------------------------------------------------------------- */

#define LIMITS(w) (&(w)->net->device->card.limits)

static void bind_pack(struct bound *b, const struct binding *w, const struct pack_step *s)
{
    b->u.pack = (struct fused_pack){ .src = w->at.input, .c_real = w->net->plan->input[0], .dst = view(w, s->dst) };
    b->scratch_bytes = gpu_pack_scratch(&b->u.pack, LIMITS(w));
}

/* src of a prologue: the raw output of the part before, with the coefficients that its fold left. */
static void read_raw(struct conv_buffers *buffers, const struct binding *w, struct place_in_segment at)
{
    const struct segment_part *before = &w->net->segments[at.segment].part[at.slot - 1];
    const struct plan *p = w->net->plan;
    const struct norm_ref *coefficients = &p->steps[before->stats].u.stats.norm;
    const struct part_memory *m = memory_of(w, at.segment, at.slot - 1);
    buffers->src = data_of(w, p->steps[before->conv].u.conv.dst);
    bool whole = p->type == FUSED_F32;
    buffers->scale = whole ? (void *)floats(w, coefficients->scale) : part_data(w, m->half_scale);
    buffers->shift = whole ? (void *)floats(w, coefficients->shift) : part_data(w, m->half_shift);
}

static void bind_conv(struct bound *b, const struct binding *w, const struct conv_step *s, struct place_in_segment at)
{
    struct bound_conv *c = &b->u.conv;
    struct conv_want want = bind_want(w->net, w->choices, at.segment, at.slot, w->batch);
    c->way = w->choices[at.segment].way[at.slot];
    c->buffers = (struct conv_buffers){ .src = data_of(w, s->src), .dst = data_of(w, s->dst),
                                        .weights = uploads_weights(w->net->uploads, s->weights),
                                        .bias = uploads_bias(w->net->uploads, s->bias) };
    if (want.prologue)
        read_raw(&c->buffers, w, at);
    if (want.stats) {
        const struct part_memory *m = memory_of(w, at.segment, at.slot);
        c->buffers.sum = part_data(w, m->sum);
        c->buffers.square = part_data(w, m->square);
    }
    b->scratch_bytes = c->way ? conv_workspace(c->way) : 0;
}

static void bind_fold(struct bound *b, const struct binding *w, const struct stats_step *s, struct place_in_segment at)
{
    const struct part_memory *m = memory_of(w, at.segment, at.slot);
    struct fused_view src = view(w, s->src);
    b->kind = BOUND_FOLD;
    b->u.fold = (struct gpu_fold){ .n = w->batch, .c = src.c, .pixels = (double)src.h * src.w,
                                   .sum = part_data(w, m->sum), .square = part_data(w, m->square),
                                   .norm = norm(w, &s->norm) };
    if (w->net->plan->type != FUSED_F32 && bind_leaves_out(w->net, w->choices, at.segment, at.slot, w->batch)) {
        b->u.fold.half = w->net->plan->type;
        b->u.fold.half_scale = part_data(w, m->half_scale);
        b->u.fold.half_shift = part_data(w, m->half_shift);
    }
    b->scratch_bytes = gpu_fold_scratch(&b->u.fold, LIMITS(w));
}

static void bind_stats(struct bound *b, const struct binding *w, const struct stats_step *s,
                       struct place_in_segment at)
{
    if (at.segment >= 0 && bind_want(w->net, w->choices, at.segment, at.slot, w->batch).stats) {
        bind_fold(b, w, s, at);
        return;
    }
    b->u.stats = (struct fused_stats){ view(w, s->src), floats(w, s->pixel), norm(w, &s->norm) };
    b->scratch_bytes = gpu_stats_scratch(&b->u.stats, LIMITS(w));
}

static void bind_apply(struct bound *b, const struct binding *w, const struct apply_step *s,
                       struct place_in_segment at)
{
    if (at.segment >= 0 && bind_leaves_out(w->net, w->choices, at.segment, at.slot, w->batch)) {
        b->kind = BOUND_NOTHING;
        return;
    }
    struct bound_apply *a = &b->u.apply;
    a->op = (struct fused_apply){ .terms = s->terms, .n = w->batch, .h = s->h, .w = s->w, .c = s->c,
                                  .c_real = s->c_real, .act = s->act, .dst = view(w, s->dst),
                                  .pool = view(w, s->pool), .channel_mean = floats(w, s->channel_mean),
                                  .point = floats(w, s->point), .dot_weight = constant(w, s->dot_weight),
                                  .dot_bias = s->dot_bias, .dot = floats(w, s->dot) };
    for (int t = 0; t < s->terms; t++)
        a->op.term[t] = term(w, &s->term[t]);
    a->op.stream = view_bytes(&a->op.dst) > STREAM_BYTES;
    if (s->has_norm) {
        a->norm = norm(w, &s->norm);
        a->op.norm = &a->norm;
    }
    b->scratch_bytes = gpu_apply_scratch(&a->op, LIMITS(w));
}

static void bind_survey(struct bound *b, const struct binding *w, const struct survey_step *s)
{
    struct fused_survey *v = &b->u.survey;
    *v = (struct fused_survey){ .src = view(w, s->src), .c_real = s->c_real, .scale = floats(w, s->scale),
                                .shift = floats(w, s->shift), .center = floats(w, s->center),
                                .rate = floats(w, s->rate), .pixel = floats(w, s->pixel), .dst = view(w, s->dst),
                                .row = floats(w, s->row), .column = floats(w, s->column),
                                .point = floats(w, s->point) };
    v->stream = view_bytes(&v->dst) > STREAM_BYTES;
    b->scratch_bytes = gpu_survey_scratch(v, LIMITS(w));
}

static void bind_se(struct bound *b, const struct binding *w, const struct se_step *s)
{
    b->u.se = (struct fused_se){ w->batch, s->c, s->hidden, floats(w, s->mean), constant(w, s->w1),
                                 constant(w, s->w2), floats(w, s->factor) };
    b->scratch_bytes = gpu_se_scratch(&b->u.se, LIMITS(w));
}

static void bind_gate(struct bound *b, const struct binding *w, const struct gate_step *s)
{
    b->u.gate = (struct fused_gate){ w->batch, s->h, s->w, floats(w, s->point), floats(w, s->point_factor),
                                     floats(w, s->prior), constant(w, s->weight), floats(w, s->factor) };
    b->scratch_bytes = gpu_gate_scratch(&b->u.gate, LIMITS(w));
}

static void bind_triplet(struct bound *b, const struct binding *w, const struct triplet_step *s)
{
    b->u.triplet = (struct fused_triplet){ .n = w->batch, .h = s->h, .w = s->w, .row = floats(w, s->row),
                                           .column = floats(w, s->column), .point = floats(w, s->point),
                                           .prior = floats(w, s->prior),
                                           .row_weight = { s->row_weight[0], s->row_weight[1] },
                                           .column_weight = { s->column_weight[0], s->column_weight[1] },
                                           .point_weight = constant(w, s->point_weight),
                                           .factor = floats(w, s->factor) };
    b->scratch_bytes = gpu_triplet_scratch(&b->u.triplet, LIMITS(w));
}

static void bind_map_norm(struct bound *b, const struct binding *w, const struct map_norm_step *s)
{
    b->u.map_norm = (struct fused_map_norm){ w->batch, s->h, s->w, s->normalise, s->gamma, s->beta, s->act,
                                             floats(w, s->src), floats(w, s->dst) };
    b->scratch_bytes = gpu_map_norm_scratch(&b->u.map_norm, LIMITS(w));
}

static void bind_map_resize(struct bound *b, const struct binding *w, const struct map_resize_step *s)
{
    b->u.map_resize = (struct fused_map_resize){ w->batch, s->h, s->w, s->to_h, s->to_w, s->resize,
                                                 floats(w, s->src), floats(w, s->dst) };
    b->scratch_bytes = gpu_map_resize_scratch(&b->u.map_resize, LIMITS(w));
}

static void bind_scatter(struct bound *b, const struct binding *w, const struct scatter_step *s)
{
    struct fused_scatter *v = &b->u.scatter;
    *v = (struct fused_scatter){ .src = view(w, s->src), .dst = view(w, s->dst), .bias = constant(w, s->bias) };
    v->stream = view_bytes(&v->dst) > STREAM_BYTES;
    b->scratch_bytes = gpu_scatter_scratch(v, LIMITS(w));
}

static void bind_attention(struct bound *b, const struct binding *w, const struct attention_step *s, int index)
{
    b->u.attention = (struct bound_attention){ w->attentions[index], data_of(w, s->src), data_of(w, s->dst) };
    b->scratch_bytes = attention_workspace(b->u.attention.attention, LIMITS(w));
}

static void bind_unpack(struct bound *b, const struct binding *w, const struct unpack_step *s)
{
    struct bound_unpack *u = &b->u.unpack;
    const struct plan *p = w->net->plan;
    const struct channel_map *map = &p->buffers[s->src].map;
    int first = 0;
    u->count = map->segments;
    for (int i = 0; i < map->segments; i++) {
        struct fused_view src = view(w, s->src);
        src.data = (char *)src.data + (size_t)map->at[i] * fused_bytes(p->type);
        src.c = plan_padded(p, map->real[i]);
        u->op[i] = (struct fused_unpack){ src, map->real[i], first, p->output[0], floats(w, s->dst) };
        first += map->real[i];
        size_t scratch = gpu_unpack_scratch(&u->op[i], LIMITS(w));
        if (scratch > b->scratch_bytes)
            b->scratch_bytes = scratch;
    }
}

enum status bind_step(struct bound *b, const struct binding *w, int index, struct err *err)
{
    const struct step *s = &w->net->plan->steps[index];
    const struct place_in_segment at = w->net->places[index];
    *b = (struct bound){ .kind = (enum bound_kind)s->kind };
    switch (s->kind) {
    case STEP_PACK:       bind_pack(b, w, &s->u.pack); break;
    case STEP_CONV:
        if (at.segment < 0)
            return err_set(err, ST_INTERNAL, "step %d is a convolution of no segment", index);
        bind_conv(b, w, &s->u.conv, at);
        break;
    case STEP_STATS:      bind_stats(b, w, &s->u.stats, at); break;
    case STEP_APPLY:      bind_apply(b, w, &s->u.apply, at); break;
    case STEP_SURVEY:     bind_survey(b, w, &s->u.survey); break;
    case STEP_SE:         bind_se(b, w, &s->u.se); break;
    case STEP_GATE:       bind_gate(b, w, &s->u.gate); break;
    case STEP_TRIPLET:    bind_triplet(b, w, &s->u.triplet); break;
    case STEP_MAP_NORM:   bind_map_norm(b, w, &s->u.map_norm); break;
    case STEP_MAP_RESIZE: bind_map_resize(b, w, &s->u.map_resize); break;
    case STEP_SCATTER:    bind_scatter(b, w, &s->u.scatter); break;
    case STEP_ATTENTION:  bind_attention(b, w, &s->u.attention, index); break;
    case STEP_UNPACK:     bind_unpack(b, w, &s->u.unpack); break;
    case STEP_COUNT:      return err_set(err, ST_INTERNAL, "step %d of kind %d", index, (int)s->kind);
    }
    return ST_OK;
}

/* --- running ------------------------------------------------------------------------------------------------ */

static int run_unpack(const struct bound_unpack *u, const struct gpu_place *at)
{
    int code = 0;
    for (int i = 0; i < u->count && code == 0; i++)
        code = gpu_unpack(&u->op[i], at);
    return code;
}

enum status bound_run(const struct bound *b, const struct gpu_place *at, struct err *err)
{
    int code = 0;
    const char *name = "";
    switch (b->kind) {
#define CASE(upper, lower, op) case BOUND_##upper: name = #lower; code = gpu_##lower(op, at); break
    CASE(PACK, pack, &b->u.pack);
    CASE(STATS, stats, &b->u.stats);
    CASE(FOLD, fold, &b->u.fold);
    CASE(APPLY, apply, &b->u.apply.op);
    CASE(SURVEY, survey, &b->u.survey);
    CASE(SE, se, &b->u.se);
    CASE(GATE, gate, &b->u.gate);
    CASE(TRIPLET, triplet, &b->u.triplet);
    CASE(MAP_NORM, map_norm, &b->u.map_norm);
    CASE(MAP_RESIZE, map_resize, &b->u.map_resize);
    CASE(SCATTER, scatter, &b->u.scatter);
#undef CASE
    case BOUND_UNPACK: name = "unpack"; code = run_unpack(&b->u.unpack, at); break;
    case BOUND_CONV: {
        struct conv_buffers buffers = b->u.conv.buffers;
        buffers.workspace = at->scratch;
        return conv_run(b->u.conv.way, &buffers, at->stream, err);
    }
    case BOUND_ATTENTION:
        return attention_run(b->u.attention.attention, b->u.attention.src, b->u.attention.dst, at, err);
    case BOUND_NOTHING: break;
    }
    return code == 0 ? ST_OK : gpu_error_set(err, FAULT_CUDA, code, true, name, "the launch of a kernel");
}

void bound_name(const struct bound *b, char *text, size_t size)
{
    if (b->kind == BOUND_CONV)
        conv_name(b->u.conv.way, text, size);
    else if (b->kind == BOUND_ATTENTION)
        attention_name(b->u.attention.attention, text, size);
    else
        snprintf(text, size, "%s", b->kind == BOUND_NOTHING ? "-" : b->kind == BOUND_FOLD ? "ours:fold" : "ours");
}

int bound_launches(const struct bound *b)
{
    switch (b->kind) {
    case BOUND_CONV:      return conv_launches(b->u.conv.way);
    case BOUND_ATTENTION: return attention_launches(b->u.attention.attention);
    case BOUND_UNPACK:    return b->u.unpack.count;
    case BOUND_NOTHING:   return 0;
    default:              return 1;
    }
}
