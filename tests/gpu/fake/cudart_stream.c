/* cudart_stream.c - streams of the fake runtime: queues that are worked off when something waits. */
#include "tests/gpu/fake/cudart_state.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const kind_names[FAKE_KINDS] = {
    [FAKE_KERNEL] = "kernel", [FAKE_LIBRARY] = "library", [FAKE_COPY] = "copy", [FAKE_FILL] = "fill",
    [FAKE_EVENT] = "event",
};

bool fake_stream_is_legacy(const struct CUstream_st *stream)
{
    return stream == &fake.legacy;
}

struct CUstream_st *fake_stream_of(cudaStream_t handle)
{
    if (!handle || handle == cudaStreamLegacy || handle == cudaStreamPerThread || handle == &fake.legacy)
        return &fake.legacy;
    for (struct CUstream_st *s = fake.streams; s; s = s->next)
        if (s == handle)
            return s;
    return NULL;
}

/* --- running -------------------------------------------------------------------------------------------- */

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* What the script does to an operation before it runs; false: it does not run. */
static bool survives(enum fake_kind kind)
{
    fake.ran[kind]++;
    if (fake.trace)
        fprintf(fake.trace, "run %s\n", kind_names[kind]);
    if (fake_script_meet(&fake.script, FAKE_HANG, kind_names[kind]))
        for (;;)
            pause();
    int code = fake_script_meet(&fake.script, FAKE_LOST, kind_names[kind]);
    if (code)
        fake.sticky = code;
    if (fake.script.slow_us && (kind == FAKE_KERNEL || kind == FAKE_LIBRARY))
        usleep(fake.script.slow_us);
    return !fake.sticky;
}

void fake_run_operation(const struct fake_op *op)
{
    switch (op->what) {
    case OP_RUN:
        if (!fake.sticky && survives(op->kind))
            op->run(op->argument);
        break;
    case OP_RECORD:
        fake.ran[FAKE_EVENT]++;
        op->event->done = op->ticket ? op->ticket : op->event->recorded;
        op->event->done_ns = now_ns();
        break;
    case OP_WAIT:
        if (op->event->done < op->ticket)
            fake_stream_run(op->source, op->event, op->ticket);
        break;
    case OP_GRAPH:
        fake_graph_run(op->graph);
        break;
    }
}

static void forget_op(struct fake_op *op)
{
    free(op->argument);
    if (op->graph)
        fake_graph_drop(op->graph);
    free(op);
}

void fake_stream_run(struct CUstream_st *stream, const struct CUevent_st *event, uint64_t ticket)
{
    fake_device_open();
    while (stream->first && !(event && event->done >= ticket)) {
        struct fake_op *op = stream->first;
        stream->first = op->next;
        if (!stream->first)
            stream->last = NULL;
        fake_run_operation(op);
        forget_op(op);
    }
    fake_device_close();
}

void fake_run_all(void)
{
    for (struct CUstream_st *s = fake.streams; s; s = s->next)
        fake_stream_run(s, NULL, 0);
}

/* What the legacy stream waits for: every stream that was not made non-blocking. */
static void run_blocking(void)
{
    for (struct CUstream_st *s = fake.streams; s; s = s->next)
        if (!(s->flags & cudaStreamNonBlocking))
            fake_stream_run(s, NULL, 0);
}

/* --- enqueueing ----------------------------------------------------------------------------------------- */

static bool blocking_capture(void)
{
    for (struct CUstream_st *s = fake.streams; s; s = s->next)
        if (s->capture && !(s->flags & cudaStreamNonBlocking)) {
            s->capture->broken = true;
            return true;
        }
    return false;
}

static cudaError_t put_captured(struct CUstream_st *stream, struct fake_op op)
{
    size_t node = fake_graph_add(stream->capture->graph, op, &stream->tail);
    fake_set_clear(&stream->tail);
    fake_set_add(&stream->tail, node);
    return cudaSuccess;
}

cudaError_t fake_stream_put(struct CUstream_st *stream, struct fake_op op)
{
    if (stream->capture)
        return put_captured(stream, op);
    struct fake_op *kept = malloc(sizeof *kept);
    if (!kept)
        abort();
    *kept = op;
    kept->next = NULL;
    if (stream->last)
        stream->last->next = kept;
    else
        stream->first = kept;
    stream->last = kept;
    if (!fake_stream_is_legacy(stream))
        return cudaSuccess;
    if (blocking_capture())
        return cudaErrorStreamCaptureImplicit;
    run_blocking();
    fake_stream_run(stream, NULL, 0);
    return (cudaError_t)fake.sticky;
}

int fake_enqueue(struct CUstream_st *handle, enum fake_kind kind, fake_operation *run, const void *argument,
                 size_t size)
{
    static const char *const names[FAKE_KINDS] = {
        [FAKE_KERNEL] = "cudaLaunchKernel",
        [FAKE_LIBRARY] = "library",
        [FAKE_COPY] = "copy",
        [FAKE_FILL] = "fill",
        [FAKE_EVENT] = "event",
    };
    cudaError_t error = fake_enter(names[kind], NEED_CONTEXT);
    if (error)
        return (int)fake_leave(error);
    struct CUstream_st *stream = fake_stream_of(handle);
    if (!stream)
        return (int)fake_leave(cudaErrorInvalidResourceHandle);
    struct fake_op op = { .what = OP_RUN, .kind = kind, .run = run, .argument = malloc(size ? size : 1) };
    if (!op.argument)
        abort();
    memcpy(op.argument, argument, size);
    return (int)fake_leave(fake_stream_put(stream, op));
}

/* --- the interface -------------------------------------------------------------------------------------- */

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *out, unsigned flags)
{
    ENTER(NEED_CONTEXT);
    if (!out || (flags & ~(unsigned)cudaStreamNonBlocking))
        return fake_leave(cudaErrorInvalidValue);
    struct CUstream_st *stream = calloc(1, sizeof *stream);
    if (!stream)
        return fake_leave(cudaErrorMemoryAllocation);
    stream->flags = flags;
    stream->next = fake.streams;
    fake.streams = stream;
    *out = stream;
    return cudaSuccess;
}

cudaError_t cudaStreamCreate(cudaStream_t *out)
{
    return cudaStreamCreateWithFlags(out, cudaStreamDefault);
}

cudaError_t cudaStreamCreateWithPriority(cudaStream_t *out, unsigned flags, int priority)
{
    (void)priority;
    return cudaStreamCreateWithFlags(out, flags);
}

cudaError_t cudaStreamDestroy(cudaStream_t handle)
{
    ENTER(NEED_CONTEXT);
    for (struct CUstream_st **at = &fake.streams; *at; at = &(*at)->next)
        if (*at == handle) {
            if (handle->capture)
                return fake_leave(fake_capture_break());
            fake_stream_run(handle, NULL, 0);
            *at = handle->next;
            fake_set_clear(&handle->tail);
            free(handle);
            return fake_leave((cudaError_t)fake.sticky);
        }
    return fake_leave(cudaErrorInvalidResourceHandle);
}

cudaError_t cudaStreamSynchronize(cudaStream_t handle)
{
    ENTER(NEED_CONTEXT);
    struct CUstream_st *stream = fake_stream_of(handle);
    if (!stream)
        return fake_leave(cudaErrorInvalidResourceHandle);
    if (stream->capture)
        return fake_leave(fake_capture_break());
    if (fake_stream_is_legacy(stream))
        run_blocking();
    fake_stream_run(stream, NULL, 0);
    return fake_leave((cudaError_t)fake.sticky);
}

cudaError_t cudaStreamQuery(cudaStream_t handle)
{
    ENTER(NEED_CONTEXT);
    struct CUstream_st *stream = fake_stream_of(handle);
    if (!stream)
        return fake_leave(cudaErrorInvalidResourceHandle);
    if (stream->capture)
        return fake_leave(fake_capture_break());
    bool busy = stream->first != NULL;
    fake_stream_run(stream, NULL, 0); /* so that the next question finds it idle */
    if (fake.sticky)
        return fake_leave((cudaError_t)fake.sticky);
    return busy ? cudaErrorNotReady : cudaSuccess;
}

cudaError_t cudaDeviceSynchronize(void)
{
    ENTER(NEED_CONTEXT);
    if (fake_capturing())
        return fake_leave(fake_capture_break());
    fake_run_all();
    return fake_leave((cudaError_t)fake.sticky);
}

void fake_streams_forget(void)
{
    while (fake.streams) {
        struct CUstream_st *stream = fake.streams;
        fake.streams = stream->next;
        while (stream->first) {
            struct fake_op *op = stream->first;
            stream->first = op->next;
            forget_op(op);
        }
        fake_set_clear(&stream->tail);
        free(stream);
    }
    while (fake.events) {
        struct CUevent_st *event = fake.events;
        fake.events = event->next;
        fake_set_clear(&event->tail);
        free(event);
    }
}
