#include "kernels/cuda/branching.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/cuda/timing.h"
#include "kernels/cuda/tune/pairs.h"
#include "kernels/cuda/tune/tune_race.h"

/* Both ways to run one batch size: 0 on one stream, 1 on lanes. */
struct rivals {
    struct ready *ready;
    struct prepared *prepared;
    struct exec *exec[2];
    struct timing timing;
};

static struct gpu_device *device_of(const struct rivals *v)
{
    return v->ready->net->device;
}

/* --- one pass ---------------------------------------------------------------------------------------------------- */

static enum status launch(const struct rivals *v, int which, struct err *err)
{
    const struct exec *e = v->exec[which];
    if (v->ready->options->stream)
        return exec_enqueue(e, &v->ready->pool, 0, err);
    return gpu_check(device_of(v), cudaGraphLaunch(e->graph[0].graph, device_of(v)->stream), "cudaGraphLaunch", NULL, err);
}

static enum status run_one(void *context, int which, double *ns, double *clock_mhz, struct err *err)
{
    const struct rivals *v = context;
    struct gpu_device *d = device_of(v);
    cudaEvent_t begin = v->timing.begin[TIMING_COMPUTE], end = v->timing.end[TIMING_COMPUTE];
    uint64_t elapsed_ns = 0;
    *clock_mhz = 0;
    enum status st = gpu_check(d, cudaEventRecord(begin, d->stream), "cudaEventRecord", NULL, err);
    if (st == ST_OK)
        st = launch(v, which, err);
    if (st == ST_OK)
        st = gpu_check(d, cudaEventRecord(end, d->stream), "cudaEventRecord", NULL, err);
    if (st == ST_OK)
        st = gpu_check(d, cudaStreamSynchronize(d->stream), "cudaStreamSynchronize", NULL, err);
    if (st == ST_OK)
        st = timing_between(&elapsed_ns, begin, end, d, err);
    *ns = (double)elapsed_ns;
    return gpu_settle(d, st, err);
}

/* --- the same results? ------------------------------------------------------------------------------------------- */

/* The output of one pass, enqueued step by step; what was there before is overwritten by NaN. */
static enum status results_of(float *out, const struct rivals *v, int which, struct err *err)
{
    struct gpu_device *d = device_of(v);
    const struct pool *pool = &v->ready->pool;
    size_t bytes = exec_need(v->exec[which], &v->prepared->fixed).output;
    enum status st = gpu_check(d, cudaMemsetAsync(pool->output[0].data, 0xFF, bytes, d->stream), "cudaMemsetAsync", NULL,
                               err);
    if (st == ST_OK)
        st = exec_enqueue(v->exec[which], pool, 0, err);
    if (st == ST_OK)
        st = gpu_check(d, cudaMemcpyAsync(out, pool->output[0].data, bytes, cudaMemcpyDeviceToHost, d->stream),
                       "cudaMemcpyAsync", NULL, err);
    if (st == ST_OK)
        st = gpu_check(d, cudaStreamSynchronize(d->stream), "cudaStreamSynchronize", NULL, err);
    return gpu_settle(d, st, err);
}

static enum status compare_results(bool *same, const struct rivals *v, struct err *err)
{
    size_t bytes = exec_need(v->exec[0], &v->prepared->fixed).output;
    char *both = malloc(2 * bytes);
    *same = false;
    if (!both)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory to compare the results of branches");
    enum status st = ST_OK;
    for (int which = 0; which < 2 && st == ST_OK; which++)
        st = results_of((float *)(void *)(both + (size_t)which * bytes), v, which, err);
    *same = st == ST_OK && memcmp(both, both + bytes, bytes) == 0;
    free(both);
    return st;
}

/* --- memory and graphs ------------------------------------------------------------------------------------------- */

static enum status make_room(struct rivals *v, struct err *err)
{
    struct ready *r = v->ready;
    struct pool_need need = r->pool.size;
    for (int i = 0; i < 2; i++)
        need = pool_most(need, exec_need(v->exec[i], &v->prepared->fixed));
    enum status st = ready_fits(r, v->prepared, &need, err);
    if (st == ST_OK)
        st = ready_resize(r, &need, err);
    if (st == ST_OK)
        st = gpu_check(device_of(v), cudaMemcpy(r->pool.input[0].data, r->pool.images.data,
                                                exec_need(v->exec[0], &v->prepared->fixed).input, cudaMemcpyHostToDevice),
                       "cudaMemcpy", "the first input", err);
    for (int i = 0; i < 2 && st == ST_OK; i++)
        st = exec_bind(v->exec[i], &r->pool, err);
    return st;
}

static enum status capture_both(struct rivals *v, struct err *err)
{
    enum status st = ST_OK;
    for (int i = 0; i < 2 && st == ST_OK && !v->ready->options->stream; i++)
        st = exec_capture(v->exec[i], &v->ready->pool, false, err);
    return st;
}

/* --- deciding ---------------------------------------------------------------------------------------------------- */

/* *better: lanes win by more than a tie. */
static enum status measure(bool *better, struct rivals *v, struct err *err)
{
    struct pairs pairs = { .counted = 0 };
    enum status st = capture_both(v, err);
    if (st == ST_OK)
        st = timing_new(&v->timing, device_of(v), err);
    if (st == ST_OK)
        st = pairs_compare(&pairs, run_one, NULL, v, err);
    timing_free(&v->timing, device_of(v));
    *better = st == ST_OK && pairs.counted > 0 && pairs.ratio < 1 - RACE_TIE;
    v->prepared->branching.one_ns = pairs.median_ns[0];
    v->prepared->branching.lanes_ns = pairs.median_ns[1];
    return st;
}

static enum status decide(bool *better, struct rivals *v, struct err *err)
{
    bool same = false;
    *better = false;
    enum status st = make_room(v, err);
    if (st == ST_OUT_OF_MEMORY && !device_of(v)->lost)
        return ST_OK; /* what one stream needs is there again when it is asked for */
    if (st == ST_OK)
        st = compare_results(&same, v, err);
    v->prepared->branching.wrong = st == ST_OK && !same;
    if (st != ST_OK || !same)
        return st;
    *better = true;
    return v->ready->options->branches == BRANCHES_ON ? ST_OK : measure(better, v, err);
}

/* The lanes take the place of the one stream. */
static enum status swap(struct rivals *v, struct err *err)
{
    enum status st = exec_take_ways(v->exec[1], v->exec[0], err);
    if (st != ST_OK)
        return st;
    v->prepared->exec = v->exec[1];
    v->prepared->branching.lanes = v->exec[1]->branches.lanes;
    v->exec[1]->fallen_back = v->exec[0]->fallen_back;
    v->exec[1] = v->exec[0]; /* to be freed */
    return ST_OK;
}

enum status branching_choose(struct prepared *p, struct ready *r, struct err *err)
{
    struct rivals v = { .ready = r, .prepared = p, .exec = { p->exec, NULL } };
    bool better = false;
    if (r->options->branches == BRANCHES_OFF)
        return ST_OK;
    p->branching.lanes = 1;
    enum status st = exec_new(&v.exec[1], r->net, p->exec->batch, err);
    if (st == ST_OK) {
        v.exec[1]->lanes_most = GPU_LANES_MAX;
        memcpy(v.exec[1]->choices, p->exec->choices, (size_t)r->net->segment_count * sizeof *p->exec->choices);
        st = exec_plan(v.exec[1], err);
    }
    if (st == ST_OK && v.exec[1]->branches.lanes > 1)
        st = decide(&better, &v, err);
    if (st == ST_OK && better)
        st = swap(&v, err);
    exec_free(v.exec[1]);
    return st;
}
