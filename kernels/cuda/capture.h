/* capture.h - launches on a stream as one CUDA graph, with an event at its beginning and its end.
 * capture_new .. capture_free owns the graph and the events. */
#ifndef CUDA_CAPTURE_H
#define CUDA_CAPTURE_H

#include "kernels/cuda/device.h"

struct gpu_capture {
    cudaGraphExec_t graph;          /* NULL: none */
    cudaEvent_t begin, end;         /* recorded by the graph if has_events, else NULL */
    bool has_events;
};

/* What is captured: enqueues on the device's stream. */
typedef enum status (*capture_body)(void *context, struct err *err);

/* Captures body, instantiates and uploads the graph. Everything body launches has run on that stream before. events:
 * record two inside the graph; else the caller records its own around the launch. On failure the capture has ended and
 * nothing is left; ST_OUT_OF_MEMORY, ST_DEVICE_LOST, what body said. */
enum status capture_new(struct gpu_capture *out, struct gpu_device *d, capture_body body, void *context, bool events,
                        struct err *err);
void capture_free(struct gpu_capture *c, const struct gpu_device *d); /* empty ones too */

#endif
