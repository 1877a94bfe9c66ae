/* environment.h - what was true of the machine while measuring: one row per fact, each of a class
 *   key      a difference makes another series       event    recorded, compared across, named as a suspect
 *   context  explains only
 * Rows: cpu_model, cpu_cores, cpu_threads, cpu_quota (CPUs, text "none" without one), cpus_allowed (list),
 * memory_bytes, numa_nodes, kernel, governor, scaling_driver, turbo, smt, cpus_isolated, microcode,
 * huge_pages, perf_event_paranoid, load_1min, memory_available_bytes, uptime_s, rapl_uj. What cannot be read
 * is absent with a reason. No host name. */
#ifndef TELEMETRY_ENVIRONMENT_H
#define TELEMETRY_ENVIRONMENT_H

#include <stddef.h>
#include <sys/types.h>

#include "bench/store/record.h"
#include "kernels/base/err.h"

/* Facts of the host as process pid (0: this one) sees it; root stands before every path ("" or NULL: the
 * machine itself). *out is one allocation for free(). ST_OUT_OF_MEMORY. */
enum status environment_read(struct field_row **out, size_t *count, const char *root, pid_t pid,
                             struct err *err);
/* The row of that name, NULL if there is none. */
const struct field_row *environment_find(const struct field_row *rows, size_t count, const char *name);

#endif
