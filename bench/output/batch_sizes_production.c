/* The second file. It is made from the finished first one, so the two cannot disagree. */
#include "bench/output/batch_sizes_parts.h"

#include <math.h>
#include <string.h>

#include "bench/output/batch_sizes_rules.h"

/* A value of the first file, exactly as it stands there. */
static void copy(struct document *d, json_t *out, const char *key, const json_t *from, const char *name)
{
    json_t *value = json_object_get(from, name);
    document_put(d, out, key, value ? json_incref(value) : json_null());
}

static json_t *curve_row(const json_t *model, json_int_t batch)
{
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(model, "curve"), i, row)
        if (json_integer_value(json_object_get(row, "batch")) == batch)
            return row;
    return NULL;
}

static double gib(const json_t *bytes)
{
    return json_is_integer(bytes) ? json_number_value(bytes) / BATCH_SIZES_GIB : (double)NAN;
}

/* One row per test result; nothing that failed has a number. */
static void put_benchmark(struct document *d, json_t *out, const json_t *test, const json_t *model)
{
    const json_t *point = curve_row(model, json_integer_value(json_object_get(test, "batch_size")));
    const bool good = json_is_true(json_object_get(test, "success"));
    const char *why = json_string_value(json_object_get(point, "why"));
    copy(d, out, "batch_size", test, "batch_size");
    copy(d, out, "p50_ms", good ? point : NULL, "service_p50_ms");
    copy(d, out, "p95_ms", good ? point : NULL, "service_p95_ms");
    copy(d, out, "throughput", test, "throughput_imgs_per_sec");
    if (good)
        document_real_or_null(d, out, "memory_gb", gib(json_object_get(point, "peak_bytes")));
    else
        document_real(d, out, "memory_gb", 0);
    document_bool(d, out, "stable", good && why && strcmp(why, "unstable") != 0);
}

static json_t *details(struct document *d, const char *name, const json_t *entry, const json_t *model,
                       const json_t *tests)
{
    json_t *out = json_object(), *test;
    size_t i;
    document_text(d, out, "model", name);
    copy(d, out, "optimal_batch_size", entry, "optimal_batch_size");
    copy(d, out, "max_safe_batch_size", entry, "max_safe_batch_size");
    copy(d, out, "p95_latency_ms", entry, "p95_latency_ms");
    copy(d, out, "throughput_img_per_sec", entry, "expected_throughput");
    document_real_or_null(d, out, "memory_gb",
                          gib(json_object_get(json_object_get(model, "memory"), "peak_bytes_optimal")));
    json_t *rows = document_array(d, out, "benchmarks");
    json_array_foreach(tests, i, test) {
        json_t *row = json_object();
        put_benchmark(d, row, test, model);
        document_append(d, rows, row);
    }
    return out;
}

static json_t *production_entry(struct document *d, const json_t *entry)
{
    json_t *out = json_object();
    copy(d, out, "optimal", entry, "optimal_batch_size");
    copy(d, out, "max_safe", entry, "max_safe_batch_size");
    copy(d, out, "p95_latency_ms", entry, "p95_latency_ms");
    copy(d, out, "throughput_img_s", entry, "expected_throughput");
    return out;
}

static json_t *reader_entry(struct document *d, const json_t *entry)
{
    json_t *out = json_object();
    copy(d, out, "optimal_batch_size", entry, "optimal_batch_size");
    copy(d, out, "p95_latency_ms", entry, "p95_latency_ms");
    copy(d, out, "throughput_imgs_per_sec", entry, "expected_throughput");
    copy(d, out, "memory_usage_mb", entry, "memory_limit_mb");
    return out;
}

json_t *batch_sizes_production(struct document *d, const json_t *sizes, struct notes *notes)
{
    json_t *out = json_object(), *autotune = json_object_get(sizes, "autotune"), *entry;
    json_t *short_form = document_object(d, out, "production_batch_sizes");
    json_t *reader_form = document_object(d, out, "configurations");
    copy(d, out, "dynamic_batching", sizes, "dynamic_batching");
    copy(d, out, "memory_reserve_percent", sizes, "memory_reserve_percent");
    json_t *long_form = document_object(d, out, "detailed_benchmarks");
    json_t *about = document_object(d, out, "autotune");
    const char *name;
    copy(d, about, "schema", autotune, "schema");
    copy(d, about, "bench_version", autotune, "bench_version");
    copy(d, about, "campaign", autotune, "campaign");
    json_object_foreach(json_object_get(sizes, "batch_configurations"), name, entry) {
        const json_t *model = batch_sizes_model(sizes, name);
        if (!json_is_true(json_object_get(model, "measured")))
            continue;
        if (!json_is_number(json_object_get(entry, "p95_latency_ms"))) {
            notes_add(notes,
                      "%s: has no p95 (130 iterations are needed): it is not in production_batch_config.json",
                      name);
            continue;
        }
        const json_t *result = json_object_get(json_object_get(json_object_get(sizes, "detailed_results"), name),
                                               "optimization_result");
        document_put(d, short_form, name, production_entry(d, entry));
        document_put(d, reader_form, name, reader_entry(d, entry));
        document_put(d, long_form, name,
                     details(d, name, entry, model, json_object_get(result, "test_results")));
    }
    return out;
}
