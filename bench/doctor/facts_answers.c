/* Answers (JSON of the children, or of facts.json) into the fields of the facts. What is missing or of
 * another type counts as not told. */
#include "bench/doctor/facts.h"

#include <stdio.h>
#include <string.h>

#include "kernels/base/len.h"

static void take_text(char *out, size_t size, const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    snprintf(out, size, "%s", text ? text : "");
}

static int take_int(const json_t *object, const char *key, int otherwise)
{
    const json_t *value = json_object_get(object, key);
    return json_is_integer(value) ? (int)json_integer_value(value) : otherwise;
}

/* --- drivers -------------------------------------------------------------------------------------------- */

static void take_devices(struct fact_driver *d, const json_t *answer)
{
    const json_t *list = json_object_get(answer, "devices");
    for (size_t i = 0; i < json_array_size(list) && i < LEN(d->devices); i++) {
        json_t *one = json_array_get(list, i);
        struct fact_device *device = &d->devices[d->device_count++];
        take_text(device->uuid, sizeof device->uuid, one, "uuid");
        take_text(device->name, sizeof device->name, one, "name");
        take_text(device->address, sizeof device->address, one, "address");
        take_text(device->capability, sizeof device->capability, one, "capability");
        device->state = one;
    }
}

/* The loader's answer: a path, or why there is none. */
static void take_library(struct fact_library *l, const struct facts *f, const json_t *answer)
{
    char loaded[PROCFS_PATH_MAX];
    take_text(loaded, sizeof loaded, answer, "dlopen");
    if (!*loaded) {
        if (json_object_get(answer, "dlopen_error"))
            take_text(l->absent, sizeof l->absent, answer, "dlopen_error");
        return;
    }
    facts_set_library(l, f->root, loaded);
}

static void take_driver(struct fact_driver *d, struct fact_library *library, const struct facts *f,
                        const char *part)
{
    const json_t *answer = json_object_get(f->answers, part);
    int version;
    d->count = -1;
    if (!json_is_object(answer)) {
        snprintf(d->absent, sizeof d->absent, "not_found");
        return;
    }
    take_library(library, f, answer);
    d->hang = json_is_true(json_object_get(answer, "hang"));
    d->crashed = json_is_true(json_object_get(answer, "crashed"));
    take_text(d->calling, sizeof d->calling, answer, "calling");
    d->called = json_is_integer(json_object_get(answer, "init"));
    d->code = take_int(answer, "init", 0);
    take_text(d->error, sizeof d->error, answer, "error_string");
    take_text(d->driver_version, sizeof d->driver_version, answer, "driver_version");
    take_text(d->library_version, sizeof d->library_version, answer, "version");
    version = take_int(answer, "driver_version", 0); /* CUDA: 1000 x major + 10 x minor */
    if (version > 0)
        snprintf(d->driver_version, sizeof d->driver_version, "%d.%d", version / 1000, version % 1000 / 10);
    take_devices(d, answer);
    d->count = take_int(answer, "count", json_object_get(answer, "devices") ? (int)d->device_count : -1);
}

/* --- nodes ---------------------------------------------------------------------------------------------- */

static void take_nodes(struct facts *f)
{
    const json_t *answer = json_object_get(f->answers, "nodes");
    if (!json_is_object(answer)) {
        snprintf(f->nodes_absent, sizeof f->nodes_absent, "not_found");
        return;
    }
    for (size_t i = 0; i < f->node_count; i++) {
        struct fact_node *node = &f->nodes[i];
        const json_t *one = json_object_get(answer, node->path);
        char mode[16];
        node->tried = json_is_object(one);
        node->error = take_int(one, "errno", 0);
        node->group = (unsigned)take_int(one, "group", 0);
        take_text(mode, sizeof mode, one, "mode");
        if (sscanf(mode, "%o", &node->mode) != 1)
            node->mode = 0;
    }
    f->nodes_hang = json_is_true(json_object_get(answer, "hang"));
    take_text(f->nodes_hang_at, sizeof f->nodes_hang_at, answer, "calling");
}

/* --- all ------------------------------------------------------------------------------------------------ */

static void take_engines(struct facts *f)
{
    json_t *engines = json_object_get(f->answers, "engines"), *answer;
    const char *name;
    take_text(f->engines_absent, sizeof f->engines_absent, f->answers, "engines_absent");
    if (!json_is_object(engines) && !*f->engines_absent)
        snprintf(f->engines_absent, sizeof f->engines_absent, "facts.json has no engines");
    json_object_foreach(engines, name, answer) {
        if (f->engine_count == LEN(f->engines))
            return;
        struct fact_engine *engine = &f->engines[f->engine_count++];
        snprintf(engine->name, sizeof engine->name, "%s", name);
        engine->answer = answer;
    }
}

void facts_take_answers(struct facts *f)
{
    const json_t *uid = json_object_get(f->answers, "uid"), *env = json_object_get(f->answers, "env");
    f->uid_known = json_is_integer(uid);
    f->uid = (unsigned long)json_integer_value(uid);
    f->env = json_is_object(env) ? env : NULL;
    take_nodes(f);
    take_driver(&f->nvml, &f->nvml_library, f, "nvml");
    take_driver(&f->cuda, &f->cuda_library, f, "cuda");
    take_engines(f);
}
