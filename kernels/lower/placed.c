#include "kernels/lower/placed.h"

/* --- where things lie ----------------------------------------------------------------------------------- */

char *placed_data(const struct placement *m, int buffer)
{
    if (buffer == PLAN_NONE)
        return NULL;
    const struct buffer *b = &m->plan->buffers[buffer];
    if (b->parent == PLAN_NONE)
        return m->base(m->context, buffer);
    return m->base(m->context, b->parent) + (size_t)b->first_channel * fused_bytes(m->plan->type);
}

float *placed_floats(const struct placement *m, int buffer)
{
    return (float *)(void *)placed_data(m, buffer);
}

static const float *constant(const struct placement *m, const float *host)
{
    return m->constant ? m->constant(m->context, host) : host;
}

struct fused_view placed_view(const struct placement *m, int buffer)
{
    if (buffer == PLAN_NONE)
        return (struct fused_view){ .data = NULL };
    const struct buffer *b = &m->plan->buffers[buffer];
    int stride = b->parent == PLAN_NONE ? b->c : m->plan->buffers[b->parent].c;
    return (struct fused_view){ placed_data(m, buffer), m->plan->type, m->batch, b->h, b->w, b->c, stride };
}

size_t placed_view_bytes(const struct fused_view *v)
{
    return v->data ? (size_t)v->n * (size_t)v->h * (size_t)v->w * (size_t)v->c * fused_bytes(v->type) : 0;
}

static bool is_large(const struct placement *m, const struct fused_view *v)
{
    return placed_view_bytes(v) > m->stream_bytes;
}

struct fused_norm placed_norm(const struct placement *m, const struct norm_ref *r)
{
    return (struct fused_norm){ constant(m, r->gamma), constant(m, r->beta), placed_floats(m, r->scale),
                                placed_floats(m, r->shift), placed_floats(m, r->center), placed_floats(m, r->rate) };
}

static struct fused_term term(const struct placement *m, const struct term_ref *r)
{
    struct fused_term t = { placed_view(m, r->src), placed_floats(m, r->scale), placed_floats(m, r->shift),
                            placed_floats(m, r->pixel), r->relu, r->resize };
    if (r->resize == FUSED_WIDE) { /* (h/2, 2w, c) as it was computed is (h/2, w/2, 4c) as it is read */
        t.src.w /= 4;
        t.src.c *= 4;
        t.src.stride *= 4;
    }
    return t;
}

/* --- one function per kind of step ---------------------------------------------------------------------- */

struct fused_stats placed_stats(const struct placement *m, const struct stats_step *s)
{
    return (struct fused_stats){ placed_view(m, s->src), placed_floats(m, s->pixel), placed_norm(m, &s->norm) };
}

void placed_apply(struct placed_apply *out, const struct placement *m, const struct apply_step *s)
{
    out->op = (struct fused_apply){ .terms = s->terms, .n = m->batch, .h = s->h, .w = s->w, .c = s->c,
                                    .c_real = s->c_real, .act = s->act, .dst = placed_view(m, s->dst),
                                    .pool = placed_view(m, s->pool),
                                    .channel_mean = placed_floats(m, s->channel_mean),
                                    .point = placed_floats(m, s->point), .dot_weight = constant(m, s->dot_weight),
                                    .dot_bias = s->dot_bias, .dot = placed_floats(m, s->dot) };
    for (int t = 0; t < s->terms; t++)
        out->op.term[t] = term(m, &s->term[t]);
    out->op.stream = is_large(m, &out->op.dst);
    if (s->has_norm) {
        out->norm = placed_norm(m, &s->norm);
        out->op.norm = &out->norm;
    }
}

struct fused_survey placed_survey(const struct placement *m, const struct survey_step *s)
{
    struct fused_survey v = { .src = placed_view(m, s->src), .c_real = s->c_real, .scale = placed_floats(m, s->scale),
                              .shift = placed_floats(m, s->shift), .center = placed_floats(m, s->center),
                              .rate = placed_floats(m, s->rate), .pixel = placed_floats(m, s->pixel),
                              .dst = placed_view(m, s->dst), .row = placed_floats(m, s->row),
                              .column = placed_floats(m, s->column), .point = placed_floats(m, s->point) };
    v.stream = is_large(m, &v.dst);
    return v;
}

struct fused_se placed_se(const struct placement *m, const struct se_step *s)
{
    return (struct fused_se){ m->batch, s->c, s->hidden, placed_floats(m, s->mean), constant(m, s->w1),
                              constant(m, s->w2), placed_floats(m, s->factor) };
}

struct fused_gate placed_gate(const struct placement *m, const struct gate_step *s)
{
    return (struct fused_gate){ m->batch, s->h, s->w, placed_floats(m, s->point), placed_floats(m, s->point_factor),
                                placed_floats(m, s->prior), constant(m, s->weight), placed_floats(m, s->factor) };
}

struct fused_triplet placed_triplet(const struct placement *m, const struct triplet_step *s)
{
    return (struct fused_triplet){ .n = m->batch, .h = s->h, .w = s->w, .row = placed_floats(m, s->row),
                                   .column = placed_floats(m, s->column), .point = placed_floats(m, s->point),
                                   .prior = placed_floats(m, s->prior),
                                   .row_weight = { s->row_weight[0], s->row_weight[1] },
                                   .column_weight = { s->column_weight[0], s->column_weight[1] },
                                   .point_weight = constant(m, s->point_weight),
                                   .factor = placed_floats(m, s->factor) };
}

struct fused_map_norm placed_map_norm(const struct placement *m, const struct map_norm_step *s)
{
    return (struct fused_map_norm){ m->batch, s->h, s->w, s->normalise, s->gamma, s->beta, s->act,
                                    placed_floats(m, s->src), placed_floats(m, s->dst) };
}

struct fused_map_resize placed_map_resize(const struct placement *m, const struct map_resize_step *s)
{
    return (struct fused_map_resize){ m->batch, s->h, s->w, s->to_h, s->to_w, s->resize,
                                      placed_floats(m, s->src), placed_floats(m, s->dst) };
}

struct fused_scatter placed_scatter(const struct placement *m, const struct scatter_step *s)
{
    struct fused_scatter v = { .src = placed_view(m, s->src), .dst = placed_view(m, s->dst),
                               .bias = constant(m, s->bias) };
    v.stream = is_large(m, &v.dst);
    return v;
}

void placed_unpack(struct placed_unpack *out, const struct placement *m, const struct unpack_step *s)
{
    const struct channel_map *map = &m->plan->buffers[s->src].map;
    int first = 0;
    out->count = map->segments;
    for (int i = 0; i < map->segments; i++) {
        struct fused_view src = placed_view(m, s->src);
        src.data = (char *)src.data + (size_t)map->at[i] * fused_bytes(m->plan->type);
        src.c = plan_padded(m->plan, map->real[i]);
        out->op[i] = (struct fused_unpack){ src, map->real[i], first, m->plan->output[0], placed_floats(m, s->dst) };
        first += map->real[i];
    }
}
