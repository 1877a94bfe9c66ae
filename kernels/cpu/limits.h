/* limits.h - what this process may use: processors by affinity and control group, memory likewise.
 * Nothing is owned or allocated. */
#ifndef CPU_LIMITS_H
#define CPU_LIMITS_H

#include <stdint.h>

/* Processors of the affinity mask, cut by the tightest control group quota (versions 1 and 2) on the way to the root,
 * rounded down; at least 1. */
int limits_threads(void);
/* The quota part alone, for a process whose control groups are listed in `membership` (the format of
 * /proc/self/cgroup) below `mount` (as /sys/fs/cgroup): processors, or 0 if none is set or nothing can be read. */
double limits_quota(const char *membership, const char *mount);

/* Bytes that can still be taken: the smaller of MemAvailable and what the control group leaves; 0: unknown. */
uint64_t limits_memory_free(void);

#endif
