/* What files tell about GPUs, their driver and containers. */
#include "bench/doctor/facts.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/doctor/tree.h"
#include "kernels/base/len.h"
#include "kernels/base/nvml.h"

#define PCI "/sys/bus/pci/devices"

/* --- the bus -------------------------------------------------------------------------------------------- */

static long hex_file(const char *root, const char *folder, const char *name, const char *file)
{
    char path[512], text[64];
    snprintf(path, sizeof path, "%s/%s/%s", folder, name, file);
    return tree_read(text, sizeof text, root, path) ? strtol(text, NULL, 16) : -1;
}

static void read_pci(struct facts *f)
{
    struct dirent **names;
    size_t count;
    char path[512], text[64];
    if (!tree_list(&names, &count, f->root, PCI, "")) {
        procfs_reason(f->pci_absent, errno);
        return;
    }
    for (size_t i = 0; i < count && f->pci_count < LEN(f->pci); i++) {
        const long class_code = hex_file(f->root, PCI, names[i]->d_name, "class") >> 8;
        if (hex_file(f->root, PCI, names[i]->d_name, "vendor") != 0x10de ||
            (class_code != 0x0300 && class_code != 0x0302))
            continue;
        struct fact_pci *gpu = &f->pci[f->pci_count++];
        snprintf(gpu->address, sizeof gpu->address, "%.23s", names[i]->d_name);
        snprintf(path, sizeof path, "%s/%s/numa_node", PCI, names[i]->d_name);
        gpu->numa_node = tree_read(text, sizeof text, f->root, path) ? atoi(text) : -1;
    }
    tree_list_free(names, count);
}

/* --- module and nodes ----------------------------------------------------------------------------------- */

static void read_module(struct facts *f)
{
    char version[NVML_TEXT_MAX];
    nvml_module_version(version, f->root);
    snprintf(f->module.text, sizeof f->module.text, "%s", version);
    if (!*version && !tree_exists(f->root, "/sys/module/nvidia") &&
        !tree_exists(f->root, "/proc/driver/nvidia/version"))
        snprintf(f->module.absent, sizeof f->module.absent, "not_found");
    f->nouveau = tree_exists(f->root, "/sys/module/nouveau");
    f->wsl = tree_exists(f->root, "/dev/dxg");
    if (!tree_read(f->kernel, sizeof f->kernel, f->root, "/proc/sys/kernel/osrelease"))
        snprintf(f->kernel, sizeof f->kernel, "that is running");
}

/* nvidiactl, nvidia-uvm and nvidia<n>; the other ones are not needed to compute. */
static void read_nodes(struct facts *f)
{
    struct dirent **names;
    size_t count;
    if (!tree_list(&names, &count, f->root, "/dev", "nvidia"))
        return;
    for (size_t i = 0; i < count && f->node_count < LEN(f->nodes); i++) {
        const char *name = names[i]->d_name;
        if (strcmp(name, "nvidiactl") != 0 && strcmp(name, "nvidia-uvm") != 0 &&
            !isdigit((unsigned char)name[6]))
            continue;
        struct fact_node *node = &f->nodes[f->node_count++];
        snprintf(node->path, sizeof node->path, "/dev/%.50s", name);
    }
    tree_list_free(names, count);
}

/* --- libraries ------------------------------------------------------------------------------------------ */

/* "libcuda.so.570.86.15" -> "570.86.15"; a bare ".so.1" is no version. */
static void version_of_file(char *out, size_t size, const char *path)
{
    const char *at = strstr(path, ".so.");
    for (const char *next = at; next; next = strstr(next + 1, ".so."))
        at = next;
    if (at && strchr(at + 4, '.') && isdigit((unsigned char)at[4]))
        snprintf(out, size, "%s", at + 4);
}

void facts_set_library(struct fact_library *l, const char *root, const char *path)
{
    *l = (struct fact_library){ 0 };
    snprintf(l->folder, sizeof l->folder, "%s", path);
    char *slash = strrchr(l->folder, '/');
    if (slash)
        *slash = 0;
    if (!tree_resolve(l->path, root, path))
        snprintf(l->path, sizeof l->path, "%s", path);
    version_of_file(l->version, sizeof l->version, l->path);
}

/* In a tree no loader can be asked: the folders that it would look in, in order. */
static void find_library(struct fact_library *l, const char *root, const char *name)
{
    static const char *const folders[] = {
        "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib",
        "/usr/local/nvidia/lib64", "/usr/lib/wsl/lib",
    };
    char path[PROCFS_PATH_MAX];
    for (size_t i = 0; i < LEN(folders); i++) {
        snprintf(path, sizeof path, "%s/%s", folders[i], name);
        if (tree_exists(root, path)) {
            facts_set_library(l, root, path);
            return;
        }
    }
    snprintf(l->absent, sizeof l->absent, "not found in the folders of libraries");
}

/* --- containers ----------------------------------------------------------------------------------------- */

/* Words in the control group of process 1 that only container engines write. */
static bool group_names_container(char *out, size_t size, const char *root)
{
    static const char *const words[] = { "/docker", "/kubepods", "/libpod", "/lxc", "containerd" };
    char text[4096];
    if (!tree_read(text, sizeof text, root, "/proc/1/cgroup"))
        return false;
    for (size_t i = 0; i < LEN(words); i++)
        if (strstr(text, words[i])) {
            snprintf(out, size, "%s in /proc/1/cgroup", words[i]);
            return true;
        }
    return false;
}

static void read_container(struct facts *f)
{
    char text[16384];
    if (tree_exists(f->root, "/.dockerenv"))
        snprintf(f->container, sizeof f->container, "/.dockerenv");
    else if (tree_exists(f->root, "/run/.containerenv"))
        snprintf(f->container, sizeof f->container, "/run/.containerenv");
    else if (tree_read(text, sizeof text, f->root, "/proc/1/environ") && strncmp(text, "container=", 10) == 0)
        snprintf(f->container, sizeof f->container, "container= of process 1");
    else
        group_names_container(f->container, sizeof f->container, f->root);
}

static void read_toolkit(struct facts *f)
{
    struct dirent **names;
    size_t count;
    char text[16384];
    json_t *daemon =
        tree_read(text, sizeof text, f->root, "/etc/docker/daemon.json") ? json_loads(text, 0, NULL) : NULL;
    f->docker_runtime = json_object_get(json_object_get(daemon, "runtimes"), "nvidia") != NULL;
    json_decref(daemon);
    if (tree_list(&names, &count, f->root, "/etc/cdi", "")) {
        for (size_t i = 0; i < count; i++)
            f->cdi |= strstr(names[i]->d_name, ".yaml") != NULL || strstr(names[i]->d_name, ".json") != NULL;
        tree_list_free(names, count);
    }
    f->toolkit =
        tree_exists(f->root, "/usr/bin/nvidia-ctk") || tree_exists(f->root, "/usr/bin/nvidia-container-cli");
}

/* --- the kernel log ----------------------------------------------------------------------------------------- */

#define LOG_MAX (8 << 20)

/* All that is there now; records of /dev/kmsg come one with each read. NULL: why, in errno. */
static char *read_kernel_log(const char *root)
{
    char path[2 * PROCFS_PATH_MAX], *text = calloc(1, LOG_MAX);
    size_t used = 0;
    snprintf(path, sizeof path, "%s/dev/kmsg", root);
    const int fd = text ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
    for (ssize_t got = 1; fd >= 0 && used < LOG_MAX - 1;) {
        got = read(fd, text + used, LOG_MAX - 1 - used);
        if (got > 0)
            used += (size_t)got;
        else if (got == 0 || errno != EPIPE) /* EPIPE: records were overwritten meanwhile, the next one is there */
            break;
    }
    if (fd >= 0) {
        close(fd);
        return text;
    }
    free(text);
    return NULL;
}

/* "NVRM: Xid (PCI:0000:65:00): 79, ...": the different numbers, with how often each came. */
static void count_xids(struct fact_text *out, const char *log)
{
    int numbers[16], counts[16];
    size_t count = 0, used = 0;
    for (const char *at = log; (at = strstr(at, "NVRM: Xid")); at++) {
        const char *end = strstr(at, "): ");
        const int number = end && end < at + strcspn(at, "\n") ? atoi(end + 3) : 0;
        size_t i = 0;
        while (i < count && numbers[i] != number)
            i++;
        if (number <= 0 || i == LEN(numbers))
            continue;
        counts[i] = i == count ? 1 : counts[i] + 1;
        numbers[i] = number;
        count += i == count;
    }
    for (size_t i = 0; i < count && used < sizeof out->text; i++)
        used += (size_t)snprintf(out->text + used, sizeof out->text - used, counts[i] > 1 ? "%s%d (%d times)" : "%s%d",
                                 i ? ", " : "", numbers[i], counts[i]);
}

static void read_xids(struct facts *f)
{
    char *log = read_kernel_log(f->root);
    if (log)
        count_xids(&f->xids, log);
    else
        procfs_reason(f->xids.absent, errno);
    free(log);
}

void facts_read_gpu(struct facts *f)
{
    read_pci(f);
    read_module(f);
    read_nodes(f);
    if (*f->root) {
        find_library(&f->nvml_library, f->root, NVML_LIBRARY);
        find_library(&f->cuda_library, f->root, "libcuda.so.1");
    }
    read_container(f);
    read_toolkit(f);
    read_xids(f);
}
