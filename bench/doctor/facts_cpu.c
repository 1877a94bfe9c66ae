/* What files tell about processors and memory. */
#include "bench/doctor/facts.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/doctor/tree.h"
#include "bench/telemetry/environment.h"
#include "kernels/base/cgroup.h"
#include "kernels/base/clock.h"
#include "kernels/base/host.h"
#include "kernels/base/len.h"

#define CPU "/sys/devices/system/cpu"
#define CPUS_MAX 4096
#define BIG (1 << 20)

static double number_of(const char *root, const char *path, double otherwise)
{
    char text[64], *end;
    if (!tree_read(text, sizeof text, root, path))
        return otherwise;
    const double number = strtod(text, &end);
    return end == text ? otherwise : number;
}

/* --- clocks --------------------------------------------------------------------------------------------- */

static void read_frequency(struct facts_cpu *c, const char *root, const char *name)
{
    char path[512], governor[64];
    snprintf(path, sizeof path, CPU "/%s/cpufreq/scaling_governor", name);
    if (!tree_read(governor, sizeof governor, root, path))
        return;
    const bool first = c->with_governor == 0;
    const bool other = strcmp(governor, "performance") != 0;
    if (first || (other && c->not_performance == 0)) {
        snprintf(c->governor, sizeof c->governor, "%s", governor);
        snprintf(path, sizeof path, CPU "/%s/cpufreq/scaling_driver", name);
        if (!tree_read(c->driver, sizeof c->driver, root, path))
            snprintf(c->driver, sizeof c->driver, "unknown");
    }
    c->with_governor++;
    c->not_performance += other;
    snprintf(path, sizeof path, CPU "/%s/cpufreq/scaling_max_freq", name);
    const double max = number_of(root, path, 0);
    snprintf(path, sizeof path, CPU "/%s/cpufreq/cpuinfo_max_freq", name);
    const double hardware = number_of(root, path, 0);
    if (max > 0 && hardware > 0 && (c->hardware_khz <= 0 || max / hardware < c->max_khz / c->hardware_khz)) {
        c->max_khz = max;
        c->hardware_khz = hardware;
    }
}

static void read_frequencies(struct facts_cpu *c, const char *root)
{
    struct dirent **names;
    size_t count;
    if (!tree_list(&names, &count, root, CPU, "cpu"))
        return;
    for (size_t i = 0; i < count; i++)
        if (names[i]->d_name[3] >= '0' && names[i]->d_name[3] <= '9')
            read_frequency(c, root, names[i]->d_name);
    tree_list_free(names, count);
}

/* --- which processors ----------------------------------------------------------------------------------- */

static void read_nodes(struct facts_cpu *c, const char *root, const bool *allowed)
{
    static const char folder[] = "/sys/devices/system/node";
    struct dirent **names;
    size_t count;
    if (!tree_list(&names, &count, root, folder, "node"))
        return;
    for (size_t i = 0; i < count; i++) {
        char path[512], list[2048];
        bool cpus[CPUS_MAX] = { false }, here = false;
        const int node = atoi(names[i]->d_name + 4);
        snprintf(path, sizeof path, "%s/%s/cpulist", folder, names[i]->d_name);
        if (node < 0 || node >= (int)LEN(c->on_node) || !tree_read(list, sizeof list, root, path))
            continue;
        procfs_cpu_list(cpus, CPUS_MAX, list);
        for (int cpu = 0; cpu < CPUS_MAX && !here; cpu++)
            here = cpus[cpu] && allowed[cpu];
        if (!here)
            continue;
        const size_t used = strlen(c->nodes);
        snprintf(c->nodes + used, sizeof c->nodes - used, "%s%d", used ? "," : "", node);
        c->on_node[node] = true;
        c->nodes_spanned++;
    }
    tree_list_free(names, count);
}

static void read_allowed(struct facts_cpu *c, const char *root)
{
    char text[16384];
    bool allowed[CPUS_MAX] = { false }, online[CPUS_MAX] = { false };
    if (tree_read(c->online_list, sizeof c->online_list, root, CPU "/online"))
        c->online = (int)procfs_cpu_list(online, CPUS_MAX, c->online_list);
    if (procfs_read(text, sizeof text, root, "/proc/self/status") &&
        procfs_find_text(c->allowed_list, sizeof c->allowed_list, text, "Cpus_allowed_list"))
        c->allowed = (int)procfs_cpu_list(allowed, CPUS_MAX, c->allowed_list);
    read_nodes(c, root, allowed);
}

static void read_flags(struct facts_cpu *c, const char *root)
{
    char *text = malloc(BIG), flags[sizeof c->flags - 2];
    if (text && procfs_read(text, BIG, root, "/proc/cpuinfo") &&
        (procfs_find_text(flags, sizeof flags, text, "flags") ||
         procfs_find_text(flags, sizeof flags, text, "Features")))
        snprintf(c->flags, sizeof c->flags, " %s ", flags);
    free(text);
}

/* --- samples -------------------------------------------------------------------------------------------- */

/* The path, or in a tree the second reading beside it if it is there. */
static bool read_sample(char *text, size_t size, const char *root, const char *path, bool second)
{
    char later[PROCFS_PATH_MAX];
    snprintf(later, sizeof later, "%s@1", path);
    return (second && *root && procfs_read(text, size, root, later)) || procfs_read(text, size, root, path);
}

static void sample_stat(struct fact_sample *s, const char *root, bool second)
{
    char text[4096];
    double user, nice, kernel, idle, wait, irq, softirq, steal;
    if (!read_sample(text, sizeof text, root, "/proc/stat", second) ||
        sscanf(text, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", &user, &nice, &kernel, &idle, &wait, &irq,
               &softirq, &steal) != 8)
        return;
    s->busy = user + nice + kernel + irq + softirq;
    s->steal = steal;
    s->total = s->busy + idle + wait + steal;
}

/* A kernel without PSI has no such file: nothing is told. */
static void sample_pressure(struct fact_sample *s, const char *root, bool second)
{
    char text[512];
    double total_us;
    const char *total = read_sample(text, sizeof text, root, "/proc/pressure/cpu", second) ? strstr(text, "total=") : NULL;
    if (total && strncmp(text, "some ", strlen("some ")) == 0 && sscanf(total, "total=%lf", &total_us) == 1)
        s->waited_us = total_us;
}

static void sample_group(struct fact_sample *s, const char *root, bool second)
{
    struct cgroup level;
    if (!cgroup_find(&level, root, 0, "cpu"))
        return;
    do {
        char path[2 * CGROUP_PATH_MAX], text[4096];
        uint64_t periods, usec;
        cgroup_file(path, &level, "cpu.stat");
        if (read_sample(text, sizeof text, root, path, second) &&
            cgroup_throttled(&periods, &usec, &level, text))
            s->throttled = (isnan(s->throttled) ? 0 : s->throttled) + (double)periods;
    } while (cgroup_up(&level));
}

static void sample_heat(struct fact_sample *s, const char *root, bool second)
{
    struct dirent **names;
    size_t count;
    if (!tree_list(&names, &count, root, CPU, "cpu"))
        return;
    for (size_t i = 0; i < count; i++) {
        char path[512], text[64];
        snprintf(path, sizeof path, CPU "/%s/thermal_throttle/core_throttle_count", names[i]->d_name);
        if (read_sample(text, sizeof text, root, path, second))
            s->hot = (isnan(s->hot) ? 0 : s->hot) + strtod(text, NULL);
    }
    tree_list_free(names, count);
}

static void sample(struct fact_sample *s, const char *root, bool second)
{
    *s = (struct fact_sample){ NAN, NAN, NAN, NAN, NAN, NAN };
    sample_stat(s, root, second);
    sample_pressure(s, root, second);
    sample_group(s, root, second);
    sample_heat(s, root, second);
}

void facts_sample(struct facts *f)
{
    const struct clock clk = clock_system();
    sample(&f->cpu.first, f->root, false);
    if (!*f->root)
        clock_sleep_ns(&clk, 1000000000);
    sample(&f->cpu.second, f->root, true);
    f->cpu.sampled = true;
}

/* --- memory and the rest -------------------------------------------------------------------------------- */

static void read_memory(struct facts_memory *m, const char *root)
{
    char text[8192], limit[256];
    uint64_t total, left;
    m->limit_known = host_memory_limit(&m->limit_bytes, root, 0);
    m->free_known = host_memory_available(&m->free_bytes, root, 0);
    m->killed_known = host_oom_kills(&m->killed, root, 0);
    if (procfs_read(text, sizeof text, root, "/proc/meminfo") &&
        procfs_find_number(&total, text, "SwapTotal") && procfs_find_number(&left, text, "SwapFree")) {
        m->swap_known = true;
        m->swap_bytes = total > left ? (total - left) * 1024 : 0;
    }
    if (procfs_read(text, sizeof text, root, "/proc/self/limits") &&
        procfs_find_text(limit, sizeof limit, text, "Max address space"))
        snprintf(m->address_limit, sizeof m->address_limit, "%.*s", (int)strcspn(limit, " "), limit);
}

static void read_fact(struct fact_text *out, const char *root, const char *path)
{
    if (!tree_read(out->text, sizeof out->text, root, path))
        procfs_reason(out->absent, errno);
}

void facts_read_cpu(struct facts *f)
{
    struct facts_cpu *c = &f->cpu;
    environment_read(&c->environment, &c->environment_count, f->root, 0, NULL);
    read_frequencies(c, f->root);
    read_allowed(c, f->root);
    read_flags(c, f->root);
    c->has_quota = host_cpu_quota(&c->quota, f->root, 0);
    read_memory(&f->memory, f->root);
    read_fact(&f->clocksource, f->root, "/sys/devices/system/clocksource/clocksource0/current_clocksource");
    read_fact(&f->paranoid, f->root, "/proc/sys/kernel/perf_event_paranoid");
}
