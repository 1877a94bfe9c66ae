/* host.h - the machine and this process as a worker on the CPU sees them, from /proc. Nothing allocates. */
#ifndef BASE_HOST_H
#define BASE_HOST_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/base/err.h"

/* The CPU's name as it calls itself; "unknown CPU" if the system does not say. */
void host_cpu_name(char *out, size_t size);
/* Physical memory in bytes; 0 unknown. */
uint64_t host_memory_bytes(void);

/* Resident set of this process now, and its largest since the start or the last host_reset_peak. ST_ENVIRONMENT if
 * /proc cannot be read. */
enum status host_resident(uint64_t *current_bytes, uint64_t *peak_bytes, struct err *err);
/* Lets the peak begin anew. Where the system forbids it, the peak stays that of the whole life. */
void host_reset_peak(void);

#endif
