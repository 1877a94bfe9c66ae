#include "bench/import/audit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/output/findings.h"

#define TIME_SLACK 0.995      /* rounding of the claimed numbers */
#define PRODUCT_SLACK 0.005
#define DRIVER_LEAST 100      /* drivers count from 300 on, CUDA has reached 13 */

static long long size_of(const struct import_document *d, const json_t *entry)
{
    return (long long)json_integer_value(json_object_get(entry, import_optimal_key(d)));
}

/* --- one entry by itself -------------------------------------------------------------------------------- */

static void find_contradiction(struct notes *out, const struct import_document *d, const char *model,
                               const json_t *entry)
{
    const json_t *details =
        json_object_get(json_object_get(json_object_get(d->root, "detailed_results"), model),
                        "optimization_result");
    const json_t *there = json_object_get(details, "optimal_batch_size");
    const long long here = size_of(d, entry);
    if (json_is_integer(there) && json_integer_value(there) != here)
        notes_add(out, "contradicts %s: the entry says %lld, detailed_results says %lld", model,
                  here, (long long)json_integer_value(there));
}

static void find_impossible(struct notes *out, const struct import_document *d, const char *model,
                            const json_t *entry)
{
    const double rate = import_number(entry, d->production ? "throughput_img_s" : "expected_throughput"),
                 p95_ms = import_number(entry, "p95_latency_ms"),
                 batch_ms = 1000 * (double)size_of(d, entry) / rate;
    if (rate > 0 && p95_ms < TIME_SLACK * batch_ms)
        notes_add(out, "impossible %s: p95 is %g ms, but %lld images at %g a second take %.4g ms", model,
                  p95_ms, size_of(d, entry), rate, batch_ms);
}

static void find_product(struct notes *out, const char *model, const json_t *entry)
{
    const double users = import_number(entry, "concurrent_processing.max_concurrent_users"),
                 together = import_number(entry, "concurrent_processing.expected_concurrent_throughput"),
                 one = import_number(entry, "expected_throughput");
    if (users > 1 && one > 0 && fabs(together / (users * one) - 1) <= PRODUCT_SLACK)
        notes_add(out, "multiplied %s: %g images/s for %g users is %g x %g: a product, not a measurement",
                  model, together, users, users, one);
}

static void find_driver(struct notes *out, const struct import_document *d)
{
    const json_t *version = finding_get(d->root, "gpu_info.driver_version");
    const char *text = json_string_value(version);
    if (text && *text >= '0' && *text <= '9' && atoi(text) < DRIVER_LEAST)
        notes_add(
            out,
            "cuda_as_driver: gpu_info.driver_version is \"%.40s\": that is a version of CUDA, not of the "
            "driver",
            text);
}

/* --- against others ------------------------------------------------------------------------------------- */

static const char *time_of(const struct import_document *d)
{
    const char *text = json_string_value(json_object_get(d->root, "optimization_timestamp"));
    return text ? text : "";
}

static void find_same_time(struct notes *out, const struct import_document *d,
                           const struct import_document *earlier, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const bool same = *time_of(d) && strcmp(time_of(d), time_of(&earlier[i])) == 0;
        if (!same || json_equal(import_document_entries(d), import_document_entries(&earlier[i])))
            continue;
        notes_add(out, "same_time: an earlier import has other values under the same optimization_timestamp, "
                       "\"%.40s\"", time_of(d));
        return;
    }
}

/* Test results of a model without the model's own name in every row; NULL: none. json_decref. */
static json_t *rows_of(const struct import_document *d, const char *model)
{
    const json_t *result =
        json_object_get(json_object_get(json_object_get(d->root, "detailed_results"), model),
                        "optimization_result");
    json_t *rows = json_deep_copy(json_object_get(result, "test_results")), *row;
    size_t i;
    json_array_foreach(rows, i, row)
        json_object_del(row, "model_name");
    if (json_array_size(rows) > 0)
        return rows;
    json_decref(rows);
    return NULL;
}

/* Name in the other file under which the same rows stand; NULL: none. Within one file only names before
 * `model` are looked at: a pair is told once. */
static const char *find_rows(const json_t *rows, const char *model, const struct import_document *other,
                             bool here)
{
    const char *name;
    json_t *unused;
    json_object_foreach(json_object_get(other->root, "detailed_results"), name, unused) {
        if (strcmp(name, model) == 0 && here)
            return NULL;
        if (strcmp(name, model) == 0)
            continue;
        json_t *theirs = rows_of(other, name);
        const bool same = theirs && json_equal(rows, theirs);
        json_decref(theirs);
        if (same)
            return name;
    }
    return NULL;
}

static void find_same_rows(struct notes *out, const struct import_document *d, const char *model,
                           const struct import_document *earlier, size_t count)
{
    json_t *rows = rows_of(d, model);
    const char *twin = rows ? find_rows(rows, model, d, true) : NULL;
    for (size_t i = 0; rows && !twin && i < count; i++)
        twin = find_rows(rows, model, &earlier[i], false);
    if (twin)
        notes_add(out, "same_rows %s: its test_results are those of %s, row for row", model, twin);
    json_decref(rows);
}

void audit_claims(struct notes *out, const struct import_document *d, const struct import_document *earlier,
                  size_t earlier_count)
{
    const char *model;
    json_t *entry;
    json_object_foreach((json_t *)(size_t)import_document_entries(d), model, entry) {
        find_contradiction(out, d, model, entry);
        find_impossible(out, d, model, entry);
        find_product(out, model, entry);
    }
    json_object_foreach(json_object_get(d->root, "detailed_results"), model, entry)
        find_same_rows(out, d, model, earlier, earlier_count);
    find_driver(out, d);
    find_same_time(out, d, earlier, earlier_count);
}
