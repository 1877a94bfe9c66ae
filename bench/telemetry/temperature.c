#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/telemetry/telemetry.h"
#include "kernels/base/procfs.h"

/* The hottest of the sensors seen so far, in thousandths of a degree. */
struct hottest {
    const char *root;
    bool   known;
    double millidegrees;
};

static bool is_one_of(const char *word, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strncmp(word, words[i], strlen(words[i])) == 0)
            return true;
    return false;
}

static void add_sensor(struct hottest *h, const char *path)
{
    char text[32], *end;
    if (!procfs_read_line(text, sizeof text, h->root, path))
        return;
    double number = strtod(text, &end);
    if (end == text || *end)
        return;
    h->millidegrees = h->known ? fmax(h->millidegrees, number) : number;
    h->known = true;
}

/* The whole package, not its cores: a core's sensor jumps with what it happens to do. */
static void add_monitor(struct hottest *h, const char *folder)
{
    static const char *const packages[] = { "Package id", "Tctl", "Tdie", "CPU" };
    for (int i = 1; i <= 16; i++) {
        char path[512], label[64];
        snprintf(path, sizeof path, "%s/temp%d_label", folder, i);
        if (!procfs_read_line(label, sizeof label, h->root, path) ||
            !is_one_of(label, packages, sizeof packages / sizeof *packages))
            continue;
        snprintf(path, sizeof path, "%s/temp%d_input", folder, i);
        add_sensor(h, path);
    }
}

static void add_zone(struct hottest *h, const char *folder)
{
    static const char *const types[] = { "x86_pkg_temp", "cpu-thermal", "cpu_thermal", "soc-thermal",
                                        "soc_thermal" };
    char path[512], type[64];
    snprintf(path, sizeof path, "%s/type", folder);
    if (!procfs_read_line(type, sizeof type, h->root, path) ||
        !is_one_of(type, types, sizeof types / sizeof *types))
        return;
    snprintf(path, sizeof path, "%s/temp", folder);
    add_sensor(h, path);
}

static void visit(struct hottest *h, const char *class, const char *prefix,
                  void (*add)(struct hottest *h, const char *folder))
{
    char path[PROCFS_PATH_MAX], folder[400];
    snprintf(path, sizeof path, "%s%s", h->root, class);
    DIR *all = opendir(path);
    if (!all)
        return;
    for (struct dirent *entry; (entry = readdir(all));)
        if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0) {
            snprintf(folder, sizeof folder, "%s/%.200s", class, entry->d_name);
            add(h, folder);
        }
    closedir(all);
}

bool telemetry_temperature(double *celsius, const char *root)
{
    struct hottest h = { .root = root ? root : "" };
    visit(&h, "/sys/class/hwmon", "hwmon", add_monitor);
    if (!h.known)
        visit(&h, "/sys/class/thermal", "thermal_zone", add_zone);
    if (h.known)
        *celsius = h.millidegrees / 1000;
    return h.known;
}
