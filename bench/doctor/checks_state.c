/* The state of each GPU, as NVML tells it. Nothing is ever changed; remedies are for an administrator. */
#include "bench/doctor/checks.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernels/base/len.h"
#include "kernels/base/nvml.h"
#include "kernels/base/text.h"

#define MIB (1024.0 * 1024.0)

/* --- fields --------------------------------------------------------------------------------------------- */

/* NaN if the field is not told; *reason is why. */
static double field(const struct fact_device *d, const char *name, const char **reason)
{
    const json_t *value = json_object_get(d->state, name);
    *reason = json_is_string(value) ? json_string_value(value) : "not_found";
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static const char *gpu_name(struct judge *j, size_t i)
{
    const struct fact_device *d = &j->facts->nvml.devices[i];
    return judge_text(j, "GPU %zu (%s)", i, *d->name ? d->name : "name not told");
}

/* One look at every GPU; all that one needs is told, or one line says what is not. */
static void each_gpu(struct judge *j, const char *const *fields, size_t count,
                     void (*look)(struct judge *j, size_t gpu, const double *values))
{
    double values[8];
    for (size_t i = 0; i < j->facts->nvml.device_count; i++) {
        const char *reason = NULL, *missing = NULL;
        for (size_t k = 0; k < count && !missing; k++) {
            values[k] = field(&j->facts->nvml.devices[i], fields[k], &reason);
            missing = isnan(values[k]) ? fields[k] : NULL;
        }
        if (missing)
            judge_unread(j, judge_text(j, "%s: %s", gpu_name(j, i), missing), reason);
        else
            look(j, i, values);
    }
    if (j->facts->nvml.device_count == 0)
        judge_unread(j, "the GPUs of NVML", "not_found");
}

static const char *number(struct judge *j, double value)
{
    return judge_text(j, "%.0f", value);
}

/* --- one function per check ----------------------------------------------------------------------------- */

static const struct outcome persistence_outcomes[] = {
    { .name = "on", LEVEL_OK, "<gpu>: persistence mode is on", NULL },
    { .name = "cold", LEVEL_WARN,
      "<gpu>: persistence mode is off: the first call after idle pays for starting the driver",
      "start nvidia-persistenced" },
};

static void persistence_of(struct judge *j, size_t gpu, const double *v)
{
    SAY(j, v[0] > 0 ? "on" : "cold", { "gpu", gpu_name(j, gpu) }, { "persistence", number(j, v[0]) });
}

static void look_persistence(struct judge *j)
{
    static const char *const fields[] = { "persistence" };
    each_gpu(j, fields, LEN(fields), persistence_of);
}

static const struct outcome ecc_outcomes[] = {
    { .name = "mode", LEVEL_NOTE,
      "<gpu>: ECC is <mode>, no uncorrected errors since the driver was loaded",
      NULL },
    { .name = "ecc", LEVEL_FAIL,
      "<gpu>: <errors> uncorrected memory errors since the driver was loaded",
      "read the kernel log; reset the GPU or replace it" },
    { .name = "remap_failed", LEVEL_FAIL, "<gpu>: a row of its memory could not be remapped", "replace it" },
    { .name = "pending", LEVEL_WARN, "<gpu>: <what> waits for a reset", "reset the GPU at the next chance" },
};

static void ecc_of(struct judge *j, size_t gpu, const double *v)
{
    const struct gpu_fill name = { "gpu", gpu_name(j, gpu) }, errors = { "errors", number(j, v[2]) };
    const char *reason;
    const struct fact_device *d = &j->facts->nvml.devices[gpu];
    if (v[2] > 0)
        SAY(j, "ecc", name, errors);
    else
        SAY(j, "mode", name, errors, { "mode", v[0] > 0 ? "on" : "off" });
    if (field(d, "remap_failed", &reason) > 0)
        SAY(j, "remap_failed", name);
    if (field(d, "remap_pending", &reason) > 0)
        SAY(j, "pending", name, { "what", "the remapping of a row" });
    if (v[0] != v[1])
        SAY(j, "pending", name, { "what", "a change of the ECC mode" });
}

static void look_ecc(struct judge *j)
{
    static const char *const fields[] = { "ecc_mode", "ecc_pending", "ecc_uncorrected" };
    each_gpu(j, fields, LEN(fields), ecc_of);
}

static const struct outcome mig_outcomes[] = {
    { .name = "off", LEVEL_OK, "<gpu>: MIG is off", NULL },
    { .name = "mig", LEVEL_NOTE,
      "<gpu>: MIG is on with <instances> instances: utilisation cannot be read",
      NULL },
    { .name = "mig_empty", LEVEL_FAIL,
      "<gpu>: MIG is on and has no instance: CUDA sees no device",
      "an administrator creates one (nvidia-smi mig -cgi PROFILE -C), or turns MIG off" },
};

static void mig_of(struct judge *j, size_t gpu, const double *v)
{
    const char *reason;
    const double instances = field(&j->facts->nvml.devices[gpu], "mig_instances", &reason);
    const struct gpu_fill name = { "gpu", gpu_name(j, gpu) };
    SAY(j, v[0] == 0 ? "off" : instances == 0 ? "mig_empty" : "mig", name,
        { "instances", isnan(instances) ? "an unknown number of" : number(j, instances) });
}

static void look_mig(struct judge *j)
{
    static const char *const fields[] = { "mig_mode" };
    each_gpu(j, fields, LEN(fields), mig_of);
}

static const struct outcome power_outcomes[] = {
    { .name = "full", LEVEL_OK, "<gpu>: power limit <limit> W", NULL },
    { .name = "capped", LEVEL_WARN,
      "<gpu>: power limit <limit> W of <default> W: comparable only with runs under the same "
      "limit",
      "an administrator sets nvidia-smi -pl <default>" },
    { .name = "capping", LEVEL_NOTE, "<gpu>: the software power cap holds the clocks down now", NULL },
};

static void power_of(struct judge *j, size_t gpu, const double *v)
{
    const char *reason;
    const double reasons = field(&j->facts->nvml.devices[gpu], "reasons", &reason);
    const struct gpu_fill name = { "gpu", gpu_name(j, gpu) };
    SAY(j, v[0] < v[1] ? "capped" : "full", name, { "limit", number(j, v[0] / 1000) },
        { "default", number(j, v[1] / 1000) });
    if (!isnan(reasons) && (unsigned long long)reasons & NVML_REASON_SW_POWER_CAP)
        SAY(j, "capping", name);
}

static void look_power(struct judge *j)
{
    static const char *const fields[] = { "power_limit_mw", "power_default_mw" };
    each_gpu(j, fields, LEN(fields), power_of);
}

#define NEAR_CELSIUS 5
static const struct outcome throttle_outcomes[] = {
    { .name = "free", LEVEL_OK, "<gpu>: not throttled in two readings 1 s apart", NULL },
    { .name = "throttled", LEVEL_WARN, "<gpu>: <why>", "look at cooling, power supply and load" },
};

static const char *reason_names(struct judge *j, unsigned long long reasons)
{
    static const struct { unsigned long long bit; const char *name; } names[] = {
        { NVML_REASON_HW_SLOWDOWN, "HW slowdown" }, { NVML_REASON_SW_THERMAL, "SW thermal slowdown" },
        { NVML_REASON_HW_THERMAL, "HW thermal slowdown" }, { NVML_REASON_POWER_BRAKE, "power brake" },
    };
    const char *all = "";
    for (size_t i = 0; i < LEN(names); i++)
        if (reasons & names[i].bit)
            all = judge_text(j, "%s%s%s", all, *all ? ", " : "", names[i].name);
    return all;
}

static void throttle_of(struct judge *j, size_t gpu, const double *v)
{
    const struct fact_device *d = &j->facts->nvml.devices[gpu];
    const char *reason, *names;
    const double later = field(d, "reasons@1", &reason), celsius = field(d, "celsius", &reason),
                 slowdown = field(d, "slowdown_celsius", &reason);
    const unsigned long long first = (unsigned long long)v[0];
    const struct gpu_fill name = { "gpu", gpu_name(j, gpu) }, bits = { "reasons", number(j, v[0]) };
    names =
        reason_names(j, isnan(later) ? first : first & (unsigned long long)later); /* NaN: nothing changed */
    const bool near = !isnan(celsius) && !isnan(slowdown) && celsius >= slowdown - NEAR_CELSIUS;
    if (*names)
        SAY(j, "throttled", name, bits, { "why", judge_text(j, "throttled: %s", names) });
    if (near)
        SAY(j, "throttled", name, bits,
            { "why", judge_text(j, "%.0f C, within %d degrees of the slowdown at %.0f C", celsius,
                                NEAR_CELSIUS, slowdown) });
    if (!*names && !near)
        SAY(j, "free", name, bits);
}

static void look_throttle(struct judge *j)
{
    static const char *const fields[] = { "reasons" };
    each_gpu(j, fields, LEN(fields), throttle_of);
}

static const struct outcome pcie_outcomes[] = {
    { .name = "full", LEVEL_OK, "<gpu>: PCIe x<width>", NULL },
    { .name = "narrow", LEVEL_WARN,
      "<gpu>: PCIe x<width> of x<max>",
      "reseat the card, or take another slot" },
    { .name = "slow_link", LEVEL_WARN,
      "<gpu>: PCIe generation <generation> of <max> under load",
      "reseat the card, take another slot, or look into the firmware's setup" },
    { .name = "replays", LEVEL_WARN,
      "<gpu>: the PCIe link repeated <count> packets within one short run",
      "reseat the card: the link makes errors" },
};

static void pcie_of(struct judge *j, size_t gpu, const double *v)
{
    SAY(j, v[0] < v[1] ? "narrow" : "full", { "gpu", gpu_name(j, gpu) }, { "width", number(j, v[0]) },
        { "max", number(j, v[1]) });
}

/* What --smoke saw of GPU `gpu` under load, NULL: nothing. An idle link steps down, so its generation counts only
 * here. */
static const json_t *under_load(const struct facts *f, const char *uuid)
{
    json_t *smoke = json_object_get(f->answers, "smoke"), *devices, *answer;
    const char *engine, *device;
    json_object_foreach(smoke, engine, devices)
        json_object_foreach(devices, device, answer) {
            const json_t *load = json_object_get(answer, "under_load");
            const char *name = json_string_value(json_object_get(load, "uuid"));
            if (name && *uuid && strcmp(name, uuid) == 0)
                return load;
        }
    return NULL;
}

static void pcie_under_load(struct judge *j, size_t gpu)
{
    const struct fact_device *device = &j->facts->nvml.devices[gpu];
    const json_t *load = under_load(j->facts, device->uuid), *now = json_object_get(load, "link_generation"),
                 *most = json_object_get(load, "link_generation_max"), *after = json_object_get(load, "replays"),
                 *before = json_object_get(device->state, "replays");
    if (json_is_number(now) && json_is_number(most) && json_number_value(now) < json_number_value(most))
        SAY(j, "slow_link", { "gpu", gpu_name(j, gpu) }, { "generation", number(j, json_number_value(now)) },
            { "max", number(j, json_number_value(most)) });
    if (json_is_number(before) && json_is_number(after) && json_number_value(after) > json_number_value(before))
        SAY(j, "replays", { "gpu", gpu_name(j, gpu) },
            { "count", number(j, json_number_value(after) - json_number_value(before)) });
}

static void look_pcie(struct judge *j)
{
    static const char *const fields[] = { "link_width", "link_width_max" };
    each_gpu(j, fields, LEN(fields), pcie_of);
    for (size_t gpu = 0; gpu < j->facts->nvml.device_count; gpu++)
        pcie_under_load(j, gpu);
}

static const struct outcome mode_outcomes[] = {
    { .name = "clocks", LEVEL_NOTE, "<gpu>: SM clock <now> of at most <max> MHz now", NULL },
    { .name = "exclusive", LEVEL_NOTE, "<gpu>: compute mode exclusive: one process at a time", NULL },
    { .name = "prohibited", LEVEL_FAIL, "<gpu>: compute mode prohibited: CUDA may not use it",
      "an administrator sets nvidia-smi -c DEFAULT" },
};

static void mode_of(struct judge *j, size_t gpu, const double *v)
{
    const struct gpu_fill name = { "gpu", gpu_name(j, gpu) };
    const int mode = (int)v[0];
    if (mode == NVML_COMPUTE_PROHIBITED)
        SAY(j, "prohibited", name);
    else if (mode != NVML_COMPUTE_DEFAULT)
        SAY(j, "exclusive", name);
    SAY(j, "clocks", name, { "now", number(j, v[1]) }, { "max", number(j, v[2]) });
}

static void look_mode(struct judge *j)
{
    static const char *const fields[] = { "compute_mode", "sm_mhz", "sm_max_mhz" };
    each_gpu(j, fields, LEN(fields), mode_of);
}

#define SHARED_PART 0.05
static const struct outcome memory_outcomes[] = {
    { .name = "free", LEVEL_OK, "<gpu>: <free> of <total> MiB are free", NULL },
    { .name = "shared", LEVEL_WARN,
      "<gpu>: <used> of <total> MiB are in use (<processes>): the memory budget counts what "
      "others hold",
      "end those processes, or measure when they are done" },
};

static void memory_of(struct judge *j, size_t gpu, const double *v)
{
    const json_t *list = json_object_get(j->facts->nvml.devices[gpu].state, "processes");
    const char *all = "";
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);
        const double bytes = json_number_value(json_object_get(one, "bytes"));
        all = judge_text(j, "%s%spid %lld: %s", all, *all ? ", " : "",
                         (long long)json_integer_value(json_object_get(one, "pid")),
                         bytes > 0 ? judge_text(j, "%.0f MiB", bytes / MIB) : "size not told");
    }
    SAY(j, v[1] > SHARED_PART * v[0] ? "shared" : "free", { "gpu", gpu_name(j, gpu) },
        { "total", number(j, v[0] / MIB) }, { "used", number(j, v[1] / MIB) },
        { "free", number(j, v[2] / MIB) }, { "processes", *all ? all : "by processes that are not told" });
}

static void look_memory(struct judge *j)
{
    static const char *const fields[] = { "memory_total", "memory_used", "memory_free" };
    each_gpu(j, fields, LEN(fields), memory_of);
}

/* --- the table ------------------------------------------------------------------------------------------ */

#define STATE(name, list)                                                                                    \
    {                                                                                                        \
        .id = "gpu." #name, .needs = { "gpu.nvml" }, .parts = FACTS_NVML, .look = look_##name,               \
        .outcomes = list, .outcome_count = LEN(list)                                                         \
    }
const struct check checks_state[] = {
    STATE(persistence, persistence_outcomes), STATE(ecc, ecc_outcomes), STATE(mig, mig_outcomes),
    STATE(power, power_outcomes), STATE(throttle, throttle_outcomes), STATE(pcie, pcie_outcomes),
    STATE(mode, mode_outcomes), STATE(memory, memory_outcomes),
};
const size_t checks_state_count = LEN(checks_state);
