#include "kernels/cuda/capture.h"

/* Between cudaStreamBeginCapture and cudaStreamEndCapture no error may ask the device: that would break the capture. The
 * codes of our own calls are kept for afterwards. */
struct recorded {
    cudaError_t begin, end;
    enum status body;
};

static struct recorded capture_body_of(const struct gpu_capture *c, struct gpu_device *d, capture_body body,
                                       void *context, struct err *err)
{
    struct recorded r = { cudaSuccess, cudaSuccess, ST_OK };
    if (c->has_events)
        r.begin = cudaEventRecordWithFlags(c->begin, d->stream, cudaEventRecordExternal);
    if (r.begin == cudaSuccess)
        r.body = body(context, err);
    if (c->has_events && r.begin == cudaSuccess && r.body == ST_OK)
        r.end = cudaEventRecordWithFlags(c->end, d->stream, cudaEventRecordExternal);
    return r;
}

static enum status make_events(struct gpu_capture *c, struct gpu_device *d, struct err *err)
{
    enum status st = gpu_check(d, cudaEventCreate(&c->begin), "cudaEventCreate", NULL, err);
    if (st == ST_OK)
        st = gpu_check(d, cudaEventCreate(&c->end), "cudaEventCreate", NULL, err);
    if (st == ST_OK) /* once outside, so that they may be asked at any time */
        st = gpu_check(d, cudaEventRecord(c->begin, d->stream), "cudaEventRecord", NULL, err);
    if (st == ST_OK)
        st = gpu_check(d, cudaEventRecord(c->end, d->stream), "cudaEventRecord", NULL, err);
    return st;
}

static enum status capture_graph(cudaGraph_t *graph, struct gpu_capture *c, struct gpu_device *d, capture_body body,
                                 void *context, struct err *err)
{
    *graph = NULL;
    enum status st = gpu_check(d, cudaStreamBeginCapture(d->stream, cudaStreamCaptureModeThreadLocal),
                               "cudaStreamBeginCapture", NULL, err);
    if (st != ST_OK)
        return st;
    struct recorded r = capture_body_of(c, d, body, context, err);
    cudaError_t ended = cudaStreamEndCapture(d->stream, graph);
    if (r.body != ST_OK)
        return gpu_settle(d, r.body, err);
    if (r.begin != cudaSuccess || r.end != cudaSuccess)
        return gpu_check(d, r.begin != cudaSuccess ? r.begin : r.end, "cudaEventRecordWithFlags", NULL, err);
    return gpu_check(d, ended, "cudaStreamEndCapture", NULL, err);
}

enum status capture_new(struct gpu_capture *out, struct gpu_device *d, capture_body body, void *context, bool events,
                        struct err *err)
{
    cudaGraph_t graph = NULL;
    *out = (struct gpu_capture){ .has_events = events };
    enum status st = events ? make_events(out, d, err) : ST_OK;
    if (st == ST_OK)
        st = capture_graph(&graph, out, d, body, context, err);
    if (st == ST_OK)
        st = gpu_check(d, cudaGraphInstantiate(&out->graph, graph, 0), "cudaGraphInstantiate", NULL, err);
    if (st == ST_OK)
        st = gpu_check(d, cudaGraphUpload(out->graph, d->stream), "cudaGraphUpload", NULL, err);
    if (st == ST_OK)
        st = gpu_check(d, cudaStreamSynchronize(d->stream), "cudaStreamSynchronize", "uploading the graph", err);
    if (graph && !d->lost)
        cudaGraphDestroy(graph);
    if (st != ST_OK)
        capture_free(out, d);
    return st;
}

void capture_free(struct gpu_capture *c, const struct gpu_device *d)
{
    if (c->graph && !d->lost)
        cudaGraphExecDestroy(c->graph);
    if (c->begin && !d->lost)
        cudaEventDestroy(c->begin);
    if (c->end && !d->lost)
        cudaEventDestroy(c->end);
    *c = (struct gpu_capture){ .graph = NULL };
}
