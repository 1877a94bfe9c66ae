/* Puts both documents together: measured parts written anew, all else carried over from the base. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/output/batch_sizes_parts.h"
#include "bench/output/batch_sizes_rules.h"
#include "bench/output/batch_sizes_write.h"
#include "kernels/base/clock.h"

struct building {
    struct document d;
    const struct campaign *campaign;
    const struct config *config;
    struct entries entries;
    json_t *base;           /* NULL: none */
    json_t *out, *autotune;
    json_t *copied;         /* object used as a set of paths */
};

/* --- what was carried --- */

static bool base_is_ours(const struct building *b)
{
    return json_is_object(json_object_get(b->base, "autotune"));
}

static bool base_copied(const struct building *b, const char *path)
{
    size_t i;
    json_t *value;
    json_array_foreach(json_object_get(json_object_get(b->base, "autotune"), "copied"), i, value)
        if (json_is_string(value) && strcmp(json_string_value(value), path) == 0)
            return true;
    return false;
}

/* Notes that the content of path comes from the base. It is listed if bench did not write it. */
static void mark_carried(struct building *b, const char *group, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s%s%s", group, *group ? "." : "", name);
    if (!base_is_ours(b) || base_copied(b, path))
        document_put(&b->d, b->copied, path, json_true());
}

static void carry(struct building *b, json_t *to, const char *group, const char *name, json_t *value)
{
    document_put(&b->d, to, name, json_incref(value));
    mark_carried(b, group, name);
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void put_copied(struct building *b)
{
    json_t *list = document_array(&b->d, b->autotune, "copied"), *unused;
    const char **paths = calloc(json_object_size(b->copied) + 1, sizeof *paths), *path;
    size_t count = 0;
    if (!paths) {
        b->d.failed = true;
        return;
    }
    json_object_foreach(b->copied, path, unused)
        paths[count++] = path;
    qsort(paths, count, sizeof *paths, compare_texts);
    for (size_t i = 0; i < count; i++)
        document_append(&b->d, list, json_string(paths[i]));
    free(paths);
}

/* --- the historic part --- */

static void put_configurations(struct building *b)
{
    json_t *out = document_object(&b->d, b->out, "batch_configurations");
    json_t *old = json_object_get(b->base, "batch_configurations");
    for (size_t i = 0; i < b->entries.count; i++) {
        const struct entry *e = &b->entries.items[i];
        if (e->measured)
            document_put(&b->d, out, e->model, batch_sizes_configuration(&b->d, e, b->campaign));
        else
            carry(b, out, "batch_configurations", e->model, json_object_get(old, e->model));
    }
}

/* The base's section if it has one, else what is made here (taken over). */
static void put_section(struct building *b, const char *key, json_t *made)
{
    json_t *old = json_object_get(b->base, key);
    if (old)
        carry(b, b->out, "", key, old);
    else
        document_put(&b->d, b->out, key, json_incref(made));
    json_decref(made);
}

static void put_gpu_info(struct building *b)
{
    json_t *gpu = batch_sizes_gpu_info(&b->d, &b->entries, b->campaign);
    if (gpu)
        document_put(&b->d, b->out, "gpu_info", gpu);
    else
        put_section(b, "gpu_info", batch_sizes_cpu_info(&b->d));
}

static void put_dynamic_batching(struct building *b)
{
    json_t *queue = batch_sizes_dynamic_batching(&b->d, &b->entries);
    if (queue)
        document_put(&b->d, b->out, "dynamic_batching", queue);
    else
        put_section(b, "dynamic_batching", batch_sizes_no_dynamic_batching(&b->d));
}

static const struct entry *entry_of(const struct building *b, const char *model)
{
    for (size_t i = 0; i < b->entries.count; i++)
        if (strcmp(b->entries.items[i].model, model) == 0)
            return &b->entries.items[i];
    return NULL;
}

static bool is_dropped(const struct building *b, const char *model)
{
    for (size_t i = 0; i < b->config->output_drop.count; i++)
        if (strcmp(b->config->output_drop.names[i], model) == 0)
            return true;
    return false;
}

/* Base's order, then new ones. Rows of a model that has no entry any more are carried too,
 * unless it is dropped. */
static void put_details(struct building *b)
{
    json_t *out = document_object(&b->d, b->out, "detailed_results"), *value;
    const char *model;
    json_object_foreach(json_object_get(b->base, "detailed_results"), model, value) {
        const struct entry *e = entry_of(b, model);
        if (e && e->measured)
            document_put(&b->d, out, model, batch_sizes_details(&b->d, e));
        else if (!is_dropped(b, model))
            carry(b, out, "detailed_results", model, value);
    }
    for (size_t i = 0; i < b->entries.count; i++) {
        const struct entry *e = &b->entries.items[i];
        if (e->measured && !json_object_get(out, e->model))
            document_put(&b->d, out, e->model, batch_sizes_details(&b->d, e));
    }
}

static bool is_known_key(const char *key)
{
    static const char *const known[] = { "optimization_timestamp", "gpu_info", "batch_configurations",
                                         "dynamic_batching", "parallel_processing", "memory_reserve_percent",
                                         "detailed_results", "autotune" };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(key, known[i]) == 0)
            return true;
    return false;
}

static void put_unknown(struct building *b)
{
    const char *key;
    json_t *value;
    json_object_foreach(b->base, key, value)
        if (!is_known_key(key))
            carry(b, b->out, "", key, value);
}

static void put_historic(struct building *b)
{
    char stamp[BATCH_SIZES_DAY_SIZE];
    batch_sizes_historic_stamp(stamp, batch_sizes_ended(&b->campaign->run));
    document_text(&b->d, b->out, "optimization_timestamp", stamp);
    put_gpu_info(b);
    put_configurations(b);
    put_dynamic_batching(b);
    put_section(b, "parallel_processing", batch_sizes_no_parallel_processing(&b->d, &b->entries, b->config));
    document_int(&b->d, b->out, "memory_reserve_percent", lround(100 * b->config->reserve));
    put_details(b);
    put_unknown(b);
}

/* --- our key --- */

static void put_attempt(struct building *b, json_t *model, const char *outcome)
{
    char stamp[CLOCK_STAMP_SIZE];
    json_t *attempt = document_object(&b->d, model, "last_attempt");
    clock_stamp(stamp, batch_sizes_ended(&b->campaign->run));
    document_text(&b->d, attempt, "campaign", b->campaign->run.name);
    document_text(&b->d, attempt, "ended_at", stamp);
    document_text(&b->d, attempt, "outcome", outcome);
}

/* A carried model: as it stands in a base of ours, else marked as never measured. */
static json_t *carried_model(struct building *b, json_t *environments, const struct entry *e)
{
    json_t *old = batch_sizes_model(b->base, e->model), *model = old ? json_deep_copy(old) : json_object();
    if (!old) {
        json_t *stamp = json_object_get(b->base, "optimization_timestamp");
        document_bool(&b->d, model, "measured", false);
        json_t *from = document_object(&b->d, model, "copied_from");
        document_put(&b->d, from, "optimization_timestamp", stamp ? json_incref(stamp) : json_null());
    }
    const char *id = json_string_value(json_object_get(model, "environment"));
    json_t *known = json_object_get(json_object_get(b->base, "autotune"), "environments");
    if (id && json_object_get(known, id))
        document_put(&b->d, environments, id, json_incref(json_object_get(known, id)));
    if (*e->attempt)
        put_attempt(b, model, e->attempt);
    return model;
}

static void put_autotune(struct building *b)
{
    char version[RECORD_NAME];
    b->autotune = json_object();
    batch_sizes_version(version, sizeof version, &b->campaign->run);
    document_int(&b->d, b->autotune, "schema", BATCH_SIZES_SCHEMA);
    document_text(&b->d, b->autotune, "bench_version", version);
    document_put(&b->d, b->autotune, "campaign", batch_sizes_campaign(&b->d, &b->campaign->run, true));
    json_t *environments = document_object(&b->d, b->autotune, "environments"), *models = json_object();
    for (size_t i = 0; i < b->entries.count; i++) {
        const struct entry *e = &b->entries.items[i];
        document_put(&b->d, models, e->model,
                     e->measured ? batch_sizes_measured_model(&b->d, environments, e, b->campaign, b->config)
                                 : carried_model(b, environments, e));
    }
    put_copied(b);
    document_put(&b->d, b->autotune, "models", models);
    document_put(&b->d, b->out, "autotune", b->autotune);
}

/* --- both --- */

static enum status check_variant(const struct run_row *run, struct err *err)
{
    if (strcmp(run->variant, "release") == 0)
        return ST_OK;
    return err_set(err, ST_ENVIRONMENT,
                   "campaign %s was measured by a %s build, whose numbers never reach %s: build "
                   "with VARIANT=release and measure again",
                   run->name, *run->variant ? run->variant : "unknown", BATCH_SIZES_FILE);
}

enum status batch_sizes_build(struct batch_sizes_documents *out, const struct campaign *campaign,
                              const struct config *config, json_t *base_document, struct notes *notes,
                              struct err *err)
{
    struct building b = { .campaign = campaign, .config = config, .base = base_document };
    *out = (struct batch_sizes_documents){ 0 };
    enum status st = check_variant(&campaign->run, err);
    if (st == ST_OK)
        st = pick_check_rows(campaign, config, err);
    if (st == ST_OK)
        st = batch_sizes_entries(&b.entries, campaign, config, base_document, notes, err);
    if (st == ST_OK && b.entries.count == 0) {
        st = b.entries.worst == ST_OK ? ST_UNDECIDED : b.entries.worst;
        err_set(err, st, "no model has a batch size yet: %s is not written", BATCH_SIZES_FILE);
        batch_sizes_entries_free(&b.entries);
    }
    if (st != ST_OK)
        return st;
    b.out = json_object();
    b.copied = json_object();
    put_historic(&b);
    put_autotune(&b);
    out->sizes = b.out;
    out->production = batch_sizes_production(&b.d, b.out, notes);
    st = b.entries.worst;
    if (st != ST_OK)
        err_set(err, st, "%s", b.entries.why);
    if (b.d.failed) {
        st = err_set(err, ST_INTERNAL, "%s could not be built: a number was not finite, or memory is out",
                     BATCH_SIZES_FILE);
        batch_sizes_documents_free(out);
    }
    json_decref(b.copied);
    batch_sizes_entries_free(&b.entries);
    return st;
}

void batch_sizes_documents_free(struct batch_sizes_documents *documents)
{
    json_decref(documents->sizes);
    json_decref(documents->production);
    *documents = (struct batch_sizes_documents){ 0 };
}
