#include "bench/measure/process.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernels/base/home.h"
#include "kernels/base/host.h"

#define NEAR_LIMIT 0.9
#define WAIT_STEP_NS (2 * WORKER_S / 1000)

/* --- start --- */

struct pipes {
    int in[2], out[2], err[2], failure[2]; /* [0] is read, [1] written; failure: errno of an exec that failed */
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void close_pipes(struct pipes *p)
{
    int *ends[] = { p->in, p->out, p->err, p->failure };
    for (size_t i = 0; i < 4; i++) {
        close_fd(&ends[i][0]);
        close_fd(&ends[i][1]);
    }
}

static int open_pipes(struct pipes *p)
{
    *p = (struct pipes){ { -1, -1 }, { -1, -1 }, { -1, -1 }, { -1, -1 } };
    if (pipe2(p->in, O_CLOEXEC) == 0 && pipe2(p->out, O_CLOEXEC) == 0 && pipe2(p->err, O_CLOEXEC) == 0 &&
        pipe2(p->failure, O_CLOEXEC) == 0)
        return 0;
    int why = errno;
    close_pipes(p);
    errno = why;
    return -1;
}

/* Only calls that are allowed between fork and exec; what fails is told through the pipe. */
static void run_child(const struct pipes *p, const char *program, const struct worker_start *start,
                      char **environment, pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127); /* it died before the kernel was asked to watch it */
    signal(SIGPIPE, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int failed = (start->cpus && sched_setaffinity(0, sizeof *start->cpus, start->cpus) != 0) ||
                 dup2(p->in[0], STDIN_FILENO) < 0 || dup2(p->out[1], STDOUT_FILENO) < 0 ||
                 dup2(p->err[1], STDERR_FILENO) < 0 || (start->folder && chdir(start->folder) != 0);
    if (!failed)
        execve(program, start->command, environment);
    int why = errno;
    if (write(p->failure[1], &why, sizeof why) < 0)
        _exit(126);
    _exit(127);
}

/* Ours and what is added; an added name replaces ours. NULL if memory is out; one allocation. */
static char **merged_environment(const char *const *added)
{
    size_t ours = 0, more = 0, count = 0;
    while (environ[ours])
        ours++;
    while (added && added[more])
        more++;
    char **all = malloc((ours + more + 1) * sizeof *all);
    if (!all)
        return NULL;
    for (size_t i = 0; i < ours; i++) {
        bool replaced = false;
        for (size_t j = 0; j < more; j++) {
            size_t name = strcspn(added[j], "=");
            replaced = replaced || (strncmp(environ[i], added[j], name) == 0 && environ[i][name] == '=');
        }
        if (!replaced)
            all[count++] = environ[i];
    }
    for (size_t j = 0; j < more; j++)
        all[count++] = (char *)(uintptr_t)added[j]; /* execve takes char *, and does not write */
    all[count] = NULL;
    return all;
}

static enum status start_child(struct process *p, struct pipes *pipes, const char *program,
                               const struct worker_start *start, struct err *err)
{
    char **environment = merged_environment(start->environment);
    pid_t parent = getpid();
    if (!environment)
        return err_set(err, ST_OUT_OF_MEMORY, "%s: no memory for its environment", program);
    fflush(NULL); /* else the child might write our buffers again */
    p->pid = fork();
    if (p->pid == 0)
        run_child(pipes, program, start, environment, parent);
    int why = errno;
    free(environment);
    if (p->pid < 0)
        return err_set(err, ST_ENVIRONMENT, "%s: no process can be made: %s", program, strerror(why));
    setpgid(p->pid, p->pid); /* the child does it too: whoever comes first */
    close_fd(&pipes->failure[1]);
    if (read(pipes->failure[0], &why, sizeof why) == (ssize_t)sizeof why) {
        waitpid(p->pid, NULL, 0);
        p->pid = 0;
        return err_set(err, ST_ENVIRONMENT, "%s: cannot be started%s%s: %s", program,
                       start->folder ? " in " : "", start->folder ? start->folder : "", strerror(why));
    }
    return ST_OK;
}

static enum status open_log(struct process *p, const char *path, struct err *err)
{
    p->log_fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) : -1;
    if (path && p->log_fd < 0)
        return err_set(err, ST_IO, "%s: the log of the worker cannot be written: %s", path, strerror(errno));
    return ST_OK;
}

/* The program as an absolute path: the child may go to another folder before it starts it. */
static enum status find_program(char *out, const char *name, struct err *err)
{
    char found[HOME_PATH_MAX], *real;
    enum status st = home_program(found, name, err);
    if (st != ST_OK)
        return st;
    if (found[0] == '/') {
        strcpy(out, found);
        return ST_OK;
    }
    real = getcwd(out, HOME_PATH_MAX);
    size_t used = real ? strlen(real) : HOME_PATH_MAX;
    if (used + strlen(found) + 2 > HOME_PATH_MAX)
        return err_set(err, ST_ENVIRONMENT, "%s: its path is too long", name);
    out[used] = '/';
    strcpy(out + used + 1, found);
    return ST_OK;
}

static void keep_our_ends(struct process *p, struct pipes *pipes)
{
    p->in_fd = pipes->in[1];
    p->out_fd = pipes->out[0];
    p->err_fd = pipes->err[0];
    pipes->in[1] = pipes->out[0] = pipes->err[0] = -1;
    fcntl(p->in_fd, F_SETFL, O_NONBLOCK);
    fcntl(p->out_fd, F_SETFL, O_NONBLOCK);
    fcntl(p->err_fd, F_SETFL, O_NONBLOCK);
}

/* Of our cgroup, workers included; -1 if the kernel does not tell. */
static int64_t oom_kills(void)
{
    uint64_t count;
    return host_oom_kills(&count, NULL, 0) ? (int64_t)count : -1;
}

enum status process_open(struct process *p, const struct worker_start *start, struct err *err)
{
    char program[HOME_PATH_MAX];
    struct pipes pipes;
    *p = (struct process){ .in_fd = -1, .out_fd = -1, .err_fd = -1, .log_fd = -1 };
    if (!start->command || !start->command[0])
        return err_set(err, ST_ENVIRONMENT, "the command of a worker is empty");
    enum status st = find_program(program, start->command[0], err);
    if (st == ST_OK)
        st = open_log(p, start->log_path, err);
    if (st != ST_OK)
        return st;
    if (open_pipes(&pipes) != 0) {
        close_fd(&p->log_fd);
        return err_set(err, ST_ENVIRONMENT, "%s: no pipes can be made: %s", program, strerror(errno));
    }
    signal(SIGPIPE, SIG_IGN);
    p->memory_limit_bytes = start->memory_limit_bytes;
    if (!p->memory_limit_bytes)
        host_memory_limit(&p->memory_limit_bytes, NULL, 0);
    p->oom_kills = oom_kills();
    st = start_child(p, &pipes, program, start, err);
    if (st == ST_OK)
        keep_our_ends(p, &pipes);
    else
        close_fd(&p->log_fd);
    close_pipes(&pipes);
    return st;
}

/* --- standard error --- */

static void tail_byte(struct process *p, char c)
{
    if (!p->line_open) {
        p->line_open = true;
        p->line_used = 0;
        p->lines[p->line_count++ % WORKER_STDERR_LINES][0] = '\0';
    }
    char *line = p->lines[(p->line_count - 1) % WORKER_STDERR_LINES];
    if (c == '\n') {
        p->line_open = false;
    } else if (p->line_used + 1 < PROCESS_LINE_MAX) {
        line[p->line_used++] = c ? c : ' ';
        line[p->line_used] = '\0';
    }
}

void process_drain(struct process *p)
{
    char bytes[4096];
    while (p->err_fd >= 0) {
        ssize_t got = read(p->err_fd, bytes, sizeof bytes);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN)
            return;
        if (got <= 0) {
            close_fd(&p->err_fd);
            return;
        }
        for (ssize_t i = 0; i < got; i++)
            tail_byte(p, bytes[i]);
        if (p->log_fd >= 0 && write(p->log_fd, bytes, (size_t)got) < 0)
            close_fd(&p->log_fd); /* a full disk must not end a measurement: the tail is still there */
    }
}

void process_tail(const struct process *p, char *text, size_t size)
{
    size_t kept = p->line_count < WORKER_STDERR_LINES ? p->line_count : WORKER_STDERR_LINES, needed = 0,
           used = 0;
    size_t first = p->line_count;
    while (p->line_count - first < kept) { /* as many of the last lines as fit */
        needed += strlen(p->lines[(first - 1) % WORKER_STDERR_LINES]) + 1;
        if (needed > size)
            break;
        first--;
    }
    text[0] = '\0';
    for (size_t i = first; i < p->line_count; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", i > first ? "\n" : "",
                                 p->lines[i % WORKER_STDERR_LINES]);
}

/* --- end --- */

/* Reaps the zombie and fills p->end. The rest of the group goes first: its id is safe
 * while the zombie is there. */
static void collect(struct process *p)
{
    int status = 0;
    struct rusage used = { 0 };
    kill(-p->pid, SIGKILL);
    while (wait4(p->pid, &status, 0, &used) < 0 && errno == EINTR)
        ;
    process_drain(p);
    struct worker_end *end = &p->end;
    end->ended = true;
    end->by_signal = WIFSIGNALED(status);
    end->code = end->by_signal ? WTERMSIG(status) : WEXITSTATUS(status);
    end->peak_rss_bytes = (uint64_t)used.ru_maxrss * 1024;
    if (end->by_signal && end->code == SIGKILL && !end->killed_by_us) {
        bool counted = p->oom_kills >= 0 && oom_kills() > p->oom_kills;
        double limit = (double)p->memory_limit_bytes;
        end->out_of_memory_killer = counted ||
                                    (limit > 0 && (double)end->peak_rss_bytes >= NEAR_LIMIT * limit);
    }
}

bool process_ended(struct process *p, uint64_t wait_ns)
{
    const struct clock clk = clock_system();
    const uint64_t end_ns = clock_now_ns(&clk) + wait_ns;
    while (!p->end.ended) {
        siginfo_t info = { 0 };
        int done = waitid(P_PID, (id_t)p->pid, &info, WEXITED | WNOHANG | WNOWAIT);
        if ((done == 0 && info.si_pid == p->pid) || (done < 0 && errno != EINTR)) {
            collect(p);
            break;
        }
        if (clock_now_ns(&clk) >= end_ns)
            return false;
        process_drain(p);
        clock_sleep_ns(&clk, WAIT_STEP_NS);
    }
    return true;
}

void process_kill(struct process *p)
{
    if (process_ended(p, 0))
        return;
    p->end.killed_by_us = true;
    kill(-p->pid, SIGTERM);
    if (process_ended(p, PROCESS_GRACE_NS))
        return;
    kill(-p->pid, SIGKILL);
    while (!process_ended(p, WORKER_S))
        ;
}

void process_end_text(const struct process *p, char *text, size_t size)
{
    if (!p->end.ended)
        snprintf(text, size, "is still there");
    else if (p->end.by_signal)
        snprintf(text, size, "signal %d (%s%s)", p->end.code, strsignal(p->end.code),
                 p->end.out_of_memory_killer ? ", the out-of-memory killer" : "");
    else
        snprintf(text, size, "exit status %d", p->end.code);
}

void process_close(struct process *p)
{
    if (p->pid > 0)
        process_kill(p);
    close_fd(&p->in_fd);
    close_fd(&p->out_fd);
    close_fd(&p->err_fd);
    close_fd(&p->log_fd);
}
