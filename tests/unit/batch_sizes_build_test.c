/* What stands in batch_sizes.json: every member from the campaign, the base carried over, one target per model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bench/output/batch_sizes_check.h"
#include "bench/output/batch_sizes_write.h"
#include "tests/unit/batch_sizes_fixture.h"
#include "tests/unit/campaign_fixture.h"

struct built {
    struct batch_sizes_documents documents;
    struct notes notes;
    struct err err;
    enum status status;
};

static struct built build(struct fixture *f, json_t *base)
{
    struct built b = { 0 };
    b.status = batch_sizes_build(&b.documents, &f->campaign, &f->config, base, &b.notes, &b.err);
    return b;
}

static void built_free(struct built *b)
{
    batch_sizes_documents_free(&b->documents);
    notes_free(&b->notes);
}

static int notes_hold(const struct built *b, const char *part)
{
    for (size_t i = 0; i < b->notes.count; i++)
        if (strstr(b->notes.lines[i], part))
            return 1;
    for (size_t i = 0; i < b->notes.count; i++)
        fprintf(stderr, "# note: %s\n", b->notes.lines[i]);
    return 0;
}

/* The bytes pass the check that verify runs. */
static int is_valid(const json_t *document)
{
    struct findings findings = { 0 };
    struct err err = { 0 };
    char *text = json_write_text(document, JSON_INDENTED), line[1024];
    enum status st = batch_sizes_check_text(&findings, "built", text, strlen(text), &err);
    for (size_t i = 0; i < findings.count; i++) {
        batch_sizes_finding_text(line, sizeof line, &findings.items[i]);
        fprintf(stderr, "# %s\n", line);
    }
    batch_sizes_findings_free(&findings);
    free(text);
    return st == ST_OK;
}

static void measured_members(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    fixture_hrnet(f, "f32", 1);
    struct built b = build(f, NULL);
    json_t *s = b.documents.sizes;
    assert_int_equal(b.status, ST_OK);
    assert_true(is_valid(s));
    assert_true(is_at(s, "optimization_timestamp", "\"2026-03-01 02:14:07\""));
    assert_true(is_at(s, "gpu_info", "{\"device_name\":\"CPU\",\"total_memory_gb\":0.0,\"driver_version\":null}"));
    /* 740.9 MiB rounded up; 150 iterations at 4 give a p95: 1040 * 4 / 17.21 = 241.720 */
    assert_true(is_at(s, "batch_configurations.hrnet",
                      "{\"optimal_batch_size\":4,\"max_safe_batch_size\":4,\"expected_throughput\":17.21,"
                      "\"memory_limit_mb\":741,\"p95_latency_ms\":241.72,\"production_optimized\":false,"
                      "\"note\":\"4 is within 5 % of the best, 2 is not\"}"));
    assert_true(is_at(s, "memory_reserve_percent", "10"));
    /* limit 8 GiB of 16 GiB */
    assert_true(is_at(s, "parallel_processing.total_memory_budget_gb", "8.0"));
    assert_true(is_at(s, "parallel_processing.memory_safety_margin_gb", "8.0"));
    assert_true(is_at(s, "parallel_processing.emergency_cleanup_threshold", "0.95"));
    assert_true(is_at(s, "detailed_results.hrnet.optimization_result.max_throughput", "17.5252"));
    /* 32 was not tried: no row; 16 failed: four times 0.0 */
    assert_int_equal(json_array_size(at(s, "detailed_results.hrnet.optimization_result.test_results")), 5);
    assert_true(is_at(s, "detailed_results.hrnet.optimization_result.test_results.4",
                      "{\"model_name\":\"hrnet\",\"batch_size\":16,\"throughput_imgs_per_sec\":0.0,"
                      "\"avg_inference_time_ms\":0.0,\"peak_memory_mb\":0.0,\"memory_usage_mb\":0.0,\"success\":false,"
                      "\"error\":\"out_of_memory: 16: 24.1 GiB wanted, 22.8 GiB free\"}"));
    /* 298 MiB after it ran, 300 MiB before it was prepared */
    assert_true(is_at(s, "detailed_results.hrnet.optimization_result.test_results.2.memory_usage_mb", "-2.0"));
    /* mean time per image is of the wall: 1000 / (17.21 * 0.99) */
    assert_true(is_at(s, "detailed_results.hrnet.optimization_result.test_results.2.avg_inference_time_ms", "58.6927"));
    assert_true(is_at(s, "autotune.campaign", "{\"id\":\"20260301-014502-7f3a\",\"started_at\":"
                      "\"2026-03-01T01:45:02Z\",\"ended_at\":\"2026-03-01T02:14:07Z\"}"));
    assert_true(is_at(s, "autotune.bench_version", "\"0.3.0\""));
    assert_true(is_at(s, "autotune.copied", "[]"));
    assert_true(is_at(s, "autotune.models.hrnet.target_rule", "\"only\""));
    assert_true(is_at(s, "autotune.models.hrnet.memory.ceiling_batch", "8"));
    assert_int_equal(json_array_size(at(s, "autotune.models.hrnet.curve")), 6);
    assert_true(is_at(s, "autotune.models.hrnet.curve.5.images_per_s", "null"));
    assert_true(is_at(s, "autotune.models.hrnet.curve.3.ratio_to_best", "{\"estimate\":1.0,\"low\":1.0,\"high\":1.0}"));
    built_free(&b);
    fixture_close(f);
}

static void environment_name(void **state) /* first 12 digits of sha256 over the sorted, compact text */
{
    (void)state;
    struct fixture *f = fixture_open();
    fixture_hrnet(f, "f32", 1);
    struct built b = build(f, NULL);
    json_t *environments = at(b.documents.sizes, "autotune.environments");
    /* python3: hashlib.sha256(json.dumps(e, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:12] */
    assert_non_null(json_object_get(environments, "d21301534451"));
    assert_int_equal(json_object_size(environments), 1);
    built_free(&b);
    fixture_close(f);
}

/* Facts of cuda:0 have plain names, those of another device end in it: each target's entry has its own. */
static void a_gpu_has_its_own_facts(void **state)
{
    (void)state;
    static const struct { const char *device, *uuid, *driver; } rows[] = { { "cuda:0", "\"GPU-a\"", "\"580.65.06\"" },
                                                                           { "cuda:1", "\"GPU-b\"", "null" } };
    for (size_t i = 0; i < 2; i++) {
        struct fixture *f = fixture_open();
        struct target_view *t = fixture_hrnet(f, "f32", 1);
        char path[2][160];
        snprintf(t->row.device, sizeof t->row.device, "%s", rows[i].device);
        f->campaign.environment_count = 5; /* room for ours */
        fixture_fact(f, "device_uuid", "GPU-a", 0);
        fixture_fact(f, "driver", "580.65.06", 0);
        fixture_fact(f, "device_uuid.cuda:1", "GPU-b", 0);
        struct built b = build(f, NULL);
        json_t *environments = at(b.documents.sizes, "autotune.environments");
        const char *id = json_object_iter_key(json_object_iter(environments));
        snprintf(path[0], sizeof path[0], "autotune.environments.%s.device.uuid", id);
        snprintf(path[1], sizeof path[1], "autotune.environments.%s.device.driver", id);
        assert_true(is_at(b.documents.sizes, path[0], rows[i].uuid));
        assert_true(is_at(b.documents.sizes, path[1], rows[i].driver));
        built_free(&b);
        fixture_close(f);
    }
}

static void same_input_same_bytes(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    fixture_hrnet(f, "f32", 1);
    fixture_hrnet(f, "bf16", 2);
    json_t *base = historic();
    struct built first = build(f, base), second = build(f, base), third = build(f, first.documents.sizes);
    char *a = json_write_text(first.documents.sizes, JSON_INDENTED);
    char *b = json_write_text(second.documents.sizes, JSON_INDENTED);
    char *c = json_write_text(third.documents.sizes, JSON_INDENTED); /* onto our own output */
    assert_string_equal(a, b);
    assert_string_equal(a, c);
    f->campaign.run.end_unix_s++; /* the wrong twin: another campaign is another file */
    struct built other = build(f, base);
    char *d = json_write_text(other.documents.sizes, JSON_INDENTED);
    assert_string_not_equal(a, d);
    free(a), free(b), free(c), free(d);
    built_free(&first), built_free(&second), built_free(&third), built_free(&other);
    json_decref(base);
    fixture_close(f);
}

static void carried_is_equal(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    fixture_hrnet(f, "f32", 1);
    json_t *base = historic();
    struct built b = build(f, base);
    json_t *s = b.documents.sizes;
    assert_true(is_valid(s));
    assert_true(json_equal(at(s, "batch_configurations.sperm"), at(base, "batch_configurations.sperm")));
    assert_true(json_equal(at(s, "detailed_results.resunet_small"), at(base, "detailed_results.resunet_small")));
    assert_true(json_equal(at(s, "dynamic_batching"), at(base, "dynamic_batching")));
    assert_true(json_equal(at(s, "gpu_info"), at(base, "gpu_info")));
    assert_true(json_equal(at(s, "unknown_key"), at(base, "unknown_key")));
    assert_false(json_equal(at(s, "batch_configurations.hrnet"), at(base, "batch_configurations.hrnet")));
    assert_true(is_at(s, "memory_reserve_percent", "10"));
    assert_true(is_at(s, "autotune.copied", "[\"batch_configurations.sperm\",\"detailed_results.resunet_small\","
                      "\"dynamic_batching\",\"gpu_info\",\"unknown_key\"]"));
    assert_true(is_at(s, "autotune.models.sperm",
                      "{\"measured\":false,\"copied_from\":{\"optimization_timestamp\":\"2025-08-27 16:39:25\"}}"));
    char *text = json_write_text(s, JSON_INDENTED);
    assert_non_null(strstr(text, "3.3000000000000003"));  /* carried numbers keep all their digits */
    assert_non_null(strstr(text, "m\\u011B\\u0159eno"));
    assert_true(strstr(text, "\"sperm\"") < strstr(text, "\"hrnet\"")); /* order of the base */
    assert_true(strstr(text, "\"unknown_key\"") < strstr(text, "\"autotune\""));
    free(text);
    built_free(&b);
    json_decref(base);
    fixture_close(f);
}

static void our_own_entries_are_carried(void **state) /* a later campaign that measured another model */
{
    (void)state;
    struct fixture *f = fixture_open(), *later = fixture_open();
    fixture_hrnet(f, "f32", 1);
    json_t *base = historic();
    struct built old = build(f, base);
    snprintf(fixture_hrnet(later, "bf16", 2)->row.model, RECORD_NAME, "unet");
    snprintf(later->targets[0].row.engine_versions, sizeof later->targets[0].row.engine_versions, "{\"onednn\":\"3.1\"}");
    later->campaign.run.end_unix_s += 86400;
    snprintf(later->campaign.run.name, sizeof later->campaign.run.name, "20260302-014502-1111");
    struct built b = build(later, old.documents.sizes);
    json_t *s = b.documents.sizes, *o = old.documents.sizes;
    assert_int_equal(b.status, ST_OK);
    assert_true(is_valid(s));
    assert_true(is_valid(b.documents.production));
    assert_true(json_equal(at(s, "batch_configurations.hrnet"), at(o, "batch_configurations.hrnet")));
    assert_true(json_equal(at(s, "detailed_results.hrnet"), at(o, "detailed_results.hrnet")));
    assert_true(json_equal(at(s, "autotune.models.hrnet"), at(o, "autotune.models.hrnet")));
    assert_true(json_equal(at(s, "autotune.models.sperm"), at(o, "autotune.models.sperm")));
    assert_true(json_equal(at(s, "autotune.copied"), at(o, "autotune.copied"))); /* what was copied stays listed */
    assert_int_equal(json_object_size(at(s, "autotune.environments")), 2); /* the old model keeps its own */
    assert_non_null(at(b.documents.production, "configurations.hrnet"));
    built_free(&b);
    built_free(&old);
    json_decref(base);
    fixture_close(f);
    fixture_close(later);
}

static void carried_must_be_sound(void **state)
{
    (void)state;
    static const struct { const char *key, *value, *names; } rows[] = {
        { "optimal_batch_size", "8.0", "optimal_batch_size must be an integer" },
        { "optimal_batch_size", "\"8\"", "got \"8\"" },
        { "optimal_batch_size", "null", "got null" },
        { "optimal_batch_size", "0", "got 0" },
        { "optimal_batch_size", "true", "got true" },
        { "optimal_batch_size", "3", "max_safe_batch_size must be >= optimal_batch_size (3), got 2" },
        { "expected_throughput", "0.0", "expected_throughput must be a number > 0" },
        { "memory_limit_mb", "-1", "memory_limit_mb" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture *f = fixture_open();
        fixture_hrnet(f, "f32", 1);
        json_t *base = historic();
        json_object_set_new(at(base, "batch_configurations.sperm"), rows[i].key,
                            json_read_text("row", rows[i].value, strlen(rows[i].value), NULL));
        struct built b = build(f, base);
        assert_int_equal(b.status, ST_CONFIG);
        assert_null(b.documents.sizes);
        assert_non_null(strstr(b.err.text, "sperm"));
        if (!strstr(b.err.text, rows[i].names))
            fail_msg("%s", b.err.text);
        built_free(&b);
        json_decref(base);
        fixture_close(f);
    }
}

static void dropped_and_demanded(void **state)
{
    (void)state;
    char *names[] = { (char[]){ "sperm" } }, *wound[] = { (char[]){ "wound" } };
    struct fixture *f = fixture_open();
    fixture_hrnet(f, "f32", 1);
    json_t *base = historic();
    f->config.output_drop = (struct name_list){ .names = names, .count = 1 };
    struct built b = build(f, base);
    assert_null(at(b.documents.sizes, "batch_configurations.sperm"));
    assert_true(is_valid(b.documents.sizes));
    built_free(&b);
    f->config.output_models = (struct name_list){ .names = wound, .count = 1 };
    b = build(f, base);
    assert_int_equal(status_exit(b.status), 2);
    assert_string_equal(b.err.text, "model wound is in output.models but has no decision and no old entry: measure it "
                        "or drop it");
    built_free(&b);
    json_decref(base);
    fixture_close(f);
}

static struct output_for row_for(const char *model, const char *precision)
{
    struct output_for row = { .device = "" };
    snprintf(row.model, sizeof row.model, "%s", model);
    snprintf(row.precision, sizeof row.precision, "%s", precision);
    return row;
}

static void one_target_per_model(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    fixture_hrnet(f, "f32", 1);
    struct target_view *fast = fixture_hrnet(f, "bf16", 1.5);
    struct built b = build(f, NULL);
    assert_true(is_valid(b.documents.sizes));
    assert_true(is_at(b.documents.sizes, "autotune.models.hrnet.target.precision", "\"bf16\""));
    assert_true(is_at(b.documents.sizes, "autotune.models.hrnet.target_rule", "\"fastest\""));
    assert_true(is_at(b.documents.sizes, "autotune.models.hrnet.other_targets.0.images_per_s", "17.21"));
    assert_true(notes_hold(&b, "hrnet: the entry is made from onednn cpu:0 bf16, 25.82 images/s not verified (fastest; "
                               "others: onednn cpu:0 f32, 17.21 images/s not verified)"));
    built_free(&b);
    struct output_for rows[] = { row_for("*", "bf16"), row_for("hrnet", "f32") };
    f->config.output_for = rows;
    f->config.output_for_count = 2;
    b = build(f, NULL);
    assert_true(is_valid(b.documents.sizes));
    assert_true(is_at(b.documents.sizes, "autotune.models.hrnet.target.precision", "\"f32\""));
    assert_true(is_at(b.documents.sizes, "autotune.models.hrnet.target_rule", "\"configured\""));
    built_free(&b);
    rows[1] = row_for("hrnet", "f16");
    b = build(f, NULL);
    assert_int_equal(status_exit(b.status), 2);
    assert_non_null(strstr(b.err.text, "precision f16"));
    built_free(&b);
    f->config.output_for_count = 0;
    snprintf(fast->accuracy->outcome, sizeof fast->accuracy->outcome, "failed"); /* fast and wrong never counts */
    b = build(f, NULL);
    assert_true(is_at(b.documents.sizes, "autotune.models.hrnet.target.precision", "\"f32\""));
    built_free(&b);
    fixture_close(f);
}

static void ties_go_to_the_cheaper(void **state)
{
    (void)state;
    static const struct { double scale; int threads; double wanted_threads; } rows[] = {
        { 1.04, 4, 2 }, /* 4 % faster with twice the threads: within 5 % */
        { 1.06, 4, 4 }, /* 1/1.06 = 0.943 < 0.95 */
        { 0.96, 1, 1 },
        { 0.94, 1, 2 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture *f = fixture_open();
        fixture_hrnet(f, "f32", 1);
        fixture_hrnet(f, "f32", rows[i].scale)->row.threads = rows[i].threads;
        struct built b = build(f, NULL);
        assert_int_equal(json_integer_value(at(b.documents.sizes, "autotune.models.hrnet.target.threads")),
                         (int)rows[i].wanted_threads);
        built_free(&b);
        fixture_close(f);
    }
}

static void nothing_that_is_no_measurement(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    struct target_view *t = fixture_hrnet(f, "f32", 1);
    static const char *const variants[] = { "debug", "san", "" };
    for (size_t i = 0; i < 3; i++) {
        snprintf(f->campaign.run.variant, sizeof f->campaign.run.variant, "%s", variants[i]);
        struct built b = build(f, NULL);
        assert_int_equal(b.status, ST_ENVIRONMENT);
        assert_null(b.documents.sizes);
        built_free(&b);
    }
    snprintf(f->campaign.run.variant, sizeof f->campaign.run.variant, "release");
    t->row.scripted = true;
    snprintf(t->row.engine, sizeof t->row.engine, "scripted");
    struct built b = build(f, NULL);
    assert_int_equal(status_exit(b.status), 2);
    assert_non_null(strstr(b.err.text, "--allow-scripted"));
    built_free(&b);
    f->config.allow_scripted = true;
    b = build(f, NULL);
    assert_int_equal(b.status, ST_OK);
    assert_true(is_valid(b.documents.sizes));
    assert_true(is_at(b.documents.sizes, "batch_configurations.hrnet.note", "\"SCRIPTED, not a measurement\""));
    json_object_set_new(at(b.documents.sizes, "batch_configurations.hrnet"), "note", json_string("fine"));
    assert_false(is_valid(b.documents.sizes)); /* the wrong twin: the mark was taken off */
    built_free(&b);
    fixture_close(f);
}

static void no_usable_size(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    struct target_view *t = fixture_target(f, "hrnet", "f32");
    json_t *base = historic();
    fixture_failure(t, 1, "out_of_memory", "1: does not fit");
    t->has_decision = true;
    snprintf(t->decision.reason, sizeof t->decision.reason, "no batch size fits: 1 needs 9.1 GiB, 7.8 GiB are free");
    struct built b = build(f, base);
    json_t *s = b.documents.sizes;
    assert_int_equal(status_exit(b.status), 1);
    assert_string_equal(b.err.text, "hrnet: no batch size fits: 1 needs 9.1 GiB, 7.8 GiB are free");
    assert_true(is_valid(s));
    assert_true(json_equal(at(s, "batch_configurations.hrnet"), at(base, "batch_configurations.hrnet")));
    assert_true(is_at(s, "autotune.models.hrnet.last_attempt", "{\"campaign\":\"20260301-014502-7f3a\",\"ended_at\":"
                      "\"2026-03-01T02:14:07Z\",\"outcome\":\"no_usable_size\"}"));
    built_free(&b);
    b = build(f, NULL); /* no old entry: the consumer would serve it as 1/1/1.0 */
    assert_int_equal(status_exit(b.status), 2);
    assert_null(b.documents.sizes);
    built_free(&b);
    json_decref(base);
    fixture_close(f);
}

static void undecided_and_cut_short(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    struct target_view *t = fixture_hrnet(f, "f32", 1);
    snprintf(t->decision.confidence, sizeof t->decision.confidence, "undecided");
    snprintf(t->decision.cause, sizeof t->decision.cause, "budget");
    struct built b = build(f, NULL);
    assert_int_equal(status_exit(b.status), 4);
    assert_true(is_valid(b.documents.sizes));
    assert_true(is_at(b.documents.sizes, "autotune.models.hrnet.decision.cause", "\"budget\""));
    built_free(&b);
    snprintf(t->decision.confidence, sizeof t->decision.confidence, "coarse");
    struct target_view *never = fixture_target(f, "wound", "f32"); /* in the plan, never begun */
    (void)never;
    snprintf(f->campaign.run.state, sizeof f->campaign.run.state, "interrupted");
    b = build(f, NULL);
    assert_int_equal(status_exit(b.status), 4);
    assert_null(at(b.documents.sizes, "batch_configurations.wound"));
    assert_true(notes_hold(&b, "wound: has no size yet"));
    built_free(&b);
    fixture_close(f);
}

/* The budget ended before any size of a model kept the limit: the others are written, and alone there is no file. */
static void left_without_a_size(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    struct target_view *t = fixture_target(f, "unet", "f32");
    fixture_point(t, 1, 0.5, 0.7, 410);
    fixture_decide(t, 0, "none", "no batch size has run so far");
    fixture_why(&t->points[0], "over_slo", "1: over the limit");
    snprintf(t->decision.cause, sizeof t->decision.cause, "budget");
    snprintf(f->campaign.run.state, sizeof f->campaign.run.state, "budget");
    struct built b = build(f, NULL);
    assert_int_equal(status_exit(b.status), 4);
    assert_null(b.documents.sizes);
    assert_non_null(strstr(b.err.text, "is not written"));
    built_free(&b);
    fixture_whole(f, "f32", 1);
    b = build(f, NULL);
    assert_int_equal(status_exit(b.status), 4);
    assert_true(is_valid(b.documents.sizes));
    assert_null(at(b.documents.sizes, "batch_configurations.unet"));
    assert_non_null(at(b.documents.sizes, "batch_configurations.hrnet"));
    built_free(&b);
    *t->decision.cause = 0; /* all sizes were tried: that is bad news, and nothing may hide it */
    b = build(f, NULL);
    assert_int_equal(status_exit(b.status), 2);
    built_free(&b);
    fixture_close(f);
}

static void surer_entries_stay(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    struct target_view *t = fixture_hrnet(f, "f32", 1);
    snprintf(t->decision.confidence, sizeof t->decision.confidence, "decided");
    struct built old = build(f, NULL);
    snprintf(t->decision.confidence, sizeof t->decision.confidence, "coarse");
    t->decision.batch = t->decision.optimal = 8;
    struct built b = build(f, old.documents.sizes);
    assert_true(is_at(b.documents.sizes, "batch_configurations.hrnet.optimal_batch_size", "4"));
    assert_true(notes_hold(&b, "the old entry stays: it is surer (decided, not verified) than this campaign's (coarse, not verified)"));
    built_free(&b);
    snprintf(t->row.key_sha256, sizeof t->row.key_sha256, "other"); /* another machine: nothing to protect */
    fixture_why(&t->points[3], "chosen", "8");
    fixture_why(&t->points[2], "within_zone_but_larger", "4");
    b = build(f, old.documents.sizes);
    assert_true(is_at(b.documents.sizes, "batch_configurations.hrnet.optimal_batch_size", "8"));
    built_free(&b);
    built_free(&old);
    fixture_close(f);
}

/* What a full campaign shows: verified rate, range, fill table, max_safe above the decision. */
static void whole_procedure(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    fixture_whole(f, "f32", 1);
    struct built b = build(f, NULL);
    json_t *s = b.documents.sizes;
    assert_int_equal(b.status, ST_OK);
    assert_true(is_valid(s));
    /* 8 is the largest that may be executed: its peak is 1180 MiB. The p95 is of the race: 150 iterations at 4 */
    assert_true(is_at(s, "batch_configurations.hrnet",
                      "{\"optimal_batch_size\":4,\"max_safe_batch_size\":8,\"expected_throughput\":17.21,"
                      "\"memory_limit_mb\":1180,\"p95_latency_ms\":241.72,\"production_optimized\":true,"
                      "\"note\":\"4 is within 5 % of the best, 2 is not\"}"));
    json_t *m = at(s, "autotune.models.hrnet");
    assert_true(is_at(m, "images_per_s", "{\"estimate\":17.21,\"low\":17.17,\"high\":17.25,\"kind\":\"range\"}"));
    assert_true(is_at(m, "n", "{\"executions\":3,\"rounds\":9,\"blocks\":18,\"iterations\":36}"));
    assert_true(is_at(m, "decision", "{\"batch\":4,\"confidence\":\"decided\",\"verified\":true,\"cause\":null,"
                      "\"reason\":\"4 is within 5 % of the best, 2 is not\",\"pending\":null,\"incumbent\":"
                      "{\"batch\":8,\"source\":\"import\",\"outcome\":\"replaced\"}}"));
    /* exp(-0.0181) = 0.982063, exp(-0.0181 -+ 0.009) = 0.973264, 0.990941: of the race, not of the rates */
    assert_true(is_at(m, "curve.2.ratio_to_best", "{\"estimate\":0.982063,\"low\":0.973264,\"high\":0.990941}"));
    assert_int_equal(json_array_size(at(m, "fill")), 8);
    assert_true(is_at(m, "fill.4", "{\"images\":5,\"service_p50_ms\":440.0,\"iterations\":6,\"first_use_ms\":402.5,"
                      "\"advice\":\"split\",\"as\":[4,1]}"));
    assert_true(is_at(m, "fill.6.as", "[8]"));
    assert_true(is_at(m, "break_even", "{\"against\":8,\"images\":null,\"calls\":null}"));
    built_free(&b);
    fixture_close(f);
}

static void the_published_rate_is_the_verified_one(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    struct target_view *t = fixture_whole(f, "f32", 1);
    t->points[2].verified.y = log(17.0); /* the race said 17.21: the winner's curse */
    t->points[2].verified.y_low = log(16.9);
    t->decision.incumbent = 1;
    t->decision.break_even_against = 1;
    t->decision.break_even_images = 63; /* 322 ms / (1000/15.8 - 1000/17.21 ms) = 62.1; calls of 4: 16 */
    t->decision.break_even_calls = 16;
    struct built b = build(f, NULL);
    assert_true(is_valid(b.documents.sizes));
    assert_true(is_at(b.documents.sizes, "batch_configurations.hrnet.expected_throughput", "17.0"));
    assert_true(is_at(b.documents.sizes, "detailed_results.hrnet.optimization_result.test_results.2."
                      "throughput_imgs_per_sec", "17.0"));
    assert_true(is_at(b.documents.sizes, "autotune.models.hrnet.break_even",
                      "{\"against\":1,\"images\":63,\"calls\":16}"));
    built_free(&b);
    t->decision.break_even_calls = 15; /* the wrong twin */
    b = build(f, NULL);
    assert_false(is_valid(b.documents.sizes));
    built_free(&b);
    fixture_close(f);
}

static void ratios_of_other_objectives(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    struct target_view *t = fixture_whole(f, "f32", 1);
    snprintf(t->decision.objective, sizeof t->decision.objective, "energy");
    for (size_t i = 0; i < 4; i++)
        t->points[i].why.rival = 0;
    t->points[0].estimate.joules_per_image = 8;
    t->points[3].estimate.joules_per_image = 6; /* 8 leads: 1 reaches 6/8 of it; of 2 nothing is known */
    struct built b = build(f, NULL);
    assert_true(is_valid(b.documents.sizes));
    json_t *curve = at(b.documents.sizes, "autotune.models.hrnet.curve");
    assert_true(is_at(curve, "0.ratio_to_best", "{\"estimate\":0.75,\"low\":null,\"high\":null}"));
    assert_true(is_at(curve, "1.ratio_to_best", "null"));
    assert_true(is_at(curve, "3.ratio_to_best.estimate", "1.0"));
    built_free(&b);
    fixture_close(f);
}

static void set_limit(struct decision_row *d, const char *kind, double limit_ms)
{
    snprintf(d->slo_kind, sizeof d->slo_kind, "%s", kind);
    d->slo_percentile = 0.95;
    d->slo_limit_ms = limit_ms;
}

static void limits(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    struct target_view *t = fixture_whole(f, "f32", 1);
    set_limit(&t->decision, "service", 500);
    struct built b = build(f, NULL);
    assert_true(is_valid(b.documents.sizes));
    assert_true(is_at(b.documents.sizes, "autotune.models.hrnet.method.slo",
                      "{\"name\":\"service_ms\",\"percentile\":0.95,\"limit_ms\":500.0}"));
    built_free(&b);
    set_limit(&t->decision, "response", 800);
    t->decision.queue_rate = 20;
    t->decision.queue_delay_ms = 50;
    t->decision.queue_limit_ms = 800;
    b = build(f, NULL);
    assert_true(is_at(b.documents.sizes, "autotune.models.hrnet.method.slo.name", "\"response_ms\""));
    assert_true(is_at(b.documents.sizes, "dynamic_batching",
                      "{\"enabled\":true,\"max_queue_delay_ms\":50,\"timeout_ms\":800}"));
    assert_true(is_valid(b.documents.sizes));
    built_free(&b);
    fixture_close(f);
}

static void no_size_meets_the_limit(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    struct target_view *t = fixture_target(f, "hrnet", "f32");
    json_t *base = historic();
    fixture_point(t, 1, 15.8, 0.7, 410); /* p95: 1040 / 15.8 = 65.82 ms */
    fixture_point(t, 2, 15.9, 0.7, 520); /* 130.8 ms */
    fixture_decide(t, 0, "undecided", "no size keeps the limit");
    for (int i = 0; i < 2; i++)
        fixture_why(&t->points[i], "over_slo", "over the limit");
    set_limit(&t->decision, "service", 50);
    struct built b = build(f, base);
    assert_int_equal(status_exit(b.status), 1);
    assert_string_equal(b.err.text, "hrnet: no batch size meets 50 ms: the best p95 is 65.82 ms, at 1");
    assert_true(json_equal(at(b.documents.sizes, "batch_configurations.hrnet"), at(base, "batch_configurations.hrnet")));
    built_free(&b);
    t->points[0].estimate.service_p95_ms = t->points[1].estimate.service_p95_ms = (double)NAN; /* probed only */
    b = build(f, base);
    assert_string_equal(b.err.text, "hrnet: no batch size meets 50 ms (p95): the best median is 63.29 ms, at 1");
    built_free(&b);
    json_decref(base);
    fixture_close(f);
}

static void several_at_once(void **state) /* two workers side by side, measured as such */
{
    (void)state;
    struct fixture *f = fixture_open();
    fixture_whole(f, "f32", 1);
    fixture_whole(f, "f32", 1.04)->row.instances = 2;
    struct built b = build(f, NULL);
    assert_true(is_valid(b.documents.sizes));
    assert_true(is_at(b.documents.sizes, "autotune.models.hrnet.target.instances", "1")); /* within 5 %: fewer */
    /* 741 MiB of two workers: 371 each; 17.21 * 1.04 with both */
    assert_true(is_at(b.documents.sizes, "batch_configurations.hrnet.concurrent_processing",
                      "{\"max_concurrent_users\":2,\"memory_per_user_mb\":371,"
                      "\"expected_concurrent_throughput\":17.8984}"));
    built_free(&b);
    fixture_close(f);
}

static void a_verified_rate_goes_before(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    fixture_whole(f, "f32", 1);
    struct target_view *fast = fixture_whole(f, "bf16", 1.5);
    fast->decision.verified = fast->points[2].has_verified = fast->points[3].has_verified = false;
    struct built b = build(f, NULL);
    assert_true(is_valid(b.documents.sizes));
    assert_true(is_at(b.documents.sizes, "autotune.models.hrnet.target.precision", "\"f32\""));
    assert_true(notes_hold(&b, "(fastest; others: onednn cpu:0 bf16, 25.82 images/s not verified)"));
    built_free(&b);
    fixture_close(f);
}

/* Same key: decided before within before undecided before coarse, then verified before not. */
static void the_surer_entry_is_kept(void **state)
{
    (void)state;
    static const struct { const char *then, *now; bool verified_then, verified_now, stays; } rows[] = {
        { "decided", "within", true, true, true },     { "within", "decided", true, false, false },
        { "decided", "decided", true, false, true },   { "decided", "decided", false, true, false },
        { "decided", "decided", true, true, false },   { "within", "undecided", false, true, true },
        { "undecided", "coarse", false, false, true }, { "coarse", "undecided", false, false, false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture *f = fixture_open();
        struct target_view *t = fixture_whole(f, "f32", 1);
        snprintf(t->decision.confidence, sizeof t->decision.confidence, "%s", rows[i].then);
        t->decision.verified = rows[i].verified_then;
        struct built old = build(f, NULL);
        snprintf(t->decision.confidence, sizeof t->decision.confidence, "%s", rows[i].now);
        t->decision.verified = rows[i].verified_now;
        t->decision.batch = t->decision.optimal = 8;
        struct built b = build(f, old.documents.sizes);
        if (!is_at(b.documents.sizes, "batch_configurations.hrnet.optimal_batch_size", rows[i].stays ? "4" : "8"))
            fail_msg("row %zu", i);
        assert_int_equal(status_exit(b.status), strcmp(rows[i].now, "undecided") == 0 ? 4 : 0);
        built_free(&b);
        built_free(&old);
        fixture_close(f);
    }
}

static void a_refuted_size_is_not_kept(void **state)
{
    (void)state;
    static const char *const refuted[] = { "slower", "out_of_memory", "wrong_output", "over_slo" };
    static const char *const kept[] = { "undecided", "invalid", "throttled", "failed_verification" };
    for (size_t i = 0; i < 9; i++) {
        struct fixture *f = fixture_open();
        struct target_view *t = fixture_whole(f, "f32", 1);
        struct built old = build(f, NULL);
        snprintf(t->decision.confidence, sizeof t->decision.confidence, "within");
        t->decision.batch = t->decision.optimal = 8;
        if (i < 8) /* 4 was in the file */
            fixture_why(&t->points[2], i < 4 ? refuted[i] : kept[i - 4], "4: so it is");
        else
            snprintf(t->fill[2].failed, sizeof t->fill[2].failed, "crashed"); /* 3 images */
        struct built b = build(f, old.documents.sizes);
        assert_true(is_at(b.documents.sizes, "batch_configurations.hrnet.optimal_batch_size",
                          i < 4 || i == 8 ? "8" : "4"));
        built_free(&b);
        built_free(&old);
        fixture_close(f);
    }
}

static void another_size_is_served(void **state) /* 3 images crash: 4 is decided, 2 is served, and was not verified */
{
    (void)state;
    struct fixture *f = fixture_open();
    struct target_view *t = fixture_whole(f, "f32", 1);
    snprintf(t->fill[2].failed, sizeof t->fill[2].failed, "crashed");
    t->decision.optimal = t->decision.max_safe = 2;
    struct built b = build(f, NULL);
    assert_int_equal(b.status, ST_OK);
    assert_true(is_valid(b.documents.sizes));
    json_t *entry = at(b.documents.sizes, "batch_configurations.hrnet"), *m = at(b.documents.sizes, "autotune.models.hrnet");
    assert_true(is_at(entry, "optimal_batch_size", "2"));
    assert_true(is_at(entry, "expected_throughput", "15.9"));
    assert_true(is_at(entry, "production_optimized", "false"));
    assert_true(is_at(m, "decision.batch", "4"));
    assert_true(is_at(m, "images_per_s.kind", "\"interval95\""));
    assert_int_equal(json_array_size(at(m, "fill")), 2);
    assert_true(is_at(m, "break_even", "null"));
    built_free(&b);
    fixture_close(f);
}

static void nothing_above_a_failure_is_executed(void **state) /* 6 images crash: max_safe and the table end below */
{
    (void)state;
    struct fixture *f = fixture_open();
    struct target_view *t = fixture_whole(f, "f32", 1);
    snprintf(t->fill[5].failed, sizeof t->fill[5].failed, "crashed");
    struct built b = build(f, NULL);
    assert_true(is_valid(b.documents.sizes));
    assert_true(is_at(b.documents.sizes, "batch_configurations.hrnet.max_safe_batch_size", "4"));
    assert_int_equal(json_array_size(at(b.documents.sizes, "autotune.models.hrnet.fill")), 4);
    built_free(&b);
    fixture_close(f);
}

static void a_failing_smaller_size(void **state) /* memory is not monotone: 2 fails, 4 runs */
{
    (void)state;
    struct fixture *f = fixture_open();
    struct target_view *t = fixture_target(f, "hrnet", "f32");
    fixture_point(t, 1, 10, 0.5, 300);
    fixture_failure(t, 2, "out_of_memory", "2: does not fit");
    fixture_point(t, 4, 20, 0.5, 500);
    fixture_decide(t, 4, "coarse", "4 is the best");
    t->decision.optimal = 1;
    struct built b = build(f, NULL);
    assert_true(is_valid(b.documents.sizes));
    assert_true(is_at(b.documents.sizes, "batch_configurations.hrnet.optimal_batch_size", "1"));
    assert_true(is_at(b.documents.sizes, "batch_configurations.hrnet.expected_throughput", "10.0"));
    assert_true(is_at(b.documents.sizes, "autotune.models.hrnet.decision.batch", "4"));
    assert_true(is_at(b.documents.sizes, "autotune.models.hrnet.decision.reason",
                      "\"4 is the best\""));
    built_free(&b);
    fixture_close(f);
}

static void ceiling_as_max_safe(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    fixture_hrnet(f, "f32", 1);
    f->config.max_safe_executed = false;
    struct built b = build(f, NULL);
    assert_true(is_valid(b.documents.sizes));
    assert_true(is_at(b.documents.sizes, "batch_configurations.hrnet.max_safe_batch_size", "8"));
    assert_true(is_at(b.documents.sizes, "batch_configurations.hrnet.memory_limit_mb", "1180"));
    assert_true(is_at(b.documents.sizes, "autotune.models.hrnet.method.max_safe", "\"ceiling\""));
    built_free(&b);
    fixture_close(f);
}

static void long_reason_is_cut_at_a_word(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    struct target_view *t = fixture_hrnet(f, "f32", 1);
    snprintf(t->decision.reason, sizeof t->decision.reason, "%s %s", "0123456789 0123456789 0123456789 0123456789 "
             "0123456789 0123456789 0123456789 0123456789 0123456789 0123456789", "0123456789 0123456789");
    struct built b = build(f, NULL); /* ten words of ten digits and nine spaces are 109 bytes; an eleventh would be 120 */
    assert_int_equal(strlen(json_string_value(at(b.documents.sizes, "batch_configurations.hrnet.note"))), 120);
    built_free(&b);
    t->decision.reason[5] = 'x';
    memmove(t->decision.reason + 1, t->decision.reason, 140);
    b = build(f, NULL);
    assert_int_equal(strlen(json_string_value(at(b.documents.sizes, "batch_configurations.hrnet.note"))), 110);
    built_free(&b);
    fixture_close(f);
}

static void a_number_nobody_measured(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    struct target_view *t = fixture_hrnet(f, "f32", 1);
    t->points[2].prepared.peak_bytes = 0; /* no memory limit can be given */
    json_t *base = historic();
    struct built b = build(f, base);
    assert_int_equal(status_exit(b.status), 1);
    assert_non_null(strstr(b.err.text, "no peak memory"));
    built_free(&b);
    json_decref(base);
    fixture_close(f);
}

static void production_file(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    fixture_hrnet(f, "f32", 1);
    struct target_view *slow = fixture_target(f, "unet", "f32");
    fixture_point(slow, 8, 3, 0.5, 300); /* 75 iterations: no p95 */
    fixture_decide(slow, 8, "coarse", "the only one");
    struct built b = build(f, NULL);
    json_t *p = b.documents.production;
    assert_true(is_valid(p));
    assert_true(is_at(p, "production_batch_sizes", "{\"hrnet\":{\"optimal\":4,\"max_safe\":4,\"p95_latency_ms\":241.72,"
                      "\"throughput_img_s\":17.21}}"));
    assert_true(is_at(p, "configurations.hrnet", "{\"optimal_batch_size\":4,\"p95_latency_ms\":241.72,"
                      "\"throughput_imgs_per_sec\":17.21,\"memory_usage_mb\":741}"));
    assert_true(is_at(p, "detailed_benchmarks.hrnet.benchmarks.4", "{\"batch_size\":16,\"p50_ms\":null,\"p95_ms\":null,"
                      "\"throughput\":0.0,\"memory_gb\":0.0,\"stable\":false}"));
    assert_true(notes_hold(&b, "unet: has no p95"));
    built_free(&b);
    fixture_close(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(measured_members),
        cmocka_unit_test(environment_name),
        cmocka_unit_test(a_gpu_has_its_own_facts),
        cmocka_unit_test(same_input_same_bytes),
        cmocka_unit_test(carried_is_equal),
        cmocka_unit_test(our_own_entries_are_carried),
        cmocka_unit_test(carried_must_be_sound),
        cmocka_unit_test(dropped_and_demanded),
        cmocka_unit_test(one_target_per_model),
        cmocka_unit_test(ties_go_to_the_cheaper),
        cmocka_unit_test(nothing_that_is_no_measurement),
        cmocka_unit_test(no_usable_size),
        cmocka_unit_test(undecided_and_cut_short),
        cmocka_unit_test(left_without_a_size),
        cmocka_unit_test(surer_entries_stay),
        cmocka_unit_test(whole_procedure),
        cmocka_unit_test(the_published_rate_is_the_verified_one),
        cmocka_unit_test(ratios_of_other_objectives),
        cmocka_unit_test(limits),
        cmocka_unit_test(no_size_meets_the_limit),
        cmocka_unit_test(several_at_once),
        cmocka_unit_test(a_verified_rate_goes_before),
        cmocka_unit_test(the_surer_entry_is_kept),
        cmocka_unit_test(a_refuted_size_is_not_kept),
        cmocka_unit_test(another_size_is_served),
        cmocka_unit_test(nothing_above_a_failure_is_executed),
        cmocka_unit_test(a_failing_smaller_size),
        cmocka_unit_test(ceiling_as_max_safe),
        cmocka_unit_test(long_reason_is_cut_at_a_word),
        cmocka_unit_test(a_number_nobody_measured),
        cmocka_unit_test(production_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
