/* The ladder of the GPU as files show it: bus, module, container, nodes, libraries. */
#include "bench/doctor/checks.h"

#include <errno.h>
#include <string.h>

#include "kernels/base/len.h"

static bool has_node(const struct facts *f, const char *path)
{
    for (size_t i = 0; i < f->node_count; i++)
        if (strcmp(f->nodes[i].path, path) == 0)
            return true;
    return false;
}

/* --- gpu.pci -------------------------------------------------------------------------------------------- */

static const struct outcome pci_outcomes[] = {
    { .name = "found", LEVEL_OK, "<count> on the PCI bus: <addresses>", NULL },
    { .name = "wsl", LEVEL_NOTE,
      "this is WSL: the GPU is /dev/dxg, module and nodes are Windows' own",
      NULL },
    { .name = "unlisted", LEVEL_NOTE, "the PCI bus shows no NVIDIA GPU, but /dev/nvidiactl is there", NULL },
    { .name = "no_trace", LEVEL_UNREAD,
      "/sys/bus/pci/devices: <reason>; no /dev/nvidiactl and no nvidia module either: no GPU can be seen",
      NULL,
      .stops = true,
      .required = true },
    { .name = "none", LEVEL_NOTE,
      "no NVIDIA GPU on the PCI bus: only CPU engines can run",
      NULL,
      .stops = true,
      .required = true },
};

static void look_pci(struct judge *j)
{
    const struct facts *f = j->facts;
    const char *addresses = "";
    for (size_t i = 0; i < f->pci_count; i++)
        addresses = judge_text(j, "%s%s%s", addresses, i ? ", " : "", f->pci[i].address);
    if (f->pci_count)
        SAY(j, "found",
            { "count", judge_text(j, "%zu NVIDIA GPU%s", f->pci_count, f->pci_count > 1 ? "s" : "") },
            { "addresses", addresses });
    else if (f->wsl)
        SAY(j, "wsl", { "device", "/dev/dxg" });
    else if (has_node(f, "/dev/nvidiactl"))
        SAY(j, "unlisted", { "node", "/dev/nvidiactl" });
    else if (*f->pci_absent && *f->module.absent)
        SAY(j, "no_trace", { "reason", f->pci_absent });
    else if (*f->pci_absent)
        judge_unread(j, "/sys/bus/pci/devices", f->pci_absent);
    else
        SAY(j, "none", { "looked_at", "/sys/bus/pci/devices" });
}

/* --- gpu.module ----------------------------------------------------------------------------------------- */

static const struct outcome module_outcomes[] = {
    { .name = "loaded", LEVEL_OK, "the nvidia kernel module <version> is loaded", NULL },
    { .name = "nouveau", LEVEL_FAIL,
      "the nouveau driver holds the GPU",
      "blacklist nouveau, install the nvidia driver, reboot" },
    { .name = "not_loaded", LEVEL_FAIL,
      "the nvidia kernel module is not loaded",
      "modprobe nvidia; if that is refused, read dmesg (Secure Boot, or no module built for kernel "
      "<kernel>)" },
    { .name = "unparsable", LEVEL_WARN,
      "the nvidia kernel module is loaded, but its version cannot be made out of "
      "/sys/module/nvidia/version and /proc/driver/nvidia/version",
      NULL },
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

/* --- gpu.container -------------------------------------------------------------------------------------- */

#define RECREATE "recreate the container"
static const struct outcome container_outcomes[] = {
    { .name = "host", LEVEL_OK, "no container", NULL },
    { .name = "container", LEVEL_OK, "a container (<sign>) on a host that shows no NVIDIA driver", NULL },
    { .name = "with_gpu", LEVEL_OK, "a container (<sign>) with a GPU", NULL },
    { .name = "not_requested", LEVEL_NOTE,
      "the host has driver <module>, this container (<sign>) was given no GPU",
      "ask for one when the container is created (docker run --gpus all, in Compose a device reservation)",
      .stops = true,
      .required = true },
    { .name = "half_mounted", LEVEL_FAIL,
      "device nodes are in this container (<sign>), the driver's libraries are not",
      "recreate it with NVIDIA_DRIVER_CAPABILITIES=compute,utility" },
    { .name = "outdated", LEVEL_FAIL,
      "the driver's libraries in this container (<sign>) are of another version than the "
      "host's module",
      RECREATE ": its libraries were mounted when it was created",
      .open = true },
    { .name = "rules_lost", LEVEL_FAIL,
      "the device nodes are in this container (<sign>), but may not be used: <seen>",
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

/* --- gpu.nodes ------------------------------------------------------------------------------------------ */

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

/* --- gpu.libraries -------------------------------------------------------------------------------------- */

static const struct outcome library_outcomes[] = {
    { .name = "found", LEVEL_OK, "libcuda <cuda> and libnvidia-ml <nvml> of <folder>", NULL },
    { .name = "missing", LEVEL_FAIL,
      "<library> not found",
      "host: install the driver's user-space package; container: NVIDIA_DRIVER_CAPABILITIES lacks "
      "<capability>" },
    { .name = "stub", LEVEL_FAIL,
      "libcuda.so.1 is the linker's stub in <folder>",
      "take <folder> out of LD_LIBRARY_PATH" },
    { .name = "two_versions", LEVEL_FAIL,
      "libcuda is <cuda>, libnvidia-ml <nvml>",
      "one of them is a leftover: <cuda_path>, <nvml_path>" },
    { .name = "compat", LEVEL_NOTE, "forward-compatibility libcuda <cuda> in <folder>", NULL },
};

static void say_missing(struct judge *j, const struct fact_library *l, const char *name,
                        const char *capability)
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

/* --- the table ------------------------------------------------------------------------------------------ */

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
};
const size_t checks_gpu_count = LEN(checks_gpu);
