/* A library that answers like NVML for the GPUs of a script, for tests without a device. Loaded in place of the real
 * one with BENCH_NVML_LIBRARY; the script is the file of BENCH_FAKE_NVML, read by nvmlInit_v2. Without one there is
 * one healthy GPU. Calls are counted over the life of the process, until the script's path or text changes.
 *
 *   init CODE                       nvmlInit_v2 answers so
 *   driver 580.65.06 | nvml 13.580.65.06
 *   device GPU-UUID [NAME]          a GPU; the lines after it are of this one (lines before: of the first)
 *   process WHO BYTES               a process with a context: a pid, children (of the calling process), parent; BYTES -1:
 *                                   its memory is not told
 *   lost N                          from the N-th call about this device on every one answers 15
 *   missing FUNCTION                not here: as an older library (answers 13)
 *   QUANTITY VALUE                  what it reads (see the table `presets` for the names)
 *   QUANTITY step VALUE             it grows by so much with every reading
 *   QUANTITY code CODE              it answers so
 *   each of the last three and process:   ... from N [to M]   only readings N..M, counted from 1
 * In a process on the fake CUDA runtime, what that has taken counts too, and the process is in the list.
 * Quantities that are not in the table and were not named answer 3. field.N is a field, violation.N a policy. */
#include <ctype.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/base/nvml.h"
#include "tests/gpu/fake/enqueue.h"

#define X(name, parameters) int name parameters;
NVML_CALLS(X)
#undef X

#define DEVICES_MAX 4
#define LINES_MAX 96
#define NAMES_MAX 96
#define TEXT_MAX 16384

static const struct { const char *name; double value; } presets[] = {
    { "sm_mhz", 1980 }, { "memory_mhz", 2619 }, { "sm_max_mhz", 1980 }, { "memory_max_mhz", 2619 },
    { "app_sm_mhz", 1980 }, { "celsius", 45 }, { "power_mw", 350000 }, { "power_limit_mw", 700000 },
    { "power_default_mw", 700000 }, { "energy_mj", 1000000 }, { "utilization", 97 }, { "memory_utilization", 40 },
    { "total_bytes", 85520809984.0 }, { "used_bytes", 1073741824 }, { "ecc", 1 }, { "ecc_corrected", 0 },
    { "ecc_uncorrected", 0 }, { "mig", 0 }, { "compute_mode", 0 }, { "persistence_mode", 1 }, { "pcie_generation", 5 },
    { "pcie_width", 16 }, { "pcie_generation_max", 5 }, { "pcie_width_max", 16 }, { "pcie_replays", 0 }, { "reasons", 0 },
    { "cuda", 13000 }, { "capability", 90 }, { "vbios", 96 }, { "processes", 0 }, { "xids", 0 },
    { "field.74", 0 }, { "field.75", 0 }, { "field.76", 0 }, { "field.77", 0 }, { "field.78", 0 }, { "field.79", 0 },
    { "field.82", 52 }, { "field.142", 0 }, { "field.143", 0 }, { "field.144", 0 }, { "field.145", 0 },
    { "field.185", 340000 }, { "field.186", 350000 }, { "field.193", -7 }, { "field.194", -2 }, { "field.195", 0 },
    { "field.196", 0 }, { "field.269", 0 }, { "field.270", 0 }, { "field.271", 0 },
};

enum line_kind { LINE_VALUE, LINE_STEP, LINE_CODE, LINE_PROCESS };
struct line {
    int    device;
    enum line_kind kind;
    char   name[64];                 /* of a quantity; of a process: who */
    double value;
    long   from, to;
};
struct quantity { char name[64]; long reads; double grown; };
struct nvmlDevice_st {
    char uuid[80], name[80];
    long calls, lost_from;           /* 0: never */
    struct quantity quantities[NAMES_MAX];
    size_t quantity_count;
};

static struct {
    char path[512], text[TEXT_MAX];
    int  init_code;
    char driver[80], nvml[80], missing[16][64];
    size_t missing_count;
    struct nvmlDevice_st devices[DEVICES_MAX];
    int  device_count;
    struct line lines[LINES_MAX];
    size_t line_count;
    struct nvmlDevice_st *watched;   /* by the one event set */
    double xids_told;
} fake;

/* --- the script ------------------------------------------------------------------------------------------ */

static void fail(const char *line)
{
    fprintf(stderr, "fake NVML: this line of its script is wrong: %s\n", line);
    abort();
}

static void add_device(const char *uuid, const char *name)
{
    struct nvmlDevice_st *d = &fake.devices[fake.device_count++];
    snprintf(d->uuid, sizeof d->uuid, "%s", uuid);
    snprintf(d->name, sizeof d->name, "%s", *name ? name : "NVIDIA H100 80GB HBM3");
}

static void read_range(struct line *l, const char *rest)
{
    l->from = 1;
    l->to = 1000000000;
    sscanf(rest, " from %ld to %ld", &l->from, &l->to);
}

static void read_quantity(const char *text, const char *name)
{
    struct line *l = &fake.lines[fake.line_count++];
    char word[64] = "";
    int used = 0;
    *l = (struct line){ .device = fake.device_count ? fake.device_count - 1 : 0 };
    snprintf(l->name, sizeof l->name, "%s", name);
    if (fake.line_count == LINES_MAX || sscanf(text, "%63s%n", word, &used) != 1)
        fail(text);
    if (strcmp(name, "process") == 0) {
        l->kind = LINE_PROCESS;
        snprintf(l->name, sizeof l->name, "%s", word);
        text += used;
    } else if (strcmp(word, "step") == 0 || strcmp(word, "code") == 0) {
        l->kind = *word == 's' ? LINE_STEP : LINE_CODE;
        text += used;
    }
    char *end;
    l->value = strtod(text, &end); /* reads 0x20 too */
    if (end == text)
        fail(text);
    read_range(l, end);
}

static void read_line(const char *text)
{
    char key[64] = "", word[80] = "";
    int used = 0, name = 0;
    if (sscanf(text, "%63s%n", key, &used) != 1 || *key == '#')
        return;
    const bool has_word = sscanf(text + used, "%79s%n", word, &name) == 1;
    const char *rest = text + used + name;
    while (isspace((unsigned char)*rest))
        rest++;
    if (!has_word)
        fail(text);
    else if (strcmp(key, "init") == 0)
        fake.init_code = atoi(word);
    else if (strcmp(key, "driver") == 0)
        snprintf(fake.driver, sizeof fake.driver, "%s", word);
    else if (strcmp(key, "nvml") == 0)
        snprintf(fake.nvml, sizeof fake.nvml, "%s", word);
    else if (strcmp(key, "missing") == 0 && fake.missing_count < 16)
        snprintf(fake.missing[fake.missing_count++], 64, "%.63s", word);
    else if (strcmp(key, "device") == 0 && fake.device_count < DEVICES_MAX)
        add_device(word, rest);
    else if (strcmp(key, "lost") == 0)
        fake.devices[fake.device_count ? fake.device_count - 1 : 0].lost_from = atol(word);
    else
        read_quantity(text + used, key);
}

static void read_script(void)
{
    const char *path = getenv("BENCH_FAKE_NVML");
    char text[TEXT_MAX] = "";
    FILE *file = path && *path ? fopen(path, "r") : NULL;
    if (path && *path && !file)
        fail(path);
    if (file) {
        text[fread(text, 1, sizeof text - 1, file)] = 0;
        fclose(file);
    }
    if (fake.device_count && strcmp(fake.path, path ? path : "") == 0 && strcmp(fake.text, text) == 0)
        return;
    memset(&fake, 0, sizeof fake);
    snprintf(fake.path, sizeof fake.path, "%s", path ? path : "");
    snprintf(fake.text, sizeof fake.text, "%s", text);
    snprintf(fake.driver, sizeof fake.driver, "580.65.06");
    snprintf(fake.nvml, sizeof fake.nvml, "13.580.65.06");
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        read_line(line);
    if (!fake.device_count)
        add_device("GPU-11111111-2222-3333-4444-555555555555", "");
}

/* --- quantities ------------------------------------------------------------------------------------------ */

static bool is_missing(const char *function)
{
    for (size_t i = 0; i < fake.missing_count; i++)
        if (strcmp(fake.missing[i], function) == 0)
            return true;
    return false;
}

static struct quantity *quantity_of(struct nvmlDevice_st *d, const char *name)
{
    for (size_t i = 0; i < d->quantity_count; i++)
        if (strcmp(d->quantities[i].name, name) == 0)
            return &d->quantities[i];
    if (d->quantity_count == NAMES_MAX)
        fail(name);
    struct quantity *q = &d->quantities[d->quantity_count++];
    snprintf(q->name, sizeof q->name, "%s", name);
    return q;
}

static bool preset_of(double *value, const char *name)
{
    for (size_t i = 0; i < sizeof presets / sizeof *presets; i++)
        if (strcmp(presets[i].name, name) == 0) {
            *value = presets[i].value;
            return true;
        }
    return false;
}

/* One reading of a quantity. */
static int quantity(double *out, struct nvmlDevice_st *d, const char *name)
{
    struct quantity *q = quantity_of(d, name);
    int code = preset_of(out, name) ? NVML_SUCCESS : NVML_NOT_SUPPORTED;
    const long n = ++q->reads;
    d->calls++;
    if (d->lost_from && d->calls >= d->lost_from)
        return NVML_GPU_IS_LOST;
    for (size_t i = 0; i < fake.line_count; i++) {
        const struct line *l = &fake.lines[i];
        if (&fake.devices[l->device] != d || l->kind == LINE_PROCESS || strcmp(l->name, name) != 0 || n < l->from ||
            n > l->to)
            continue;
        if (l->kind == LINE_CODE) {
            code = (int)l->value;
        } else if (l->kind == LINE_STEP) {
            q->grown += l->value;
            code = code == NVML_NOT_SUPPORTED ? NVML_SUCCESS : code;
        } else {
            *out = l->value;
            code = NVML_SUCCESS;
        }
    }
    *out += q->grown;
    return code;
}

#define CHECK(function)         \
    if (is_missing(#function))  \
        return NVML_FUNCTION_NOT_FOUND
#define GIVES(function, name, type, ...)        \
    int function(__VA_ARGS__)                   \
    {                                           \
        double value = 0;                       \
        CHECK(function);                        \
        const int code = quantity(&value, device, name); \
        if (code == NVML_SUCCESS)               \
            *out = (type)value;                 \
        return code;                            \
    }

GIVES(nvmlDeviceGetCurrentClocksEventReasons, "reasons", unsigned long long, NVML_DEVICE, unsigned long long *out)
GIVES(nvmlDeviceGetCurrentClocksThrottleReasons, "reasons", unsigned long long, NVML_DEVICE, unsigned long long *out)
GIVES(nvmlDeviceGetClockInfo, type == NVML_CLOCK_MEM ? "memory_mhz" : "sm_mhz", unsigned, NVML_DEVICE, int type,
      unsigned *out)
GIVES(nvmlDeviceGetMaxClockInfo, type == NVML_CLOCK_MEM ? "memory_max_mhz" : "sm_max_mhz", unsigned, NVML_DEVICE,
      int type, unsigned *out)
GIVES(nvmlDeviceGetApplicationsClock, type == NVML_CLOCK_MEM ? "memory_max_mhz" : "app_sm_mhz", unsigned, NVML_DEVICE,
      int type, unsigned *out)
GIVES(nvmlDeviceGetTemperature, sensor ? "" : "celsius", unsigned, NVML_DEVICE, int sensor, unsigned *out)
GIVES(nvmlDeviceGetPowerUsage, "power_mw", unsigned, NVML_DEVICE, unsigned *out)
GIVES(nvmlDeviceGetEnforcedPowerLimit, "power_limit_mw", unsigned, NVML_DEVICE, unsigned *out)
GIVES(nvmlDeviceGetPowerManagementDefaultLimit, "power_default_mw", unsigned, NVML_DEVICE, unsigned *out)
GIVES(nvmlDeviceGetTotalEnergyConsumption, "energy_mj", unsigned long long, NVML_DEVICE, unsigned long long *out)
GIVES(nvmlDeviceGetComputeMode, "compute_mode", int, NVML_DEVICE, int *out)
GIVES(nvmlDeviceGetPersistenceMode, "persistence_mode", int, NVML_DEVICE, int *out)
GIVES(nvmlDeviceGetCurrPcieLinkGeneration, "pcie_generation", unsigned, NVML_DEVICE, unsigned *out)
GIVES(nvmlDeviceGetCurrPcieLinkWidth, "pcie_width", unsigned, NVML_DEVICE, unsigned *out)
GIVES(nvmlDeviceGetMaxPcieLinkGeneration, "pcie_generation_max", unsigned, NVML_DEVICE, unsigned *out)
GIVES(nvmlDeviceGetMaxPcieLinkWidth, "pcie_width_max", unsigned, NVML_DEVICE, unsigned *out)
GIVES(nvmlDeviceGetPcieReplayCounter, "pcie_replays", unsigned, NVML_DEVICE, unsigned *out)
GIVES(nvmlDeviceGetTotalEccErrors, counter ? "" : type == NVML_ECC_CORRECTED ? "ecc_corrected" : "ecc_uncorrected",
      unsigned long long, NVML_DEVICE, int type, int counter, unsigned long long *out)

/* --- the rest of the interface --------------------------------------------------------------------------- */

int nvmlInit_v2(void)
{
    read_script();
    return fake.init_code;
}

int nvmlShutdown(void)
{
    return NVML_SUCCESS;
}

int nvmlSystemGetDriverVersion(char *version, unsigned size)
{
    snprintf(version, size, "%s", fake.driver);
    return NVML_SUCCESS;
}

/* Works before nvmlInit_v2 and after it failed. */
int nvmlSystemGetNVMLVersion(char *version, unsigned size)
{
    read_script();
    snprintf(version, size, "%s", fake.nvml);
    return NVML_SUCCESS;
}

int nvmlSystemGetCudaDriverVersion_v2(int *version)
{
    double value = 0;
    const int code = quantity(&value, &fake.devices[0], "cuda");
    *version = (int)value;
    return code;
}

int nvmlDeviceGetCount_v2(unsigned *count)
{
    *count = (unsigned)fake.device_count;
    return NVML_SUCCESS;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, struct nvmlDevice_st **out)
{
    if (index >= (unsigned)fake.device_count)
        return NVML_INVALID_ARGUMENT;
    *out = &fake.devices[index];
    return (*out)->lost_from && (*out)->calls >= (*out)->lost_from ? NVML_GPU_IS_LOST : NVML_SUCCESS;
}

int nvmlDeviceGetUUID(NVML_DEVICE, char *uuid, unsigned size)
{
    snprintf(uuid, size, "%s", device->uuid);
    return NVML_SUCCESS;
}

int nvmlDeviceGetName(NVML_DEVICE, char *name, unsigned size)
{
    snprintf(name, size, "%s", device->name);
    return NVML_SUCCESS;
}

int nvmlDeviceGetVbiosVersion(NVML_DEVICE, char *version, unsigned size)
{
    double value = 0;
    CHECK(nvmlDeviceGetVbiosVersion);
    const int code = quantity(&value, device, "vbios");
    snprintf(version, size, "%.0f.00.89.00.01", value);
    return code;
}

int nvmlDeviceGetCudaComputeCapability(NVML_DEVICE, int *major, int *minor)
{
    double value = 0;
    const int code = quantity(&value, device, "capability");
    *major = (int)value / 10;
    *minor = (int)value % 10;
    return code;
}

int nvmlDeviceGetFieldValues(NVML_DEVICE, int count, struct nvml_field *values)
{
    CHECK(nvmlDeviceGetFieldValues);
    for (int i = 0; i < count; i++) {
        char name[32];
        double value = 0;
        snprintf(name, sizeof name, "field.%u", values[i].id);
        values[i].code = quantity(&value, device, name);
        values[i].type = values[i].id >= 193 && values[i].id <= 196 ? NVML_TYPE_INT : NVML_TYPE_ULONGLONG;
        if (values[i].type == NVML_TYPE_INT)
            values[i].value.i = (int)value;
        else
            values[i].value.ull = (unsigned long long)value;
        if (values[i].code == NVML_GPU_IS_LOST)
            return NVML_GPU_IS_LOST;
    }
    return NVML_SUCCESS;
}

int nvmlDeviceGetViolationStatus(NVML_DEVICE, int policy, struct nvml_violation *time)
{
    char name[32];
    double value = 0;
    CHECK(nvmlDeviceGetViolationStatus);
    snprintf(name, sizeof name, "violation.%d", policy);
    const int code = quantity(&value, device, name);
    *time = (struct nvml_violation){ .violation_ns = (unsigned long long)value };
    return code;
}

int nvmlDeviceGetTemperatureV(NVML_DEVICE, struct nvml_temperature *temperature)
{
    double value = 0;
    CHECK(nvmlDeviceGetTemperatureV);
    if (temperature->version != NVML_TEMPERATURE_V1)
        return 25; /* the argument's version is wrong */
    const int code = quantity(&value, device, "celsius");
    temperature->celsius = (int)value;
    return code;
}

int nvmlDeviceGetUtilizationRates(NVML_DEVICE, struct nvml_utilization *percent)
{
    double gpu = 0, memory = 0;
    CHECK(nvmlDeviceGetUtilizationRates);
    const int code = quantity(&gpu, device, "utilization"), other = quantity(&memory, device, "memory_utilization");
    *percent = (struct nvml_utilization){ (unsigned)gpu, (unsigned)memory };
    return code != NVML_SUCCESS ? code : other;
}

static size_t own_bytes(void)
{
    return fake_own_bytes ? fake_own_bytes() : 0;
}

int nvmlDeviceGetMemoryInfo(NVML_DEVICE, struct nvml_memory *bytes)
{
    double total = 0, used = 0;
    CHECK(nvmlDeviceGetMemoryInfo);
    const int code = quantity(&total, device, "total_bytes"), other = quantity(&used, device, "used_bytes");
    used += (double)own_bytes();
    *bytes = (struct nvml_memory){ (unsigned long long)total, (unsigned long long)(total - used), (unsigned long long)used };
    return code != NVML_SUCCESS ? code : other;
}

int nvmlDeviceGetEccMode(NVML_DEVICE, int *current, int *pending)
{
    double value = 0;
    CHECK(nvmlDeviceGetEccMode);
    const int code = quantity(&value, device, "ecc");
    *current = *pending = (int)value;
    return code;
}

int nvmlDeviceGetMigMode(NVML_DEVICE, unsigned *current, unsigned *pending)
{
    double value = 0;
    CHECK(nvmlDeviceGetMigMode);
    const int code = quantity(&value, device, "mig");
    *current = *pending = (unsigned)value;
    return code;
}

int nvmlDeviceGetMaxMigDeviceCount(NVML_DEVICE, unsigned *count)
{
    (void)device;
    *count = 0;
    return NVML_SUCCESS;
}

/* --- processes ------------------------------------------------------------------------------------------- */

static void add_process(struct nvml_process *list, unsigned room, unsigned *count, unsigned pid, double bytes)
{
    if (*count < room)
        list[*count] = (struct nvml_process){ .pid = pid, .used_bytes = bytes < 0 ? ~0ULL : (unsigned long long)bytes,
                                              .gpu_instance = ~0u, .compute_instance = ~0u };
    ++*count;
}

static bool is_child(int pid)
{
    char path[64], text[512];
    int parent = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "r");
    if (!file)
        return false;
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    const char *after = strrchr(text, ')');
    return after && sscanf(after, ") %*c %d", &parent) == 1 && parent == getpid();
}

static void add_children(struct nvml_process *list, unsigned room, unsigned *count, double bytes)
{
    DIR *folder = opendir("/proc");
    for (struct dirent *e; folder && (e = readdir(folder));)
        if (isdigit((unsigned char)*e->d_name) && is_child(atoi(e->d_name)))
            add_process(list, room, count, (unsigned)atoi(e->d_name), bytes);
    if (folder)
        closedir(folder);
}

int nvmlDeviceGetComputeRunningProcesses_v3(NVML_DEVICE, unsigned *count, struct nvml_process *list)
{
    double unused = 0;
    const unsigned room = *count;
    CHECK(nvmlDeviceGetComputeRunningProcesses_v3);
    const int code = quantity(&unused, device, "processes");
    const long n = quantity_of(device, "processes")->reads;
    *count = 0;
    if (code == NVML_SUCCESS && own_bytes())
        add_process(list, room, count, (unsigned)getpid(), (double)own_bytes());
    for (size_t i = 0; i < fake.line_count && code == NVML_SUCCESS; i++) {
        const struct line *l = &fake.lines[i];
        if (l->kind != LINE_PROCESS || &fake.devices[l->device] != device || n < l->from || n > l->to)
            continue;
        if (strcmp(l->name, "children") == 0)
            add_children(list, room, count, l->value);
        else
            add_process(list, room, count, strcmp(l->name, "parent") == 0 ? (unsigned)getppid() : (unsigned)atoi(l->name),
                        l->value);
    }
    return code == NVML_SUCCESS && *count > room ? NVML_INSUFFICIENT_SIZE : code;
}

int nvmlDeviceGetGraphicsRunningProcesses_v3(NVML_DEVICE, unsigned *count, struct nvml_process *list)
{
    (void)device, (void)list;
    *count = 0;
    return NVML_SUCCESS;
}

/* --- events ---------------------------------------------------------------------------------------------- */

int nvmlEventSetCreate(struct nvmlEventSet_st **out)
{
    *out = (struct nvmlEventSet_st *)(void *)&fake.watched;
    return NVML_SUCCESS;
}

int nvmlDeviceRegisterEvents(NVML_DEVICE, unsigned long long types, struct nvmlEventSet_st *set)
{
    (void)set;
    if (types != NVML_EVENT_XID)
        return NVML_NOT_SUPPORTED;
    fake.watched = device;
    return NVML_SUCCESS;
}

/* `xids` is the number of events so far. */
int nvmlEventSetWait_v2(struct nvmlEventSet_st *set, struct nvml_event *event, unsigned timeout_ms)
{
    double all = 0;
    (void)set, (void)timeout_ms;
    const int code = quantity(&all, fake.watched, "xids");
    if (code != NVML_SUCCESS || all <= fake.xids_told)
        return code != NVML_SUCCESS ? code : NVML_TIMEOUT;
    fake.xids_told++;
    *event = (struct nvml_event){ .device = fake.watched, .type = NVML_EVENT_XID, .data = 79 };
    return NVML_SUCCESS;
}

int nvmlEventSetFree(struct nvmlEventSet_st *set)
{
    (void)set;
    return NVML_SUCCESS;
}
