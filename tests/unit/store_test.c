#include "tests/unit/store_fixture.h"

#include "kernels/base/len.h"

#include <math.h>
#include <sqlite3.h>

/* What goes in comes out, member by member. */
static void rows_come_back(void **state)
{
    struct err err = { 0 };
    struct store *s = fixture_open(*state, STORE_WRITE);
    struct fixture_ids ids = fixture_fill(s);

    struct run_row *runs;
    size_t count;
    assert_int_equal(store_load_runs(&runs, &count, s, "tune", &err), ST_OK);
    assert_int_equal(count, 1);
    assert_true(runs[0].seed == UINT64_C(0xfedcba9876543210));
    assert_string_equal(runs[0].argv, "bench --all-models");
    assert_string_equal(runs[0].config_text, "within: 5%\n");
    assert_string_equal(runs[0].state, "running");
    assert_int_equal(runs[0].exit_code, -1);
    assert_int_equal(strlen(runs[0].name), 20);
    assert_memory_equal(runs[0].name, "20260301-014502-", 16); /* date -u -d @1772329502 */
    store_free_runs(runs, count);
    assert_int_equal(store_load_runs(&runs, &count, s, "check", &err), ST_OK);
    assert_int_equal(count, 0);
    store_free_runs(runs, count);

    struct target_row *targets;
    assert_int_equal(store_load_targets(&targets, &count, s, ids.run, &err), ST_OK);
    assert_int_equal(count, 1);
    assert_int_equal(targets[0].id, ids.target);
    assert_int_equal(targets[0].shape[2], 320);
    assert_int_equal(targets[0].threads, 2);
    assert_string_equal(targets[0].key, "hrnet|onednn|cpu:0|f32|2|1|3x256x320|e2e");
    free(targets);
    store_close(s);
}

/* The newest state counts; the rows before it stay. */
static void states_follow_each_other(void **state)
{
    struct err err = { 0 };
    struct store *s = fixture_open(*state, STORE_WRITE);
    struct fixture_ids ids = fixture_fill(s);
    struct target_row target = fixture_target(ids.run, 0), *targets;
    struct execution_row execution = fixture_execution(ids.target, "normal"), *executions;
    struct run_row run = fixture_run(), *runs;
    size_t count;
    target.id = ids.target;
    target.parameters = 65845201;
    strcpy(target.result, "inaccurate");
    assert_int_equal(store_append_target_state(s, &target, &err), ST_OK);
    assert_int_equal(store_load_targets(&targets, &count, s, ids.run, &err), ST_OK);
    assert_int_equal(count, 1);
    assert_true(targets[0].parameters == 65845201);
    assert_string_equal(targets[0].result, "inaccurate");
    free(targets);

    execution.id = ids.execution;
    execution.exit_code = 0;
    execution.stderr_tail = "a line\nanother";
    strcpy(execution.steady, "yes");
    assert_int_equal(store_append_execution_state(s, &execution, &err), ST_OK);
    assert_int_equal(store_load_executions(&executions, &count, s, ids.target, &err), ST_OK);
    assert_int_equal(count, 1);
    assert_string_equal(executions[0].stderr_tail, "a line\nanother");
    assert_string_equal(executions[0].command, "bench-worker-onednn");
    assert_int_equal(executions[0].exit_code, 0);
    assert_int_equal(executions[0].exit_signal, -1);
    store_free_executions(executions, count);

    assert_int_equal(store_load_unfinished(&runs, &count, s, "tune", &err), ST_OK);
    assert_int_equal(count, 1);
    store_free_runs(runs, count);
    run.id = ids.run;
    strcpy(run.state, "done");
    run.exit_code = 0;
    assert_int_equal(store_append_run_state(s, &run, &err), ST_OK);
    assert_int_equal(store_load_unfinished(&runs, &count, s, "tune", &err), ST_OK);
    assert_int_equal(count, 0);
    store_free_runs(runs, count);
    store_close(s);
}

static void blocks_come_back_in_order(void **state)
{
    struct err err = { 0 };
    struct store *s = fixture_open(*state, STORE_WRITE);
    struct fixture_ids ids = fixture_fill(s);
    struct fixture_count c = { 0 };
    struct field_row *fields;
    struct mark_row *marks;
    size_t count;
    for (int i = 0; i < 3; i++)
        assert_int_equal(fixture_append_block(s, ids.execution, i, 4, &err), ST_OK);
    assert_int_equal(store_visit_blocks(s, ids.target, true, fixture_count_block, &c, &err), ST_OK);
    assert_int_equal(c.blocks, 3);
    assert_true(c.sum == 3 * (100 + 101 + 102 + 103) + 4 * (0 + 1 + 2)); /* iterations 100 + number + i */
    c = (struct fixture_count){ 0 };
    assert_int_equal(store_visit_blocks(s, ids.target, false, fixture_count_block, &c, &err), ST_OK);
    assert_int_equal(c.blocks, 3);
    assert_true(c.sum == 0);

    assert_int_equal(store_load_fields(&fields, &count, s, STORE_FIELDS_BLOCK, 1, &err), ST_OK);
    assert_int_equal(count, 2);
    assert_string_equal(fields[0].name, "throttled_usec");
    assert_true(fields[0].is_number && fields[0].number == 7);
    assert_false(fields[1].is_number);
    assert_string_equal(fields[1].absent, "not_found");
    free(fields);

    assert_int_equal(store_load_marks(&marks, &count, s, ids.target, &err), ST_OK);
    assert_int_equal(count, 3);
    assert_string_equal(marks[2].reason, "quota");
    assert_int_equal(marks[2].subject_id, 3); /* 0 stood for the block's own id */
    free(marks);
    store_close(s);
}

/* Executes SQL as another program would; NULL if it worked, else the message. */
static char *with_sqlite(const char *path, const char *sql)
{
    sqlite3 *db;
    char *message = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK && !message)
        message = sqlite3_mprintf("no message");
    sqlite3_close(db);
    return message;
}

/* Every raw table refuses UPDATE and DELETE; the derived ones, the wrong twins of this test, do not. */
static void raw_tables_cannot_be_changed(void **state)
{
    static const char *const raw[] = { "run", "run_state", "environment", "target", "target_state", "execution",
                                       "execution_state", "prepared", "block", "samples", "telemetry", "telemetry_form", "mark",
                                       "accuracy", "output" };
    static const char *const derived[] = { "estimate", "decision", "why" };
    const struct place *p = *state;
    struct err err = { 0 };
    struct store *s = fixture_open(p, STORE_WRITE);
    struct fixture_ids ids = fixture_fill(s);
    const struct field_row field = { .name = "kernel", .text = "6.1" };
    const struct prepared_row prepared = { .execution = ids.execution, .batch = 1, .result = "feasible" };
    const struct accuracy_row accuracy = { .target = ids.target, .check = "reference", .outcome = "passed" };
    const float value = 1;
    const struct store_output_key key = { "reference", "m", "i", { 3, 2, 2 } };
    const struct estimate_row estimate = { .batch = 1 };
    const struct decision_row decision = { .batch = 1 };
    const struct why_row why = { .batch = 1 };
    const struct store_results results = { .estimates = &estimate, .estimate_count = 1, .decision = &decision,
                                           .whys = &why, .why_count = 1 };
    assert_int_equal(fixture_append_block(s, ids.execution, 0, 1, &err), ST_OK);
    assert_int_equal(store_append_environment(s, ids.run, 0, &field, 1, &err), ST_OK);
    assert_int_equal(store_append_prepared(s, &prepared, &err), ST_OK);
    assert_int_equal(store_append_accuracy(s, &accuracy, &err), ST_OK);
    assert_int_equal(store_append_output(s, &key, (const int[]){ 1, 1, 1 }, &value, &err), ST_OK);
    assert_int_equal(store_replace_results(s, ids.target, &results, &err), ST_OK);
    store_close(s);
    for (size_t i = 0; i < sizeof raw / sizeof *raw; i++)
        for (int k = 0; k < 2; k++) {
            char *sql = k ? sqlite3_mprintf("DELETE FROM \"%w\"", raw[i])
                          : sqlite3_mprintf("UPDATE \"%w\" SET rowid = rowid + 1", raw[i]);
            char *message = with_sqlite(p->path, sql);
            assert_non_null(message);
            assert_non_null(strstr(message, "never changed"));
            sqlite3_free(message);
            sqlite3_free(sql);
        }
    for (size_t i = 0; i < sizeof derived / sizeof *derived; i++) {
        char *sql = sqlite3_mprintf("DELETE FROM \"%w\"", derived[i]);
        assert_null(with_sqlite(p->path, sql));
        sqlite3_free(sql);
    }
}

/* Iteration times that somebody changed behind our back are noticed. */
static void changed_samples_are_noticed(void **state)
{
    const struct place *p = *state;
    struct err err = { 0 };
    struct fixture_count c = { 0 };
    struct store *s = fixture_open(p, STORE_WRITE);
    struct fixture_ids ids = fixture_fill(s);
    assert_int_equal(fixture_append_block(s, ids.execution, 0, 4, &err), ST_OK);
    store_close(s);
    assert_null(with_sqlite(p->path, "DROP TRIGGER samples_no_UPDATE; UPDATE samples SET iteration_ns = zeroblob(32)"));
    s = fixture_open(p, STORE_READ);
    assert_int_equal(store_visit_blocks(s, ids.target, true, fixture_count_block, &c, &err), ST_IO);
    assert_non_null(strstr(err.text, "block 1"));
    assert_int_equal(c.blocks, 0);
    store_close(s);
}

static void an_output_is_kept_once(void **state)
{
    struct err err = { 0 };
    struct store *s = fixture_open(*state, STORE_WRITE);
    const struct store_output_key key = { "reference", "model", "image", { 3, 8, 8 } }, other = { "reference", "model",
                                          "image", { 3, 8, 16 } };
    const int shape[3] = { 1, 1, 2 };
    const float first[2] = { 1.5f, -2 }, second[2] = { 9, 9 };
    float *found;
    int found_shape[3] = { 0 };
    assert_int_equal(store_find_output(&found, found_shape, s, &key, &err), ST_OK);
    assert_null(found);
    assert_int_equal(store_append_output(s, &key, shape, first, &err), ST_OK);
    assert_int_equal(store_append_output(s, &key, shape, second, &err), ST_OK);
    assert_int_equal(store_find_output(&found, found_shape, s, &key, &err), ST_OK);
    assert_memory_equal(found, first, sizeof first);
    assert_int_equal(found_shape[2], 2);
    free(found);
    assert_int_equal(store_find_output(&found, found_shape, s, &other, &err), ST_OK);
    assert_null(found);
    store_close(s);
}

static const struct look_row looks[] = {
    { .look = 2, .n = 9, .i = 1, .j = 4, .m = -.5, .se = .01, .df = 8, .c = .04, .r1 = NAN, .outcome = "reject" },
    { .look = 1, .n = 6, .i = 4, .j = 4, .m = .001, .se = .01, .df = 5, .c = .05, .r1 = NAN, .outcome = "control" },
    { .look = 1, .n = 6, .i = 1, .j = 4, .m = -.5, .se = .01, .df = 5, .c = .6, .r1 = NAN, .outcome = "open" },
};
static const struct verify_row verifications[] = {
    { .batch = 4, .execution = 2, .q = NAN, .y = 4.4 }, { .batch = 4, .execution = 1, .q = -.01, .y = 4.3 },
};
static const struct fill_row fill[] = {
    { .images = 2, .service_p50_ms = 30, .iterations = 15, .first_use_ms = NAN, .advice = "pad", .as = { 4, 0 } },
    { .images = 1, .service_p50_ms = NAN, .first_use_ms = NAN, .failed = "crashed" },
};

static struct store_results results_of(struct estimate_row e[3], struct why_row w[2], struct decision_row *d)
{
    e[0] = (struct estimate_row){ .batch = 1, .method = "race", .kind = "fixed", .y = log(50), .y_low = log(49),
                                  .y_high = log(51), .service_p50_ms = 20, .service_p99_ms = NAN, .mde = NAN };
    e[1] = (struct estimate_row){ .batch = 4, .method = "race", .kind = "none", .y = log(80), .y_low = NAN,
                                  .y_high = NAN, .service_p50_ms = 50 };
    e[2] = (struct estimate_row){ .batch = 4, .method = "verify", .kind = "range", .y = 4.25, .y_low = 4.2,
                                  .y_high = 4.3, .executions = 3 };
    w[0] = (struct why_row){ .batch = 1, .reason = "slower", .value = 0.6, .m = NAN };
    w[1] = (struct why_row){ .batch = 4, .reason = "chosen", .text = "the smallest within 5 %" };
    *d = (struct decision_row){ .batch = 4, .confidence = "coarse", .x = 0.05, .noise_floor = NAN };
    return (struct store_results){ .estimates = e, .estimate_count = 3, .decision = d, .whys = w, .why_count = 2,
                                   .looks = looks, .look_count = LEN(looks), .verifications = verifications,
                                   .verification_count = LEN(verifications), .fill = fill,
                                   .fill_count = LEN(fill) };
}

/* All derived rows as text, floats bit for bit. */
static char *dump_derived(const char *path)
{
    sqlite3 *db;
    sqlite3_str *text = sqlite3_str_new(NULL);
    static const char *const tables[] = { "estimate", "decision", "why", "look", "verification", "fill" };
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        sqlite3_stmt *stmt;
        char *sql = sqlite3_mprintf("SELECT * FROM %s", tables[i]);
        assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
        while (sqlite3_step(stmt) == SQLITE_ROW)
            for (int k = 0; k < sqlite3_column_count(stmt); k++) {
                if (sqlite3_column_type(stmt, k) == SQLITE_FLOAT)
                    sqlite3_str_appendf(text, "%!.17g|", sqlite3_column_double(stmt, k));
                else
                    sqlite3_str_appendf(text, "%s|", (const char *)sqlite3_column_text(stmt, k));
            }
        sqlite3_finalize(stmt);
        sqlite3_free(sql);
    }
    sqlite3_close(db);
    return sqlite3_str_finish(text);
}

/* Derived rows, dropped and made again in another order, are the same bytes; other results are not. */
static void derived_rows_are_rebuilt_alike(void **state)
{
    const struct place *p = *state;
    struct err err = { 0 };
    struct estimate_row e[3];
    struct why_row w[2];
    struct decision_row d;
    struct store *s = fixture_open(p, STORE_WRITE);
    struct fixture_ids ids = fixture_fill(s);
    const struct store_results results = results_of(e, w, &d);
    assert_int_equal(store_replace_results(s, ids.target, &results, &err), ST_OK);
    char *before = dump_derived(p->path);
    assert_null(with_sqlite(p->path, "DELETE FROM estimate; DELETE FROM decision; DELETE FROM why; DELETE FROM look; "
                                      "DELETE FROM verification; DELETE FROM fill"));
    const struct estimate_row turned_e[3] = { e[2], e[1], e[0] };
    const struct why_row turned_w[2] = { w[1], w[0] };
    const struct look_row turned_looks[3] = { looks[2], looks[0], looks[1] };
    const struct verify_row turned_verifications[2] = { verifications[1], verifications[0] };
    const struct fill_row turned_fill[2] = { fill[1], fill[0] };
    const struct store_results turned = { .estimates = turned_e, .estimate_count = 3, .decision = &d,
                                          .whys = turned_w, .why_count = 2, .looks = turned_looks,
                                          .look_count = 3, .verifications = turned_verifications,
                                          .verification_count = 2, .fill = turned_fill, .fill_count = 2 };
    assert_int_equal(store_replace_results(s, ids.target, &turned, &err), ST_OK);
    char *after = dump_derived(p->path);
    assert_true(strlen(before) > 100);
    assert_string_equal(before, after);
    sqlite3_free(after);
    e[0].y = nextafter(e[0].y, 10);
    assert_int_equal(store_replace_results(s, ids.target, &results, &err), ST_OK);
    after = dump_derived(p->path);
    assert_string_not_equal(before, after);
    sqlite3_free(after);
    sqlite3_free(before);
    store_close(s);
}

static void a_campaign_is_gathered(void **state)
{
    struct err err = { 0 };
    struct campaign *c;
    struct estimate_row e[3];
    struct why_row w[2];
    struct decision_row d;
    struct store *s = fixture_open(*state, STORE_WRITE);
    struct fixture_ids ids = fixture_fill(s);
    struct execution_row probe = fixture_execution(ids.target, "probe");
    assert_int_equal(store_append_execution(s, &probe, &err), ST_OK);
    struct prepared_row rows[] = {
        { .execution = probe.id, .batch = 4, .prepare_ns = 30000000, .first_run_ns = 60000000, .peak_bytes = 111,
          .result = "feasible" },
        { .execution = ids.execution, .batch = 4, .prepare_ns = 1, .first_run_ns = 2, .result = "feasible" },
        { .execution = probe.id, .batch = 8, .result = "out_of_memory" },
    };
    const struct field_row fields[] = { { .name = "kernel", .text = "6.1" }, { .name = "cpu_cores", .number = 2, .is_number = true },
                                        { .name = "kernel", .text = "6.2" } };
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(store_append_prepared(s, &rows[i], &err), ST_OK);
    assert_int_equal(store_append_environment(s, ids.run, 0, fields, 3, &err), ST_OK);
    const struct store_results results = results_of(e, w, &d);
    assert_int_equal(store_replace_results(s, ids.target, &results, &err), ST_OK);
    assert_int_equal(store_load_campaign(&c, s, NULL, &err), ST_OK);
    assert_int_equal(c->target_count, 1);
    assert_int_equal(c->environment_count, 2);
    assert_string_equal(c->environment[0].text, "6.2"); /* the newest of a name */
    const struct target_view *t = &c->targets[0];
    assert_int_equal(t->point_count, 3);
    assert_int_equal(t->points[0].batch, 1);
    assert_int_equal(t->points[1].batch, 4);
    assert_int_equal(t->points[2].batch, 8);
    assert_true(t->points[1].prepared.peak_bytes == 111); /* the probe's row, though another came after it */
    assert_true(fabs(t->points[1].first_use_ms - (30 + 60 - 50)) < 1e-9); /* 4 images at 80 a second: 50 ms */
    assert_true(isnan(t->points[0].first_use_ms));
    assert_true(t->points[1].has_why && t->points[1].has_estimate && !t->points[2].has_estimate);
    assert_true(isnan(t->points[0].estimate.service_p99_ms));
    assert_true(t->has_decision && t->decision.batch == 4);
    assert_int_equal(t->look_count, 3); /* by look, then by the two sizes */
    assert_true(t->looks[0].look == 1 && t->looks[0].i == 1 && t->looks[1].i == 4 && t->looks[2].look == 2);
    assert_string_equal(t->looks[2].outcome, "reject");
    assert_int_equal(t->verification_count, 2);
    assert_true(t->verifications[0].execution == 1 && isnan(t->verifications[1].q));
    assert_int_equal(t->fill_count, 2);
    assert_string_equal(t->fill[0].failed, "crashed");
    assert_true(t->fill[1].as[0] == 4 && t->fill[1].as[1] == 0 && isnan(t->fill[1].first_use_ms));
    assert_true(t->points[1].has_verified && t->points[1].verified.y == 4.25); /* beside the race's */
    assert_true(fabs(t->points[1].estimate.y - log(80)) < 1e-12 && !t->points[0].has_verified);
    campaign_free(c);
    assert_int_equal(store_load_campaign(&c, s, "20260301-014502-zzzz", &err), ST_CONFIG);
    assert_null(c);
    assert_non_null(strstr(err.text, "did you mean \"20260301-014502-"));
    store_close(s);
}

static void earlier_measurements_are_found_by_key(void **state)
{
    struct err err = { 0 };
    struct store_earlier *earlier;
    struct estimate_row e[3];
    struct why_row w[2];
    struct decision_row d;
    size_t count;
    struct store *s = fixture_open(*state, STORE_WRITE);
    const struct store_results results = results_of(e, w, &d);
    for (int i = 0; i < 2; i++) {
        struct fixture_ids ids = fixture_fill(s);
        const struct prepared_row row = { .execution = ids.execution, .batch = 8, .peak_bytes = (uint64_t)(1000 + i),
                                          .prepare_ns = 5, .result = "feasible" };
        assert_int_equal(store_append_prepared(s, &row, &err), ST_OK);
        assert_int_equal(store_replace_results(s, ids.target, &results, &err), ST_OK);
        e[0].y = log(60);
    }
    assert_int_equal(store_load_earlier(&earlier, &count, s, fixture_target(0, 0).key, &err), ST_OK);
    assert_int_equal(count, 3);
    assert_int_equal(earlier[0].batch, 1);
    assert_true(fabs(earlier[0].images_per_s - 60) < 1e-9); /* of the second run */
    assert_true(earlier[0].peak_bytes == 0);
    assert_int_equal(earlier[2].batch, 8);
    assert_true(earlier[2].peak_bytes == 1001 && isnan(earlier[2].images_per_s));
    free(earlier);
    assert_int_equal(store_load_earlier(&earlier, &count, s, "another", &err), ST_OK);
    assert_int_equal(count, 0);
    free(earlier);
    store_close(s);
}

/* Two finished executions of 60 and 90 s, one that never ended; only finished campaigns of this key count. */
static void time_spent_is_that_of_the_newest_finished_tune(void **state)
{
    struct err err = { 0 };
    double seconds;
    struct store *s = fixture_open(*state, STORE_WRITE);
    const char *key = "hrnet|onednn|cpu:0|f32|2|1|3x256x320|e2e";
    for (int last = 0; last < 2; last++) { /* the second one stays unfinished */
        struct fixture_ids ids = fixture_fill(s);
        for (int i = 0; i < 2; i++) {
            struct execution_row e = fixture_execution(ids.target, i ? "verify" : "probe");
            assert_int_equal(store_append_execution(s, &e, &err), ST_OK);
            e.end_unix_s = e.start_unix_s + 60 + 30 * i + 7 * last;
            assert_int_equal(store_append_execution_state(s, &e, &err), ST_OK);
        }
        const struct decision_row d = { .batch = 4 };
        const struct store_results results = { .decision = &d };
        assert_int_equal(store_replace_results(s, ids.target, &results, &err), ST_OK);
        assert_int_equal(store_load_spent(&seconds, s, key, &err), ST_OK);
        assert_true(last ? fabs(seconds - 150) < 1e-9 : isnan(seconds));
        struct run_row run = fixture_run();
        run.id = ids.run;
        snprintf(run.state, sizeof run.state, last ? "budget" : "done");
        assert_int_equal(store_append_run_state(s, &run, &err), ST_OK);
        assert_int_equal(store_load_spent(&seconds, s, key, &err), ST_OK);
        assert_true(fabs(seconds - 150) < 1e-9);
    }
    assert_int_equal(store_load_spent(&seconds, s, "another", &err), ST_OK);
    assert_true(isnan(seconds));
    store_close(s);
}

static void names_of_runs_differ(void **state)
{
    struct err err = { 0 };
    struct store *s = fixture_open(*state, STORE_WRITE);
    struct run_row a = fixture_run(), b = fixture_run(); /* the same second, the same seed */
    assert_int_equal(store_append_run(s, &a, &err), ST_OK);
    assert_int_equal(store_append_run(s, &b, &err), ST_OK);
    assert_string_not_equal(a.name, b.name);
    assert_true(b.id > a.id);
    store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rows_come_back, place_make, place_drop),
        cmocka_unit_test_setup_teardown(states_follow_each_other, place_make, place_drop),
        cmocka_unit_test_setup_teardown(blocks_come_back_in_order, place_make, place_drop),
        cmocka_unit_test_setup_teardown(raw_tables_cannot_be_changed, place_make, place_drop),
        cmocka_unit_test_setup_teardown(changed_samples_are_noticed, place_make, place_drop),
        cmocka_unit_test_setup_teardown(an_output_is_kept_once, place_make, place_drop),
        cmocka_unit_test_setup_teardown(derived_rows_are_rebuilt_alike, place_make, place_drop),
        cmocka_unit_test_setup_teardown(a_campaign_is_gathered, place_make, place_drop),
        cmocka_unit_test_setup_teardown(earlier_measurements_are_found_by_key, place_make, place_drop),
        cmocka_unit_test_setup_teardown(time_spent_is_that_of_the_newest_finished_tune, place_make, place_drop),
        cmocka_unit_test_setup_teardown(names_of_runs_differ, place_make, place_drop),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
