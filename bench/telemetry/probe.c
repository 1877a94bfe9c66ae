#include "bench/telemetry/probe.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/base/procfs.h"

#define TEXT_MAX (128 * 1024) /* the cpu lines of /proc/stat with 1000 CPUs */

/* --- open ----------------------------------------------------------------------------------------------- */

static int open_or_error(int *error, const char *root, const char *path)
{
    const int fd = procfs_open(root, path);
    *error = fd < 0 ? errno : 0;
    return fd;
}

static void find_cpus(struct probe *p)
{
    char list[2048];
    if (p->status_fd < 0 || !procfs_read_fd(p->text, TEXT_MAX, p->status_fd) ||
        !procfs_find_text(list, sizeof list, p->text, "Cpus_allowed_list"))
        return;
    p->cpu_count = (int)procfs_cpu_list(p->cpus, PROBE_CPUS_MAX, list);
}

/* cpu.stat of every level that has one; a root group has none. */
static bool open_levels(struct probe *p)
{
    struct cgroup group;
    p->level_error = ENOENT;
    p->levels = calloc(CGROUP_LEVELS_MAX, sizeof *p->levels);
    if (!p->levels)
        return false;
    if (!cgroup_find(&group, p->root, p->pid, "cpu"))
        return true;
    do {
        char path[2 * CGROUP_PATH_MAX];
        cgroup_file(path, &group, "cpu.stat");
        const int fd = open_or_error(&p->level_error, p->root, path);
        if (fd < 0)
            continue;
        p->level_fd[p->level_count] = fd;
        p->levels[p->level_count++] = group;
    } while (p->level_count < CGROUP_LEVELS_MAX && cgroup_up(&group));
    return true;
}

static void open_for_cpu(int *fds, int *count, const struct probe *p, int cpu, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/%s", cpu, name);
    const int fd = procfs_open(p->root, path);
    if (fd >= 0)
        fds[(*count)++] = fd;
}

static long topology_id(const struct probe *p, int cpu, const char *name)
{
    char path[128], text[32];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/%s", cpu, name);
    return procfs_read_line(text, sizeof text, p->root, path) ? strtol(text, NULL, 10) : -1;
}

/* Threads of a core share its counter, cores of a package share that one's: each id is opened once. */
static bool open_thermal(struct probe *p)
{
    struct id { long package, core; } *seen = calloc((size_t)p->cpu_count + 1, sizeof *seen);
    int seen_count = 0;
    p->thermal_fd = calloc(2 * (size_t)p->cpu_count + 1, sizeof *p->thermal_fd);
    for (int cpu = 0; cpu < PROBE_CPUS_MAX && seen && p->thermal_fd; cpu++) {
        if (!p->cpus[cpu])
            continue;
        const struct id id = { topology_id(p, cpu, "physical_package_id"), topology_id(p, cpu, "core_id") };
        bool new_package = true, new_core = true;
        for (int i = 0; i < seen_count; i++) {
            new_package &= seen[i].package != id.package;
            new_core &= seen[i].package != id.package || seen[i].core != id.core;
        }
        seen[seen_count++] = id;
        if (new_core)
            open_for_cpu(p->thermal_fd, &p->thermal_count, p, cpu, "thermal_throttle/core_throttle_count");
        if (new_package)
            open_for_cpu(p->thermal_fd, &p->thermal_count, p, cpu, "thermal_throttle/package_throttle_count");
    }
    const bool good = seen && p->thermal_fd;
    free(seen);
    return good;
}

static bool open_clocks(struct probe *p)
{
    p->clock_fd = calloc((size_t)p->cpu_count + 1, sizeof *p->clock_fd);
    for (int cpu = 0; cpu < PROBE_CPUS_MAX && p->clock_fd; cpu++)
        if (p->cpus[cpu])
            open_for_cpu(p->clock_fd, &p->clock_count, p, cpu, "cpufreq/scaling_cur_freq");
    return p->clock_fd != NULL;
}

bool probe_open(struct probe *p, const char *root, pid_t pid)
{
    char path[64];
    int ignored;
    *p = (struct probe){ .root = root ? root : "", .pid = pid, .machine_fd = -1, .pressure_fd = -1, .stat_fd = -1,
                         .status_fd = -1, .task_fd = -1 };
    p->text = malloc(TEXT_MAX);
    if (!p->text)
        return false;
    p->machine_fd = open_or_error(&p->machine_error, p->root, "/proc/stat");
    p->pressure_fd = open_or_error(&p->pressure_error, p->root, "/proc/pressure/cpu");
    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    p->stat_fd = open_or_error(&ignored, p->root, path);
    snprintf(path, sizeof path, "/proc/%ld/status", (long)pid);
    p->status_fd = open_or_error(&ignored, p->root, path);
    snprintf(path, sizeof path, "/proc/%ld/task", (long)pid);
    p->task_fd = open_or_error(&ignored, p->root, path);
    find_cpus(p);
    energy_open(&p->energy, p->root);
    return open_levels(p) && open_thermal(p) && open_clocks(p);
}

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

void probe_close(struct probe *p)
{
    for (int i = 0; i < p->level_count; i++)
        close(p->level_fd[i]);
    for (int i = 0; i < p->thermal_count; i++)
        close(p->thermal_fd[i]);
    for (int i = 0; i < p->clock_count; i++)
        close(p->clock_fd[i]);
    close_fd(p->machine_fd);
    close_fd(p->pressure_fd);
    close_fd(p->stat_fd);
    close_fd(p->status_fd);
    close_fd(p->task_fd);
    energy_close(&p->energy);
    perf_close(p->perf);
    free(p->levels);
    free(p->thermal_fd);
    free(p->clock_fd);
    free(p->text);
}

/* --- read ----------------------------------------------------------------------------------------------- */

static void set(struct snapshot *s, enum telemetry_field field, double number)
{
    s->field[field] = (struct reading){ .known = true, .number = number };
}

static void set_absent(struct snapshot *s, enum telemetry_field field, int error)
{
    s->field[field].known = false;
    procfs_reason(s->field[field].absent, error);
}

static bool read_text(struct probe *p, int fd)
{
    if (fd >= 0)
        return procfs_read_fd(p->text, TEXT_MAX, fd);
    errno = ENOENT;
    return false;
}

static void read_levels(struct snapshot *s, struct probe *p)
{
    uint64_t periods = 0, usec = 0, here;
    int known = 0;
    for (int i = 0; i < p->level_count; i++) {
        s->level_usec[i] = 0;
        if (!read_text(p, p->level_fd[i]) ||
            !cgroup_throttled(&here, &s->level_usec[i], &p->levels[i], p->text))
            continue; /* a root group counts time, but has no quota to be throttled by */
        periods += here;
        usec += s->level_usec[i];
        known++;
    }
    if (known) {
        set(s, TELEMETRY_NR_THROTTLED, (double)periods);
        set(s, TELEMETRY_THROTTLED_USEC, (double)usec);
    } else {
        const int error = p->level_count ? EOPNOTSUPP : p->level_error;
        set_absent(s, TELEMETRY_NR_THROTTLED, error);
        set_absent(s, TELEMETRY_THROTTLED_USEC, error);
    }
}

/* Lines "cpu3 user nice system idle iowait irq softirq steal ...", in ticks. */
static void read_steal(struct snapshot *s, struct probe *p)
{
    uint64_t ticks = 0;
    bool known = false;
    if (!read_text(p, p->machine_fd)) {
        set_absent(s, TELEMETRY_STEAL_NS, p->machine_error ? p->machine_error : errno);
        return;
    }
    for (const char *line = p->text; line && strncmp(line, "cpu", 3) == 0;
         line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        unsigned cpu;
        unsigned long long steal;
        if (sscanf(line, "cpu%u %*u %*u %*u %*u %*u %*u %*u %llu", &cpu, &steal) != 2 ||
            cpu >= PROBE_CPUS_MAX || !p->cpus[cpu])
            continue; /* also the sum of all CPUs, which has no number */
        ticks += steal;
        known = true;
    }
    if (known)
        set(s, TELEMETRY_STEAL_NS, (double)ticks * 1e9 / (double)sysconf(_SC_CLK_TCK));
    else
        set_absent(s, TELEMETRY_STEAL_NS, EOPNOTSUPP);
}

static void read_pressure(struct snapshot *s, struct probe *p)
{
    unsigned long long total;
    const char *at = NULL;
    if (!read_text(p, p->pressure_fd)) {
        set_absent(s, TELEMETRY_PSI_SOME_USEC, p->pressure_error ? p->pressure_error : errno);
        return;
    }
    if (strncmp(p->text, "some ", 5) == 0)
        at = strstr(p->text, "total=");
    if (at && sscanf(at, "total=%llu", &total) == 1)
        set(s, TELEMETRY_PSI_SOME_USEC, (double)total);
    else
        set_absent(s, TELEMETRY_PSI_SOME_USEC, EOPNOTSUPP);
}

static void read_thermal(struct snapshot *s, struct probe *p)
{
    double sum = 0;
    for (int i = 0; i < p->thermal_count; i++)
        if (read_text(p, p->thermal_fd[i]))
            sum += strtod(p->text, NULL);
    if (p->thermal_count)
        set(s, TELEMETRY_THERMAL_COUNT, sum);
    else
        set_absent(s, TELEMETRY_THERMAL_COUNT, ENOENT);
}

static void read_clock(struct snapshot *s, struct probe *p)
{
    double sum = 0;
    int known = 0;
    for (int i = 0; i < p->clock_count; i++)
        if (read_text(p, p->clock_fd[i])) {
            sum += strtod(p->text, NULL);
            known++;
        }
    if (known)
        set(s, TELEMETRY_CLOCK_KHZ, sum / known);
    else
        set_absent(s, TELEMETRY_CLOCK_KHZ, ENOENT);
}

/* "pid (name) state ppid pgrp session tty tpgid flags minflt cminflt majflt cmajflt utime stime cutime
 * cstime priority nice num_threads ...": the name may hold blanks and brackets, so the fields are counted
 * from the last bracket. */
static void read_process(struct snapshot *s, struct probe *p)
{
    unsigned long long minor, major, user, system;
    long threads;
    const char *at = read_text(p, p->stat_fd) ? strrchr(p->text, ')') : NULL;
    const int error = errno;
    if (at && sscanf(at + 1, " %*c %*d %*d %*d %*d %*d %*u %llu %*u %llu %*u %llu %llu %*d %*d %*d %*d %ld",
                     &minor, &major, &user, &system, &threads) == 5) {
        set(s, TELEMETRY_MINOR_FAULTS, (double)minor);
        set(s, TELEMETRY_MAJOR_FAULTS, (double)major);
        set(s, TELEMETRY_CPU_NS, (double)(user + system) * 1e9 / (double)sysconf(_SC_CLK_TCK));
        set(s, TELEMETRY_WORKER_THREADS, (double)threads);
        return;
    }
    static const enum telemetry_field fields[] = { TELEMETRY_MINOR_FAULTS, TELEMETRY_MAJOR_FAULTS,
                                                   TELEMETRY_CPU_NS, TELEMETRY_WORKER_THREADS };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        set_absent(s, fields[i], error ? error : EOPNOTSUPP);
}

static void read_memory(struct snapshot *s, struct probe *p)
{
    static const struct { enum telemetry_field field; const char *key; } rows[] = {
        { TELEMETRY_RSS_BYTES, "VmRSS" }, { TELEMETRY_PEAK_RSS_BYTES, "VmHWM" } };
    const bool readable = read_text(p, p->status_fd);
    const int error = readable ? EOPNOTSUPP : errno;
    for (size_t i = 0; i < 2; i++) {
        uint64_t kib;
        if (readable && procfs_find_number(&kib, p->text, rows[i].key))
            set(s, rows[i].field, (double)kib * 1024);
        else
            set_absent(s, rows[i].field, error);
    }
}

/* /proc/PID/status counts the switches of its first thread only: they are summed over task/. */
static bool add_switches(double *voluntary, double *involuntary, struct probe *p, const char *thread)
{
    char path[300];
    uint64_t yielded, taken;
    snprintf(path, sizeof path, "%s/status", thread);
    const int fd = openat(p->task_fd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    const bool known = procfs_read_fd(p->text, TEXT_MAX, fd) &&
                       procfs_find_number(&yielded, p->text, "voluntary_ctxt_switches") &&
                       procfs_find_number(&taken, p->text, "nonvoluntary_ctxt_switches");
    close(fd);
    if (known) {
        *voluntary += (double)yielded;
        *involuntary += (double)taken;
    }
    return known;
}

static void read_switches(struct snapshot *s, struct probe *p)
{
    double voluntary = 0, involuntary = 0;
    int known = 0;
    const int fd = p->task_fd < 0 ? -1 : openat(p->task_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *tasks = fd < 0 ? NULL : fdopendir(fd);
    for (struct dirent *entry; tasks && (entry = readdir(tasks));)
        if (*entry->d_name != '.')
            known += add_switches(&voluntary, &involuntary, p, entry->d_name);
    if (tasks)
        closedir(tasks);
    else
        close_fd(fd);
    if (known) {
        set(s, TELEMETRY_VOLUNTARY, voluntary);
        set(s, TELEMETRY_INVOLUNTARY, involuntary);
    } else {
        set_absent(s, TELEMETRY_VOLUNTARY, ENOENT);
        set_absent(s, TELEMETRY_INVOLUNTARY, ENOENT);
    }
}

static void read_energy(struct snapshot *s, const struct probe *p)
{
    if (energy_read(s->energy_uj, &p->energy))
        set(s, TELEMETRY_ENERGY_UJ, 0); /* a block's energy comes from the counters themselves: each wraps */
    else
        set_absent(s, TELEMETRY_ENERGY_UJ, p->energy.error ? p->energy.error : EOPNOTSUPP);
}

void probe_read(struct snapshot *out, struct probe *p)
{
    errno = 0;
    read_energy(out, p);
    read_levels(out, p);
    read_steal(out, p);
    read_pressure(out, p);
    read_thermal(out, p);
    read_clock(out, p);
    read_process(out, p);
    read_memory(out, p);
    read_switches(out, p);
    if (p->perf)
        perf_read(&out->perf, p->perf);
}
