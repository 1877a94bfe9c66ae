#include "kernels/worker/session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/json.h"
#include "kernels/worker/protocol.h"
#include "kernels/worker/session_state.h"

#define EXIT_DEVICE_LOST 3

struct operation {
    const char *name;
    bool needs_model;
    session_handler handle;
};

static const struct operation operations[OP_COUNT] = {
#define X(op, word, model) [OP_##op] = { .name = word, .needs_model = model, .handle = session_do_##op },
    PROTOCOL_OPS(X)
#undef X
};

enum status session_open(struct session **out, const struct engine *engine, struct err *err)
{
    *out = NULL;
    struct session *s = calloc(1, sizeof *s);
    uint64_t *room = malloc(SESSION_ARRAYS * PROTOCOL_ITERATIONS_MAX * sizeof *room);
    if (!s || !room) {
        free(s);
        free(room);
        return err_set(err, ST_OUT_OF_MEMORY, "no memory for the worker's sample arrays");
    }
    s->engine = engine;
    s->system = clock_system();
    s->samples = room;
    s->samples_touched = false;
    *out = s;
    return ST_OK;
}

static const struct operation *find_operation(const char *name)
{
    for (size_t i = 0; i < OP_COUNT; i++)
        if (strcmp(operations[i].name, name) == 0)
            return &operations[i];
    return NULL;
}

static json_t *failed_answer(enum status st, const struct err *err)
{
    json_t *error = json_pack("{s:s, s:s}", "kind", status_kind(st), "message",
                              err->text[0] ? err->text : status_text(st));
    if (error && err->api[0]) {
        json_object_set_new(error, "api", json_string(err->api));
        json_object_set_new(error, "code", json_integer(err->code));
    }
    return json_pack("{s:o}", "error", error);
}

/* Fills `answer` with the members of a done request. */
static enum status dispatch(struct session *s, const json_t *request, json_t *answer, struct err *err)
{
    const char *name;
    enum status st = json_get_text(&name, request, "request", "op", err);
    if (st != ST_OK)
        return st;
    const struct operation *op = find_operation(name);
    if (!op)
        return err_set(err, ST_UNSUPPORTED, "there is no operation \"%.60s\" in protocol %d", name,
                       PROTOCOL_VERSION);
    if (op->needs_model && !s->model)
        return err_set(err, ST_INVALID, "%s: nothing is loaded yet, load comes first", op->name);
    st = op->handle(s, request, answer, err);
    if (st == ST_OK && s->model && s->engine->annotate)
        s->engine->annotate(s->model, op->name, answer);
    return st;
}

static char *answer_text(json_t *id, enum status st, json_t *members)
{
    json_t *answer = json_object();
    json_object_set(answer, "id", id);
    json_object_set_new(answer, "ok", json_boolean(st == ST_OK));
    json_object_update(answer, members);
    char *text = json_write_text(answer, JSON_LINE);
    json_decref(answer);
    return text;
}

static char *error_text(json_t *id, enum status st, const struct err *err)
{
    json_t *members = failed_answer(st, err);
    char *text = answer_text(id, st, members);
    json_decref(members);
    return text;
}

/* Only statuses that the protocol has a word for leave a worker. */
static enum status protocol_status(enum status st)
{
    static const enum status in_protocol[] = { ST_OK, ST_UNSUPPORTED, ST_OUT_OF_MEMORY, ST_INVALID, ST_MODEL,
                                               ST_WRONG_OUTPUT, ST_DEVICE_LOST, ST_ENVIRONMENT, ST_INTERNAL };
    for (size_t i = 0; i < sizeof in_protocol / sizeof *in_protocol; i++)
        if (in_protocol[i] == st)
            return st;
    return st == ST_CONFIG ? ST_MODEL : st == ST_USAGE ? ST_INVALID : st == ST_IO ? ST_ENVIRONMENT : ST_INTERNAL;
}

char *session_answer(struct session *s, const char *line, size_t size)
{
    struct err err = { 0 };
    json_t *request = json_read_text("request", line, size, &err);
    if (!request)
        return error_text(json_null(), ST_INVALID, &err);
    json_t *id = json_object_get(request, "id");
    char *text;
    if (!json_is_object(request) || !json_is_integer(id)) {
        err_set(&err, ST_INVALID, "a request is an object with an integer id");
        text = error_text(json_null(), ST_INVALID, &err);
    } else {
        json_t *members = json_object();
        enum status st = protocol_status(dispatch(s, request, members, &err));
        s->lost = s->lost || st == ST_DEVICE_LOST;
        text = st == ST_OK ? answer_text(id, ST_OK, members) : error_text(id, st, &err);
        json_decref(members);
    }
    json_decref(request);
    return text;
}

char *session_answer_too_long(struct session *s)
{
    (void)s;
    struct err err = { 0 };
    err_set(&err, ST_INVALID, "a request has at most %zu bytes, this line has more", PROTOCOL_REQUEST_MAX);
    return error_text(json_null(), ST_INVALID, &err);
}

bool session_ended(const struct session *s, int *exit_code)
{
    *exit_code = s->lost ? EXIT_DEVICE_LOST : 0;
    return s->lost || s->quit;
}

bool session_lost(const struct session *s)
{
    return s->lost;
}

void session_close(struct session *s)
{
    if (!s)
        return;
    for (int batch = 1; s->model && batch <= PROTOCOL_BATCH_MAX; batch++)
        if (s->prepared[batch])
            s->engine->release(s->model, batch);
    if (s->model)
        s->engine->close(s->model);
    free(s->samples);
    free(s);
}
