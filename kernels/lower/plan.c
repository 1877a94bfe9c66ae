#include "kernels/lower/plan.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/base/grow.h"
#include "kernels/graph/arena.h"

struct plan *plan_new(enum fused_type type, int channel_block)
{
    struct plan *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->type = type;
    p->channel_block = channel_block;
    p->output_buffer = PLAN_NONE;
    for (int i = 0; i < PLAN_IMAGES; i++)
        p->image[i] = PLAN_NONE;
    return p;
}

void plan_free(struct plan *p)
{
    if (!p)
        return;
    for (int i = 0; i < p->constant_count; i++)
        free(p->constants[i]);
    free(p->buffers);
    free(p->steps);
    free(p->constants);
    free(p);
}

int plan_padded(const struct plan *p, int c)
{
    return (c + p->channel_block - 1) / p->channel_block * p->channel_block;
}

struct channel_map channel_map_simple(int real)
{
    return (struct channel_map){ .segments = 1, .real = { real } };
}

int channel_map_real(const struct channel_map *m)
{
    int sum = 0;
    for (int s = 0; s < m->segments; s++)
        sum += m->real[s];
    return sum;
}

static int add_buffer(struct plan *p, struct buffer b)
{
    if (!grow((void **)&p->buffers, p->buffer_count, &p->buffer_room, sizeof *p->buffers))
        return PLAN_NONE;
    b.first = 0;
    b.last = -1;
    p->buffers[p->buffer_count] = b;
    return p->buffer_count++;
}

/* Rounded up, so that images of a batch keep the alignment where the layout allows it and
 * offsets scale with n. */
static size_t rounded(size_t bytes)
{
    return (bytes + ARENA_ALIGNMENT - 1) / ARENA_ALIGNMENT * ARENA_ALIGNMENT;
}

int plan_tensor(struct plan *p, int h, int w, int c, const struct channel_map *map)
{
    size_t element = fused_bytes(p->type);
    return add_buffer(p, (struct buffer){ .tensor = true, .h = h, .w = w, .c = c, .map = *map, .parent = PLAN_NONE,
                                          .image_bytes = rounded((size_t)h * (size_t)w * (size_t)c * element) });
}

int plan_slice(struct plan *p, int parent, int first_channel, int c, int real)
{
    const struct buffer *whole = &p->buffers[parent];
    return add_buffer(p, (struct buffer){ .tensor = true, .h = whole->h, .w = whole->w, .c = c,
                                          .map = channel_map_simple(real), .parent = parent,
                                          .first_channel = first_channel });
}

int plan_floats(struct plan *p, size_t floats)
{
    return add_buffer(p, (struct buffer){ .floats = floats, .parent = PLAN_NONE,
                                          .image_bytes = rounded(floats * sizeof(float)) });
}

int plan_step(struct plan *p, const struct step *s)
{
    if (!grow((void **)&p->steps, p->step_count, &p->step_room, sizeof *p->steps))
        return PLAN_NONE;
    p->steps[p->step_count] = *s;
    return p->step_count++;
}

static void *aligned_zero(size_t bytes)
{
    void *data = aligned_alloc(ARENA_ALIGNMENT, rounded(bytes ? bytes : 1));
    if (data)
        memset(data, 0, rounded(bytes ? bytes : 1));
    return data;
}

float *plan_constant(struct plan *p, size_t count)
{
    if (!grow((void **)&p->constants, p->constant_count, &p->constant_room, sizeof *p->constants))
        return NULL;
    float *data = aligned_zero(count * sizeof *data);
    if (!data)
        return NULL;
    p->constants[p->constant_count++] = data;
    p->constant_bytes += count * sizeof *data;
    return data;
}

const char *step_kind_name(enum step_kind kind)
{
    static const char *const names[STEP_COUNT] = {
#define X(upper, lower) #lower,
        PLAN_STEP_LIST(X)
#undef X
    };
    return (unsigned)kind < STEP_COUNT ? names[kind] : "unknown";
}

/* --- lifetimes -------------------------------------------------------------------------------------------*/

struct id_list {
    int *ids, count;
};
static void add_ids(struct id_list *list, const int *ids, int count)
{
    for (int i = 0; i < count; i++)
        if (ids[i] != PLAN_NONE)
            list->ids[list->count++] = ids[i];
}
#define ADD(...) add_ids(list, (const int[]){ __VA_ARGS__ }, (int)(sizeof((const int[]){ __VA_ARGS__ }) / sizeof(int)))

static void ids_of_norm(struct id_list *list, const struct norm_ref *n)
{
    ADD(n->scale, n->shift, n->center, n->rate);
}
static void ids_of_pack(struct id_list *list, const struct pack_step *s) { ADD(s->dst); }
static void ids_of_conv(struct id_list *list, const struct conv_step *s) { ADD(s->src, s->dst); }
static void ids_of_stats(struct id_list *list, const struct stats_step *s)
{
    ADD(s->src, s->pixel);
    ids_of_norm(list, &s->norm);
}
static void ids_of_apply(struct id_list *list, const struct apply_step *s)
{
    for (int t = 0; t < s->terms; t++)
        ADD(s->term[t].src, s->term[t].scale, s->term[t].shift, s->term[t].pixel);
    ADD(s->dst, s->pool, s->channel_mean, s->point, s->dot);
    if (s->has_norm)
        ids_of_norm(list, &s->norm);
}
static void ids_of_survey(struct id_list *list, const struct survey_step *s)
{
    ADD(s->src, s->scale, s->shift, s->center, s->rate, s->pixel, s->dst, s->row, s->column, s->point);
}
static void ids_of_se(struct id_list *list, const struct se_step *s) { ADD(s->mean, s->factor); }
static void ids_of_gate(struct id_list *list, const struct gate_step *s)
{
    ADD(s->point, s->point_factor, s->prior, s->factor);
}
static void ids_of_triplet(struct id_list *list, const struct triplet_step *s)
{
    ADD(s->row, s->column, s->point, s->prior, s->factor);
}
static void ids_of_map_norm(struct id_list *list, const struct map_norm_step *s) { ADD(s->src, s->dst); }
static void ids_of_map_resize(struct id_list *list, const struct map_resize_step *s) { ADD(s->src, s->dst); }
static void ids_of_scatter(struct id_list *list, const struct scatter_step *s) { ADD(s->src, s->dst); }
static void ids_of_attention(struct id_list *list, const struct attention_step *s) { ADD(s->src, s->dst); }
static void ids_of_unpack(struct id_list *list, const struct unpack_step *s) { ADD(s->src, s->dst); }

bool plan_reads_image(const struct plan *p, const struct conv_step *c)
{
    return c->src == p->image[0] && p->image[PLAN_IMAGES - 1] != PLAN_NONE && c->shape.groups == 1;
}

int step_buffers(int *ids, const struct step *s)
{
    struct id_list list = { ids, 0 };
    switch (s->kind) {
#define X(upper, lower) \
    case STEP_##upper: \
        ids_of_##lower(&list, &s->u.lower); \
        break;
        PLAN_STEP_LIST(X)
#undef X
    case STEP_COUNT:
        break;
    }
    return list.count;
}

/* Every operand once; weights do not grow with the batch and count apart. */
static void count_bytes(struct plan *p, struct step *s, const int *ids, int count)
{
    size_t element = fused_bytes(p->type);
    for (int i = 0; i < count; i++) {
        const struct buffer *b = &p->buffers[ids[i]];
        s->bytes += b->tensor ? (size_t)b->h * (size_t)b->w * (size_t)b->c * element
                              : b->floats * sizeof(float);
    }
    if (s->kind == STEP_CONV)
        s->weight_bytes = conv_shape_weights(&s->u.conv.shape) * element;
    if (s->kind == STEP_PACK)
        s->bytes += (size_t)p->input[0] * (size_t)p->input[1] * (size_t)p->input[2] * sizeof(float);
}

static void mark_alive(struct plan *p, int id, int step)
{
    struct buffer *b = &p->buffers[id];
    if (b->parent != PLAN_NONE)
        b = &p->buffers[b->parent];
    if (b->first > b->last)
        b->first = b->last = step;
    if (step > b->last)
        b->last = step;
}

enum status plan_finish(struct plan *p, struct err *err)
{
    for (int i = 0; i < p->step_count; i++) {
        int ids[PLAN_STEP_BUFFERS];
        int count = step_buffers(ids, &p->steps[i]);
        for (int k = 0; k < count; k++)
            mark_alive(p, ids[k], i);
        count_bytes(p, &p->steps[i], ids, count);
    }
    mark_alive(p, p->output_buffer, p->step_count); /* read after the last step */
    size_t count = (size_t)p->buffer_count;
    struct arena_item *items = calloc(count ? count : 1, sizeof *items);
    size_t *offsets = calloc(count ? count : 1, sizeof *offsets);
    enum status st = ST_OK;
    if (!items || !offsets)
        st = err_set(err, ST_OUT_OF_MEMORY, "no memory to plan %zu buffers", count);
    for (size_t i = 0; i < count && st == ST_OK; i++) {
        const struct buffer *b = &p->buffers[i];
        bool used = b->first <= b->last;
        items[i] = (struct arena_item){ used ? b->image_bytes : 0, b->first, used ? b->last : b->first };
    }
    if (st == ST_OK)
        st = arena_plan(offsets, &p->arena_image_bytes, items, count, err);
    for (size_t i = 0; i < count && st == ST_OK; i++)
        p->buffers[i].offset = offsets[i];
    free(items);
    free(offsets);
    return st;
}
