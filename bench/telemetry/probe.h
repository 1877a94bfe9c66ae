/* probe.h - the open files of one worker's telemetry and one reading of all of them. For bench/telemetry/
 * only. What probe_open gives, probe_close takes back. */
#ifndef TELEMETRY_PROBE_H
#define TELEMETRY_PROBE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "bench/telemetry/energy.h"
#include "bench/telemetry/perf.h"
#include "bench/telemetry/telemetry.h"
#include "kernels/base/cgroup.h"

#define PROBE_CPUS_MAX 4096

struct reading {
    bool   known;
    double number;
    char   absent[32];
};
struct snapshot {
    struct reading field[TELEMETRY_COUNT]; /* perf's two are left to struct perf_count */
    uint64_t level_usec[CGROUP_LEVELS_MAX]; /* throttled, of each level */
    uint64_t energy_uj[ENERGY_DOMAINS_MAX];
    struct perf_count perf;
};

struct probe {
    const char *root;                /* borrowed */
    pid_t  pid;
    bool   cpus[PROBE_CPUS_MAX];     /* that the worker may use */
    int    cpu_count;
    struct cgroup *levels;           /* [level_count], the worker's own first */
    int    level_fd[CGROUP_LEVELS_MAX];
    int    level_count;
    int    machine_fd, pressure_fd, stat_fd, status_fd, task_fd;
    int    machine_error, pressure_error, level_error; /* errno of what could not be opened */
    int   *thermal_fd, *clock_fd;    /* one allocation each */
    int    thermal_count, clock_count;
    struct energy energy;
    struct perf *perf;
    char  *text;                     /* room for the largest file */
};

/* false: out of memory. */
bool probe_open(struct probe *p, const char *root, pid_t pid);
void probe_close(struct probe *p);
void probe_read(struct snapshot *out, struct probe *p);

#endif
