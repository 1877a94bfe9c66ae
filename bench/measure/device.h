/* device.h - the GPUs that a campaign has met: opened by the first worker that tells one, closed with the
 * campaign, so that the driver stays awake and counters can be compared. What device_take gives belongs to
 * the campaign (devices_close). */
#ifndef MEASURE_DEVICE_H
#define MEASURE_DEVICE_H

#include "bench/measure/campaign_state.h"
#include "bench/measure/worker.h"
#include "bench/telemetry/gpu.h"
#include "kernels/base/err.h"

struct campaign_device {
    char   id[32];                   /* "cuda:0" */
    struct gpu *gpu;                 /* never NULL; NVML may know nothing of it */
    uint64_t used_bytes;             /* of its memory before any worker of ours had a context; 0: unknown */
    uint64_t limit_bytes;            /* of what a target may take; 0: unknown */
    struct field_row facts[GPU_FACTS_MAX];
    size_t fact_count;
};

/* The device that a worker's hello told, before it was loaded. Its facts are stored with the campaign at the
 * first time, its limit is the configured share of what is free then. ST_ENVIRONMENT: the driver is broken or
 * the device is lost; ST_USAGE: the campaign goes on and was begun on another device; ST_OUT_OF_MEMORY, or of
 * the store. */
enum status device_take(struct campaign_device **out, struct campaign_state *c,
                        const struct worker_device *told, struct err *err);
/* Its state now, as rows of an execution: at its start and at its end. Statuses of the store. */
enum status device_record(struct campaign_device *d, struct campaign_state *c, int64_t execution,
                          struct err *err);
/* After a stage: a target whose device is gone ends there, whatever the stage made of it. Of the store. */
enum status device_end_if_lost(struct campaign_state *c, struct target_state *t, struct err *err);
void devices_close(struct campaign_state *c);

/* Rows of a campaign that are of a GPU, not of the host. */
bool device_is_fact(const struct field_row *row);

#endif
