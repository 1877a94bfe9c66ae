#include "bench/doctor/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernels/base/clock.h"
#include "kernels/base/json.h"

#define LINE_MAX_BYTES (1 << 20)
#define STEP_MS 100
#define REAP_TRIES 50                /* 10 ms each: a killed process that stays longer hangs in the kernel */

void child_say(int fd, json_t *object)
{
    char *text = object ? json_write_text(object, JSON_LINE) : NULL;
    json_decref(object);
    for (size_t size = text ? strlen(text) : 0, at = 0; text && at <= size;) {
        const ssize_t done = at < size ? write(fd, text + at, size - at) : write(fd, "\n", 1);
        if (done < 0 && errno != EINTR)
            break;
        at += done > 0 ? (size_t)done : 0;
    }
    free(text);
}

/* The child's life: nothing of the parent's streams may be written by a library that prints. */
static void live(const struct child *c, int fd, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(0);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int i = 0; null >= 0 && i <= STDERR_FILENO; i++)
        dup2(null, i);
    c->work(fd, c->context);
    _exit(0);
}

static bool begin(struct child *c)
{
    int ends[2];
    const pid_t parent = getpid();
    c->answer = json_object();
    c->late = c->crashed = false;
    c->fd = -1;
    c->pid = -1;
    if (line_open(&c->lines, LINE_MAX_BYTES) != 0 || !c->answer || pipe2(ends, O_CLOEXEC) != 0)
        return false;
    c->pid = fork();
    if (c->pid == 0)
        live(c, ends[1], parent);
    close(ends[1]);
    c->fd = ends[0];
    return c->pid > 0;
}

/* Takes one read's worth of lines; false at the end of input. */
static bool listen_to(struct child *c)
{
    char *text;
    size_t size;
    const long got = line_fill(&c->lines, c->fd);
    if (got < 0)
        return errno == EINTR || errno == EAGAIN;
    for (enum line_event event; (event = line_next(&c->lines, &text, &size)) != LINE_MORE;) {
        json_t *part = event == LINE_READY ? json_read_text("answer", text, size, NULL) : NULL;
        if (!json_is_object(part) || json_object_update(c->answer, part) != 0)
            c->crashed = true;
        json_decref(part);
    }
    return got > 0;
}

/* Ends a child that is done, late or not wanted any more. */
static void end(struct child *c, bool late)
{
    int status = 0;
    pid_t reaped = 0;
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    c->late = late;
    if (c->pid <= 0)
        return;
    if (late)
        kill(c->pid, SIGKILL);
    for (int i = 0; i < REAP_TRIES && reaped == 0; i++) {
        reaped = waitpid(c->pid, &status, WNOHANG);
        if (reaped == 0)
            poll(NULL, 0, STEP_MS / 10);
    }
    if (!late && (reaped == 0 || WIFSIGNALED(status)))
        c->crashed = true;
    line_close(&c->lines);
}

/* One wait for all that still run; true while there are such. */
static bool wait_once(struct child *children, size_t count, const struct clock *clk, uint64_t begin_ns)
{
    struct pollfd waits[CHILDREN_MAX];
    size_t running = 0;
    for (size_t i = 0; i < count; i++) {
        struct child *c = &children[i];
        if (c->fd >= 0 && clock_now_ns(clk) - begin_ns >= c->limit_ns)
            end(c, true);
        waits[i] = (struct pollfd){ .fd = c->fd, .events = POLLIN };
        running += c->fd >= 0;
    }
    if (!running)
        return false;
    if (poll(waits, count, STEP_MS) <= 0)
        return true;
    for (size_t i = 0; i < count; i++)
        if (waits[i].revents && !listen_to(&children[i]))
            end(&children[i], false);
    return true;
}

bool children_run(struct child *children, size_t count, const volatile sig_atomic_t *interrupt)
{
    const struct clock clk = clock_system();
    const uint64_t begin_ns = clock_now_ns(&clk);
    bool good = true;
    for (size_t i = 0; i < count; i++)
        if (!begin(&children[i])) {
            good = false;
            end(&children[i], false);
            children[i].crashed = true;
        }
    while ((!interrupt || !*interrupt) && wait_once(children, count, &clk, begin_ns))
        ;
    for (size_t i = 0; i < count; i++)
        if (children[i].fd >= 0)
            end(&children[i], true);
    return good;
}
