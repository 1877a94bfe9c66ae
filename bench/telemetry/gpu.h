/* gpu.h - what a GPU did during a block, and what it is: read through NVML, which is never required. A device
 * is found by its uuid. What gpu_open gives, gpu_close takes back. Every field may be absent, with a reason;
 * that stops nothing and switches off the tests that need it. The one exception is a device that is lost.
 *
 * Throttle times, energy and link errors are counters, read just before and just after a block; clocks,
 * power, temperatures and memory are polled every 20 ms in between, by a thread that keeps off the worker's
 * CPUs where it may. In virtual time a block takes no time: the polls are one before and one after it. */
#ifndef TELEMETRY_GPU_H
#define TELEMETRY_GPU_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bench/store/record.h"
#include "kernels/base/err.h"

#define GPU_POLL_NS 20000000
#define GPU_PIDS_MAX 64
#define GPU_FACTS_MAX 48

/*    name (store, a worker's telemetry)                     what it is */
#define GPU_LIST(X) \
    X(SW_POWER_CAP_NS,    "gpu_sw_power_cap_ns")    /* counters: how long it held the clocks down */ \
    X(SYNC_BOOST_NS,      "gpu_sync_boost_ns") \
    X(BOARD_LIMIT_NS,     "gpu_board_limit_ns") \
    X(LOW_UTILIZATION_NS, "gpu_low_utilization_ns") \
    X(RELIABILITY_NS,     "gpu_reliability_ns") \
    X(SW_THERMAL_NS,      "gpu_sw_thermal_ns") \
    X(HW_THERMAL_NS,      "gpu_hw_thermal_ns") \
    X(POWER_BRAKE_NS,     "gpu_power_brake_ns") \
    X(ENERGY_MJ,          "gpu_energy_mj")          /* estimate; of blocks under 5 s absent: too_short */ \
    X(PCIE_REPLAYS,       "gpu_pcie_replays") \
    X(REASONS,            "gpu_reasons")            /* bits seen in any poll */ \
    X(REASONS_TWICE,      "gpu_reasons_twice")      /* the same bit in two polls, one after the other */ \
    X(SM_MHZ,             "gpu_sm_mhz")             /* median of the polls */ \
    X(SM_MHZ_MIN,         "gpu_sm_mhz_min") \
    X(SM_MHZ_MAX,         "gpu_sm_mhz_max") \
    X(MEMORY_MHZ,         "gpu_memory_mhz") \
    X(MEMORY_MHZ_MIN,     "gpu_memory_mhz_min") \
    X(MEMORY_MHZ_MAX,     "gpu_memory_mhz_max") \
    X(POWER_MW,           "gpu_power_mw")           /* mean of the instant readings */ \
    X(POWER_AVERAGE_MW,   "gpu_power_average_mw")   /* the driver's mean of a second, at the end */ \
    X(CELSIUS,            "gpu_celsius")            /* largest */ \
    X(CELSIUS_SLOPE,      "gpu_celsius_per_s")      /* last less first poll, per second; needs 2 polls */ \
    X(MEMORY_CELSIUS,     "gpu_memory_celsius") \
    X(UTILIZATION,        "gpu_utilization")        /* mean, % */ \
    X(MEMORY_UTILIZATION, "gpu_memory_utilization") \
    X(MEMORY_USED,        "gpu_memory_used_bytes")  /* largest, of all processes */ \
    X(MEMORY_FREE,        "gpu_memory_free_bytes")  /* smallest */ \
    X(FOREIGN,            "gpu_foreign")            /* other processes, before or after the block */ \
    X(POLLS,              "gpu_polls")

enum gpu_field {
#define X(id, name) GPU_##id,
    GPU_LIST(X)
#undef X
    GPU_COUNT
};

struct gpu_block {
    bool present;                    /* the block ran on a GPU: all of it is told or absent with a reason */
    int  lost;                       /* NVML said 15 or 16: what is measured on it means nothing */
    struct {
        bool   known;
        double number;
        char   absent[32];           /* if not known: not_supported, no_permission, not_found, error N */
        const char *source;          /* static */
    } field[GPU_COUNT];
};

struct gpu;

/* uuid: as the worker's hello tells it; "": the worker does not, and every field is not_found.
 * ST_ENVIRONMENT: the driver is broken (NVML 9, 15, 16, 17, 18), with the sentence; ST_OUT_OF_MEMORY. No
 * library, no permission and an unknown uuid are no failure. */
enum status gpu_open(struct gpu **out, const char *root, const char *uuid, struct err *err);
void gpu_close(struct gpu *g);
/* NVML tells of the device. */
bool gpu_is_known(const struct gpu *g);
/* Is it still there? ST_ENVIRONMENT: it is lost, or must be reset. */
enum status gpu_check(struct gpu *g, struct err *err);

/* Just before the request of a block ... pids[count]: the workers that belong to it; virtual: no thread. */
void gpu_begin(struct gpu *g, const pid_t *pids, size_t count, bool is_virtual);
/* ... and just after its answer. */
void gpu_end(struct gpu *g, struct gpu_block *out);

/* The block's fields as a virtual worker gives them: members named as above; the others are not_found. */
void gpu_of_answer(struct gpu_block *out, const json_t *object);
bool gpu_get(double *out, const struct gpu_block *block, enum gpu_field field);
const char *gpu_name(enum gpu_field field);
/* All fields as rows for the store. */
void gpu_rows(struct field_row rows[GPU_COUNT], const struct gpu_block *block);

/* Memory of the device that is free now; false: not told. */
bool gpu_memory_free(uint64_t *bytes, const struct gpu *g);
/* Degrees Celsius of its die now. */
bool gpu_celsius(double *celsius, const struct gpu *g);

/* What the device is and how it is set: rows with the classes of bench/telemetry/environment.h:
 *   key      device_uuid, device_name, mig_profile (text "none" without one)
 *   event    driver, cuda_driver, vbios, compute_capability, power_limit_w, power_default_w, ecc (1 on),
 *            ecc_pending, ecc_corrected, ecc_uncorrected, remapped_correctable, remapped_uncorrectable, remap_pending,
 *            remap_failure, persistence_mode, compute_mode, mig, sm_max_mhz, memory_max_mhz, app_sm_mhz,
 *            pcie_generation, pcie_width, pcie_generation_max, pcie_width_max, pcie_replays,
 *            tlimit_shutdown, tlimit_slowdown, tlimit_memory_max, tlimit_gpu_max, xids (since it was opened)
 *   context  device_celsius, device_memory_used_bytes, device_memory_free_bytes
 * id: "cuda:0"; source ends in it, names of other devices than cuda:0 too ("driver.cuda:1"). Returns how
 * many; all are absent where NVML does not tell. */
size_t gpu_facts(struct field_row rows[GPU_FACTS_MAX], struct gpu *g, const char *id);

#endif
