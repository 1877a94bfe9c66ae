#include "kernels/cuda/prepared.h"

#include <stdlib.h>

#include "kernels/base/clock.h"
#include "kernels/cuda/branching.h"
#include "kernels/cuda/tuning.h"

struct prepared *ready_find(const struct ready *r, int batch)
{
    struct prepared *p = r->first;
    while (p && p->exec->batch != batch)
        p = p->link;
    return p;
}

/* --- memory ------------------------------------------------------------------------------------------------------ */

static struct pool_need need_of_all(const struct ready *r)
{
    struct pool_need need = { .arena = 0 };
    for (const struct prepared *p = r->first; p; p = p->link)
        need = pool_most(need, exec_need(p->exec, &p->fixed));
    return need;
}

enum status ready_fits(struct ready *r, const struct prepared *p, const struct pool_need *need, struct err *err)
{
    uint64_t held = pool_device_bytes(&r->pool.size), free_bytes = 0;
    if (!r->options->predict || pool_device_bytes(need) <= held)
        return ST_OK;
    struct pool_need own = exec_need(p->exec, &p->fixed);
    own.arena = need->arena > own.arena ? need->arena : own.arena;
    own.workspace = need->workspace;
    size_t n = (size_t)p->exec->batch;
    const struct predict_memory memory = { .context = r->net->device->context_bytes,
                                           .weights = uploads_bytes(r->net->uploads), .arena_image = own.arena / n,
                                           .workspace = own.workspace,
                                           .io_image = (size_t)own.slots * (own.input + own.output) / n };
    enum status st = gpu_memory_free_bytes(&free_bytes, r->memory, err);
    return st == ST_OK ? predict_fits(&memory, p->exec->batch, free_bytes, held, r->net->device->card.memory_bytes, err)
                       : st;
}

enum status ready_resize(struct ready *r, const struct pool_need *need, struct err *err)
{
    unsigned before = r->pool.generation;
    enum status st = pool_resize(&r->pool, r->memory, need, err);
    if (st == ST_OK && r->pool.generation != before && r->pool.images.data)
        images_fill(r->pool.images.data, r->pool.images.bytes / (r->images->values * sizeof(float)), r->images);
    gpu_memory_note(r->memory);
    return st;
}

/* --- binding ----------------------------------------------------------------------------------------------------- */

static enum status capture(struct ready *r, struct prepared *p, struct err *err)
{
    const struct clock clk = clock_system();
    if (r->options->stream)
        return ST_OK;
    uint64_t before = clock_now_ns(&clk);
    enum status st = exec_capture(p->exec, &r->pool, !r->options->events_outside, err);
    p->capture_ns = clock_now_ns(&clk) - before;
    return st;
}

enum status ready_again(struct ready *r, struct prepared *p, struct err *err)
{
    if (p->exec->bound && p->exec->generation == r->pool.generation)
        return ST_OK;
    struct pool_need need = need_of_all(r);
    enum status st = ready_resize(r, &need, err);
    if (st == ST_OK)
        st = exec_bind(p->exec, &r->pool, err);
    if (st == ST_OK)
        st = capture(r, p, err);
    if (st != ST_OK)
        p->exec->bound = false;
    return st;
}

/* All but `p`; what fails is tried again when it is asked to run. */
static void others_again(struct ready *r, const struct prepared *p)
{
    struct err why = { .status = ST_OK };
    for (struct prepared *other = r->first; other && !r->net->device->lost; other = other->link)
        if (other != p)
            ready_again(r, other, &why);
}

/* Memory for the choices made, and one run of every plan; again at a lower level where the sums were of no use. */
static enum status settle(struct ready *r, struct prepared *p, struct err *err)
{
    bool again = true;
    enum status st = ST_OK;
    while (again && st == ST_OK) {
        st = exec_plan(p->exec, err);
        struct pool_need need = need_of_all(r);
        if (st == ST_OK)
            st = ready_fits(r, p, &need, err);
        if (st == ST_OK)
            st = ready_resize(r, &need, err);
        if (st == ST_OK)
            st = exec_bind(p->exec, &r->pool, err);
        if (st == ST_OK)
            st = gpu_check(r->net->device, cudaMemcpy(r->pool.input[0].data, r->pool.images.data,
                                                      exec_need(p->exec, &p->fixed).input, cudaMemcpyHostToDevice),
                           "cudaMemcpy", "the first input", err);
        if (st == ST_OK)
            st = exec_check(p->exec, &r->pool, &again, err);
        gpu_memory_note(r->memory);
    }
    return st;
}

/* --- coming and going -------------------------------------------------------------------------------------------- */

static void unlink_one(struct ready *r, struct prepared *p)
{
    struct prepared **at = &r->first;
    while (*at && *at != p)
        at = &(*at)->link;
    if (*at)
        *at = p->link;
}

static void free_one(struct prepared *p)
{
    tune_free(&p->tuned);
    exec_free(p->exec);
    free(p);
}

/* After one has gone: no more memory than the others need. */
static void shrink(struct ready *r)
{
    struct err why = { .status = ST_OK };
    if (r->net->device->lost)
        return;
    struct pool_need need = need_of_all(r);
    if (!r->first)
        pool_free(&r->pool, r->memory);
    else if (ready_resize(r, &need, &why) == ST_OK)
        others_again(r, NULL);
}

static enum status new_one(struct prepared **out, struct ready *r, int batch, struct err *err)
{
    struct prepared *p = calloc(1, sizeof *p);
    if (!p)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory for batch %d", batch);
    size_t image_bytes = r->images->values * sizeof(float), batch_bytes = image_bytes * (size_t)batch;
    enum status st = exec_new(&p->exec, r->net, batch, err);
    if (st != ST_OK) {
        free(p);
        return st;
    }
    p->buffers = predict_input_buffers(r->net->device->card.limits.l2_bytes, batch_bytes);
    p->fixed = (struct pool_need){ .images = (size_t)p->buffers * batch_bytes, .slots = r->slots };
    *out = p;
    return ST_OK;
}

enum status ready_add(struct prepared **out, struct ready *r, int batch, struct err *err)
{
    struct prepared *p = NULL;
    enum status st = new_one(&p, r, batch, err);
    if (st != ST_OK)
        return gpu_settle(r->net->device, st, err);
    p->link = r->first;
    r->first = p;
    st = tuning_choose(p, r, err);
    if (st == ST_OK)
        st = settle(r, p, err);
    if (st == ST_OK && r->options->branches != BRANCHES_OFF) {
        st = branching_choose(p, r, err);
        if (st == ST_OK)
            st = settle(r, p, err);
    }
    if (st == ST_OK)
        st = capture(r, p, err);
    st = gpu_settle(r->net->device, st, err);
    gpu_memory_note(r->memory);
    if (st != ST_OK) {
        unlink_one(r, p);
        free_one(p);
        shrink(r);
        return st;
    }
    others_again(r, p);
    *out = p;
    return ST_OK;
}

void ready_remove(struct ready *r, int batch)
{
    struct prepared *p = ready_find(r, batch);
    if (!p)
        return;
    unlink_one(r, p);
    free_one(p);
    shrink(r);
}

void ready_remove_all(struct ready *r)
{
    while (r->first) {
        struct prepared *p = r->first;
        r->first = p->link;
        free_one(p);
    }
    pool_free(&r->pool, r->memory);
}
