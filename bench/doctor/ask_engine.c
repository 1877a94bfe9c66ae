#include "bench/doctor/ask.h"

#include <string.h>

#include "bench/config/config.h"
#include "bench/doctor/child.h"
#include "bench/measure/worker.h"
#include "kernels/base/home.h"

static json_t *hello_json(const struct worker_hello *hello)
{
    json_t *versions = json_object(), *devices = json_array(), *precisions = json_array();
    for (size_t i = 0; i < hello->version_count; i++)
        json_object_set_new(versions, hello->versions[i].name, json_string(hello->versions[i].version));
    for (size_t i = 0; i < hello->device_count; i++)
        json_array_append_new(devices, json_pack("{s:s, s:s, s:s}", "id", hello->devices[i].id, "name",
                                                 hello->devices[i].name, "uuid", hello->devices[i].uuid));
    for (size_t i = 0; i < hello->precision_count; i++)
        json_array_append_new(precisions, json_string(hello->precisions[i]));
    return json_pack("{s:s, s:o, s:o, s:o}", "engine", hello->engine, "versions", versions, "devices",
                     devices, "precisions", precisions);
}

static json_t *error_json(const char *kind, const struct err *err)
{
    json_t *error = json_pack("{s:s, s:s}", "kind", kind, "message", err->text);
    if (*err->api) {
        json_object_set_new(error, "api", json_string(err->api));
        json_object_set_new(error, "code", json_integer(err->code));
    }
    return json_pack("{s:o}", "error", error);
}

/* Of an engine that did not say hello: in whose words. */
static const char *kind_of(const struct engine_config *engine, const struct worker *w, enum status st,
                           const struct err *err)
{
    char path[HOME_PATH_MAX];
    if (!w && home_program(path, engine->command[0], NULL) != ST_OK)
        return strncmp(engine->command[0], "bench-worker-", 13) == 0 ? "not_built" : "no_command";
    if (err->from_worker)
        return status_kind(st);
    if (st == ST_HUNG)
        return "no_answer";
    if (st == ST_CRASHED && w && worker_end_of(w).killed_by_us)
        return "bad_protocol"; /* what it said was no answer, and it was ended for that */
    return w ? "no_answer" : status_kind(st);
}

void ask_engine(int fd, const void *context)
{
    const struct engine_config *engine = context;
    struct worker *w = NULL;
    struct worker_hello hello;
    struct err err = { .status = ST_OK };
    const struct worker_start start = { .command = engine->command,
                                        .environment = (const char *const *)engine->environment };
    enum status st = worker_open(&w, &start, &err);
    if (st == ST_OK)
        st = worker_hello(w, &hello, WORKER_HELLO_NS, &err);
    json_t *answer = st == ST_OK ? hello_json(&hello) : error_json(kind_of(engine, w, st, &err), &err);
    json_object_set_new(answer, "command", json_string(engine->command[0]));
    child_say(fd, json_pack("{s:o}", "engine", answer));
    worker_close(w);
}
