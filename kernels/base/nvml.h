/* nvml.h - NVIDIA's management library, opened with dlopen and never required: clocks, power, throttle
 * reasons, memory and processes of a GPU, none of which needs a CUDA context.
 *
 * Declared here is the small part of its interface that is used; names, numbers and layouts are those of
 * nvml.h as CUDA 12.9 and 13.0 ship it (same in both but where said). What nvml_open gives, nvml_close takes
 * back. Everything but open and close may be called from several threads at once (NVML says so of itself).
 *
 * The library is libnvidia-ml.so.1 of the loader's path, or the file that BENCH_NVML_LIBRARY names. */
#ifndef BASE_NVML_H
#define BASE_NVML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "kernels/base/err.h"

#define NVML_LIBRARY "libnvidia-ml.so.1"
#define NVML_LIBRARY_VARIABLE "BENCH_NVML_LIBRARY"
#define NVML_TEXT_MAX 96             /* >= every *_BUFFER_SIZE of the calls below (uuid and name: 96) */

/* nvmlReturn_t: those that mean something here; every other number is possible too.
 *    name               code  status        text for people */
#define NVML_CODE_LIST(X) \
    X(SUCCESS,              0, OK,            "done") \
    X(UNINITIALIZED,        1, INTERNAL,      "NVML was not initialised") \
    X(INVALID_ARGUMENT,     2, INTERNAL,      "an argument is invalid") \
    X(NOT_SUPPORTED,        3, UNSUPPORTED,   "this device does not support it") \
    X(NO_PERMISSION,        4, ENVIRONMENT,   "this user has no permission for the driver") \
    X(NOT_FOUND,            6, ENVIRONMENT,   "there is no such device") \
    X(INSUFFICIENT_SIZE,    7, INTERNAL,      "more to tell than there is room for") \
    X(DRIVER_NOT_LOADED,    9, ENVIRONMENT,   "the driver is not loaded") \
    X(TIMEOUT,             10, INTERNAL,      "nothing happened in time") \
    X(LIBRARY_NOT_FOUND,   12, ENVIRONMENT,   "NVML is not installed here") \
    X(FUNCTION_NOT_FOUND,  13, UNSUPPORTED,   "this version of the library does not have the function") \
    X(GPU_IS_LOST,         15, DEVICE_LOST,   "the GPU has fallen off the bus") \
    X(RESET_REQUIRED,      16, DEVICE_LOST,   "the GPU must be reset before use") \
    X(OPERATING_SYSTEM,    17, ENVIRONMENT,   "the operating system or a device cgroup blocks the GPU") \
    X(VERSION_MISMATCH,    18, ENVIRONMENT,   "the loaded kernel module and the library differ") \
    X(MEMORY,              20, OUT_OF_MEMORY, "not enough memory") \
    X(GPU_NOT_FOUND,       28, ENVIRONMENT,   "there is no GPU") \
    X(UNKNOWN,            999, INTERNAL,      "an internal error of the driver")

enum nvml_code {
#define X(name, code, status, text) NVML_##name = code,
    NVML_CODE_LIST(X)
#undef X
};

/* --- the library's interface ---------------------------------------------------------------------------- */

struct nvmlDevice_st;                /* a GPU; borrowed from the library until nvml_close */
struct nvmlEventSet_st;

struct nvml_memory { unsigned long long total, free, used; };                      /* nvmlMemory_t, bytes */
struct nvml_utilization { unsigned gpu, memory; };                                 /* nvmlUtilization_t, % */
struct nvml_violation { unsigned long long reference_us, violation_ns; };          /* nvmlViolationTime_t */
struct nvml_process {                                                              /* nvmlProcessInfo_t (v2) */
    unsigned pid;
    unsigned long long used_bytes;   /* all ones: not told */
    unsigned gpu_instance, compute_instance;
};
struct nvml_pci {                                                                  /* nvmlPciInfo_t (v3) */
    char bus_id_legacy[16];
    unsigned domain, bus, device, device_id, subsystem_id;
    char bus_id[32];                 /* 00000000:65:00.0 */
};
struct nvml_field {                                                                /* nvmlFieldValue_t */
    unsigned id, scope;
    long long timestamp_us, latency_us;
    int  type;                       /* NVML_TYPE_* */
    int  code;                       /* of this field alone */
    union { double d; unsigned u; unsigned long ul; unsigned long long ull; long long ll; int i;
            unsigned short us; } value;
};
enum { NVML_TYPE_DOUBLE, NVML_TYPE_UINT, NVML_TYPE_ULONG, NVML_TYPE_ULONGLONG, NVML_TYPE_LONGLONG,
       NVML_TYPE_INT, NVML_TYPE_USHORT };                                          /* nvmlValueType_t */
struct nvml_temperature { unsigned version; int sensor, celsius; };                /* nvmlTemperature_v1_t */
#define NVML_TEMPERATURE_V1 ((unsigned)sizeof(struct nvml_temperature) | 1u << 24) /* nvmlTemperature_v1 */
struct nvml_event {                                                                /* nvmlEventData_t (v2) */
    struct nvmlDevice_st *device;
    unsigned long long type, data;   /* of NVML_EVENT_XID: its number */
    unsigned gpu_instance, compute_instance;
};
#define NVML_EVENT_XID 0x8ULL        /* nvmlEventTypeXidCriticalError */

enum { NVML_CLOCK_GRAPHICS, NVML_CLOCK_SM, NVML_CLOCK_MEM };                       /* nvmlClockType_t */
enum { NVML_ECC_CORRECTED, NVML_ECC_UNCORRECTED };                                 /* nvmlMemoryErrorType_t */
enum { NVML_ECC_VOLATILE, NVML_ECC_AGGREGATE };                                    /* nvmlEccCounterType_t */
enum { NVML_COMPUTE_DEFAULT, NVML_COMPUTE_EXCLUSIVE_THREAD, NVML_COMPUTE_PROHIBITED,
       NVML_COMPUTE_EXCLUSIVE_PROCESS };                                           /* nvmlComputeMode_t */
enum { NVML_THRESHOLD_SHUTDOWN, NVML_THRESHOLD_SLOWDOWN, NVML_THRESHOLD_MEMORY_MAX,
       NVML_THRESHOLD_GPU_MAX };     /* nvmlTemperatureThresholds_t */
enum { NVML_POLICY_POWER, NVML_POLICY_THERMAL, NVML_POLICY_SYNC_BOOST, NVML_POLICY_BOARD_LIMIT,
       NVML_POLICY_LOW_UTILIZATION, NVML_POLICY_RELIABILITY };                     /* nvmlPerfPolicyType_t */

/* nvmlClocksEventReasons, the older nvmlClocksThrottleReasons: why the clocks are not at their maximum. */
#define NVML_REASON_IDLE            0x001ULL
#define NVML_REASON_APP_CLOCKS      0x002ULL
#define NVML_REASON_SW_POWER_CAP    0x004ULL
#define NVML_REASON_HW_SLOWDOWN     0x008ULL
#define NVML_REASON_SYNC_BOOST      0x010ULL
#define NVML_REASON_SW_THERMAL      0x020ULL
#define NVML_REASON_HW_THERMAL      0x040ULL
#define NVML_REASON_POWER_BRAKE     0x080ULL
#define NVML_REASON_DISPLAY_CLOCKS  0x100ULL

/* NVML_FI_*: what nvmlDeviceGetFieldValues is asked for. Power in mW, T.Limit and temperatures in C, throttle
 * times in ns since the driver was loaded. */
enum {
    NVML_FIELD_SW_POWER_CAP = 74, NVML_FIELD_THERMAL = 75, NVML_FIELD_SYNC_BOOST = 76,
    NVML_FIELD_BOARD_LIMIT = 77, NVML_FIELD_LOW_UTILIZATION = 78, NVML_FIELD_RELIABILITY = 79,
    NVML_FIELD_MEMORY_TEMPERATURE = 82,
    NVML_FIELD_REMAPPED_CORRECTABLE = 142, NVML_FIELD_REMAPPED_UNCORRECTABLE = 143,
    NVML_FIELD_REMAP_PENDING = 144, NVML_FIELD_REMAP_FAILURE = 145,
    NVML_FIELD_POWER_AVERAGE = 185, NVML_FIELD_POWER_INSTANT = 186,
    NVML_FIELD_TLIMIT_SHUTDOWN = 193, NVML_FIELD_TLIMIT_SLOWDOWN = 194, NVML_FIELD_TLIMIT_MEMORY_MAX = 195,
    NVML_FIELD_TLIMIT_GPU_MAX = 196,
    /* as of CUDA 13 (driver 580); see nvml_throttle_field */
    NVML_FIELD_SW_THERMAL = 269, NVML_FIELD_HW_THERMAL = 270, NVML_FIELD_POWER_BRAKE = 271,
};

#define NVML_DEVICE struct nvmlDevice_st *device
/* Every function that is called: name (versioned as the header's macros make it) and parameters. */
#define NVML_CALLS(X) \
    X(nvmlInit_v2, (void)) \
    X(nvmlShutdown, (void)) \
    X(nvmlSystemGetDriverVersion, (char *version, unsigned size)) \
    X(nvmlSystemGetNVMLVersion, (char *version, unsigned size)) \
    X(nvmlSystemGetCudaDriverVersion_v2, (int *version)) \
    X(nvmlDeviceGetCount_v2, (unsigned *count)) \
    X(nvmlDeviceGetHandleByIndex_v2, (unsigned index, struct nvmlDevice_st **out)) \
    X(nvmlDeviceGetHandleByUUID, (const char *uuid, struct nvmlDevice_st **out)) \
    X(nvmlDeviceGetUUID, (NVML_DEVICE, char *uuid, unsigned size)) \
    X(nvmlDeviceGetName, (NVML_DEVICE, char *name, unsigned size)) \
    X(nvmlDeviceGetVbiosVersion, (NVML_DEVICE, char *version, unsigned size)) \
    X(nvmlDeviceGetCudaComputeCapability, (NVML_DEVICE, int *major, int *minor)) \
    X(nvmlDeviceGetPciInfo_v3, (NVML_DEVICE, struct nvml_pci *pci)) \
    X(nvmlDeviceGetFieldValues, (NVML_DEVICE, int count, struct nvml_field *values)) \
    X(nvmlDeviceGetViolationStatus, (NVML_DEVICE, int policy, struct nvml_violation *time)) \
    X(nvmlDeviceGetCurrentClocksEventReasons, (NVML_DEVICE, unsigned long long *reasons)) \
    X(nvmlDeviceGetCurrentClocksThrottleReasons, (NVML_DEVICE, unsigned long long *reasons)) \
    X(nvmlDeviceGetClockInfo, (NVML_DEVICE, int type, unsigned *mhz)) \
    X(nvmlDeviceGetMaxClockInfo, (NVML_DEVICE, int type, unsigned *mhz)) \
    X(nvmlDeviceGetApplicationsClock, (NVML_DEVICE, int type, unsigned *mhz)) \
    X(nvmlDeviceGetTemperatureV, (NVML_DEVICE, struct nvml_temperature *temperature)) \
    X(nvmlDeviceGetTemperature, (NVML_DEVICE, int sensor, unsigned *celsius)) \
    X(nvmlDeviceGetTemperatureThreshold, (NVML_DEVICE, int threshold, unsigned *celsius)) \
    X(nvmlDeviceGetPowerUsage, (NVML_DEVICE, unsigned *mw)) \
    X(nvmlDeviceGetEnforcedPowerLimit, (NVML_DEVICE, unsigned *mw)) \
    X(nvmlDeviceGetPowerManagementDefaultLimit, (NVML_DEVICE, unsigned *mw)) \
    X(nvmlDeviceGetTotalEnergyConsumption, (NVML_DEVICE, unsigned long long *mj)) \
    X(nvmlDeviceGetUtilizationRates, (NVML_DEVICE, struct nvml_utilization *percent)) \
    X(nvmlDeviceGetMemoryInfo, (NVML_DEVICE, struct nvml_memory *bytes)) \
    X(nvmlDeviceGetComputeRunningProcesses_v3, (NVML_DEVICE, unsigned *count, struct nvml_process *list)) \
    X(nvmlDeviceGetGraphicsRunningProcesses_v3, (NVML_DEVICE, unsigned *count, struct nvml_process *list)) \
    X(nvmlDeviceGetEccMode, (NVML_DEVICE, int *current, int *pending)) \
    X(nvmlDeviceGetTotalEccErrors, (NVML_DEVICE, int type, int counter, unsigned long long *count)) \
    X(nvmlDeviceGetRemappedRows, (NVML_DEVICE, unsigned *correctable, unsigned *uncorrectable, \
                                  unsigned *pending, unsigned *failed)) \
    X(nvmlDeviceGetMigMode, (NVML_DEVICE, unsigned *current, unsigned *pending)) \
    X(nvmlDeviceGetMaxMigDeviceCount, (NVML_DEVICE, unsigned *count)) \
    X(nvmlDeviceGetMigDeviceHandleByIndex, (NVML_DEVICE, unsigned index, struct nvmlDevice_st **out)) \
    X(nvmlDeviceGetDeviceHandleFromMigDeviceHandle, (NVML_DEVICE, struct nvmlDevice_st **out)) \
    X(nvmlDeviceGetComputeMode, (NVML_DEVICE, int *mode)) \
    X(nvmlDeviceGetPersistenceMode, (NVML_DEVICE, int *mode)) \
    X(nvmlDeviceGetCurrPcieLinkGeneration, (NVML_DEVICE, unsigned *generation)) \
    X(nvmlDeviceGetCurrPcieLinkWidth, (NVML_DEVICE, unsigned *width)) \
    X(nvmlDeviceGetMaxPcieLinkGeneration, (NVML_DEVICE, unsigned *generation)) \
    X(nvmlDeviceGetMaxPcieLinkWidth, (NVML_DEVICE, unsigned *width)) \
    X(nvmlDeviceGetPcieReplayCounter, (NVML_DEVICE, unsigned *count)) \
    X(nvmlEventSetCreate, (struct nvmlEventSet_st **out)) \
    X(nvmlDeviceRegisterEvents, (NVML_DEVICE, unsigned long long types, struct nvmlEventSet_st *set)) \
    X(nvmlEventSetWait_v2, (struct nvmlEventSet_st *set, struct nvml_event *event, unsigned timeout_ms)) \
    X(nvmlEventSetFree, (struct nvmlEventSet_st *set))

struct nvml {
    void *library;                   /* NULL: not open */
    bool  initialized;
    char  path[512];                 /* of the file that the loader took */
    int   driver_major;              /* 580; 0: unknown. Known once initialised */
#define X(name, parameters) int (*name) parameters;
    NVML_CALLS(X)                    /* NULL: this library does not have it; call through nvml_call */
#undef X
};

/* The call's code, NVML_FUNCTION_NOT_FOUND where the library lacks the function. */
#define nvml_call(n, name, ...) ((n)->name ? (n)->name(__VA_ARGS__) : (int)NVML_FUNCTION_NOT_FOUND)

/* --- ours ------------------------------------------------------------------------------------------------ */

/* Loads the library and initialises it. ST_ENVIRONMENT with err->api "nvml" and err->code: 12 there is no
 * library, 18 the loaded kernel module and the library differ (the sentence has both versions), or what
 * nvmlInit_v2 said; ST_DEVICE_LOST for 15 and 16. The library stays loaded after a failed initialisation, so
 * that its version can be asked; nvml_close in every case. root stands before the kernel's own files ("" or
 * NULL: the machine itself). */
enum status nvml_open(struct nvml *n, const char *root, struct err *err);
/* The two halves: only dlopen; only nvmlInit_v2. */
enum status nvml_load(struct nvml *n, struct err *err);
enum status nvml_init(struct nvml *n, const char *root, struct err *err);
/* Allowed on one that is all zero. */
void nvml_close(struct nvml *n);

/* Half a sentence for people; never NULL. */
const char *nvml_code_text(int code);
enum status nvml_status(int code);
/* Sets err to "WHAT: TEXT (NVML CODE)" with api and code, returns nvml_status(code). */
enum status nvml_err(struct err *err, int code, const char *what);
/* Why a field is absent: not_supported, no_permission, not_found or "error N". */
void nvml_absent(char reason[32], int code);

/* Versions of both sides of the driver; "" where unknown. The module's from /sys/module/nvidia/version, else
 * from the first dotted number of the NVRM line of /proc/driver/nvidia/version. The library's is the part of
 * nvmlSystemGetNVMLVersion after its first dot ("12.570.133.20" is of driver 570.133.20). */
void nvml_module_version(char version[NVML_TEXT_MAX], const char *root);
void nvml_library_version(char version[NVML_TEXT_MAX], const struct nvml *n);

/* The GPU with that uuid ("GPU-..." or "MIG-...", the prefix may be left out), among all that NVML sees.
 * ST_ENVIRONMENT: there is none. */
enum status nvml_find(struct nvmlDevice_st **out, const struct nvml *n, const char *uuid, struct err *err);
/* Of a MIG instance the whole GPU, on which clocks, power and links are told; else the device itself. */
struct nvmlDevice_st *nvml_whole_gpu(const struct nvml *n, struct nvmlDevice_st *device);

/* A field's value; the code is of the call or of the field. */
int nvml_field(double *out, const struct nvml *n, struct nvmlDevice_st *device, unsigned id);
/* As a number, whatever its type. */
double nvml_field_number(const struct nvml_field *f);
/* The number that the field has in this driver: the thermal and power brake counters were 251-253 in 575 (as
 * in the header of CUDA 12.9) and are 269-271 from 580 on (13.0); before they did not exist, and each number
 * meant another thing. 0: the driver does not have it. Other ids come back unchanged. */
unsigned nvml_throttle_field(unsigned id, int driver_major);

/* Processes with a context on the GPU, compute and graphics, each pid once. Returns the code; *count is their
 * number, of which at most room are in list. */
int nvml_processes(struct nvml_process *list, size_t room, size_t *count, const struct nvml *n,
                   struct nvmlDevice_st *device);
/* Memory that a process holds on the GPU. NVML_NOT_FOUND: it has no context there (or the container hides
 * pids), NVML_NOT_SUPPORTED: its memory is not told. */
int nvml_process_bytes(uint64_t *bytes, const struct nvml *n, struct nvmlDevice_st *device, pid_t pid);
/* Degrees of the GPU's die, by the newer or the older call. */
int nvml_celsius(double *out, const struct nvml *n, struct nvmlDevice_st *device);
/* The bitmask, by the newer or the older call. */
int nvml_reasons(unsigned long long *out, const struct nvml *n, struct nvmlDevice_st *device);

#endif
