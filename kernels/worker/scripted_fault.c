#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "kernels/worker/scripted_model.h"

void scripted_kill(uint64_t hold_bytes)
{
    volatile char *held = hold_bytes ? malloc(hold_bytes) : NULL; /* volatile: else the compiler leaves it out */
    for (uint64_t i = 0; held && i < hold_bytes; i += 1024)
        held[i] = 1;
    raise(SIGKILL);
}

static void crash(const struct script_fault *f)
{
    const struct rlimit none = { 0, 0 };
    setrlimit(RLIMIT_CORE, &none);
    signal((int)f->signal, SIG_DFL);
    raise((int)f->signal);
}

static void hang(struct model *m, const struct script_fault *f)
{
    if (m->script.time == TIME_VIRTUAL) {
        scripted_wait(m, f->lasts_ns);
        return;
    }
    if (f->action == DO_STUBBORN)
        signal(SIGTERM, SIG_IGN);
    for (;;)
        pause();
}

static void put_garbage(const struct model *m, const struct script_fault *f)
{
    char line[SCRIPT_PATH_MAX + 1];
    int size = snprintf(line, sizeof line, "%s\n", f->text);
    if (m->answer_fd >= 0 && write(m->answer_fd, line, (size_t)size) < 0)
        fprintf(stderr, "scripted: garbage cannot be written: %s\n", strerror(errno));
}

/* True if the fault's turn has come; with `once` only in the process that makes the file. */
static bool is_due(struct model *m, size_t i, int at, int batch)
{
    const struct script_fault *f = &m->script.faults[i];
    if (f->at != at || (f->batch && f->batch != batch) || m->pace.start_ns < f->after_ns)
        return false;
    int64_t call = ++m->fault_calls[i];
    if (call < f->call || (f->times && call >= f->call + f->times))
        return false;
    if (!f->once[0])
        return true;
    int fd = open(f->once, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static enum status happen(struct model *m, const struct script_fault *f, struct err *err)
{
    if (f->action == DO_ERROR)
        return err_set(err, status_of_kind(f->kind), "%s", f->message);
    if (f->action == DO_CRASH)
        crash(f);
    else if (f->action == DO_EXIT)
        _exit((int)f->code);
    else if (f->action == DO_KILL)
        scripted_kill(f->hold_bytes);
    else if (f->action == DO_HANG || f->action == DO_STUBBORN)
        hang(m, f);
    else if (f->action == DO_GARBAGE)
        put_garbage(m, f);
    m->active[f->action] = true;
    return ST_OK;
}

enum status scripted_fault(struct model *m, int at, int batch, struct err *err)
{
    enum status st = ST_OK;
    for (size_t i = 0; st == ST_OK && i < m->script.fault_count; i++)
        if (is_due(m, i, at, batch))
            st = happen(m, &m->script.faults[i], err);
    return st;
}
