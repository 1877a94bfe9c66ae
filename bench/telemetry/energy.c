#include "bench/telemetry/energy.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/base/procfs.h"

static const char folder[] = "/sys/class/powercap";

static uint64_t read_range(const char *root, const char *domain)
{
    char path[512], text[32];
    snprintf(path, sizeof path, "%s/%.200s/max_energy_range_uj", folder, domain);
    return procfs_read_line(text, sizeof text, root, path) ? strtoull(text, NULL, 10) : 0;
}

/* Is it one that counts, and nothing that another one counts too? */
static bool is_counted(const char *root, const char *domain)
{
    char path[512], name[64];
    if (strncmp(domain, "intel-rapl:", strlen("intel-rapl:")) != 0)
        return false; /* intel-rapl-mmio shows the same packages again */
    snprintf(path, sizeof path, "%s/%.200s/name", folder, domain);
    if (!procfs_read_line(name, sizeof name, root, path))
        return false;
    return strncmp(name, "package-", strlen("package-")) == 0 || strcmp(name, "dram") == 0;
}

static void add_domain(struct energy *e, const char *root, const char *domain)
{
    char path[512];
    if (e->count == ENERGY_DOMAINS_MAX || !is_counted(root, domain))
        return;
    snprintf(path, sizeof path, "%s/%.200s/energy_uj", folder, domain);
    const uint64_t range_uj = read_range(root, domain);
    const int fd = range_uj ? procfs_open(root, path) : -1;
    if (fd < 0) {
        e->error = range_uj ? errno : EOPNOTSUPP;
        return;
    }
    e->range_uj[e->count] = range_uj;
    e->fd[e->count++] = fd;
}

void energy_open(struct energy *e, const char *root)
{
    char path[PROCFS_PATH_MAX];
    *e = (struct energy){ .error = ENOENT };
    snprintf(path, sizeof path, "%s%s", root, folder);
    DIR *all = opendir(path);
    if (!all) {
        e->error = errno;
        return;
    }
    for (struct dirent *entry; (entry = readdir(all));)
        add_domain(e, root, entry->d_name);
    closedir(all);
    if (e->error != ENOENT) /* a package that may not be read: the others alone would be too little */
        energy_close(e);
}

void energy_close(struct energy *e)
{
    for (int i = 0; i < e->count; i++)
        close(e->fd[i]);
    e->count = 0;
}

bool energy_read(uint64_t uj[ENERGY_DOMAINS_MAX], const struct energy *e)
{
    char text[32];
    for (int i = 0; i < e->count; i++) {
        if (!procfs_read_fd(text, sizeof text, e->fd[i]))
            return false;
        uj[i] = strtoull(text, NULL, 10);
    }
    return e->count > 0;
}

double energy_between_uj(const struct energy *e, const uint64_t *before, const uint64_t *after)
{
    double sum = 0;
    for (int i = 0; i < e->count; i++) {
        bool wrapped = after[i] < before[i];
        sum += wrapped ? (double)e->range_uj[i] - (double)before[i] + (double)after[i]
                       : (double)(after[i] - before[i]);
    }
    return sum;
}
