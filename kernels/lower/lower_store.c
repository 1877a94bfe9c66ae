/* From expressions to tensors: where a value is written, and what else the same pass gives. */
#include "kernels/lower/value.h"

/* A reader that wants pixels without gaps: oneDNN falls back to its reference code on slices. */
static bool wants_dense(const struct lowering *l, const struct node *reader, int node)
{
    if (reader->op == GRAPH_TCONV || reader->op == GRAPH_ATTENTION)
        return true;
    if (reader->op != GRAPH_CONV)
        return false;
    int reader_node = (int)(reader - l->g->nodes);
    bool from_wide = l->g->nodes[node].op == GRAPH_TCONV && lower_is_pointwise(reader) &&
                     lower_read_only_by(l, reader_node, GRAPH_NORM);
    return !from_wide;
}

/* The concatenation (and which input of it) that the node's tensor should be written into, or PLAN_NONE. */
static int wanted_concat(const struct lowering *l, int node, int *index)
{
    int concat = PLAN_NONE, times = 0;
    for (int i = node + 1; i < l->g->node_count; i++) {
        const struct node *reader = &l->g->nodes[i];
        for (int k = 0; k < reader->inputs; k++) {
            if (reader->in[k] != node)
                continue;
            if (wants_dense(l, reader, node))
                return PLAN_NONE;
            if (reader->op != GRAPH_CONCAT)
                continue;
            concat = i;
            *index = k;
            times++;
        }
    }
    return times == 1 ? concat : PLAN_NONE;
}

static int concat_tensor(struct lowering *l, int concat)
{
    if (l->concat_buffer[concat] != PLAN_NONE)
        return l->concat_buffer[concat];
    const struct node *n = &l->g->nodes[concat];
    struct channel_map map = { .segments = n->inputs };
    int c = 0;
    for (int k = 0; k < n->inputs; k++) {
        map.real[k] = l->g->nodes[n->in[k]].c;
        map.at[k] = c;
        c += plan_padded(l->p, map.real[k]);
    }
    int buffer = plan_tensor(l->p, n->h, n->w, c, &map);
    if (buffer == PLAN_NONE)
        return lower_fail(l, ST_OUT_OF_MEMORY, "no memory for the plan");
    return l->concat_buffer[concat] = buffer;
}

int lower_slice_of(struct lowering *l, int concat, int index)
{
    int whole = concat_tensor(l, concat);
    if (whole == PLAN_NONE)
        return PLAN_NONE;
    const struct channel_map *map = lower_map(l, whole);
    int real = map->real[index], at = map->at[index];
    int slice = plan_slice(l->p, whole, at, plan_padded(l->p, real), real);
    return slice == PLAN_NONE ? lower_fail(l, ST_OUT_OF_MEMORY, "no memory for the plan") : slice;
}

/* Where the node's tensor goes: its place in a concatenation, or a buffer of its own laid out like `like`. */
static int destination(struct lowering *l, int node, int like)
{
    const struct node *n = &l->g->nodes[node];
    int index = 0, concat = wanted_concat(l, node, &index);
    const struct channel_map map = like == PLAN_NONE ? channel_map_simple(n->c) : *lower_map(l, like);
    if (concat != PLAN_NONE && map.segments == 1)
        return lower_slice_of(l, concat, index);
    int c = like == PLAN_NONE ? plan_padded(l->p, n->c) : lower_channels(l, like);
    int buffer = plan_tensor(l->p, n->h, n->w, c, &map);
    return buffer == PLAN_NONE ? lower_fail(l, ST_OUT_OF_MEMORY, "no memory for the plan") : buffer;
}

static bool is_pooled(const struct lowering *l, int node)
{
    for (int i = node + 1; i < l->g->node_count; i++)
        if (l->g->nodes[i].op == GRAPH_MAXPOOL && l->g->nodes[i].in[0] == node)
            return true;
    return false;
}

/* A sum or a scaled tensor, in one pass with its pooled copy and its means. */
static int store_by_apply(struct lowering *l, int node, int mean)
{
    struct value *v = &l->values[node];
    const struct node *n = &l->g->nodes[node];
    struct term_ref scaled = term_of(v->buffer);
    scaled.scale = v->channel_factor;
    scaled.pixel = v->pixel;
    bool is_sum = v->kind == VALUE_SUM;
    struct step s = lower_apply(l, node, is_sum ? v->term : &scaled, is_sum ? v->terms : 1);
    struct apply_step *a = &s.u.apply;
    int index, like = a->term[0].src;
    bool in_place = !is_sum && v->own && wanted_concat(l, node, &index) == PLAN_NONE;
    a->act = is_sum ? v->act : FUSED_NONE;
    a->dst = in_place ? v->buffer : destination(l, node, like);
    a->channel_mean = mean;
    if (is_pooled(l, node))
        v->pool = a->pool = plan_tensor(l->p, n->h / 2, n->w / 2, a->c, lower_map(l, like));
    lower_step(l, s);
    return a->dst;
}

static int store_simam(struct lowering *l, int node)
{
    const struct value *v = &l->values[node];
    int dst = destination(l, node, v->term[0].src);
    lower_step(l, (struct step){ .kind = STEP_SURVEY,
                                 .u.survey = { .src = v->term[0].src,
                                               .c_real = l->g->nodes[node].c,
                                               .scale = v->term[0].scale,
                                               .shift = v->term[0].shift,
                                               .center = v->center,
                                               .rate = v->rate,
                                               .pixel = v->term[0].pixel,
                                               .dst = dst,
                                               .row = PLAN_NONE,
                                               .column = PLAN_NONE,
                                               .point = PLAN_NONE } });
    return dst;
}

static int store_wide(struct lowering *l, int node)
{
    const struct value *v = &l->values[node];
    int dst = destination(l, node, PLAN_NONE);
    lower_step(l, (struct step){ .kind = STEP_SCATTER,
                                 .u.scatter = { .src = v->wide, .dst = dst, .bias = v->bias } });
    return dst;
}

static int pack_image(struct lowering *l, const struct node *n, int channels)
{
    struct channel_map map = channel_map_simple(n->c);
    int dst = plan_tensor(l->p, n->h, n->w, channels, &map);
    if (dst == PLAN_NONE)
        return lower_fail(l, ST_OUT_OF_MEMORY, "no memory for the plan");
    lower_step(l, (struct step){ .kind = STEP_PACK, .u.pack = { .dst = dst } });
    return dst;
}

static bool only_convolved(const struct lowering *l, int node)
{
    bool dots = false;
    for (int i = node + 1; i < l->g->node_count; i++)
        dots = dots || (l->g->nodes[i].in[0] == node && lower_is_dot(&l->g->nodes[i]));
    return !dots && lower_read_only_by(l, node, GRAPH_CONV);
}

/* Where convolutions alone read the image it keeps its own channel count: on a CPU first convolutions are fastest on
 * three. A target that would rather measure it gets it with 4 and 8 as well. Passes of ours read whole blocks of
 * channels. */
static int store_image(struct lowering *l, int node)
{
    const int real = l->g->nodes[node].c, channels[PLAN_IMAGES] = { real, 4, 8 };
    if (!only_convolved(l, node))
        return l->p->image[0] = pack_image(l, &l->g->nodes[node], plan_padded(l->p, real));
    for (int i = 0; i < PLAN_IMAGES; i++)
        if (i == 0 || (l->target->wide_images && channels[i] > real))
            l->p->image[i] = pack_image(l, &l->g->nodes[node], channels[i]);
    return l->p->image[0];
}

static int store(struct lowering *l, int node, int mean)
{
    struct value *v = &l->values[node];
    int buffer = PLAN_NONE;
    switch (v->kind) {
    case VALUE_STORED: return v->buffer;
    case VALUE_IMAGE:  buffer = store_image(l, node); break;
    case VALUE_SUM:
    case VALUE_SCALED: buffer = store_by_apply(l, node, mean); break;
    case VALUE_SIMAM:  buffer = store_simam(l, node); break;
    case VALUE_WIDE:   buffer = store_wide(l, node); break;
    case VALUE_NONE:
    case VALUE_MAP:
        return lower_fail(l, ST_UNSUPPORTED,
                          "its input has one channel, which this engine takes only "
                          "as a factor, a logit or a norm");
    }
    struct value stored = value_stored(buffer);
    stored.wide = v->wide;
    stored.pool = v->pool;
    if (v->kind == VALUE_SCALED && v->pixel != PLAN_NONE && v->point_factor == PLAN_NONE) {
        stored.point = v->point; /* a factor per pixel is one of the descriptor too */
        stored.point_factor = v->pixel;
    }
    *v = stored;
    return buffer;
}

int lower_stored(struct lowering *l, int node)
{
    return l->status == ST_OK ? store(l, node, PLAN_NONE) : PLAN_NONE;
}

int lower_stored_mean(struct lowering *l, int node, int *mean)
{
    if (l->status != ST_OK)
        return PLAN_NONE;
    struct value *v = &l->values[node];
    if (v->kind == VALUE_SUM || v->kind == VALUE_SCALED) {
        int like = v->kind == VALUE_SUM ? v->term[0].src : v->buffer;
        *mean = lower_floats(l, (size_t)lower_channels(l, like));
        return store(l, node, *mean);
    }
    struct term_ref term = term_of(lower_stored(l, node));
    if (l->status != ST_OK)
        return PLAN_NONE;
    struct step s = lower_apply(l, node, &term, 1);
    s.u.apply.channel_mean = *mean = lower_floats(l, (size_t)lower_channels(l, term.src));
    lower_step(l, s);
    return term.src;
}

int lower_dense(struct lowering *l, int node)
{
    struct term_ref term = term_of(lower_stored(l, node));
    if (l->status != ST_OK || l->p->buffers[term.src].parent == PLAN_NONE)
        return term.src;
    const struct node *n = &l->g->nodes[node];
    struct step s = lower_apply(l, node, &term, 1);
    s.u.apply.dst = lower_tensor(l, n->h, n->w, n->c);
    lower_step(l, s);
    return s.u.apply.dst;
}

/* What a reader may take as terms of its own sum without the value ever being stored. */
static int pending_terms(const struct lowering *l, int node, struct term_ref *terms)
{
    const struct value *v = &l->values[node];
    bool shared = lower_readers(l, node) > 1;
    if (v->kind == VALUE_SUM && v->act == FUSED_NONE && (!shared || (v->terms == 1 && !v->term[0].relu))) {
        for (int t = 0; t < v->terms; t++)
            terms[t] = v->term[t];
        return v->terms;
    }
    bool plain_relu = v->kind == VALUE_SUM && v->act == FUSED_RELU && v->terms == 1 && !v->term[0].relu &&
                      (v->term[0].resize == FUSED_SAME || v->term[0].resize == FUSED_WIDE);
    if (plain_relu && !shared) {
        terms[0] = v->term[0];
        terms[0].relu = true;
        return 1;
    }
    if (v->kind == VALUE_SCALED && !shared) {
        terms[0] = term_of(v->buffer);
        terms[0].scale = v->channel_factor;
        terms[0].pixel = v->pixel;
        return 1;
    }
    return 0;
}

int lower_terms(struct lowering *l, int node, struct term_ref *terms)
{
    int count = pending_terms(l, node, terms);
    if (count > 0)
        return count;
    terms[0] = term_of(lower_stored(l, node));
    return 1;
}
