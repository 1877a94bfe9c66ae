#include "bench/telemetry/perf.h"

#include <dirent.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernels/base/procfs.h"

#define THREADS_MAX 512

struct perf {
    int cycles_fd[THREADS_MAX], reference_fd[THREADS_MAX];
    int count;
};

static int open_counter(pid_t tid, uint64_t what)
{
    struct perf_event_attr attr = {
        .type = PERF_TYPE_HARDWARE, .size = sizeof attr, .config = what, .inherit = 1, .exclude_kernel = 1,
        .exclude_hv = 1, /* what perf_event_paranoid = 2 still allows */
        .read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING,
    };
    return (int)syscall(SYS_perf_event_open, &attr, tid, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

/* false: errno. A thread that has ended meanwhile is no failure. */
static bool add_thread(struct perf *p, pid_t tid)
{
    const int cycles = open_counter(tid, PERF_COUNT_HW_CPU_CYCLES);
    const int reference = cycles < 0 ? -1 : open_counter(tid, PERF_COUNT_HW_REF_CPU_CYCLES);
    const int error = errno;
    if (reference < 0) {
        if (cycles >= 0)
            close(cycles);
        errno = error;
        return error == ESRCH;
    }
    p->cycles_fd[p->count] = cycles;
    p->reference_fd[p->count++] = reference;
    return true;
}

struct perf *perf_open(pid_t pid, int *error)
{
    char path[64];
    struct perf *p = calloc(1, sizeof *p);
    snprintf(path, sizeof path, "/proc/%ld/task", (long)pid);
    DIR *tasks = p ? opendir(path) : NULL;
    bool good = tasks != NULL;
    *error = good ? 0 : errno;
    for (struct dirent *entry; good && p->count < THREADS_MAX && (entry = readdir(tasks));) {
        if (*entry->d_name == '.')
            continue;
        good = add_thread(p, (pid_t)strtol(entry->d_name, NULL, 10));
        *error = good ? 0 : errno;
    }
    if (tasks)
        closedir(tasks);
    if (*error == ENOENT || *error == EINVAL)
        *error = EOPNOTSUPP; /* this processor or virtual machine has no such counter */
    if (good && p->count)
        return p;
    perf_close(p);
    return NULL;
}

void perf_close(struct perf *p)
{
    for (int i = 0; p && i < p->count; i++) {
        close(p->cycles_fd[i]);
        close(p->reference_fd[i]);
    }
    free(p);
}

static bool add_counter(double *sum, struct perf_count *out, int fd)
{
    uint64_t value[3]; /* count, ns enabled, ns running */
    if (read(fd, value, sizeof value) != (ssize_t)sizeof value)
        return false;
    if (value[2])
        *sum += (double)value[0] * (double)value[1] / (double)value[2];
    out->enabled_ns += (double)value[1];
    out->running_ns += (double)value[2];
    return true;
}

void perf_read(struct perf_count *out, const struct perf *p)
{
    *out = (struct perf_count){ .known = true };
    for (int i = 0; i < p->count && out->known; i++)
        out->known = add_counter(&out->cycles, out, p->cycles_fd[i]) &&
                     add_counter(&out->reference, out, p->reference_fd[i]);
    if (!out->known)
        procfs_reason(out->absent, errno);
}
