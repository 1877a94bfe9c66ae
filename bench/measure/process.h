/* process.h - a child process in its own group with three pipes: started, listened to, ended. Knows no
 * protocol. What process_open gives, process_close takes back. */
#ifndef MEASURE_PROCESS_H
#define MEASURE_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bench/measure/worker.h"
#include "kernels/base/line.h"

#define PROCESS_GRACE_NS (2 * WORKER_S) /* between SIGTERM and SIGKILL */
#define PROCESS_LINE_MAX 400            /* longer lines of standard error are cut in the tail */

struct process {
    pid_t pid;
    int   in_fd, out_fd, err_fd, log_fd; /* its standard input (not blocking), output, error; -1: closed */
    struct worker_end end;
    uint64_t memory_limit_bytes;
    int64_t  oom_kills;                  /* before it started; -1 unknown */
    char   lines[WORKER_STDERR_LINES][PROCESS_LINE_MAX];
    size_t line_count;                   /* finished and running lines so far; the last is number line_count - 1 */
    bool   line_open;                    /* the last line has no newline yet */
    size_t line_used;
};

/* ST_ENVIRONMENT, ST_IO as worker_open says. */
enum status process_open(struct process *p, const struct worker_start *start, struct err *err);
/* Ends it if it lives (process_kill), closes what is open. */
void process_close(struct process *p);

/* Takes what standard error holds without waiting. */
void process_drain(struct process *p);
/* The last lines, joined by '\n', into text; cut in front if they do not fit. */
void process_tail(const struct process *p, char *text, size_t size);
/* True if it has ended; then p->end is filled, its group is gone and it is reaped. Waits at most wait_ns. */
bool process_ended(struct process *p, uint64_t wait_ns);
/* SIGTERM to the group, up to PROCESS_GRACE_NS, SIGKILL. It has ended afterwards. */
void process_kill(struct process *p);
/* "signal 11 (Segmentation fault)", "exit status 3", with the out-of-memory killer named. */
void process_end_text(const struct process *p, char *text, size_t size);

#endif
