#include "kernels/cpu/attention.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

/* 8 heads, 256 queries, 1024 keys: 8 MiB of scores, and each packed key serves 256 queries. */
#define QUERIES_MAX 256
#define KEYS_MAX 1024

/* Everything for one size of key block: whole blocks, and a smaller last one. */
struct block {
    int keys, count;                                       /* blocks of this size; 0: none */
    struct compat_kernel *scores, *values;                 /* Q K^T, P V */
    struct compat_kernel *copy_keys, *copy_values;
    struct compat_call *scores_call, *values_call, *copy_keys_call, *copy_values_call;
    size_t keys_bytes, values_bytes;                       /* packed, of one block */
};

struct attention {
    struct attention_shape shape;
    int queries;                                           /* per block; the last block overlaps the one before */
    struct block blocks[2];
    struct compat_kernel *copy_queries;
    struct compat_call *copy_queries_call;
    /* scratch, by offset */
    size_t at_queries, at_scores, at_probs, at_acc, at_max, at_sum, at_packed, at_library, bytes;
};

static size_t rounded(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}
static size_t element(const struct attention *a)
{
    return a->shape.type == FUSED_BF16 ? 2 : 4;
}
static size_t token_stride(const struct attention *a) /* elements of src from one token to the next */
{
    return 3 * (size_t)a->shape.heads * (size_t)a->shape.depth;
}

static enum status describe_block(struct attention *a, struct block *b, struct compat *c, struct err *err)
{
    const struct attention_shape *s = &a->shape;
    size_t depth = (size_t)s->depth, stride = token_stride(a);
    struct compat_matmul scores = { s->heads, a->queries, s->depth, b->keys, s->type, false };
    struct compat_matmul values = { s->heads, a->queries, b->keys, s->depth, s->type, true };
    struct compat_copy keys = { s->heads, s->depth, b->keys, { depth, 1, stride }, s->type };
    struct compat_copy vals = { s->heads, b->keys, s->depth, { depth, stride, 1 }, s->type };
    enum status st = compat_describe_matmul(&b->scores, c, &scores, err);
    if (st == ST_OK)
        st = compat_describe_matmul(&b->values, c, &values, err);
    if (st == ST_OK)
        st = compat_describe_copy(&b->copy_keys, c, &keys, b->scores, err);
    if (st == ST_OK)
        st = compat_describe_copy(&b->copy_values, c, &vals, b->values, err);
    if (st != ST_OK)
        return st;
    b->keys_bytes = rounded(compat_weights_bytes(b->scores));
    b->values_bytes = rounded(compat_weights_bytes(b->values));
    return ST_OK;
}

static enum status bind_block(struct block *b, struct err *err)
{
    const struct compat_buffers none = { .src = NULL };
    enum status st = compat_bind(&b->scores_call, b->scores, &none, err);
    if (st == ST_OK)
        st = compat_bind(&b->values_call, b->values, &none, err);
    if (st == ST_OK)
        st = compat_bind(&b->copy_keys_call, b->copy_keys, &none, err);
    if (st == ST_OK)
        st = compat_bind(&b->copy_values_call, b->copy_values, &none, err);
    return st;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static void place(struct attention *a)
{
    const struct attention_shape *s = &a->shape;
    size_t rows = (size_t)s->heads * (size_t)a->queries, at = 0,
           library = compat_scratch_bytes(a->copy_queries);
    size_t keys = (size_t)(a->blocks[0].count ? a->blocks[0].keys : a->blocks[1].keys);
#define PLACE(field, size) (a->field = at, at += rounded(size))
    PLACE(at_queries, rows * (size_t)s->depth * element(a));
    PLACE(at_scores, rows * keys * sizeof(float));
    PLACE(at_probs, rows * keys * element(a));
    PLACE(at_acc, rows * (size_t)s->depth * sizeof(float));
    PLACE(at_max, rows * sizeof(float));
    PLACE(at_sum, rows * sizeof(float));
    a->at_packed = at;
    for (int i = 0; i < 2; i++) {
        const struct block *b = &a->blocks[i];
        at += (size_t)b->count * (b->keys_bytes + b->values_bytes);
        if (!b->count)
            continue;
        library = larger(library, larger(compat_scratch_bytes(b->scores), compat_scratch_bytes(b->values)));
        library = larger(library,
                         larger(compat_scratch_bytes(b->copy_keys), compat_scratch_bytes(b->copy_values)));
    }
    struct fused_softmax softmax = { .groups = s->heads, .rows = a->queries, .cols = (int)keys, .depth = s->depth,
                                     .type = s->type };
    struct fused_softmax_end end = { .groups = s->heads, .rows = a->queries, .depth = s->depth, .type = s->type };
    library = larger(library, larger(fused_softmax_scratch(&softmax), fused_softmax_end_scratch(&end)));
    PLACE(at_library, library);
#undef PLACE
    a->bytes = at;
}

enum status attention_new(struct attention **out, struct compat *c, const struct attention_shape *shape,
                          struct err *err)
{
    struct attention *a = calloc(1, sizeof *a);
    if (!a)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory for an attention");
    a->shape = *shape;
    a->queries = shape->tokens < QUERIES_MAX ? shape->tokens : QUERIES_MAX;
    a->blocks[0] = (struct block){ .keys = KEYS_MAX, .count = shape->tokens / KEYS_MAX };
    a->blocks[1] = (struct block){ .keys = shape->tokens % KEYS_MAX, .count = shape->tokens % KEYS_MAX != 0 };
    size_t depth = (size_t)shape->depth;
    struct compat_copy queries = { shape->heads, a->queries, shape->depth, { depth, token_stride(a), 1 }, shape->type };
    enum status st = compat_describe_copy(&a->copy_queries, c, &queries, NULL, err);
    const struct compat_buffers none = { .src = NULL };
    if (st == ST_OK)
        st = compat_bind(&a->copy_queries_call, a->copy_queries, &none, err);
    for (int i = 0; i < 2 && st == ST_OK; i++) {
        if (!a->blocks[i].count)
            continue;
        st = describe_block(a, &a->blocks[i], c, err);
        if (st == ST_OK)
            st = bind_block(&a->blocks[i], err);
    }
    if (st != ST_OK) {
        attention_free(a);
        return st;
    }
    place(a);
    *out = a;
    return ST_OK;
}

void attention_free(struct attention *a)
{
    if (!a)
        return;
    for (int i = 0; i < 2; i++) {
        struct block *b = &a->blocks[i];
        compat_unbind(b->scores_call);
        compat_unbind(b->values_call);
        compat_unbind(b->copy_keys_call);
        compat_unbind(b->copy_values_call);
        compat_free(b->copy_keys);
        compat_free(b->copy_values);
        compat_free(b->scores);
        compat_free(b->values);
    }
    compat_unbind(a->copy_queries_call);
    compat_free(a->copy_queries);
    free(a);
}

size_t attention_scratch_bytes(const struct attention *a)
{
    return a->bytes;
}

static enum status run_call(struct compat_call *call, const void *src, void *weights, void *dst,
                            void *scratch, struct err *err)
{
    compat_move(call, &(struct compat_buffers){ (void *)(uintptr_t)src, weights, NULL, dst, scratch });
    return compat_run(call, err);
}

/* Block number `index` of all: which size it has, its first key, and where it is packed. */
struct place {
    const struct block *block;
    size_t first_key;
    char *keys, *values;
};
static struct place place_of(const struct attention *a, int index, char *scratch)
{
    const struct block *b = &a->blocks[index < a->blocks[0].count ? 0 : 1];
    size_t before = (size_t)index, pair = a->blocks[0].keys_bytes + a->blocks[0].values_bytes;
    char *keys = scratch + a->at_packed + before * pair;
    return (struct place){ b, before * KEYS_MAX, keys, keys + b->keys_bytes };
}

static enum status pack_image(struct attention *a, const char *src, char *scratch, struct err *err)
{
    size_t width = (size_t)a->shape.heads * (size_t)a->shape.depth * element(a);
    enum status st = ST_OK;
    for (int i = 0; i < a->blocks[0].count + a->blocks[1].count && st == ST_OK; i++) {
        struct place p = place_of(a, i, scratch);
        const char *token = src + p.first_key * 3 * width;
        st = run_call(p.block->copy_keys_call, token + width, NULL, p.keys, scratch + a->at_library, err);
        if (st == ST_OK)
            st = run_call(p.block->copy_values_call, token + 2 * width, NULL, p.values,
                          scratch + a->at_library, err);
    }
    return st;
}

static enum status run_queries(struct attention *a, const struct fused_kernels *k, const char *src, char *dst,
                               char *scratch, struct err *err)
{
    const struct attention_shape *s = &a->shape;
    char *library = scratch + a->at_library;
    struct fused_softmax softmax = { .groups = s->heads, .rows = a->queries, .depth = s->depth,
                                     .scale = 1.0f / sqrtf((float)s->depth), .first = true, .type = s->type,
                                     .scores = (float *)(scratch + a->at_scores), .probs = scratch + a->at_probs,
                                     .max = (float *)(scratch + a->at_max), .sum = (float *)(scratch + a->at_sum),
                                     .acc = (float *)(scratch + a->at_acc) };
    enum status st = run_call(a->copy_queries_call, src, NULL, scratch + a->at_queries, library, err);
    for (int i = 0; i < a->blocks[0].count + a->blocks[1].count && st == ST_OK; i++) {
        struct place p = place_of(a, i, scratch);
        st = run_call(p.block->scores_call, scratch + a->at_queries, p.keys, scratch + a->at_scores, library,
                      err);
        if (st != ST_OK)
            break;
        softmax.cols = p.block->keys;
        k->softmax(&softmax, library);
        softmax.first = false;
        st = run_call(p.block->values_call, scratch + a->at_probs, p.values, scratch + a->at_acc, library,
                      err);
    }
    struct fused_softmax_end end = { .groups = s->heads, .rows = a->queries, .depth = s->depth, .acc = softmax.acc,
                                     .sum = softmax.sum, .dst = dst, .type = s->type,
                                     .group_stride = (size_t)s->depth,
                                     .row_stride = (size_t)s->heads * (size_t)s->depth };
    if (st == ST_OK)
        k->softmax_end(&end, library);
    return st;
}

enum status attention_run(struct attention *a, const struct fused_kernels *k, const void *src, void *dst,
                          void *scratch, struct err *err)
{
    size_t width = (size_t)a->shape.heads * (size_t)a->shape.depth * element(a),
           tokens = (size_t)a->shape.tokens;
    enum status st = ST_OK;
    for (size_t n = 0; n < (size_t)a->shape.n && st == ST_OK; n++) {
        const char *image = (const char *)src + n * tokens * 3 * width;
        char *result = (char *)dst + n * tokens * width;
        st = pack_image(a, image, scratch, err);
        for (size_t q = 0; q < tokens && st == ST_OK; q += (size_t)a->queries) {
            size_t first = q + (size_t)a->queries > tokens ? tokens - (size_t)a->queries : q;
            st = run_queries(a, k, image + first * 3 * width, result + first * width, scratch, err);
        }
    }
    return st;
}
