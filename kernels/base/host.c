#include "kernels/base/host.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kernels/base/cgroup.h"
#include "kernels/base/procfs.h"

#define CPUS_MAX 4096
#define TEXT_SIZE 8192 /* the first CPU of /proc/cpuinfo, the whole of /proc/PID/status and /proc/meminfo */

void host_cpu_name(char *out, size_t size)
{
    char text[TEXT_SIZE];
    const bool known = procfs_read(text, sizeof text, NULL, "/proc/cpuinfo") &&
                       procfs_find_text(out, size, text, "model name");
    if (!known || !*out)
        snprintf(out, size, "unknown CPU");
}

uint64_t host_memory_bytes(void)
{
    const long pages = sysconf(_SC_PHYS_PAGES), bytes = sysconf(_SC_PAGE_SIZE);
    return pages > 0 && bytes > 0 ? (uint64_t)pages * (uint64_t)bytes : 0;
}

/* --- processors ----------------------------------------------------------------------------------------- */

/* 0 if the kernel does not tell. */
static int affinity_count(pid_t pid)
{
    for (int bits = 1024; bits <= 1 << 16; bits *= 2) { /* the call refuses sets smaller than the kernel's */
        cpu_set_t *set = CPU_ALLOC((size_t)bits);
        if (!set)
            return 0;
        const size_t size = CPU_ALLOC_SIZE((size_t)bits);
        const int count = sched_getaffinity(pid, size, set) == 0 ? CPU_COUNT_S(size, set) : 0;
        CPU_FREE(set);
        if (count > 0)
            return count;
    }
    return 0;
}

int host_cpus_allowed(const char *root, pid_t pid)
{
    char path[64] = "/proc/self/status", text[TEXT_SIZE], list[2048];
    bool cpus[CPUS_MAX] = { false };
    int count = 0;
    if (pid)
        snprintf(path, sizeof path, "/proc/%ld/status", (long)pid);
    if (procfs_read(text, sizeof text, root, path) &&
        procfs_find_text(list, sizeof list, text, "Cpus_allowed_list"))
        count = (int)procfs_cpu_list(cpus, CPUS_MAX, list);
    if (!count && (!root || !*root))
        count = affinity_count(pid);
    return count ? count : 1;
}

bool host_cpu_quota(double *cpus, const char *root, pid_t pid)
{
    struct cgroup level;
    bool limited = false;
    if (!cgroup_find(&level, root, pid, "cpu"))
        return false;
    do {
        double here;
        if (!cgroup_quota(&here, root, &level))
            continue;
        *cpus = limited && *cpus < here ? *cpus : here;
        limited = true;
    } while (cgroup_up(&level));
    return limited;
}

int host_threads(double *quota, const char *root, pid_t pid)
{
    double cpus_of_quota = 0;
    int cpus = host_cpus_allowed(root, pid);
    if (host_cpu_quota(&cpus_of_quota, root, pid) && cpus_of_quota < cpus)
        cpus = (int)cpus_of_quota;
    if (quota)
        *quota = cpus_of_quota;
    return cpus > 1 ? cpus : 1;
}

/* --- memory --------------------------------------------------------------------------------------------- */

/* The smaller of a line of /proc/meminfo and what every level of the memory cgroup answers. */
static bool least_memory(uint64_t *bytes, const char *root, pid_t pid, const char *line,
                         bool (*of_level)(uint64_t *bytes, const char *root, const struct cgroup *level))
{
    char text[TEXT_SIZE];
    uint64_t kib, here;
    struct cgroup level;
    bool known = procfs_read(text, sizeof text, root, "/proc/meminfo") &&
                 procfs_find_number(&kib, text, line);
    if (known)
        *bytes = kib * 1024;
    if (!cgroup_find(&level, root, pid, "memory"))
        return known;
    do {
        if (!of_level(&here, root, &level))
            continue;
        *bytes = known && *bytes < here ? *bytes : here;
        known = true;
    } while (cgroup_up(&level));
    return known;
}

bool host_memory_available(uint64_t *bytes, const char *root, pid_t pid)
{
    return least_memory(bytes, root, pid, "MemAvailable", cgroup_memory_left);
}

bool host_memory_limit(uint64_t *bytes, const char *root, pid_t pid)
{
    return least_memory(bytes, root, pid, "MemTotal", cgroup_memory_limit);
}

bool host_oom_kills(uint64_t *count, const char *root, pid_t pid)
{
    char path[2 * CGROUP_PATH_MAX], text[4096];
    struct cgroup group;
    if (!cgroup_find(&group, root, pid, "memory"))
        return false;
    cgroup_file(path, &group, group.v2 ? "memory.events" : "memory.oom_control");
    return procfs_read(text, sizeof text, root, path) && procfs_find_number(count, text, "oom_kill");
}

enum status host_resident(uint64_t *current_bytes, uint64_t *peak_bytes, struct err *err)
{
    char text[TEXT_SIZE];
    uint64_t current_kib, peak_kib;
    if (!procfs_read(text, sizeof text, NULL, "/proc/self/status") ||
        !procfs_find_number(&current_kib, text, "VmRSS") || !procfs_find_number(&peak_kib, text, "VmHWM"))
        return err_set(err, ST_ENVIRONMENT,
                       "/proc/self/status does not give VmRSS and VmHWM: is /proc mounted?");
    *current_bytes = current_kib * 1024;
    *peak_bytes = peak_kib * 1024;
    return ST_OK;
}

void host_reset_peak(void)
{
    FILE *file = fopen("/proc/self/clear_refs", "we");
    if (!file)
        return;
    fputs("5", file); /* 5: sets the high-water mark of the resident set back to what is resident now */
    fclose(file);
}
