/* What the driver's libraries answer: NVML, both versions, CUDA, numbers of GPUs. */
#include "bench/doctor/checks.h"

#include <stdio.h>
#include <string.h>

#include "bench/doctor/driver.h"
#include "kernels/base/len.h"

/* --- GPUs by address ------------------------------------------------------------------------------------ */

/* "00000000:01:00.0" and "0000:01:00.0" are the same: domain and bus as hexadecimal numbers. */
static bool same_address(const char *a, const char *b)
{
    unsigned da, ba, sa, fa, db, bb, sb, fb;
    return sscanf(a, "%x:%x:%x.%x", &da, &ba, &sa, &fa) == 4 &&
           sscanf(b, "%x:%x:%x.%x", &db, &bb, &sb, &fb) == 4 && da == db && ba == bb && sa == sb && fa == fb;
}

static const char *lost_address(const struct facts *f)
{
    for (size_t i = 0; i < f->pci_count; i++) {
        size_t k = 0;
        while (k < f->nvml.device_count && !same_address(f->pci[i].address, f->nvml.devices[k].address))
            k++;
        if (k == f->nvml.device_count)
            return f->pci[i].address;
    }
    return NULL;
}

/* --- gpu.nvml ------------------------------------------------------------------------------------------- */

#define HANG { .name = "hang", LEVEL_FAIL, "<function> did not return in <limit> s", \
               "read the kernel log; look for processes in state D; reboot" }
#define CRASHED { .name = "crashed", LEVEL_FAIL, "<function> ended the process that called it", \
                  "read the kernel log; reinstall the driver's user-space package" }
static const struct outcome nvml_outcomes[] = {
    { .name = "ok", LEVEL_OK, "NVML <version> of driver <driver> sees <count>", NULL },
    HANG, CRASHED,
};

static const char *gpus(struct judge *j, int count)
{
    return count < 0 ? "an unknown number of GPUs" : judge_text(j, "%d GPU%s", count, count == 1 ? "" : "s");
}

/* What every sentence about a driver may name. */
static void say_code(struct judge *j, enum gpu_api api, int code, const char *said,
                     const struct fact_driver *d, const char *function)
{
    const struct facts *f = j->facts;
    const char *lost = f->pci_count == 1 ? f->pci[0].address : lost_address(f);
    const struct gpu_fill fills[] = {
        { "uid", f->uid_known ? judge_text(j, "%lu", f->uid) : NULL },
        { "address", lost ? lost : "(its address is not told)" },
        { "function", function },
        { "code", judge_text(j, "%d", code) },
        { "error", *d->error ? d->error : "no text" },
        { "driver", *f->module.text ? f->module.text : NULL },
        { "offers", *f->cuda.driver_version ? f->cuda.driver_version : NULL },
        { "wants", driver_runtime(f) },
        { "capability",
          f->cuda.device_count && *f->cuda.devices[0].capability ? f->cuda.devices[0].capability : NULL },
        { "kernel", f->kernel },
    };
    judge_code(j, api, code, said, fills, LEN(fills));
}

/* True if the driver did not answer, which then has been said. */
static bool no_answer(struct judge *j, const struct fact_driver *d, const char *name)
{
    const char *calling = *d->calling ? d->calling : "the first call";
    if (*d->absent)
        judge_unread(j, name, d->absent);
    else if (d->hang)
        SAY(j, "hang", { "function", calling }, { "limit", judge_text(j, "%d", FACTS_LIMIT_S) });
    else if (d->crashed)
        SAY(j, "crashed", { "function", calling });
    else if (!d->called)
        judge_unread(j, name, "its first call was not answered");
    else
        return false;
    return true;
}

/* Code of the first device that cannot even be opened; 0: all can. */
static int device_code(const struct fact_driver *d)
{
    json_int_t code = 0;
    for (size_t i = 0; i < d->device_count && code == 0; i++)
        code = json_integer_value(json_object_get(d->devices[i].state, "code"));
    return (int)code;
}

static void look_nvml(struct judge *j)
{
    const struct fact_driver *d = &j->facts->nvml;
    if (no_answer(j, d, "NVML"))
        return;
    if (d->code != 0)
        say_code(j, GPU_API_NVML, d->code, NULL, d, *d->calling ? d->calling : "nvmlInit_v2");
    else if (device_code(d) != 0)
        say_code(j, GPU_API_NVML, device_code(d), NULL, d, "nvmlDeviceGetHandleByIndex_v2");
    else
        SAY(j, "ok", { "version", *d->library_version ? d->library_version : NULL },
            { "driver", *d->driver_version ? d->driver_version : NULL }, { "count", gpus(j, d->count) });
}

/* --- gpu.mismatch --------------------------------------------------------------------------------------- */

#define BOTH "the loaded kernel module is <module>, libnvidia-ml.so.1 is <library> (<path>)"
static const struct outcome mismatch_outcomes[] = {
    { .name = "equal", LEVEL_OK, "kernel module and libraries are both <module>", NULL },
    { .name = "mismatch", LEVEL_FAIL, BOTH ": <why><codes>", "<remedy>" },
    { .name = "mismatch_hidden", LEVEL_FAIL,
      BOTH ": both files say <module>, so another copy is loaded<codes>",
      "look which copies there are: <path>, <cuda_path>" },
    { .name = "tolerated", LEVEL_WARN, BOTH ": works today, do not rely on it", "reboot at the next chance" },
    { .name = "mismatch_half", LEVEL_FAIL,
      BOTH ": they differ<codes>",
      "reboot; in a container recreate it" },
};

static const char *mismatch_name(int order, bool half, bool refused)
{
    if (!refused)
        return order == 0 ? "equal" : "tolerated";
    return half ? "mismatch_half" : order == 0 ? "mismatch_hidden" : "mismatch";
}

/* Which side is behind, and what helps then. */
static void explain_order(struct gpu_fill *why, struct gpu_fill *remedy, struct judge *j, int order)
{
    const struct facts *f = j->facts;
    *why = (struct gpu_fill){ "why", "the packages were upgraded, the old module is still loaded (usually an "
                                     "unattended upgrade; running jobs go on)" };
    *remedy =
        (struct gpu_fill){ "remedy", "reboot, or stop all GPU processes and reload: modprobe -r nvidia_uvm "
                                     "nvidia_drm nvidia_modeset nvidia, then modprobe nvidia" };
    if (order >= 0)
        return;
    why->value = judge_text(j, "an older copy is found first: %s", f->nvml_library.path);
    remedy->value = *f->container ? "recreate the container: its libraries were mounted when it was created"
                                  : judge_text(j, "remove %s, then run ldconfig", f->nvml_library.path);
}

static void look_mismatch(struct judge *j)
{
    const struct facts *f = j->facts;
    const char *m = f->module.text, *l = driver_library_version(f);
    const bool nvml = f->nvml.called && f->nvml.code == 18, cuda = driver_cuda_code(f) == 803;
    const bool refused = nvml || cuda, half = !*m || !*l;
    struct gpu_fill why, remedy;
    if (half && !refused) {
        judge_unread(j, !*m ? "the version of the kernel module" : "the version of the libraries",
                     !*m && *f->module.absent ? f->module.absent : "no version in its name or answer");
        return;
    }
    const int order = half ? 0 : driver_compare_versions(l, m);
    explain_order(&why, &remedy, j, order);
    SAY(j, mismatch_name(order, half, refused),
        { "module", *m                  ? m
                    : *f->module.absent ? judge_text(j, "unknown (%s)", f->module.absent)
                                        : "unknown" },
        { "library", *l ? l : "unknown (no version in its name or answer)" },
        { "path", *f->nvml_library.path ? f->nvml_library.path : "no file" },
        { "cuda_path", *f->cuda_library.path ? f->cuda_library.path : "no libcuda" }, why, remedy,
        { "codes", nvml && cuda ? " (NVML 18, CUDA 803)"
                   : nvml       ? " (NVML 18)"
                   : cuda       ? " (CUDA 803)"
                                : "" });
}

/* --- gpu.cuda ------------------------------------------------------------------------------------------- */

static const struct outcome cuda_outcomes[] = {
    { .name = "ok", LEVEL_OK,
      "CUDA driver offers <offers>, the worker's runtime is <wants>; it sees <count>",
      NULL },
    { .name = "driver_only", LEVEL_OK,
      "CUDA driver offers <offers> and sees <count>; no CUDA worker told its runtime",
      NULL },
    HANG,
    CRASHED,
};

static void look_cuda(struct judge *j)
{
    const struct facts *f = j->facts;
    const struct fact_driver *d = &f->cuda;
    const char *said = NULL, *wants = driver_runtime(f);
    if (no_answer(j, d, "libcuda"))
        return;
    const int of_worker = driver_worker_code(f, &said);
    if (d->code != 0 || d->count == 0)
        say_code(j, GPU_API_CUDA, d->code ? d->code : 100, NULL, d, *d->calling ? d->calling : "cuInit");
    else if (of_worker)
        say_code(j, GPU_API_CUDA, of_worker, said, d, "the worker");
    else
        SAY(j, wants ? "ok" : "driver_only", { "offers", *d->driver_version ? d->driver_version : NULL },
            { "wants", wants }, { "count", gpus(j, d->count) });
}

/* --- gpu.count ------------------------------------------------------------------------------------------ */

static const struct outcome count_outcomes[] = {
    { .name = "equal", LEVEL_OK, "PCI, NVML and CUDA agree on <count>", NULL },
    { .name = "fewer", LEVEL_NOTE, "the PCI bus shows <pci>, this container was given <nvml>", NULL },
    { .name = "hidden", LEVEL_NOTE, "NVML sees <nvml>, CUDA <cuda>: see gpu.visibility", NULL },
    { .name = "lost", LEVEL_FAIL,
      "PCI lists <address>, NVML does not",
      "read the kernel log for that address" },
};

static void look_count(struct judge *j)
{
    const struct facts *f = j->facts;
    const char *lost = f->wsl ? NULL : lost_address(f);
    const struct gpu_fill nvml = { "nvml", gpus(j, f->nvml.count) },
                          cuda = { "cuda", gpus(j, f->cuda.count) },
                          pci = { "pci", gpus(j, (int)f->pci_count) };
    if (f->nvml.count < 0 || f->cuda.count < 0)
        judge_unread(j, "the number of GPUs", "not told");
    else if (lost && !*f->container)
        SAY(j, "lost", { "address", lost }, nvml, cuda, pci);
    else if (f->nvml.count > f->cuda.count)
        SAY(j, "hidden", nvml, cuda, pci);
    else if (lost)
        SAY(j, "fewer", nvml, cuda, pci);
    else
        SAY(j, "equal", { "count", gpus(j, f->nvml.count) }, nvml, cuda, pci);
}

/* --- the table ------------------------------------------------------------------------------------------ */

#define OUTCOMES(list) .outcomes = list, .outcome_count = LEN(list)
const struct check checks_driver[] = {
    { .id = "gpu.nvml",
      .needs = { "gpu.nodes", "gpu.libraries" },
      .parts = FACTS_NVML,
      .look = look_nvml,
      OUTCOMES(nvml_outcomes) },
    { .id = "gpu.mismatch",
      .needs = { "gpu.module", "gpu.libraries" },
      .parts = FACTS_NVML | FACTS_CUDA,
      .look = look_mismatch,
      OUTCOMES(mismatch_outcomes) },
    { .id = "gpu.cuda",
      .needs = { "gpu.nvml", "gpu.mismatch", "gpu.visibility" },
      .parts = FACTS_CUDA | FACTS_ENGINES,
      .look = look_cuda,
      OUTCOMES(cuda_outcomes) },
    { .id = "gpu.count",
      .needs = { "gpu.nvml", "gpu.cuda" },
      .parts = FACTS_NVML | FACTS_CUDA,
      .look = look_count,
      OUTCOMES(count_outcomes) },
};
const size_t checks_driver_count = LEN(checks_driver);
