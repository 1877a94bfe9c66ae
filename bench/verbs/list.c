#include "bench/verbs/verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure/worker.h"
#include "bench/output/table.h"
#include "kernels/base/home.h"
#include "kernels/base/json.h"
#include "kernels/base/len.h"
#include "kernels/base/model_config.h"

#define LIST_TEXT 512

/* Everything that is listed; the arrays are owned. */
struct listing {
    struct model_line  *models;
    struct engine_line *engines;
    size_t model_count, engine_count;
};

struct model_line {
    char model[32], served[8], input[32], description[160];
    int  multiple, min_side;
};
static const struct field model_fields[] = {
#define AT(field) .offset = offsetof(struct model_line, field)
    { .name = "model", .unit = "", AT(model), .type = FIELD_TEXT },
    { .name = "served", .unit = "", AT(served), .type = FIELD_TEXT },
    { .name = "input", .unit = "CxHxW", AT(input), .type = FIELD_TEXT },
    { .name = "multiple", .unit = "pixels", AT(multiple), .type = FIELD_INT },
    { .name = "min_side", .unit = "pixels", AT(min_side), .type = FIELD_INT },
    { .name = "description", .unit = "", AT(description), .type = FIELD_TEXT },
#undef AT
};

struct engine_line {
    char engine[64], available[4], precisions[128], devices[LIST_TEXT], versions[LIST_TEXT], why[LIST_TEXT];
};
static const struct field engine_fields[] = {
#define AT(field) .offset = offsetof(struct engine_line, field)
    { .name = "engine", .unit = "", AT(engine), .type = FIELD_TEXT },
    { .name = "available", .unit = "", AT(available), .type = FIELD_TEXT },
    { .name = "precisions", .unit = "", AT(precisions), .type = FIELD_TEXT },
    { .name = "devices", .unit = "", AT(devices), .type = FIELD_TEXT },
    { .name = "versions", .unit = "", AT(versions), .type = FIELD_TEXT },
    { .name = "about", .unit = "", AT(why), .type = FIELD_TEXT },
#undef AT
};

/* --- models --------------------------------------------------------------------------------------------- */

static enum status list_models(struct listing *out, struct err *err)
{
    char folder[HOME_PATH_MAX];
    struct model_config *models = NULL;
    enum status st = home_path(folder, "configs/models", err);
    if (st == ST_OK)
        st = model_config_list(&models, &out->model_count, folder, err);
    if (st != ST_OK)
        return st;
    out->models = calloc(out->model_count ? out->model_count : 1, sizeof *out->models);
    for (size_t i = 0; out->models && i < out->model_count; i++) {
        const struct model_config *m = &models[i];
        struct model_line *line = &out->models[i];
        snprintf(line->model, sizeof line->model, "%s", m->name);
        snprintf(line->served, sizeof line->served, "%s", m->served ? "yes" : "no");
        snprintf(line->input, sizeof line->input, "%dx%dx%d", m->input[0], m->input[1], m->input[2]);
        snprintf(line->description, sizeof line->description, "%s", m->description);
        line->multiple = m->multiple;
        line->min_side = m->min_side;
    }
    free(models);
    return out->models ? ST_OK : err_set(err, ST_INTERNAL, "not enough memory for the list of models");
}

/* --- engines -------------------------------------------------------------------------------------------- */

static void append(char *text, size_t size, const char *separator, const char *word, const char *more)
{
    size_t used = strlen(text);
    snprintf(text + used, size - used, "%s%s%s%s", used ? separator : "", word, more ? " " : "",
             more ? more : "");
}

static void describe_hello(struct engine_line *line, const struct worker_hello *hello)
{
    for (size_t i = 0; i < hello->precision_count; i++)
        append(line->precisions, sizeof line->precisions, ",", hello->precisions[i], NULL);
    for (size_t i = 0; i < hello->device_count; i++) {
        const char *name = hello->devices[i].name;
        append(line->devices, sizeof line->devices, ", ", hello->devices[i].id, *name ? name : NULL);
    }
    for (size_t i = 0; i < hello->version_count; i++)
        append(line->versions, sizeof line->versions, ", ", hello->versions[i].name,
               hello->versions[i].version);
}

/* Starts the engine's worker and asks; a failure is a line of the list, not an error. */
static void ask_engine(struct engine_line *line, const struct engine_config *engine,
                       const volatile sig_atomic_t *stop)
{
    struct worker *worker = NULL;
    struct worker_hello hello;
    struct err err = { .status = ST_OK };
    struct worker_start start = { .command = engine->command,
                                  .environment = (const char *const *)engine->environment,
                                  .interrupt = stop };
    snprintf(line->engine, sizeof line->engine, "%s", engine->name);
    snprintf(line->why, sizeof line->why, "%s", engine->description);
    enum status st = worker_open(&worker, &start, &err);
    if (st == ST_OK)
        st = worker_hello(worker, &hello, WORKER_HELLO_NS, &err);
    snprintf(line->available, sizeof line->available, "%s", st == ST_OK ? "yes" : "no");
    if (st == ST_OK)
        describe_hello(line, &hello);
    else
        snprintf(line->why, sizeof line->why, "%.*s", LIST_TEXT - 1, err.text);
    worker_close(worker);
}

static enum status list_engines(struct listing *out, const volatile sig_atomic_t *stop, struct err *err)
{
    struct engine_config *engines = NULL;
    enum status st = engine_config_list(&engines, &out->engine_count, err);
    if (st != ST_OK)
        return st;
    out->engines = calloc(out->engine_count ? out->engine_count : 1, sizeof *out->engines);
    for (size_t i = 0; i < out->engine_count; i++) {
        if (out->engines && !*stop)
            ask_engine(&out->engines[i], &engines[i], stop);
        engine_config_free(&engines[i]);
    }
    free(engines);
    if (*stop)
        return err_set(err, ST_INTERRUPTED, "interrupted while the engines were asked");
    return out->engines ? ST_OK : err_set(err, ST_INTERNAL, "not enough memory for the list of engines");
}

/* --- both ----------------------------------------------------------------------------------------------- */

static enum status print_listing(const struct listing *l, bool json, struct err *err)
{
    struct table models = { .fields = model_fields, .field_count = LEN(model_fields), .rows = l->models,
                            .row_size = sizeof *l->models, .row_count = l->model_count, .marked = -1,
                            .colour = table_colour(stdout) };
    struct table engines = { .fields = engine_fields, .field_count = LEN(engine_fields), .rows = l->engines,
                             .row_size = sizeof *l->engines, .row_count = l->engine_count, .marked = -1,
                             .colour = table_colour(stdout) };
    if (!json) {
        table_write_text(stdout, &models);
        putchar('\n');
        table_write_text(stdout, &engines);
        return ST_OK;
    }
    json_t *all = json_pack("{s:o*, s:o*}", "models", table_json(&models), "engines", table_json(&engines));
    char *text = all ? json_write_text(all, JSON_INDENTED) : NULL;
    json_decref(all);
    if (!text)
        return err_set(err, ST_INTERNAL, "not enough memory to print the list");
    fputs(text, stdout);
    free(text);
    return ST_OK;
}

enum status verb_list(const struct invocation *inv, struct err *err)
{
    struct listing listing = { 0 };
    enum status st = list_models(&listing, err);
    if (st == ST_OK)
        st = list_engines(&listing, inv->stop, err);
    if (st == ST_OK)
        st = print_listing(&listing, inv->config->json, err);
    free(listing.models);
    free(listing.engines);
    return st;
}
