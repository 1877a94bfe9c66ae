#include "kernels/cuda/exec.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/grow.h"
#include "kernels/cuda/faults/errors.h"
#include "kernels/cuda/library/conv.h"
#include "kernels/cuda/library/cudnn_graph.h"
#include "kernels/cuda/library/libraries.h"
#include "kernels/cuda/tune/tune.h"

/* The epilogue's sums are not shifted: from |mean| / std = 10 on the variance loses more digits than the other errors of
 * a half. */
#define MEAN_OVER_STD_MAX 10.0

/* Stands for the base of all memory while only needs are asked: nothing reads through it. */
#define NOWHERE ((char *)(uintptr_t)0x10000)

/* --- life ------------------------------------------------------------------------------------------------------ */

static enum status make_attentions(struct exec *e, struct err *err)
{
    const struct plan *p = e->net->plan;
    enum status st = ST_OK;
    for (int i = 0; i < p->step_count && st == ST_OK; i++) {
        const struct attention_step *s = &p->steps[i].u.attention;
        if (p->steps[i].kind != STEP_ATTENTION)
            continue;
        const struct sdpa_want want = { e->batch, s->heads, s->depth, s->tokens, e->net->math };
        st = attention_new(&e->attentions[i], e->net->libraries, &want, e->net->workspace_cap, err);
    }
    return st;
}

enum status exec_new(struct exec **out, const struct gpu_net *net, int batch, struct err *err)
{
    struct exec *e = calloc(1, sizeof *e);
    if (!e)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory for an execution");
    size_t steps = (size_t)net->plan->step_count + 1, segments = (size_t)net->segment_count + 1;
    e->net = net;
    e->batch = batch;
    e->lanes_most = 1;
    e->choices = calloc(segments, sizeof *e->choices);
    e->attentions = calloc(steps, sizeof(struct attention *));
    for (int slot = 0; slot < POOL_SLOTS; slot++)
        e->steps[slot] = calloc(steps, sizeof *e->steps[slot]);
    enum status st = ST_OK;
    if (!e->choices || !e->attentions || !e->steps[0] || !e->steps[1])
        st = err_set(err, ST_OUT_OF_MEMORY, "no memory for an execution of %zu steps", steps);
    if (st == ST_OK)
        st = make_attentions(e, err);
    if (st != ST_OK) {
        exec_free(e);
        return st;
    }
    *out = e;
    return ST_OK;
}

static void free_event(cudaEvent_t *event, const struct gpu_device *d)
{
    if (*event && !d->lost)
        cudaEventDestroy(*event);
    *event = NULL;
}

static void free_branches(struct exec *e)
{
    for (int i = 0; e->signals && i < e->net->plan->step_count; i++)
        free_event(&e->signals[i], e->net->device);
    free_event(&e->fork, e->net->device);
    for (int lane = 0; lane < GPU_LANES_MAX; lane++)
        free_event(&e->join[lane], e->net->device);
    free(e->signals);
    e->signals = NULL;
    branches_free(&e->branches);
}

void exec_free(struct exec *e)
{
    if (!e)
        return;
    for (int slot = 0; slot < POOL_SLOTS; slot++) {
        capture_free(&e->graph[slot], e->net->device);
        free(e->steps[slot]);
    }
    free_branches(e);
    for (int i = 0; e->attentions && i < e->net->plan->step_count; i++)
        attention_free(e->attentions[i]);
    for (int i = 0; i < e->owned_count; i++)
        conv_free(e->owned[i]);
    for (int i = 0; i < e->norm_count; i++)
        graph_plan_free(e->norms[i]);
    layout_free(&e->layout);
    free(e->owned);
    free(e->norms);
    free(e->attentions);
    free(e->choices);
    free(e);
}

/* --- choices --------------------------------------------------------------------------------------------------- */

enum status exec_own(struct exec *e, struct conv_way *way, struct err *err)
{
    if (grow((void **)&e->owned, e->owned_count, &e->owned_room, sizeof(struct conv_way *))) {
        e->owned[e->owned_count++] = way;
        return ST_OK;
    }
    conv_free(way);
    return err_set(err, ST_OUT_OF_MEMORY, "no memory for the list of convolutions");
}

enum status exec_own_norm(struct exec *e, struct graph_plan *norm, struct err *err)
{
    if (grow((void **)&e->norms, e->norm_count, &e->norm_room, sizeof(struct graph_plan *))) {
        e->norms[e->norm_count++] = norm;
        return ST_OK;
    }
    graph_plan_free(norm);
    return err_set(err, ST_OUT_OF_MEMORY, "no memory for the list of norms");
}

enum status exec_take_ways(struct exec *to, struct exec *from, struct err *err)
{
    while (to->owned_room < to->owned_count + from->owned_count)
        if (!grow((void **)&to->owned, to->owned_room, &to->owned_room, sizeof(struct conv_way *)))
            return err_set(err, ST_OUT_OF_MEMORY, "no memory for the list of convolutions");
    while (to->norm_room < to->norm_count + from->norm_count)
        if (!grow((void **)&to->norms, to->norm_room, &to->norm_room, sizeof(struct graph_plan *)))
            return err_set(err, ST_OUT_OF_MEMORY, "no memory for the list of norms");
    for (int i = 0; i < from->owned_count; i++)
        to->owned[to->owned_count++] = from->owned[i];
    for (int i = 0; i < from->norm_count; i++)
        to->norms[to->norm_count++] = from->norms[i];
    from->owned_count = from->norm_count = 0;
    return ST_OK;
}

/* The first way for one part at this level. */
static enum status first_way(struct conv_way **out, struct exec *e, int segment, int slot, int level, struct err *err)
{
    struct conv_way **ways = NULL;
    size_t count = 0;
    const struct gpu_net *net = e->net;
    struct conv_want want = segment_want(net->plan, &net->segments[segment], slot, level, e->batch, net->math);
    enum status st = conv_list(&ways, &count, net->libraries, &want, 1, net->workspace_cap, err);
    if (st != ST_OK)
        return st;
    *out = ways[0];
    ways[0] = NULL;
    conv_free_all(ways, count);
    return exec_own(e, *out, err);
}

/* The first norm for one part at F3. */
static enum status first_norm(const struct graph_plan **out, struct exec *e, int segment, int slot, struct err *err)
{
    struct graph_plan **plans = NULL;
    size_t count = 0;
    const struct gpu_net *net = e->net;
    struct norm_want want = segment_norm(net->plan, &net->segments[segment], slot, e->batch, net->math);
    enum status st = norm_plan_list(&plans, &count, net->libraries, &want, 1, net->workspace_cap, NULL, err);
    if (st != ST_OK)
        return st;
    *out = plans[0];
    st = exec_own_norm(e, plans[0], err);
    free(plans);
    return st;
}

/* A prologue reads the coefficients of a fold: the part before must have left sums. */
static bool has_level(const struct exec *e, int segment, int slot, int level)
{
    const struct segment_part *part = &e->net->segments[segment].part[slot];
    return segment_part_has(part, level, e->batch) &&
           (level != TUNE_F2 || bind_want(e->net, e->choices, segment, slot - 1, e->batch).stats);
}

static enum status choose_part(struct exec *e, int segment, int slot, int level, struct err *err)
{
    struct choice *c = &e->choices[segment];
    enum status st = ST_UNSUPPORTED;
    for (; level >= TUNE_F0 && st == ST_UNSUPPORTED; level--) {
        if (!has_level(e, segment, slot, level))
            continue;
        c->level[slot] = level;
        st = level == TUNE_F3 ? first_norm(&c->norm[slot], e, segment, slot, err) : ST_OK;
        if (st == ST_OK)
            st = first_way(&c->way[slot], e, segment, slot, level, err);
    }
    if (st != ST_OK)
        err_prefix(err, "%s", e->net->segments[segment].text);
    return st;
}

static enum status choose_segment(struct exec *e, int segment, int level, struct err *err)
{
    enum status st = ST_OK;
    for (int slot = 0; slot < e->net->segments[segment].parts && st == ST_OK; slot++)
        st = choose_part(e, segment, slot, level, err);
    return st;
}

enum status exec_choose(struct exec *e, int level, struct err *err)
{
    enum status st = ST_OK;
    for (int i = 0; i < e->net->segment_count && st == ST_OK; i++) {
        int same = e->net->segments[i].same;
        if (same == i)
            st = choose_segment(e, i, level, err);
        else
            e->choices[i] = e->choices[same];
    }
    return st;
}

/* --- planning -------------------------------------------------------------------------------------------------- */

static struct binding binding_of(const struct exec *e, char *base, const float *input, float *output)
{
    return (struct binding){ .net = e->net, .batch = e->batch, .choices = e->choices, .attentions = e->attentions,
                             .at = { base, e->layout.offset, e->layout.parts, input, output } };
}

static int lane_of(const struct exec *e, int step)
{
    return e->branches.lanes > 1 ? e->branches.lane[step] : 0;
}

/* One piece for each lane, as large as its largest step needs: all of it is enough for any step alone. */
static enum status bind_all(struct exec *e, int slot, const struct binding *with, struct err *err)
{
    size_t most[GPU_LANES_MAX] = { 0 };
    enum status st = ST_OK;
    for (int i = 0; i < e->net->plan->step_count && st == ST_OK; i++) {
        size_t *lane = &most[lane_of(e, i)];
        st = bind_step(&e->steps[slot][i], with, i, err);
        *lane = e->steps[slot][i].scratch_bytes > *lane ? e->steps[slot][i].scratch_bytes : *lane;
    }
    e->scratch_bytes = 0;
    for (int lane = 0; lane < GPU_LANES_MAX; lane++) {
        e->scratch_at[lane] = e->scratch_bytes;
        e->scratch_bytes += lane == 0 && e->branches.lanes <= 1 ? most[0] : (most[lane] + 255) / 256 * 256;
    }
    return st;
}

static enum status make_event(cudaEvent_t *event, struct gpu_device *d, struct err *err)
{
    return gpu_check(d, cudaEventCreateWithFlags(event, cudaEventDisableTiming), "cudaEventCreateWithFlags", NULL, err);
}

static enum status make_branches(struct exec *e, struct err *err)
{
    struct gpu_device *d = e->net->device;
    free_branches(e);
    if (e->lanes_most <= 1)
        return ST_OK;
    enum status st = branches_plan(&e->branches, e->net, e->choices, e->batch, e->lanes_most, err);
    if (st != ST_OK || e->branches.lanes <= 1)
        return st;
    e->signals = calloc((size_t)e->branches.steps, sizeof(cudaEvent_t));
    if (!e->signals)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory for the events of %d steps", e->branches.steps);
    st = gpu_device_lanes(d, e->branches.lanes, err);
    for (int lane = 1; lane < e->branches.lanes && st == ST_OK; lane++)
        st = gpu_libraries_add_stream(e->net->libraries, gpu_device_lane(d, lane), err);
    for (int i = 0; i < e->branches.steps && st == ST_OK; i++)
        if (e->branches.signals[i])
            st = make_event(&e->signals[i], d, err);
    for (int lane = 0; lane < e->branches.lanes && st == ST_OK; lane++)
        st = make_event(lane == 0 ? &e->fork : &e->join[lane], d, err);
    return st;
}

enum status exec_plan(struct exec *e, struct err *err)
{
    int count = e->net->plan->step_count;
    int *steps = calloc((size_t)count + 1, sizeof *steps);
    if (!steps)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory to plan %d steps", count);
    for (int i = 0; i < count; i++)
        steps[i] = i;
    layout_free(&e->layout);
    e->bound = false;
    enum status st = make_branches(e, err);
    if (st == ST_OK)
        st = layout_plan(&e->layout, e->net, e->choices, steps, count, false,
                         e->branches.lanes > 1 ? &e->branches : NULL, err);
    free(steps);
    if (st != ST_OK)
        return st;
    struct binding nowhere = binding_of(e, NOWHERE, (float *)(void *)NOWHERE, (float *)(void *)NOWHERE);
    return bind_all(e, 0, &nowhere, err);
}

static size_t values_of(const int shape[3])
{
    return (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2];
}

struct pool_need exec_need(const struct exec *e, const struct pool_need *fixed)
{
    size_t n = (size_t)e->batch;
    struct pool_need need = *fixed;
    need.arena = e->layout.image_bytes * n;
    need.workspace = e->scratch_bytes;
    need.input = values_of(e->net->plan->input) * n * sizeof(float);
    need.output = values_of(e->net->plan->output) * n * sizeof(float);
    return need;
}

/* --- running --------------------------------------------------------------------------------------------------- */

enum status exec_bind(struct exec *e, const struct pool *pool, struct err *err)
{
    enum status st = ST_OK;
    e->bound = false;
    for (int slot = 0; slot < pool->size.slots && st == ST_OK; slot++) {
        struct binding with = binding_of(e, pool->arena.data, pool->input[slot].data, pool->output[slot].data);
        st = bind_all(e, slot, &with, err);
    }
    e->generation = pool->generation;
    e->bound = st == ST_OK;
    return st;
}

static struct gpu_place place_of(const struct exec *e, const struct pool *pool)
{
    return (struct gpu_place){ .scratch = pool->workspace.data, .tickets = e->net->tickets,
                               .limits = &e->net->device->card.limits, .stream = e->net->device->stream };
}

/* What a stream may be capturing when this fails: the device is not asked. */
static enum status enqueued(cudaError_t code, const char *call, struct err *err)
{
    return code == cudaSuccess ? ST_OK
                               : gpu_error_set(err, FAULT_CUDA, (int)code, true, call, "a branch of the network");
}

static enum status record(cudaEvent_t event, cudaStream_t stream, struct err *err)
{
    return enqueued(cudaEventRecord(event, stream), "cudaEventRecord", err);
}

static enum status wait_for(cudaStream_t stream, cudaEvent_t event, struct err *err)
{
    return enqueued(cudaStreamWaitEvent(stream, event, 0), "cudaStreamWaitEvent", err);
}

/* All other lanes begin after what was on the device's stream before. */
static enum status fork_lanes(const struct exec *e, struct err *err)
{
    const struct gpu_device *d = e->net->device;
    enum status st = e->branches.lanes > 1 ? record(e->fork, d->stream, err) : ST_OK;
    for (int lane = 1; lane < e->branches.lanes && st == ST_OK; lane++)
        st = wait_for(gpu_device_lane(d, lane), e->fork, err);
    return st;
}

static enum status join_lanes(const struct exec *e, struct err *err)
{
    const struct gpu_device *d = e->net->device;
    enum status st = ST_OK;
    for (int lane = 1; lane < e->branches.lanes && st == ST_OK; lane++) {
        st = record(e->join[lane], gpu_device_lane(d, lane), err);
        if (st == ST_OK)
            st = wait_for(d->stream, e->join[lane], err);
    }
    return st;
}

/* One step on its lane, after those of other lanes that it needs. */
static enum status enqueue_step(const struct exec *e, const struct gpu_place *first, int slot, int step,
                                struct err *err)
{
    const struct branches *b = &e->branches;
    int lane = lane_of(e, step);
    struct gpu_place place = *first;
    enum status st = ST_OK;
    place.scratch = (char *)place.scratch + e->scratch_at[lane];
    place.tickets += lane * GPU_TICKETS;
    place.stream = gpu_device_lane(e->net->device, lane);
    for (int other = 0; other < b->lanes && b->lanes > 1 && st == ST_OK; other++)
        if (b->after[step][other] != PLAN_NONE)
            st = wait_for(place.stream, e->signals[b->after[step][other]], err);
    if (st == ST_OK)
        st = bound_run(&e->steps[slot][step], &place, err);
    if (st == ST_OK && b->lanes > 1 && b->signals[step])
        st = record(e->signals[step], place.stream, err);
    return st;
}

enum status exec_enqueue(const struct exec *e, const struct pool *pool, int slot, struct err *err)
{
    const struct gpu_place place = place_of(e, pool);
    enum status st = fork_lanes(e, err);
    for (int i = 0; i < e->net->plan->step_count && st == ST_OK; i++) {
        st = enqueue_step(e, &place, slot, i, err);
        if (st != ST_OK)
            err_prefix(err, "step %d (%s)", i, step_kind_name(e->net->plan->steps[i].kind));
    }
    return st == ST_OK ? join_lanes(e, err) : st;
}

/* --- large means ----------------------------------------------------------------------------------------------- */

static bool mean_is_large(const float *sum, const float *square, size_t count, double pixels)
{
    for (size_t i = 0; i < count; i++) {
        double mean = (double)sum[i] / pixels, variance = (double)square[i] / pixels - mean * mean;
        double limit = MEAN_OVER_STD_MAX * sqrt(variance > 0 ? variance : 0);
        if (!(fabs(mean) <= limit))
            return true;
    }
    return false;
}

static enum status read_sums(float *sums, const struct gpu_fold *f, struct gpu_device *d, struct err *err)
{
    size_t count = (size_t)f->n * (size_t)f->c;
    enum status st = gpu_check(d, cudaMemcpyAsync(sums, f->sum, count * sizeof *sums, cudaMemcpyDeviceToHost,
                                                  d->stream), "cudaMemcpyAsync", "the sums of a convolution", err);
    if (st == ST_OK)
        st = gpu_check(d, cudaMemcpyAsync(sums + count, f->square, count * sizeof *sums, cudaMemcpyDeviceToHost,
                                          d->stream), "cudaMemcpyAsync", "the sums of a convolution", err);
    if (st == ST_OK)
        st = gpu_check(d, cudaStreamSynchronize(d->stream), "cudaStreamSynchronize", NULL, err);
    return st;
}

/* Whether the fold's sums are of a kind that lost too many digits. */
static enum status check_fold(bool *large, const struct gpu_fold *f, struct gpu_device *d, struct err *err)
{
    size_t count = (size_t)f->n * (size_t)f->c;
    float *sums = malloc(2 * count * sizeof *sums);
    if (!sums)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory for %zu sums", 2 * count);
    enum status st = read_sums(sums, f, d, err);
    *large = st == ST_OK && mean_is_large(sums, sums + count, count, f->pixels);
    free(sums);
    return st;
}

static enum status check_step(struct exec *e, const struct gpu_place *place, int index, bool *falls_back,
                              struct err *err)
{
    const struct bound *b = &e->steps[0][index];
    enum status st = bound_run(b, place, err);
    bool large = false;
    if (st == ST_OK && b->kind == BOUND_FOLD)
        st = check_fold(&large, &b->u.fold, e->net->device, err);
    if (large)
        falls_back[e->net->places[index].segment * SEGMENT_SLOTS + e->net->places[index].slot] = true;
    if (st != ST_OK)
        err_prefix(err, "step %d (%s)", index, step_kind_name(e->net->plan->steps[index].kind));
    return st;
}

/* F0 for the parts that need it; the part behind loses its prologue. */
static enum status choose_again(struct exec *e, const bool *falls_back, bool *again, struct err *err)
{
    enum status st = ST_OK;
    for (int i = 0; i < e->net->segment_count * SEGMENT_SLOTS && st == ST_OK; i++) {
        int segment = i / SEGMENT_SLOTS, slot = i % SEGMENT_SLOTS;
        struct choice *c = &e->choices[segment];
        if (!falls_back[i])
            continue;
        st = choose_part(e, segment, slot, TUNE_F0, err);
        if (st == ST_OK && slot + 1 < e->net->segments[segment].parts && c->level[slot + 1] == TUNE_F2)
            st = choose_part(e, segment, slot + 1, TUNE_F1, err);
        e->fallen_back++;
        *again = true;
    }
    return st;
}

enum status exec_check(struct exec *e, const struct pool *pool, bool *again, struct err *err)
{
    const struct gpu_place place = place_of(e, pool);
    struct gpu_device *d = e->net->device;
    bool *falls_back = calloc((size_t)e->net->segment_count * SEGMENT_SLOTS + 1, sizeof *falls_back);
    *again = false;
    enum status st = falls_back ? ST_OK : err_set(err, ST_OUT_OF_MEMORY, "no memory to check the sums");
    for (int i = 0; i < e->net->plan->step_count && st == ST_OK; i++)
        st = check_step(e, &place, i, falls_back, err);
    if (st == ST_OK)
        st = gpu_check(d, cudaStreamSynchronize(d->stream), "cudaStreamSynchronize", "the first run", err);
    st = gpu_settle(d, st, err);
    if (st == ST_OK)
        st = choose_again(e, falls_back, again, err);
    free(falls_back);
    return st;
}

/* --- graphs ---------------------------------------------------------------------------------------------------- */

struct body {
    const struct exec *e;
    const struct pool *pool;
    int slot;
};

static enum status enqueue_body(void *context, struct err *err)
{
    const struct body *b = context;
    return exec_enqueue(b->e, b->pool, b->slot, err);
}

enum status exec_capture(struct exec *e, const struct pool *pool, bool events, struct err *err)
{
    enum status st = ST_OK;
    for (int slot = 0; slot < pool->size.slots && st == ST_OK; slot++) {
        struct body body = { e, pool, slot };
        capture_free(&e->graph[slot], e->net->device);
        st = capture_new(&e->graph[slot], e->net->device, enqueue_body, &body, events, err);
    }
    return st;
}
