#include "bench/measure/conformance_talk.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/base/json.h"
#include "kernels/worker/protocol.h"

#define TICK_MS 50

/* Waits a little for fd. ST_OK: try again. */
static enum status tick(struct probe *p, int fd, short events, uint64_t end_ns, const char *what,
                        struct err *err)
{
    const struct clock clk = clock_system();
    struct pollfd fds[2] = { { .fd = fd, .events = events }, { .fd = p->process.err_fd, .events = POLLIN } };
    if (clock_now_ns(&clk) >= end_ns)
        return err_set(err, ST_HUNG, "%s in time", what);
    poll(fds, 2, TICK_MS);
    process_drain(&p->process);
    return ST_OK;
}

static enum status ended(struct probe *p, struct err *err)
{
    char how[160];
    process_ended(&p->process, WORKER_S);
    process_end_text(&p->process, how, sizeof how);
    return err_set(err, ST_CRASHED, "the worker ended (%s) where an answer was due", how);
}

enum status probe_send(struct probe *p, const void *bytes, size_t size, struct err *err)
{
    const struct clock clk = clock_system();
    const uint64_t end_ns = clock_now_ns(&clk) + PROBE_ANSWER_NS;
    const char *at = bytes;
    while (size) {
        ssize_t wrote = write(p->process.in_fd, at, size);
        if (wrote < 0 && errno != EAGAIN && errno != EINTR)
            return ended(p, err);
        at += wrote > 0 ? wrote : 0;
        size -= wrote > 0 ? (size_t)wrote : 0;
        enum status st = size ? tick(p, p->process.in_fd, POLLOUT, end_ns, "the request was not read", err)
                              : ST_OK;
        if (st != ST_OK)
            return st;
    }
    return ST_OK;
}

enum status probe_receive(struct probe *p, json_t **answer, uint64_t wait_ns, struct err *err)
{
    const struct clock clk = clock_system();
    const uint64_t end_ns = clock_now_ns(&clk) + wait_ns;
    *answer = NULL;
    for (;;) {
        char *line;
        size_t size;
        enum line_event event = line_next(&p->lines, &line, &size);
        if (event == LINE_TOO_LONG)
            return err_set(err, ST_INVALID, "an answer has more than 64 MiB");
        if (event == LINE_READY) {
            *answer = json_read_text("answer", line, size, err);
            return *answer ? ST_OK
                           : err_set(err, ST_INVALID, "standard output holds no JSON: \"%.80s\"", line);
        }
        long got = line_fill(&p->lines, p->process.out_fd);
        if (got == 0)
            return ended(p, err);
        enum status st = got > 0 ? ST_OK : tick(p, p->process.out_fd, POLLIN, end_ns, "no answer came", err);
        if (st != ST_OK)
            return st;
    }
}

enum status probe_ask(struct probe *p, const char *line, json_t **answer, uint64_t wait_ns, struct err *err)
{
    *answer = NULL;
    enum status st = probe_send(p, line, strlen(line), err);
    if (st == ST_OK)
        st = probe_send(p, "\n", 1, err);
    return st == ST_OK ? probe_receive(p, answer, wait_ns, err) : st;
}

void probe_end_input(struct probe *p)
{
    close(p->process.in_fd);
    p->process.in_fd = -1;
}

static enum status expect_id(const json_t *answer, int id, struct err *err)
{
    const json_t *its_id = json_object_get(answer, "id");
    bool right = id ? json_is_integer(its_id) && json_integer_value(its_id) == id : json_is_null(its_id);
    char *text = right ? NULL : json_write_text(answer, JSON_LINE);
    if (!right)
        err_set(err, ST_BAD_NEWS, "the answer must carry id %.0d%s, got %.160s", id, id ? "" : "null", text);
    free(text);
    return right ? ST_OK : ST_BAD_NEWS;
}

enum status probe_expect_ok(const json_t *answer, int id, struct err *err)
{
    if (json_is_true(json_object_get(answer, "ok")))
        return expect_id(answer, id, err);
    char *text = json_write_text(answer, JSON_LINE);
    err_set(err, ST_BAD_NEWS, "the answer must be ok, got %.200s", text ? text : "");
    free(text);
    return ST_BAD_NEWS;
}

/* True if `word` is one of the space-separated words. */
static bool among(const char *words, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = words; *at; at += strcspn(at, " "), at += *at == ' ')
        if (strcspn(at, " ") == length && strncmp(at, word, length) == 0)
            return true;
    return false;
}

enum status probe_expect_error(const json_t *answer, int id, const char *kinds, struct err *err)
{
    const json_t *error = json_object_get(answer, "error");
    const char *kind = json_string_value(json_object_get(error, "kind"));
    const char *message = json_string_value(json_object_get(error, "message"));
    if (json_is_false(json_object_get(answer, "ok")) && kind && among(kinds, kind) && message && message[0])
        return expect_id(answer, id, err);
    char *text = json_write_text(answer, JSON_LINE);
    err_set(err, ST_BAD_NEWS, "the answer must be an error of kind %s with a message, got %.200s", kinds,
            text ? text : "");
    free(text);
    return ST_BAD_NEWS;
}

enum status probe_expect_exit(struct probe *p, struct err *err)
{
    char how[160];
    if (!process_ended(&p->process, PROBE_END_NS))
        return err_set(err, ST_BAD_NEWS, "the worker must end by itself, it is there after 10 s");
    process_end_text(&p->process, how, sizeof how);
    if (p->process.end.by_signal || p->process.end.code != 0)
        return err_set(err, ST_BAD_NEWS, "the worker must exit with status 0, it ended with %s", how);
    return ST_OK;
}

/* --- states --- */

static enum status load(struct probe *p, struct err *err)
{
    const struct conformance_ask *ask = p->ask;
    json_t *answer = NULL, *request = json_pack("{s:i, s:s, s:s, s:s, s:s, s:i, s:i}", "id", 900, "op",
                                                "load", "model", ask->model, "precision", p->facts->precision,
                                                "device", p->facts->device, "threads", 0, "seed", 1);
    if (ask->shape[0])
        json_object_set_new(request, "shape",
                            json_pack("[i, i, i]", ask->shape[0], ask->shape[1], ask->shape[2]));
    char *line = json_write_text(request, JSON_LINE);
    json_decref(request);
    enum status st = probe_ask(p, line, &answer, PROBE_LOAD_NS, err);
    free(line);
    if (st == ST_OK)
        st = probe_expect_ok(answer, 900, err);
    const json_t *shape = json_object_get(answer, "output_shape");
    for (size_t i = 0; st == ST_OK && i < 3; i++) {
        p->facts->output_shape[i] = (int)json_integer_value(json_array_get(shape, i));
        if (p->facts->output_shape[i] < 1)
            st = err_set(err, ST_BAD_NEWS, "load must answer output_shape [C,H,W] of positive integers");
    }
    json_decref(answer);
    if (st != ST_OK)
        err_prefix(err, "load");
    return st;
}

static enum status prepare(struct probe *p, struct err *err)
{
    json_t *answer = NULL;
    enum status st = probe_ask(p, "{\"id\":901,\"op\":\"prepare\",\"batch\":2}", &answer, PROBE_LOAD_NS, err);
    if (st == ST_OK)
        st = probe_expect_ok(answer, 901, err);
    json_decref(answer);
    if (st != ST_OK)
        err_prefix(err, "prepare");
    return st;
}

enum status probe_begin(struct probe *p, enum probe_state state, struct err *err)
{
    const struct worker_start start = { .command = p->ask->command };
    if (line_open(&p->lines, PROTOCOL_ANSWER_MAX) != 0)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory for the answers");
    enum status st = process_open(&p->process, &start, err);
    if (st != ST_OK) {
        line_close(&p->lines);
        return st;
    }
    p->is_open = true;
    if (state >= PROBE_LOADED)
        st = load(p, err);
    if (st == ST_OK && state >= PROBE_PREPARED)
        st = prepare(p, err);
    return st;
}

void probe_end(struct probe *p)
{
    if (!p->is_open)
        return;
    process_close(&p->process);
    line_close(&p->lines);
    p->is_open = false;
}
