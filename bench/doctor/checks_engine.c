/* Engines: what each worker said of itself. */
#include "bench/doctor/checks.h"

#include <string.h>

#include "kernels/base/len.h"

static const struct outcome engine_outcomes[] = {
    { .name = "found", LEVEL_OK,
      "<name>: <versions>; <precisions> on <devices> (versions come from inside the process)",
      NULL },
    { .name = "no_device", LEVEL_NOTE, "<name>: no device for it here<message>", NULL, .required = true },
    { .name = "not_built", LEVEL_NOTE,
      "<name>: <command> is not in this build",
      "build where its libraries are: make prints what it did not find",
      .required = true },
    { .name = "no_command", LEVEL_NOTE,
      "<name>: <command>: not found",
      "install it, or correct the engine's file",
      .required = true },
    { .name = "no_answer", LEVEL_WARN,
      "<name>: <message>",
      "start <command> by hand and read what it prints",
      .required = true },
    { .name = "bad_protocol", LEVEL_WARN,
      "<name>: <message>",
      "standard output is for answers only",
      .required = true },
    { .name = "environment", LEVEL_WARN, "<name>: <message>", NULL, .required = true },
    { .name = "unknown_engine", LEVEL_FAIL, "<name>: there is no such engine (bench list shows them)", NULL },
};

static const char *joined_versions(struct judge *j, json_t *versions)
{
    const char *name, *all = "";
    json_t *value;
    json_object_foreach(versions, name, value)
        all = judge_text(j, "%s%s%s %s", all, *all ? ", " : "", name, json_string_value(value));
    return *all ? all : "no versions told";
}

static const char *joined(struct judge *j, const json_t *list, const char *key, const char *separator)
{
    const char *all = "";
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        const char *text = json_string_value(key ? json_object_get(item, key) : item);
        all = judge_text(j, "%s%s%s", all, *all ? separator : "", text ? text : "?");
    }
    return all;
}

static void say_hello(struct judge *j, const struct fact_engine *engine)
{
    const char *devices = joined(j, json_object_get(engine->answer, "devices"), "id", ", ");
    const struct gpu_fill name = { "name", engine->name };
    if (!*devices)
        SAY(j, "no_device", name, { "message", "" });
    else
        SAY(j, "found", name, { "versions", joined_versions(j, json_object_get(engine->answer, "versions")) },
            { "precisions", joined(j, json_object_get(engine->answer, "precisions"), NULL, " ") },
            { "devices", devices });
}

/* A GPU's engine on a machine without one is no fault of the engine. */
static bool lacks_device(const struct facts *f, const json_t *error)
{
    const char *api = json_string_value(json_object_get(error, "api"));
    if (!api || (strcmp(api, "cuda") != 0 && strcmp(api, "nvml") != 0))
        return false;
    return json_integer_value(json_object_get(error, "code")) == 100 ||
           (f->pci_count == 0 && *f->module.absent && f->node_count == 0 && !f->wsl);
}

static void say_error(struct judge *j, const struct fact_engine *engine, const json_t *error)
{
    static const char *const own[] = { "not_built", "no_command", "no_answer", "bad_protocol" };
    const char *kind = json_string_value(json_object_get(error, "kind")), *outcome = "environment";
    const char *message = json_string_value(json_object_get(error, "message"));
    const char *command = json_string_value(json_object_get(engine->answer, "command"));
    for (size_t i = 0; kind && i < LEN(own); i++)
        if (strcmp(kind, own[i]) == 0)
            outcome = own[i];
    message = message ? message : "it gave no reason";
    if (strcmp(outcome, "environment") == 0 && lacks_device(j->facts, error)) {
        outcome = "no_device";
        message = judge_text(j, ": %s", message);
    }
    SAY(j, outcome, { "name", engine->name }, { "message", message },
        { "command", command ? command : "its command" }, { "kind", kind });
}

static bool is_required(const struct doctor_ask *ask, const char *name)
{
    for (size_t i = 0; i < ask->require_count; i++)
        if (strcmp(ask->require_engines[i], name) == 0)
            return true;
    return false;
}

static void look_engine(struct judge *j)
{
    const struct facts *f = j->facts;
    if (*f->engines_absent)
        judge_unread(j, "the engines", f->engines_absent);
    for (size_t i = 0; i < f->engine_count; i++) {
        const struct fact_engine *engine = &f->engines[i];
        const json_t *error = json_object_get(engine->answer, "error");
        j->name = engine->name;
        j->required = is_required(j->ask, engine->name);
        if (error)
            say_error(j, engine, error);
        else
            say_hello(j, engine);
    }
    for (size_t i = 0; i < j->ask->require_count; i++)
        if (!facts_engine(f, j->ask->require_engines[i])) {
            j->name = j->ask->require_engines[i];
            SAY(j, "unknown_engine", { "name", j->name });
        }
}

#define OUTCOMES(list) .outcomes = list, .outcome_count = LEN(list)
const struct check checks_engine[] = {
    { .id = "engine", .parts = FACTS_ENGINES, .look = look_engine, OUTCOMES(engine_outcomes) },
};
const size_t checks_engine_count = LEN(checks_engine);
