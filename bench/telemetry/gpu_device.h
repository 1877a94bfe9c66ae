/* gpu_device.h - the inside of struct gpu. For bench/telemetry/ only. */
#ifndef TELEMETRY_GPU_DEVICE_H
#define TELEMETRY_GPU_DEVICE_H

#include "bench/telemetry/gpu.h"
#include "bench/telemetry/gpu_poll.h"

#define GPU_COUNTERS_MAX 10

struct gpu_counter {
    int    code;                     /* NVML's */
    double number;
    const char *source;
};
struct gpu_counters {
    struct gpu_counter item[GPU_COUNTERS_MAX], energy, replays; /* item: in the order of the throttle table */
    uint64_t at_ns;
};

struct gpu {
    struct nvml nvml;
    struct gpu_poller poller;        /* has the device's handles */
    struct nvmlEventSet_st *events;  /* NULL: Xids are not told */
    bool   known, is_virtual;
    char   absent[32];               /* of everything, if not known */
    struct gpu_counters before;
    pid_t  pids[GPU_PIDS_MAX];
    size_t pid_count;
    bool   foreign_known;
    size_t foreign;
    char   foreign_absent[32];
    int    lost;
    unsigned xids;                   /* seen since it was opened */
};

#endif
