#include "kernels/base/clock.h"

#include <stdlib.h>
#include <time.h>

#define NS_PER_S 1000000000u

static uint64_t system_now_ns(void *context)
{
    (void)context;
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_RAW, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static void system_sleep_ns(void *context, uint64_t ns)
{
    (void)context;
    struct timespec t = { .tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S) };
    nanosleep(&t, NULL); /* a signal may end it early: callers look at the clock again */
}

struct clock clock_system(void)
{
    return (struct clock){ .now_ns = system_now_ns, .sleep_ns = system_sleep_ns };
}

static uint64_t virtual_now_ns(void *context)
{
    return *(const uint64_t *)context;
}

static void virtual_sleep_ns(void *context, uint64_t ns)
{
    *(uint64_t *)context += ns;
}

struct clock clock_virtual(uint64_t *now_ns)
{
    return (struct clock){ .now_ns = virtual_now_ns, .sleep_ns = virtual_sleep_ns, .context = now_ns };
}

static int compare_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

struct clock_quality clock_measure_quality(const struct clock *clk)
{
    enum { MEANS = 5, READS = 10000 };
    struct clock_quality q = { 0 };
    double mean_ns[MEANS];
    for (int i = 0; i < MEANS; i++) {
        uint64_t start_ns = clock_now_ns(clk), last_ns = start_ns;
        for (int j = 0; j < READS; j++) {
            uint64_t now_ns = clock_now_ns(clk), step_ns = now_ns - last_ns;
            if (step_ns && (!q.granularity_ns || step_ns < q.granularity_ns))
                q.granularity_ns = step_ns;
            last_ns = now_ns;
        }
        mean_ns[i] = (double)(last_ns - start_ns) / READS;
    }
    qsort(mean_ns, MEANS, sizeof mean_ns[0], compare_double);
    q.overhead_ns = mean_ns[MEANS / 2];
    return q;
}

int64_t clock_unix_s(void)
{
    return (int64_t)time(NULL);
}

void clock_stamp(char *text, int64_t unix_s)
{
    time_t t = (time_t)unix_s;
    struct tm parts;
    gmtime_r(&t, &parts);
    strftime(text, CLOCK_STAMP_SIZE, "%Y-%m-%dT%H:%M:%SZ", &parts);
}
