#include "kernels/cpu/attention.h"

#include <math.h>
#include <omp.h>
#include <stdint.h>
#include <stdlib.h>

/* A task is one head's block of queries against all keys, in one thread: its scores (256 KiB) stay in that
 * core's cache, and nothing that is computed depends on the number of threads. */
#define QUERIES_MAX 128
#define KEYS_MAX 512

/* Everything for one size of key block: whole blocks, and a smaller last one. */
struct block {
    int keys, count;                                       /* blocks of this size; 0: none */
    struct compat_kernel *scores, *values;                 /* Q K^T, P V */
    struct compat_kernel *copy_keys, *copy_values;
    size_t keys_bytes, values_bytes;                       /* packed, of one block */
};

/* What one thread needs: calls, whose buffers it moves, and how its part ended. */
struct lane {
    struct compat_call *copy_queries;
    struct lane_block {
        struct compat_call *scores, *values, *copy_keys, *copy_values;
    } blocks[2];
    enum status st;
    struct err err;
};

struct attention {
    struct attention_shape shape;
    int queries, query_blocks;                             /* the last block overlaps the one before */
    struct block blocks[2];
    struct compat_kernel *copy_queries;
    struct lane *lanes;
    int lane_count;
    /* scratch: every head's packed keys and values, then every lane's own by offset from its start */
    size_t head_bytes, lane_bytes;
    size_t at_queries, at_scores, at_probs, at_acc, at_max, at_sum, at_library;
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
    size_t stride = token_stride(a);
    struct compat_matmul scores = { a->queries, s->depth, b->keys, s->type, false };
    struct compat_matmul values = { a->queries, b->keys, s->depth, s->type, true };
    struct compat_copy keys = { s->depth, b->keys, { 1, stride }, s->type };
    struct compat_copy vals = { b->keys, s->depth, { stride, 1 }, s->type };
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

static enum status describe(struct attention *a, struct compat *c, struct err *err)
{
    const struct attention_shape *s = &a->shape;
    struct compat_copy queries = { a->queries, s->depth, { token_stride(a), 1 }, s->type };
    enum status st = compat_describe_copy(&a->copy_queries, c, &queries, NULL, err);
    for (int i = 0; i < 2 && st == ST_OK; i++)
        if (a->blocks[i].count)
            st = describe_block(a, &a->blocks[i], c, err);
    return st;
}

static enum status bind_lane(struct lane *lane, const struct attention *a, struct err *err)
{
    const struct compat_buffers none = { .src = NULL };
    enum status st = compat_bind(&lane->copy_queries, a->copy_queries, &none, err);
    for (int i = 0; i < 2; i++) {
        const struct block *b = &a->blocks[i];
        struct lane_block *l = &lane->blocks[i];
        if (st == ST_OK && b->count)
            st = compat_bind(&l->scores, b->scores, &none, err);
        if (st == ST_OK && b->count)
            st = compat_bind(&l->values, b->values, &none, err);
        if (st == ST_OK && b->count)
            st = compat_bind(&l->copy_keys, b->copy_keys, &none, err);
        if (st == ST_OK && b->count)
            st = compat_bind(&l->copy_values, b->copy_values, &none, err);
    }
    return st;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t library_bytes(const struct attention *a)
{
    size_t most = compat_scratch_bytes(a->copy_queries);
    for (int i = 0; i < 2; i++) {
        const struct block *b = &a->blocks[i];
        if (!b->count)
            continue;
        most = larger(most, larger(compat_scratch_bytes(b->scores), compat_scratch_bytes(b->values)));
        most = larger(most, larger(compat_scratch_bytes(b->copy_keys), compat_scratch_bytes(b->copy_values)));
    }
    return most;
}

static void place(struct attention *a)
{
    const struct attention_shape *s = &a->shape;
    size_t rows = (size_t)a->queries, depth = (size_t)s->depth, at = 0;
    size_t keys = (size_t)(a->blocks[0].count ? a->blocks[0].keys : a->blocks[1].keys);
    struct fused_softmax softmax = { .groups = 1, .rows = a->queries, .cols = (int)keys, .depth = s->depth,
                                     .type = s->type };
    struct fused_softmax_end end = { .groups = 1, .rows = a->queries, .depth = s->depth, .type = s->type };
    size_t ours = larger(fused_softmax_scratch(&softmax), fused_softmax_end_scratch(&end));
    size_t library = larger(library_bytes(a), ours);
#define PLACE(field, size) (a->field = at, at += rounded(size))
    PLACE(at_queries, rows * depth * element(a));
    PLACE(at_scores, rows * keys * sizeof(float));
    PLACE(at_probs, s->type == FUSED_F32 ? 0 : rows * keys * element(a)); /* f32: in place of the scores */
    PLACE(at_acc, rows * depth * sizeof(float));
    PLACE(at_max, rows * sizeof(float));
    PLACE(at_sum, rows * sizeof(float));
    PLACE(at_library, library);
#undef PLACE
    if (s->type == FUSED_F32)
        a->at_probs = a->at_scores;
    a->lane_bytes = at;
    for (int i = 0; i < 2; i++)
        a->head_bytes += (size_t)a->blocks[i].count * (a->blocks[i].keys_bytes + a->blocks[i].values_bytes);
}

enum status attention_new(struct attention **out, struct compat *c, const struct attention_shape *shape,
                          struct err *err)
{
    struct attention *a = calloc(1, sizeof *a);
    if (!a)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory for an attention");
    a->shape = *shape;
    a->queries = shape->tokens < QUERIES_MAX ? shape->tokens : QUERIES_MAX;
    a->query_blocks = (shape->tokens + a->queries - 1) / a->queries;
    a->blocks[0] = (struct block){ .keys = KEYS_MAX, .count = shape->tokens / KEYS_MAX };
    a->blocks[1] = (struct block){ .keys = shape->tokens % KEYS_MAX, .count = shape->tokens % KEYS_MAX != 0 };
    a->lane_count = omp_get_max_threads();
    a->lanes = calloc((size_t)a->lane_count, sizeof *a->lanes);
    enum status st = a->lanes ? describe(a, c, err)
                              : err_set(err, ST_OUT_OF_MEMORY, "no memory for %d threads", a->lane_count);
    for (int i = 0; i < a->lane_count && st == ST_OK; i++)
        st = bind_lane(&a->lanes[i], a, err);
    if (st != ST_OK) {
        attention_free(a);
        return st;
    }
    place(a);
    *out = a;
    return ST_OK;
}

static void unbind_lane(struct lane *lane)
{
    compat_unbind(lane->copy_queries);
    for (int i = 0; i < 2; i++) {
        compat_unbind(lane->blocks[i].scores);
        compat_unbind(lane->blocks[i].values);
        compat_unbind(lane->blocks[i].copy_keys);
        compat_unbind(lane->blocks[i].copy_values);
    }
}

void attention_free(struct attention *a)
{
    if (!a)
        return;
    for (int i = 0; a->lanes && i < a->lane_count; i++)
        unbind_lane(&a->lanes[i]);
    for (int i = 0; i < 2; i++) {
        compat_free(a->blocks[i].copy_keys);
        compat_free(a->blocks[i].copy_values);
        compat_free(a->blocks[i].scores);
        compat_free(a->blocks[i].values);
    }
    compat_free(a->copy_queries);
    free(a->lanes);
    free(a);
}

size_t attention_scratch_bytes(const struct attention *a)
{
    return (size_t)a->shape.heads * a->head_bytes + (size_t)a->lane_count * a->lane_bytes;
}

static enum status run_call(struct compat_call *call, const void *src, void *weights, void *dst,
                            void *scratch, struct err *err)
{
    compat_move(call, &(struct compat_buffers){ (void *)(uintptr_t)src, weights, NULL, dst, scratch });
    return compat_run(call, err);
}

/* Key block number `index` of a head: which size it has, its first key, and where it is packed. */
struct place {
    int size;
    size_t first_key;
    char *keys, *values;
};
static struct place place_of(const struct attention *a, int head, int index, char *scratch)
{
    int size = index < a->blocks[0].count ? 0 : 1;
    size_t before = (size_t)index, pair = a->blocks[0].keys_bytes + a->blocks[0].values_bytes;
    char *keys = scratch + (size_t)head * a->head_bytes + before * pair;
    return (struct place){ size, before * KEYS_MAX, keys, keys + a->blocks[size].keys_bytes };
}

/* Where thread number `lane` has its own scratch. */
static char *lane_scratch(const struct attention *a, int lane, char *scratch)
{
    return scratch + (size_t)a->shape.heads * a->head_bytes + (size_t)lane * a->lane_bytes;
}

/* An image: its tokens, its result, and all the scratch. */
struct image {
    const char *src;
    char *dst, *scratch;
};

static enum status pack_block(struct lane *lane, const struct attention *a, const struct image *image,
                              int head, int index, char *own)
{
    size_t width = (size_t)a->shape.heads * (size_t)a->shape.depth * element(a),
           column = (size_t)head * (size_t)a->shape.depth * element(a);
    struct place p = place_of(a, head, index, image->scratch);
    struct lane_block *l = &lane->blocks[p.size];
    const char *token = image->src + p.first_key * 3 * width + column;
    enum status st = run_call(l->copy_keys, token + width, NULL, p.keys, own + a->at_library, &lane->err);
    return st != ST_OK ? st : run_call(l->copy_values, token + 2 * width, NULL, p.values, own + a->at_library,
                                       &lane->err);
}

/* The last block of queries overlaps the one before: it skips the rows that are that one's. */
static void store_queries(const struct attention *a, const struct fused_kernels *k, const struct image *image,
                          int head, size_t first, size_t skip, char *own)
{
    const struct attention_shape *s = &a->shape;
    size_t depth = (size_t)s->depth, width = (size_t)s->heads * depth;
    size_t at = (first + skip) * width + (size_t)head * depth;
    struct fused_softmax_end end = { .groups = 1, .rows = a->queries - (int)skip, .depth = s->depth,
                                     .type = s->type, .row_stride = width,
                                     .acc = (float *)(void *)(own + a->at_acc) + skip * depth,
                                     .sum = (float *)(void *)(own + a->at_sum) + skip,
                                     .dst = image->dst + at * element(a) };
    k->softmax_end(&end, own + a->at_library);
}

static enum status run_queries(struct lane *lane, const struct attention *a, const struct fused_kernels *k,
                               const struct image *image, int head, int index, char *own)
{
    const struct attention_shape *s = &a->shape;
    size_t wanted = (size_t)index * (size_t)a->queries, last = (size_t)(s->tokens - a->queries);
    size_t first = wanted < last ? wanted : last;
    char *library = own + a->at_library;
    struct fused_softmax softmax = { .groups = 1, .rows = a->queries, .depth = s->depth,
                                     .scale = 1.0f / sqrtf((float)s->depth), .first = true, .type = s->type,
                                     .scores = (float *)(void *)(own + a->at_scores),
                                     .probs = own + a->at_probs,
                                     .max = (float *)(void *)(own + a->at_max),
                                     .sum = (float *)(void *)(own + a->at_sum),
                                     .acc = (float *)(void *)(own + a->at_acc) };
    size_t at = first * token_stride(a) + (size_t)head * (size_t)s->depth;
    enum status st = run_call(lane->copy_queries, image->src + at * element(a), NULL, own + a->at_queries, library,
                              &lane->err);
    for (int i = 0; i < a->blocks[0].count + a->blocks[1].count && st == ST_OK; i++) {
        struct place p = place_of(a, head, i, image->scratch);
        struct lane_block *l = &lane->blocks[p.size];
        st = run_call(l->scores, own + a->at_queries, p.keys, own + a->at_scores, library, &lane->err);
        if (st != ST_OK)
            break;
        softmax.cols = a->blocks[p.size].keys;
        k->softmax(&softmax, library);
        softmax.first = false;
        st = run_call(l->values, own + a->at_probs, p.values, own + a->at_acc, library, &lane->err);
    }
    if (st == ST_OK)
        store_queries(a, k, image, head, first, wanted - first, own);
    return st;
}

/* All threads: first the keys and values are packed, then every head's queries run. One head after another, so
 * that a thread finds its head's packed keys in its cache again. */
static void run_image(struct attention *a, const struct fused_kernels *k, const struct image *image,
                      int threads)
{
    int key_blocks = a->blocks[0].count + a->blocks[1].count, query_blocks = a->query_blocks;
#pragma omp parallel num_threads(threads)
    {
        int number = omp_get_thread_num();
        struct lane *lane = &a->lanes[number];
        char *own = lane_scratch(a, number, image->scratch);
#pragma omp for schedule(static)
        for (int task = 0; task < a->shape.heads * key_blocks; task++)
            if (lane->st == ST_OK)
                lane->st = pack_block(lane, a, image, task / key_blocks, task % key_blocks, own);
#pragma omp for schedule(static)
        for (int task = 0; task < a->shape.heads * query_blocks; task++)
            if (lane->st == ST_OK)
                lane->st = run_queries(lane, a, k, image, task / query_blocks, task % query_blocks, own);
    }
}

enum status attention_run(struct attention *a, const struct fused_kernels *k, const void *src, void *dst,
                          void *scratch, struct err *err)
{
    size_t width = (size_t)a->shape.heads * (size_t)a->shape.depth * element(a),
           tokens = (size_t)a->shape.tokens;
    int threads = omp_get_max_threads() < a->lane_count ? omp_get_max_threads() : a->lane_count;
    for (int i = 0; i < a->lane_count; i++)
        a->lanes[i].st = ST_OK;
    for (size_t n = 0; n < (size_t)a->shape.n; n++) {
        struct image image = { .src = (const char *)src + n * tokens * 3 * width,
                               .dst = (char *)dst + n * tokens * width, .scratch = scratch };
        run_image(a, k, &image, threads);
    }
    for (int i = 0; i < a->lane_count; i++) {
        if (a->lanes[i].st == ST_OK)
            continue;
        if (err)
            *err = a->lanes[i].err;
        return a->lanes[i].st;
    }
    return ST_OK;
}
