/* The ladder of the GPU: bus, module, container, nodes, libraries, NVML, CUDA. */
#include "bench/doctor/checks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "bench/doctor/driver.h"
#include "kernels/base/len.h"

/* "00000000:01:00.0" and "0000:01:00.0" are the same: domain and bus as hexadecimal numbers. */
static bool same_address(const char *a, const char *b)
{
    unsigned da, ba, sa, fa, db, bb, sb, fb;
    return sscanf(a, "%x:%x:%x.%x", &da, &ba, &sa, &fa) == 4 && sscanf(b, "%x:%x:%x.%x", &db, &bb, &sb, &fb) == 4 &&
           da == db && ba == bb && sa == sb && fa == fb;
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

static bool has_node(const struct facts *f, const char *path)
{
    for (size_t i = 0; i < f->node_count; i++)
        if (strcmp(f->nodes[i].path, path) == 0)
            return true;
    return false;
}

/* --- gpu.pci -------------------------------------------------------------------------------------------------- */

static const struct outcome pci_outcomes[] = {
    { .name = "found", LEVEL_OK, "<count> on the PCI bus: <addresses>", NULL },
    { .name = "wsl", LEVEL_NOTE, "this is WSL: the GPU is /dev/dxg, module and nodes are Windows' own", NULL },
    { .name = "unlisted", LEVEL_NOTE, "the PCI bus shows no NVIDIA GPU, but /dev/nvidiactl is there", NULL },
    { .name = "none", LEVEL_NOTE, "no NVIDIA GPU on the PCI bus: only CPU engines can run", NULL, .stops = true,
      .required = true },
};

static void look_pci(struct judge *j)
{
    const struct facts *f = j->facts;
    const char *addresses = "";
    for (size_t i = 0; i < f->pci_count; i++)
        addresses = judge_text(j, "%s%s%s", addresses, i ? ", " : "", f->pci[i].address);
    if (f->pci_count)
        SAY(j, "found", { "count", judge_text(j, "%zu NVIDIA GPU%s", f->pci_count, f->pci_count > 1 ? "s" : "") },
            { "addresses", addresses });
    else if (f->wsl)
        SAY(j, "wsl", { "device", "/dev/dxg" });
    else if (has_node(f, "/dev/nvidiactl"))
        SAY(j, "unlisted", { "node", "/dev/nvidiactl" });
    else if (*f->pci_absent)
        judge_unread(j, "/sys/bus/pci/devices", f->pci_absent);
    else
        SAY(j, "none", { "looked_at", "/sys/bus/pci/devices" });
}

/* --- gpu.module ----------------------------------------------------------------------------------------------- */

static const struct outcome module_outcomes[] = {
    { .name = "loaded", LEVEL_OK, "the nvidia kernel module <version> is loaded", NULL },
    { .name = "nouveau", LEVEL_FAIL, "the nouveau driver holds the GPU", "blacklist nouveau, install the nvidia driver, reboot" },
    { .name = "not_loaded", LEVEL_FAIL, "the nvidia kernel module is not loaded",
      "modprobe nvidia; if that is refused, read dmesg (Secure Boot, or no module built for kernel <kernel>)" },
    { .name = "unparsable", LEVEL_WARN, "the nvidia kernel module is loaded, but its version cannot be made out of "
                                "/sys/module/nvidia/version and /proc/driver/nvidia/version", NULL },
};

static void look_module(struct judge *j)
{
    const struct facts *f = j->facts;
    if (f->wsl)
        judge_skip(j, "does not apply on WSL");
    else if (*f->module.text)
        SAY(j, "loaded", { "version", f->module.text }, { "kernel", f->kernel });
    else if (!*f->module.absent)
        SAY(j, "unparsable", { "version", NULL });
    else if (f->nouveau)
        SAY(j, "nouveau", { "module", "/sys/module/nouveau" });
    else
        SAY(j, "not_loaded", { "kernel", f->kernel });
    j->blocked &= !f->wsl;
}

/* --- gpu.container -------------------------------------------------------------------------------------------- */

#define RECREATE "recreate the container"
static const struct outcome container_outcomes[] = {
    { .name = "host", LEVEL_OK, "no container", NULL },
    { .name = "container", LEVEL_OK, "a container (<sign>) on a host that shows no NVIDIA driver", NULL },
    { .name = "with_gpu", LEVEL_OK, "a container (<sign>) with a GPU", NULL },
    { .name = "not_requested", LEVEL_NOTE, "the host has driver <module>, this container (<sign>) was given no GPU",
      "ask for one when the container is created (docker run --gpus all, in Compose a device reservation)",
      .stops = true, .required = true },
    { .name = "half_mounted", LEVEL_FAIL, "device nodes are in this container (<sign>), the driver's libraries are not",
      "recreate it with NVIDIA_DRIVER_CAPABILITIES=compute,utility" },
    { .name = "outdated", LEVEL_FAIL, "the driver's libraries in this container (<sign>) are of another version than the "
                              "host's module",
      RECREATE ": its libraries were mounted when it was created", .open = true },
    { .name = "rules_lost", LEVEL_FAIL, "the device nodes are in this container (<sign>), but may not be used: <seen>",
      RECREATE ": its device rules are gone (a reload of the daemon takes them)" },
};

static const struct fact_node *node_with(const struct facts *f, int error)
{
    for (size_t i = 0; i < f->node_count; i++)
        if (f->nodes[i].tried && f->nodes[i].error == error)
            return &f->nodes[i];
    return NULL;
}

static void look_container(struct judge *j)
{
    const struct facts *f = j->facts;
    const struct gpu_fill sign = { "sign", f->container };
    const bool libraries = *f->nvml_library.path || *f->cuda_library.path, nodes = f->node_count > 0;
    const struct fact_node *denied = node_with(f, EPERM);
    const int code = f->nvml.called ? f->nvml.code : 0;
    if (!*f->container)
        SAY(j, "host", { "sign", "none" });
    else if (!nodes && !libraries && !f->wsl && *f->module.text)
        SAY(j, "not_requested", sign, { "module", f->module.text });
    else if (!nodes && !libraries && !f->wsl)
        SAY(j, "container", sign);
    else if (nodes && !libraries)
        SAY(j, "half_mounted", sign);
    else if (code == 18)
        SAY(j, "outdated", sign);
    else if (denied || (nodes && (code == 17 || code == 999)))
        SAY(j, "rules_lost", sign,
            { "seen", denied ? judge_text(j, "opening %s is not permitted", denied->path)
                             : judge_text(j, "nvmlInit_v2 returned %d", code) });
    else
        SAY(j, "with_gpu", sign);
}

/* --- gpu.nodes ------------------------------------------------------------------------------------------------ */

static const struct outcome node_outcomes[] = {
    { .name = "ok", LEVEL_OK, "<nodes> can be opened", NULL },
    { .name = "missing", LEVEL_FAIL, "<node> is missing, CUDA cannot start",
      "nvidia-modprobe -u -c 0; in a container recreate it" },
    { .name = "no_access", LEVEL_FAIL, "user <uid> may not open <node> (mode <mode>, group <group>)",
      "add the user to that group, or let the driver's package set the mode" },
    { .name = "broken", LEVEL_FAIL, "<node> cannot be opened: <error>", "read the kernel log" },
    { .name = "hang", LEVEL_FAIL, "opening <node> did not return in <limit> s",
      "read the kernel log; look for processes in state D; reboot" },
};

static const char *missing_node(const struct facts *f)
{
    bool gpu = false;
    for (size_t i = 0; i < f->node_count; i++)
        gpu |= strspn(f->nodes[i].path + strlen("/dev/nvidia"), "0123456789") > 0;
    return !has_node(f, "/dev/nvidiactl") ? "/dev/nvidiactl" : !gpu ? "/dev/nvidia0"
           : !has_node(f, "/dev/nvidia-uvm") ? "/dev/nvidia-uvm" : NULL;
}

static void say_refused(struct judge *j, const struct fact_node *node)
{
    const struct gpu_fill path = { "node", node->path };
    const struct facts *f = j->facts;
    if (node->error == EACCES || node->error == EPERM)
        SAY(j, "no_access", path, { "uid", f->uid_known ? judge_text(j, "%lu", f->uid) : NULL },
            { "mode", judge_text(j, "%04o", node->mode) }, { "group", judge_text(j, "%u", node->group) });
    else
        SAY(j, "broken", path, { "error", strerror(node->error) });
}

static void look_nodes(struct judge *j)
{
    const struct facts *f = j->facts;
    const char *missing = missing_node(f), *all = "";
    if (f->wsl) {
        judge_skip(j, "does not apply on WSL");
        j->blocked = false;
        return;
    }
    if (missing) {
        SAY(j, "missing", { "node", missing });
        return;
    }
    for (size_t i = 0; i < f->node_count; i++) {
        all = judge_text(j, "%s%s%s", all, i ? ", " : "", f->nodes[i].path);
        if (f->nodes[i].tried && f->nodes[i].error) {
            say_refused(j, &f->nodes[i]);
            return;
        }
    }
    if (f->nodes_hang)
        SAY(j, "hang", { "node", f->nodes_hang_at }, { "limit", judge_text(j, "%d", FACTS_LIMIT_S) });
    else if (*f->nodes_absent)
        judge_unread(j, "opening the device nodes", f->nodes_absent);
    else
        SAY(j, "ok", { "nodes", all });
}

/* --- gpu.libraries -------------------------------------------------------------------------------------------- */

static const struct outcome library_outcomes[] = {
    { .name = "found", LEVEL_OK, "libcuda <cuda> and libnvidia-ml <nvml> of <folder>", NULL },
    { .name = "missing", LEVEL_FAIL, "<library> not found",
      "host: install the driver's user-space package; container: NVIDIA_DRIVER_CAPABILITIES lacks <capability>" },
    { .name = "stub", LEVEL_FAIL, "libcuda.so.1 is the linker's stub in <folder>", "take <folder> out of LD_LIBRARY_PATH" },
    { .name = "two_versions", LEVEL_FAIL, "libcuda is <cuda>, libnvidia-ml <nvml>",
      "one of them is a leftover: <cuda_path>, <nvml_path>" },
    { .name = "compat", LEVEL_NOTE, "forward-compatibility libcuda <cuda> in <folder>", NULL },
};

static void say_missing(struct judge *j, const struct fact_library *l, const char *name, const char *capability)
{
    SAY(j, "missing", { "library", name }, { "capability", capability },
        { "loader", *l->absent ? l->absent : NULL });
}

static void look_libraries(struct judge *j)
{
    const struct facts *f = j->facts;
    const struct fact_library *nvml = &f->nvml_library, *cuda = &f->cuda_library;
    const struct gpu_fill c = { "cuda", *cuda->version ? cuda->version : "of unknown version" },
                          n = { "nvml", *nvml->version ? nvml->version : "of unknown version" },
                          cp = { "cuda_path", cuda->path }, np = { "nvml_path", nvml->path },
                          folder = { "folder", cuda->folder };
    if (!*nvml->path && !*nvml->absent)
        judge_unread(j, "libnvidia-ml.so.1", *f->nvml.absent ? f->nvml.absent : "the loader did not answer");
    else if (!*cuda->path && !*cuda->absent)
        judge_unread(j, "libcuda.so.1", *f->cuda.absent ? f->cuda.absent : "the loader did not answer");
    else if (!*nvml->path)
        say_missing(j, nvml, "libnvidia-ml.so.1", "utility");
    else if (!*cuda->path)
        say_missing(j, cuda, "libcuda.so.1", "compute");
    else if (strstr(cuda->folder, "/stubs"))
        SAY(j, "stub", folder, cp);
    else if (strstr(cuda->folder, "/compat") || strstr(cuda->path, "/compat/"))
        SAY(j, "compat", folder, c, n, cp, np);
    else if (*cuda->version && *nvml->version && strcmp(cuda->version, nvml->version) != 0)
        SAY(j, "two_versions", c, n, cp, np);
    else
        SAY(j, "found", c, n, folder, cp, np);
}

/* --- gpu.nvml ------------------------------------------------------------------------------------------------- */

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
static void say_code(struct judge *j, enum gpu_api api, int code, const char *said, const struct fact_driver *d,
                     const char *function)
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
        { "capability", f->cuda.device_count && *f->cuda.devices[0].capability ? f->cuda.devices[0].capability : NULL },
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

/* --- gpu.mismatch --------------------------------------------------------------------------------------------- */

#define BOTH "the loaded kernel module is <module>, libnvidia-ml.so.1 is <library> (<path>)"
static const struct outcome mismatch_outcomes[] = {
    { .name = "equal", LEVEL_OK, "kernel module and libraries are both <module>", NULL },
    { .name = "mismatch", LEVEL_FAIL, BOTH ": <why><codes>", "<remedy>" },
    { .name = "mismatch_hidden", LEVEL_FAIL, BOTH ": both files say <module>, so another copy is loaded<codes>",
      "look which copies there are: <path>, <cuda_path>" },
    { .name = "tolerated", LEVEL_WARN, BOTH ": works today, do not rely on it", "reboot at the next chance" },
    { .name = "mismatch_half", LEVEL_FAIL, BOTH ": they differ<codes>", "reboot; in a container recreate it" },
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
    *remedy = (struct gpu_fill){ "remedy", "reboot, or stop all GPU processes and reload: modprobe -r nvidia_uvm "
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
        { "module", *m ? m : *f->module.absent ? judge_text(j, "unknown (%s)", f->module.absent) : "unknown" },
        { "library", *l ? l : "unknown (no version in its name or answer)" },
        { "path", *f->nvml_library.path ? f->nvml_library.path : "no file" },
        { "cuda_path", *f->cuda_library.path ? f->cuda_library.path : "no libcuda" }, why, remedy,
        { "codes", nvml && cuda ? " (NVML 18, CUDA 803)" : nvml ? " (NVML 18)" : cuda ? " (CUDA 803)" : "" });
}

/* --- gpu.cuda ------------------------------------------------------------------------------------------------- */

static const struct outcome cuda_outcomes[] = {
    { .name = "ok", LEVEL_OK, "CUDA driver offers <offers>, the worker's runtime is <wants>; it sees <count>", NULL },
    { .name = "driver_only", LEVEL_OK, "CUDA driver offers <offers> and sees <count>; no CUDA worker told its runtime", NULL },
    HANG, CRASHED,
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

/* --- gpu.count ------------------------------------------------------------------------------------------------ */

static const struct outcome count_outcomes[] = {
    { .name = "equal", LEVEL_OK, "PCI, NVML and CUDA agree on <count>", NULL },
    { .name = "fewer", LEVEL_NOTE, "the PCI bus shows <pci>, this container was given <nvml>", NULL },
    { .name = "hidden", LEVEL_NOTE, "NVML sees <nvml>, CUDA <cuda>: see gpu.visibility", NULL },
    { .name = "lost", LEVEL_FAIL, "PCI lists <address>, NVML does not", "read the kernel log for that address" },
};

static void look_count(struct judge *j)
{
    const struct facts *f = j->facts;
    const char *lost = f->wsl ? NULL : lost_address(f);
    const struct gpu_fill nvml = { "nvml", gpus(j, f->nvml.count) }, cuda = { "cuda", gpus(j, f->cuda.count) },
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

/* --- the table ------------------------------------------------------------------------------------------------ */

#define OUTCOMES(list) .outcomes = list, .outcome_count = LEN(list)
const struct check checks_gpu[] = {
    { .id = "gpu.pci", .look = look_pci, OUTCOMES(pci_outcomes) },
    { .id = "gpu.module", .needs = { "gpu.pci" }, .look = look_module, OUTCOMES(module_outcomes) },
    { .id = "gpu.container", .parts = FACTS_NODES_OPEN | FACTS_NVML | FACTS_CUDA, .look = look_container,
      OUTCOMES(container_outcomes) },
    { .id = "gpu.nodes", .needs = { "gpu.pci", "gpu.module", "gpu.container" }, .parts = FACTS_NODES_OPEN,
      .look = look_nodes, OUTCOMES(node_outcomes) },
    { .id = "gpu.libraries", .needs = { "gpu.pci", "gpu.container" }, .parts = FACTS_NVML | FACTS_CUDA,
      .look = look_libraries, OUTCOMES(library_outcomes) },
    { .id = "gpu.nvml", .needs = { "gpu.nodes", "gpu.libraries" }, .parts = FACTS_NVML, .look = look_nvml,
      OUTCOMES(nvml_outcomes) },
    { .id = "gpu.mismatch", .needs = { "gpu.module", "gpu.libraries" }, .parts = FACTS_NVML | FACTS_CUDA,
      .look = look_mismatch, OUTCOMES(mismatch_outcomes) },
    { .id = "gpu.cuda", .needs = { "gpu.nvml", "gpu.mismatch" }, .parts = FACTS_CUDA | FACTS_ENGINES,
      .look = look_cuda, OUTCOMES(cuda_outcomes) },
    { .id = "gpu.count", .needs = { "gpu.nvml", "gpu.cuda" }, .parts = FACTS_NVML | FACTS_CUDA, .look = look_count,
      OUTCOMES(count_outcomes) },
};
const size_t checks_gpu_count = LEN(checks_gpu);
