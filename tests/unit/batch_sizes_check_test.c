/* What verify finds: a good file passes, and each rule has a file that breaks it and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bench/output/batch_sizes_check.h"
#include "bench/output/batch_sizes_write.h"
#include "bench/output/json_lines.h"
#include "tests/unit/batch_sizes_fixture.h"
#include "tests/unit/campaign_fixture.h"

/* The two texts of a campaign with a historic base. */
static void good_texts(char **sizes, char **production)
{
    struct fixture *f = fixture_open();
    struct batch_sizes_documents documents;
    struct notes notes = { 0 };
    json_t *base = historic();
    fixture_hrnet(f, "f32", 1);
    fixture_hrnet(f, "bf16", 1.5);
    assert_int_equal(batch_sizes_build(&documents, &f->campaign, &f->config, base, &notes, NULL), ST_OK);
    *sizes = json_write_text(documents.sizes, JSON_INDENTED);
    *production = json_write_text(documents.production, JSON_INDENTED);
    batch_sizes_documents_free(&documents);
    notes_free(&notes);
    json_decref(base);
    fixture_close(f);
}

/* A copy with the first `from` behind `after` made `to`. */
static char *changed(const char *text, const char *after, const char *from, const char *to)
{
    const char *place = strstr(text, after);
    place = place ? strstr(place, from) : NULL;
    if (!place)
        fail_msg("no %s after %s", from, after);
    char *copy = malloc(strlen(text) + strlen(to) + 1);
    sprintf(copy, "%.*s%s%s", (int)(place - text), text, to, place + strlen(from));
    return copy;
}

static int found(const char *text, const char *rule, const char *path)
{
    struct findings findings = { 0 };
    struct err err = { 0 };
    int hits = 0;
    const enum status st = batch_sizes_check_text(&findings, "file", text, strlen(text), &err);
    for (size_t i = 0; i < findings.count; i++)
        hits += strcmp(findings.items[i].rule, rule) == 0 && strstr(findings.items[i].path, path);
    if (!hits)
        for (size_t i = 0; i < findings.count; i++)
            fprintf(stderr, "# %s %s %s\n", findings.items[i].rule, findings.items[i].path, findings.items[i].text);
    assert_int_equal(st, findings.count ? ST_BAD_NEWS : ST_OK);
    batch_sizes_findings_free(&findings);
    return hits;
}

static void good_files_pass(void **state)
{
    (void)state;
    char *sizes, *production;
    struct findings findings = { 0 };
    struct err err = { 0 };
    good_texts(&sizes, &production);
    assert_int_equal(batch_sizes_check_text(&findings, "a", sizes, strlen(sizes), &err), ST_OK);
    assert_int_equal(batch_sizes_check_text(&findings, "b", production, strlen(production), &err), ST_OK);
    assert_int_equal(batch_sizes_check_pair(&findings, sizes, strlen(sizes), production, strlen(production), &err),
                     ST_OK);
    assert_int_equal(batch_sizes_check_text(&findings, "h", historic_file, strlen(historic_file), &err), ST_OK);
    assert_int_equal(findings.count, 0);
    batch_sizes_findings_free(&findings);
    free(sizes);
    free(production);
}

static void every_rule_has_its_twin(void **state)
{
    (void)state;
    static const struct { const char *after, *from, *to, *rule, *path; } rows[] = {
        { "\"hrnet\"", "\"optimal_batch_size\": 4", "\"optimal_batch_size\": 4.0", "E1", "hrnet.optimal_batch_size" },
        { "\"hrnet\"", "\"optimal_batch_size\": 4", "\"optimal_batch_size\": \"4\"", "E1", "hrnet.optimal" },
        { "\"hrnet\"", "\"optimal_batch_size\": 4", "\"optimal_batch_size\": null", "E1", "hrnet.optimal" },
        { "\"hrnet\"", "\"max_safe_batch_size\": 4", "\"max_safe_batch_size\": 0", "E1", "hrnet.max_safe" },
        { "\"hrnet\"", "\"max_safe_batch_size\": 4", "\"max_safe_batch_size\": 3", "E2", "hrnet.max_safe" },
        { "\"hrnet\"", "\"max_safe_batch_size\": 4", "\"max_safe_batch_size\": 9", "E2", "hrnet.max_safe" },
        { "\"sperm\"", "\"expected_throughput\": 3.3000000000000003", "\"expected_throughput\": 0.0", "E2",
          "sperm.expected_throughput" },
        { "\"hrnet\"", "25.815", "25.9", "E2", "images_per_s.estimate" },
        { "\"hrnet\"", "25.815", "25.8150001", "E6", "expected_throughput" },
        { "\"hrnet\"", "\"memory_limit_mb\": 741", "\"memory_limit_mb\": 740", "E2", "memory_limit_mb" },
        { "\"hrnet\"", "\"production_optimized\": false", "\"production_optimized\": true", "E11", "production" },
        { "detailed_results", "\"optimal_batch_size\": 4", "\"optimal_batch_size\": 8", "E2", "detailed_results" },
        { "\"max_throughput\": ", "26.2878", "26.3", "E2", "max_throughput" },
        { "\"models\"", "\"batch\": 4", "\"batch\": 8", "E3", "decision.batch" },
        { "\"models\"", "\"why\": \"chosen\"", "\"why\": \"slower\"", "E2", "curve" },
        { "\"models\"", "\"environment\": \"", "\"environment\": \"x", "E5", "hrnet.environment" },
        { "\"environments\"", "\"cpu_cores\": 8", "\"cpu_cores\": 4", "E5", "environments" },
        { "\"models\"", "\"fastest\"", "\"only\"", "E10", "target_rule" },
        { "\"models\"", "\"fastest\"", "\"first\"", "schema", "target_rule" },
        { "\"copied\"", "\"gpu_info\"", "\"zpu_info\"", "E5", "copied" },
        { "\"copied\"", "\"dynamic_batching\"", "\"unknown_key\"", "E5", "copied" },
        { "\"models\"", "\"sperm\"", "\"spurm\"", "E4", "sperm" },
        { "\"models\"", "\"measured\": false", "\"measured\": 0", "E5", "sperm" },
        { "{", "\"memory_reserve_percent\"", "\"memory_reserve\"", "E8", "memory_reserve_percent" },
        { "{", "\"optimization_timestamp\": \"2026", "\"optimization_timestamp\": \"2027", "E9", "optimization" },
        { "\"autotune\"", "\"schema\": 1", "\"schema\": 2", "E13", "schema" },
        { "{", "  \"gpu_info\"", "   \"gpu_info\"", "E7", "" },
        { "\"hrnet\"", "25.815", "2.5815e1", "E7", "" },
        { "{", "m\\u011B", "m\xC4\x9B", "E7", "" },
        { "{", "\"optimization_timestamp\"", "\"gpu_info\": 1, \"optimization_timestamp\"", "broken", "" },
        { "\"hrnet\"", "25.815", "NaN", "broken", "" },
        { "{", "{", "\xEF\xBB\xBF{", "E7", "" },
    };
    char *sizes, *production;
    good_texts(&sizes, &production);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *twin = changed(sizes, rows[i].after, rows[i].from, rows[i].to);
        if (!found(twin, rows[i].rule, rows[i].path))
            fail_msg("%s -> %s is not found as %s", rows[i].from, rows[i].to, rows[i].rule);
        free(twin);
    }
    size_t last = strlen(sizes) - 1;
    sizes[last] = 0; /* no newline at the end */
    assert_true(found(sizes, "E7", ""));
    sizes[last / 2] = 0;
    assert_true(found(sizes, "broken", ""));
    free(sizes);
    free(production);
}

/* batch_sizes.json of a whole campaign: a verified decision with a fill table, a limit and an incumbent. */
static char *whole_text(void)
{
    struct fixture *f = fixture_open();
    struct batch_sizes_documents documents;
    struct notes notes = { 0 };
    struct decision_row *d = &fixture_whole(f, "f32", 1)->decision;
    snprintf(d->slo_kind, sizeof d->slo_kind, "service");
    d->slo_percentile = 0.95;
    d->slo_limit_ms = 500;
    d->break_even_against = 1;
    d->break_even_images = 63;
    d->break_even_calls = 16;
    assert_int_equal(batch_sizes_build(&documents, &f->campaign, &f->config, NULL, &notes, NULL), ST_OK);
    char *text = json_write_text(documents.sizes, JSON_INDENTED);
    batch_sizes_documents_free(&documents);
    notes_free(&notes);
    fixture_close(f);
    return text;
}

static void twins_of_a_decision(void **state)
{
    (void)state;
    static const struct { const char *after, *from, *to, *rule, *path; } rows[] = {
        { "\"slo\"", "\"service_ms\"", "\"latency\"", "schema", "method.slo" },
        { "\"slo\"", "\"percentile\": 0.95", "\"percentile\": 95", "schema", "method.slo" },
        { "\"slo\"", "\"limit_ms\": 500.0", "\"limit_ms\": 0.0", "schema", "method.slo" },
        { "\"verified\"", "\"kind\": \"range\"", "\"kind\": \"interval95\"", "E11", "images_per_s" },
        { "\"verified\"", "\"kind\": \"range\"", "\"kind\": null", "schema", "images_per_s" },
        { "\"n\"", "\"executions\": 3", "\"executions\": 1", "E11", "images_per_s" },
        { "\"incumbent\"", "\"batch\": 8", "\"batch\": null", "schema", "decision.incumbent" },
        { "\"incumbent\"", "\"replaced\"", "\"none\"", "schema", "decision.incumbent" },
        { "\"decision\"", "\"pending\": null", "\"pending\": 8", "schema", "decision.pending" },
        { "\"memory\"", "\"ceiling_batch\": 8", "\"ceiling_batch\": 16", "E2", "memory" },
        { "\"memory\"", "\"first_failed_why\": \"out_of_memory\"", "\"first_failed_why\": null", "schema", "memory" },
        { "\"curve\"", "\"batch\": 8", "\"batch\": 9", "E3", "curve" },
        { "\"within_zone_but_larger\"", "\"estimate\": 1.0", "\"estimate\": 0.92", "E3", "curve" },
        { "\"fill\"", "\"images\": 3", "\"images\": 4", "E8", "fill.2" },
        { "\"fill\"", "\"images\": 1,", "\"images\": 2,", "E8", "fill.0" },
        { "\"fill\"", "\"service_p50_ms\": 58.1", "\"service_p50_ms\": null", "E6", "fill.0" },
        { "\"fill\"", "\"iterations\": 6", "\"iterations\": 0", "E6", "fill.0" },
        { "\"fill\"", "\"advice\": \"exact\"", "\"advice\": \"pad\"", "fill", "fill.0" },
        { "\"fill\"", "\"advice\": \"split\"", "\"advice\": \"exact\"", "fill", "fill.4" },
        { "440.0", "440.0", "296.3", "fill", "fill.4" }, /* 4 + 1 is 290.5 > 0.98 * 296.3 = 290.4 */
        { "470.0", "470.0", "456.4", "fill", "fill.6" }, /* 8 costs 456.5 */
        { "\"break_even\"", "\"against\": 1", "\"against\": 4", "schema", "break_even" },
        { "\"break_even\"", "\"calls\": 16", "\"calls\": 15", "schema", "break_even" },
        { "\"break_even\"", "\"calls\": 16", "\"calls\": 17", "schema", "break_even" },
        { "\"dynamic_batching\"", "\"timeout_ms\": 0", "\"timeout_ms\": 0.5", "E1", "timeout_ms" },
        { "\"dynamic_batching\"", "\"enabled\": false", "\"enabled\": null", "schema", "enabled" },
        { "\"curve\"", "\"iterations\": 150", "\"iterations\": 129", "E6", "p95_latency_ms" },
    };
    char *good = whole_text();
    assert_int_equal(found(good, "", ""), 0); /* and so ST_OK */
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *twin = changed(good, rows[i].after, rows[i].from, rows[i].to);
        if (!found(twin, rows[i].rule, rows[i].path))
            fail_msg("%s -> %s is not found as %s", rows[i].from, rows[i].to, rows[i].rule);
        free(twin);
    }
    free(good);
}

static void production_twins(void **state)
{
    (void)state;
    static const struct { const char *from, *to, *rule; } rows[] = {
        { "\"optimal\": 4", "\"optimal\": 2", "differs" },
        { "\"memory_usage_mb\": 741", "\"memory_usage_mb\": 742", "differs" },
        { "\"throughput_imgs_per_sec\": 25.815", "\"throughput_imgs_per_sec\": 17.21", "differs" },
    };
    char *sizes, *production;
    good_texts(&sizes, &production);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct findings findings = { 0 };
        char *twin = changed(production, "{", rows[i].from, rows[i].to);
        assert_int_equal(batch_sizes_check_pair(&findings, sizes, strlen(sizes), twin, strlen(twin), NULL), ST_BAD_NEWS);
        assert_int_equal(findings.count, 1);
        assert_string_equal(findings.items[0].rule, rows[i].rule);
        batch_sizes_findings_free(&findings);
        free(twin);
    }
    char *twin = changed(production, "{", "\"optimal\": 4", "\"optimal\": 4.0");
    assert_true(found(twin, "E1", "optimal"));
    free(twin);
    free(sizes);
    free(production);
}

static void lines_of_members(void **state)
{
    (void)state;
    const char text[] = "{\n \"a\": {\"x\\\"\": [1,\n  {\"b\": \"}\"}, 3]},\n \"c.d\": true,\n \"e\": 1 }";
    const size_t size = sizeof text - 1;
    assert_int_equal(json_line_of(text, size, "a"), 2);
    assert_int_equal(json_line_of(text, size, "c.d"), 4);
    assert_int_equal(json_line_of(text, size, "e"), 5);
    assert_int_equal(json_line_of(text, size, "e.f"), 5);
    assert_int_equal(json_line_of(text, size, "nothing"), 0);
    assert_int_equal(json_line_of("[0,\n[0,\n1]]", 11, "1.1"), 3);
}

static void files_beside_each_other(void **state)
{
    (void)state;
    char *sizes, *production, *folder = scratch_open(), path[4200];
    struct findings findings = { 0 };
    struct err err = { 0 };
    good_texts(&sizes, &production);
    in_folder(path, sizeof path, folder, BATCH_SIZES_FILE);
    assert_int_equal(status_exit(batch_sizes_check_file(&findings, path, &err)), 2);
    spill(folder, BATCH_SIZES_FILE, sizes);
    assert_int_equal(batch_sizes_check_file(&findings, path, &err), ST_OK);
    spill(folder, BATCH_SIZES_PRODUCTION, production);
    assert_int_equal(batch_sizes_check_file(&findings, path, &err), ST_OK);
    assert_non_null(strstr(findings.summary, "2 models, 1 of them measured"));
    char *twin = changed(production, "{", "\"optimal\": 4", "\"optimal\": 2");
    spill(folder, BATCH_SIZES_PRODUCTION, twin);
    assert_int_equal(batch_sizes_check_file(&findings, path, &err), ST_BAD_NEWS);
    batch_sizes_findings_free(&findings);
    free(twin);
    free(sizes);
    free(production);
    scratch_close(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_files_pass),
        cmocka_unit_test(every_rule_has_its_twin),
        cmocka_unit_test(twins_of_a_decision),
        cmocka_unit_test(production_twins),
        cmocka_unit_test(lines_of_members),
        cmocka_unit_test(files_beside_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
