/* What an imported file says: read leniently where it is harmless, audited at the very limits of the rules.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bench/import/audit.h"
#include "bench/import/claims.h"
#include "bench/import/document.h"
#include "kernels/base/len.h"

static struct import_document parse(const char *text)
{
    struct import_document d;
    struct err err = { .status = ST_OK };
    if (import_document_parse(&d, "t.json", text, strlen(text), &err) != ST_OK)
        fail_msg("%s: %s", text, err.text);
    return d;
}

/* One entry with these members beside its sizes. */
static struct import_document entry(const char *members)
{
    char text[1024];
    snprintf(
        text, sizeof text,
        "{\"batch_configurations\": {\"m\": {\"optimal_batch_size\": 4, \"max_safe_batch_size\": 8%s%s}}}",
        *members ? ", " : "", members);
    return parse(text);
}

/* Words that are no JSON become null, but not within texts; lines stay where they are. */
static void only_bare_words_become_null(void **state)
{
    static const struct { const char *in, *out; } rows[] = {
        { "NaN", "null" },
        { "-Infinity", "null" },
        { "[NaN,Infinity]", "[null,null]" },
        { "\"NaN\"", "\"NaN\"" },
        { "\"\\\"NaN\"", "\"\\\"NaN\"" },
        { "\"\\\\\",\"a\": NaN", "\"\\\\\",\"a\": null" },
        { "1,\n\"a\": Infinity", "1,\n\"a\": null" },
    };
    (void)state;
    for (size_t i = 0; i < LEN(rows); i++) {
        char text[256], want[256];
        snprintf(text, sizeof text, "{\"production_batch_sizes\": {}, \"x\": %s}", rows[i].in);
        snprintf(want, sizeof want, "{\"production_batch_sizes\": {}, \"x\": %s}", rows[i].out);
        struct import_document d = parse(text);
        assert_string_equal(d.readable, want);
        assert_string_equal(d.text, text); /* the bytes that are kept are those of the file */
        assert_true(d.production && !d.ours);
        import_document_free(&d);
    }
}

static void a_refusal_leaves_nothing(void **state)
{
    static const char *const texts[] = { "",
                                         "{",
                                         "[]",
                                         "{\"batch_configurations\": 1}",
                                         "{\"a\": 1, \"a\": 2}",
                                         "{\"batch_configurations\": {}, \"autotune\": {\"schema\": 2}}" };
    (void)state;
    for (size_t i = 0; i < LEN(texts); i++) {
        struct import_document d;
        struct err err = { .status = ST_OK };
        assert_int_equal(import_document_parse(&d, "t.json", texts[i], strlen(texts[i]), &err), ST_CONFIG);
        assert_null(d.root);
        assert_null(d.text);
        assert_true(strncmp(err.text, "t.json:1", 8) == 0);
    }
}

/* Kinds of findings about a document, in the order found, joined by spaces. */
static void kinds_of(char *out, size_t size, const struct import_document *d)
{
    struct notes notes = { 0 };
    audit_claims(&notes, d, NULL, 0);
    *out = 0;
    for (size_t i = 0; i < notes.count; i++) {
        size_t used = strlen(out);
        snprintf(out + used, size - used, "%s%.*s", used ? " " : "", (int)strcspn(notes.lines[i], " :"),
                 notes.lines[i]);
    }
    notes_free(&notes);
}

/* 4 images at 40 a second take 100 ms: a p95 below 99.5 is impossible. 2 x 40 +- 0.5 % is 79.6 to 80.4. */
static void claims_are_judged_at_their_limits(void **state)
{
#define USERS(users, rate)                                                                                   \
    "\"expected_throughput\": 40, \"concurrent_processing\": {\"max_concurrent_users\": " users              \
    ", \"expected_concurrent_throughput\": " rate "}"
    static const struct { const char *members, *kinds; } rows[] = {
        { "", "" },
        { "\"expected_throughput\": 40, \"p95_latency_ms\": 99.6", "" },
        { "\"expected_throughput\": 40, \"p95_latency_ms\": 99.4", "impossible" },
        { "\"expected_throughput\": 0, \"p95_latency_ms\": 1", "" },
        { "\"expected_throughput\": 40, \"p95_latency_ms\": null", "" },
        { "\"expected_throughput\": \"40\", \"p95_latency_ms\": 1", "" },
        { USERS("2", "80"), "multiplied" },
        { USERS("2", "80.39"), "multiplied" },
        { USERS("2", "80.41"), "" },
        { USERS("2", "79.61"), "multiplied" },
        { USERS("2", "79.59"), "" },
        { USERS("1", "40"), "" },
        { "\"expected_throughput\": 40, \"concurrent_processing\": 3", "" },
    };
    (void)state;
    for (size_t i = 0; i < LEN(rows); i++) {
        char kinds[256];
        struct import_document d = entry(rows[i].members);
        kinds_of(kinds, sizeof kinds, &d);
        if (strcmp(kinds, rows[i].kinds) != 0)
            fail_msg("%s: \"%s\", not \"%s\"", rows[i].members, kinds, rows[i].kinds);
        import_document_free(&d);
    }
}

static void documents_are_judged_as_a_whole(void **state)
{
#define RESULT(model, optimal, rows)                                                                         \
    "\"" model "\": {\"optimization_result\": {\"optimal_batch_size\": " optimal                             \
    ", \"test_results\": [" rows "]}}"
#define DETAILS(results)                                                                                     \
    "{\"batch_configurations\": {\"a\": {\"optimal_batch_size\": 4, \"max_safe_batch_size\": 8}}, "          \
    "\"detailed_results\": {" results "}}"
#define ROW(model, ms) "{\"model_name\": \"" model "\", \"ms\": " ms "}"
    static const struct { const char *text, *kinds;
    } rows[] = {
        { DETAILS(RESULT("a", "4", "")), "" },
        { DETAILS(RESULT("a", "5", "")), "contradicts" },
        { DETAILS(RESULT("a", "4", ROW("a", "7")) ", " RESULT("b", "1", ROW("b", "7"))), "same_rows" },
        { DETAILS(RESULT("a", "4", ROW("a", "7")) ", " RESULT("b", "1", ROW("b", "8"))), "" },
        { "{\"production_batch_sizes\": {}, \"gpu_info\": {\"driver_version\": \"99.9\"}}",
          "cuda_as_driver" },
        { "{\"production_batch_sizes\": {}, \"gpu_info\": {\"driver_version\": \"100\"}}", "" },
        { "{\"production_batch_sizes\": {}, \"gpu_info\": {\"driver_version\": null}}", "" },
        { "{\"production_batch_sizes\": {}, \"gpu_info\": {\"driver_version\": 12.1}}", "" },
    };
    (void)state;
    for (size_t i = 0; i < LEN(rows); i++) {
        char kinds[256];
        struct import_document d = parse(rows[i].text);
        kinds_of(kinds, sizeof kinds, &d);
        if (strcmp(kinds, rows[i].kinds) != 0)
            fail_msg("%s: \"%s\", not \"%s\"", rows[i].text, kinds, rows[i].kinds);
        import_document_free(&d);
    }
}

static void the_rest_of_an_entry_is_claimed(void **state)
{
    struct import_document d = entry("\"p95_latency_ms\": 12.5, \"cats\": [1]");
    struct claims claims;
    struct notes notes = { 0 };
    struct err err = { .status = ST_OK };
    (void)state;
    assert_int_equal(claims_read(&claims, &d, "t.json", &notes, &err), ST_OK);
    assert_int_equal(claims.count, 1);
    assert_string_equal(claims.models[0].model, "m");
    assert_true(claims.models[0].optimal == 4 && claims.models[0].max_safe == 8);
    assert_string_equal(claims.models[0].claims, "{\"p95_latency_ms\":12.5,\"cats\":[1]}");
    assert_int_equal(notes.count, 0);
    claims_note_form(&notes, &d, "t.json");
    assert_int_equal(notes.count, 2); /* no newline at the end, and a key that nobody knows */
    assert_non_null(strstr(notes.lines[1], "batch_configurations.m.cats"));
    notes_free(&notes);
    claims_free(&claims);
    import_document_free(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_bare_words_become_null),
        cmocka_unit_test(a_refusal_leaves_nothing),
        cmocka_unit_test(claims_are_judged_at_their_limits),
        cmocka_unit_test(documents_are_judged_as_a_whole),
        cmocka_unit_test(the_rest_of_an_entry_is_claimed),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
