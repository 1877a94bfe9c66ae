#include "kernels/cpu/exec.h"

#include <stdio.h>
#include <stdlib.h>

#include "kernels/cpu/bind.h"

static enum status bind_all(struct exec *e, struct err *err)
{
    enum status st = pages_new(&e->arena, e->p->arena_image_bytes * (size_t)e->batch,
                               "the activations' arena", err);
    size_t most = 0;
    for (int i = 0; i < e->p->step_count && st == ST_OK; i++) {
        st = bind_step(&e->steps[i], e, i, err);
        if (e->steps[i].scratch_bytes > most)
            most = e->steps[i].scratch_bytes;
    }
    if (st == ST_OK)
        st = pages_new(&e->scratch, most, "the kernels' scratch", err);
    for (int i = 0; i < e->p->step_count && st == ST_OK; i++)
        st = bind_scratch(&e->steps[i], e, i, err);
    return st;
}

enum status exec_new(struct exec **out, struct plan *p, struct packing *packing, int batch, const struct fused_kernels *kernels,
                     struct err *err)
{
    struct exec *e = calloc(1, sizeof *e);
    if (!e)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory for an execution");
    e->p = p;
    e->packing = packing;
    e->k = kernels;
    e->batch = batch;
    e->steps = calloc((size_t)p->step_count + 1, sizeof *e->steps);
    e->kernels = calloc((size_t)packing->kernel_count + 1, sizeof(struct compat_kernel *));
    e->repacked = calloc((size_t)packing->weight_count + 1, sizeof(void *));
    enum status st = ST_OK;
    if (!e->steps || !e->kernels || !e->repacked)
        st = err_set(err, ST_OUT_OF_MEMORY, "no memory for an execution of %d steps", p->step_count);
    if (st == ST_OK)
        st = bind_all(e, err);
    if (st != ST_OK) {
        exec_free(e);
        return st;
    }
    *out = e;
    return ST_OK;
}

void exec_free(struct exec *e)
{
    if (!e)
        return;
    for (int i = 0; e->steps && i < e->p->step_count; i++)
        bind_free(&e->steps[i]);
    for (int i = 0; e->kernels && i < e->packing->kernel_count; i++)
        compat_free(e->kernels[i]);
    for (int i = 0; e->repacked && i < e->packing->weight_count; i++)
        free(e->repacked[i]);
    free(e->steps);
    free(e->kernels);
    free(e->repacked);
    pages_free(&e->arena);
    pages_free(&e->scratch);
    free(e);
}

enum status exec_run(struct exec *e, const float *const *images, struct err *err)
{
    enum status st = ST_OK;
    for (int i = 0; i < e->p->step_count && st == ST_OK; i++)
        st = bound_run(&e->steps[i], e, images, err);
    return st;
}

enum status exec_run_timed(struct exec *e, const float *const *images, const struct clock *clk, uint64_t *step_ns,
                           uint64_t *alone_ns, struct err *err)
{
    enum status st = ST_OK;
    uint64_t before = clock_now_ns(clk);
    for (int i = 0; i < e->p->step_count && st == ST_OK; i++) {
        st = bound_run(&e->steps[i], e, images, err);
        uint64_t after = clock_now_ns(clk);
        step_ns[i] += after - before;
        before = after;
        if (st == ST_OK && alone_ns && e->p->steps[i].kind == STEP_CONV) {
            st = bound_run(&e->steps[i], e, images, err);
            before = clock_now_ns(clk);
            alone_ns[i] += before - after;
        }
    }
    return st;
}

int exec_batch(const struct exec *e)
{
    return e->batch;
}
const float *exec_output(const struct exec *e)
{
    const struct buffer *b = &e->p->buffers[e->p->output_buffer];
    return (const float *)(const void *)((const char *)e->arena.data + b->offset * (size_t)e->batch);
}
size_t exec_arena_bytes(const struct exec *e)
{
    return e->arena.bytes;
}
size_t exec_scratch_bytes(const struct exec *e)
{
    return e->scratch.bytes;
}
size_t exec_weight_bytes(const struct exec *e)
{
    return e->repacked_bytes;
}

void exec_implementation(const struct exec *e, int step, char *text, size_t size)
{
    const struct bound *b = &e->steps[step];
    if (b->kind == STEP_CONV)
        snprintf(text, size, "%s", compat_name(b->u.conv.kernel));
    else
        snprintf(text, size, "fused:%s", cpu_isa_name(e->k->isa));
}
