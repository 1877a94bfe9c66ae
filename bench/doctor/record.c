#include "bench/doctor/record.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/doctor/anonymous.h"
#include "bench/doctor/checks.h"
#include "kernels/base/cgroup.h"
#include "kernels/base/clock.h"
#include "kernels/base/json.h"
#include "kernels/base/len.h"

#define TEXT_MAX (1 << 20)
#define PATH_MAX_HERE (2 * PROCFS_PATH_MAX)
#define CPU "/sys/devices/system/cpu/"

/* --- what is kept ------------------------------------------------------------------------------------------ */

enum how {
    HOW_WHOLE,
    HOW_LINES,                       /* only lines that begin with one of the words */
    HOW_EMPTY,                       /* that it is there */
};
static const struct row {
    const char *pattern;
    enum how how;
    bool sampled;                    /* a second time 1 s later, as NAME@1 */
    const char *lines[9];
} rows[] = {
    { "/sys/module/nvidia/version", HOW_WHOLE, false, { NULL } },
    { "/proc/driver/nvidia/version", HOW_WHOLE, false, { NULL } },
    { "/sys/module/nouveau", HOW_EMPTY, false, { NULL } },
    { "/dev/nvidia*", HOW_EMPTY, false, { NULL } },
    { "/dev/dxg", HOW_EMPTY, false, { NULL } },
    { "/.dockerenv", HOW_EMPTY, false, { NULL } },
    { "/run/.containerenv", HOW_EMPTY, false, { NULL } },
    { "/etc/cdi/*.yaml", HOW_EMPTY, false, { NULL } },
    { "/etc/cdi/*.json", HOW_EMPTY, false, { NULL } },
    { "/usr/bin/nvidia-ctk", HOW_EMPTY, false, { NULL } },
    { "/usr/bin/nvidia-container-cli", HOW_EMPTY, false, { NULL } },
    { CPU "online", HOW_WHOLE, false, { NULL } },
    { CPU "isolated", HOW_WHOLE, false, { NULL } },
    { CPU "cpu[0-9]*/cpufreq/scaling_governor", HOW_WHOLE, false, { NULL } },
    { CPU "cpu[0-9]*/cpufreq/scaling_driver", HOW_WHOLE, false, { NULL } },
    { CPU "cpu[0-9]*/cpufreq/scaling_max_freq", HOW_WHOLE, false, { NULL } },
    { CPU "cpu[0-9]*/cpufreq/cpuinfo_max_freq", HOW_WHOLE, false, { NULL } },
    { CPU "cpu[0-9]*/thermal_throttle/core_throttle_count", HOW_WHOLE, true, { NULL } },
    { CPU "intel_pstate/no_turbo", HOW_WHOLE, false, { NULL } },
    { CPU "cpufreq/boost", HOW_WHOLE, false, { NULL } },
    { CPU "smt/control", HOW_WHOLE, false, { NULL } },
    { "/sys/devices/system/node/node*/cpulist", HOW_WHOLE, false, { NULL } },
    { "/sys/devices/system/clocksource/clocksource0/current_clocksource", HOW_WHOLE, false, { NULL } },
    { "/proc/sys/kernel/osrelease", HOW_WHOLE, false, { NULL } },
    { "/proc/sys/kernel/perf_event_paranoid", HOW_WHOLE, false, { NULL } },
    { "/proc/loadavg", HOW_WHOLE, false, { NULL } },
    { "/proc/cpuinfo", HOW_LINES, false,
      { "processor", "model name", "CPU part", "microcode", "physical id", "core id", "flags", "Features" } },
    { "/proc/meminfo", HOW_LINES, false, { "MemTotal", "MemAvailable", "SwapTotal", "SwapFree" } },
    { "/proc/stat", HOW_LINES, true, { "cpu " } },
    { "/proc/pressure/cpu", HOW_LINES, true, { "some " } },
    { "/proc/self/status", HOW_LINES, false, { "Cpus_allowed_list" } },
    { "/proc/self/limits", HOW_LINES, false, { "Max address space" } },
};
/* Of every level of the control groups. */
static const struct group_row { const char *name; bool sampled; } group_rows[] = {
    { "cpu.max", false }, { "cpu.cfs_quota_us", false }, { "cpu.cfs_period_us", false }, { "cpu.stat", true },
    { "memory.max", false }, { "memory.current", false }, { "memory.events", false },
    { "memory.limit_in_bytes", false }, { "memory.usage_in_bytes", false }, { "memory.oom_control", false },
};

/* --- writing ----------------------------------------------------------------------------------------------- */

struct record {
    const char *dir;
    struct anonymous names;
    char *text;                      /* [TEXT_MAX] */
    struct err *err;
};

static enum status failed(const struct record *r, const char *path)
{
    return err_set(r->err, ST_IO, "--record: %s%s cannot be written: %s", r->dir, path, strerror(errno));
}

static bool make_folders(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        const bool good = mkdir(path, 0777) == 0 || errno == EEXIST;
        *slash = '/';
        if (!good)
            return false;
    }
    return true;
}

/* A file of the tree, or with `target` a link, or with neither text nor target a folder. The path is anonymous. */
static enum status put(struct record *r, const char *path, const char *text, const char *target)
{
    char full[PATH_MAX_HERE];
    if (snprintf(full, sizeof full, "%s%s%s", r->dir, path, text || target ? "" : "/") >= (int)sizeof full) {
        errno = ENAMETOOLONG;
        return failed(r, path);
    }
    if (!make_folders(full))
        return failed(r, path);
    if (target)
        return symlink(target, full) == 0 || errno == EEXIST ? ST_OK : failed(r, path);
    FILE *file = text ? fopen(full, "we") : NULL;
    if (!text)
        return ST_OK;
    const bool written = file && fputs(text, file) >= 0;
    return (file && fclose(file) != 0) || !written ? failed(r, path) : ST_OK;
}

/* The same for path and text of the machine. */
static enum status put_anonymous(struct record *r, const char *path, const char *suffix, const char *text)
{
    char *other_path = anonymous_text(&r->names, path), *other_text = text ? anonymous_text(&r->names, text) : NULL;
    char whole[PROCFS_PATH_MAX];
    enum status st = err_set(r->err, ST_INTERNAL, "not enough memory to record %s", path);
    if (other_path && (other_text || !text)) {
        snprintf(whole, sizeof whole, "%s%s", other_path, suffix);
        st = put(r, whole, other_text, NULL);
    }
    free(other_path);
    free(other_text);
    return st;
}

/* --- files of the table ------------------------------------------------------------------------------------ */

/* Takes all lines out of the text that begin with none of the words. */
static void keep_lines(char *text, const char *const *words, size_t count)
{
    char *to = text;
    for (char *line = text, *next; *line; line = next) {
        const size_t size = strcspn(line, "\n") + (line[strcspn(line, "\n")] == '\n');
        bool kept = *line == '\n'; /* between processors */
        next = line + size;
        for (size_t i = 0; i < count && words[i]; i++)
            kept |= strncmp(line, words[i], strlen(words[i])) == 0;
        if (!kept)
            continue;
        memmove(to, line, size);
        to += size;
    }
    *to = 0;
}

static enum status copy_file(struct record *r, const struct row *row, const char *path, bool second)
{
    struct stat info;
    if (row->how == HOW_EMPTY)
        return stat(path, &info) == 0 ? put_anonymous(r, path, "", S_ISDIR(info.st_mode) ? NULL : "") : ST_OK;
    if (!procfs_read(r->text, TEXT_MAX, "", path))
        return ST_OK; /* what cannot be read here is not in the tree */
    if (row->how == HOW_LINES)
        keep_lines(r->text, row->lines, LEN(row->lines));
    return put_anonymous(r, path, second ? "@1" : "", r->text);
}

static enum status copy_files(struct record *r, bool second)
{
    enum status st = ST_OK;
    for (size_t i = 0; i < LEN(rows) && st == ST_OK; i++) {
        glob_t found;
        if (second && !rows[i].sampled)
            continue;
        if (glob(rows[i].pattern, 0, NULL, &found) != 0)
            continue;
        for (size_t k = 0; k < found.gl_pathc && st == ST_OK; k++)
            st = copy_file(r, &rows[i], found.gl_pathv[k], second);
        globfree(&found);
    }
    return st;
}

/* --- GPUs, libraries, containers --------------------------------------------------------------------------- */

/* Only NVIDIA's own: what else is on the bus is nobody's business. */
static enum status copy_pci(struct record *r, const struct facts *f)
{
    static const char *const names[] = { "vendor", "class", "numa_node" };
    enum status st = *f->pci_absent ? ST_OK : put(r, "/sys/bus/pci/devices", NULL, NULL);
    for (size_t i = 0; i < f->pci_count && st == ST_OK; i++)
        for (size_t k = 0; k < LEN(names) && st == ST_OK; k++) {
            char path[256];
            snprintf(path, sizeof path, "/sys/bus/pci/devices/%s/%s", f->pci[i].address, names[k]);
            if (procfs_read(r->text, TEXT_MAX, "", path))
                st = put_anonymous(r, path, "", r->text);
        }
    return st;
}

/* The file behind the loader's links, and one link to it. */
static enum status put_library(struct record *r, const struct facts *f, const char *part, const struct fact_library *l)
{
    const char *loaded = json_string_value(json_object_get(json_object_get(f->answers, part), "dlopen"));
    if (!loaded || !*l->path)
        return ST_OK;
    char *link = anonymous_text(&r->names, loaded), *file = anonymous_text(&r->names, l->path);
    enum status st = link && file ? put(r, file, "", NULL) : err_set(r->err, ST_INTERNAL, "not enough memory");
    if (st == ST_OK && strcmp(link, file) != 0)
        st = put(r, link, NULL, file);
    free(link);
    free(file);
    return st;
}

static enum status put_container(struct record *r, const struct facts *f)
{
    char line[96];
    const char *group = strstr(f->container, " in /proc/1/cgroup");
    enum status st = ST_OK;
    if (group) {
        snprintf(line, sizeof line, "0::%.*s/1\n", (int)(group - f->container), f->container);
        st = put(r, "/proc/1/cgroup", line, NULL);
    } else if (strncmp(f->container, "container=", 10) == 0)
        st = put(r, "/proc/1/environ", "container=1", NULL);
    if (st == ST_OK && f->docker_runtime)
        st = put(r, "/etc/docker/daemon.json", "{\"runtimes\": {\"nvidia\": {}}}\n", NULL);
    return st;
}

/* Of the kernel log only the numbers, a line each: what stands beside them names processes. */
static enum status put_xids(struct record *r, const struct facts *f)
{
    char log[8192] = "";
    size_t used = 0;
    if (*f->xids.absent)
        return ST_OK;
    for (const char *at = f->xids.text; *at; at += strcspn(at, ",") + strspn(at + strcspn(at, ","), ", ")) {
        int number = 0, times = 1;
        if (sscanf(at, "%d (%d times)", &number, &times) < 1)
            break;
        for (int i = 0; i < times && used < sizeof log - 64; i++)
            used += (size_t)snprintf(log + used, sizeof log - used, "NVRM: Xid (PCI): %d\n", number);
    }
    return put(r, "/dev/kmsg", log, NULL);
}

/* --- control groups ---------------------------------------------------------------------------------------- */

/* Groups are named by services, users and containers; in the tree they are called g1/g2/.. */
static void group_path(char out[PROCFS_PATH_MAX], const struct cgroup *group, const char *mount)
{
    size_t used = (size_t)snprintf(out, PROCFS_PATH_MAX, "%s", mount);
    int level = 0;
    for (const char *slash = strchr(group->path, '/'); slash && used < PROCFS_PATH_MAX - 16; slash = strchr(slash + 1, '/'))
        used += (size_t)snprintf(out + used, PROCFS_PATH_MAX - used, "/g%d", ++level);
}

static enum status copy_level(struct record *r, const struct cgroup *level, const char *mount, bool second)
{
    enum status st = ST_OK;
    for (size_t i = 0; i < LEN(group_rows) && st == ST_OK; i++) {
        char from[2 * CGROUP_PATH_MAX], to[PROCFS_PATH_MAX], whole[PROCFS_PATH_MAX + 64];
        cgroup_file(from, level, group_rows[i].name);
        if ((second && !group_rows[i].sampled) || !procfs_read(r->text, TEXT_MAX, "", from))
            continue;
        group_path(to, level, mount);
        snprintf(whole, sizeof whole, "%s/%s%s", to, group_rows[i].name, second ? "@1" : "");
        st = put(r, whole, r->text, NULL);
    }
    return st;
}

/* The group of a controller with all above it; its lines for /proc/self/cgroup and mountinfo. */
static enum status copy_group(struct record *r, const char *controller, bool second, FILE *groups, FILE *mounts)
{
    struct cgroup group;
    char mount[64], path[PROCFS_PATH_MAX];
    if (!cgroup_find(&group, "", 0, controller))
        return ST_OK;
    snprintf(mount, sizeof mount, "/sys/fs/cgroup%s%s", group.v2 ? "" : "/", group.v2 ? "" : controller);
    group_path(path, &group, "");
    fprintf(groups, "%s%s:%s\n", group.v2 ? "0:" : "1:", group.v2 ? "" : controller, *path ? path : "/");
    fprintf(mounts, "30 20 0:26 / %s rw - cgroup%s cgroup%s rw%s%s\n", mount, group.v2 ? "2" : "", group.v2 ? "2" : "",
            group.v2 ? "" : ",", group.v2 ? "" : controller);
    enum status st = ST_OK;
    do
        st = copy_level(r, &group, mount, second);
    while (st == ST_OK && cgroup_up(&group));
    return st;
}

static enum status copy_groups(struct record *r, bool second)
{
    static const char *const controllers[] = { "cpu", "memory" };
    char *texts[2] = { NULL, NULL };
    size_t sizes[2];
    FILE *groups = open_memstream(&texts[0], &sizes[0]), *mounts = open_memstream(&texts[1], &sizes[1]);
    enum status st = groups && mounts ? ST_OK : err_set(r->err, ST_INTERNAL, "not enough memory to record groups");
    for (size_t i = 0; i < LEN(controllers) && st == ST_OK; i++)
        st = copy_group(r, controllers[i], second, groups, mounts);
    if (groups)
        fclose(groups);
    if (mounts)
        fclose(mounts);
    if (st == ST_OK)
        st = put(r, "/proc/self/cgroup", texts[0], NULL);
    if (st == ST_OK)
        st = put(r, "/proc/self/mountinfo", texts[1], NULL);
    free(texts[0]);
    free(texts[1]);
    return st;
}

/* --- answers ----------------------------------------------------------------------------------------------- */

/* The answers, of the environment only what the checks look at. */
static enum status put_facts(struct record *r, const struct facts *f)
{
    json_t *all = anonymous_json(&r->names, f->answers), *env = json_object(), *value;
    const char *name;
    json_object_foreach(json_object_get(all, "env"), name, value)
        if (checks_know_variable(name) || strcmp(name, "NVIDIA_VISIBLE_DEVICES") == 0)
            json_object_set(env, name, value);
    json_object_set_new(all, "env", env);
    char *text = all ? json_write_text(all, JSON_INDENTED) : NULL;
    enum status st = text ? put(r, "/facts.json", text, NULL)
                          : err_set(r->err, ST_INTERNAL, "not enough memory to record the answers");
    json_decref(all);
    free(text);
    return st;
}

static enum status write_all(struct record *r, const struct facts *f)
{
    const struct clock clk = clock_system();
    enum status st = copy_files(r, false);
    if (st == ST_OK)
        st = copy_groups(r, false);
    if (st == ST_OK)
        clock_sleep_ns(&clk, 1000000000);
    if (st == ST_OK)
        st = copy_files(r, true);
    if (st == ST_OK)
        st = copy_groups(r, true);
    if (st == ST_OK)
        st = copy_pci(r, f);
    if (st == ST_OK)
        st = put_library(r, f, "nvml", &f->nvml_library);
    if (st == ST_OK)
        st = put_library(r, f, "cuda", &f->cuda_library);
    if (st == ST_OK)
        st = put_container(r, f);
    if (st == ST_OK)
        st = put_xids(r, f);
    return st == ST_OK ? put_facts(r, f) : st;
}

enum status record_write(const char *dir, const struct facts *facts, struct err *err)
{
    struct record r = { .dir = dir, .err = err };
    if (mkdir(dir, 0777) != 0)
        return err_set(err, ST_USAGE, "--record: %s: %s; name a folder that is not there yet", dir, strerror(errno));
    r.text = malloc(TEXT_MAX);
    if (!r.text)
        return err_set(err, ST_INTERNAL, "not enough memory to record files");
    anonymous_open(&r.names);
    const enum status st = write_all(&r, facts);
    anonymous_close(&r.names);
    free(r.text);
    return st;
}
