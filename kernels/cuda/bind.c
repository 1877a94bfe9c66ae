#include "kernels/cuda/bind.h"

#include <stdio.h>

#include "kernels/cuda/faults/errors.h"
#include "kernels/cuda/library/cudnn_graph.h"
#include "kernels/cuda/tune/tune.h"

/* Outputs above this leave the L2 cache anyway. */
#define STREAM_BYTES ((size_t)64 << 20)

/* --- where things lie -------------------------------------------------------------------------------------- */

static char *base_of(const void *binding, int buffer)
{
    const struct binding *w = binding;
    if (buffer == w->net->plan->output_buffer)
        return (char *)w->at.output;
    return w->at.base + w->at.offset[buffer] * (size_t)w->batch;
}

static const float *constant_of(const void *binding, const float *host)
{
    return uploads_constant(((const struct binding *)binding)->net->uploads, host);
}

static struct placement placement_of(const struct binding *w)
{
    return (struct placement){ .plan = w->net->plan, .batch = w->batch, .stream_bytes = STREAM_BYTES, .base = base_of,
                               .constant = constant_of, .context = w };
}

static char *data_of(const struct binding *w, int buffer)
{
    const struct placement m = placement_of(w);
    return placed_data(&m, buffer);
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

/* A level alone does not say it: a part that cannot do what its segment's level says stays below. */
bool bind_is_norm(const struct gpu_net *net, const struct choice *choices, int segment, int slot)
{
    return choices[segment].level[slot] == TUNE_F3 && net->segments[segment].part[slot].norm_bytes > 0;
}

enum conv_form bind_form(const struct choice *choices, int segment, int slot)
{
    return conv_form(choices[segment].way[slot]);
}

int bind_source(const struct gpu_net *net, const struct choice *choices, int index)
{
    static const int image[CONV_FORMS] = { [CONV_WIDE4] = 1, [CONV_WIDE8] = 2 };
    const struct place_in_segment at = net->places[index];
    int wide = at.segment < 0 ? 0 : image[bind_form(choices, at.segment, at.slot)];
    return wide ? net->plan->image[wide] : net->plan->steps[index].u.conv.src;
}

bool bind_is_read(const struct gpu_net *net, const struct choice *choices, int index)
{
    const struct plan *p = net->plan;
    int image = p->steps[index].u.pack.dst;
    for (int i = 0; i < p->step_count; i++) {
        int ids[PLAN_STEP_BUFFERS], count = step_buffers(ids, &p->steps[i]);
        if (p->steps[i].kind == STEP_CONV) {
            ids[0] = bind_source(net, choices, i);
            count = 1;
        }
        for (int k = 0; k < count && i != index; k++)
            if (ids[k] == image)
                return true;
    }
    return false;
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

static enum gpu_shape shape_of(const struct binding *w, struct place_in_segment at, enum gpu_shaped kernel)
{
    return at.shaped >= 0 ? w->choices[at.shaped].shapes.of[kernel] : GPU_SHAPE_EVEN;
}

static void bind_pack(struct bound *b, const struct binding *w, const struct pack_step *s, int index)
{
    const struct placement m = placement_of(w);
    b->u.pack = (struct fused_pack){ .src = w->at.input, .c_real = w->net->plan->input[0],
                                     .dst = placed_view(&m, s->dst) };
    if (bind_is_read(w->net, w->choices, index))
        b->scratch_bytes = gpu_pack_scratch(&b->u.pack, LIMITS(w));
    else
        b->kind = BOUND_NOTHING;
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
    buffers->scale = whole ? data_of(w, coefficients->scale) : part_data(w, m->half_scale);
    buffers->shift = whole ? data_of(w, coefficients->shift) : part_data(w, m->half_shift);
}

/* What the scatter step would write, from the weights and the bias in the order of a transposed convolution. */
static void write_direct(struct conv_buffers *buffers, const struct binding *w, const struct conv_step *s,
                         struct place_in_segment at)
{
    const struct segment_part *part = &w->net->segments[at.segment].part[at.slot];
    const struct scatter_step *scatter = &w->net->plan->steps[part->scatter].u.scatter;
    buffers->dst = data_of(w, scatter->dst);
    buffers->weights = uploads_turned(w->net->uploads, s->weights);
    buffers->bias = uploads_bias(w->net->uploads, scatter->bias);
}

static void bind_conv(struct bound *b, const struct binding *w, int index, struct place_in_segment at)
{
    const struct conv_step *s = &w->net->plan->steps[index].u.conv;
    const enum conv_form form = bind_form(w->choices, at.segment, at.slot);
    struct bound_conv *c = &b->u.conv;
    struct conv_want want = bind_want(w->net, w->choices, at.segment, at.slot, w->batch);
    c->way = w->choices[at.segment].way[at.slot];
    c->buffers = (struct conv_buffers){ .src = data_of(w, bind_source(w->net, w->choices, index)),
                                        .dst = data_of(w, s->dst),
                                        .weights = uploads_weights(w->net->uploads, s->weights),
                                        .bias = uploads_bias(w->net->uploads, s->bias) };
    if (conv_form_is_direct(form))
        write_direct(&c->buffers, w, s, at);
    else if (conv_form_channels(form, 0))
        c->buffers.weights = uploads_widened(w->net->uploads, s->weights, conv_form_channels(form, 0));
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
    const struct placement placement = placement_of(w);
    const struct part_memory *m = memory_of(w, at.segment, at.slot);
    struct fused_view src = placed_view(&placement, s->src);
    b->kind = BOUND_FOLD;
    b->u.fold = (struct gpu_fold){ .n = w->batch, .c = src.c, .pixels = (double)src.h * src.w,
                                   .sum = part_data(w, m->sum), .square = part_data(w, m->square),
                                   .norm = placed_norm(&placement, &s->norm) };
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
    if (at.segment >= 0 && bind_is_norm(w->net, w->choices, at.segment, at.slot)) {
        b->kind = BOUND_NOTHING;
        return;
    }
    if (at.segment >= 0 && bind_want(w->net, w->choices, at.segment, at.slot, w->batch).stats) {
        bind_fold(b, w, s, at);
        return;
    }
    const struct placement m = placement_of(w);
    b->u.stats = placed_stats(&m, s);
    b->shape = shape_of(w, at, GPU_SHAPED_STATS);
    b->scratch_bytes = gpu_stats_scratch(&b->u.stats, LIMITS(w), b->shape);
}

static void bind_norm(struct bound *b, const struct binding *w, const struct apply_step *s, struct place_in_segment at)
{
    const struct segment_part *part = &w->net->segments[at.segment].part[at.slot];
    const struct norm_ref *norm = &w->net->plan->steps[part->stats].u.stats.norm;
    int raw = w->net->plan->steps[part->conv].u.conv.dst;
    const struct graph_plan *plan = w->choices[at.segment].norm[at.slot];
    const struct placement m = placement_of(w);
    const struct fused_view dst = placed_view(&m, s->dst);
    b->kind = BOUND_NORM;
    b->u.norm = (struct bound_norm){ plan, dst, { .src = data_of(w, raw), .dst = dst.data,
                                                  .gamma = constant_of(w, norm->gamma),
                                                  .beta = constant_of(w, norm->beta) } };
    for (int t = 0; t < s->terms; t++)
        if (s->term[t].src != raw)
            b->u.norm.buffers.residual = data_of(w, s->term[t].src);
    b->scratch_bytes = plan ? plan->workspace : 0;
}

static void bind_apply(struct bound *b, const struct binding *w, const struct apply_step *s,
                       struct place_in_segment at)
{
    if (at.segment >= 0 && bind_leaves_out(w->net, w->choices, at.segment, at.slot, w->batch)) {
        b->kind = BOUND_NOTHING;
        return;
    }
    if (at.segment >= 0 && bind_is_norm(w->net, w->choices, at.segment, at.slot)) {
        bind_norm(b, w, s, at);
        return;
    }
    const struct placement m = placement_of(w);
    placed_apply(&b->u.apply, &m, s);
    b->shape = shape_of(w, at, GPU_SHAPED_APPLY);
    b->scratch_bytes = gpu_apply_scratch(&b->u.apply.op, LIMITS(w), b->shape);
}

static void bind_survey(struct bound *b, const struct binding *w, const struct survey_step *s,
                        struct place_in_segment at)
{
    const struct placement m = placement_of(w);
    b->u.survey = placed_survey(&m, s);
    b->shape = shape_of(w, at, GPU_SHAPED_SURVEY);
    b->scratch_bytes = gpu_survey_scratch(&b->u.survey, LIMITS(w), b->shape);
}

/* Kinds that need nothing but their operation and its scratch. */
#define SIMPLE(X) \
    X(se) X(gate) X(triplet) X(map_norm) X(map_resize)
#define X(name) \
    static void bind_##name(struct bound *b, const struct binding *w, const struct name##_step *s) \
    { \
        const struct placement m = placement_of(w); \
        b->u.name = placed_##name(&m, s); \
        b->scratch_bytes = gpu_##name##_scratch(&b->u.name, LIMITS(w)); \
    }
SIMPLE(X)
#undef X

/* Left out too it says where dst is: that is what the segment leaves. */
static void bind_scatter(struct bound *b, const struct binding *w, const struct scatter_step *s,
                         struct place_in_segment at)
{
    const struct placement m = placement_of(w);
    b->u.scatter = placed_scatter(&m, s);
    if (at.segment >= 0 && conv_form_is_direct(bind_form(w->choices, at.segment, at.slot)))
        b->kind = BOUND_NOTHING;
    else
        b->scratch_bytes = gpu_scatter_scratch(&b->u.scatter, LIMITS(w));
}

static void bind_attention(struct bound *b, const struct binding *w, const struct attention_step *s, int index)
{
    b->u.attention = (struct bound_attention){ w->attentions[index], data_of(w, s->src), data_of(w, s->dst) };
    b->scratch_bytes = attention_workspace(b->u.attention.attention, LIMITS(w));
}

static void bind_unpack(struct bound *b, const struct binding *w, const struct unpack_step *s)
{
    const struct placement m = placement_of(w);
    placed_unpack(&b->u.unpack, &m, s);
    for (int i = 0; i < b->u.unpack.count; i++) {
        size_t scratch = gpu_unpack_scratch(&b->u.unpack.op[i], LIMITS(w));
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
    case STEP_PACK:       bind_pack(b, w, &s->u.pack, index); break;
    case STEP_CONV:
        if (at.segment < 0)
            return err_set(err, ST_INTERNAL, "step %d is a convolution of no segment", index);
        bind_conv(b, w, index, at);
        break;
    case STEP_STATS:      bind_stats(b, w, &s->u.stats, at); break;
    case STEP_APPLY:      bind_apply(b, w, &s->u.apply, at); break;
    case STEP_SURVEY:     bind_survey(b, w, &s->u.survey, at); break;
    case STEP_SE:         bind_se(b, w, &s->u.se); break;
    case STEP_GATE:       bind_gate(b, w, &s->u.gate); break;
    case STEP_TRIPLET:    bind_triplet(b, w, &s->u.triplet); break;
    case STEP_MAP_NORM:   bind_map_norm(b, w, &s->u.map_norm); break;
    case STEP_MAP_RESIZE: bind_map_resize(b, w, &s->u.map_resize); break;
    case STEP_SCATTER:    bind_scatter(b, w, &s->u.scatter, at); break;
    case STEP_ATTENTION:  bind_attention(b, w, &s->u.attention, index); break;
    case STEP_UNPACK:     bind_unpack(b, w, &s->u.unpack); break;
    case STEP_COUNT:      return err_set(err, ST_INTERNAL, "step %d of kind %d", index, (int)s->kind);
    }
    return ST_OK;
}

/* --- running ------------------------------------------------------------------------------------------------ */

static int run_unpack(const struct placed_unpack *u, const struct gpu_place *at)
{
    int code = 0;
    for (int i = 0; i < u->count && code == 0; i++)
        code = gpu_unpack(&u->op[i], at);
    return code;
}

enum status bound_run(const struct bound *b, const struct gpu_place *where, struct err *err)
{
    struct gpu_place shaped = *where;
    const struct gpu_place *at = &shaped;
    int code = 0;
    const char *name = "";
    shaped.shape = b->shape;
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
    case BOUND_NORM: {
        struct norm_buffers buffers = b->u.norm.buffers;
        buffers.workspace = at->scratch;
        return norm_plan_run(b->u.norm.plan, &buffers, at->stream, err);
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
    else if (b->kind == BOUND_NORM)
        graph_plan_name(b->u.norm.plan, text, size);
    else if (b->kind == BOUND_ATTENTION)
        attention_name(b->u.attention.attention, text, size);
    else if (b->shape != GPU_SHAPE_EVEN)
        snprintf(text, size, "ours:%s", gpu_shape_name(b->shape));
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
