#include "kernels/cuda/library/conv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cuda_runtime_api.h>

#include "kernels/cuda/faults/errors.h"
#include "kernels/cuda/library/conv_plan.h"
#include "kernels/cuda/library/libraries.h"
#include "kernels/cuda/library/matmul_plan.h"

/* A plan or a product; a product runs once for each tap. */
struct conv_way {
    struct conv_plan *plan;
    struct matmul_plan *product;
    struct matmul_tap tap[MATMUL_TAPS_MAX];
    int taps;
    size_t element;                 /* bytes */
    enum conv_form form;
    struct { size_t rows, bytes, pitch; } copy; /* from the dense result to dst; rows 0: none */
};

static const char *const suffixes[CONV_FORMS] = { "", " direct", " dense", " direct+dense", " c4", " c8" };
#define ALIGNMENT 256               /* of the dense result behind the workspace of its plan */

/* The list as it grows. */
struct list {
    struct conv_way **ways;
    size_t count, room;
};

static enum status add_way(struct list *l, struct conv_way way, struct err *err)
{
    if (l->count == l->room) {
        size_t room = l->room ? 2 * l->room : 8;
        struct conv_way **ways = realloc(l->ways, room * sizeof(*ways));
        if (!ways)
            return err_set(err, ST_OUT_OF_MEMORY, "no memory for the ways of a convolution");
        l->ways = ways;
        l->room = room;
    }
    struct conv_way *copy = malloc(sizeof *copy);
    if (!copy)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory for a way of a convolution");
    *copy = way;
    l->ways[l->count++] = copy;
    return ST_OK;
}

/* --- the two providers ---------------------------------------------------------------------------------- */

/* step: as the step wants it; want: the same in the form. */
static struct conv_way way_of(const struct conv_want *step, const struct conv_want *want, enum conv_form form)
{
    bool half = want->math == GPU_F16 || want->math == GPU_BF16;
    struct conv_way way = { .element = half ? 2 : 4, .form = form };
    way.taps = matmul_taps(way.tap, want);
    if (form == CONV_DENSE || form == CONV_DIRECT_DENSE) {
        int stride = form == CONV_DENSE ? step->dst_stride : step->direct.stride;
        way.copy.rows = (size_t)want->shape.n * (size_t)want->shape.out_h * (size_t)want->shape.out_w;
        way.copy.bytes = (size_t)want->shape.k * way.element;
        way.copy.pitch = (size_t)stride * way.element;
    }
    return way;
}

/* Of the workspace, behind the plan's own. */
static size_t dense_bytes(const struct conv_way *way)
{
    return way->copy.rows ? way->copy.rows * way->copy.bytes + ALIGNMENT : 0;
}

struct ask {
    struct gpu_libraries *libraries;
    const struct conv_want *step, *want;    /* as the step wants it, and the same in the form */
    enum conv_form form;
    size_t most, cap;
};

static enum status add_plans(struct list *l, const struct ask *ask, struct err *err)
{
    struct conv_plan **plans = NULL;
    size_t count = 0, taken = 0;
    enum status st =
        conv_plan_list(&plans, &count, ask->libraries, ask->want, ask->most, ask->cap, NULL, err);
    for (; st == ST_OK && taken < count; taken++) {
        struct conv_way way = way_of(ask->step, ask->want, ask->form);
        way.plan = plans[taken];
        st = add_way(l, way, err);
        if (st != ST_OK)
            break;
    }
    for (size_t i = taken; i < count; i++)
        conv_plan_free(plans[i]);
    free(plans);
    return st;
}

static enum status add_products(struct list *l, const struct ask *ask, struct err *err)
{
    struct matmul_want want;
    struct matmul_plan **plans = NULL;
    size_t count = 0, taken = 0;
    if (!matmul_of_conv(&want, ask->want))
        return err_set(err, ST_UNSUPPORTED, "this convolution is no single product");
    enum status st = matmul_list(&plans, &count, ask->libraries, &want, ask->most, ask->cap, err);
    for (; st == ST_OK && taken < count; taken++) {
        struct conv_way way = way_of(ask->step, ask->want, ask->form);
        way.product = plans[taken];
        st = add_way(l, way, err);
        if (st != ST_OK)
            break;
    }
    for (size_t i = taken; i < count; i++)
        matmul_free(plans[i]);
    free(plans);
    return st;
}

/* Between channel slices cuDNN's precompiled engines repack, a product does not: it is the better guess
 * there. */
static bool product_first(const struct conv_want *want)
{
    const struct conv_shape *s = &want->shape;
    return (want->src_stride && want->src_stride != s->c) || (want->dst_stride && want->dst_stride != s->k);
}

/* Appends the ways of one want, of both providers. ST_UNSUPPORTED: neither has one. */
static enum status add_ways(struct list *l, const struct ask *ask, struct err *err)
{
    typedef enum status add(struct list *, const struct ask *, struct err *);
    add *const first = product_first(ask->want) ? add_products : add_plans;
    add *const second = product_first(ask->want) ? add_plans : add_products;
    const size_t before = l->count;
    struct err why[2] = { { .status = ST_OK }, { .status = ST_OK } };
    enum status st = first(l, ask, &why[0]);
    if (st == ST_UNSUPPORTED || (st == ST_OK && ask->most > 1))
        st = second(l, ask, &why[1]);
    if (st == ST_OK || (st == ST_UNSUPPORTED && l->count > before))
        return ST_OK;
    if (st == ST_UNSUPPORTED && why[1].status != ST_OK)
        return err_set(err, st, "%s; %s", why[0].text, why[1].text);
    if (err)
        *err = why[why[1].status == st]; /* with the library's own number */
    return st;
}

/* Behind the others, so that none of these is owed once patience is over. */
static enum status add_form(struct list *l, const struct ask *plain, enum conv_form form, struct err *err)
{
    struct conv_want want = conv_want_in_form(plain->want, form);
    struct patience patience;
    if (want.patience) {
        patience = *want.patience;
        patience.at_least_one = false;
        want.patience = &patience;
    }
    const struct conv_way like = way_of(plain->step, &want, form);
    const size_t dense = dense_bytes(&like);
    if (!patience_left(want.patience, l->count) || dense > plain->cap)
        return ST_OK;
    const struct ask ask = { plain->libraries, plain->step, &want, form, plain->most, plain->cap - dense };
    struct err why = { .status = ST_OK };
    enum status st = add_ways(l, &ask, &why);
    if (st == ST_OK || st == ST_UNSUPPORTED)
        return ST_OK;
    if (err)
        *err = why;
    return st;
}

enum status conv_list(struct conv_way ***ways, size_t *count, struct gpu_libraries *libraries,
                      const struct conv_want *want, size_t most, size_t cap, struct err *err)
{
    const struct ask ask = { libraries, want, want, CONV_PLAIN, most, cap };
    struct list l = { .count = 0 };
    enum status st = add_ways(&l, &ask, err);
    for (int form = CONV_PLAIN + 1; form < CONV_FORMS && st == ST_OK && most > 1; form++)
        if (conv_has_form(want, (enum conv_form)form))
            st = add_form(&l, &ask, (enum conv_form)form, err);
    *ways = l.ways;
    *count = l.count;
    if (st == ST_OK)
        return ST_OK;
    conv_free_all(l.ways, l.count);
    *ways = NULL;
    *count = 0;
    return st;
}

void conv_free(struct conv_way *way)
{
    if (!way)
        return;
    conv_plan_free(way->plan);
    matmul_free(way->product);
    free(way);
}

void conv_free_all(struct conv_way **ways, size_t count)
{
    for (size_t i = 0; i < count; i++)
        conv_free(ways[i]);
    free(ways);
}

/* --- one way -------------------------------------------------------------------------------------------- */

static size_t own_workspace(const struct conv_way *way)
{
    return way->plan ? conv_plan_workspace(way->plan) : matmul_workspace(way->product);
}

size_t conv_workspace(const struct conv_way *way)
{
    return own_workspace(way) + dense_bytes(way);
}

int conv_launches(const struct conv_way *way)
{
    return (way->plan ? conv_plan_launches(way->plan) : way->taps) + (way->copy.rows > 0);
}

enum conv_form conv_form(const struct conv_way *way)
{
    return way ? way->form : CONV_PLAIN;
}

bool conv_precompiled(const struct conv_way *way)
{
    return !way->plan || !graph_plan_runtime(conv_plan_graph(way->plan));
}

void conv_name(const struct conv_way *way, char *text, size_t size)
{
    if (way->plan)
        conv_plan_name(way->plan, text, size);
    else
        matmul_name(way->product, text, size);
    size_t used = strlen(text);
    snprintf(text + used, size - used, "%s", suffixes[way->form]);
}

enum status conv_save(const struct conv_way *way, void **bytes, size_t *size, struct err *err)
{
    if (way->product)
        return matmul_save(way->product, bytes, size, err);
    char *text = conv_plan_save(way->plan, err);
    *bytes = text;
    *size = text ? strlen(text) : 0;
    return text ? ST_OK : err && err->status != ST_OK ? err->status : ST_INTERNAL;
}

static enum status load_product(struct conv_way *way, struct gpu_libraries *libraries,
                                const struct conv_want *want, const void *bytes, size_t size, struct err *err)
{
    struct matmul_want product;
    if (!matmul_of_conv(&product, want))
        return err_set(err, ST_INVALID, "a saved product is for a convolution that is none");
    return matmul_load(&way->product, libraries, &product, bytes, size, err);
}

/* CONV_PLAIN for a form that the want does not have, too. */
static enum conv_form form_of_name(const char *name, const struct conv_want *want)
{
    const char *suffix = strrchr(name, ' ');
    for (int form = CONV_PLAIN + 1; suffix && form < CONV_FORMS; form++)
        if (strcmp(suffix, suffixes[form]) == 0 && conv_has_form(want, (enum conv_form)form))
            return (enum conv_form)form;
    return CONV_PLAIN;
}

enum status conv_load(struct conv_way **out, struct gpu_libraries *libraries, const struct conv_want *want,
                      const char *name, const void *bytes, size_t size, struct err *err)
{
    const enum conv_form form = form_of_name(name, want);
    const struct conv_want formed = conv_want_in_form(want, form);
    struct conv_way *way = malloc(sizeof *way);
    char found[96];
    *out = NULL;
    if (!way)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory for a way of a convolution");
    *way = way_of(want, &formed, form);
    enum status st = strncmp(name, "cublaslt:", 9) == 0
                         ? load_product(way, libraries, &formed, bytes, size, err)
                         : conv_plan_load(&way->plan, libraries, &formed, bytes, size, err);
    if (st == ST_OK) {
        conv_name(way, found, sizeof found);
        if (strcmp(found, name) != 0)
            st = err_set(err, ST_INVALID, "a saved plan was %s and loads as %s", name, found);
    }
    if (st == ST_OK)
        *out = way;
    else
        conv_free(way);
    return st;
}

static enum status run_own(struct conv_way *way, const struct conv_buffers *b, struct CUstream_st *stream, struct err *err)
{
    if (way->plan)
        return conv_plan_run(way->plan, b, stream, err);
    enum status st = ST_OK;
    for (int i = 0; i < way->taps && st == ST_OK; i++)
        st = matmul_run(way->product, (const char *)b->weights + (size_t)way->tap[i].a * way->element, b->src, b->bias,
                        (char *)b->dst + (size_t)way->tap[i].d * way->element, b->workspace, stream, err);
    return st;
}

enum status conv_run(struct conv_way *way, const struct conv_buffers *b, struct CUstream_st *stream,
                     struct err *err)
{
    if (way->copy.rows == 0)
        return run_own(way, b, stream, err);
    struct conv_buffers dense = *b;
    size_t before = (own_workspace(way) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    dense.dst = (char *)b->workspace + before;
    enum status st = run_own(way, &dense, stream, err);
    if (st != ST_OK)
        return st;
    int code = (int)cudaMemcpy2DAsync(b->dst, way->copy.pitch, dense.dst, way->copy.bytes, way->copy.bytes,
                                      way->copy.rows, cudaMemcpyDeviceToDevice, stream);
    return code == 0 ? ST_OK : gpu_error_set(err, FAULT_CUDA, code, true, "cudaMemcpy2DAsync", "a slice");
}
