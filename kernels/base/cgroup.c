#include "kernels/base/cgroup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/procfs.h"

#define TEXT_MAX 65536
#define NO_LIMIT (UINT64_C(1) << 62) /* version 1 writes the largest number of pages for "none" */

/* Is word one of the comma separated words of list (of `size` characters)? */
static bool has_word(const char *list, size_t size, const char *word)
{
    const size_t length = strlen(word);
    for (size_t at = 0; at < size; at += strcspn(list + at, ",") + 1)
        if (strncmp(list + at, word, length) == 0 && (at + length == size || list[at + length] == ','))
            return true;
    return false;
}

/* Path of the process in the hierarchy; lines are "4:cpu,cpuacct:/a/b", version 2 "0::/a/b". */
static bool find_path(char *path, size_t size, const char *text, const char *controller)
{
    for (const char *line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        const char *names = strchr(line, ':'), *at = names ? strchr(names + 1, ':') : NULL;
        if (!at)
            continue;
        const size_t length = (size_t)(at - names - 1);
        if (controller ? !has_word(names + 1, length, controller) : length != 0)
            continue;
        snprintf(path, size, "%.*s", (int)strcspn(at + 1, "\n"), at + 1);
        return true;
    }
    return false;
}

/* Mount of the hierarchy: "36 35 98:0 /root /mount options - cgroup2 source super_options". */
static bool find_mount(char *mounted_root, char *mount, size_t size, const char *text, const char *controller)
{
    for (const char *line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        char below[CGROUP_PATH_MAX], at[CGROUP_PATH_MAX], type[32], super[512];
        const char *dash = strstr(line, " - ");
        if (!dash || sscanf(line, "%*s %*s %*s %2047s %2047s", below, at) != 2 ||
            sscanf(dash, " - %31s %*s %511s", type, super) != 2)
            continue;
        if (strcmp(type, controller ? "cgroup" : "cgroup2") != 0 ||
            (controller && !has_word(super, strlen(super), controller)))
            continue;
        snprintf(mounted_root, size, "%s", below);
        snprintf(mount, size, "%s", at);
        return true;
    }
    return false;
}

/* A mount may show only a part of the hierarchy: what lies above it cannot be seen, and
 * is left off the path. */
static void path_below(char *path, const char *mounted_root)
{
    const size_t above = strcmp(mounted_root, "/") == 0 ? 0 : strlen(mounted_root);
    if (strstr(path, "/..") || strncmp(path, mounted_root, above) != 0 || (path[above] && path[above] != '/'))
        *path = 0;
    else
        memmove(path, path + above, strlen(path + above) + 1);
    if (strcmp(path, "/") == 0)
        *path = 0;
}

static bool find_in(struct cgroup *out, const char *groups, const char *mounts, const char *controller)
{
    char mounted_root[CGROUP_PATH_MAX];
    out->v2 = !controller;
    if (!find_path(out->path, sizeof out->path, groups, controller) ||
        !find_mount(mounted_root, out->mount, sizeof out->mount, mounts, controller))
        return false;
    path_below(out->path, mounted_root);
    return true;
}

bool cgroup_find(struct cgroup *out, const char *root, pid_t pid, const char *controller)
{
    char name[64], process[32] = "self";
    bool found = false;
    char *groups = malloc(TEXT_MAX), *mounts = malloc(16 * TEXT_MAX);
    if (pid)
        snprintf(process, sizeof process, "%ld", (long)pid);
    snprintf(name, sizeof name, "/proc/%s/cgroup", process);
    if (groups && mounts && procfs_read(groups, TEXT_MAX, root, name)) {
        snprintf(name, sizeof name, "/proc/%s/mountinfo", process);
        found = procfs_read(mounts, 16 * TEXT_MAX, root, name) &&
                (find_in(out, groups, mounts, controller) || find_in(out, groups, mounts, NULL));
    }
    free(groups);
    free(mounts);
    return found;
}

bool cgroup_up(struct cgroup *group)
{
    char *slash = strrchr(group->path, '/');
    if (!slash)
        return false;
    *slash = 0;
    return true;
}

void cgroup_file(char path[2 * CGROUP_PATH_MAX], const struct cgroup *group, const char *name)
{
    snprintf(path, 2 * CGROUP_PATH_MAX, "%s%s/%s", group->mount, group->path, name);
}

static bool read_of(char *text, size_t size, const char *root, const struct cgroup *level, const char *name)
{
    char path[2 * CGROUP_PATH_MAX];
    cgroup_file(path, level, name);
    return procfs_read_line(text, size, root, path);
}

bool cgroup_quota(double *cpus, const char *root, const struct cgroup *level)
{
    char text[64], period_text[64];
    double quota, period;
    if (level->v2) {
        if (!read_of(text, sizeof text, root, level, "cpu.max") ||
            sscanf(text, "%lf %lf", &quota, &period) != 2)
            return false; /* "max 100000" has no number in front */
    } else if (!read_of(text, sizeof text, root, level, "cpu.cfs_quota_us") ||
               sscanf(text, "%lf", &quota) != 1 ||
               !read_of(period_text, sizeof period_text, root, level, "cpu.cfs_period_us") ||
               sscanf(period_text, "%lf", &period) != 1)
        return false;
    if (!(quota > 0) || !(period > 0))
        return false; /* version 1: -1 is none */
    *cpus = quota / period;
    return true;
}

bool cgroup_memory_limit(uint64_t *bytes, const char *root, const struct cgroup *level)
{
    char text[64], *end;
    if (!read_of(text, sizeof text, root, level, level->v2 ? "memory.max" : "memory.limit_in_bytes"))
        return false;
    *bytes = strtoull(text, &end, 10);
    return end != text && *bytes < NO_LIMIT; /* "max" is no number */
}

bool cgroup_memory_left(uint64_t *bytes, const char *root, const struct cgroup *level)
{
    char text[64];
    uint64_t limit;
    if (!cgroup_memory_limit(&limit, root, level) ||
        !read_of(text, sizeof text, root, level, level->v2 ? "memory.current" : "memory.usage_in_bytes"))
        return false;
    const uint64_t used = strtoull(text, NULL, 10);
    *bytes = used < limit ? limit - used : 0;
    return true;
}

bool cgroup_throttled(uint64_t *periods, uint64_t *usec, const struct cgroup *level, const char *stat_text)
{
    if (!procfs_find_number(periods, stat_text, "nr_throttled") ||
        !procfs_find_number(usec, stat_text, level->v2 ? "throttled_usec" : "throttled_time"))
        return false;
    if (!level->v2)
        *usec = (*usec + 999) / 1000; /* ns; rounded up, so that a little is not nothing */
    return true;
}
