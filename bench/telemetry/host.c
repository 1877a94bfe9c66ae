#include "bench/telemetry/host.h"

#include <stdio.h>
#include <string.h>

#include "bench/telemetry/cgroup.h"
#include "bench/telemetry/files.h"

#define CPUS_MAX 4096

int host_cpus_allowed(const char *root, pid_t pid)
{
    char path[64] = "/proc/self/status", text[8192], list[2048];
    bool cpus[CPUS_MAX] = { false };
    if (pid)
        snprintf(path, sizeof path, "/proc/%ld/status", (long)pid);
    if (!files_read(text, sizeof text, root, path) || !files_find_text(list, sizeof list, text, "Cpus_allowed_list"))
        return 1;
    const size_t count = files_cpu_list(cpus, CPUS_MAX, list);
    return count ? (int)count : 1;
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

bool host_memory_available(uint64_t *bytes, const char *root, pid_t pid)
{
    char text[8192];
    uint64_t kib, left;
    bool known = false;
    struct cgroup level;
    if (files_read(text, sizeof text, root, "/proc/meminfo") && files_find_number(&kib, text, "MemAvailable")) {
        *bytes = kib * 1024;
        known = true;
    }
    if (!cgroup_find(&level, root, pid, "memory"))
        return known;
    do {
        if (!cgroup_memory_left(&left, root, &level))
            continue;
        *bytes = known && *bytes < left ? *bytes : left;
        known = true;
    } while (cgroup_up(&level));
    return known;
}

bool host_oom_kills(uint64_t *count, const char *root, pid_t pid)
{
    char path[2 * CGROUP_PATH_MAX], text[4096];
    struct cgroup group;
    if (!cgroup_find(&group, root, pid, "memory"))
        return false;
    cgroup_file(path, &group, group.v2 ? "memory.events" : "memory.oom_control");
    return files_read(text, sizeof text, root, path) && files_find_number(count, text, "oom_kill");
}
