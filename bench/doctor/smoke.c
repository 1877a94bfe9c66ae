#include "bench/doctor/smoke.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/doctor/ask.h"
#include "bench/doctor/child.h"
#include "bench/doctor/facts.h"
#include "bench/measure/gate_compare.h"
#include "bench/measure/gate_images.h"
#include "bench/measure/worker.h"
#include "kernels/base/model_config.h"

#define IMAGES MODEL_EXPECTED_IMAGES
#define RUN_NS (200 * 1000000ULL)
#define LOADED_NS (2 * WORKER_S)     /* longer than NVML is read */
#define LIMIT_NS (60 * WORKER_S)     /* of load and prepare: the model is tiny, a first start may compile */
static const int input[3] = { 3, 64, 64 };

/* One engine on one device. */
struct smoke {
    struct worker *w;
    const char *device, *precision;
    const char *stage;               /* what was asked last */
    char folder[64];
    struct gate_image images[IMAGES];
    int output_shape[3];
    json_t *out;
    const volatile sig_atomic_t *interrupt;
};

static void put(json_t *object, const char *key, double value)
{
    json_object_set_new(object, key, isfinite(value) ? json_real(value) : json_null());
}

/* --- asking ------------------------------------------------------------------------------------------------ */

static enum status load(struct smoke *s, struct err *err)
{
    struct worker_load_result loaded;
    const struct worker_load_ask ask = { .model = SMOKE_MODEL, .shape = { input[0], input[1], input[2] },
                                         .precision = s->precision, .device = s->device, .max_batch = IMAGES };
    s->stage = "load";
    enum status st = worker_load(s->w, &ask, &loaded, LIMIT_NS, err);
    memcpy(s->output_shape, loaded.output_shape, sizeof s->output_shape);
    return st;
}

static int by_value(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Prepares 1 and 3 and runs 1. */
static enum status prepare_and_run(struct smoke *s, struct err *err)
{
    struct worker_prepare_result one, three;
    struct worker_run_result run;
    const struct worker_run_ask ask = { .batch = 1, .min_ns = RUN_NS, .min_iterations = 1, .max_iterations = 100000 };
    s->stage = "prepare";
    enum status st = worker_prepare(s->w, 1, &one, LIMIT_NS, err);
    if (st == ST_OK)
        st = worker_prepare(s->w, IMAGES, &three, LIMIT_NS, err);
    if (st != ST_OK)
        return st;
    put(s->out, "first_use_ms", (double)(one.prepare_ns + one.first_run_ns) / 1e6);
    s->stage = "run";
    st = worker_run(s->w, &ask, &run, worker_run_deadline(RUN_NS), err);
    if (st != ST_OK)
        return st;
    qsort(run.iteration_ns, run.iterations, sizeof *run.iteration_ns, by_value);
    put(s->out, "image_ms", (double)run.iteration_ns[run.iterations / 2] / 1e6);
    worker_run_free(&run);
    return ST_OK;
}

static json_t *stored_values(const float *values, size_t count)
{
    json_t *list = json_array();
    for (size_t k = 0; k < MODEL_EXPECTED_VALUES; k++) {
        const double value = (double)values[model_expected_at(k, count)];
        json_array_append_new(list, isfinite(value) ? json_real(value) : json_null());
    }
    return list;
}

static json_t *compared(const float *values, const float *alone, size_t count)
{
    const struct gate_difference d = gate_compare(values, alone, count);
    json_t *out = json_pack("{s:b}", "finite", gate_is_finite(values, count));
    put(out, "rel_l2", d.rel_l2);
    put(out, "mask", d.mask);
    return out;
}

/* Each image alone, then all of them together. */
static enum status outputs(struct smoke *s, struct err *err)
{
    float *alone[IMAGES] = { NULL }, *all = NULL;
    size_t count = 0;
    enum status st = ST_OK;
    json_t *images = json_array(), *batch = json_array();
    s->stage = "output";
    for (int i = 0; i < IMAGES && st == ST_OK; i++) {
        st = gate_output_ask(&alone[i], &count, s->w, s->folder, &s->images[i], 1, s->output_shape,
                             worker_run_deadline(RUN_NS), err);
        if (st == ST_OK)
            json_array_append_new(images, json_pack("{s:b, s:o}", "finite", gate_is_finite(alone[i], count), "values",
                                                    stored_values(alone[i], count)));
    }
    if (st == ST_OK)
        st = gate_output_ask(&all, &count, s->w, s->folder, s->images, IMAGES, s->output_shape,
                             worker_run_deadline(RUN_NS), err);
    for (int i = 0; i < IMAGES && st == ST_OK; i++)
        json_array_append_new(batch, compared(all + (size_t)i * count, alone[i], count));
    json_object_set_new(s->out, "images", images);
    json_object_set_new(s->out, "batch", batch);
    for (int i = 0; i < IMAGES; i++)
        free(alone[i]);
    free(all);
    return st;
}

/* --- the GPU ----------------------------------------------------------------------------------------------- */

/* What NVML tells of the GPU with that uuid; NULL: nothing. The caller owns it. */
static json_t *read_gpu(const char *uuid, const volatile sig_atomic_t *interrupt)
{
    struct child child = { .work = ask_nvml, .limit_ns = FACTS_LIMIT_S * CHILD_S };
    json_t *found = NULL, *device;
    size_t i;
    children_run(&child, 1, interrupt);
    json_array_foreach(json_object_get(child.answer, "devices"), i, device) {
        const char *name = json_string_value(json_object_get(device, "uuid"));
        if (!found && name && *uuid && strcmp(name, uuid) == 0)
            found = json_incref(device);
    }
    json_decref(child.answer);
    return found;
}

/* A run that lasts while NVML is asked. */
static enum status look_under_load(struct smoke *s, const char *uuid, struct err *err)
{
    struct worker_run_result run;
    const struct worker_run_ask ask = { .batch = IMAGES, .min_ns = LOADED_NS, .min_iterations = 1,
                                        .max_iterations = 100000 };
    s->stage = "run";
    enum status st = worker_run_send(s->w, &ask, worker_run_deadline(LOADED_NS), err);
    if (st != ST_OK)
        return st;
    json_t *gpu = read_gpu(uuid, s->interrupt);
    st = worker_run_receive(s->w, &ask, &run, err);
    if (st == ST_OK)
        worker_run_free(&run);
    if (gpu) {
        json_object_set(s->out, "memory_during", json_object_get(gpu, "memory_used"));
        json_object_set_new(s->out, "under_load", gpu);
    }
    return st;
}

static void note_memory_before(struct smoke *s, const char *uuid)
{
    json_t *gpu = read_gpu(uuid, s->interrupt);
    if (gpu)
        json_object_set(s->out, "memory_before", json_object_get(gpu, "memory_used"));
    json_decref(gpu);
}

/* --- one engine on one device ------------------------------------------------------------------------------ */

static enum status make_images(struct smoke *s, struct err *err)
{
    enum status st = ST_OK;
    strcpy(s->folder, "/tmp/bench-smoke-XXXXXX");
    if (!mkdtemp(s->folder)) {
        *s->folder = 0;
        return err_set(err, ST_IO, "no folder for images can be made below /tmp");
    }
    for (int i = 0; i < IMAGES && st == ST_OK; i++)
        st = gate_image_make(&s->images[i], s->folder, (uint32_t)i + 1, input, err);
    return st;
}

static void remove_images(const struct smoke *s)
{
    for (int i = 0; i < IMAGES; i++)
        if (*s->images[i].path)
            unlink(s->images[i].path);
    if (*s->folder)
        rmdir(s->folder);
}

static enum status try(struct smoke *s, const struct engine_config *engine, const char *uuid, struct err *err)
{
    const struct worker_start start = { .command = engine->command, .interrupt = s->interrupt,
                                        .environment = (const char *const *)engine->environment };
    const bool gpu = strncmp(s->device, "cuda", 4) == 0;
    struct worker_hello hello;
    s->stage = "start";
    enum status st = make_images(s, err);
    if (st == ST_OK && gpu)
        note_memory_before(s, uuid);
    if (st == ST_OK)
        st = worker_open(&s->w, &start, err);
    if (st == ST_OK)
        st = worker_hello(s->w, &hello, WORKER_HELLO_NS, err);
    if (st == ST_OK && (hello.can_virtual || strcmp(hello.engine, "scripted") == 0))
        st = err_set(err, ST_UNSUPPORTED, "it plays a script and computes nothing");
    if (st == ST_OK && !hello.can_output)
        st = err_set(err, ST_UNSUPPORTED, "it cannot give an output to compare");
    if (st == ST_OK)
        st = load(s, err);
    if (st == ST_OK)
        st = prepare_and_run(s, err);
    if (st == ST_OK && gpu)
        st = look_under_load(s, uuid, err);
    return st == ST_OK ? outputs(s, err) : st;
}

static json_t *smoke_one(const struct engine_config *engine, const json_t *device, const char *precision,
                         const volatile sig_atomic_t *interrupt)
{
    struct err err = { .status = ST_OK };
    const char *uuid = json_string_value(json_object_get(device, "uuid"));
    struct smoke s = { .device = json_string_value(json_object_get(device, "id")), .precision = precision,
                       .out = json_pack("{s:s}", "precision", precision), .interrupt = interrupt };
    const enum status st = try(&s, engine, uuid ? uuid : "", &err);
    if (st != ST_OK)
        json_object_set_new(s.out, "error", json_pack("{s:s, s:s, s:s}", "kind", status_kind(st), "message", err.text,
                                                      "stage", s.stage));
    worker_close(s.w);
    remove_images(&s);
    return s.out;
}

/* f32 if the engine has it, else what it names first. */
static const char *precision_of(const json_t *hello)
{
    const json_t *list = json_object_get(hello, "precisions");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        if (name && strcmp(name, "f32") == 0)
            return name;
    }
    return json_string_value(json_array_get(list, 0));
}

json_t *smoke_run(const struct engine_config *engines, size_t count, const json_t *answers,
                  const volatile sig_atomic_t *interrupt)
{
    json_t *all = json_object();
    for (size_t e = 0; e < count; e++) {
        const json_t *hello = json_object_get(answers, engines[e].name), *devices = json_object_get(hello, "devices");
        const char *precision = precision_of(hello);
        json_t *of_engine = json_object();
        for (size_t d = 0; precision && d < json_array_size(devices) && !(interrupt && *interrupt); d++) {
            const json_t *device = json_array_get(devices, d);
            const char *id = json_string_value(json_object_get(device, "id"));
            if (id)
                json_object_set_new(of_engine, id, smoke_one(&engines[e], device, precision, interrupt));
        }
        if (json_object_size(of_engine))
            json_object_set(all, engines[e].name, of_engine);
        json_decref(of_engine);
    }
    return all;
}
