#include "kernels/cuda/attention.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernels/cuda/faults/errors.h"
#include "kernels/cuda/library/matmul_plan.h"

/* Products of one block size: `rows` queries against all keys, and their weights against all values. */
struct products {
    int rows;                       /* 0: there is no such block */
    struct matmul_plan *scores, *values;
};

struct attention {
    struct sdpa_want want;
    struct sdpa_plan *whole;        /* f16, bf16 */
    struct products full, rest;     /* f32, tf32: blocks of ATTENTION_ROWS, and what is left */
    size_t scores_bytes;            /* of the largest block */
};

static enum status first_product(struct matmul_plan **out, struct gpu_libraries *libraries,
                                 const struct matmul_want *want, size_t cap, struct err *err)
{
    struct matmul_plan **plans = NULL;
    size_t count = 0;
    enum status st = matmul_list(&plans, &count, libraries, want, 1, cap, err);
    if (st != ST_OK)
        return st;
    *out = plans[0];
    for (size_t i = 1; i < count; i++)
        matmul_free(plans[i]);
    free(plans);
    return ST_OK;
}

static enum status products_new(struct products *p, struct gpu_libraries *libraries, const struct sdpa_want *w,
                                int rows, size_t cap, struct err *err)
{
    int packed = 3 * w->heads * w->depth, out = w->heads * w->depth;
    *p = (struct products){ .rows = rows };
    if (rows == 0)
        return ST_OK;
    struct matmul_want scores = matmul_of_scores(rows, w->tokens, w->depth, w->heads, packed, w->math);
    struct matmul_want values = matmul_of_values(rows, w->tokens, w->depth, w->heads, packed, out, w->math);
    enum status st = first_product(&p->scores, libraries, &scores, cap, err);
    return st == ST_OK ? first_product(&p->values, libraries, &values, cap, err) : st;
}

static enum status whole_new(struct attention *a, struct gpu_libraries *libraries, size_t cap, struct err *err)
{
    struct sdpa_plan **plans = NULL;
    size_t count = 0;
    enum status st = sdpa_plan_list(&plans, &count, libraries, &a->want, 1, cap, NULL, err);
    if (st != ST_OK)
        return st;
    a->whole = plans[0];
    for (size_t i = 1; i < count; i++)
        sdpa_plan_free(plans[i]);
    free(plans);
    return ST_OK;
}

enum status attention_new(struct attention **out, struct gpu_libraries *libraries, const struct sdpa_want *want,
                          size_t cap, struct err *err)
{
    struct attention *a = calloc(1, sizeof *a);
    if (!a)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory for an attention");
    a->want = *want;
    enum status st;
    if (want->math == GPU_F16 || want->math == GPU_BF16) {
        st = whole_new(a, libraries, cap, err);
    } else {
        int rows = want->tokens < ATTENTION_ROWS ? want->tokens : ATTENTION_ROWS;
        a->scores_bytes = ((size_t)want->heads * (size_t)rows * (size_t)want->tokens * sizeof(float) + 255) / 256 * 256;
        st = products_new(&a->full, libraries, want, rows, cap, err);
        if (st == ST_OK)
            st = products_new(&a->rest, libraries, want, want->tokens % rows, cap, err);
    }
    if (st != ST_OK) {
        attention_free(a);
        return st;
    }
    *out = a;
    return ST_OK;
}

void attention_free(struct attention *a)
{
    if (!a)
        return;
    sdpa_plan_free(a->whole);
    struct products *each[] = { &a->full, &a->rest };
    for (int i = 0; i < 2; i++) {
        matmul_free(each[i]->scores);
        matmul_free(each[i]->values);
    }
    free(a);
}

static struct gpu_row_softmax softmax_of(const struct attention *a, const struct products *p, float *scores)
{
    return (struct gpu_row_softmax){ .rows = (size_t)a->want.heads * (size_t)p->rows, .cols = a->want.tokens,
                                     .scale = 1.0f / sqrtf((float)a->want.depth), .scores = scores, .probs = scores };
}

size_t attention_workspace(const struct attention *a, const struct gpu_limits *limits)
{
    if (a->whole)
        return sdpa_plan_workspace(a->whole);
    const struct gpu_row_softmax softmax = softmax_of(a, &a->full, NULL);
    size_t most = gpu_row_softmax_scratch(&softmax, limits);
    const struct products *each[] = { &a->full, &a->rest };
    for (int i = 0; i < 2; i++) {
        size_t scores = each[i]->rows ? matmul_workspace(each[i]->scores) : 0;
        size_t values = each[i]->rows ? matmul_workspace(each[i]->values) : 0;
        most = scores > most ? scores : most;
        most = values > most ? values : most;
    }
    return a->scores_bytes + most;
}

int attention_launches(const struct attention *a)
{
    int rows = a->full.rows;
    return a->whole ? 1 : 3 * a->want.n * ((a->want.tokens + rows - 1) / rows);
}

void attention_name(const struct attention *a, char *text, size_t size)
{
    if (a->whole)
        sdpa_plan_name(a->whole, text, size);
    else
        snprintf(text, size, "cublaslt:%d+row_softmax", matmul_algorithm(a->full.scores));
}

/* Queries first .. first + rows of one image: src (tokens, 3 * heads * depth), dst (tokens, heads * depth). */
static enum status run_block(const struct attention *a, const struct products *p, const float *src, float *dst,
                             int first, const struct gpu_place *at, struct err *err)
{
    const size_t all = (size_t)a->want.heads * (size_t)a->want.depth;
    float *scores = at->scratch;
    void *workspace = (char *)at->scratch + a->scores_bytes;
    const float *q = src + (size_t)first * 3 * all, *k = src + all, *v = k + all;
    const struct gpu_row_softmax softmax = softmax_of(a, p, scores);
    enum status st = matmul_run(p->scores, k, q, NULL, scores, workspace, at->stream, err);
    if (st != ST_OK)
        return st;
    struct gpu_place place = *at;
    place.scratch = workspace;
    int code = gpu_row_softmax(&softmax, &place);
    if (code != 0)
        return gpu_error_set(err, FAULT_CUDA, code, true, "row_softmax", NULL);
    return matmul_run(p->values, v, scores, NULL, dst + (size_t)first * all, workspace, at->stream, err);
}

enum status attention_run(const struct attention *a, const void *src, void *dst, const struct gpu_place *at,
                          struct err *err)
{
    if (a->whole)
        return sdpa_plan_run(a->whole, src, dst, at->scratch, at->stream, err);
    const size_t image = (size_t)a->want.tokens * (size_t)a->want.heads * (size_t)a->want.depth;
    enum status st = ST_OK;
    for (size_t i = 0; i < (size_t)a->want.n && st == ST_OK; i++) {
        const float *from = (const float *)src + 3 * i * image;
        float *to = (float *)dst + i * image;
        int first = 0;
        for (; first + a->full.rows <= a->want.tokens && st == ST_OK; first += a->full.rows)
            st = run_block(a, &a->full, from, to, first, at, err);
        if (st == ST_OK && a->rest.rows)
            st = run_block(a, &a->rest, from, to, first, at, err);
    }
    return st;
}
