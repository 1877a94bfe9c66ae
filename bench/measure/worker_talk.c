/* One request and its answer: writing, waiting (for one worker or for several at once), deadlines, and what a
 * silent or dead worker means. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench/measure/worker_state.h"
#include "kernels/base/json.h"
#include "kernels/worker/protocol.h"

#define TICK_MS 200                      /* how late an interrupt or a death that closed no pipe may be seen */
#define VIRTUAL_WAIT_NS (30 * WORKER_S)  /* real time that an answer in virtual time may take */
#define DEATH_WAIT_NS (2 * WORKER_S)     /* from the end of a worker's output to its own end */

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

/* --- waiting -------------------------------------------------------------------------------------------- */

static uint64_t system_now_ns(void)
{
    const struct clock clk = clock_system();
    return clock_now_ns(&clk);
}

/* May the open request still be waited for? */
static enum status check_wait(struct worker *w, struct err *err)
{
    uint64_t now_ns = system_now_ns(), waited_ns = now_ns - w->request.start_ns;
    bool interrupted = w->interrupt && *w->interrupt;
    if (interrupted || (w->give_up_ns && now_ns >= w->give_up_ns)) {
        w->broken = true;
        return err_set(err, ST_INTERRUPTED, "%s: %s while waiting for %s", w->name,
                       interrupted ? "interrupted" : "the time was used up", w->request.op);
    }
    return waited_ns < w->request.limit_ns ? ST_OK : hung(w, w->request.op, waited_ns, err);
}

static int pause_ms(const struct worker *w)
{
    uint64_t waited_ns = system_now_ns() - w->request.start_ns;
    uint64_t left_ms = waited_ns < w->request.limit_ns
                           ? (w->request.limit_ns - waited_ns) / (WORKER_S / 1000) + 1 : 0;
    return left_ms < TICK_MS ? (int)left_ms : TICK_MS;
}

/* Waits for at most a tick and most_ns until one of these can be read or wrote to its standard error, which is
 * taken. */
static void pause_for_answers(struct worker *const *workers, size_t count, uint64_t most_ns)
{
    struct pollfd fds[2 * WORKER_GROUP_MAX];
    nfds_t used = 0;
    uint64_t ns = most_ns;
    for (size_t i = 0; i < count; i++) {
        const struct worker *w = workers[i];
        uint64_t own_ns = (uint64_t)pause_ms(w) * (WORKER_S / 1000);
        fds[used++] = (struct pollfd){ .fd = w->process.out_fd, .events = POLLIN };
        fds[used++] = (struct pollfd){ .fd = w->process.err_fd, .events = POLLIN };
        ns = own_ns < ns ? own_ns : ns;
    }
    const struct timespec pause = { .tv_sec = (time_t)(ns / WORKER_S), .tv_nsec = (long)(ns % WORKER_S) };
    ppoll(fds, used, &pause, NULL);
    for (size_t i = 0; i < count; i++)
        process_drain(&workers[i]->process);
}

static enum status send_text(struct worker *w, const char *text, size_t size, struct err *err)
{
    while (size) {
        ssize_t wrote = write(w->process.in_fd, text, size);
        if (wrote > 0) {
            text += wrote;
            size -= (size_t)wrote;
        } else if (wrote < 0 && errno != EAGAIN && errno != EINTR) {
            return crashed(w, w->request.op, err); /* nobody reads any more */
        } else {
            enum status st = check_wait(w, err);
            if (st != ST_OK)
                return st;
            struct pollfd fds[2] = { { .fd = w->process.in_fd, .events = POLLOUT },
                                     { .fd = w->process.err_fd, .events = POLLIN } };
            poll(fds, 2, pause_ms(w));
            process_drain(&w->process);
        }
    }
    return ST_OK;
}

/* Takes what is there of the answer without waiting. *whole: the line is there, in w->request. */
static enum status take_bytes(struct worker *w, bool *whole, struct err *err)
{
    struct worker_request *r = &w->request;
    for (;;) {
        enum line_event event = line_next(&w->answers, &r->line, &r->size);
        *whole = event == LINE_READY;
        if (*whole) {
            r->answered_ns = system_now_ns();
            return ST_OK;
        }
        if (event == LINE_TOO_LONG)
            return worker_broken_answer(w, r->op, "it has more than 64 MiB", err);
        long got = line_fill(&w->answers, w->process.out_fd);
        if (got > 0)
            continue;
        if (got == 0 || r->dead)
            return crashed(w, r->op, err);
        if (errno == ENOMEM)
            return worker_broken_answer(w, r->op, "there is no memory to read it", err);
        enum status st = check_wait(w, err);
        if (st != ST_OK)
            return st;
        /* a child of it may hold the pipe open: read what is there, then stop */
        r->dead = process_ended(&w->process, 0);
        if (!r->dead)
            return ST_OK;
    }
}

/* True if nothing is to be waited for any more: the answer is there, or there will be none (r->why). */
static bool is_settled(struct worker *w)
{
    struct worker_request *r = &w->request;
    bool whole = false;
    if (r->open && !r->settled)
        r->settled = take_bytes(w, &whole, &r->why) != ST_OK || whole;
    return !r->open || r->settled;
}

void worker_await(struct worker *const *workers, size_t count)
{
    struct worker *waiting[WORKER_GROUP_MAX];
    for (size_t left = 1; left;) {
        left = 0;
        for (size_t i = 0; i < count && i < WORKER_GROUP_MAX; i++)
            if (!is_settled(workers[i]))
                waiting[left++] = workers[i];
        if (left)
            pause_for_answers(waiting, left, TICK_MS * (WORKER_S / 1000));
    }
}

bool worker_await_any(struct worker *const *workers, size_t count, uint64_t until_ns)
{
    const uint64_t tick_ns = TICK_MS * (WORKER_S / 1000);
    for (size_t i = 0; i < count && i < WORKER_GROUP_MAX; i++)
        if (is_settled(workers[i]))
            return true;
    uint64_t now_ns = system_now_ns(), left_ns = until_ns > now_ns ? until_ns - now_ns : 0;
    pause_for_answers(workers, count < WORKER_GROUP_MAX ? count : WORKER_GROUP_MAX,
                      left_ns < tick_ns ? left_ns : tick_ns);
    for (size_t i = 0; i < count && i < WORKER_GROUP_MAX; i++)
        if (is_settled(workers[i]))
            return true;
    return false;
}

bool worker_is_settled(struct worker *w)
{
    return is_settled(w);
}

/* --- answers -------------------------------------------------------------------------------------------- */

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
    if (err)
        err->from_worker = true;
    if (err && api) {
        snprintf(err->api, sizeof err->api, "%s", api);
        err->code = (int)json_integer_value(json_object_get(error, "code"));
    }
    return st;
}

/* Virtual time moves on by as much as the worker's did since its last answer: the caller may have waited
 * meanwhile, which the worker's clock does not know. What several workers do at once passes once.
 * ST_HUNG if that is longer than the deadline. */
static enum status move_time(struct worker *w, const json_t *answer, struct err *err)
{
    struct worker_request *r = &w->request;
    const json_t *now = json_object_get(answer, PROTOCOL_NOW);
    if (!now)
        now = json_object_get(answer, "end_ns");
    if (!w->is_virtual)
        return ST_OK;
    r->told_before_ns = w->told_now_ns;
    r->answered_ns = r->sent_ns;
    if (!json_is_integer(now) || json_integer_value(now) < 0)
        return ST_OK;
    uint64_t told_ns = (uint64_t)json_integer_value(now);
    uint64_t passed_ns = told_ns > w->told_now_ns ? told_ns - w->told_now_ns : 0;
    bool in_time = passed_ns <= r->deadline_ns;
    w->told_now_ns = told_ns;
    r->answered_ns += in_time ? passed_ns : r->deadline_ns; /* nobody would have waited longer */
    if (r->answered_ns > *w->now_ns)
        *w->now_ns = r->answered_ns;
    return in_time ? ST_OK : hung(w, r->op, r->deadline_ns, err);
}

/* Reads the line as the answer to the open request. */
static enum status take_answer(struct worker *w, json_t **answer, struct err *err)
{
    const struct worker_request *r = &w->request;
    struct err why = { 0 };
    json_t *got = json_read_text("answer", r->line, r->size, &why);
    const json_t *ok = json_object_get(got, "ok"), *its_id = json_object_get(got, "id");
    enum status st = ST_OK;
    if (!got) {
        char text[200];
        snprintf(text, sizeof text, "no JSON (\"%.100s\")", r->line);
        st = worker_broken_answer(w, r->op, text, err);
    } else if (!json_is_integer(its_id) || json_integer_value(its_id) != r->id) {
        st = worker_broken_answer(w, r->op, "it does not carry the id of the request", err);
    } else if (!json_is_boolean(ok)) {
        st = worker_broken_answer(w, r->op, "its `ok` is neither true nor false", err);
    } else if (!json_is_true(ok)) {
        st = worker_error(w, r->op, got, err);
    }
    if (st == ST_OK)
        *answer = got;
    else
        json_decref(got);
    return st;
}

/* --- requests ------------------------------------------------------------------------------------------- */

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

enum status worker_send(struct worker *w, const char *op, json_t *members, uint64_t deadline_ns,
                        struct err *err)
{
    const struct clock own = worker_clock(w);
    if (w->broken) {
        json_decref(members);
        return err_set(err, ST_CRASHED, "%s: the worker has ended, %s cannot be asked", w->name, op);
    }
    w->request = (struct worker_request){ .op = op, .id = w->next_id++, .deadline_ns = deadline_ns,
                                          .limit_ns = deadline_ns };
    if (w->is_virtual && w->request.limit_ns > VIRTUAL_WAIT_NS)
        w->request.limit_ns = VIRTUAL_WAIT_NS;
    char *text = request_text(w->request.id, op, members);
    char *end = text ? strchr(text, '\n') : NULL; /* JSON_LINE text has no newline of its own */
    if (!end)
        return err_set(err, ST_OUT_OF_MEMORY, "%s: no memory for the request %s", w->name, op);
    w->request.start_ns = system_now_ns();
    w->request.sent_ns = clock_now_ns(&own);
    enum status st = send_text(w, text, (size_t)(end - text) + 1, err);
    free(text);
    w->request.open = st == ST_OK;
    return st;
}

enum status worker_receive(struct worker *w, json_t **answer, struct err *err)
{
    *answer = NULL;
    if (!w->request.open)
        return err_set(err, ST_CRASHED, "%s: the worker was asked nothing that it could answer", w->name);
    worker_await(&w, 1);
    w->request.open = false;
    if (w->request.why.status != ST_OK) {
        if (err)
            *err = w->request.why;
        return w->request.why.status;
    }
    enum status st = take_answer(w, answer, err);
    if (st == ST_OK)
        st = move_time(w, *answer, err);
    if (st != ST_OK && *answer) {
        json_decref(*answer);
        *answer = NULL;
    }
    return st;
}

enum status worker_ask(struct worker *w, const char *op, json_t *members, uint64_t deadline_ns,
                       json_t **answer, struct err *err)
{
    *answer = NULL;
    enum status st = worker_send(w, op, members, deadline_ns, err);
    return st == ST_OK ? worker_receive(w, answer, err) : st;
}
