/* The rules about models: entries as the consumer reads them, and `autotune` against them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/output/batch_sizes_entry.h"
#include "bench/output/batch_sizes_rules.h"
#include "bench/output/findings.h"

/* --- small tests of values --- */

static bool is_one_of(const json_t *value, const char *const *words)
{
    const char *text = json_string_value(value);
    for (; text && *words; words++)
        if (strcmp(text, *words) == 0)
            return true;
    return false;
}

static bool is_number_or_null(const json_t *value)
{
    return json_is_null(value) || json_is_number(value);
}

static bool has_shape(const json_t *value, const char *shape) /* '0' stands for any digit */
{
    const char *text = json_string_value(value);
    if (!text || strlen(text) != strlen(shape))
        return false;
    for (; *shape; text++, shape++)
        if (*shape == '0' ? *text < '0' || *text > '9' : *text != *shape)
            return false;
    return true;
}

static bool same_member(const json_t *a, const char *path_a, const json_t *b, const char *path_b)
{
    json_t *left = finding_get(a, path_a), *right = finding_get(b, path_b);
    return left && right && json_equal(left, right);
}

/* Reals of ours have at most 6 significant digits. */
static void check_digits(struct checking *c, const json_t *value, const char *path)
{
    char text[32], below[FINDING_PATH], number[32];
    const char *key;
    json_t *member;
    size_t i;
    if (json_is_real(value)) {
        snprintf(text, sizeof text, "%.6g", json_real_value(value));
        finding_unless(c, strtod(text, NULL) == json_real_value(value), value, path, "E6",
                       "rounded to 6 significant digits");
    }
    json_object_foreach((json_t *)(uintptr_t)value, key, member)
        check_digits(c, member, finding_path(below, path, key));
    json_array_foreach((json_t *)(uintptr_t)value, i, member) {
        snprintf(number, sizeof number, "%zu", i);
        check_digits(c, member, finding_path(below, path, number));
    }
}

/* --- batch_configurations --- */

/* Historic files are older than some of the rules: only what breaks their consumer counts there. */
void check_entries(struct checking *c)
{
    const char *name, *key;
    json_t *entry;
    char path[FINDING_PATH], text[256];
    if (!finding_unless(c, json_is_object(json_object_get(c->root, "batch_configurations")),
                        json_object_get(c->root, "batch_configurations"), "batch_configurations", "broken",
                        "an object"))
        return;
    json_object_foreach(json_object_get(c->root, "batch_configurations"), name, entry) {
        const json_t *memory = json_object_get(batch_sizes_model(c->root, name), "memory");
        if (batch_sizes_entry_is_sound(entry, finding_int(memory, "ceiling_batch"), &key, text, sizeof text))
            continue;
        const bool relation = strstr(text, "_batch_size (") || strstr(text, "ceiling_batch") ||
                              strstr(text, "> 0");
        finding_path(path, "batch_configurations", name);
        finding_add(c, *key ? finding_path(path, path, key) : path, relation ? "E2" : "E1", "%s: %s", name,
                    text);
    }
}

/* The order in which the keys of a measured entry stand. */
static void check_keys(struct checking *c, const json_t *object, const char *path, const char *const *order)
{
    char below[FINDING_PATH];
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, key, value) {
        const char *const *found = order;
        while (*found && strcmp(*found, key) != 0)
            found++;
        if (!*found) {
            finding_add(c, finding_path(below, path, key), "E8", "is unknown or stands in the wrong order");
            return;
        }
        order = found + 1;
    }
}

static void check_measured_entry(struct checking *c, const char *name, const json_t *entry,
                                 const json_t *model)
{
    static const char *const order[] = { "optimal_batch_size", "max_safe_batch_size", "expected_throughput",
        "memory_limit_mb", "p95_latency_ms", "production_optimized", "concurrent_processing", "note", NULL };
    static const char *const sure[] = { "decided", "within", NULL };
    char path[FINDING_PATH], below[FINDING_PATH];
    const json_t *p95 = json_object_get(entry, "p95_latency_ms"), *note = json_object_get(entry, "note");
    static const char *const verified[] = { "range", NULL };
    const bool optimized = json_is_true(finding_get(model, "decision.verified")) &&
                           is_one_of(finding_get(model, "decision.confidence"), sure) &&
                           is_one_of(finding_get(model, "images_per_s.kind"), verified);
    const double peak = finding_real(model, "memory.peak_bytes_max_safe");
    const json_t *point = finding_curve_point(model, finding_int(entry, "optimal_batch_size"));
    finding_path(path, "batch_configurations", name);
    check_keys(c, entry, path, order);
    check_digits(c, entry, path);
    finding_unless(c, is_number_or_null(p95), p95, finding_path(below, path, "p95_latency_ms"), "E1",
                   "a number or null");
    finding_unless(c, !json_is_number(p95) || finding_int(point, "iterations") >= 130 ||
                   finding_int(model, "n.iterations") >= 130, p95, below, "E6",
                   "null: fewer than 130 iterations were measured");
    finding_unless(c, json_is_boolean(json_object_get(entry, "production_optimized")) &&
                   json_is_true(json_object_get(entry, "production_optimized")) == optimized,
                   json_object_get(entry, "production_optimized"),
                   finding_path(below, path, "production_optimized"), "E11",
                   "a verified rate with confidence decided or within, as autotune says");
    finding_unless(c, json_is_string(note) && json_string_length(note) <= BATCH_SIZES_NOTE_MAX, note,
                   finding_path(below, path, "note"), "E8", "a text of at most 120 bytes");
    if (isfinite(peak))
        finding_unless(c, (double)finding_int(entry, "memory_limit_mb") == ceil(peak / BATCH_SIZES_MIB),
                       json_object_get(entry, "memory_limit_mb"),
                       finding_path(below, path, "memory_limit_mb"), "E2",
                       "autotune's memory.peak_bytes_max_safe in MiB, rounded up");
}

/* --- detailed_results --- */

static void check_test_results(struct checking *c, const char *path, const json_t *result)
{
    char below[FINDING_PATH], number[32];
    json_int_t last = 0;
    double best = 0;
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(result, "test_results"), i, row) {
        const json_t *batch = json_object_get(row, "batch_size");
        const bool success = json_is_true(json_object_get(row, "success"));
        const double rate = finding_real(row, "throughput_imgs_per_sec");
        snprintf(number, sizeof number, "test_results.%u", (unsigned)i);
        finding_path(below, path, number);
        finding_unless(c, json_is_integer(batch) && json_integer_value(batch) > last, batch, below, "E8",
                       "sizes in ascending order");
        finding_unless(c, success ? rate > 0 : rate == 0 && json_is_string(json_object_get(row, "error")),
                       row, below, "E6", "a throughput > 0, or 0.0 with an error");
        last = json_integer_value(batch);
        best = fmax(best, success ? rate : 0);
    }
    finding_unless(c, finding_real(result, "max_throughput") == best,
                   json_object_get(result, "max_throughput"), finding_path(below, path, "max_throughput"),
                   "E2", "the highest throughput of the test results");
}

static void check_details(struct checking *c, const char *name, const json_t *entry)
{
    static const char *const same[] = { "optimal_batch_size", "max_safe_batch_size", "memory_limit_mb" };
    char path[FINDING_PATH], below[FINDING_PATH];
    finding_path(path, "detailed_results", name);
    finding_path(path, path, "optimization_result");
    const json_t *result = finding_get(json_object_get(json_object_get(c->root, "detailed_results"), name),
                                       "optimization_result");
    if (!finding_unless(c, json_is_object(result), result, path, "E8", "an object"))
        return;
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        finding_unless(c, same_member(result, same[i], entry, same[i]), json_object_get(result, same[i]),
                       finding_path(below, path, same[i]), "E2", "equal to that of batch_configurations");
    check_digits(c, result, path);
    check_test_results(c, path, result);
}

/* --- autotune.models.M --- */

static void check_interval(struct checking *c, const json_t *interval, const char *path)
{
    const double low = finding_real(interval, "low"), high = finding_real(interval, "high");
    const double middle = finding_real(interval, "estimate");
    if (json_is_null(interval))
        return;
    finding_unless(c, middle > 0 && !(low > middle) && !(high < middle), interval, path, "E6",
                   "low <= estimate <= high, above 0");
}

static void check_curve(struct checking *c, const char *parent, const json_t *model)
{
    char path[FINDING_PATH], below[FINDING_PATH], number[32];
    size_t i, chosen = 0;
    json_int_t last = 0;
    json_t *row;
    finding_path(path, parent, "curve");
    json_array_foreach(json_object_get(model, "curve"), i, row) {
        const json_t *batch = json_object_get(row, "batch");
        snprintf(number, sizeof number, "%zu", i);
        finding_path(below, path, number);
        finding_unless(c, json_is_integer(batch) && json_integer_value(batch) > last, batch, below, "E8",
                       "sizes in ascending order");
        last = json_integer_value(batch);
        check_interval(c, json_object_get(row, "images_per_s"), below);
        if (strcmp(json_string_value(json_object_get(row, "why"))
                       ? json_string_value(json_object_get(row, "why"))
                       : "",
                   "chosen") == 0) {
            chosen++;
            finding_unless(c, json_equal(batch, finding_get(model, "decision.batch")), batch, below, "E2",
                           "decision.batch, as it is the one chosen");
        }
    }
    finding_unless(c, chosen == 1, json_object_get(model, "curve"), path, "E2",
                   "a list in which one size is chosen");
}

static void check_words(struct checking *c, const char *path, const json_t *model)
{
    static const struct { const char *path, *wanted, *words[6]; } rows[] = {
        { "target_rule", "only, configured or fastest", { "only", "configured", "fastest" } },
        { "accuracy", "passed or not_checked", { "passed", "not_checked" } },
        { "decision.confidence", "decided, within, undecided or coarse",
          { "decided", "within", "undecided", "coarse" } },
        { "decision.incumbent.outcome", "none, confirmed, kept or replaced",
          { "none", "confirmed", "kept", "replaced" } },
        { "method.max_safe", "executed or ceiling", { "executed", "ceiling" } },
        { "method.name", "smallest_within_x", { "smallest_within_x" } },
    };
    char below[FINDING_PATH];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        finding_unless(c, is_one_of(finding_get(model, rows[i].path), rows[i].words),
                       finding_get(model, rows[i].path), finding_path(below, path, rows[i].path), "schema",
                       rows[i].wanted);
}

/* Did a size below this one fail: while it was probed, or in the fill table, which ends there? */
static bool failed_below(const json_t *model, json_int_t batch)
{
    const json_t *fill = json_object_get(model, "fill");
    bool failed = json_array_size(fill) > 0 && (json_int_t)json_array_size(fill) < batch;
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(model, "curve"), i, row)
        failed |= finding_int(row, "batch") < batch && json_is_null(json_object_get(row, "images_per_s"));
    return failed;
}

/* The decision is what is served, unless a smaller size fails. */
static void check_decision(struct checking *c, const char *path, const json_t *entry, const json_t *model)
{
    char below[FINDING_PATH];
    const json_int_t optimal = finding_int(entry, "optimal_batch_size"),
                     batch = finding_int(model, "decision.batch");
    finding_unless(c, optimal == batch || (optimal < batch && failed_below(model, batch)),
                   finding_get(model, "decision.batch"), finding_path(below, path, "decision.batch"), "E3",
                   "the optimal_batch_size of batch_configurations (or above it if a smaller size failed)");
    finding_unless(c, same_member(model, "images_per_s.estimate", entry, "expected_throughput"),
                   finding_get(model, "images_per_s.estimate"),
                   finding_path(below, path, "images_per_s.estimate"), "E2",
                   "the expected_throughput of batch_configurations");
    check_interval(c, json_object_get(model, "images_per_s"), finding_path(below, path, "images_per_s"));
    const json_t *only = json_object_get(model, "target_rule"),
                 *others = json_object_get(model, "other_targets");
    static const char *const alone[] = { "only", NULL }, *const fastest[] = { "fastest", NULL };
    finding_unless(c,
                   json_is_array(others) && !(is_one_of(only, alone) && json_array_size(others)) &&
                       !(is_one_of(only, fastest) && !json_array_size(others)),
                   only, finding_path(below, path, "target_rule"), "E10",
                   "only without other targets, fastest with some");
}

static void check_environment(struct checking *c, const char *path, const char *name, const json_t *entry,
                              const json_t *model)
{
    static const char *const scripted[] = { "scripted", NULL };
    char below[FINDING_PATH];
    const json_t *id = json_object_get(model, "environment");
    const json_t *environment = json_is_string(id)
        ? json_object_get(finding_get(c->root, "autotune.environments"), json_string_value(id)) : NULL;
    finding_unless(c, environment != NULL, id, finding_path(below, path, "environment"), "E5",
                   "a key of autotune.environments");
    const char *note = json_string_value(json_object_get(entry, "note"));
    finding_path(below, "batch_configurations", name);
    if (is_one_of(finding_get(environment, "engine.name"), scripted))
        finding_unless(c, note && strcmp(note, BATCH_SIZES_SCRIPTED_NOTE) == 0,
                       json_object_get(entry, "note"), finding_path(below, below, "note"), "E11",
                       "\"" BATCH_SIZES_SCRIPTED_NOTE "\"");
}

static void check_measured_model(struct checking *c, const char *name, const json_t *entry,
                                 const json_t *model)
{
    static const char *const order[] = { "measured",     "campaign",    "environment",   "method",
                                         "target",       "target_rule", "other_targets", "model_sha256",
                                         "accuracy",     "decision",    "images_per_s",  "n",
                                         "memory",       "curve",       "fill",          "break_even",
                                         "last_attempt", NULL };
    char path[FINDING_PATH];
    finding_path(path, "autotune.models", name);
    check_keys(c, model, path, order);
    check_digits(c, model, path);
    check_words(c, path, model);
    check_environment(c, path, name, entry, model);
    check_decision(c, path, entry, model);
    check_decided(c, path, entry, model);
    check_curve(c, path, model);
    check_measured_entry(c, name, entry, model);
    check_details(c, name, entry);
}

static void check_unmeasured_model(struct checking *c, const char *name, const json_t *model)
{
    static const char *const order[] = { "measured", "copied_from", "last_attempt", NULL };
    char path[FINDING_PATH];
    finding_path(path, "autotune.models", name);
    check_keys(c, model, path, order);
    finding_unless(c, json_is_false(json_object_get(model, "measured")) &&
                   json_is_object(json_object_get(model, "copied_from")), model, path, "E5",
                   "marked measured, or copied_from a file of another program");
}

/* --- autotune as a whole --- */

static void check_environments(struct checking *c)
{
    const char *id, *name;
    char wanted[13], path[FINDING_PATH];
    json_t *environment, *model;
    json_object_foreach(finding_get(c->root, "autotune.environments"), id, environment) {
        bool used = false;
        json_object_foreach(finding_get(c->root, "autotune.models"), name, model) {
            const char *its = json_string_value(json_object_get(model, "environment"));
            used |= its && strcmp(its, id) == 0;
        }
        finding_path(path, "autotune.environments", id);
        batch_sizes_environment_id(wanted, environment);
        if (strcmp(wanted, id) != 0)
            finding_add(c, path, "E5", "is named %s, but its content has the name %s: it was changed by hand",
                        id, wanted);
        if (!used)
            finding_add(c, path, "E5", "belongs to no model");
    }
}

/* Does the dotted path lead to something? Names may hold dots, so the group is split off only once. */
static bool path_exists(const json_t *root, const char *path)
{
    const char *dot = strchr(path, '.');
    char group[128];
    if (json_object_get(root, path))
        return true;
    snprintf(group, sizeof group, "%.*s", dot ? (int)(dot - path) : 0, path);
    return dot && json_object_get(json_object_get(root, group), dot + 1);
}

static void check_copied(struct checking *c)
{
    const json_t *copied = finding_get(c->root, "autotune.copied");
    const char *last = "";
    size_t i;
    json_t *path;
    if (!finding_unless(c, json_is_array(copied), copied, "autotune.copied", "E5", "a list of paths"))
        return;
    json_array_foreach(copied, i, path) {
        const char *text = json_is_string(path) ? json_string_value(path) : "";
        finding_unless(c, *text && path_exists(c->root, text), path, "autotune.copied", "E5",
                       "paths that are in the file");
        finding_unless(c, strcmp(text, last) > 0, path, "autotune.copied", "E5", "sorted, each once");
        last = text;
    }
}

static void check_stamps(struct checking *c)
{
    const json_t *stamp = json_object_get(c->root, "optimization_timestamp");
    const json_t *ended = finding_get(c->root, "autotune.campaign.ended_at");
    char wanted[32] = "";
    finding_unless(c, has_shape(stamp, "0000-00-00 00:00:00"), stamp, "optimization_timestamp", "schema",
                   "YYYY-MM-DD HH:MM:SS");
    if (!finding_unless(c, has_shape(ended, "0000-00-00T00:00:00Z"), ended, "autotune.campaign.ended_at",
                        "schema", "YYYY-MM-DDTHH:MM:SSZ") ||
        !json_is_string(stamp))
        return;
    snprintf(wanted, sizeof wanted, "%.10s %.8s", json_string_value(ended), json_string_value(ended) + 11);
    finding_unless(c, strcmp(wanted, json_string_value(stamp)) == 0, stamp, "optimization_timestamp", "E9",
                   "the campaign's ended_at");
}

void check_autotune(struct checking *c)
{
    const json_t *entries = json_object_get(c->root, "batch_configurations");
    const json_t *models = finding_get(c->root, "autotune.models");
    const char *name;
    char path[FINDING_PATH];
    json_t *entry, *model;
    check_stamps(c);
    check_copied(c);
    check_environments(c);
    json_object_foreach((json_t *)(uintptr_t)entries, name, entry) {
        if (!(model = json_object_get(models, name)))
            finding_add(c, finding_path(path, "autotune.models", name), "E4", "is missing");
        else if (json_is_true(json_object_get(model, "measured")))
            check_measured_model(c, name, entry, model);
        else
            check_unmeasured_model(c, name, model);
    }
    json_object_foreach((json_t *)(uintptr_t)models, name, model) if (!json_object_get(entries, name))
        finding_add(c, finding_path(path, "autotune.models", name), "E4",
                    "has no entry in batch_configurations");
}

/* --- the second file --- */

void check_production(struct checking *c)
{
    static const struct { const char *group, *key; bool integer;
    } rows[] = {
        { "production_batch_sizes", "optimal", true },
        { "production_batch_sizes", "max_safe", true },
        { "production_batch_sizes", "p95_latency_ms", false },
        { "production_batch_sizes", "throughput_img_s", false },
        { "configurations", "optimal_batch_size", true },
        { "configurations", "p95_latency_ms", false },
        { "configurations", "throughput_imgs_per_sec", false },
        { "configurations", "memory_usage_mb", false },
    };
    const bool ours = json_is_object(json_object_get(c->root, "autotune"));
    char path[FINDING_PATH];
    const char *name;
    json_t *entry;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        json_object_foreach(json_object_get(c->root, rows[i].group), name, entry) {
            const json_t *value = json_object_get(entry, rows[i].key);
            finding_path(path, rows[i].group, name);
            finding_path(path, path, rows[i].key);
            finding_unless(c,
                           rows[i].integer ? json_is_integer(value) && json_integer_value(value) >= 1
                                           : json_is_number(value) && json_number_value(value) > 0,
                           value, path, "E1",
                           rows[i].integer ? "an integer >= 1 without a point" : "a number > 0");
        }
    json_object_foreach(json_object_get(c->root, "production_batch_sizes"), name, entry)
        finding_unless(c, finding_int(entry, "max_safe") >= finding_int(entry, "optimal"),
                       json_object_get(entry, "max_safe"), finding_path(path, "production_batch_sizes", name),
                       "E2", "max_safe >= optimal");
    json_object_foreach(json_object_get(c->root, "production_batch_sizes"), name, entry)
        if (ours && (!json_object_get(json_object_get(c->root, "configurations"), name) ||
                     !json_object_get(json_object_get(c->root, "detailed_benchmarks"), name)))
            finding_add(c, finding_path(path, "production_batch_sizes", name), "E4",
                        "is missing in configurations or detailed_benchmarks");
}
