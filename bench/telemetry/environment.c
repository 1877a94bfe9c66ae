#include "bench/telemetry/environment.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/host.h"
#include "kernels/base/procfs.h"

#define TEXT_MAX (1 << 20)           /* /proc/cpuinfo of 500 CPUs */

struct machine {                     /* what a fact is read from */
    const char *root;
    pid_t  pid;
    char  *text;                     /* [TEXT_MAX] */
};

/* --- ways to set a row ---------------------------------------------------------------------------------- */

static void set_number(struct field_row *row, double number)
{
    row->number = number;
    row->is_number = true;
}

static void set_text(struct field_row *row, const char *text)
{
    snprintf(row->text, sizeof row->text, "%s", text);
}

static void set_absent(struct field_row *row, int error)
{
    procfs_reason(row->absent, error ? error : EOPNOTSUPP);
}

/* The whole file as a text, or as a number if it is one. */
static void set_from_file(struct field_row *row, const struct machine *m, const char *path)
{
    char *end;
    if (!procfs_read_line(m->text, TEXT_MAX, m->root, path)) {
        set_absent(row, errno);
        return;
    }
    const double number = strtod(m->text, &end);
    if (end != m->text && !*end)
        set_number(row, number);
    else
        set_text(row, m->text);
}

/* Text of `key` in the file, or number. */
static void set_from_line(struct field_row *row, const struct machine *m, const char *path, const char *key,
                          bool is_number, double factor)
{
    uint64_t number;
    char text[RECORD_TEXT];
    if (!procfs_read(m->text, TEXT_MAX, m->root, path))
        set_absent(row, errno);
    else if (is_number && procfs_find_number(&number, m->text, key))
        set_number(row, (double)number * factor);
    else if (!is_number && procfs_find_text(text, sizeof text, m->text, key))
        set_text(row, text);
    else
        set_absent(row, EOPNOTSUPP);
}

/* --- facts ---------------------------------------------------------------------------------------------- */

static void cpu_model(struct field_row *row, const struct machine *m)
{
    set_from_line(row, m, "/proc/cpuinfo", "model name", false, 1);
    if (*row->absent) { /* other processors than x86 */
        *row->absent = 0;
        set_from_line(row, m, "/proc/cpuinfo", "CPU part", false, 1);
    }
}

static void cpu_threads(struct field_row *row, const struct machine *m)
{
    char list[2048];
    static const char path[] = "/sys/devices/system/cpu/online";
    enum { ROOM = 8192 };
    bool *cpus = calloc(ROOM, sizeof *cpus);
    if (cpus && procfs_read_line(list, sizeof list, m->root, path))
        set_number(row, (double)procfs_cpu_list(cpus, ROOM, list));
    else
        set_absent(row, errno);
    free(cpus);
}

/* Different pairs of "physical id" and "core id"; where the kernel does not tell them,
 * every processor is a core. */
static void cpu_cores(struct field_row *row, const struct machine *m)
{
    enum { ROOM = 8192 };
    long package = 0, *seen = calloc(ROOM, sizeof *seen);
    size_t cores = 0, processors = 0;
    if (!seen || !procfs_read(m->text, TEXT_MAX, m->root, "/proc/cpuinfo")) {
        set_absent(row, errno);
        free(seen);
        return;
    }
    for (char *line = strtok(m->text, "\n"); line; line = strtok(NULL, "\n")) {
        const char *value = strchr(line, ':');
        if (!value)
            continue;
        processors += strncmp(line, "processor", 9) == 0;
        if (strncmp(line, "physical id", 11) == 0)
            package = strtol(value + 1, NULL, 10);
        if (strncmp(line, "core id", 7) != 0 || cores == ROOM)
            continue;
        const long id = package * 100000 + strtol(value + 1, NULL, 10);
        size_t i = 0;
        while (i < cores && seen[i] != id)
            i++;
        if (i == cores)
            seen[cores++] = id;
    }
    free(seen);
    if (cores || processors)
        set_number(row, (double)(cores ? cores : processors));
    else
        set_absent(row, EOPNOTSUPP);
}

static void cpu_quota(struct field_row *row, const struct machine *m)
{
    double cpus;
    if (host_cpu_quota(&cpus, m->root, m->pid))
        set_number(row, cpus);
    else
        set_text(row, "none");
}

static void cpus_allowed(struct field_row *row, const struct machine *m)
{
    char path[64] = "/proc/self/status";
    if (m->pid)
        snprintf(path, sizeof path, "/proc/%ld/status", (long)m->pid);
    set_from_line(row, m, path, "Cpus_allowed_list", false, 1);
}

static void memory_bytes(struct field_row *row, const struct machine *m)
{
    set_from_line(row, m, "/proc/meminfo", "MemTotal", true, 1024);
}

static void numa_nodes(struct field_row *row, const struct machine *m)
{
    char path[PROCFS_PATH_MAX];
    int nodes = 0;
    snprintf(path, sizeof path, "%s/sys/devices/system/node", m->root);
    DIR *folder = opendir(path);
    if (!folder) {
        set_absent(row, errno);
        return;
    }
    for (struct dirent *entry; (entry = readdir(folder));)
        nodes += strncmp(entry->d_name, "node", 4) == 0 && isdigit((unsigned char)entry->d_name[4]);
    closedir(folder);
    set_number(row, nodes ? nodes : 1);
}

static void kernel(struct field_row *row, const struct machine *m)
{
    if (procfs_read_line(m->text, TEXT_MAX, m->root, "/proc/sys/kernel/osrelease"))
        set_text(row, m->text); /* "6.1" alone would read as a number */
    else
        set_absent(row, errno);
}

static void governor(struct field_row *row, const struct machine *m)
{
    set_from_file(row, m, "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
}

static void scaling_driver(struct field_row *row, const struct machine *m)
{
    set_from_file(row, m, "/sys/devices/system/cpu/cpu0/cpufreq/scaling_driver");
}

static void turbo(struct field_row *row, const struct machine *m)
{
    set_from_file(row, m, "/sys/devices/system/cpu/intel_pstate/no_turbo");
    if (row->is_number) {
        row->number = row->number == 0;
        return;
    }
    memset(row->absent, 0, sizeof row->absent);
    set_from_file(row, m, "/sys/devices/system/cpu/cpufreq/boost");
}

static void smt(struct field_row *row, const struct machine *m)
{
    set_from_file(row, m, "/sys/devices/system/cpu/smt/control");
}

static void cpus_isolated(struct field_row *row, const struct machine *m)
{
    if (procfs_read_line(m->text, TEXT_MAX, m->root, "/sys/devices/system/cpu/isolated"))
        set_text(row, *m->text ? m->text : "none"); /* a list: one CPU is no number either */
    else
        set_absent(row, errno);
}

static void microcode(struct field_row *row, const struct machine *m)
{
    set_from_line(row, m, "/proc/cpuinfo", "microcode", false, 1);
}

/* "always [madvise] never": the word in brackets is in force. */
static void huge_pages(struct field_row *row, const struct machine *m)
{
    char word[32] = "";
    if (!procfs_read(m->text, TEXT_MAX, m->root, "/sys/kernel/mm/transparent_hugepage/enabled"))
        set_absent(row, errno);
    else if (strchr(m->text, '[') && sscanf(strchr(m->text, '['), "[%31[a-z]]", word) == 1)
        set_text(row, word);
    else
        set_absent(row, EOPNOTSUPP);
}

static void perf_event_paranoid(struct field_row *row, const struct machine *m)
{
    set_from_file(row, m, "/proc/sys/kernel/perf_event_paranoid");
}

static void first_number(struct field_row *row, const struct machine *m, const char *path)
{
    char *end;
    if (!procfs_read(m->text, TEXT_MAX, m->root, path)) {
        set_absent(row, errno);
        return;
    }
    const double number = strtod(m->text, &end);
    if (end == m->text)
        set_absent(row, EOPNOTSUPP);
    else
        set_number(row, number);
}

static void load_1min(struct field_row *row, const struct machine *m)
{
    first_number(row, m, "/proc/loadavg");
}

static void uptime_s(struct field_row *row, const struct machine *m)
{
    first_number(row, m, "/proc/uptime");
}

static void memory_available_bytes(struct field_row *row, const struct machine *m)
{
    uint64_t bytes;
    if (host_memory_available(&bytes, m->root, m->pid))
        set_number(row, (double)bytes);
    else
        set_absent(row, EOPNOTSUPP);
}

static void rapl_uj(struct field_row *row, const struct machine *m)
{
    set_from_file(row, m, "/sys/class/powercap/intel-rapl:0/energy_uj");
}

/* --- all ------------------------------------------------------------------------------------------------ */

#define FACT(fact, fact_class, fact_source) { #fact, fact_class, fact_source, fact }
static const struct {
    const char *name, *class_name, *source;
    void (*read)(struct field_row *row, const struct machine *m);
} facts[] = {
    FACT(cpu_model, "key", "/proc/cpuinfo"),
    FACT(cpus_allowed, "key", "/proc/PID/status"),
    FACT(cpu_quota, "key", "cgroup cpu.max or cpu.cfs_quota_us"),
    FACT(cpu_cores, "event", "/proc/cpuinfo"),
    FACT(cpu_threads, "event", "/sys/devices/system/cpu/online"),
    FACT(memory_bytes, "event", "/proc/meminfo"),
    FACT(numa_nodes, "event", "/sys/devices/system/node"),
    FACT(kernel, "event", "/proc/sys/kernel/osrelease"),
    FACT(governor, "event", "scaling_governor of cpu0"),
    FACT(scaling_driver, "event", "scaling_driver of cpu0"),
    FACT(turbo, "event", "intel_pstate/no_turbo or cpufreq/boost"),
    FACT(smt, "event", "/sys/devices/system/cpu/smt/control"),
    FACT(cpus_isolated, "event", "/sys/devices/system/cpu/isolated"),
    FACT(microcode, "event", "/proc/cpuinfo"),
    FACT(huge_pages, "event", "transparent_hugepage/enabled"),
    FACT(perf_event_paranoid, "event", "/proc/sys/kernel/perf_event_paranoid"),
    FACT(load_1min, "context", "/proc/loadavg"),
    FACT(uptime_s, "context", "/proc/uptime"),
    FACT(memory_available_bytes, "context", "/proc/meminfo and cgroups"),
    FACT(rapl_uj, "context", "intel-rapl:0/energy_uj; wraps"),
};
enum { FACTS = sizeof facts / sizeof *facts };

enum status environment_read(struct field_row **out, size_t *count, const char *root, pid_t pid,
                             struct err *err)
{
    const struct machine m = { .root = root ? root : "", .pid = pid, .text = malloc(TEXT_MAX) };
    struct field_row *rows = calloc(FACTS, sizeof *rows);
    *out = NULL;
    *count = 0;
    if (!m.text || !rows) {
        free(m.text);
        free(rows);
        return err_set(err, ST_OUT_OF_MEMORY, "facts of the machine: out of memory");
    }
    for (size_t i = 0; i < FACTS; i++) {
        snprintf(rows[i].name, sizeof rows[i].name, "%s", facts[i].name);
        snprintf(rows[i].class_name, sizeof rows[i].class_name, "%s", facts[i].class_name);
        snprintf(rows[i].source, sizeof rows[i].source, "%s", facts[i].source);
        rows[i].number = NAN;
        errno = 0;
        facts[i].read(&rows[i], &m);
    }
    free(m.text);
    *out = rows;
    *count = FACTS;
    return ST_OK;
}

const struct field_row *environment_find(const struct field_row *rows, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}
