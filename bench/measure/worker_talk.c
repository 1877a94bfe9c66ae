/* One request and its answer: writing, waiting, deadlines, and what a silent or dead worker means. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/measure/worker_state.h"
#include "kernels/base/json.h"
#include "kernels/worker/protocol.h"

#define TICK_MS 200                      /* how late an interrupt or a death that closed no pipe may be seen */
#define VIRTUAL_WAIT_NS (30 * WORKER_S)  /* real time that an answer in virtual time may take */
#define DEATH_WAIT_NS (2 * WORKER_S)     /* from the end of a worker's output to its own end */

/* What is waited for, and until when in real time. */
struct wait {
    struct clock clk;
    uint64_t start_ns, limit_ns;
    const char *op;
};

static enum status crashed(struct worker *w, const char *op, struct err *err)
{
    char how[160], last[PROCESS_LINE_MAX];
    w->broken = true;
    if (!process_ended(&w->process, DEATH_WAIT_NS))
        process_kill(&w->process);
    process_end_text(&w->process, how, sizeof how);
    process_tail(&w->process, last, sizeof last);
    const char *line = strrchr(last, '\n') ? strrchr(last, '\n') + 1 : last;
    return err_set(err, ST_CRASHED, "%s: the worker ended during %s with %s%s%s", w->name, op, how,
                   line[0] ? "; it said: " : "", line);
}

static enum status hung(struct worker *w, const char *op, uint64_t waited_ns, struct err *err)
{
    w->broken = true;
    process_kill(&w->process);
    return err_set(err, ST_HUNG, "%s: no answer to %s within %.3g s, the worker was killed", w->name, op,
                   (double)waited_ns / (double)WORKER_S);
}

enum status worker_broken_answer(struct worker *w, const char *op, const char *why, struct err *err)
{
    w->broken = true;
    process_kill(&w->process);
    return err_set(err, ST_CRASHED, "%s: the answer to %s breaks the protocol, the worker was killed: %s",
                   w->name, op, why);
}

/* Waits for at most a tick until fd can be read (or written), reading standard error
 * meanwhile. ST_OK: look again. */
static enum status pause_for(struct worker *w, const struct wait *wait, int fd, short events, struct err *err)
{
    struct pollfd fds[2] = { { .fd = fd, .events = events }, { .fd = w->process.err_fd, .events = POLLIN } };
    uint64_t waited_ns = clock_now_ns(&wait->clk) - wait->start_ns;
    if (w->interrupt && *w->interrupt) {
        w->broken = true;
        return err_set(err, ST_INTERRUPTED, "%s: interrupted while waiting for %s", w->name, wait->op);
    }
    if (waited_ns >= wait->limit_ns)
        return hung(w, wait->op, waited_ns, err);
    uint64_t left_ms = (wait->limit_ns - waited_ns) / (WORKER_S / 1000) + 1;
    poll(fds, 2, left_ms < TICK_MS ? (int)left_ms : TICK_MS);
    process_drain(&w->process);
    return ST_OK;
}

static enum status send_text(struct worker *w, const struct wait *wait, const char *text, size_t size,
                             struct err *err)
{
    while (size) {
        ssize_t wrote = write(w->process.in_fd, text, size);
        if (wrote > 0) {
            text += wrote;
            size -= (size_t)wrote;
        } else if (wrote < 0 && errno != EAGAIN && errno != EINTR) {
            return crashed(w, wait->op, err); /* nobody reads any more */
        } else {
            enum status st = pause_for(w, wait, w->process.in_fd, POLLOUT, err);
            if (st != ST_OK)
                return st;
        }
    }
    return ST_OK;
}

/* The next line of the worker, borrowed until the next call. */
static enum status receive_line(struct worker *w, const struct wait *wait, char **text, size_t *size,
                                struct err *err)
{
    bool dead = false;
    for (;;) {
        enum line_event event = line_next(&w->answers, text, size);
        if (event == LINE_READY)
            return ST_OK;
        if (event == LINE_TOO_LONG)
            return worker_broken_answer(w, wait->op, "it has more than 64 MiB", err);
        long got = line_fill(&w->answers, w->process.out_fd);
        if (got > 0)
            continue;
        if (got == 0 || dead)
            return crashed(w, wait->op, err);
        if (errno == ENOMEM)
            return worker_broken_answer(w, wait->op, "there is no memory to read it", err);
        enum status st = pause_for(w, wait, w->process.out_fd, POLLIN, err);
        if (st != ST_OK)
            return st;
        dead = process_ended(&w->process, 0); /* a child of it may hold the pipe open: read what is there, then stop */
    }
}

static enum status worker_error(struct worker *w, const char *op, const json_t *answer, struct err *err)
{
    const json_t *error = json_object_get(answer, "error");
    const char *kind = json_string_value(json_object_get(error, "kind"));
    const char *message = json_string_value(json_object_get(error, "message"));
    const char *api = json_string_value(json_object_get(error, "api"));
    if (!kind || !message)
        return worker_broken_answer(w, op, "it says ok: false without error.kind and error.message", err);
    enum status st = status_of_kind(kind);
    if (st < ST_UNSUPPORTED || st > ST_INTERNAL) /* the kinds of the protocol stand together in the list */
        return worker_broken_answer(w, op, "error.kind is none of the protocol's", err);
    if (st == ST_DEVICE_LOST) {
        w->broken = true; /* it exits now */
        if (!process_ended(&w->process, DEATH_WAIT_NS))
            process_kill(&w->process);
    }
    err_set(err, st, "%s: %s", w->name, message);
    if (err && api) {
        snprintf(err->api, sizeof err->api, "%s", api);
        err->code = (int)json_integer_value(json_object_get(error, "code"));
    }
    return st;
}

/* Virtual time moves on by as much as the worker's did since its last answer: the caller may have waited
 * meanwhile, which the worker's clock does not know. ST_HUNG if that is longer than the deadline. */
static enum status move_time(struct worker *w, const char *op, const json_t *answer, uint64_t deadline_ns,
                             struct err *err)
{
    const json_t *now = json_object_get(answer, PROTOCOL_NOW);
    if (!now)
        now = json_object_get(answer, "end_ns");
    if (!w->is_virtual || !json_is_integer(now) || json_integer_value(now) < 0)
        return ST_OK;
    uint64_t told_ns = (uint64_t)json_integer_value(now);
    uint64_t passed_ns = told_ns > w->told_now_ns ? told_ns - w->told_now_ns : 0;
    w->told_now_ns = told_ns;
    if (passed_ns <= deadline_ns) {
        *w->now_ns += passed_ns;
        return ST_OK;
    }
    *w->now_ns += deadline_ns; /* nobody would have waited longer */
    return hung(w, op, deadline_ns, err);
}

/* Reads the line as an answer to request `id`. */
static enum status take_answer(struct worker *w, const char *op, int64_t id, const char *line, size_t size,
                               json_t **answer, struct err *err)
{
    struct err why = { 0 };
    json_t *got = json_read_text("answer", line, size, &why);
    const json_t *ok = json_object_get(got, "ok"), *its_id = json_object_get(got, "id");
    enum status st = ST_OK;
    if (!got) {
        char text[200];
        snprintf(text, sizeof text, "no JSON (\"%.100s\")", line);
        st = worker_broken_answer(w, op, text, err);
    } else if (!json_is_integer(its_id) || json_integer_value(its_id) != id) {
        st = worker_broken_answer(w, op, "it does not carry the id of the request", err);
    } else if (!json_is_boolean(ok)) {
        st = worker_broken_answer(w, op, "its `ok` is neither true nor false", err);
    } else if (!json_is_true(ok)) {
        st = worker_error(w, op, got, err);
    }
    if (st == ST_OK)
        *answer = got;
    else
        json_decref(got);
    return st;
}

static char *request_text(int64_t id, const char *op, json_t *members)
{
    json_t *request = json_pack("{s:I, s:s}", "id", (json_int_t)id, "op", op);
    if (members)
        json_object_update(request, members);
    json_decref(members);
    char *text = json_write_text(request, JSON_LINE);
    json_decref(request);
    if (text)
        text[strlen(text)] = '\n'; /* in place of the final zero: the size is kept beside it */
    return text;
}

enum status worker_ask(struct worker *w, const char *op, json_t *members, uint64_t deadline_ns,
                       json_t **answer, struct err *err)
{
    struct wait wait = { .clk = clock_system(), .op = op, .limit_ns = deadline_ns };
    char *line = NULL;
    size_t size = 0;
    *answer = NULL;
    if (w->broken) {
        json_decref(members);
        return err_set(err, ST_CRASHED, "%s: the worker has ended, %s cannot be asked", w->name, op);
    }
    if (w->is_virtual && wait.limit_ns > VIRTUAL_WAIT_NS)
        wait.limit_ns = VIRTUAL_WAIT_NS;
    wait.start_ns = clock_now_ns(&wait.clk);
    int64_t id = w->next_id++;
    char *text = request_text(id, op, members);
    char *end = text ? strchr(text, '\n') : NULL; /* JSON_LINE text has no newline of its own */
    if (!end)
        return err_set(err, ST_OUT_OF_MEMORY, "%s: no memory for the request %s", w->name, op);
    enum status st = send_text(w, &wait, text, (size_t)(end - text) + 1, err);
    free(text);
    if (st == ST_OK)
        st = receive_line(w, &wait, &line, &size, err);
    if (st == ST_OK)
        st = take_answer(w, op, id, line, size, answer, err);
    if (st == ST_OK)
        st = move_time(w, op, *answer, deadline_ns, err);
    if (st != ST_OK && *answer) {
        json_decref(*answer);
        *answer = NULL;
    }
    return st;
}
