/* oom.h - what the kernel says about memory limits and the processes it killed for them.
 * Reads /proc and cgroup v2 or v1; nothing allocates. */
#ifndef MEASURE_OOM_H
#define MEASURE_OOM_H

#include <stdint.h>

/* How many processes of our cgroup the out-of-memory killer has ended so far; -1 if the kernel does not tell. */
int64_t oom_kills(void);
/* The smallest of the machine's memory and the limits of our cgroup and those above it. 0 if none can be read. */
uint64_t oom_limit_bytes(void);

#endif
