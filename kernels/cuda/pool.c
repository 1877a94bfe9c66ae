#include "kernels/cuda/pool.h"

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

struct pool_need pool_most(struct pool_need a, struct pool_need b)
{
    return (struct pool_need){ larger(a.arena, b.arena), larger(a.workspace, b.workspace), larger(a.input, b.input),
                               larger(a.output, b.output), larger(a.images, b.images),
                               a.slots > b.slots ? a.slots : b.slots };
}

size_t pool_device_bytes(const struct pool_need *need)
{
    return need->arena + need->workspace + (size_t)need->slots * (need->input + need->output);
}

bool pool_same(const struct pool_need *a, const struct pool_need *b)
{
    return a->arena == b->arena && a->workspace == b->workspace && a->input == b->input &&
           a->output == b->output && a->images == b->images && a->slots == b->slots;
}

void pool_free(struct pool *p, struct gpu_memory *m)
{
    gpu_block_free(&p->arena, m);
    gpu_block_free(&p->workspace, m);
    for (int i = 0; i < POOL_SLOTS; i++) {
        gpu_block_free(&p->input[i], m);
        gpu_block_free(&p->output[i], m);
        gpu_pinned_free(&p->results[i], m);
    }
    gpu_pinned_free(&p->images, m);
    p->size = (struct pool_need){ .arena = 0 };
    p->generation++;
}

static enum status allocate(struct pool *p, struct gpu_memory *m, const struct pool_need *need, struct err *err)
{
    enum status st = gpu_block_new(&p->arena, m, need->arena, "the activations' arena", err);
    if (st == ST_OK)
        st = gpu_block_new(&p->workspace, m, need->workspace, "the workspace", err);
    for (int i = 0; i < need->slots && st == ST_OK; i++) {
        st = gpu_block_new(&p->input[i], m, need->input, "the input images", err);
        if (st == ST_OK)
            st = gpu_block_new(&p->output[i], m, need->output, "the results", err);
        if (st == ST_OK)
            st = gpu_pinned_new(&p->results[i], m, need->output, "the results", err);
    }
    if (st == ST_OK)
        st = gpu_pinned_new(&p->images, m, need->images, "the input images", err);
    return st;
}

enum status pool_resize(struct pool *p, struct gpu_memory *m, const struct pool_need *need, struct err *err)
{
    if (pool_same(&p->size, need))
        return ST_OK;
    pool_free(p, m);
    enum status st = allocate(p, m, need, err);
    if (st == ST_OK)
        p->size = *need;
    else
        pool_free(p, m);
    return st;
}
