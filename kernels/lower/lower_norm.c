/* Norms and what is done per element: mostly no step at all, but terms of the pass that stores the result. */
#include <string.h>

#include "kernels/lower/pack.h"
#include "kernels/lower/value.h"

static struct norm_ref make_norm(struct lowering *l, int node, int like)
{
    int c = lower_channels(l, like);
    struct norm_ref r = { .center = PLAN_NONE, .rate = PLAN_NONE };
    r.gamma = pack_vector(l->p, lower_param(l, node, 0), lower_map(l, like), c);
    r.beta = pack_vector(l->p, lower_param(l, node, 1), lower_map(l, like), c);
    r.scale = lower_floats(l, (size_t)c);
    r.shift = lower_floats(l, (size_t)c);
    if (!r.gamma || !r.beta)
        lower_fail(l, ST_OUT_OF_MEMORY, "no memory for the norm's parameters");
    return r;
}

static bool is_identity(const struct term_ref *t)
{
    return t->scale == PLAN_NONE && t->shift == PLAN_NONE && !t->relu;
}

/* Nothing but raw tensors, added: their norm needs no tensor for the sum. */
static bool is_raw_sum(const struct value *v)
{
    for (int t = 0; v->kind == VALUE_SUM && t < v->terms; t++)
        if (!is_identity(&v->term[t]))
            return false;
    return v->kind == VALUE_SUM && v->act == FUSED_NONE;
}

static void lower_map_norm(struct lowering *l, int node)
{
    const struct node *n = &l->g->nodes[node];
    struct map_norm_step s = { .h = n->h, .w = n->w, .src = l->values[n->in[0]].buffer, .normalise = true,
                               .gamma = lower_param(l, node, 0)[0], .beta = lower_param(l, node, 1)[0] };
    s.dst = lower_floats(l, (size_t)n->h * (size_t)n->w);
    struct value v = value_map(s.dst);
    v.norm_step = lower_step(l, (struct step){ .kind = STEP_MAP_NORM, .u.map_norm = s });
    l->values[node] = v;
}

/* The norm of a sum of several tensors: its statistics in one pass, the sum itself in the next. */
static int sum_statistics(struct lowering *l, int node, const struct value *sum, const struct norm_ref *norm)
{
    struct step s = lower_apply(l, node, sum->term, sum->terms);
    s.u.apply.has_norm = true;
    s.u.apply.norm = *norm;
    return lower_step(l, s);
}

static int tensor_statistics(struct lowering *l, const struct term_ref *t, const struct norm_ref *norm)
{
    return lower_step(l, (struct step){ .kind = STEP_STATS,
                                        .u.stats = { .src = t->src, .pixel = t->pixel, .norm = *norm } });
}

void lower_norm(struct lowering *l, int node)
{
    int in = l->g->nodes[node].in[0];
    if (l->values[in].kind == VALUE_MAP) {
        lower_map_norm(l, node);
        return;
    }
    struct value v = l->values[in];
    if (!is_raw_sum(&v)) {
        v = value_new(VALUE_SUM);
        v.terms = 1;
        v.term[0] = term_of(lower_stored(l, in));
    }
    if (l->status != ST_OK)
        return;
    struct norm_ref norm = make_norm(l, node, v.term[0].src);
    bool whole = v.terms == 1 && (v.term[0].resize == FUSED_SAME || v.term[0].resize == FUSED_WIDE);
    v.norm_step = whole ? tensor_statistics(l, &v.term[0], &norm) : sum_statistics(l, node, &v, &norm);
    for (int t = 0; t < v.terms; t++)
        v.term[t].scale = norm.scale;
    v.term[0].shift = norm.shift;
    v.pool = v.wide = PLAN_NONE;
    l->values[node] = v;
}

/* The value as a sum that an activation may be put on. */
static struct value as_sum(struct lowering *l, int in)
{
    struct value v = value_new(VALUE_SUM);
    const struct value *from = &l->values[in];
    bool bare = from->kind == VALUE_SUM && from->act == FUSED_NONE;
    if (bare && (lower_readers(l, in) == 1 || from->terms == 1)) {
        v.terms = from->terms;
        memcpy(v.term, from->term, sizeof v.term);
        return v;
    }
    v.terms = lower_terms(l, in, v.term);
    return v;
}

static void activate(struct lowering *l, int node, enum fused_act act)
{
    const struct node *n = &l->g->nodes[node];
    int in = n->in[0];
    const struct value *from = &l->values[in];
    if (from->kind != VALUE_MAP) {
        struct value v = as_sum(l, in);
        v.act = act;
        l->values[node] = v;
        return;
    }
    int made_by = from->norm_step;
    if (made_by != PLAN_NONE && lower_readers(l, in) == 1 &&
        l->p->steps[made_by].u.map_norm.act == FUSED_NONE) {
        l->p->steps[made_by].u.map_norm.act = act;
        l->values[node] = value_map(from->buffer);
        return;
    }
    int dst = lower_floats(l, (size_t)n->h * (size_t)n->w);
    lower_step(l, (struct step){
                      .kind = STEP_MAP_NORM,
                      .u.map_norm = { .h = n->h, .w = n->w, .src = from->buffer, .dst = dst, .act = act } });
    l->values[node] = value_map(dst);
}

void lower_relu(struct lowering *l, int node)
{
    activate(l, node, FUSED_RELU);
}

void lower_sigmoid(struct lowering *l, int node)
{
    activate(l, node, FUSED_SIGMOID);
}

/* Too many terms for one pass: the first ones are summed into a tensor. */
static void fold_terms(struct lowering *l, int node, struct value *v)
{
    const struct node *n = &l->g->nodes[node];
    struct step s = lower_apply(l, node, v->term, v->terms);
    s.u.apply.dst = lower_tensor(l, n->h, n->w, n->c);
    lower_step(l, s);
    v->terms = 1;
    v->term[0] = term_of(s.u.apply.dst);
}

void lower_add(struct lowering *l, int node)
{
    const struct node *n = &l->g->nodes[node];
    struct value v = value_new(VALUE_SUM);
    for (int k = 0; k < n->inputs && l->status == ST_OK; k++) {
        struct term_ref more[FUSED_TERMS_MAX];
        int count = lower_terms(l, n->in[k], more);
        for (int t = 0; t < count && l->status == ST_OK; t++) {
            if (v.terms == FUSED_TERMS_MAX)
                fold_terms(l, node, &v);
            v.term[v.terms++] = more[t];
        }
    }
    l->values[node] = v;
}

void lower_maxpool(struct lowering *l, int node)
{
    const struct node *n = &l->g->nodes[node];
    struct term_ref term = term_of(lower_stored(l, n->in[0]));
    int pool = l->values[n->in[0]].pool;
    if (l->status != ST_OK)
        return;
    if (pool == PLAN_NONE) {
        struct step s = lower_apply(l, n->in[0], &term, 1);
        s.u.apply.pool = pool = plan_tensor(l->p, n->h, n->w, s.u.apply.c, lower_map(l, term.src));
        lower_step(l, s);
    }
    l->values[node] = value_stored(pool);
}

void lower_resize(struct lowering *l, int node)
{
    const struct node *n = &l->g->nodes[node], *from = &l->g->nodes[n->in[0]];
    enum fused_resize how = n->align_corners ? FUSED_CORNERS : FUSED_HALF_PIXEL;
    const struct value *in = &l->values[n->in[0]];
    if (in->kind == VALUE_MAP) {
        int dst = lower_floats(l, (size_t)n->h * (size_t)n->w);
        lower_step(l, (struct step){ .kind = STEP_MAP_RESIZE,
                                     .u.map_resize = { .h = from->h, .w = from->w, .to_h = n->h, .to_w = n->w,
                                                       .src = in->buffer, .dst = dst, .resize = how } });
        l->values[node] = value_map(dst);
        return;
    }
    struct value v = value_new(VALUE_SUM);
    bool single = in->kind == VALUE_SUM && in->terms == 1 && in->act == FUSED_NONE && !in->term[0].relu &&
                  in->term[0].resize == FUSED_SAME;
    v.terms = 1;
    v.term[0] = single ? in->term[0] : term_of(lower_stored(l, n->in[0]));
    if (n->h != from->h || n->w != from->w)
        v.term[0].resize = how;
    l->values[node] = v;
}
