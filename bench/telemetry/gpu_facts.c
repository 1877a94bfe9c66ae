/* What a GPU is and how it is set. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench/telemetry/gpu_device.h"
#include "kernels/base/len.h"

/* A reader of one fact: number or text, and the code of the call. */
struct fact {
    int    code;
    bool   is_text;
    double number;
    char   text[NVML_TEXT_MAX];
};

#define TEXT_OF(name, ...) \
    static void name(struct fact *f, struct gpu *g) { f->is_text = true; f->code = nvml_call(__VA_ARGS__); }
#define NUMBER_OF(name, type, ...)                \
    static void name(struct fact *f, struct gpu *g) \
    {                                             \
        type value = 0;                           \
        f->code = nvml_call(__VA_ARGS__);         \
        f->number = (double)value;                \
    }
#define FIELD_OF(name, id)                                                    \
    static void name(struct fact *f, struct gpu *g)                           \
    {                                                                         \
        f->code = nvml_field(&f->number, &g->nvml, g->poller.whole, id);      \
    }

TEXT_OF(device_uuid, &g->nvml, nvmlDeviceGetUUID, g->poller.device, f->text, sizeof f->text)
TEXT_OF(device_name, &g->nvml, nvmlDeviceGetName, g->poller.whole, f->text, sizeof f->text)
TEXT_OF(driver, &g->nvml, nvmlSystemGetDriverVersion, f->text, sizeof f->text)
TEXT_OF(vbios, &g->nvml, nvmlDeviceGetVbiosVersion, g->poller.whole, f->text, sizeof f->text)
NUMBER_OF(persistence_mode, int, &g->nvml, nvmlDeviceGetPersistenceMode, g->poller.whole, &value)
NUMBER_OF(compute_mode, int, &g->nvml, nvmlDeviceGetComputeMode, g->poller.whole, &value)
NUMBER_OF(sm_max_mhz, unsigned, &g->nvml, nvmlDeviceGetMaxClockInfo, g->poller.whole, NVML_CLOCK_SM, &value)
NUMBER_OF(memory_max_mhz, unsigned, &g->nvml, nvmlDeviceGetMaxClockInfo, g->poller.whole, NVML_CLOCK_MEM, &value)
NUMBER_OF(app_sm_mhz, unsigned, &g->nvml, nvmlDeviceGetApplicationsClock, g->poller.whole, NVML_CLOCK_SM, &value)
NUMBER_OF(pcie_generation, unsigned, &g->nvml, nvmlDeviceGetCurrPcieLinkGeneration, g->poller.whole, &value)
NUMBER_OF(pcie_width, unsigned, &g->nvml, nvmlDeviceGetCurrPcieLinkWidth, g->poller.whole, &value)
NUMBER_OF(pcie_generation_max, unsigned, &g->nvml, nvmlDeviceGetMaxPcieLinkGeneration, g->poller.whole, &value)
NUMBER_OF(pcie_width_max, unsigned, &g->nvml, nvmlDeviceGetMaxPcieLinkWidth, g->poller.whole, &value)
NUMBER_OF(pcie_replays, unsigned, &g->nvml, nvmlDeviceGetPcieReplayCounter, g->poller.whole, &value)
NUMBER_OF(ecc_corrected, unsigned long long, &g->nvml, nvmlDeviceGetTotalEccErrors, g->poller.whole,
          NVML_ECC_CORRECTED, NVML_ECC_VOLATILE, &value)
NUMBER_OF(ecc_uncorrected, unsigned long long, &g->nvml, nvmlDeviceGetTotalEccErrors, g->poller.whole,
          NVML_ECC_UNCORRECTED, NVML_ECC_VOLATILE, &value)
FIELD_OF(remapped_correctable, NVML_FIELD_REMAPPED_CORRECTABLE)
FIELD_OF(remapped_uncorrectable, NVML_FIELD_REMAPPED_UNCORRECTABLE)
FIELD_OF(remap_pending, NVML_FIELD_REMAP_PENDING)
FIELD_OF(remap_failure, NVML_FIELD_REMAP_FAILURE)
FIELD_OF(tlimit_shutdown, NVML_FIELD_TLIMIT_SHUTDOWN)
FIELD_OF(tlimit_slowdown, NVML_FIELD_TLIMIT_SLOWDOWN)
FIELD_OF(tlimit_memory_max, NVML_FIELD_TLIMIT_MEMORY_MAX)
FIELD_OF(tlimit_gpu_max, NVML_FIELD_TLIMIT_GPU_MAX)

/* 12080 is CUDA 12.8. */
static void cuda_driver(struct fact *f, struct gpu *g)
{
    int version = 0;
    f->is_text = true;
    f->code = nvml_call(&g->nvml, nvmlSystemGetCudaDriverVersion_v2, &version);
    snprintf(f->text, sizeof f->text, "%d.%d", version / 1000, version % 1000 / 10);
}

static void compute_capability(struct fact *f, struct gpu *g)
{
    int major = 0, minor = 0;
    f->is_text = true;
    f->code = nvml_call(&g->nvml, nvmlDeviceGetCudaComputeCapability, g->poller.whole, &major, &minor);
    snprintf(f->text, sizeof f->text, "%d.%d", major, minor);
}

static void power_limit_w(struct fact *f, struct gpu *g)
{
    unsigned mw = 0;
    f->code = nvml_call(&g->nvml, nvmlDeviceGetEnforcedPowerLimit, g->poller.whole, &mw);
    f->number = mw / 1000.0;
}

static void power_default_w(struct fact *f, struct gpu *g)
{
    unsigned mw = 0;
    f->code = nvml_call(&g->nvml, nvmlDeviceGetPowerManagementDefaultLimit, g->poller.whole, &mw);
    f->number = mw / 1000.0;
}

static void ecc(struct fact *f, struct gpu *g)
{
    int current = 0, pending = 0;
    f->code = nvml_call(&g->nvml, nvmlDeviceGetEccMode, g->poller.whole, &current, &pending);
    f->number = current;
}

static void ecc_pending(struct fact *f, struct gpu *g)
{
    int current = 0, pending = 0;
    f->code = nvml_call(&g->nvml, nvmlDeviceGetEccMode, g->poller.whole, &current, &pending);
    f->number = pending;
}

static void mig(struct fact *f, struct gpu *g)
{
    unsigned current = 0, pending = 0;
    f->code = nvml_call(&g->nvml, nvmlDeviceGetMigMode, g->poller.whole, &current, &pending);
    f->number = current;
}

/* An instance is called "NVIDIA A100-SXM4-40GB MIG 1g.5gb". */
static void mig_profile(struct fact *f, struct gpu *g)
{
    char name[NVML_TEXT_MAX] = "";
    f->is_text = true;
    snprintf(f->text, sizeof f->text, "none");
    if (g->poller.device == g->poller.whole)
        return;
    f->code = nvml_call(&g->nvml, nvmlDeviceGetName, g->poller.device, name, sizeof name);
    const char *profile = strstr(name, "MIG ");
    snprintf(f->text, sizeof f->text, "%s", profile ? profile + 4 : name);
}

/* Events since the last look; each is told once. */
static void xids(struct fact *f, struct gpu *g)
{
    struct nvml_event event;
    f->code = g->events ? NVML_SUCCESS : NVML_NOT_SUPPORTED;
    while (g->events && g->xids < 1000 &&
           nvml_call(&g->nvml, nvmlEventSetWait_v2, g->events, &event, 0) == NVML_SUCCESS)
        g->xids++;
    f->number = g->xids;
}

static void device_celsius(struct fact *f, struct gpu *g)
{
    f->code = nvml_celsius(&f->number, &g->nvml, g->poller.whole);
}

static void device_memory_used_bytes(struct fact *f, struct gpu *g)
{
    struct nvml_memory bytes = { 0, 0, 0 };
    f->code = nvml_call(&g->nvml, nvmlDeviceGetMemoryInfo, g->poller.device, &bytes);
    f->number = (double)bytes.used;
}

static void device_memory_free_bytes(struct fact *f, struct gpu *g)
{
    struct nvml_memory bytes = { 0, 0, 0 };
    f->code = nvml_call(&g->nvml, nvmlDeviceGetMemoryInfo, g->poller.device, &bytes);
    f->number = (double)bytes.free;
}

#define FACT(name, class_name) { #name, class_name, name }
static const struct {
    const char *name, *class_name;
    void (*read)(struct fact *f, struct gpu *g);
} facts[] = {
    FACT(device_uuid, "key"), FACT(device_name, "key"), FACT(mig_profile, "key"),
    FACT(driver, "event"), FACT(cuda_driver, "event"), FACT(vbios, "event"), FACT(compute_capability, "event"),
    FACT(power_limit_w, "event"), FACT(power_default_w, "event"),
    FACT(ecc, "event"), FACT(ecc_pending, "event"), FACT(ecc_corrected, "event"), FACT(ecc_uncorrected, "event"),
    FACT(remapped_correctable, "event"), FACT(remapped_uncorrectable, "event"),
    FACT(remap_pending, "event"), FACT(remap_failure, "event"),
    FACT(persistence_mode, "event"), FACT(compute_mode, "event"), FACT(mig, "event"),
    FACT(sm_max_mhz, "event"), FACT(memory_max_mhz, "event"), FACT(app_sm_mhz, "event"),
    FACT(pcie_generation, "event"), FACT(pcie_width, "event"), FACT(pcie_generation_max, "event"),
    FACT(pcie_width_max, "event"), FACT(pcie_replays, "event"),
    FACT(tlimit_shutdown, "event"), FACT(tlimit_slowdown, "event"), FACT(tlimit_memory_max, "event"),
    FACT(tlimit_gpu_max, "event"), FACT(xids, "event"),
    FACT(device_celsius, "context"), FACT(device_memory_used_bytes, "context"),
    FACT(device_memory_free_bytes, "context"),
};
_Static_assert(LEN(facts) <= GPU_FACTS_MAX, "room for every fact");

size_t gpu_facts(struct field_row rows[GPU_FACTS_MAX], struct gpu *g, const char *id)
{
    for (size_t i = 0; i < LEN(facts); i++) {
        struct field_row *row = &rows[i];
        struct fact f = { .code = NVML_SUCCESS };
        *row = (struct field_row){ .number = (double)NAN };
        const bool first = strcmp(id, "cuda:0") == 0; /* a campaign has one row of each name */
        snprintf(row->name, sizeof row->name, "%s%s%s", facts[i].name, first ? "" : ".", first ? "" : id);
        snprintf(row->class_name, sizeof row->class_name, "%s", facts[i].class_name);
        snprintf(row->source, sizeof row->source, "NVML of %s", id);
        if (gpu_is_known(g))
            facts[i].read(&f, g);
        if (!gpu_is_known(g))
            snprintf(row->absent, sizeof row->absent, "%s", g ? g->absent : "not_found");
        else if (f.code != NVML_SUCCESS)
            nvml_absent(row->absent, f.code);
        else if (f.is_text)
            snprintf(row->text, sizeof row->text, "%s", f.text);
        row->is_number = !*row->absent && !f.is_text;
        row->number = row->is_number ? f.number : (double)NAN;
    }
    return LEN(facts);
}
