/* host.h - the machine, what it lets a process use (CPUs, quota, memory) and what this process takes: from
 * procfs, sysfs and the control groups, version 2 or 1.
 * `root` stands before every path ("" or NULL: the machine itself). pid 0: this process. Nothing is kept. */
#ifndef BASE_HOST_H
#define BASE_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "kernels/base/err.h"

/* The CPU's name as it calls itself; "unknown CPU" if the system does not say. */
void host_cpu_name(char *out, size_t size);
/* Physical memory in bytes; 0 unknown. */
uint64_t host_memory_bytes(void);

/* CPUs in Cpus_allowed_list of the process; where the machine itself does not show that, those of its
 * affinity mask; 1 if neither can be read. */
int host_cpus_allowed(const char *root, pid_t pid);
/* Smallest CPU quota of its cgroups up to the root, in CPUs. false: there is none. */
bool host_cpu_quota(double *cpus, const char *root, pid_t pid);
/* Threads that it can keep busy: the allowed CPUs, cut by the quota rounded down; at least 1. *quota is the
 * quota in CPUs, 0 without one; NULL is allowed. */
int host_threads(double *quota, const char *root, pid_t pid);

/* min(MemAvailable, limit - used at every level of its cgroups up to the root), no reserve taken off.
 * false: /proc/meminfo cannot be read and no cgroup has a limit. */
bool host_memory_available(uint64_t *bytes, const char *root, pid_t pid);
/* min(MemTotal, limit at every level of its cgroups up to the root). false: neither is told. */
bool host_memory_limit(uint64_t *bytes, const char *root, pid_t pid);
/* Processes that the kernel's out-of-memory killer ended in the process's memory cgroup so
 * far. false: not told. */
bool host_oom_kills(uint64_t *count, const char *root, pid_t pid);

/* Resident set of this process now, and its largest since the start or the last host_reset_peak.
 * ST_ENVIRONMENT if /proc cannot be read. */
enum status host_resident(uint64_t *current_bytes, uint64_t *peak_bytes, struct err *err);
/* Lets the peak begin anew. Where the system forbids it, the peak stays that of the whole life. */
void host_reset_peak(void);

#endif
