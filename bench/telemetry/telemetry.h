/* telemetry.h - what the machine did to a worker during one block: counters read just before and just after
 * it. Files are found and opened once per worker; begin and end only read them again, allocate nothing and
 * run no thread. What telemetry_open gives, telemetry_close takes back. A field that cannot be read is absent
 * with a reason and stops nothing; it switches off the tests that need it.
 * `root` stands before every path that is read ("" or NULL: the machine itself), so that a test
 * can bring its own tree. */
#ifndef TELEMETRY_TELEMETRY_H
#define TELEMETRY_TELEMETRY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "bench/store/record.h"
#include "bench/telemetry/gpu.h"
#include "kernels/base/err.h"

/*    name (store, a worker's telemetry)       where from           of several  what it is
 * Counts, times and energy are differences over the block; rss, peak and clocks are the values at its end. Several
 * workers in one block: SUM where each has its own, MOST of what they share with the machine or a group. */
#define TELEMETRY_LIST(X) \
    X(NR_THROTTLED,    "nr_throttled",         "cgroup cpu.stat",   MOST)  /* over all levels up to the root */ \
    X(THROTTLED_USEC,  "throttled_usec",       "cgroup cpu.stat",   MOST)  /* likewise */ \
    X(STEAL_NS,        "steal_ns",             "/proc/stat",        SUM)   /* over its CPUs; steps of 10 ms */ \
    X(PSI_SOME_USEC,   "psi_cpu_some_usec",    "/proc/pressure/cpu", MOST) \
    X(THERMAL_COUNT,   "thermal_count",        "thermal_throttle",  MOST)  /* each core and package once */ \
    X(INVOLUNTARY,     "involuntary_switches", "/proc/PID/task",    SUM)   /* over all threads of the worker */ \
    X(VOLUNTARY,       "voluntary_switches",   "/proc/PID/task",    SUM) \
    X(MINOR_FAULTS,    "minor_faults",         "/proc/PID/stat",    SUM) \
    X(MAJOR_FAULTS,    "major_faults",         "/proc/PID/stat",    SUM) \
    X(CPU_NS,          "cpu_ns",               "/proc/PID/stat",    SUM)   /* user and system; in steps of 10 ms */ \
    X(WORKER_THREADS,  "worker_threads",       "/proc/PID/stat",    SUM)   /* at the end */ \
    X(RSS_BYTES,       "rss_bytes",            "/proc/PID/status",  SUM) \
    X(PEAK_RSS_BYTES,  "peak_rss_bytes",       "/proc/PID/status",  SUM)   /* largest of its life so far */ \
    X(CLOCK_KHZ,       "clock_khz",            "scaling_cur_freq",  MEAN)  /* mean of its CPUs */ \
    X(CYCLES_PER_REF,  "cycles_per_ref",       "perf",              MEAN)  /* achieved over base clock */ \
    X(PERF_SHARE,      "perf_running_share",   "perf",              MEAN)  /* counted; 1 = no multiplexing */ \
    X(ENERGY_UJ,       "energy_uj",            "powercap",          MOST)  /* of all that ran: packages, memory */

enum telemetry_field {
#define X(id, name, source, merged) TELEMETRY_##id,
    TELEMETRY_LIST(X)
#undef X
    TELEMETRY_COUNT
};

struct telemetry_block {
    struct {
        bool   known;
        double number;
        char   absent[32];           /* if not known: not_supported, no_permission, not_found, error N */
        char   source[128];          /* of nr_throttled and throttled_usec: also the group that was throttled most */
    } field[TELEMETRY_COUNT];
    int cpus;                        /* CPUs that the worker may use: what steal_ns is a sum over */
    struct gpu_block gpu;            /* of targets on a GPU; set by who knows its device, not here */
};

struct telemetry;

/* pid: the worker, which must live. Open it when the worker has its threads (after its first iterations), so
 * that perf sees them. ST_OUT_OF_MEMORY only; what is not there is absent in each block. */
enum status telemetry_open(struct telemetry **out, const char *root, pid_t pid, struct err *err);
void telemetry_close(struct telemetry *t);
/* Just before the request of the block is sent ... */
void telemetry_begin(struct telemetry *t);
/* ... and just after its answer was read. */
void telemetry_end(struct telemetry *t, struct telemetry_block *out);

/* The block's telemetry as a virtual worker gives it: members with the names above; the others are not_found.
 * object may be NULL. */
void telemetry_of_answer(struct telemetry_block *out, const json_t *object);

/* Several workers in the same block, each field as the list says; known if it is known of all. count >= 1. */
void telemetry_merge(struct telemetry_block *out, const struct telemetry_block *blocks, size_t count);

/* Can the energy of a block be read here? If not, why_not (size bytes) has half a sentence for people. */
bool telemetry_has_energy(char *why_not, size_t size, const char *root);

/* Degrees Celsius of the hottest processor package now (hwmon, else thermal zones). false: nobody tells. */
bool telemetry_temperature(double *celsius, const char *root);

/* true and *out if the field is known. */
bool telemetry_get(double *out, const struct telemetry_block *block, enum telemetry_field field);
const char *telemetry_name(enum telemetry_field field);
/* All fields as rows for the store. */
void telemetry_rows(struct field_row rows[TELEMETRY_COUNT], const struct telemetry_block *block);

#endif
