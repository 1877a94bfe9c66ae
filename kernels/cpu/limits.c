#include "kernels/cpu/limits.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_SIZE 4608
#define LINE_SIZE 4352

/* First line of folder/name; 0 if there is none. */
static int read_line(char *line, size_t size, const char *folder, const char *name)
{
    char path[PATH_SIZE];
    int length = snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = length > 0 && (size_t)length < sizeof path ? fopen(path, "re") : NULL;
    if (!f)
        return 0;
    char *got = fgets(line, (int)size, f);
    fclose(f);
    return got != NULL;
}

/* Version 2: "max 100000" or "200000 100000". */
static double quota_v2(const char *folder)
{
    char line[128];
    double quota, period;
    if (!read_line(line, sizeof line, folder, "cpu.max") || sscanf(line, "%lf %lf", &quota, &period) != 2 || period <= 0)
        return 0;
    return quota / period;
}

/* Version 1: quota -1 means none. */
static double quota_v1(const char *folder)
{
    char line[128];
    if (!read_line(line, sizeof line, folder, "cpu.cfs_quota_us"))
        return 0;
    double quota = atof(line);
    if (quota <= 0 || !read_line(line, sizeof line, folder, "cpu.cfs_period_us"))
        return 0;
    double period = atof(line);
    return period > 0 ? quota / period : 0;
}

static double tighter(double a, double b)
{
    return a <= 0 ? b : b <= 0 ? a : a < b ? a : b;
}

/* The tightest quota from a group up to the mount: every parent limits its children. */
static double quota_upwards(const char *mount, const char *group, double (*quota)(const char *folder))
{
    char folder[PATH_SIZE];
    int length = snprintf(folder, sizeof folder, "%s%s", mount, group);
    size_t root = strlen(mount);
    double tightest = 0;
    if (length < 0 || (size_t)length >= sizeof folder)
        return 0;
    for (;;) {
        tightest = tighter(tightest, quota(folder));
        char *slash = strrchr(folder + root, '/');
        if (!slash)
            return tightest;
        *slash = '\0';
    }
}

/* Whether a comma-separated list of controllers has `cpu`. */
static int names_cpu(const char *list)
{
    for (const char *at = list; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        if (strncmp(at, "cpu", 3) == 0 && (at[3] == ',' || at[3] == '\0'))
            return 1;
    return 0;
}

double limits_quota(const char *membership, const char *mount)
{
    char line[LINE_SIZE], sub[PATH_SIZE];
    double tightest = 0;
    FILE *f = fopen(membership, "re");
    if (!f)
        return 0;
    while (fgets(line, sizeof line, f)) { /* "0::/group" or "4:cpu,cpuacct:/group" */
        line[strcspn(line, "\n")] = '\0';
        char *list = strchr(line, ':'), *group = list ? strchr(list + 1, ':') : NULL;
        if (!group)
            continue;
        *group++ = '\0';
        list++;
        if (*list == '\0') {
            tightest = tighter(tightest, quota_upwards(mount, group, quota_v2));
        } else if (names_cpu(list)) {
            snprintf(sub, sizeof sub, "%.200s/%.200s", mount, list);
            tightest = tighter(tightest, quota_upwards(sub, group, quota_v1));
            snprintf(sub, sizeof sub, "%.200s/cpu", mount);
            tightest = tighter(tightest, quota_upwards(sub, group, quota_v1));
        }
    }
    fclose(f);
    return tightest;
}

static int affinity_count(void)
{
    for (int bits = 1024; bits <= 1 << 16; bits *= 2) { /* the call refuses sets smaller than the kernel's */
        cpu_set_t *set = CPU_ALLOC((size_t)bits);
        if (!set)
            return 1;
        size_t size = CPU_ALLOC_SIZE((size_t)bits);
        int count = sched_getaffinity(0, size, set) == 0 ? CPU_COUNT_S(size, set) : 0;
        CPU_FREE(set);
        if (count > 0)
            return count;
    }
    return 1;
}

int limits_threads(void)
{
    int count = affinity_count();
    double quota = limits_quota("/proc/self/cgroup", "/sys/fs/cgroup");
    if (quota > 0 && quota < count)
        count = (int)quota;
    return count < 1 ? 1 : count;
}

/* A field such as "MemAvailable:" given in kB; 0: not found. */
static uint64_t field_bytes(const char *path, const char *field)
{
    char line[256];
    unsigned long long kb = 0;
    FILE *f = fopen(path, "re");
    if (!f)
        return 0;
    while (fgets(line, sizeof line, f))
        if (strncmp(line, field, strlen(field)) == 0) {
            kb = strtoull(line + strlen(field), NULL, 10);
            break;
        }
    fclose(f);
    return (uint64_t)kb * 1024;
}

static uint64_t number_in(const char *folder, const char *name)
{
    char line[128];
    return read_line(line, sizeof line, folder, name) ? strtoull(line, NULL, 10) : 0; /* "max" is 0: no limit */
}

/* What version 2 of the control groups leaves; UINT64_MAX: no limit. */
static uint64_t group_memory_free(void)
{
    char line[LINE_SIZE], folder[PATH_SIZE];
    if (!read_line(line, sizeof line, "/proc/self", "cgroup") || strncmp(line, "0::", 3) != 0)
        return UINT64_MAX;
    line[strcspn(line, "\n")] = '\0';
    if (snprintf(folder, sizeof folder, "/sys/fs/cgroup%s", line + 3) < 0)
        return UINT64_MAX;
    uint64_t most = number_in(folder, "memory.max"), used = number_in(folder, "memory.current");
    if (!most)
        return UINT64_MAX;
    return most > used ? most - used : 1;
}

uint64_t limits_memory_free(void)
{
    uint64_t system = field_bytes("/proc/meminfo", "MemAvailable:"), group = group_memory_free();
    return system && system < group ? system : group == UINT64_MAX ? system : group;
}
