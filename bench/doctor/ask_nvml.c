#include "bench/doctor/ask.h"

#include <stdio.h>
#include <unistd.h>

#include "bench/doctor/child.h"
#include "kernels/base/len.h"
#include "kernels/base/nvml.h"

#define PROCESSES_MAX 64

struct device_ask {
    int fd;
    const struct nvml *n;
    struct nvmlDevice_st *device;
    json_t *out;
};

/* The value, or the reason why there is none. */
static void put(const struct device_ask *ask, const char *name, int code, double value)
{
    char reason[32];
    if (code == NVML_SUCCESS) {
        json_object_set_new(ask->out, name, json_real(value));
        return;
    }
    nvml_absent(reason, code);
    json_object_set_new(ask->out, name, json_string(reason));
}

#define CALLING(ask, name) child_say((ask)->fd, json_pack("{s:s}", "calling", #name))
/* One number of a device: the call is named before it is made. */
#define PUT_NUMBER(ask, key, type, name, ...)                               \
    do {                                                                    \
        type number = 0;                                                    \
        CALLING(ask, name);                                                 \
        const int told = nvml_call((ask)->n, name, __VA_ARGS__, &number);   \
        put(ask, key, told, (double)number);                                \
    } while (0)

static void put_identity(const struct device_ask *ask)
{
    char text[NVML_TEXT_MAX] = "";
    struct nvml_pci pci = { 0 };
    CALLING(ask, nvmlDeviceGetUUID);
    if (nvml_call(ask->n, nvmlDeviceGetUUID, ask->device, text, sizeof text) == NVML_SUCCESS)
        json_object_set_new(ask->out, "uuid", json_string(text));
    if (nvml_call(ask->n, nvmlDeviceGetName, ask->device, text, sizeof text) == NVML_SUCCESS)
        json_object_set_new(ask->out, "name", json_string(text));
    CALLING(ask, nvmlDeviceGetPciInfo_v3);
    if (nvml_call(ask->n, nvmlDeviceGetPciInfo_v3, ask->device, &pci) == NVML_SUCCESS)
        json_object_set_new(ask->out, "address", json_string(pci.bus_id));
}

static void put_errors(const struct device_ask *ask)
{
    int mode = 0, pending = 0;
    unsigned corrected, uncorrected, remap_pending = 0, failed = 0;
    CALLING(ask, nvmlDeviceGetEccMode);
    int code = nvml_call(ask->n, nvmlDeviceGetEccMode, ask->device, &mode, &pending);
    put(ask, "ecc_mode", code, mode);
    put(ask, "ecc_pending", code, pending);
    PUT_NUMBER(ask, "ecc_uncorrected", unsigned long long, nvmlDeviceGetTotalEccErrors, ask->device,
               NVML_ECC_UNCORRECTED, NVML_ECC_VOLATILE);
    CALLING(ask, nvmlDeviceGetRemappedRows);
    code = nvml_call(ask->n, nvmlDeviceGetRemappedRows, ask->device, &corrected, &uncorrected, &remap_pending,
                     &failed);
    put(ask, "remap_pending", code, remap_pending);
    put(ask, "remap_failed", code, failed);
}

static void put_mig(const struct device_ask *ask)
{
    unsigned mode = 0, pending = 0, room = 0, instances = 0;
    CALLING(ask, nvmlDeviceGetMigMode);
    const int code = nvml_call(ask->n, nvmlDeviceGetMigMode, ask->device, &mode, &pending);
    put(ask, "mig_mode", code, mode);
    if (code != NVML_SUCCESS || mode == 0)
        return;
    const int told = nvml_call(ask->n, nvmlDeviceGetMaxMigDeviceCount, ask->device, &room);
    for (unsigned i = 0; told == NVML_SUCCESS && i < room; i++) {
        struct nvmlDevice_st *instance;
        instances +=
            nvml_call(ask->n, nvmlDeviceGetMigDeviceHandleByIndex, ask->device, i, &instance) == NVML_SUCCESS;
    }
    put(ask, "mig_instances", told, instances);
}

static void put_power(const struct device_ask *ask)
{
    double celsius = 0;
    PUT_NUMBER(ask, "power_limit_mw", unsigned, nvmlDeviceGetEnforcedPowerLimit, ask->device);
    PUT_NUMBER(ask, "power_default_mw", unsigned, nvmlDeviceGetPowerManagementDefaultLimit, ask->device);
    CALLING(ask, nvmlDeviceGetTemperature);
    const int code = nvml_celsius(&celsius, ask->n, ask->device);
    put(ask, "celsius", code, celsius);
    PUT_NUMBER(ask, "slowdown_celsius", unsigned, nvmlDeviceGetTemperatureThreshold, ask->device,
               NVML_THRESHOLD_SLOWDOWN);
}

static void put_reasons(const struct device_ask *ask, const char *key)
{
    unsigned long long reasons = 0;
    CALLING(ask, nvmlDeviceGetCurrentClocksEventReasons);
    const int code = nvml_reasons(&reasons, ask->n, ask->device);
    put(ask, key, code, (double)reasons);
}

static void put_link_and_mode(const struct device_ask *ask)
{
    PUT_NUMBER(ask, "persistence", int, nvmlDeviceGetPersistenceMode, ask->device);
    PUT_NUMBER(ask, "link_width", unsigned, nvmlDeviceGetCurrPcieLinkWidth, ask->device);
    PUT_NUMBER(ask, "link_width_max", unsigned, nvmlDeviceGetMaxPcieLinkWidth, ask->device);
    PUT_NUMBER(ask, "link_generation", unsigned, nvmlDeviceGetCurrPcieLinkGeneration, ask->device);
    PUT_NUMBER(ask, "link_generation_max", unsigned, nvmlDeviceGetMaxPcieLinkGeneration, ask->device);
    PUT_NUMBER(ask, "replays", unsigned, nvmlDeviceGetPcieReplayCounter, ask->device);
    PUT_NUMBER(ask, "compute_mode", int, nvmlDeviceGetComputeMode, ask->device);
    PUT_NUMBER(ask, "sm_mhz", unsigned, nvmlDeviceGetClockInfo, ask->device, NVML_CLOCK_SM);
    PUT_NUMBER(ask, "sm_max_mhz", unsigned, nvmlDeviceGetMaxClockInfo, ask->device, NVML_CLOCK_SM);
}

static void put_memory(const struct device_ask *ask)
{
    struct nvml_memory memory = { 0 };
    struct nvml_process list[PROCESSES_MAX];
    size_t count = 0;
    CALLING(ask, nvmlDeviceGetMemoryInfo);
    const int code = nvml_call(ask->n, nvmlDeviceGetMemoryInfo, ask->device, &memory);
    put(ask, "memory_total", code, (double)memory.total);
    put(ask, "memory_used", code, (double)memory.used);
    put(ask, "memory_free", code, (double)memory.free);
    CALLING(ask, nvmlDeviceGetComputeRunningProcesses_v3);
    if (nvml_processes(list, LEN(list), &count, ask->n, ask->device) != NVML_SUCCESS)
        return;
    json_t *processes = json_array();
    for (size_t i = 0; i < count && i < LEN(list); i++)
        json_array_append_new(processes,
                              json_pack("{s:I, s:f}", "pid", (json_int_t)list[i].pid, "bytes",
                                        list[i].used_bytes == ~0ULL ? 0.0 : (double)list[i].used_bytes));
    json_object_set_new(ask->out, "processes", processes);
}

/* All devices; their throttle reasons a second time 1 s later. */
static void say_devices(int fd, const struct nvml *n, unsigned count)
{
    json_t *devices = json_array();
    for (int second = 0; second <= (count > 0); second++) {
        if (second)
            sleep(1);
        for (unsigned i = 0; i < count; i++) {
            struct device_ask ask = { .fd = fd, .n = n };
            CALLING(&ask, nvmlDeviceGetHandleByIndex_v2);
            const int code = nvml_call(n, nvmlDeviceGetHandleByIndex_v2, i, &ask.device);
            if (!second)
                json_array_append_new(devices, json_pack("{s:i}", "code", code));
            ask.out = json_array_get(devices, i);
            if (code != NVML_SUCCESS)
                continue;
            put_reasons(&ask, second ? "reasons@1" : "reasons");
            if (second)
                continue;
            put_identity(&ask);
            put_link_and_mode(&ask);
            put_errors(&ask);
            put_mig(&ask);
            put_power(&ask);
            put_memory(&ask);
        }
        child_say(fd, json_pack("{s:O}", "devices", devices));
    }
    json_decref(devices);
}

void ask_nvml(int fd, const void *context)
{
    struct nvml n;
    struct err err = { .status = ST_OK };
    char driver[NVML_TEXT_MAX] = "", version[NVML_TEXT_MAX] = "";
    unsigned count = 0;
    (void)context;
    child_say(fd, json_pack("{s:s}", "calling", "dlopen"));
    if (nvml_load(&n, &err) != ST_OK) {
        child_say(fd, json_pack("{s:s, s:n}", "dlopen_error", err.text, "calling"));
        return;
    }
    child_say(fd, json_pack("{s:s, s:s}", "dlopen", n.path, "calling", "nvmlInit_v2"));
    const int code = n.nvmlInit_v2 ? n.nvmlInit_v2() : (int)NVML_FUNCTION_NOT_FOUND;
    child_say(fd, json_pack("{s:i, s:s}", "init", code, "error_string", nvml_code_text(code)));
    nvml_call(&n, nvmlSystemGetDriverVersion, driver, sizeof driver);
    nvml_call(&n, nvmlSystemGetNVMLVersion, version, sizeof version);
    child_say(fd, json_pack("{s:s, s:s}", "driver_version", driver, "version", version));
    if (code != NVML_SUCCESS) {
        child_say(fd, json_pack("{s:n}", "calling"));
        return;
    }
    child_say(fd, json_pack("{s:s}", "calling", "nvmlDeviceGetCount_v2"));
    const int counted = nvml_call(&n, nvmlDeviceGetCount_v2, &count);
    if (counted != NVML_SUCCESS) {
        child_say(fd, json_pack("{s:i, s:s}", "init", counted, "error_string", nvml_code_text(counted)));
        return;
    }
    child_say(fd, json_pack("{s:i}", "count", (int)count));
    say_devices(fd, &n, count);
    child_say(fd, json_pack("{s:n}", "calling"));
}
