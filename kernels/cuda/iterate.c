#include "kernels/cuda/iterate.h"

#include "kernels/base/clock.h"

/* --- life -------------------------------------------------------------------------------------------------------- */

static enum status make_event(cudaEvent_t *event, struct gpu_device *d, struct err *err)
{
    return gpu_check(d, cudaEventCreateWithFlags(event, cudaEventDisableTiming), "cudaEventCreateWithFlags", NULL, err);
}

static enum status make_pipeline(struct iterate *it, struct err *err)
{
    struct gpu_device *d = it->device;
    cudaStream_t *streams[] = { &it->in, &it->out };
    enum status st = ST_OK;
    for (int i = 0; i < 2 && st == ST_OK; i++)
        st = gpu_check(d, cudaStreamCreateWithFlags(streams[i], cudaStreamNonBlocking), "cudaStreamCreateWithFlags",
                       NULL, err);
    for (int i = 0; i < POOL_SLOTS && st == ST_OK; i++) {
        st = make_event(&it->copied[i], d, err);
        if (st == ST_OK)
            st = make_event(&it->computed[i], d, err);
        if (st == ST_OK)
            st = make_event(&it->done[i], d, err);
    }
    return st;
}

enum status iterate_new(struct iterate *out, struct gpu_device *d, bool pipelined, struct err *err)
{
    *out = (struct iterate){ .device = d, .pipelined = pipelined };
    enum status st = timing_new(&out->timing, d, err);
    if (st == ST_OK && pipelined)
        st = make_pipeline(out, err);
    if (st != ST_OK)
        iterate_free(out);
    return st;
}

void iterate_free(struct iterate *it)
{
    if (!it->device)
        return;
    timing_free(&it->timing, it->device);
    bool gone = it->device->lost;
    for (int i = 0; i < POOL_SLOTS && !gone; i++) {
        cudaEvent_t events[] = { it->copied[i], it->computed[i], it->done[i] };
        for (int k = 0; k < 3; k++)
            if (events[k])
                cudaEventDestroy(events[k]);
    }
    if (it->in && !gone)
        cudaStreamDestroy(it->in);
    if (it->out && !gone)
        cudaStreamDestroy(it->out);
    *it = (struct iterate){ .device = NULL };
}

/* --- one after another ------------------------------------------------------------------------------------------- */

static const float *next_input(const struct ready *r, struct prepared *p)
{
    size_t values = r->images->values * (size_t)p->exec->batch;
    const float *images = (const float *)r->pool.images.data + (size_t)p->next * values;
    p->next = (p->next + 1) % p->buffers;
    return images;
}

static size_t input_bytes(const struct prepared *p)
{
    return exec_need(p->exec, &p->fixed).input;
}

static size_t output_bytes(const struct prepared *p)
{
    return exec_need(p->exec, &p->fixed).output;
}

static enum status record(cudaEvent_t event, cudaStream_t stream, struct gpu_device *d, struct err *err)
{
    return gpu_check(d, cudaEventRecord(event, stream), "cudaEventRecord", NULL, err);
}

static enum status copy(void *dst, const void *src, size_t bytes, enum cudaMemcpyKind kind, cudaStream_t stream,
                        struct gpu_device *d, struct err *err)
{
    return gpu_check(d, cudaMemcpyAsync(dst, src, bytes, kind, stream), "cudaMemcpyAsync", NULL, err);
}

/* A copy between two events. */
static enum status timed_copy(struct iterate *it, enum timing_stage stage, void *dst, const void *src, size_t bytes,
                              enum cudaMemcpyKind kind, struct err *err)
{
    struct gpu_device *d = it->device;
    enum status st = record(it->timing.begin[stage], d->stream, d, err);
    if (st == ST_OK)
        st = copy(dst, src, bytes, kind, d->stream, d, err);
    if (st == ST_OK)
        st = record(it->timing.end[stage], d->stream, d, err);
    return st;
}

static enum status launch(struct iterate *it, const struct ready *r, struct prepared *p, int slot, struct err *err)
{
    cudaGraphExec_t graph = p->exec->graph[slot].graph;
    if (!graph)
        return exec_enqueue(p->exec, &r->pool, slot, err);
    return gpu_check(it->device, cudaGraphLaunch(graph, it->device->stream), "cudaGraphLaunch", NULL, err);
}

/* The graph has its own two events; without them these stand round the launch. */
static enum status timed_launch(uint64_t *launch_ns, struct iterate *it, const struct ready *r, struct prepared *p,
                                struct err *err)
{
    const struct clock clk = clock_system();
    struct gpu_device *d = it->device;
    bool outside = !p->exec->graph[0].has_events;
    enum status st = outside ? record(it->timing.begin[TIMING_COMPUTE], d->stream, d, err) : ST_OK;
    uint64_t before = clock_now_ns(&clk);
    if (st == ST_OK)
        st = launch(it, r, p, 0, err);
    *launch_ns = clock_now_ns(&clk) - before;
    if (st == ST_OK && outside)
        st = record(it->timing.end[TIMING_COMPUTE], d->stream, d, err);
    return st;
}

static enum status wait_for_stream(struct iterate *it, struct err *err)
{
    return gpu_check(it->device, cudaStreamSynchronize(it->device->stream), "cudaStreamSynchronize", NULL, err);
}

static enum status read_stages(struct iteration *out, const struct iterate *it, const struct prepared *p,
                               struct err *err)
{
    const struct timing *t = &it->timing;
    const struct gpu_capture *graph = &p->exec->graph[0];
    cudaEvent_t begin = graph->has_events ? graph->begin : t->begin[TIMING_COMPUTE];
    cudaEvent_t end = graph->has_events ? graph->end : t->end[TIMING_COMPUTE];
    enum status st = timing_between(&out->h2d_ns, t->begin[TIMING_H2D], t->end[TIMING_H2D], it->device, err);
    if (st == ST_OK)
        st = timing_between(&out->compute_ns, begin, end, it->device, err);
    if (st == ST_OK)
        st = timing_between(&out->d2h_ns, t->begin[TIMING_D2H], t->end[TIMING_D2H], it->device, err);
    out->has_stages = out->has_launch = st == ST_OK;
    return st;
}

static enum status run_alone(struct iteration *out, struct iterate *it, struct ready *r, struct prepared *p,
                             struct err *err)
{
    struct pool *pool = &r->pool;
    enum status st = timed_copy(it, TIMING_H2D, pool->input[0].data, next_input(r, p), input_bytes(p),
                                cudaMemcpyHostToDevice, err);
    if (st == ST_OK)
        st = timed_launch(&out->launch_ns, it, r, p, err);
    if (st == ST_OK)
        st = timed_copy(it, TIMING_D2H, pool->results[0].data, pool->output[0].data, output_bytes(p),
                        cudaMemcpyDeviceToHost, err);
    if (st == ST_OK)
        st = wait_for_stream(it, err);
    return st == ST_OK ? read_stages(out, it, p, err) : st;
}

/* --- overlapping ------------------------------------------------------------------------------------------------- */

static enum status after(cudaStream_t stream, cudaEvent_t event, struct gpu_device *d, struct err *err)
{
    return gpu_check(d, cudaStreamWaitEvent(stream, event, 0), "cudaStreamWaitEvent", NULL, err);
}

/* Slot `slot` is free: the iteration that used it last was waited for. */
static enum status start(struct iterate *it, struct ready *r, struct prepared *p, int slot, struct err *err)
{
    struct gpu_device *d = it->device;
    struct pool *pool = &r->pool;
    enum status st = copy(pool->input[slot].data, next_input(r, p), input_bytes(p), cudaMemcpyHostToDevice, it->in, d,
                          err);
    if (st == ST_OK)
        st = record(it->copied[slot], it->in, d, err);
    if (st == ST_OK)
        st = after(d->stream, it->copied[slot], d, err);
    if (st == ST_OK)
        st = launch(it, r, p, slot, err);
    if (st == ST_OK)
        st = record(it->computed[slot], d->stream, d, err);
    if (st == ST_OK)
        st = after(it->out, it->computed[slot], d, err);
    if (st == ST_OK)
        st = copy(pool->results[slot].data, pool->output[slot].data, output_bytes(p), cudaMemcpyDeviceToHost, it->out,
                  d, err);
    if (st == ST_OK)
        st = record(it->done[slot], it->out, d, err);
    return st;
}

static enum status run_overlapping(struct iterate *it, struct ready *r, struct prepared *p, struct err *err)
{
    enum status st = it->flying && it->batch != p->exec->batch ? iterate_drain(it, err) : ST_OK;
    it->batch = p->exec->batch;
    for (int wanted = 2; it->flying < wanted && st == ST_OK; it->flying++, it->slot ^= 1)
        st = start(it, r, p, it->slot, err);
    if (st == ST_OK) /* two fly: the older one is in the slot that comes next */
        st = gpu_check(it->device, cudaEventSynchronize(it->done[it->slot]), "cudaEventSynchronize", NULL, err);
    it->flying--;
    return st;
}

/* --- what the engine calls --------------------------------------------------------------------------------------- */

enum status iterate_run(struct iteration *out, struct iterate *it, struct ready *r, struct prepared *p,
                        struct err *err)
{
    *out = (struct iteration){ .batch = p->exec->batch };
    enum status st = ready_again(r, p, err);
    if (st == ST_OK)
        st = it->pipelined ? run_overlapping(it, r, p, err) : run_alone(out, it, r, p, err);
    if (st == ST_OK)
        out->images = p->exec->batch;
    return gpu_settle(it->device, st, err);
}

enum status iterate_drain(struct iterate *it, struct err *err)
{
    enum status st = ST_OK;
    cudaStream_t streams[] = { it->in, it->device->stream, it->out };
    for (int i = 0; i < 3 && st == ST_OK; i++)
        if (streams[i])
            st = gpu_check(it->device, cudaStreamSynchronize(streams[i]), "cudaStreamSynchronize", NULL, err);
    it->flying = 0;
    return st;
}

enum status iterate_feed(struct iterate *it, struct ready *r, struct prepared *p, struct err *err)
{
    enum status st = copy(r->pool.input[0].data, next_input(r, p), input_bytes(p), cudaMemcpyHostToDevice,
                          it->device->stream, it->device, err);
    return st == ST_OK ? wait_for_stream(it, err) : st;
}

enum status iterate_output(struct iterate *it, struct ready *r, struct prepared *p, const float *src, float *dst,
                           struct err *err)
{
    struct gpu_device *d = it->device;
    enum status st = iterate_drain(it, err);
    if (st == ST_OK)
        st = ready_again(r, p, err);
    if (st == ST_OK)
        st = copy(r->pool.input[0].data, src, input_bytes(p), cudaMemcpyHostToDevice, d->stream, d, err);
    if (st == ST_OK)
        st = launch(it, r, p, 0, err);
    if (st == ST_OK)
        st = copy(dst, r->pool.output[0].data, output_bytes(p), cudaMemcpyDeviceToHost, d->stream, d, err);
    if (st == ST_OK)
        st = wait_for_stream(it, err);
    return gpu_settle(d, st, err);
}
