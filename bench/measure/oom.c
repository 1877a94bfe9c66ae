#include "bench/measure/oom.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_SIZE (PATH_MAX + 64)

/* Where one version of cgroups keeps what we ask for. */
struct hierarchy {
    const char *controller; /* second field of a line of /proc/self/cgroup */
    const char *root, *events, *limit;
};

static const struct hierarchy hierarchies[] = {
    { "", "/sys/fs/cgroup", "memory.events", "memory.max" },
    { "memory", "/sys/fs/cgroup/memory", "memory.oom_control", "memory.limit_in_bytes" },
};

/* Our group of that hierarchy ("/user.slice/x"); false if we are in none. */
static bool own_group(char *group, const struct hierarchy *h)
{
    char line[LINE_SIZE];
    bool found = false;
    FILE *file = fopen("/proc/self/cgroup", "re");
    while (file && !found && fgets(line, sizeof line, file)) {
        char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!path)
            continue;
        *path++ = '\0';
        path[strcspn(path, "\n")] = '\0';
        found = strcmp(controllers + 1, h->controller) == 0;
        if (found)
            snprintf(group, PATH_MAX, "%s", strcmp(path, "/") == 0 ? "" : path);
    }
    if (file)
        fclose(file);
    return found;
}

/* The number after `word` at the start of a line, or of the first line if word is "". False if there is none. */
static bool read_number(int64_t *out, const char *path, const char *word)
{
    char line[256];
    bool found = false;
    size_t length = strlen(word);
    FILE *file = fopen(path, "re");
    while (file && !found && fgets(line, sizeof line, file)) {
        char *end;
        if (strncmp(line, word, length) != 0 || (length && line[length] != ' ' && line[length] != ':'))
            continue;
        char *at = line + length + strspn(line + length, " :");
        *out = strtoll(at, &end, 10);
        found = end != at;
    }
    if (file)
        fclose(file);
    return found;
}

int64_t oom_kills(void)
{
    char group[PATH_MAX], path[2 * PATH_MAX];
    int64_t count;
    for (size_t i = 0; i < sizeof hierarchies / sizeof *hierarchies; i++) {
        const struct hierarchy *h = &hierarchies[i];
        if (!own_group(group, h))
            continue;
        /* inside a container the path may name the host's view: the container's own root is the group then */
        for (int try = 0; try < 2; try++) {
            snprintf(path, sizeof path, "%s%s/%s", h->root, try ? "" : group, h->events);
            if (read_number(&count, path, "oom_kill"))
                return count;
        }
    }
    return -1;
}

static void take_smaller(uint64_t *least, int64_t found)
{
    if (found > 0 && (!*least || (uint64_t)found < *least))
        *least = (uint64_t)found;
}

uint64_t oom_limit_bytes(void)
{
    char group[PATH_MAX], path[2 * PATH_MAX];
    uint64_t least = 0;
    int64_t found;
    if (read_number(&found, "/proc/meminfo", "MemTotal"))
        take_smaller(&least, found * 1024);
    for (size_t i = 0; i < sizeof hierarchies / sizeof *hierarchies; i++) {
        const struct hierarchy *h = &hierarchies[i];
        if (!own_group(group, h))
            continue;
        for (;;) {
            snprintf(path, sizeof path, "%s%s/%s", h->root, group, h->limit);
            if (read_number(&found, path, "")) /* "max" is no number: no limit here */
                take_smaller(&least, found);
            char *slash = strrchr(group, '/');
            if (!slash)
                break;
            *slash = '\0';
        }
    }
    return least;
}
