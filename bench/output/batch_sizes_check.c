#include "bench/output/batch_sizes_check.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/output/batch_sizes_rules.h"
#include "bench/output/batch_sizes_write.h"
#include "bench/output/findings.h"
#include "kernels/base/json.h"

/* --- the bytes (E6, E7) --- */

static void check_bytes(struct checking *c)
{
    char *wanted = json_write_text(c->root, JSON_INDENTED);
    size_t size = wanted ? strlen(wanted) : 0, same = 0;
    int line = 1;
    while (same < size && same < c->size && wanted[same] == c->text[same])
        line += c->text[same++] == '\n';
    if (!wanted)
        c->findings->out_of_memory = true;
    else if (same == c->size && same < size)
        finding_add(c, "", "E7", "must end with a newline");
    else if (same < size || same < c->size) {
        finding_add(c, "", "E7",
                    "line %d is not as bench writes it (ASCII, indent 2, one member per line, shortest "
                    "numbers): \"%.*s\" should be \"%.*s\"",
                    line, (int)strcspn(c->text + same, "\n") % 40, c->text + same,
                    (int)strcspn(wanted + same, "\n") % 40, wanted + same);
        c->findings->items[c->findings->count - 1].line = line;
    }
    free(wanted);
}

/* --- order of keys (E8) --- */

static const char *const sizes_order[] = { "optimization_timestamp", "gpu_info", "batch_configurations",
    "dynamic_batching", "parallel_processing", "memory_reserve_percent", "detailed_results", NULL };
static const char *const production_order[] = { "production_batch_sizes",
                                                "configurations",
                                                "dynamic_batching",
                                                "memory_reserve_percent",
                                                "detailed_benchmarks",
                                                "autotune",
                                                NULL };

/* The known keys must all be there, in this order from the first key on; autotune is last. */
static void check_order(struct checking *c, const char *const *order)
{
    const char *key, *last = "";
    json_t *value;
    size_t i = 0;
    json_object_foreach(c->root, key, value) {
        if (order[i] && strcmp(key, order[i]) == 0)
            i++;
        last = key;
    }
    if (order[i])
        finding_add(c, order[i], "E8", "%s", json_object_get(c->root, order[i]) ? "stands in the wrong order"
                                                                                : "is missing");
    finding_unless(c, strcmp(last, "autotune") == 0, json_object_get(c->root, "autotune"), last, "E8",
                   "before autotune, which is the last key");
}

/* --- one file --- */

static bool is_production(const json_t *root)
{
    return json_object_get(root, "production_batch_sizes") != NULL;
}

static enum status conclude(const struct findings *findings, size_t before, const char *name, struct err *err)
{
    char text[900];
    if (findings->out_of_memory)
        return err_set(err, ST_INTERNAL, "%s: not enough memory to check it", name);
    if (findings->count == before)
        return ST_OK;
    batch_sizes_finding_text(text, sizeof text, &findings->items[before]);
    return err_set(err, ST_BAD_NEWS, "%s%s", text, findings->count - before > 1 ? ", and more" : "");
}

static void summarize(struct checking *c)
{
    size_t models = 0, measured = 0;
    const char *name;
    json_t *entry;
    json_object_foreach(
        json_object_get(c->root, is_production(c->root) ? "configurations" : "batch_configurations"), name,
        entry)
    {
        models++;
        measured += json_is_true(json_object_get(batch_sizes_model(c->root, name), "measured"));
    }
    const char *campaign = json_string_value(finding_get(c->root, "autotune.campaign.id"));
    if (is_production(c->root))
        snprintf(c->findings->summary, sizeof c->findings->summary, "%zu models, campaign %s", models,
                 campaign ? campaign : "none");
    else
        snprintf(c->findings->summary, sizeof c->findings->summary,
                 "%zu models, %zu of them measured by %s %s", models, measured,
                 campaign ? "bench, campaign" : "bench:", campaign ? campaign : "a historic file");
}

/* Duplicate keys, NaN and a byte order mark are no JSON to our parser: they end here. */
static void check_file(struct checking *c)
{
    const bool ours = json_is_object(json_object_get(c->root, "autotune")),
               production = is_production(c->root);
    const json_t *schema = finding_get(c->root, "autotune.schema");
    if (ours && (!json_is_integer(schema) || json_integer_value(schema) > BATCH_SIZES_SCHEMA ||
                 json_integer_value(schema) < 1)) {
        finding_unless(c, false, schema, "autotune.schema", "E13", "1, the newest that this bench knows");
        return;
    }
    if (ours) {
        check_bytes(c);
        check_order(c, production ? production_order : sizes_order);
    }
    if (production) {
        check_production(c);
    } else {
        check_entries(c);
        if (ours)
            check_autotune(c);
        if (ours)
            check_sections(c);
    }
    summarize(c);
}

static bool parse(struct checking *c)
{
    struct err why;
    c->root = json_read_text(c->name, c->text, c->size, &why);
    if (c->size >= 3 && memcmp(c->text, "\xEF\xBB\xBF", 3) == 0)
        finding_add(c, "", "E7", "begins with a byte order mark: readers refuse it");
    else if (!c->root)
        finding_add(c, "", "broken", "is no JSON that every reader takes: %s", why.text);
    else if (!json_object_get(c->root, "batch_configurations") && !is_production(c->root))
        finding_add(c, "", "broken", "has neither batch_configurations nor production_batch_sizes");
    else
        return true;
    return false;
}

enum status batch_sizes_check_text(struct findings *out, const char *name, const char *text, size_t size,
                                   struct err *err)
{
    struct checking c = { .findings = out, .name = name, .text = text, .size = size };
    const size_t before = out->count;
    if (parse(&c))
        check_file(&c);
    json_decref(c.root);
    return conclude(out, before, name, err);
}

/* --- both files --- */

/* names: what the second file calls it, what the first does. */
static void check_same(struct checking *c, const json_t *first, const char *group, const char *model,
                       const char *const names[2])
{
    char path[FINDING_PATH];
    json_t *here = json_object_get(json_object_get(json_object_get(c->root, group), model), names[0]);
    json_t *there = json_object_get(json_object_get(json_object_get(first, "batch_configurations"), model),
                                    names[1]);
    if (here && there && json_equal(here, there))
        return;
    char *a = here ? json_write_text(here, JSON_LINE) : NULL,
         *b = there ? json_write_text(there, JSON_LINE) : NULL;
    finding_path(path, group, model);
    finding_add(c, finding_path(path, path, names[0]), "differs", "is %s here, but %s is %s in %s",
                a ? a : "nothing", names[1], b ? b : "nothing", BATCH_SIZES_FILE);
    free(a);
    free(b);
}

enum status batch_sizes_check_pair(struct findings *out, const char *sizes, size_t sizes_size,
                                   const char *production, size_t production_size, struct err *err)
{
    static const struct { const char *group, *names[2]; } pairs[] = {
        { "production_batch_sizes", { "optimal", "optimal_batch_size" } },
        { "production_batch_sizes", { "max_safe", "max_safe_batch_size" } },
        { "production_batch_sizes", { "p95_latency_ms", "p95_latency_ms" } },
        { "production_batch_sizes", { "throughput_img_s", "expected_throughput" } },
        { "configurations", { "optimal_batch_size", "optimal_batch_size" } },
        { "configurations", { "p95_latency_ms", "p95_latency_ms" } },
        { "configurations", { "throughput_imgs_per_sec", "expected_throughput" } },
        { "configurations", { "memory_usage_mb", "memory_limit_mb" } },
    };
    struct checking c = {
        .findings = out, .name = BATCH_SIZES_PRODUCTION, .text = production, .size = production_size
    };
    json_t *first = json_read_text(BATCH_SIZES_FILE, sizes, sizes_size, NULL), *unused;
    const size_t before = out->count;
    const char *model;
    c.root = json_read_text(BATCH_SIZES_PRODUCTION, production, production_size, NULL);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        json_object_foreach(json_object_get(c.root, pairs[i].group), model, unused)
            check_same(&c, first, pairs[i].group, model, pairs[i].names);
    json_decref(c.root);
    json_decref(first);
    return conclude(out, before, BATCH_SIZES_PRODUCTION, err);
}

static char *read_all(const char *path, size_t *size, struct err *err)
{
    FILE *file = fopen(path, "rb");
    char *text = file ? malloc(BATCH_SIZES_MAX_BYTES + 1) : NULL;
    *size = text ? fread(text, 1, BATCH_SIZES_MAX_BYTES + 1, file) : 0;
    if (!file || !text || ferror(file))
        err_set(err, ST_CONFIG, "%s: %s: name the file that bench tune wrote", path, strerror(errno));
    else if (*size > BATCH_SIZES_MAX_BYTES)
        err_set(err, ST_CONFIG, "%s: is larger than 16 MiB: that is no batch_sizes.json", path);
    else
        goto out;
    free(text);
    text = NULL;
out:
    if (file)
        fclose(file);
    return text;
}

/* production_batch_config.json beside a batch_sizes.json: checked too, and against it. */
static enum status check_second(struct findings *out, const char *path, const char *text, size_t size,
                                struct err *err)
{
    char copy[4096], second[4200];
    snprintf(copy, sizeof copy, "%s", path);
    snprintf(second, sizeof second, "%s/%s", dirname(copy), BATCH_SIZES_PRODUCTION);
    if (access(second, R_OK) != 0)
        return ST_OK;
    size_t second_size;
    char *production = read_all(second, &second_size, err);
    enum status st = production ? batch_sizes_check_text(out, second, production, second_size, err)
                                : ST_CONFIG;
    if (st == ST_OK)
        st = batch_sizes_check_pair(out, text, size, production, second_size, err);
    free(production);
    return st;
}

enum status batch_sizes_check_file(struct findings *out, const char *path, struct err *err)
{
    size_t size;
    char summary[sizeof out->summary];
    char *text = read_all(path, &size, err);
    if (!text)
        return ST_CONFIG;
    enum status st = batch_sizes_check_text(out, path, text, size, err);
    const bool first_file = memmem(text, size, "\"batch_configurations\"", 22) != NULL;
    const bool ours = memmem(text, size, "\"autotune\"", 10) != NULL;
    memcpy(summary, out->summary, sizeof summary);
    if (st == ST_OK && first_file && ours)
        st = check_second(out, path, text, size, err);
    memcpy(out->summary, summary, sizeof summary);
    free(text);
    return st;
}
