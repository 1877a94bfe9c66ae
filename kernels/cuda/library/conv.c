#include "kernels/cuda/library/conv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cuda/library/conv_plan.h"
#include "kernels/cuda/library/libraries.h"
#include "kernels/cuda/library/matmul_plan.h"

/* One of the two. */
struct conv_way {
    struct conv_plan *plan;
    struct matmul_plan *product;
};

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

struct ask {
    struct gpu_libraries *libraries;
    const struct conv_want *want;
    size_t most, cap;
};

static enum status add_plans(struct list *l, const struct ask *ask, struct err *err)
{
    struct conv_plan **plans = NULL;
    size_t count = 0, taken = 0;
    enum status st =
        conv_plan_list(&plans, &count, ask->libraries, ask->want, ask->most, ask->cap, NULL, err);
    for (; st == ST_OK && taken < count; taken++) {
        st = add_way(l, (struct conv_way){ .plan = plans[taken] }, err);
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
        st = add_way(l, (struct conv_way){ .product = plans[taken] }, err);
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

enum status conv_list(struct conv_way ***ways, size_t *count, struct gpu_libraries *libraries,
                      const struct conv_want *want, size_t most, size_t cap, struct err *err)
{
    typedef enum status add(struct list *, const struct ask *, struct err *);
    add *const first = product_first(want) ? add_products : add_plans;
    add *const second = product_first(want) ? add_plans : add_products;
    const struct ask ask = { libraries, want, most, cap };
    struct list l = { .count = 0 };
    struct err why[2] = { { .status = ST_OK }, { .status = ST_OK } };
    enum status st = first(&l, &ask, &why[0]);
    if (st == ST_UNSUPPORTED || (st == ST_OK && most > 1))
        st = second(&l, &ask, &why[1]);
    if (st == ST_UNSUPPORTED && l.count > 0)
        st = ST_OK;
    *ways = l.ways;
    *count = l.count;
    if (st == ST_OK)
        return ST_OK;
    conv_free_all(l.ways, l.count);
    *ways = NULL;
    *count = 0;
    if (st == ST_UNSUPPORTED && why[1].status != ST_OK)
        return err_set(err, st, "%s; %s", why[0].text, why[1].text);
    if (err)
        *err = why[why[1].status == st]; /* with the library's own number */
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

size_t conv_workspace(const struct conv_way *way)
{
    return way->plan ? conv_plan_workspace(way->plan) : matmul_workspace(way->product);
}

int conv_launches(const struct conv_way *way)
{
    return way->plan ? conv_plan_launches(way->plan) : 1;
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

enum status conv_load(struct conv_way **out, struct gpu_libraries *libraries, const struct conv_want *want,
                      const char *name, const void *bytes, size_t size, struct err *err)
{
    struct conv_way *way = calloc(1, sizeof *way);
    char found[96];
    *out = NULL;
    if (!way)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory for a way of a convolution");
    enum status st = strncmp(name, "cublaslt:", 9) == 0
                         ? load_product(way, libraries, want, bytes, size, err)
                         : conv_plan_load(&way->plan, libraries, want, bytes, size, err);
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

enum status conv_run(struct conv_way *way, const struct conv_buffers *b, struct CUstream_st *stream,
                     struct err *err)
{
    if (way->plan)
        return conv_plan_run(way->plan, b, stream, err);
    return matmul_run(way->product, b->weights, b->src, b->bias, b->dst, b->workspace, stream, err);
}
