/* (32) What is another on the machine between two nights is named: facts of class event, and our own build. Facts that say
 * what is compared with what (key), and those that only explain (context), are not. */
#include "bench/nightly/suspects.h"

#include "tests/unit/store_fixture.h"

static const struct {
    const char *name, *class_name, *then, *now; /* "": absent; a number, if it reads as one */
    bool told;
} facts[] = {
    { "power_limit_w", "event", "700", "650", true },
    { "driver", "event", "580.65.06", "580.82.07", true },
    { "kernel", "event", "6.1.0-13", "6.1.0-18", true },
    { "governor", "event", "performance", "performance", false },
    { "microcode", "event", "", "0xd0003a5", false },     /* not told before: nobody knows */
    { "turbo", "event", "on", "", false },
    { "device_uuid", "key", "GPU-1", "GPU-2", false },
    { "load_average", "context", "0.1", "3.5", false },
};
enum { FACTS = sizeof facts / sizeof *facts };

static struct field_row field_of(const char *name, const char *class_name, const char *value)
{
    struct field_row f = { .number = strtod(value, NULL) };
    char *end;
    strtod(value, &end);
    f.is_number = *value && !*end;
    snprintf(f.name, sizeof f.name, "%s", name);
    snprintf(f.class_name, sizeof f.class_name, "%s", class_name);
    snprintf(f.text, sizeof f.text, "%s", f.is_number ? "" : value);
    snprintf(f.absent, sizeof f.absent, "%s", *value ? "" : "not_found");
    return f;
}

static struct run_row night(struct store *s, bool later, const char *build)
{
    struct err err = { 0 };
    struct field_row rows[FACTS];
    struct run_row run = fixture_run();
    snprintf(run.kind, sizeof run.kind, "night");
    snprintf(run.build, sizeof run.build, "%s", build);
    run.start_unix_s += later ? 86400 : 0;
    assert_int_equal(store_append_run(s, &run, &err), ST_OK);
    for (size_t i = 0; i < FACTS; i++)
        rows[i] = field_of(facts[i].name, facts[i].class_name, later ? facts[i].now : facts[i].then);
    assert_int_equal(store_append_environment(s, run.id, 0, rows, FACTS, &err), ST_OK);
    return run;
}

static void what_changed_is_named(void **state)
{
    struct store *s = fixture_open(*state, STORE_WRITE);
    struct err err = { 0 };
    struct run_row then = night(s, false, "0.1.0+g1"), now = night(s, true, "0.1.0+g2");
    struct night_event *events;
    size_t count, told = 0;
    assert_int_equal(night_events(&events, &count, s, &then, &now, &err), ST_OK);
    for (size_t i = 0; i < FACTS; i++) {
        bool found = false;
        for (size_t k = 0; k < count; k++)
            found |= strcmp(events[k].name, facts[i].name) == 0 && strcmp(events[k].was, facts[i].then) == 0 &&
                     strcmp(events[k].is, facts[i].now) == 0;
        if (found != facts[i].told)
            fail_msg("%s is%s told", facts[i].name, found ? "" : " not");
        told += facts[i].told;
    }
    assert_int_equal(count, told + 1); /* and the build */
    assert_string_equal(events[count - 1].name, "bench");
    assert_string_equal(events[count - 1].was, "0.1.0+g1");
    assert_string_equal(events[count - 1].is, "0.1.0+g2");
    free(events);
    assert_int_equal(night_events(&events, &count, s, &then, &then, &err), ST_OK);
    assert_int_equal(count, 0);
    free(events);
    store_close(s);
}

/* What is known later of the same night counts: a link is told again under load. */
static void the_newest_fact_of_a_night_counts(void **state)
{
    struct store *s = fixture_open(*state, STORE_WRITE);
    struct err err = { 0 };
    struct run_row then = night(s, false, "b"), now = night(s, true, "b");
    const struct field_row again = field_of("driver", "event", "580.65.06");
    struct night_event *events;
    size_t count;
    assert_int_equal(store_append_environment(s, now.id, 0, &again, 1, &err), ST_OK);
    assert_int_equal(night_events(&events, &count, s, &then, &now, &err), ST_OK);
    for (size_t k = 0; k < count; k++)
        assert_string_not_equal(events[k].name, "driver");
    free(events);
    store_close(s);
}

/* A driver that came with the night before tonight is no change of tonight, and the first suspect all the same; a governor
 * that was the same on some night of the base is none. */
static void a_red_night_is_held_against_its_base(void **state)
{
    enum { BASE = 4 };
    struct store *s = fixture_open(*state, STORE_WRITE);
    struct err err = { 0 };
    struct run_row runs[BASE + 2];
    struct night_row earlier[BASE + 1], red = { .series = "key/4", .device = "cpu:0", .verdict = "REGRESSED" };
    struct night_event *events;
    size_t count;
    bool of_base;
    for (int i = 0; i < BASE + 2; i++) {
        const struct field_row governor = field_of("governor", "event", i == 1 || i > BASE ? "powersave" : "performance");
        runs[i] = night(s, i >= BASE, "b"); /* another driver, kernel and power limit from night 4 on */
        assert_int_equal(store_append_environment(s, runs[i].id, 0, &governor, 1, &err), ST_OK);
        if (i <= BASE) {
            earlier[i] = red;
            earlier[i].run = runs[i].id;
            strcpy(earlier[i].verdict, i < BASE ? "OK" : "SUSPECT");
            earlier[i].flagged = i == BASE;
        }
    }
    const struct judge_ask past = { .earlier = earlier, .earlier_count = BASE + 1, .runs = runs, .run_count = BASE + 1 };
    struct suspects_ask ask = { &red, 1, &past, &runs[BASE], &runs[BASE + 1] };
    assert_int_equal(suspects_find(&events, &count, &of_base, s, &ask, &err), ST_OK);
    assert_true(of_base);
    assert_int_equal(count, 3);
    for (size_t i = 0; i < count; i++)
        assert_string_not_equal(events[i].name, "governor");
    free(events);
    strcpy(red.verdict, "SUSPECT"); /* not red: what changed since the night before */
    assert_int_equal(suspects_find(&events, &count, &of_base, s, &ask, &err), ST_OK);
    assert_false(of_base);
    assert_int_equal(count, 1);
    assert_string_equal(events[0].name, "governor");
    free(events);
    ask.before = NULL;
    assert_int_equal(suspects_find(&events, &count, &of_base, s, &ask, &err), ST_OK);
    assert_int_equal(count, 0);
    assert_null(events);
    store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_changed_is_named, place_make, place_drop),
        cmocka_unit_test_setup_teardown(the_newest_fact_of_a_night_counts, place_make, place_drop),
        cmocka_unit_test_setup_teardown(a_red_night_is_held_against_its_base, place_make, place_drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
