/* The key `autotune`: where each number comes from, and everything that the historic
 * keys have no place for. */
#include "bench/output/batch_sizes_parts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench/output/batch_sizes_rules.h"
#include "bench/output/curves.h"
#include "bench/output/decided.h"
#include "kernels/base/clock.h"
#include "kernels/base/json.h"

void batch_sizes_version(char *out, size_t size, const struct run_row *run)
{
    snprintf(out, size, "%.*s", (int)strcspn(run->build, " "), run->build);
}

json_t *batch_sizes_campaign(struct document *d, const struct run_row *run, bool with_start)
{
    json_t *out = json_object();
    char stamp[CLOCK_STAMP_SIZE];
    document_text(d, out, "id", run->name);
    clock_stamp(stamp, run->start_unix_s);
    if (with_start)
        document_text(d, out, "started_at", stamp);
    clock_stamp(stamp, batch_sizes_ended(run));
    document_text(d, out, "ended_at", stamp);
    return out;
}

/* --- environment --- */

enum fact { FACT_TEXT, FACT_INT, FACT_REAL, FACT_BOOL };
struct fact_row { const char *key, *field; enum fact type; };

static const struct fact_row host_facts[] = {
    { "cpu_model", "cpu_model", FACT_TEXT }, { "cpu_cores", "cpu_cores", FACT_INT },
    { "cpu_threads", "cpu_threads", FACT_INT }, { "cpu_quota", "cpu_quota", FACT_REAL },
    { "memory_bytes", "memory_bytes", FACT_INT }, { "numa_nodes", "numa_nodes", FACT_INT },
    { "kernel", "kernel", FACT_TEXT },
};
static const struct fact_row gpu_facts[] = {
    { "compute_capability", "compute_capability", FACT_TEXT }, { "mig_profile", "mig_profile", FACT_TEXT },
    { "driver", "driver", FACT_TEXT }, { "cuda_driver", "cuda_driver", FACT_TEXT },
    { "power_limit_w", "power_limit_w", FACT_INT }, { "ecc", "ecc", FACT_BOOL },
};

static const struct field_row *find_fact(const struct campaign *campaign, const char *field)
{
    for (size_t i = 0; i < campaign->environment_count; i++)
        if (strcmp(campaign->environment[i].name, field) == 0 && !*campaign->environment[i].absent)
            return &campaign->environment[i];
    return NULL;
}

/* A campaign has one row of each name: those of other GPUs than cuda:0 end in the device. */
static const struct field_row *find_device_fact(const struct campaign *campaign, const char *field, const char *device)
{
    char name[RECORD_NAME * 2 + 1];
    if (strcmp(device, "cuda:0") == 0)
        return find_fact(campaign, field);
    snprintf(name, sizeof name, "%s.%s", field, device);
    return find_fact(campaign, name);
}

static json_t *value_of(const struct field_row *row, const struct fact_row *fact)
{
    if (!row || (fact->type == FACT_TEXT ? !*row->text : !row->is_number || !isfinite(row->number)))
        return json_null();
    switch (fact->type) {
    case FACT_INT: return json_integer((json_int_t)row->number);
    case FACT_REAL: return json_real6(row->number);
    case FACT_BOOL: return json_boolean(row->number != 0);
    default: return document_text_value(row->text);
    }
}

static void put_device(struct document *d, json_t *out, const struct campaign *campaign,
                       const struct target_row *t)
{
    const bool gpu = strncmp(t->device, "cpu", 3) != 0;
    const struct field_row *uuid = gpu ? find_device_fact(campaign, "device_uuid", t->device) : NULL;
    const struct field_row *cpu = find_fact(campaign, "cpu_model");
    document_text(d, out, "kind", gpu ? "gpu" : "cpu");
    document_text_or_null(d, out, "name", *t->device_name ? t->device_name : !gpu && cpu ? cpu->text : "");
    document_text_or_null(d, out, "uuid", uuid ? uuid->text : "");
    document_int_or_null(d, out, "memory_bytes", (int64_t)t->device_memory_bytes);
    for (size_t i = 0; i < sizeof gpu_facts / sizeof *gpu_facts; i++)
        document_put(d, out, gpu_facts[i].key,
                     gpu ? value_of(find_device_fact(campaign, gpu_facts[i].field, t->device), &gpu_facts[i])
                         : json_null());
}

static json_t *environment_of(struct document *d, const struct campaign *campaign, const struct target_row *t)
{
    json_t *out = json_object(), *host = document_object(d, out, "host");
    for (size_t i = 0; i < sizeof host_facts / sizeof *host_facts; i++)
        document_put(d, host, host_facts[i].key, value_of(find_fact(campaign, host_facts[i].field), &host_facts[i]));
    put_device(d, document_object(d, out, "device"), campaign, t);
    json_t *engine = document_object(d, out, "engine");
    json_t *versions = *t->engine_versions
        ? json_read_text("versions", t->engine_versions, strlen(t->engine_versions), NULL) : NULL;
    document_text(d, engine, "name", t->engine);
    document_put(d, engine, "versions", json_is_object(versions) ? json_incref(versions) : json_object());
    json_decref(versions);
    return out;
}

/* --- method, target --- */

static json_t *limit_of(struct document *d, const struct decision_row *decision)
{
    if (!*decision->slo_kind)
        return json_null();
    json_t *out = json_object();
    document_text(d, out, "name", strcmp(decision->slo_kind, "response") == 0 ? "response_ms" : "service_ms");
    document_real(d, out, "percentile", decision->slo_percentile);
    document_real(d, out, "limit_ms", decision->slo_limit_ms);
    return out;
}

static void put_method(struct document *d, json_t *out, const struct entry *e,
                       const struct campaign *campaign, const struct config *config)
{
    const struct decision_row *decision = &e->target->decision;
    document_text(d, out, "name", "smallest_within_x");
    document_int(d, out, "version", campaign->run.rule_version);
    document_real(d, out, "x", decision->x);
    document_real(d, out, "alpha", decision->alpha);
    document_real(d, out, "memory_reserve", decision->memory_reserve);
    document_put(d, out, "slo", limit_of(d, decision));
    document_text(d, out, "max_safe", config->max_safe_executed ? "executed" : "ceiling");
    document_int(d, out, "max_age_days", config->max_age_days);
}

static void put_target(struct document *d, json_t *out, const struct target_row *t)
{
    document_text(d, out, "engine", t->engine);
    document_text(d, out, "device", t->device);
    document_text(d, out, "precision", t->precision);
    document_text(d, out, "mode", t->mode);
    document_int(d, out, "threads", t->threads);
    document_int(d, out, "instances", t->instances);
    json_t *shape = document_array(d, out, "input_shape");
    for (int i = 0; i < 3; i++)
        document_append(d, shape, json_integer(t->shape[i]));
    document_text_or_null(d, out, "key_sha256", t->key_sha256);
}

static void put_other_targets(struct document *d, json_t *out, const struct entry *e,
                              const struct campaign *campaign)
{
    for (size_t i = 0; i < campaign->target_count; i++) {
        const struct target_view *t = &campaign->targets[i];
        const struct point_view *p = target_chosen(t);
        if (t == e->target || strcmp(t->row.model, e->model) != 0 ||
            t->row.scripted != e->target->row.scripted || !p ||
            strcmp(curve_output_word(t), "failed") == 0)
            continue;
        json_t *other = json_object();
        put_target(d, other, &t->row);
        document_int(d, other, "optimal_batch_size", p->batch);
        document_real(d, other, "images_per_s", point_images_per_s(p));
        document_append(d, out, other);
    }
}

/* --- decision, numbers --- */

static void put_incumbent(struct document *d, json_t *out, const struct decision_row *decision)
{
    const bool there = decision->incumbent > 0;
    document_int_or_null(d, out, "batch", decision->incumbent);
    document_text_or_null(d, out, "source", there ? decision->incumbent_source : "");
    document_text(d, out, "outcome",
                  there && *decision->incumbent_outcome ? decision->incumbent_outcome : "none");
}

static void put_decision(struct document *d, json_t *out, const struct entry *e)
{
    const struct decision_row *decision = &e->target->decision;
    document_int(d, out, "batch", decision->batch);
    document_text(d, out, "confidence", decision->confidence);
    document_bool(d, out, "verified", decision->verified);
    document_text_or_null(d, out, "cause", decided_cause(decision));
    document_text(d, out, "reason", e->reason);
    document_int_or_null(d, out, "pending", decision->pending);
    put_incumbent(d, document_object(d, out, "incumbent"), decision);
}

static void put_interval(struct document *d, json_t *out, double y, double low, double high)
{
    document_real(d, out, "estimate", exp(y));
    document_real_or_null(d, out, "low", exp(low));
    document_real_or_null(d, out, "high", exp(high));
}

/* The published one. */
static void put_rate(struct document *d, json_t *out, const struct entry *e)
{
    const struct estimate_row *r = point_published(e->point);
    put_interval(d, out, r->y, r->y_low, r->y_high);
    document_text_or_null(d, out, "kind",
                          !estimate_has_interval(r) ? "" : e->point->has_verified ? "range" : "interval95");
}

static void put_counts(struct document *d, json_t *out, const struct estimate_row *r)
{
    document_int(d, out, "executions", r->executions);
    document_int(d, out, "rounds", r->rounds);
    document_int(d, out, "blocks", r->blocks);
    document_int(d, out, "iterations", r->iterations);
}

/* As a service can follow it: nothing above max_safe is run. */
static void put_fill_row(struct document *d, json_t *out, const struct fill_row *r, int max_safe)
{
    const bool follows = r->as[0] >= 1 && r->as[0] <= max_safe && r->as[1] <= max_safe;
    document_int(d, out, "images", r->images);
    document_real(d, out, "service_p50_ms", r->service_p50_ms);
    document_int(d, out, "iterations", r->iterations);
    document_real_or_null(d, out, "first_use_ms", r->first_use_ms);
    document_text(d, out, "advice", follows ? r->advice : "exact");
    json_t *as = document_array(d, out, "as");
    document_append(d, as, json_integer(follows ? r->as[0] : r->images));
    if (follows && r->as[1])
        document_append(d, as, json_integer(r->as[1]));
}

/* From one image on without a gap, up to max_safe. */
static void put_fill(struct document *d, json_t *out, const struct entry *e)
{
    for (size_t i = 0; i < e->target->fill_count && i < (size_t)e->max_safe; i++) {
        const struct fill_row *r = &e->target->fill[i];
        if (r->images != (int)i + 1 || *r->failed || !isfinite(r->service_p50_ms))
            return;
        json_t *row = json_object();
        put_fill_row(d, row, r, e->max_safe);
        document_append(d, out, row);
    }
}

static json_t *break_even_of_entry(struct document *d, const struct entry *e)
{
    const struct decision_row *decision = &e->target->decision;
    if (e->optimal == 1 || e->optimal != decision->batch || !decision->break_even_against)
        return json_null();
    json_t *out = json_object();
    const bool never = decision->break_even_images < 0;
    document_int(d, out, "against", decision->break_even_against);
    document_put(d, out, "images", never ? json_null() : json_integer(decision->break_even_images));
    document_put(d, out, "calls", never ? json_null() : json_integer(decision->break_even_calls));
    return out;
}

static void put_memory(struct document *d, json_t *out, const struct entry *e)
{
    const struct decision_row *decision = &e->target->decision;
    document_int(d, out, "ceiling_batch", e->ceiling_batch);
    document_bool(d, out, "ceiling_is_lower_bound", e->ceiling_is_lower_bound);
    document_int_or_null(d, out, "first_failed_batch", decision->first_failed_batch);
    document_text_or_null(d, out, "first_failed_why", decision->first_failed_why);
    document_int_or_null(d, out, "limit_bytes", (int64_t)e->target->row.memory_limit_bytes);
    document_int_or_null(d, out, "weight_bytes", (int64_t)e->target->row.weight_bytes);
    document_int_or_null(d, out, "peak_bytes_optimal", (int64_t)e->point->prepared.peak_bytes);
    document_int_or_null(d, out, "peak_bytes_max_safe", (int64_t)e->max_safe_point->prepared.peak_bytes);
}

/* --- curve --- */

/* What the objective compares, from the race for all sizes: the verification saw other minutes. NaN: not
 * known. */
static double objective_value(const struct target_view *t, const struct point_view *p)
{
    const struct estimate_row *e = &p->estimate;
    if (strcmp(t->decision.objective, "latency") == 0)
        return -log(e->service_p50_ms);
    if (strcmp(t->decision.objective, "energy") == 0)
        return e->joules_per_image > 0 ? -log(e->joules_per_image) : (double)NAN;
    return e->y;
}

/* Against the leader. The interval is that of the paired difference; without one there is none: the intervals
 * of two single points say little about their ratio. */
static json_t *ratio_to_best(struct document *d, const struct target_view *t, const struct point_view *p,
                             const struct point_view *best)
{
    const double none = (double)NAN, y = objective_value(t, p) - objective_value(t, best);
    const struct why_row *why = &p->why;
    const bool paired = why->rival == best->batch && isfinite(why->m) && isfinite(why->c);
    if (p != best && !paired && !isfinite(y))
        return json_null();
    json_t *ratio = json_object();
    if (p == best)
        put_interval(d, ratio, 0, 0, 0);
    else if (paired)
        put_interval(d, ratio, why->m, why->m - why->c, why->m + why->c);
    else
        put_interval(d, ratio, y, none, none);
    return ratio;
}

static json_t *curve_point(struct document *d, const struct target_view *t, const struct point_view *p,
                           const struct point_view *best)
{
    const bool valid = curve_point_is_valid(p);
    json_t *out = json_object();
    document_int(d, out, "batch", p->batch);
    document_text(d, out, "why", p->why.reason);
    document_text(d, out, "text", p->why.text);
    if (valid) {
        json_t *rate = document_object(d, out, "images_per_s");
        const struct estimate_row *published = point_published(p);
        put_interval(d, rate, published->y, published->y_low, published->y_high);
        document_put(d, out, "ratio_to_best", ratio_to_best(d, t, p, best));
    } else {
        document_put(d, out, "images_per_s", json_null());
        document_put(d, out, "ratio_to_best", json_null());
    }
    document_real_or_null(d, out, "service_p50_ms", valid ? p->estimate.service_p50_ms : (double)NAN);
    document_real_or_null(d, out, "service_p95_ms", valid ? point_p95_ms(p) : (double)NAN);
    document_real_or_null(d, out, "service_p99_ms", valid ? p->estimate.service_p99_ms : (double)NAN);
    document_int_or_null(d, out, "peak_bytes", p->has_prepared ? (int64_t)p->prepared.peak_bytes : 0);
    document_real_or_null(d, out, "first_use_ms", valid ? p->first_use_ms : (double)NAN);
    document_int(d, out, "blocks", p->has_estimate ? p->estimate.blocks : 0);
    document_int(d, out, "iterations", p->has_estimate ? p->estimate.iterations : 0);
    return out;
}

static void put_curve(struct document *d, json_t *out, const struct target_view *t)
{
    const struct point_view *best = target_best(t);
    for (size_t i = 0; i < t->point_count; i++)
        if (t->points[i].has_why)
            document_append(d, out, curve_point(d, t, &t->points[i], best));
}

json_t *batch_sizes_measured_model(struct document *d, json_t *environments, const struct entry *e,
                                   const struct campaign *campaign, const struct config *config)
{
    char id[13];
    json_t *out = json_object(), *environment = environment_of(d, campaign, &e->target->row);
    batch_sizes_environment_id(id, environment);
    document_bool(d, out, "measured", true);
    document_put(d, out, "campaign", batch_sizes_campaign(d, &campaign->run, false));
    document_text(d, out, "environment", id);
    put_method(d, document_object(d, out, "method"), e, campaign, config);
    put_target(d, document_object(d, out, "target"), &e->target->row);
    document_text(d, out, "target_rule", e->target_rule);
    put_other_targets(d, document_array(d, out, "other_targets"), e, campaign);
    document_text_or_null(d, out, "model_sha256", e->target->row.model_sha256);
    document_text(d, out, "accuracy",
                  strcmp(curve_output_word(e->target), "verified") == 0 ? "passed" : "not_checked");
    put_decision(d, document_object(d, out, "decision"), e);
    put_rate(d, document_object(d, out, "images_per_s"), e);
    put_counts(d, document_object(d, out, "n"), point_published(e->point));
    put_memory(d, document_object(d, out, "memory"), e);
    put_curve(d, document_array(d, out, "curve"), e->target);
    put_fill(d, document_array(d, out, "fill"), e);
    document_put(d, out, "break_even", break_even_of_entry(d, e));
    document_put(d, environments, id, environment);
    return out;
}
