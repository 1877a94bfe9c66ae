/* host.h - what this machine lets a process use: CPUs, quota, memory; procfs, sysfs and cgroup v2 or v1.
 * `root` stands before every path ("" or NULL: the machine itself). pid 0: this process. Nothing is kept. */
#ifndef TELEMETRY_HOST_H
#define TELEMETRY_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* CPUs in Cpus_allowed_list of the process; 1 if that cannot be read. */
int host_cpus_allowed(const char *root, pid_t pid);
/* Smallest CPU quota of its cgroups up to the root, in CPUs. false: there is none. */
bool host_cpu_quota(double *cpus, const char *root, pid_t pid);
/* min(MemAvailable, limit - used at every level of its cgroups up to the root), no reserve taken off.
 * false: /proc/meminfo cannot be read and no cgroup has a limit. */
bool host_memory_available(uint64_t *bytes, const char *root, pid_t pid);
/* Processes that the kernel's out-of-memory killer ended in the process's memory cgroup so far. false: not told. */
bool host_oom_kills(uint64_t *count, const char *root, pid_t pid);

#endif
