#include "kernels/cuda/profile.h"

#include <stdio.h>
#include <stdlib.h>

#include "kernels/base/clock.h"

struct stopwatch {
    cudaEvent_t *events;        /* [steps + 1] */
    uint64_t *step_ns;          /* [steps] sums */
    int steps;
};

static void stopwatch_free(struct stopwatch *w, const struct gpu_device *d)
{
    for (int i = 0; w->events && i <= w->steps; i++)
        if (w->events[i] && !d->lost)
            cudaEventDestroy(w->events[i]);
    free(w->events);
    free(w->step_ns);
}

static enum status stopwatch_new(struct stopwatch *out, int steps, struct gpu_device *d, struct err *err)
{
    *out = (struct stopwatch){ .events = calloc((size_t)steps + 1, sizeof(cudaEvent_t)),
                               .step_ns = calloc((size_t)steps + 1, sizeof *out->step_ns), .steps = steps };
    if (!out->events || !out->step_ns)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory for a profile of %d steps", steps);
    enum status st = ST_OK;
    for (int i = 0; i <= steps && st == ST_OK; i++)
        st = gpu_check(d, cudaEventCreate(&out->events[i]), "cudaEventCreate", NULL, err);
    return st;
}

static enum status run_steps(struct stopwatch *w, const struct exec *e, const struct pool *pool, struct err *err)
{
    struct gpu_device *d = e->net->device;
    const struct gpu_place place = { .scratch = pool->workspace.data, .tickets = e->net->tickets,
                                     .limits = &d->card.limits, .stream = d->stream };
    enum status st = gpu_check(d, cudaEventRecord(w->events[0], d->stream), "cudaEventRecord", NULL, err);
    for (int i = 0; i < w->steps && st == ST_OK; i++) {
        st = bound_run(&e->steps[0][i], &place, err);
        if (st == ST_OK)
            st = gpu_check(d, cudaEventRecord(w->events[i + 1], d->stream), "cudaEventRecord", NULL, err);
    }
    if (st == ST_OK)
        st = gpu_check(d, cudaStreamSynchronize(d->stream), "cudaStreamSynchronize", NULL, err);
    for (int i = 0; i < w->steps && st == ST_OK; i++) {
        uint64_t ns = 0;
        st = timing_between(&ns, w->events[i], w->events[i + 1], d, err);
        w->step_ns[i] += ns;
    }
    return st;
}

static enum status time_both(struct stopwatch *w, uint64_t *plain_ns, struct iterate *it, struct ready *r,
                             struct prepared *p, int iterations, struct err *err)
{
    const struct clock clk = clock_system();
    enum status st = ST_OK;
    for (int i = 0; i < iterations && st == ST_OK; i++) {
        struct iteration plain;
        st = iterate_feed(it, r, p, err);
        if (st == ST_OK)
            st = run_steps(w, p->exec, &r->pool, err);
        uint64_t before = clock_now_ns(&clk);
        if (st == ST_OK)
            st = iterate_run(&plain, it, r, p, err);
        *plain_ns += clock_now_ns(&clk) - before;
    }
    return st;
}

static void describe(struct profile_layer *layer, const struct exec *e, const struct graph *g, int index, uint64_t ns)
{
    const struct step *s = &e->net->plan->steps[index];
    const struct bound *b = &e->steps[0][index];
    const struct place_in_segment at = e->net->places[index];
    char name[48];
    bound_name(b, name, sizeof name);
    uint64_t batch = (uint64_t)e->batch;
    snprintf(layer->name, sizeof layer->name, "%s", g->nodes[s->node].name);
    snprintf(layer->op, sizeof layer->op, "%s",
             b->kind == BOUND_FOLD ? "fold" : b->kind == BOUND_NORM ? "norm" : step_kind_name(s->kind));
    if (at.segment >= 0)
        snprintf(layer->implementation, sizeof layer->implementation, "%s %s", name,
                 tune_level_name(e->choices[at.segment].level[at.slot]));
    else
        snprintf(layer->implementation, sizeof layer->implementation, "%s", name);
    layer->ns = ns;
    layer->flops = s->flops * batch;
    layer->bytes = s->bytes * batch + s->weight_bytes;
}

enum status profile_run(struct profile *out, struct iterate *it, struct ready *r, struct prepared *p,
                        const struct graph *g, int iterations, struct err *err)
{
    struct stopwatch w;
    uint64_t plain_ns = 0;
    int steps = p->exec->net->plan->step_count;
    *out = (struct profile){ .layers = calloc((size_t)steps + 1, sizeof *out->layers) };
    enum status st = stopwatch_new(&w, steps, it->device, err);
    if (st == ST_OK && !out->layers)
        st = err_set(err, ST_OUT_OF_MEMORY, "no memory for a profile of %d steps", steps);
    if (st == ST_OK)
        st = iterate_drain(it, err);
    if (st == ST_OK)
        st = ready_again(r, p, err);
    if (st == ST_OK)
        st = time_both(&w, &plain_ns, it, r, p, iterations, err);
    if (st == ST_OK)
        st = iterate_drain(it, err);
    for (int i = 0; i < steps && st == ST_OK; i++)
        if (p->exec->steps[0][i].kind != BOUND_NOTHING)
            describe(&out->layers[out->count++], p->exec, g, i, w.step_ns[i] / (uint64_t)iterations);
    out->iteration_ns = plain_ns / (uint64_t)iterations;
    st = gpu_settle(it->device, st, err);
    stopwatch_free(&w, it->device);
    if (st != ST_OK) {
        free(out->layers);
        *out = (struct profile){ .layers = NULL };
    }
    return st;
}
