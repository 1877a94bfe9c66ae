/* Which batch size was in use before a campaign: the newest finished tune of the same thing, or an import. */
#include "tests/unit/store_fixture.h"

static const char key[] = "1111111111111111111111111111111111111111111111111111111111111111";
static const char other_key[] = "2222222222222222222222222222222222222222222222222222222222222222";

/* One tune of hrnet; state "" leaves it running. */
static void tune(struct store *s, const char *key_sha256, int optimal, int pending, const char *confidence,
                 const char *state, const char *variant)
{
    struct err err = { 0 };
    struct run_row run = fixture_run();
    snprintf(run.variant, sizeof run.variant, "%s", variant);
    assert_int_equal(store_append_run(s, &run, &err), ST_OK);
    struct target_row target = fixture_target(run.id, 0);
    assert_int_equal(store_append_target(s, &target, &err), ST_OK);
    snprintf(target.key_sha256, sizeof target.key_sha256, "%s", key_sha256);
    assert_int_equal(store_append_target_state(s, &target, &err), ST_OK);
    struct decision_row d = { .batch = optimal, .optimal = optimal, .pending = pending };
    snprintf(d.confidence, sizeof d.confidence, "%s", confidence);
    const struct store_results results = { .decision = &d };
    assert_int_equal(store_replace_results(s, target.id, &results, &err), ST_OK);
    snprintf(run.state, sizeof run.state, "%s", *state ? state : "running");
    assert_int_equal(store_append_run_state(s, &run, &err), ST_OK);
}

static bool take(struct store *s, const char *sha256, const char *model, int optimal, int max_safe)
{
    struct err err = { 0 };
    bool known;
    struct import_row row = { .time_unix_s = 5, .bytes = "{}" };
    struct import_model_row m = { .optimal = optimal, .max_safe = max_safe, .claims = "{}" };
    snprintf(row.sha256, sizeof row.sha256, "%s", sha256);
    snprintf(m.model, sizeof m.model, "%s", model);
    if (store_append_import(&known, s, &row, &m, 1, &err) != ST_OK)
        fail_msg("%s", err.text);
    assert_true(row.id > 0);
    return known;
}

static struct store_incumbent find(struct store *s, const char *key_sha256)
{
    struct err err = { 0 };
    struct store_incumbent in;
    const struct store_incumbent_ask ask = { .key_sha256 = key_sha256, .model = "hrnet", .variant = "release" };
    if (store_load_incumbent(&in, s, &ask, &err) != ST_OK)
        fail_msg("%s", err.text);
    return in;
}

static void expect(struct store *s, int batch, int pending, const char *source)
{
    const struct store_incumbent in = find(s, key);
    assert_int_equal(in.batch, batch);
    assert_int_equal(in.pending, pending);
    assert_string_equal(in.source, source);
}

static void without_anything_there_is_none(void **state)
{
    struct store *s = fixture_open(*state, STORE_WRITE);
    expect(s, 0, 0, "");
    store_close(s);
}

static void the_newest_finished_tune_of_the_key_counts(void **state)
{
    struct store *s = fixture_open(*state, STORE_WRITE);
    tune(s, key, 8, 4, "decided", "done", "release");
    expect(s, 8, 4, "store");
    tune(s, other_key, 32, 0, "decided", "done", "release");  /* another machine, engine, shape ... */
    tune(s, key, 16, 2, "decided", "running", "release");     /* still running, or killed */
    tune(s, key, 64, 2, "coarse", "budget", "release");       /* cut short before its race had ended */
    tune(s, key, 128, 2, "undecided", "interrupted", "release");
    tune(s, key, 1, 0, "decided", "done", "debug");           /* chosen by another build */
    expect(s, 8, 4, "store");
    assert_int_equal(find(s, other_key).batch, 32);
    tune(s, key, 2, 0, "within", "budget", "release");        /* other targets were cut, this one was not */
    expect(s, 2, 0, "store");
    tune(s, key, 4, 0, "undecided", "done", "release");       /* kept or guessed, but that is what is written */
    expect(s, 4, 0, "store");
    store_close(s);
}

/* Only tunes that were cut short: what the newest of them left is served, so it is in use until a race ends. */
static void a_guess_is_in_use_where_there_is_nothing_better(void **state)
{
    struct store *s = fixture_open(*state, STORE_WRITE);
    tune(s, key, 16, 2, "coarse", "running", "release");      /* killed: nothing was written */
    tune(s, key, 1, 0, "coarse", "budget", "debug");
    tune(s, key, 0, 0, "undecided", "budget", "release");
    expect(s, 0, 0, "");
    tune(s, key, 2, 1, "coarse", "budget", "release");
    expect(s, 2, 0, STORE_GUESS);
    tune(s, key, 4, 0, "undecided", "interrupted", "release");
    expect(s, 4, 0, STORE_GUESS);
    tune(s, key, 8, 4, "decided", "done", "release");
    expect(s, 8, 4, "store");
    tune(s, key, 64, 0, "coarse", "budget", "release");
    expect(s, 8, 4, "store");
    store_close(s);
}

/* A tune without a usable size leaves the old one in use, but it is the newest: nothing is pending. */
static void no_usable_size_leaves_the_old_one(void **state)
{
    struct store *s = fixture_open(*state, STORE_WRITE);
    tune(s, key, 8, 4, "decided", "done", "release");
    tune(s, key, 0, 0, "undecided", "done", "release");
    expect(s, 8, 0, "store");
    store_close(s);
}

static void an_import_counts_until_the_next_tune(void **state)
{
    struct store *s = fixture_open(*state, STORE_WRITE);
    tune(s, key, 8, 4, "decided", "done", "release");
    assert_false(take(s, "a", "hrnet", 12, 16));
    expect(s, 12, 0, "import");
    assert_int_equal(find(s, other_key).batch, 12);           /* of every target of the model */
    assert_false(take(s, "b", "unet_spherohq", 1, 2));        /* another model says nothing of hrnet */
    expect(s, 12, 0, "import");
    assert_false(take(s, "c", "hrnet", 12, 6));               /* the consumer never executes more than max_safe */
    expect(s, 6, 0, "import");
    tune(s, key, 4, 0, "decided", "done", "release");
    expect(s, 4, 0, "store");
    assert_int_equal(find(s, other_key).batch, 6);
    assert_true(take(s, "c", "hrnet", 12, 6));                /* the same bytes again change nothing */
    expect(s, 4, 0, "store");
    assert_false(take(s, "a", "hrnet", 12, 16));              /* but an older file may be taken again */
    expect(s, 12, 0, "import");
    store_close(s);
}

static void imports_come_back_newest_first(void **state)
{
    struct err err = { 0 };
    struct store *s = fixture_open(*state, STORE_WRITE);
    take(s, "a", "hrnet", 12, 16);
    take(s, "b", "wound", 1, 4);
    struct import_row *rows;
    struct import_model_row *models;
    size_t count;
    assert_int_equal(store_load_imports(&rows, &count, s, &err), ST_OK);
    assert_int_equal(count, 2);
    assert_string_equal(rows[0].sha256, "b");
    assert_string_equal(rows[1].bytes, "{}");
    store_free_imports(rows, count);
    assert_int_equal(store_load_last_import(&rows, &count, s, &err), ST_OK);
    assert_int_equal(count, 1);
    assert_string_equal(rows[0].sha256, "b");
    assert_int_equal(store_load_import_models(&models, &count, s, rows[0].id, &err), ST_OK);
    assert_int_equal(count, 1);
    assert_string_equal(models[0].model, "wound");
    assert_true(models[0].optimal == 1 && models[0].max_safe == 4);
    assert_string_equal(models[0].claims, "{}");
    store_free_import_models(models, count);
    store_free_imports(rows, 1);
    store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(without_anything_there_is_none, place_make, place_drop),
        cmocka_unit_test_setup_teardown(the_newest_finished_tune_of_the_key_counts, place_make, place_drop),
        cmocka_unit_test_setup_teardown(a_guess_is_in_use_where_there_is_nothing_better, place_make, place_drop),
        cmocka_unit_test_setup_teardown(no_usable_size_leaves_the_old_one, place_make, place_drop),
        cmocka_unit_test_setup_teardown(an_import_counts_until_the_next_tune, place_make, place_drop),
        cmocka_unit_test_setup_teardown(imports_come_back_newest_first, place_make, place_drop),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
