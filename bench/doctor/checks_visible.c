/* What the environment lets a process see, and what in it changes numbers. */
#include "bench/doctor/checks.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "kernels/base/len.h"

/* --- gpu.visibility ------------------------------------------------------------------------------------- */

#define LIST "CUDA_VISIBLE_DEVICES"
static const struct outcome visibility_outcomes[] = {
    { .name = "all", LEVEL_OK, LIST " is not set: every GPU can be used<created>", NULL },
    { .name = "list", LEVEL_NOTE, LIST "=<list>: <devices><created>", NULL },
    { .name = "empty", LEVEL_NOTE,
      LIST "=\"<list>\": every GPU is hidden<created>",
      "unset " LIST " to use one",
      .stops = true,
      .required = true },
    { .name = "not_a_list", LEVEL_FAIL,
      LIST "=<list> is not a device list, CUDA takes it as no device<created>",
      "unset it, or set it to 0,1 or GPU-uuid" },
    { .name = "beyond", LEVEL_FAIL,
      LIST "=<list>: <item> names no GPU (<range>), it and all after it are ignored<created>",
      "name GPUs that are here, or unset it" },
    { .name = "order", LEVEL_WARN,
      "GPUs of different models: cuda:0 is NVML index <index>",
      "CUDA_DEVICE_ORDER=PCI_BUS_ID" },
};

/* GPUs that are known, and by which uuids. */
struct known {
    int count;                       /* -1: not told */
    const struct fact_device *devices;
    size_t device_count;
};

static struct known known_gpus(const struct facts *f)
{
    struct known k = { .count = f->nvml.count,
                       .devices = f->nvml.devices,
                       .device_count = f->nvml.device_count };
    if (k.count < 0 && f->pci_count && !*f->container)
        k.count = (int)f->pci_count;
    return k;
}

static bool is_uuid(const char *item)
{
    return strncmp(item, "GPU-", 4) == 0 || strncmp(item, "MIG-", 4) == 0;
}

static bool is_number(const char *item)
{
    return *item && strspn(item, "0123456789") == strlen(item) && strlen(item) < 6;
}

/* Which GPU the item names: its uuid, or NULL and *bad if there is none like that. */
static const char *device_of(struct judge *j, const char *item, const struct known *k, bool *bad)
{
    *bad = false;
    if (is_number(item)) {
        const int index = atoi(item);
        *bad = k->count >= 0 && index >= k->count;
        return !*bad && (size_t)index < k->device_count && *k->devices[index].uuid
                   ? k->devices[index].uuid : judge_text(j, "index %d", index);
    }
    for (size_t i = 0; i < k->device_count; i++)
        if (strncasecmp(item, k->devices[i].uuid, strlen(item)) == 0)
            return k->devices[i].uuid;
    *bad = k->device_count > 0 && strncmp(item, "GPU-", 4) == 0;
    return item;
}

static const char *range_text(struct judge *j, const struct known *k)
{
    return k->count == 0   ? "there is none"
           : k->count == 1 ? "only 0 is here"
                           : judge_text(j, "0..%d", k->count - 1);
}

/* A list of numbers and uuids: what each one names, up to the first that names nothing. */
static void look_list(struct judge *j, const char *list, struct gpu_fill created)
{
    const struct known k = known_gpus(j->facts);
    const struct gpu_fill text = { "list", list };
    const char *devices = "";
    char *copy = strdup(list), *rest = copy, *item;
    int index = 0;
    bool bad = false;
    while (copy && !bad && (item = strsep(&rest, ","))) {
        item += strspn(item, " ");
        const char *device = device_of(j, item, &k, &bad);
        if (bad)
            SAY(j, "beyond", text, created, { "item", judge_text(j, "%s", item) },
                { "range", range_text(j, &k) });
        else
            devices = judge_text(j, "%s%scuda:%d is %s", devices, index ? ", " : "", index, device);
        index++;
    }
    if (copy && !bad)
        SAY(j, "list", text, created, { "devices", devices });
    free(copy);
}

static bool is_list(const char *text)
{
    char *copy = strdup(text), *rest = copy, *item;
    bool good = copy != NULL;
    while (copy && good && (item = strsep(&rest, ","))) {
        item += strspn(item, " ");
        good = is_number(item) || is_uuid(item);
    }
    free(copy);
    return good;
}

/* Two models: CUDA numbers the fastest first, NVML goes by the bus. */
static void look_order(struct judge *j)
{
    const struct facts *f = j->facts;
    bool models = false;
    for (size_t i = 1; i < f->nvml.device_count; i++)
        models |= strcmp(f->nvml.devices[i].name, f->nvml.devices[0].name) != 0;
    if (!models || facts_env(f, "CUDA_DEVICE_ORDER") || facts_env(f, LIST) || f->cuda.device_count == 0)
        return;
    for (size_t i = 1; i < f->nvml.device_count; i++)
        if (*f->nvml.devices[i].uuid && strcasecmp(f->nvml.devices[i].uuid, f->cuda.devices[0].uuid) == 0)
            SAY(j, "order", { "index", judge_text(j, "%zu", i) }, { "uuid", f->nvml.devices[i].uuid });
}

static void look_visibility(struct judge *j)
{
    const struct facts *f = j->facts;
    const char *list = facts_env(f, LIST), *container = facts_env(f, "NVIDIA_VISIBLE_DEVICES");
    const struct gpu_fill created = {
        "created",
        container
            ? judge_text(j, "; NVIDIA_VISIBLE_DEVICES=%s acts only when a container is created", container)
            : ""
    };
    const struct gpu_fill text = { "list", list };
    if (!f->env)
        judge_unread(j, "the environment", "not_found");
    else if (!list)
        SAY(j, "all", created);
    else if (!*list || strcmp(list, "-1") == 0)
        SAY(j, "empty", text, created);
    else if (!is_list(list))
        SAY(j, "not_a_list", text, created);
    else
        look_list(j, list, created);
    look_order(j);
}

/* --- gpu.toolkit ---------------------------------------------------------------------------------------- */

static const struct outcome toolkit_outcomes[] = {
    { .name = "runtime", LEVEL_OK, "/etc/docker/daemon.json has the runtime nvidia", NULL },
    { .name = "cdi", LEVEL_OK, "/etc/cdi describes devices for containers", NULL },
    { .name = "not_set_up", LEVEL_NOTE,
      "the container toolkit is installed, but neither daemon.json nor /etc/cdi names a GPU",
      "nvidia-ctk runtime configure, or nvidia-ctk cdi generate" },
    { .name = "absent", LEVEL_NOTE, "no container toolkit: containers get no GPU", NULL },
};

static void look_toolkit(struct judge *j)
{
    const struct facts *f = j->facts;
    const struct gpu_fill tools = { "tools", f->toolkit ? "yes" : "no" };
    if (*f->container)
        judge_skip(j, "does not apply inside a container");
    else
        SAY(j, f->docker_runtime ? "runtime" : f->cdi ? "cdi" : f->toolkit ? "not_set_up" : "absent", tools);
}

/* --- env.results ---------------------------------------------------------------------------------------- */

static const struct outcome env_outcomes[] = {
    { .name = "none", LEVEL_OK, "no variable is set that changes numbers", NULL },
    { .name = "recorded", LEVEL_NOTE, "variables that change numbers: <variables>", NULL },
    { .name = "serial", LEVEL_WARN,
      "CUDA_LAUNCH_BLOCKING=<value>: every launch waits for its kernel",
      "unset it" },
    { .name = "tf32", LEVEL_WARN,
      "NVIDIA_TF32_OVERRIDE=<value> overrides the precision that was asked for",
      "unset it" },
    { .name = "isa", LEVEL_WARN,
      "<variable>=<value> keeps the CPU engine below what the processor has (<has>)",
      "unset it" },
};

bool checks_know_variable(const char *name)
{
    static const char *const beginnings[] = { "CUDA_", "CUDNN_",  "OMP_",  "KMP_",      "GOMP_",
                                              "MKL_",  "ONEDNN_", "DNNL_", "OPENBLAS_", "MALLOC_" };
    static const char *const names[] = { "NVIDIA_TF32_OVERRIDE", "LD_PRELOAD", "LD_LIBRARY_PATH" };
    for (size_t i = 0; i < LEN(beginnings); i++)
        if (strncmp(name, beginnings[i], strlen(beginnings[i])) == 0)
            return true;
    for (size_t i = 0; i < LEN(names); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return strncmp(name, "PYTORCH_", 8) == 0 && strstr(name, "ALLOC_CONF");
}

/* Steps of oneDNN's instruction sets, with the flag of /proc/cpuinfo that each needs. */
static const struct { const char *name, *flag; } isas[] = {
    { "SSE41", " sse4_1 " }, { "AVX", " avx " }, { "AVX2", " avx2 " }, { "AVX2_VNNI", " avx_vnni " },
    { "AVX512_CORE", " avx512f " }, { "AVX512_CORE_VNNI", " avx512_vnni " },
    { "AVX512_CORE_BF16", " avx512_bf16 " }, { "AVX512_CORE_FP16", " avx512_fp16 " },
    { "AVX512_CORE_AMX", " amx_bf16 " },
};

static void look_isa(struct judge *j, const char *variable)
{
    const char *value = facts_env(j->facts, variable);
    size_t limit = LEN(isas), has = 0;
    for (size_t i = 0; value && i < LEN(isas); i++) {
        if (strcasecmp(value, isas[i].name) == 0)
            limit = i;
        if (strstr(j->facts->cpu.flags, isas[i].flag))
            has = i;
    }
    if (limit < has)
        SAY(j, "isa", { "variable", variable }, { "value", value }, { "has", isas[has].name });
}

static void look_env(struct judge *j)
{
    const struct facts *f = j->facts;
    const char *name, *all = "", *serial = facts_env(f, "CUDA_LAUNCH_BLOCKING"),
               *tf32 = facts_env(f, "NVIDIA_TF32_OVERRIDE");
    json_t *value;
    if (!f->env) {
        judge_unread(j, "the environment", "not_found");
        return;
    }
    json_object_foreach((json_t *)(size_t)f->env, name, value)
        if (checks_know_variable(name))
            all = judge_text(j, "%s%s%s=%s", all, *all ? " " : "", name, json_string_value(value));
    SAY(j, *all ? "recorded" : "none", { "variables", all });
    if (serial && strcmp(serial, "0") != 0 && *serial)
        SAY(j, "serial", { "value", serial });
    if (tf32)
        SAY(j, "tf32", { "value", tf32 });
    look_isa(j, "ONEDNN_MAX_CPU_ISA");
    look_isa(j, "DNNL_MAX_CPU_ISA");
}

/* --- the table ------------------------------------------------------------------------------------------ */

#define OUTCOMES(list) .outcomes = list, .outcome_count = LEN(list)
const struct check checks_visible[] = {
    { .id = "gpu.visibility", .needs = { "gpu.pci", "gpu.container" }, .parts = FACTS_NVML | FACTS_CUDA,
      .look = look_visibility, OUTCOMES(visibility_outcomes) },
    { .id = "gpu.toolkit", .needs = { "gpu.pci" }, .look = look_toolkit, OUTCOMES(toolkit_outcomes) },
    { .id = "env.results", .look = look_env, OUTCOMES(env_outcomes) },
};
const size_t checks_visible_count = LEN(checks_visible);
