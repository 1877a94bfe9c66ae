/* Attention gates: descriptors in the pass that has the values at hand, factors kept apart from the tensor
 * until a pass that moves it anyway. */
#include "kernels/lower/pack.h"
#include "kernels/lower/value.h"

/* The node's value as a tensor with factors; stored first if it is anything else. */
static struct value as_scaled(struct lowering *l, int node)
{
    struct value v = l->values[node];
    if (v.kind == VALUE_SCALED) {
        v.own = v.own && lower_readers(l, node) == 1;
        return v;
    }
    struct value scaled = value_new(VALUE_SCALED);
    scaled.buffer = lower_stored(l, node);
    if (l->status != ST_OK)
        return scaled;
    scaled.point = l->values[node].point;
    scaled.point_factor = l->values[node].point_factor;
    scaled.own = lower_readers(l, node) == 1 && l->p->buffers[scaled.buffer].parent == PLAN_NONE;
    return scaled;
}

static struct survey_step survey_of(const struct value *v, int c_real)
{
    return (struct survey_step){ .src = v->buffer,
                                 .c_real = c_real,
                                 .scale = v->channel_factor,
                                 .shift = PLAN_NONE,
                                 .center = PLAN_NONE,
                                 .rate = PLAN_NONE,
                                 .pixel = PLAN_NONE,
                                 .dst = PLAN_NONE,
                                 .row = PLAN_NONE,
                                 .column = PLAN_NONE,
                                 .point = PLAN_NONE };
}

void lower_se(struct lowering *l, int node)
{
    const struct node *n = &l->g->nodes[node];
    int mean = PLAN_NONE, in = n->in[0];
    struct value v = value_new(VALUE_SCALED);
    v.buffer = lower_stored_mean(l, in, &mean);
    if (l->status != ST_OK)
        return;
    const struct param *fc0 = &l->g->params[n->param[0]];
    struct se_step s = { .c = lower_channels(l, v.buffer), .hidden = fc0->dims[0], .mean = mean };
    s.w1 = pack_rows(l->p, lower_param(l, node, 0), s.hidden, lower_map(l, v.buffer), s.c);
    s.w2 = pack_columns(l->p, lower_param(l, node, 1), s.hidden, lower_map(l, v.buffer), s.c);
    if (!s.w1 || !s.w2)
        lower_fail(l, ST_OUT_OF_MEMORY, "no memory for its weights");
    v.channel_factor = s.factor = lower_floats(l, (size_t)s.c);
    v.own = lower_readers(l, in) == 1 && l->p->buffers[v.buffer].parent == PLAN_NONE;
    lower_step(l, (struct step){ .kind = STEP_SE, .flops = 2 * graph_node_macs(l->g, node), .u.se = s });
    l->values[node] = v;
}

static const float *constant_copy(struct lowering *l, const float *src, int count)
{
    struct channel_map map = channel_map_simple(count);
    const float *copy = pack_vector(l->p, src, &map, count);
    if (!copy)
        lower_fail(l, ST_OUT_OF_MEMORY, "no memory for its weights");
    return copy;
}

void lower_spatial_gate(struct lowering *l, int node)
{
    const struct node *n = &l->g->nodes[node];
    size_t pixels = (size_t)n->h * (size_t)n->w;
    struct value v = as_scaled(l, n->in[0]);
    if (l->status != ST_OK)
        return;
    if (v.point == PLAN_NONE) {
        struct survey_step survey = survey_of(&v, n->c);
        v.point = survey.point = lower_floats(l, 2 * pixels);
        v.point_factor = PLAN_NONE;
        lower_step(l, (struct step){ .kind = STEP_SURVEY, .u.survey = survey });
    }
    struct gate_step gate = { .h = n->h, .w = n->w, .point = v.point, .point_factor = v.point_factor,
                              .prior = v.pixel, .factor = lower_floats(l, pixels),
                              .weight = constant_copy(l, lower_param(l, node, 0), 2 * 7 * 7) };
    v.pixel = gate.factor;
    lower_step(l,
               (struct step){ .kind = STEP_GATE, .flops = 2 * graph_node_macs(l->g, node), .u.gate = gate });
    l->values[node] = v;
}

static struct norm_ref *norm_of_step(struct lowering *l, int step)
{
    struct step *s = &l->p->steps[step];
    return s->kind == STEP_STATS ? &s->u.stats.norm : &s->u.apply.norm;
}

/* After a norm, mean and variance follow from its parameters: the step that made the norm
 * gives the coefficients. */
static bool simam_of_norm(struct lowering *l, int in, struct value *out)
{
    const struct value *v = &l->values[in];
    if (v->kind != VALUE_SUM || v->terms != 1 || v->act != FUSED_NONE || v->norm_step == PLAN_NONE ||
        v->term[0].resize != FUSED_SAME || v->term[0].relu)
        return false;
    struct norm_ref *norm = norm_of_step(l, v->norm_step);
    if (norm->center == PLAN_NONE) {
        int c = lower_channels(l, v->term[0].src);
        int center = lower_floats(l, (size_t)c), rate = lower_floats(l, (size_t)c);
        norm->center = center;
        norm->rate = rate;
    }
    out->term[0] = v->term[0];
    out->center = norm->center;
    out->rate = norm->rate;
    return true;
}

void lower_simam(struct lowering *l, int node)
{
    int in = l->g->nodes[node].in[0];
    struct value v = value_new(VALUE_SIMAM);
    if (!simam_of_norm(l, in, &v)) {
        v.term[0] = term_of(lower_stored(l, in));
        if (l->status != ST_OK)
            return;
        int c = lower_channels(l, v.term[0].src);
        v.center = lower_floats(l, (size_t)c);
        v.rate = lower_floats(l, (size_t)c);
        struct norm_ref norm = { .scale = PLAN_NONE, .shift = PLAN_NONE, .center = v.center, .rate = v.rate };
        lower_step(l, (struct step){ .kind = STEP_STATS,
                                     .u.stats = { .src = v.term[0].src, .pixel = PLAN_NONE, .norm = norm } });
    }
    v.terms = 1;
    l->values[node] = v;
}

/* A SimAM value read by nobody else is made in the same pass as the descriptors. */
static struct survey_step survey_simam(struct lowering *l, const struct value *v, const struct node *n)
{
    return (struct survey_step){ .src = v->term[0].src, .c_real = n->c, .scale = v->term[0].scale,
                                 .shift = v->term[0].shift, .center = v->center, .rate = v->rate,
                                 .pixel = v->term[0].pixel, .dst = lower_tensor(l, n->h, n->w, n->c) };
}

void lower_triplet(struct lowering *l, int node)
{
    const struct node *n = &l->g->nodes[node];
    size_t h = (size_t)n->h, w = (size_t)n->w;
    bool simam = l->values[n->in[0]].kind == VALUE_SIMAM && lower_readers(l, n->in[0]) == 1;
    struct value v = value_new(VALUE_SCALED);
    struct survey_step survey;
    if (simam) {
        survey = survey_simam(l, &l->values[n->in[0]], n);
        v.buffer = survey.dst;
        v.own = true;
    } else {
        v = as_scaled(l, n->in[0]);
        survey = survey_of(&v, n->c);
        survey.pixel = v.pixel;
    }
    if (l->status != ST_OK)
        return;
    survey.row = lower_floats(l, 2 * h);
    survey.column = lower_floats(l, 2 * w);
    survey.point = lower_floats(l, 2 * h * w);
    lower_step(l, (struct step){ .kind = STEP_SURVEY, .u.survey = survey });
    const float *ch = lower_param(l, node, 0), *cw = lower_param(l, node, 1); /* (1,2,1,7), (1,2,7,1) */
    enum {
        TAPS = 7,
        MIDDLE = 3
    }; /* the other taps lie on a map one pixel wide or high: they only see padding */
    struct triplet_step t = { .h = n->h,
                              .w = n->w,
                              .row = survey.row,
                              .column = survey.column,
                              .point = survey.point,
                              .prior = v.pixel,
                              .factor = lower_floats(l, h * w),
                              .row_weight = { ch[MIDDLE], ch[TAPS + MIDDLE] },
                              .column_weight = { cw[MIDDLE], cw[TAPS + MIDDLE] },
                              .point_weight =
                                  constant_copy(l, lower_param(l, node, 2), 2 * TAPS * TAPS) };
    lower_step(l, (struct step){
                      .kind = STEP_TRIPLET, .flops = 2 * graph_node_macs(l->g, node), .u.triplet = t });
    v.pixel = t.factor;
    v.point = v.point_factor = PLAN_NONE;
    l->values[node] = v;
}

void lower_mul(struct lowering *l, int node)
{
    const struct node *n = &l->g->nodes[node];
    const struct value *factor = &l->values[n->in[1]];
    if (factor->kind != VALUE_MAP) {
        lower_fail(l, ST_UNSUPPORTED, "only products with a one-channel map are supported");
        return;
    }
    int map = factor->buffer;
    struct value v = as_scaled(l, n->in[0]);
    if (v.pixel != PLAN_NONE || v.channel_factor != PLAN_NONE) { /* one factor is already waiting */
        lower_stored(l, n->in[0]);
        v = as_scaled(l, n->in[0]);
    }
    v.pixel = map;
    l->values[node] = v;
}
