/* perf.h - cycles and reference cycles of all threads of a worker, counted by the processor.
 * For bench/telemetry/ only. What perf_open gives, perf_close takes back. */
#ifndef TELEMETRY_PERF_H
#define TELEMETRY_PERF_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct perf_count {
    bool   known;
    double cycles, reference;            /* scaled up where the counters were shared */
    double enabled_ns, running_ns;       /* over both counters and all threads */
    char   absent[32];
};

struct perf;
/* Counts user time of every thread that the process has now, and of those that they start.
 * NULL: *error is errno. */
struct perf *perf_open(pid_t pid, int *error);
/* NULL is allowed. */
void perf_close(struct perf *p);
void perf_read(struct perf_count *out, const struct perf *p);

#endif
