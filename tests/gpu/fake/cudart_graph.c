/* cudart_graph.c - capture and replay. A node runs when those before it have run; which of several comes
 * first changes from launch to launch (choose_node), so that a dependency that
 * was forgotten shows. */
#include "tests/gpu/fake/cudart_state.h"

#include <stdlib.h>

/* --- sets of nodes -------------------------------------------------------------------------------------- */

void fake_set_add(struct fake_set *set, size_t node)
{
    for (size_t i = 0; i < set->count; i++)
        if (set->at[i] == node)
            return;
    set->at = realloc(set->at, (set->count + 1) * sizeof *set->at);
    if (!set->at)
        abort();
    set->at[set->count++] = node;
}

void fake_set_union(struct fake_set *set, const struct fake_set *other)
{
    for (size_t i = 0; i < other->count; i++)
        fake_set_add(set, other->at[i]);
}

void fake_set_clear(struct fake_set *set)
{
    free(set->at);
    *set = (struct fake_set){ 0 };
}

/* --- graphs --------------------------------------------------------------------------------------------- */

size_t fake_graph_add(struct fake_graph *graph, struct fake_op op, const struct fake_set *before)
{
    if (graph->count == graph->room) {
        graph->room = graph->room ? 2 * graph->room : 64;
        graph->nodes = realloc(graph->nodes, graph->room * sizeof *graph->nodes);
        if (!graph->nodes)
            abort();
    }
    struct fake_set copy = { 0 };
    fake_set_union(&copy, before);
    graph->nodes[graph->count] =
        (struct fake_node){ .op = op, .before = copy.at, .before_count = copy.count };
    return graph->count++;
}

void fake_graph_drop(struct fake_graph *graph)
{
    if (--graph->references > 0)
        return;
    for (size_t i = 0; i < graph->count; i++) {
        free(graph->nodes[i].op.argument);
        free(graph->nodes[i].before);
    }
    free(graph->nodes);
    free(graph);
}

static bool may_run(const struct fake_graph *graph, const bool *ran, size_t i)
{
    for (size_t b = 0; b < graph->nodes[i].before_count; b++)
        if (!ran[graph->nodes[i].before[b]])
            return false;
    return !ran[i];
}

/* How one launch goes through a graph. */
struct walk {
    const struct fake_graph *graph;
    bool *ran;
    size_t launch, last;            /* last: that ran, count before the first */
    uint64_t random;
};

static bool one_in(struct walk *w, size_t count)
{
    w->random = w->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (w->random >> 33) % count == 0;
}

static bool follows_last(const struct walk *w, size_t i)
{
    for (size_t b = 0; b < w->graph->nodes[i].before_count; b++)
        if (w->graph->nodes[i].before[b] == w->last)
            return true;
    return false;
}

/* Of the nodes that may run now: launch by launch the first; the last; any; or one that follows the node before, so that a
 * branch runs as far as it can while others stand still. */
static size_t choose_node(struct walk *w)
{
    size_t chosen = w->graph->count, next = w->graph->count, count = 0, following = 0;
    for (size_t i = 0; i < w->graph->count; i++) {
        if (!may_run(w->graph, w->ran, i))
            continue;
        if (w->launch == 0)
            return i;
        if (w->launch == 1 || one_in(w, ++count))
            chosen = i;
        if (w->launch % 2 == 1 && w->launch > 1 && follows_last(w, i) && one_in(w, ++following))
            next = i;
    }
    return following ? next : chosen;
}

void fake_graph_run(struct fake_graph *graph)
{
    struct walk w = { .graph = graph, .ran = calloc(graph->count + 1, sizeof *w.ran), .launch = graph->launches,
                      .last = graph->count, .random = graph->launches };
    graph->launches++;
    if (!w.ran)
        abort();
    for (size_t left = graph->count; left > 0; left--) {
        w.last = choose_node(&w);
        fake_run_operation(&graph->nodes[w.last].op);
        w.ran[w.last] = true;
    }
    free(w.ran);
}

/* The records inside the graph are asked for by its launch. */
void fake_graph_expect_events(const struct fake_graph *graph, struct CUstream_st *stream)
{
    for (size_t i = 0; i < graph->count; i++)
        if (graph->nodes[i].op.what == OP_RECORD) {
            graph->nodes[i].op.event->recorded++;
            graph->nodes[i].op.event->stream = stream;
            graph->nodes[i].op.event->capture = NULL;
        }
}

/* --- capture -------------------------------------------------------------------------------------------- */

bool fake_capturing(void)
{
    for (struct CUstream_st *s = fake.streams; s; s = s->next)
        if (s->capture)
            return true;
    return false;
}

cudaError_t fake_capture_break(void)
{
    for (struct CUstream_st *s = fake.streams; s; s = s->next)
        if (s->capture)
            s->capture->broken = true;
    return cudaErrorStreamCaptureUnsupported;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t handle, enum cudaStreamCaptureMode mode)
{
    (void)mode;
    ENTER(NEED_CONTEXT);
    struct CUstream_st *stream = fake_stream_of(handle);
    if (!stream)
        return fake_leave(cudaErrorInvalidResourceHandle);
    if (fake_stream_is_legacy(stream))
        return fake_leave(cudaErrorStreamCaptureUnsupported);
    if (stream->capture)
        return fake_leave(cudaErrorIllegalState);
    struct fake_capture *capture = calloc(1, sizeof *capture);
    if (!capture || !(capture->graph = calloc(1, sizeof *capture->graph)))
        abort();
    capture->graph->references = 1;
    capture->origin = stream;
    stream->capture = capture;
    return cudaSuccess;
}

/* Is every node of the capture before the end of its origin? */
static bool joined(const struct fake_capture *capture)
{
    const struct fake_graph *graph = capture->graph;
    bool *reached = calloc(graph->count + 1, sizeof *reached), all = true;
    if (!reached)
        abort();
    for (size_t i = 0; i < capture->origin->tail.count; i++)
        reached[capture->origin->tail.at[i]] = true;
    for (size_t i = graph->count; i-- > 0;)
        for (size_t b = 0; reached[i] && b < graph->nodes[i].before_count; b++)
            reached[graph->nodes[i].before[b]] = true;
    for (size_t i = 0; i < graph->count; i++)
        all = all && reached[i];
    free(reached);
    return all;
}

static void leave_capture(const struct fake_capture *capture)
{
    for (struct CUstream_st *s = fake.streams; s; s = s->next)
        if (s->capture == capture) {
            s->capture = NULL;
            fake_set_clear(&s->tail);
        }
    for (struct CUevent_st *e = fake.events; e; e = e->next)
        if (e->capture == capture)
            e->capture = NULL;
}

/* A capture ends here whatever else goes wrong. */
cudaError_t cudaStreamEndCapture(cudaStream_t handle, cudaGraph_t *out)
{
    cudaError_t error = fake_enter(__func__, NEED_CONTEXT);
    struct CUstream_st *stream = fake_stream_of(handle);
    struct fake_capture *capture = stream ? stream->capture : NULL;
    if (!out || !stream)
        return fake_leave(error ? error : cudaErrorInvalidResourceHandle);
    *out = NULL;
    if (!capture)
        return fake_leave(error ? error : cudaErrorIllegalState);
    if (capture->origin != stream)
        return fake_leave(error ? error : cudaErrorStreamCaptureUnmatched);
    if (!error && capture->broken)
        error = cudaErrorStreamCaptureInvalidated;
    if (!error && !joined(capture))
        error = cudaErrorStreamCaptureUnjoined;
    leave_capture(capture);
    if (!error && (*out = malloc(sizeof **out))) {
        (*out)->graph = capture->graph;
        fake.graphs++;
    } else {
        fake_graph_drop(capture->graph);
    }
    free(capture);
    return fake_leave(error);
}

cudaError_t cudaStreamIsCapturing(cudaStream_t handle, enum cudaStreamCaptureStatus *out)
{
    ENTER(NEED_CONTEXT);
    struct CUstream_st *stream = fake_stream_of(handle);
    if (!stream || !out)
        return fake_leave(cudaErrorInvalidResourceHandle);
    *out = !stream->capture ? cudaStreamCaptureStatusNone
           : stream->capture->broken ? cudaStreamCaptureStatusInvalidated : cudaStreamCaptureStatusActive;
    return cudaSuccess;
}

/* --- launch --------------------------------------------------------------------------------------------- */

cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t *nodes, size_t *count)
{
    ENTER(NEED_CONTEXT);
    if (!graph || !count || nodes) /* only counting is needed */
        return fake_leave(cudaErrorInvalidValue);
    *count = graph->graph->count;
    return cudaSuccess;
}

cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t *out, cudaGraph_t graph, unsigned long long flags)
{
    return cudaGraphInstantiate(out, graph, flags);
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *out, cudaGraph_t graph, unsigned long long flags)
{
    (void)flags;
    ENTER(NEED_CONTEXT);
    if (!out || !graph)
        return fake_leave(cudaErrorInvalidValue);
    if (fake_capturing())
        return fake_leave(fake_capture_break());
    if (!(*out = malloc(sizeof **out)))
        abort();
    (*out)->graph = graph->graph;
    graph->graph->references++;
    fake.execs++;
    return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
    ENTER(NEED_CONTEXT);
    if (!graph)
        return fake_leave(cudaErrorInvalidValue);
    fake_graph_drop(graph->graph);
    free(graph);
    fake.graphs--;
    return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec)
{
    ENTER(NEED_CONTEXT);
    if (!exec)
        return fake_leave(cudaErrorInvalidValue);
    fake_graph_drop(exec->graph);
    free(exec);
    fake.execs--;
    return cudaSuccess;
}

cudaError_t cudaGraphUpload(cudaGraphExec_t exec, cudaStream_t stream)
{
    ENTER(NEED_CONTEXT);
    return fake_leave(exec && fake_stream_of(stream) ? cudaSuccess : cudaErrorInvalidValue);
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t handle)
{
    ENTER(NEED_CONTEXT);
    struct CUstream_st *stream = fake_stream_of(handle);
    if (!exec || !stream)
        return fake_leave(cudaErrorInvalidValue);
    if (stream->capture)
        return fake_leave(fake_capture_break());
    fake_graph_expect_events(exec->graph, stream);
    exec->graph->references++;
    return fake_leave(fake_stream_put(stream, (struct fake_op){ .what = OP_GRAPH, .graph = exec->graph }));
}
