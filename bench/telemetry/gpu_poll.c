#include "bench/telemetry/gpu_poll.h"

#include <math.h>
#include <sched.h>
#include <signal.h>
#include <string.h>

#include "kernels/base/clock.h"
#include "tuner/stats.h"

/* --- one poll -------------------------------------------------------------------------------------------- */

static uint64_t now_of_system(void)
{
    const struct clock clock = clock_system();
    return clock_now_ns(&clock);
}

static void note_lost(struct gpu_polls *p, int code)
{
    if (code == NVML_GPU_IS_LOST || code == NVML_RESET_REQUIRED)
        p->lost = code;
}

static void add(struct gpu_poller *r, enum gpu_series series, int code, double value)
{
    struct gpu_polls *p = &r->polls;
    const uint64_t now_ns = now_of_system();
    note_lost(p, code);
    if (code != NVML_SUCCESS) {
        p->series[series].code = code;
        return;
    }
    const bool first = p->series[series].count == 0;
    if (first) {
        p->series[series].first = p->series[series].least = p->series[series].most = value;
        p->series[series].first_ns = now_ns;
    }
    if (series < GPU_MEDIANS && p->series[series].count < GPU_VALUES_MAX)
        p->values[series][p->series[series].count] = value;
    p->series[series].count++;
    p->series[series].last = value;
    p->series[series].last_ns = now_ns;
    p->series[series].sum += value;
    p->series[series].least = fmin(p->series[series].least, value);
    p->series[series].most = fmax(p->series[series].most, value);
}

static void poll_clocks(struct gpu_poller *r)
{
    unsigned mhz = 0;
    int code = nvml_call(r->nvml, nvmlDeviceGetClockInfo, r->whole, NVML_CLOCK_SM, &mhz);
    add(r, SERIES_SM_MHZ, code, mhz);
    code = nvml_call(r->nvml, nvmlDeviceGetClockInfo, r->whole, NVML_CLOCK_MEM, &mhz);
    add(r, SERIES_MEMORY_MHZ, code, mhz);
}

/* The mean of a second that nvmlDeviceGetPowerUsage gives on newer devices is not what a block draws. */
static void poll_power(struct gpu_poller *r)
{
    double mw = 0;
    unsigned usage = 0;
    int code = nvml_field(&mw, r->nvml, r->whole, NVML_FIELD_POWER_INSTANT);
    if (code == NVML_NOT_SUPPORTED || code == NVML_FUNCTION_NOT_FOUND || code == NVML_INVALID_ARGUMENT) {
        code = nvml_call(r->nvml, nvmlDeviceGetPowerUsage, r->whole, &usage);
        mw = usage;
    }
    add(r, SERIES_POWER_MW, code, mw);
}

static void poll_heat(struct gpu_poller *r)
{
    double celsius = 0;
    int code = nvml_celsius(&celsius, r->nvml, r->whole);
    add(r, SERIES_CELSIUS, code, celsius);
    code = nvml_field(&celsius, r->nvml, r->whole, NVML_FIELD_MEMORY_TEMPERATURE);
    add(r, SERIES_MEMORY_CELSIUS, code, celsius);
}

static void poll_load(struct gpu_poller *r)
{
    struct nvml_utilization percent = { 0, 0 };
    struct nvml_memory bytes = { 0, 0, 0 };
    int code = nvml_call(r->nvml, nvmlDeviceGetUtilizationRates, r->device, &percent);
    add(r, SERIES_UTILIZATION, code, percent.gpu);
    add(r, SERIES_MEMORY_UTILIZATION, code, percent.memory);
    code = nvml_call(r->nvml, nvmlDeviceGetMemoryInfo, r->device, &bytes);
    add(r, SERIES_MEMORY_USED, code, (double)bytes.used);
    add(r, SERIES_MEMORY_FREE, code, (double)bytes.free);
}

static void poll_reasons(struct gpu_poller *r)
{
    struct gpu_polls *p = &r->polls;
    unsigned long long reasons = 0;
    const int code = nvml_reasons(&reasons, r->nvml, r->whole);
    add(r, SERIES_REASONS, code, (double)reasons);
    if (code != NVML_SUCCESS)
        reasons = 0;
    p->reasons_twice |= reasons & p->reasons_last;
    p->reasons_any |= reasons;
    p->reasons_last = reasons;
}

void gpu_poller_clear(struct gpu_poller *p)
{
    memset(&p->polls, 0, sizeof p->polls);
}

void gpu_poller_poll(struct gpu_poller *p)
{
    poll_clocks(p);
    poll_power(p);
    poll_heat(p);
    poll_load(p);
    poll_reasons(p);
    p->polls.count++;
}

double gpu_polls_median(struct gpu_polls *p, enum gpu_series series)
{
    const size_t count = p->series[series].count < GPU_VALUES_MAX ? p->series[series].count : GPU_VALUES_MAX;
    return count ? stats_median(p->values[series], count) : (double)NAN;
}

/* --- the thread ------------------------------------------------------------------------------------------ */

static void *poll_until_stopped(void *context)
{
    struct gpu_poller *p = context;
    struct timespec next;
    clock_gettime(CLOCK_MONOTONIC, &next);
    pthread_mutex_lock(&p->mutex);
    while (!p->stop) {
        next.tv_nsec += (long)p->period_ns;
        next.tv_sec += next.tv_nsec / 1000000000;
        next.tv_nsec %= 1000000000;
        while (!p->stop && pthread_cond_timedwait(&p->wake, &p->mutex, &next) == 0)
            continue;
        if (!p->stop)
            gpu_poller_poll(p);
    }
    pthread_mutex_unlock(&p->mutex);
    return NULL;
}

/* The CPUs of this process that pid may not use; false: there are none. */
static bool other_cpus(cpu_set_t *out, pid_t pid)
{
    cpu_set_t theirs;
    if (pid <= 0 || sched_getaffinity(0, sizeof *out, out) != 0 ||
        sched_getaffinity(pid, sizeof theirs, &theirs) != 0)
        return false;
    for (size_t i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &theirs))
            CPU_CLR(i, out);
    return CPU_COUNT(out) > 0;
}

/* Signals are for the thread that asked for them. */
static bool start_thread(struct gpu_poller *p)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    const bool started = pthread_create(&p->thread, NULL, poll_until_stopped, p) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return started;
}

bool gpu_poller_start(struct gpu_poller *p, pid_t pid)
{
    pthread_condattr_t attributes;
    cpu_set_t cpus;
    p->stop = false;
    pthread_mutex_init(&p->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&p->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    p->running = start_thread(p);
    if (p->running && other_cpus(&cpus, pid))
        pthread_setaffinity_np(p->thread, sizeof cpus, &cpus);
    if (!p->running) {
        pthread_cond_destroy(&p->wake);
        pthread_mutex_destroy(&p->mutex);
    }
    return p->running;
}

void gpu_poller_stop(struct gpu_poller *p)
{
    if (!p->running)
        return;
    pthread_mutex_lock(&p->mutex);
    p->stop = true;
    pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->mutex);
    pthread_join(p->thread, NULL);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->mutex);
    p->running = false;
}
