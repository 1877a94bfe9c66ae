#include "bench/import/claims.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/config/config.h"
#include "kernels/base/json.h"
#include "kernels/base/len.h"

#define PATH_ROOM 256

static void line_text(char out[16], const struct import_document *d, const char *path)
{
    const int line = import_line_of(d, path);
    if (line)
        snprintf(out, 16, ":%d", line);
    else
        *out = 0;
}

static void path_of(char path[PATH_ROOM], const struct import_document *d, const char *model, const char *key)
{
    snprintf(path, PATH_ROOM, "%s.%.100s%s%s",
             d->production ? "production_batch_sizes" : "batch_configurations", model, key ? "." : "",
             key ? key : "");
}

/* --- models --------------------------------------------------------------------------------------------- */

static enum status read_size(int *out, const struct import_document *d, const char *name, const char *model,
                             const json_t *entry, const char *key, struct err *err)
{
    char path[PATH_ROOM], line[16];
    const json_t *value = json_object_get(entry, key);
    const json_int_t n = json_integer_value(value);
    if (json_is_integer(value) && n >= 1 && n <= BATCH_MAX) {
        *out = (int)n;
        return ST_OK;
    }
    char *got = value ? json_write_text(value, JSON_LINE) : NULL;
    path_of(path, d, model, key);
    line_text(line, d, path);
    err_set(err, ST_CONFIG, "%s%s: %s must be a whole number 1..%d without a point, got %.80s", name, line,
            path, BATCH_MAX, got ? got : "nothing");
    free(got);
    return ST_CONFIG;
}

/* Everything that the entry says beside the two sizes. NULL: memory. */
static char *other_claims(const struct import_document *d, const json_t *entry)
{
    json_t *rest = json_copy((json_t *)(size_t)entry);
    if (!rest)
        return NULL;
    json_object_del(rest, import_optimal_key(d));
    json_object_del(rest, import_max_safe_key(d));
    char *text = json_write_text(rest, JSON_LINE);
    json_decref(rest);
    return text;
}

static enum status read_model(struct import_model_row *out, const struct import_document *d, const char *name,
                              const char *model, const json_t *entry, struct err *err)
{
    char path[PATH_ROOM], line[16];
    path_of(path, d, model, NULL);
    line_text(line, d, path);
    *out = (struct import_model_row){ 0 };
    if (!json_is_object(entry)) {
        char *got = json_write_text(entry, JSON_LINE);
        err_set(err, ST_CONFIG, "%s%s: %s must be an object with two sizes, got %.80s", name, line, path,
                got ? got : "nothing");
        free(got);
        return ST_CONFIG;
    }
    if (!*model || strlen(model) >= sizeof out->model)
        return err_set(err, ST_CONFIG, "%s%s: the name of a model must have 1 to %zu bytes, got \"%.80s\"",
                       name, line, sizeof out->model - 1, model);
    snprintf(out->model, sizeof out->model, "%s", model);
    enum status st = read_size(&out->optimal, d, name, model, entry, import_optimal_key(d), err);
    if (st == ST_OK)
        st = read_size(&out->max_safe, d, name, model, entry, import_max_safe_key(d), err);
    if (st == ST_OK && !(out->claims = other_claims(d, entry)))
        st = err_set(err, ST_INTERNAL, "%s: not enough memory for its claims", name);
    return st;
}

enum status claims_read(struct claims *out, const struct import_document *d, const char *name,
                        struct notes *notes, struct err *err)
{
    json_t *entries = (json_t *)(size_t)import_document_entries(d), *entry;
    const char *model;
    enum status st = ST_OK;
    *out = (struct claims){ .models = calloc(json_object_size(entries) + 1, sizeof *out->models) };
    if (!out->models)
        return err_set(err, ST_INTERNAL, "%s: not enough memory for its models", name);
    json_object_foreach(entries, model, entry) {
        struct import_model_row *row = &out->models[out->count];
        st = read_model(row, d, name, model, entry, err);
        if (st != ST_OK)
            break;
        out->count++;
        if (row->optimal > row->max_safe)
            notes_add(notes, "%s: optimal %d is above max_safe %d: %d is taken, as the service does", model,
                      row->optimal, row->max_safe, row->max_safe);
    }
    if (st != ST_OK)
        claims_free(out);
    return st;
}

void claims_free(struct claims *c)
{
    for (size_t i = 0; i < c->count; i++)
        free((char *)(size_t)c->models[i].claims);
    free(c->models);
    *c = (struct claims){ 0 };
}

/* --- form ----------------------------------------------------------------------------------------------- */

static const char *const known_sizes[] = {
    "optimization_timestamp", "gpu_info", "batch_configurations", "dynamic_batching", "parallel_processing",
    "memory_reserve_percent", "detailed_results", "autotune", NULL };
static const char *const known_entry[] = {
    "optimal_batch_size", "max_safe_batch_size", "expected_throughput", "memory_limit_mb", "p95_latency_ms",
    "production_optimized", "concurrent_processing", "note", NULL };
static const char *const known_production[] = {
    "optimization_timestamp", "gpu_info", "production_batch_sizes", "configurations", "dynamic_batching",
    "memory_reserve_percent", "detailed_benchmarks", "autotune", NULL };
static const char *const known_production_entry[] = { "optimal", "max_safe", "p95_latency_ms",
                                                      "throughput_img_s", NULL };

static void note_unknown(struct notes *notes, const char *name, const char *above, const json_t *object,
                         const char *const *known)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(size_t)object, key, value) {
        size_t i = 0;
        while (known[i] && strcmp(known[i], key) != 0)
            i++;
        if (!known[i])
            notes_add(notes, "%s: %s%s%.80s is a key that bench does not know: it is carried over as it is",
                      name, above, *above ? "." : "", key);
    }
}

/* Line of the first place where two texts differ: the readable one has `null` there. */
static int line_of_difference(const struct import_document *d)
{
    int line = 1;
    for (size_t i = 0; i < d->size && d->text[i] == d->readable[i]; i++)
        line += d->text[i] == '\n';
    return line;
}

void claims_note_form(struct notes *notes, const struct import_document *d, const char *name)
{
    const char *model;
    json_t *entry;
    size_t beyond = 0;
    while (beyond < d->size && (unsigned char)d->text[beyond] < 0x80)
        beyond++;
    if (strcmp(d->text, d->readable) != 0)
        notes_add(notes, "%s:%d: NaN or Infinity is no JSON: it is read as null", name,
                  line_of_difference(d));
    if (d->size == 0 || d->text[d->size - 1] != '\n')
        notes_add(notes, "%s: does not end with a newline", name);
    if (beyond < d->size)
        notes_add(notes, "%s: holds text beyond ASCII: some readers decode it by their locale", name);
    note_unknown(notes, name, "", d->root, d->production ? known_production : known_sizes);
    json_object_foreach((json_t *)(size_t)import_document_entries(d), model, entry) {
        char path[PATH_ROOM];
        path_of(path, d, model, NULL);
        note_unknown(notes, name, path, entry, d->production ? known_production_entry : known_entry);
    }
}
