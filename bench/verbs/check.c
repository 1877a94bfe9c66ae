#include "bench/verbs/verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure/gate_compare.h"
#include "bench/output/table.h"
#include "bench/verbs/check_run.h"
#include "kernels/base/json.h"
#include "kernels/base/len.h"
#include "kernels/base/text.h"
#include "kernels/base/vectors.h"

enum { MODELS_MAX = 16 };

static const struct field check_fields[] = {
#define AT(field) .offset = offsetof(struct check_line, field)
    { .name = "model", .unit = "", AT(model), .type = FIELD_TEXT },
    { .name = "engine", .unit = "", AT(engine), .type = FIELD_TEXT },
    { .name = "precision", .unit = "", AT(precision), .type = FIELD_TEXT },
    { .name = "weights", .unit = "", AT(set), .type = FIELD_TEXT },
    { .name = "size", .unit = "HxW", AT(size), .type = FIELD_TEXT },
    { .name = "until", .unit = "", AT(until), .type = FIELD_TEXT },
    { .name = "test", .unit = "", AT(test), .type = FIELD_TEXT },
    { .name = "deviation", .unit = "", AT(deviation), .type = FIELD_REAL, .digits = 7 },
    { .name = "limit", .unit = "", AT(limit), .type = FIELD_REAL, .digits = 4 },
    { .name = "ok", .unit = "", AT(ok), .type = FIELD_TEXT },
    { .name = "note", .unit = "", AT(note), .type = FIELD_TEXT },
#undef AT
};

/* --- what is asked for ---------------------------------------------------------------------------------- */

/* Models that have vectors, in the order of the table. */
static size_t known_models(const char *names[MODELS_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < vector_count && count < MODELS_MAX; i++)
        if (count == 0 || strcmp(names[count - 1], vectors[i].model) != 0) {
            size_t k = 0;
            while (k < count && strcmp(names[k], vectors[i].model) != 0)
                k++;
            if (k == count)
                names[count++] = vectors[i].model;
        }
    return count;
}

static enum status choose_models(const char *out[MODELS_MAX], size_t *count, const struct config *config,
                                 struct err *err)
{
    const char *known[MODELS_MAX];
    const size_t known_count = known_models(known);
    *count = 0;
    if (config->all_models || config->models.count == 0) {
        memcpy(out, known, sizeof known);
        *count = known_count;
        return ST_OK;
    }
    for (size_t i = 0; i < config->models.count && i < MODELS_MAX; i++) {
        const char *name = config->models.names[i];
        const char *near = text_nearest(name, known, known_count);
        if (!vector_limit_of(name))
            return err_set(err, ST_USAGE,
                           "model \"%.60s\" has no conformance vectors%s%s%s; they exist for hrnet, "
                           "resunet_small and resunet_advanced",
                           name, near ? ": did you mean \"" : "", near ? near : "", near ? "\"?" : "");
        out[(*count)++] = name;
    }
    return ST_OK;
}

/* What the engine can do here, of what was asked for; all that has limits if nothing was. */
static enum status choose_precisions(struct worker_hello *hello, const struct engine_config *engine,
                                     const struct config *config, const volatile sig_atomic_t *stop,
                                     struct err *err)
{
    struct worker *w = NULL;
    const struct worker_start start = { .command = engine->command, .interrupt = stop,
                                        .environment = (const char *const *)engine->environment };
    enum status st = worker_open(&w, &start, err);
    if (st == ST_OK)
        st = worker_hello(w, hello, WORKER_HELLO_NS, err);
    worker_close(w);
    if (st != ST_OK)
        return st == ST_INTERRUPTED ? st
                                    : err_set(err, ST_ENVIRONMENT, "engine %s does not start: %.900s",
                                              engine->name, err ? err->text : "");
    if (!hello->can_output)
        return err_set(err, ST_UNSUPPORTED, "engine %s cannot give outputs: there is nothing to compare",
                       engine->name);
    if (!config->precisions_named)
        return ST_OK;
    for (size_t i = 0; i < config->precisions.count; i++) {
        size_t k = 0;
        while (k < hello->precision_count && strcmp(hello->precisions[k], config->precisions.names[i]) != 0)
            k++;
        if (k == hello->precision_count)
            return err_set(err, ST_UNSUPPORTED,
                           "engine %s has no precision %.16s on this machine: `bench list` shows what "
                           "it has",
                           engine->name, config->precisions.names[i]);
    }
    hello->precision_count = 0;
    for (size_t i = 0; i < config->precisions.count && i < WORKER_ITEMS_MAX; i++)
        snprintf(hello->precisions[hello->precision_count++], sizeof *hello->precisions, "%s",
                 config->precisions.names[i]);
    return ST_OK;
}

/* --- check and print ------------------------------------------------------------------------------------ */

static enum status print_json(const struct table *table, size_t failed, struct err *err)
{
    json_t *all = json_pack("{s:I, s:I, s:o*}", "passed", (json_int_t)(table->row_count - failed), "failed",
                            (json_int_t)failed, "checks", table_json(table));
    char *text = all ? json_write_text(all, JSON_INDENTED) : NULL;
    json_decref(all);
    if (!text)
        return err_set(err, ST_INTERNAL, "not enough memory to print the checks");
    fputs(text, stdout);
    free(text);
    return ST_OK;
}

static enum status print_checks(const struct check *c, bool json, struct err *err)
{
    const struct table table = { .fields = check_fields, .field_count = LEN(check_fields), .rows = c->lines,
                                 .row_size = sizeof *c->lines, .row_count = c->line_count, .marked = -1,
                                 .colour = table_colour(stdout) };
    if (json)
        return print_json(&table, c->failed, err);
    table_write_text(stdout, &table);
    printf("\n%zu passed, %zu failed\n", c->line_count - c->failed, c->failed);
    return ST_OK;
}

static enum status check_all(struct check *c, const struct invocation *inv, const struct worker_hello *hello,
                             struct err *err)
{
    const char *models[MODELS_MAX];
    size_t model_count;
    struct gate_limits limits;
    enum status st = choose_models(models, &model_count, inv->config, err);
    for (size_t i = 0; i < model_count && st == ST_OK; i++)
        for (size_t k = 0; k < hello->precision_count && st == ST_OK; k++)
            if (gate_limits_of(&limits, hello->precisions[k], true))
                st = check_model(c, models[i], hello->precisions[k], err);
    return st;
}

/* All checks of one engine; its lines are printed also where an error ends them early. */
static enum status check_engine(size_t *failed, size_t *checks, const char *engine_name,
                                const struct invocation *inv, struct err *err)
{
    const struct config *config = inv->config;
    struct engine_config engine;
    struct worker_hello hello = { 0 };
    struct err ignored;
    enum status st = engine_config_read(&engine, engine_name, err);
    if (st != ST_OK)
        return st;
    struct check c = { .stop = inv->stop, .engine = &engine,
                       .device = config->devices.count ? config->devices.names[0] : NULL,
                       .threads = config->threads.count ? config->threads.values[0] : 0,
                       .logits = config->logits };
    st = choose_precisions(&hello, &engine, config, inv->stop, err);
    if (st == ST_OK)
        st = check_begin(&c, err);
    if (st == ST_OK)
        st = check_all(&c, inv, &hello, err);
    if (c.line_count || st == ST_OK) {
        const enum status printed = print_checks(&c, config->json, st == ST_OK ? err : &ignored);
        if (st != ST_OK && !config->json)
            puts("ended early: not every check was run");
        st = st == ST_OK ? printed : st;
    }
    *failed += c.failed;
    *checks += c.line_count;
    check_end(&c);
    engine_config_free(&engine);
    return st;
}

enum status verb_check(const struct invocation *inv, struct err *err)
{
    const struct config *config = inv->config;
    const char *models[MODELS_MAX];
    size_t model_count, failed = 0, checks = 0;
    enum status st = choose_models(models, &model_count, config, err); /* a wrong name before anything starts */
    if (st == ST_OK && config->engines.count == 0)
        st = check_engine(&failed, &checks, "onednn", inv, err);
    for (size_t i = 0; i < config->engines.count && st == ST_OK; i++)
        st = check_engine(&failed, &checks, config->engines.names[i], inv, err);
    if (st == ST_OK && failed)
        st = err_set(err, ST_BAD_NEWS, "%zu of %zu checks failed", failed, checks);
    return st;
}
