/* cudart_event.c - events of the fake runtime. A record is a ticket; who waits for the event waits for that
 * ticket. */
#include "tests/gpu/fake/cudart_state.h"

#include <stdlib.h>

static bool is_event(cudaEvent_t handle)
{
    for (struct CUevent_st *e = fake.events; e; e = e->next)
        if (e == handle)
            return true;
    return false;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *out, unsigned flags)
{
    ENTER(NEED_CONTEXT);
    struct CUevent_st *event = calloc(1, sizeof *event);
    if (!out || !event) {
        free(event);
        return fake_leave(out ? cudaErrorMemoryAllocation : cudaErrorInvalidValue);
    }
    event->flags = flags;
    event->next = fake.events;
    fake.events = event;
    *out = event;
    return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t *out)
{
    return cudaEventCreateWithFlags(out, cudaEventDefault);
}

cudaError_t cudaEventDestroy(cudaEvent_t handle)
{
    ENTER(NEED_CONTEXT);
    for (struct CUevent_st **at = &fake.events; *at; at = &(*at)->next)
        if (*at == handle) {
            if (!fake_capturing())
                fake_run_all(); /* a wait may still name it */
            *at = handle->next;
            fake_set_clear(&handle->tail);
            free(handle);
            return cudaSuccess;
        }
    return fake_leave(cudaErrorInvalidResourceHandle);
}

/* An event of the capture: no node, only what comes after what. */
static void record_captured(struct CUevent_st *event, struct CUstream_st *stream)
{
    event->capture = stream->capture;
    fake_set_clear(&event->tail);
    fake_set_union(&event->tail, &stream->tail);
}

cudaError_t cudaEventRecordWithFlags(cudaEvent_t event, cudaStream_t handle, unsigned flags)
{
    ENTER(NEED_CONTEXT);
    struct CUstream_st *stream = fake_stream_of(handle);
    if (!stream || !is_event(event))
        return fake_leave(cudaErrorInvalidResourceHandle);
    bool external = flags & cudaEventRecordExternal;
    if (stream->capture && !external) {
        record_captured(event, stream);
        return cudaSuccess;
    }
    struct fake_op op = { .what = OP_RECORD, .kind = FAKE_EVENT, .event = event };
    if (!stream->capture) {
        event->capture = NULL;
        event->stream = stream;
        op.ticket = ++event->recorded;
    }
    return fake_leave(fake_stream_put(stream, op));
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    return cudaEventRecordWithFlags(event, stream, cudaEventRecordDefault);
}

/* A stream that waits for an event of a capture belongs to that capture from then on. */
static cudaError_t wait_captured(struct CUstream_st *stream, const struct CUevent_st *event)
{
    if (fake_stream_is_legacy(stream) || (stream->capture && stream->capture != event->capture) ||
        (!stream->capture && stream->first))
        return fake_capture_break();
    stream->capture = event->capture;
    fake_set_union(&stream->tail, &event->tail);
    return cudaSuccess;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t handle, cudaEvent_t event, unsigned flags)
{
    (void)flags;
    ENTER(NEED_CONTEXT);
    struct CUstream_st *stream = fake_stream_of(handle);
    if (!stream || !is_event(event))
        return fake_leave(cudaErrorInvalidResourceHandle);
    if (event->capture)
        return fake_leave(wait_captured(stream, event));
    if (stream->capture) { /* an event from outside the capture */
        fake_capture_break();
        return fake_leave(cudaErrorStreamCaptureIsolation);
    }
    if (event->recorded == event->done)
        return cudaSuccess;
    struct fake_op op = { .what = OP_WAIT, .kind = FAKE_EVENT, .event = event, .ticket = event->recorded,
                          .source = event->stream };
    return fake_leave(fake_stream_put(stream, op));
}

cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
    ENTER(NEED_CONTEXT);
    if (!is_event(event))
        return fake_leave(cudaErrorInvalidResourceHandle);
    if (event->capture) {
        fake_capture_break();
        return fake_leave(cudaErrorCapturedEvent);
    }
    if (event->done < event->recorded)
        fake_stream_run(event->stream, event, event->recorded);
    return fake_leave((cudaError_t)fake.sticky);
}

cudaError_t cudaEventQuery(cudaEvent_t event)
{
    ENTER(NEED_CONTEXT);
    if (!is_event(event))
        return fake_leave(cudaErrorInvalidResourceHandle);
    if (event->capture) {
        fake_capture_break();
        return fake_leave(cudaErrorCapturedEvent);
    }
    if (event->done == event->recorded)
        return cudaSuccess;
    fake_stream_run(event->stream, event, event->recorded); /* so that the next question finds it done */
    return fake.sticky ? fake_leave((cudaError_t)fake.sticky) : cudaErrorNotReady;
}

cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t start, cudaEvent_t end)
{
    ENTER(NEED_CONTEXT);
    if (!ms || !is_event(start) || !is_event(end))
        return fake_leave(cudaErrorInvalidResourceHandle);
    if (((start->flags | end->flags) & cudaEventDisableTiming) || !start->recorded || !end->recorded)
        return fake_leave(cudaErrorInvalidResourceHandle);
    if (start->done < start->recorded || end->done < end->recorded)
        return fake_leave(cudaErrorNotReady);
    *ms = (float)((double)(end->done_ns - start->done_ns) * 1e-6);
    return cudaSuccess;
}
