/* Temperatures of processors and the gate before a verification: machines made of files, a clock that only moves when
 * somebody waits, and a processor that cools meanwhile. */
#include <math.h>
#include <signal.h>

#include "bench/measure/temperature.h"
#include "bench/measure/warm.h"
#include "bench/telemetry/telemetry.h"
#include "tests/unit/store_fixture.h"
#include "tests/unit/telemetry_fixture.h"

#define S UINT64_C(1000000000)

/* --- reading ----------------------------------------------------------------------------------------------------- */

static void put_monitor(const struct tree *t, int i, const char *label, const char *millidegrees)
{
    char path[128], text[64];
    snprintf(path, sizeof path, "/sys/class/hwmon/hwmon2/temp%d_label", i);
    snprintf(text, sizeof text, "%s\n", label);
    tree_put(t, path, text);
    snprintf(path, sizeof path, "/sys/class/hwmon/hwmon2/temp%d_input", i);
    snprintf(text, sizeof text, "%s\n", millidegrees);
    tree_put(t, path, text);
}

static void the_hottest_package_counts(void **state)
{
    const struct tree *t = *state;
    double celsius = -1;
    assert_false(telemetry_temperature(&celsius, t->root));
    tree_put(t, "/sys/class/thermal/thermal_zone0/type", "acpitz\n");
    tree_put(t, "/sys/class/thermal/thermal_zone0/temp", "27800\n"); /* a constant of the board */
    assert_false(telemetry_temperature(&celsius, t->root));
    tree_put(t, "/sys/class/thermal/thermal_zone1/type", "x86_pkg_temp\n");
    tree_put(t, "/sys/class/thermal/thermal_zone1/temp", "51000\n");
    assert_true(telemetry_temperature(&celsius, t->root) && fabs(celsius - 51) < 1e-9);
    put_monitor(t, 1, "Package id 0", "52500");
    put_monitor(t, 2, "Core 0", "71000");
    put_monitor(t, 3, "Package id 1", "54000");
    put_monitor(t, 4, "Package id 2", "no number");
    assert_true(telemetry_temperature(&celsius, t->root) && fabs(celsius - 54) < 1e-9);
}

static void judged_against_the_median(void **state)
{
    (void)state;
    static const struct { double celsius, median; uint64_t waited_s; enum temperature_gate want; } rows[] = {
        { 50, 50, 0, TEMPERATURE_MET },   { 55, 50, 0, TEMPERATURE_MET },    { 55.5, 50, 0, TEMPERATURE_WAIT },
        { 80, 50, 299, TEMPERATURE_WAIT }, { 80, 50, 300, TEMPERATURE_MISS }, { 55, 50, 300, TEMPERATURE_MET },
        { 45, 50, 0, TEMPERATURE_MET },   { 44, 50, 0, TEMPERATURE_MISS },   { (double)NAN, 50, 0, TEMPERATURE_MET },
        { 80, (double)NAN, 0, TEMPERATURE_MET },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(temperature_judge(rows[i].celsius, rows[i].median, rows[i].waited_s * S), rows[i].want);
}

/* --- waiting ----------------------------------------------------------------------------------------------------- */

/* A campaign with one target; its processor loses `cooling` degrees a second while the campaign sleeps. */
struct machine {
    struct tree *tree;
    struct place *place;
    double celsius, cooling;
    uint64_t now_ns, stop_after_ns;
    volatile sig_atomic_t stop;
    struct campaign_context context;
    struct campaign_state c;
    struct target_state t;
    struct plan_target plan;
};

static void show(const struct machine *m)
{
    char text[32];
    snprintf(text, sizeof text, "%.0f\n", m->celsius * 1000);
    put_monitor(m->tree, 1, "Package id 0", text);
}

static uint64_t machine_now_ns(void *context)
{
    const struct machine *m = context;
    return m->now_ns;
}

static void machine_sleep_ns(void *context, uint64_t ns)
{
    struct machine *m = context;
    m->now_ns += ns;
    m->celsius -= m->cooling * (double)ns / (double)S;
    m->stop = m->stop_after_ns && m->now_ns >= m->stop_after_ns;
    show(m);
}

static int machine_make(void **state)
{
    struct machine *m = calloc(1, sizeof *m);
    if (tree_make((void **)&m->tree) != 0 || place_make((void **)&m->place) != 0)
        return -1;
    *state = m;
    m->context = (struct campaign_context){ .machine_root = m->tree->root, .stop = &m->stop };
    m->c = (struct campaign_state){ .context = &m->context, .clock = { machine_now_ns, machine_sleep_ns, m },
                                    .targets = &m->t, .target_count = 1, .run = fixture_run() };
    m->t.plan = &m->plan;
    m->c.store = fixture_open(m->place, STORE_WRITE);
    assert_int_equal(store_append_run(m->c.store, &m->c.run, NULL), ST_OK);
    m->t.row = fixture_target(m->c.run.id, 0);
    assert_int_equal(store_append_target(m->c.store, &m->t.row, NULL), ST_OK);
    return 0;
}

static int machine_drop(void **state)
{
    struct machine *m = *state;
    store_close(m->c.store);
    void *tree = m->tree, *place = m->place;
    int left = tree_drop(&tree) + place_drop(&place);
    free(m);
    return left;
}

static struct execution begin(struct machine *m, double celsius)
{
    struct execution x = { .campaign = &m->c, .target = &m->t, .row = fixture_execution(m->t.row.id, "verify") };
    assert_int_equal(store_append_execution(m->c.store, &x.row, NULL), ST_OK);
    m->celsius = celsius;
    show(m);
    assert_int_equal(temperature_record(&x, celsius, "", NULL), ST_OK);
    return x;
}

static void assert_recorded(const struct machine *m, const struct execution *x, double celsius, const char *gate)
{
    struct field_row *rows;
    size_t count;
    assert_int_equal(store_load_fields(&rows, &count, m->c.store, STORE_FIELDS_EXECUTION, x->row.id, NULL), ST_OK);
    assert_int_equal(count, *gate ? 2 : 1);
    assert_string_equal(rows[0].name, "start_temperature");
    assert_true(rows[0].is_number && fabs(rows[0].number - celsius) < 1e-9);
    if (*gate)
        assert_string_equal(rows[1].text, gate);
    free(rows);
}

static void the_first_execution_waits_for_nothing(void **state)
{
    struct machine *m = *state;
    struct execution x = begin(m, 90);
    assert_int_equal(warm_temperature_gate(&x, NULL), ST_OK);
    assert_true(m->now_ns == 0);
    assert_recorded(m, &x, 90, "");
}

/* Earlier starts at 50, 51 and 80: the median is 51, so 56 is cool enough. 20 degrees at half a degree a second. */
static void a_hot_processor_is_waited_for(void **state)
{
    struct machine *m = *state;
    struct err err = { 0 };
    begin(m, 50);
    begin(m, 80);
    begin(m, 51);
    m->cooling = 0.5;
    struct execution x = begin(m, 76);
    assert_int_equal(warm_temperature_gate(&x, &err), ST_OK);
    assert_true(m->now_ns == 40 * S);
    assert_recorded(m, &x, 56, "met");
}

static void a_processor_that_stays_hot_is_marked(void **state)
{
    struct machine *m = *state;
    struct mark_row *marks;
    size_t count;
    begin(m, 50);
    struct execution x = begin(m, 76);
    assert_int_equal(warm_temperature_gate(&x, NULL), ST_OK);
    assert_true(m->now_ns == TEMPERATURE_WAIT_NS);
    assert_recorded(m, &x, 76, "miss");
    assert_int_equal(store_load_marks(&marks, &count, m->c.store, m->t.row.id, NULL), ST_OK);
    assert_int_equal(count, 1);
    assert_string_equal(marks[0].reason, "temp_gate=miss");
    assert_true(fabs(marks[0].value - 76) < 1e-9 && fabs(marks[0].limit - 50) < 1e-9);
    free(marks);
}

static void waiting_can_be_interrupted(void **state)
{
    struct machine *m = *state;
    struct err err = { 0 };
    begin(m, 50);
    struct execution x = begin(m, 76);
    m->stop_after_ns = 3 * S;
    assert_int_equal(warm_temperature_gate(&x, &err), ST_INTERRUPTED);
    assert_true(m->now_ns == 3 * S);
}

static void nothing_is_waited_for_without_a_sensor(void **state)
{
    struct machine *m = *state;
    begin(m, 50);
    struct execution x = begin(m, 76);
    m->c.virtual_time = true;
    assert_int_equal(warm_temperature_gate(&x, NULL), ST_OK);
    m->c.virtual_time = false;
    m->context.machine_root = "/nowhere";
    assert_int_equal(warm_temperature_gate(&x, NULL), ST_OK);
    assert_int_equal(temperature_record(&x, (double)NAN, "", NULL), ST_OK);
    assert_true(m->now_ns == 0);
    struct field_row *rows;
    size_t count;
    assert_int_equal(store_load_fields(&rows, &count, m->c.store, STORE_FIELDS_EXECUTION, x.row.id, NULL), ST_OK);
    assert_true(count == 1 && !rows[0].is_number);
    assert_string_equal(rows[0].absent, "not_found");
    free(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_hottest_package_counts, tree_make, tree_drop),
        cmocka_unit_test(judged_against_the_median),
        cmocka_unit_test_setup_teardown(the_first_execution_waits_for_nothing, machine_make, machine_drop),
        cmocka_unit_test_setup_teardown(a_hot_processor_is_waited_for, machine_make, machine_drop),
        cmocka_unit_test_setup_teardown(a_processor_that_stays_hot_is_marked, machine_make, machine_drop),
        cmocka_unit_test_setup_teardown(waiting_can_be_interrupted, machine_make, machine_drop),
        cmocka_unit_test_setup_teardown(nothing_is_waited_for_without_a_sensor, machine_make, machine_drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
