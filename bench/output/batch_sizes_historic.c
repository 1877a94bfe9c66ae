/* The members that the consumer has always had; MB is MiB and GB is GiB there, as the
 * historic code computed them. */
#include "bench/output/batch_sizes_parts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "bench/output/batch_sizes_rules.h"
#include "bench/output/curves.h"

void batch_sizes_historic_stamp(char text[BATCH_SIZES_DAY_SIZE], int64_t unix_s)
{
    time_t seconds = (time_t)unix_s;
    struct tm utc;
    gmtime_r(&seconds, &utc);
    strftime(text, BATCH_SIZES_DAY_SIZE, "%Y-%m-%d %H:%M:%S", &utc);
}

int64_t batch_sizes_ended(const struct run_row *run)
{
    return run->end_unix_s ? run->end_unix_s : run->start_unix_s;
}

/* --- batch_configurations.M --- */

/* The text cut at a word so that at most `max` bytes are left. */
static void cut_at_word(char *out, size_t max, const char *text)
{
    size_t size = strlen(text);
    if (size > max) {
        size = max;
        while (size > 0 && text[size] != ' ')
            size--;
        if (size == 0) /* one long word: cut it, but not inside a character */
            for (size = max; size > 0 && ((unsigned char)text[size] & 0xC0) == 0x80;)
                size--;
    }
    memcpy(out, text, size);
    out[size] = 0;
}

/* The fastest target of the model that ran in several instances at once; NULL: none was measured. */
static const struct target_view *concurrent_target(const struct entry *e, const struct campaign *campaign)
{
    const struct target_view *best = NULL;
    for (size_t i = 0; i < campaign->target_count; i++) {
        const struct target_view *t = &campaign->targets[i];
        const struct point_view *p = target_chosen(t);
        if (strcmp(t->row.model, e->model) == 0 && t->row.instances > 1 &&
            t->row.scripted == e->target->row.scripted && p && p->prepared.peak_bytes &&
            strcmp(curve_output_word(t), "failed") != 0 &&
            (!best || point_images_per_s(p) > point_images_per_s(target_chosen(best))))
            best = t;
    }
    return best;
}

static void put_concurrent(struct document *d, json_t *out, const struct target_view *t)
{
    const struct point_view *p = target_chosen(t);
    json_t *concurrent = document_object(d, out, "concurrent_processing");
    document_int(d, concurrent, "max_concurrent_users", t->row.instances);
    document_int(d, concurrent, "memory_per_user_mb",
                 (int64_t)ceil((double)p->prepared.peak_bytes / t->row.instances / BATCH_SIZES_MIB));
    document_real(d, concurrent, "expected_concurrent_throughput", point_images_per_s(p));
}

json_t *batch_sizes_configuration(struct document *d, const struct entry *e, const struct campaign *campaign)
{
    json_t *out = json_object();
    char note[RECORD_TEXT];
    const struct target_view *concurrent = concurrent_target(e, campaign);
    cut_at_word(note, BATCH_SIZES_NOTE_MAX, e->target->row.scripted ? BATCH_SIZES_SCRIPTED_NOTE : e->reason);
    document_int(d, out, "optimal_batch_size", e->optimal);
    document_int(d, out, "max_safe_batch_size", e->max_safe);
    document_real(d, out, "expected_throughput", e->images_per_s);
    document_int(d, out, "memory_limit_mb", e->memory_limit_mb);
    document_real_or_null(d, out, "p95_latency_ms", e->p95_ms);
    document_bool(d, out, "production_optimized", e->production_optimized);
    if (concurrent)
        put_concurrent(d, out, concurrent);
    document_text(d, out, "note", note);
    return out;
}

/* --- detailed_results.M --- */

static bool ran_or_failed(const struct point_view *p)
{
    if (p->has_why && strncmp(p->why.reason, "not_tried", 9) == 0)
        return false;
    return p->has_estimate || curve_point_failed(p);
}

static void put_failure(struct document *d, json_t *row, const struct point_view *p)
{
    char error[RECORD_TEXT + 40];
    const char *why = p->has_why ? p->why.reason : p->prepared.result;
    const char *text = p->has_why && *p->why.text ? p->why.text : p->prepared.detail;
    snprintf(error, sizeof error, "%s: %s", why, text);
    document_real(d, row, "throughput_imgs_per_sec", 0);
    document_real(d, row, "avg_inference_time_ms", 0);
    document_real(d, row, "peak_memory_mb", 0);
    document_real(d, row, "memory_usage_mb", 0);
    document_bool(d, row, "success", false);
    document_text(d, row, "error", error);
}

/* Current memory after minus before, in MiB; may be negative. NaN: the worker does not tell. */
static double usage_mib(const struct prepared_row *p)
{
    if (!p->before_bytes || !p->after_bytes)
        return (double)NAN;
    return ((double)p->after_bytes - (double)p->before_bytes) / BATCH_SIZES_MIB;
}

static void put_success(struct document *d, json_t *row, const struct point_view *p)
{
    const double wall = point_published(p)->wall_images_per_s;
    const double peak = (double)p->prepared.peak_bytes / BATCH_SIZES_MIB;
    document_real(d, row, "throughput_imgs_per_sec", point_images_per_s(p));
    document_real(d, row, "avg_inference_time_ms", 1000 / (wall > 0 ? wall : point_images_per_s(p)));
    document_real_or_null(d, row, "peak_memory_mb", p->prepared.peak_bytes ? peak : (double)NAN);
    document_real_or_null(d, row, "memory_usage_mb", usage_mib(&p->prepared));
    document_bool(d, row, "success", true);
    document_put(d, row, "error", json_null());
}

static void put_test_results(struct document *d, json_t *rows, const struct entry *e)
{
    for (size_t i = 0; i < e->target->point_count; i++) {
        const struct point_view *p = &e->target->points[i];
        if (!ran_or_failed(p))
            continue;
        json_t *row = json_object();
        document_text(d, row, "model_name", e->model);
        document_int(d, row, "batch_size", p->batch);
        (curve_point_is_valid(p) ? put_success : put_failure)(d, row, p);
        document_append(d, rows, row);
    }
}

json_t *batch_sizes_details(struct document *d, const struct entry *e)
{
    json_t *out = json_object(), *result = document_object(d, out, "optimization_result");
    double best = 0;
    for (size_t i = 0; i < e->target->point_count; i++)
        if (curve_point_is_valid(&e->target->points[i]))
            best = fmax(best, point_images_per_s(&e->target->points[i]));
    document_text(d, result, "model_name", e->model);
    document_int(d, result, "optimal_batch_size", e->optimal);
    document_real(d, result, "max_throughput", best);
    document_int(d, result, "max_safe_batch_size", e->max_safe);
    document_int(d, result, "memory_limit_mb", e->memory_limit_mb);
    put_test_results(d, document_array(d, result, "test_results"), e);
    return out;
}

/* --- top level --- */

static const struct target_view *first_target(const struct entries *entries, bool gpu)
{
    for (size_t i = 0; i < entries->count; i++) {
        const struct target_view *t = entries->items[i].target;
        if (t && (!gpu || strncmp(t->row.device, "cpu", 3) != 0))
            return t;
    }
    return NULL;
}

static json_t *device_info(struct document *d, const char *name, double gib, const char *driver)
{
    json_t *out = json_object();
    document_text(d, out, "device_name", name);
    document_real(d, out, "total_memory_gb", gib);
    document_text_or_null(d, out, "driver_version", driver);
    return out;
}

json_t *batch_sizes_gpu_info(struct document *d, const struct entries *entries,
                             const struct campaign *campaign)
{
    const struct target_view *t = first_target(entries, true);
    const char *driver = "";
    for (size_t i = 0; i < campaign->environment_count; i++)
        if (strcmp(campaign->environment[i].name, "driver") == 0)
            driver = campaign->environment[i].text;
    return t ? device_info(d, t->row.device_name, (double)t->row.device_memory_bytes / BATCH_SIZES_GIB,
                           driver)
             : NULL;
}

json_t *batch_sizes_cpu_info(struct document *d)
{
    return device_info(d, "CPU", 0, "");
}

static json_t *dynamic_batching(struct document *d, bool enabled, double delay_ms, double limit_ms)
{
    json_t *out = json_object();
    document_bool(d, out, "enabled", enabled);
    document_int(d, out, "max_queue_delay_ms", lround(delay_ms));
    document_int(d, out, "timeout_ms", isfinite(limit_ms) ? lround(limit_ms) : 0);
    return out;
}

json_t *batch_sizes_no_dynamic_batching(struct document *d)
{
    return dynamic_batching(d, false, 0, 0);
}

/* The file has one delay for all models: with several open loops the shortest, so that nobody waits longer
 * than was measured for its model. */
json_t *batch_sizes_dynamic_batching(struct document *d, const struct entries *entries)
{
    const struct decision_row *shortest = NULL;
    for (size_t i = 0; i < entries->count; i++) {
        const struct target_view *t = entries->items[i].target;
        const struct decision_row *row = t ? &t->decision : NULL;
        if (row && row->queue_rate > 0 && isfinite(row->queue_delay_ms) &&
            (!shortest || row->queue_delay_ms < shortest->queue_delay_ms))
            shortest = row;
    }
    return shortest ? dynamic_batching(d, true, shortest->queue_delay_ms, shortest->queue_limit_ms) : NULL;
}

json_t *batch_sizes_no_parallel_processing(struct document *d, const struct entries *entries,
                                           const struct config *config)
{
    const struct target_view *gpu = first_target(entries, true),
                             *t = gpu ? gpu : first_target(entries, false);
    const double limit = t ? (double)t->row.memory_limit_bytes : 0;
    const double total = t ? fmax((double)t->row.device_memory_bytes, limit) : 0;
    json_t *out = json_object();
    document_bool(d, out, "enabled", false);
    document_int(d, out, "max_concurrent_users", 1);
    document_int(d, out, "cuda_streams", 1);
    document_real(d, out, "memory_pressure_threshold", 1 - config->reserve);
    document_real(d, out, "emergency_cleanup_threshold", 1 - config->reserve / 2);
    document_real(d, out, "total_memory_budget_gb", limit / BATCH_SIZES_GIB);
    document_real(d, out, "memory_safety_margin_gb", (total - limit) / BATCH_SIZES_GIB);
    document_text(d, out, "description", "not measured");
    return out;
}
