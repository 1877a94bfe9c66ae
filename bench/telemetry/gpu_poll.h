/* gpu_poll.h - the values of a GPU that are polled. For bench/telemetry/ only. What gpu_poller_start gives,
 * gpu_poller_stop takes back. */
#ifndef TELEMETRY_GPU_POLL_H
#define TELEMETRY_GPU_POLL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "kernels/base/nvml.h"

enum gpu_series { SERIES_SM_MHZ, SERIES_MEMORY_MHZ, SERIES_POWER_MW, SERIES_CELSIUS, SERIES_MEMORY_CELSIUS,
                  SERIES_UTILIZATION, SERIES_MEMORY_UTILIZATION, SERIES_MEMORY_USED, SERIES_MEMORY_FREE,
                  SERIES_REASONS, SERIES_COUNT };
#define GPU_MEDIANS 2                /* of the first so many series every value is kept */
#define GPU_VALUES_MAX 8192          /* 160 s of polls; the median is of these, the rest of all */

struct gpu_polls {
    size_t count;
    struct {
        size_t count;
        int    code;                 /* of the last one that failed; 0: none did */
        double first, last, least, most, sum;
        uint64_t first_ns, last_ns;
    } series[SERIES_COUNT];
    unsigned long long reasons_any, reasons_twice, reasons_last;
    double values[GPU_MEDIANS][GPU_VALUES_MAX];
    int    lost;                     /* NVML 15 or 16, whichever call said so; 0: none */
};

struct gpu_poller {
    const struct nvml *nvml;         /* borrowed */
    struct nvmlDevice_st *device, *whole;
    struct gpu_polls polls;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t  wake;
    bool running, stop;
    uint64_t period_ns;
};

/* Forgets what was polled. */
void gpu_poller_clear(struct gpu_poller *p);
/* One poll now, by the caller's thread. Not while the poller runs. */
void gpu_poller_poll(struct gpu_poller *p);
/* Polls every period_ns from now on, first after one period (a device that just got work is not at its clocks
 * yet). pid: kept off the CPUs that it may use, if others are left. false: there is no thread to be had. */
bool gpu_poller_start(struct gpu_poller *p, pid_t pid);
void gpu_poller_stop(struct gpu_poller *p);
/* NaN without values. */
double gpu_polls_median(struct gpu_polls *p, enum gpu_series series);

#endif
