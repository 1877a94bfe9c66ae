#include "kernels/cuda/upload.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/base/grow.h"
#include "kernels/base/half.h"

#define ALIGNMENT 256

enum piece_kind { PIECE_WEIGHTS, PIECE_CONSTANT, PIECE_BIAS, PIECE_TURNED, PIECE_WIDENED };

struct piece {
    enum piece_kind kind;
    const float *host;      /* of a constant or bias: where the plan has it */
    int of;                 /* of turned and widened weights: the index of what they were */
    int c;                  /* of widened ones: channels, padding included */
    void *data;             /* converted; NULL once it is on the device */
    size_t bytes, offset;
};

struct uploads {
    enum fused_type type;
    struct piece *pieces;   /* weights first: a step's index counts pieces */
    int count, room;
    struct gpu_block block;
};

struct uploads *uploads_new(enum fused_type type)
{
    struct uploads *u = calloc(1, sizeof *u);
    if (u)
        u->type = type;
    return u;
}

static void free_copies(struct uploads *u)
{
    for (int i = 0; i < u->count; i++) {
        free(u->pieces[i].data);
        u->pieces[i].data = NULL;
    }
}

void uploads_free(struct uploads *u, struct gpu_memory *m)
{
    if (!u)
        return;
    free_copies(u);
    gpu_block_free(&u->block, m);
    free(u->pieces);
    free(u);
}

static void store(void *dst, size_t at, enum fused_type type, float value)
{
    if (type == FUSED_F32)
        ((float *)dst)[at] = value;
    else
        ((uint16_t *)dst)[at] = type == FUSED_BF16 ? bf16_of_f32(value) : f16_of_f32(value);
}

/* A piece of `count` elements; NULL: no memory. */
static struct piece *add_piece(struct uploads *u, enum piece_kind kind, const float *host, size_t bytes)
{
    if (!grow((void **)&u->pieces, u->count, &u->room, sizeof *u->pieces))
        return NULL;
    void *data = malloc(bytes ? bytes : 1);
    if (!data)
        return NULL;
    u->pieces[u->count] = (struct piece){ .kind = kind, .host = host, .data = data, .bytes = bytes };
    return &u->pieces[u->count++];
}

/* dst (K, kh, kw, C / groups) from plain (K, C / groups, kh, kw) */
static enum status keep_weights(int *index, void *context, const struct conv_shape *shape, const float *plain,
                                struct err *err)
{
    struct uploads *u = context;
    size_t taps = (size_t)shape->kernel_h * (size_t)shape->kernel_w, c = (size_t)(shape->c / shape->groups);
    struct piece *p = add_piece(u, PIECE_WEIGHTS, NULL, conv_shape_weights(shape) * fused_bytes(u->type));
    if (!p)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory for %zu weights", conv_shape_weights(shape));
    for (size_t k = 0; k < (size_t)shape->k; k++)
        for (size_t i = 0; i < c; i++)
            for (size_t tap = 0; tap < taps; tap++)
                store(p->data, (k * taps + tap) * c + i, u->type, *plain++);
    *index = u->count - 1;
    return ST_OK;
}

struct lower_target uploads_target(struct uploads *u)
{
    return (struct lower_target){ .type = u->type, .channel_block = 8, .ordered = true, .wide_images = true,
                                   .keep_weights = keep_weights, .context = u };
}

static const struct piece *find(const struct uploads *u, enum piece_kind kind, const float *host)
{
    for (int i = 0; i < u->count; i++)
        if (u->pieces[i].kind == kind && u->pieces[i].host == host)
            return &u->pieces[i];
    return NULL;
}

/* --- the plan's constants: each step knows how long its own are -------------------------------------------- */

struct adding {
    struct uploads *u;
    bool failed;
};

static void add(struct adding *a, enum piece_kind kind, const float *host, size_t count)
{
    if (!host || a->failed || find(a->u, kind, host))
        return;
    enum fused_type type = kind == PIECE_BIAS ? a->u->type : FUSED_F32;
    struct piece *p = add_piece(a->u, kind, host, count * fused_bytes(type));
    a->failed = !p;
    for (size_t i = 0; p && i < count; i++)
        store(p->data, i, type, host[i]);
}

/* [2][count] */
static void add_bias_twice(struct adding *a, const float *host, size_t count)
{
    size_t bytes = count * fused_bytes(a->u->type);
    if (!host || a->failed || find(a->u, PIECE_BIAS, host))
        return;
    struct piece *p = add_piece(a->u, PIECE_BIAS, host, 2 * bytes);
    a->failed = !p;
    for (size_t i = 0; p && i < 2 * count; i++)
        store(p->data, i, a->u->type, host[i % count]);
}

static const struct piece *find_form(const struct uploads *u, enum piece_kind kind, int of, int c)
{
    for (int i = 0; i < u->count; i++)
        if (u->pieces[i].kind == kind && u->pieces[i].of == of && u->pieces[i].c == c)
            return &u->pieces[i];
    return NULL;
}

/* Weights number `of` in another form; NULL if that is there, or there is no memory. */
static struct piece *add_form(struct adding *a, enum piece_kind kind, int of, int c, size_t bytes)
{
    if (a->failed || find_form(a->u, kind, of, c))
        return NULL;
    struct piece *p = add_piece(a->u, kind, NULL, bytes);
    a->failed = !p;
    if (p) {
        p->of = of;
        p->c = c;
    }
    return p;
}

/* dst (columns, rows) from weights number `of`, (rows, columns) */
static void add_turned(struct adding *a, int of, size_t rows, size_t columns)
{
    size_t element = fused_bytes(a->u->type);
    struct piece *p = add_form(a, PIECE_TURNED, of, 0, rows * columns * element);
    if (!p)
        return;
    const char *src = a->u->pieces[of].data;
    for (size_t row = 0; row < rows; row++)
        for (size_t column = 0; column < columns; column++, src += element)
            memcpy((char *)p->data + (column * rows + row) * element, src, element);
}

/* dst (rows, c) from weights number `of`, (rows, shape->c): zeros behind */
static void add_widened(struct adding *a, int of, const struct conv_shape *shape, int c)
{
    size_t element = fused_bytes(a->u->type), rows = conv_shape_weights(shape) / (size_t)shape->c;
    size_t row = (size_t)shape->c * element, wide = (size_t)c * element;
    struct piece *p = add_form(a, PIECE_WIDENED, of, c, rows * wide);
    if (!p)
        return;
    memset(p->data, 0, rows * wide);
    for (size_t i = 0; i < rows; i++)
        memcpy((char *)p->data + i * wide, (const char *)a->u->pieces[of].data + i * row, row);
}

static void add_conv(struct adding *a, const struct plan *p, const struct conv_step *s)
{
    add(a, PIECE_BIAS, s->bias, (size_t)s->shape.k);
    for (int i = 1; i < PLAN_IMAGES && plan_reads_image(p, s); i++)
        if (p->image[i] != PLAN_NONE)
            add_widened(a, s->weights, &s->shape, p->buffers[p->image[i]].c);
}

static void add_norm(struct adding *a, const struct norm_ref *n, int channels)
{
    add(a, PIECE_CONSTANT, n->gamma, (size_t)channels);
    add(a, PIECE_CONSTANT, n->beta, (size_t)channels);
}

static void add_stats(struct adding *a, const struct plan *p, const struct stats_step *s)
{
    add_norm(a, &s->norm, p->buffers[s->src].c);
}

static void add_apply(struct adding *a, const struct apply_step *s)
{
    add(a, PIECE_CONSTANT, s->dot_weight, (size_t)s->c);
    if (s->has_norm)
        add_norm(a, &s->norm, s->c);
}

static void add_se(struct adding *a, const struct se_step *s)
{
    add(a, PIECE_CONSTANT, s->w1, (size_t)s->hidden * (size_t)s->c);
    add(a, PIECE_CONSTANT, s->w2, (size_t)s->hidden * (size_t)s->c);
}

/* Beside what the scatter step and the wide product before it read, the same as a direct way wants it. */
static void add_scatter(struct adding *a, const struct plan *p, const struct scatter_step *s)
{
    add(a, PIECE_CONSTANT, s->bias, (size_t)p->buffers[s->dst].c);
    add_bias_twice(a, s->bias, (size_t)p->buffers[s->dst].c);
    for (int i = 0; i < p->step_count; i++) {
        const struct conv_step *c = &p->steps[i].u.conv;
        if (p->steps[i].kind == STEP_CONV && c->dst == s->src)
            add_turned(a, c->weights, (size_t)c->shape.k, (size_t)c->shape.c);
    }
}

static void add_constants(struct adding *a, const struct plan *p, const struct step *s)
{
    enum { MAP_WEIGHTS = 2 * 7 * 7 };
    switch (s->kind) {
    case STEP_CONV:    add_conv(a, p, &s->u.conv); break;
    case STEP_STATS:   add_stats(a, p, &s->u.stats); break;
    case STEP_APPLY:   add_apply(a, &s->u.apply); break;
    case STEP_SE:      add_se(a, &s->u.se); break;
    case STEP_GATE:    add(a, PIECE_CONSTANT, s->u.gate.weight, MAP_WEIGHTS); break;
    case STEP_TRIPLET: add(a, PIECE_CONSTANT, s->u.triplet.point_weight, MAP_WEIGHTS); break;
    case STEP_SCATTER: add_scatter(a, p, &s->u.scatter); break;
    default:           break;
    }
}

static enum status copy_all(struct uploads *u, struct gpu_memory *m, struct err *err)
{
    size_t bytes = 0;
    for (int i = 0; i < u->count; i++) {
        u->pieces[i].offset = bytes;
        bytes += (u->pieces[i].bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }
    enum status st = gpu_block_new(&u->block, m, bytes, "the weights", err);
    for (int i = 0; i < u->count && st == ST_OK; i++)
        st = gpu_check(m->device, cudaMemcpy((char *)u->block.data + u->pieces[i].offset, u->pieces[i].data,
                                             u->pieces[i].bytes, cudaMemcpyHostToDevice),
                       "cudaMemcpy", "the weights", err);
    return st;
}

enum status uploads_finish(struct uploads *u, const struct plan *p, struct gpu_memory *m, struct err *err)
{
    struct adding a = { .u = u };
    for (int i = 0; i < p->step_count && !a.failed; i++)
        add_constants(&a, p, &p->steps[i]);
    if (a.failed)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory for the network's parameters");
    enum status st = copy_all(u, m, err);
    if (st == ST_OK)
        free_copies(u);
    return st;
}

size_t uploads_bytes(const struct uploads *u)
{
    return u->block.bytes;
}

static const void *address(const struct uploads *u, const struct piece *p)
{
    return p ? (const char *)u->block.data + p->offset : NULL;
}

const void *uploads_weights(const struct uploads *u, int index)
{
    return address(u, &u->pieces[index]);
}

const void *uploads_turned(const struct uploads *u, int index)
{
    return address(u, find_form(u, PIECE_TURNED, index, 0));
}

const void *uploads_widened(const struct uploads *u, int index, int c)
{
    return address(u, find_form(u, PIECE_WIDENED, index, c));
}

const float *uploads_constant(const struct uploads *u, const float *host)
{
    return host ? address(u, find(u, PIECE_CONSTANT, host)) : NULL;
}

const void *uploads_bias(const struct uploads *u, const float *host)
{
    return host ? address(u, find(u, PIECE_BIAS, host)) : NULL;
}
