#include "tests/unit/telemetry_fixture.h"

#include <math.h>
#include <time.h>

#include "bench/telemetry/telemetry.h"

/* What a machine with two CPUs (two threads of one core) and cgroup version 2 tells, at the start of a block ... */
static void put_before(const struct tree *t)
{
    tree_put_v2(t);
    tree_put(t, "/proc/42/status", "Name:\tw\nVmHWM:\t   5000 kB\nVmRSS:\t   4000 kB\nCpus_allowed_list:\t0-1\n");
    tree_put(t, "/proc/42/stat", "42 (a ) (b) S 1 42 42 0 -1 4194304 100 0 3 0 20 5 0 0 20 0 2 0 1 1 1\n");
    tree_put(t, "/proc/42/task/42/status", "voluntary_ctxt_switches:\t10\nnonvoluntary_ctxt_switches:\t20\n");
    tree_put(t, "/proc/42/task/43/status", "voluntary_ctxt_switches:\t1\nnonvoluntary_ctxt_switches:\t2\n");
    tree_put(t, "/proc/stat", "cpu  9 9 9 9 9 9 9 999 0 0\ncpu0 1 0 1 1 0 0 0 5 0 0\ncpu1 1 0 1 1 0 0 0 6 0 0\n"
                              "cpu2 1 0 1 1 0 0 0 100 0 0\nintr 5\n");
    tree_put(t, "/proc/pressure/cpu", "some avg10=0.00 avg60=0.00 avg300=0.00 total=1000\nfull avg10=0.00 total=0\n");
    tree_put(t, "/sys/fs/cgroup/cpu.stat", "usage_usec 1\n");
    tree_put(t, "/sys/fs/cgroup/a/cpu.stat", "usage_usec 1\nnr_periods 9\nnr_throttled 4\nthrottled_usec 400\n");
    tree_put(t, "/sys/fs/cgroup/a/b/cpu.stat", "usage_usec 1\nnr_periods 9\nnr_throttled 1\nthrottled_usec 100\n");
    for (int cpu = 0; cpu < 2; cpu++) {
        static const struct { const char *name, *text; } files[] = {
            { "topology/physical_package_id", "0\n" }, { "topology/core_id", "0\n" },
            { "thermal_throttle/core_throttle_count", "3\n" }, { "thermal_throttle/package_throttle_count", "2\n" },
        };
        char path[128];
        for (size_t i = 0; i < 4; i++) {
            snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/%s", cpu, files[i].name);
            tree_put(t, path, files[i].text);
        }
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/cpufreq/scaling_cur_freq", cpu);
        tree_put(t, path, "1000000\n");
    }
}

/* ... and at its end. */
static void put_after(const struct tree *t)
{
    tree_put(t, "/proc/42/status", "Name:\tw\nVmHWM:\t   7000 kB\nVmRSS:\t   6000 kB\nCpus_allowed_list:\t0-1\n");
    tree_put(t, "/proc/42/stat", "42 (a ) (b) S 1 42 42 0 -1 4194304 150 0 4 0 28 7 0 0 20 0 3 0 1 1 1\n");
    tree_put(t, "/proc/42/task/42/status", "voluntary_ctxt_switches:\t11\nnonvoluntary_ctxt_switches:\t25\n");
    tree_put(t, "/proc/42/task/43/status", "voluntary_ctxt_switches:\t3\nnonvoluntary_ctxt_switches:\t9\n");
    tree_put(t, "/proc/stat", "cpu  9 9 9 9 9 9 9 9999 0 0\ncpu0 1 0 1 1 0 0 0 7 0 0\ncpu1 1 0 1 1 0 0 0 7 0 0\n"
                              "cpu2 1 0 1 1 0 0 0 900 0 0\nintr 5\n");
    tree_put(t, "/proc/pressure/cpu", "some avg10=0.00 avg60=0.00 avg300=0.00 total=1750\nfull avg10=0.00 total=9\n");
    tree_put(t, "/sys/fs/cgroup/a/cpu.stat", "usage_usec 1\nnr_periods 9\nnr_throttled 6\nthrottled_usec 950\n");
    tree_put(t, "/sys/fs/cgroup/a/b/cpu.stat", "usage_usec 1\nnr_periods 9\nnr_throttled 2\nthrottled_usec 130\n");
    tree_put(t, "/sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "5\n");
    tree_put(t, "/sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count", "5\n"); /* the same core */
    tree_put(t, "/sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count", "3\n");
    tree_put(t, "/sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq", "3000000\n");
}

static struct telemetry *open_of(const struct tree *t)
{
    struct err err = { 0 };
    struct telemetry *telemetry = NULL;
    assert_int_equal(telemetry_open(&telemetry, t->root, 42, &err), ST_OK);
    return telemetry;
}

static void assert_field(const struct telemetry_block *b, enum telemetry_field field, double want)
{
    double number = -1;
    if (!telemetry_get(&number, b, field))
        fail_msg("%s is absent: %s", telemetry_name(field), b->field[field].absent);
    if (fabs(number - want) > 1e-6 * fabs(want))
        fail_msg("%s is %.17g, not %.17g", telemetry_name(field), number, want);
}

static void every_field_is_the_difference(void **state)
{
    const struct tree *t = *state;
    struct telemetry_block b;
    const double tick_ns = 1e9 / (double)sysconf(_SC_CLK_TCK);
    put_before(t);
    struct telemetry *telemetry = open_of(t);
    telemetry_begin(telemetry);
    put_after(t);
    telemetry_end(telemetry, &b);
    assert_int_equal(b.cpus, 2);
    assert_field(&b, TELEMETRY_NR_THROTTLED, 2 + 1);
    assert_field(&b, TELEMETRY_THROTTLED_USEC, 550 + 30);
    assert_string_equal(b.field[TELEMETRY_THROTTLED_USEC].source, "cgroup cpu.stat of /a");
    assert_field(&b, TELEMETRY_STEAL_NS, (2 + 1) * tick_ns); /* CPU 2 is not the worker's */
    assert_field(&b, TELEMETRY_PSI_SOME_USEC, 750);
    assert_field(&b, TELEMETRY_THERMAL_COUNT, 2 + 1);        /* each core and package once */
    assert_field(&b, TELEMETRY_VOLUNTARY, 1 + 2);
    assert_field(&b, TELEMETRY_INVOLUNTARY, 5 + 7);
    assert_field(&b, TELEMETRY_MINOR_FAULTS, 50);
    assert_field(&b, TELEMETRY_MAJOR_FAULTS, 1);
    assert_field(&b, TELEMETRY_CPU_NS, (8 + 2) * tick_ns);
    assert_field(&b, TELEMETRY_WORKER_THREADS, 3);
    assert_field(&b, TELEMETRY_RSS_BYTES, 6000 * 1024.0);
    assert_field(&b, TELEMETRY_PEAK_RSS_BYTES, 7000 * 1024.0);
    assert_field(&b, TELEMETRY_CLOCK_KHZ, (1000000 + 3000000) / 2.0);
    telemetry_begin(telemetry); /* a further block without a change */
    telemetry_end(telemetry, &b);
    assert_field(&b, TELEMETRY_THROTTLED_USEC, 0);
    assert_string_equal(b.field[TELEMETRY_THROTTLED_USEC].source, "cgroup cpu.stat");
    assert_field(&b, TELEMETRY_RSS_BYTES, 6000 * 1024.0);
    telemetry_close(telemetry);
}

static void version_1_counts_in_ns(void **state)
{
    const struct tree *t = *state;
    struct telemetry_block b;
    put_before(t);
    tree_put_v1(t);
    tree_put(t, "/sys/fs/cgroup/cpu,cpuacct/a/cpu.stat", "nr_periods 1\nnr_throttled 1\nthrottled_time 5000000\n");
    struct telemetry *telemetry = open_of(t);
    telemetry_begin(telemetry);
    tree_put(t, "/sys/fs/cgroup/cpu,cpuacct/a/cpu.stat", "nr_periods 1\nnr_throttled 3\nthrottled_time 12000000\n");
    telemetry_end(telemetry, &b);
    assert_field(&b, TELEMETRY_NR_THROTTLED, 2);
    assert_field(&b, TELEMETRY_THROTTLED_USEC, 7000);
    telemetry_close(telemetry);
}

/* An empty machine: every field is absent with a reason, and nothing else happens. */
static void everything_may_be_absent(void **state)
{
    const struct tree *t = *state;
    struct telemetry_block b;
    struct field_row rows[TELEMETRY_COUNT];
    struct telemetry *telemetry = open_of(t);
    telemetry_begin(telemetry);
    telemetry_end(telemetry, &b);
    telemetry_rows(rows, &b);
    for (int i = 0; i < TELEMETRY_COUNT; i++) {
        double number;
        assert_false(telemetry_get(&number, &b, (enum telemetry_field)i));
        assert_string_equal(rows[i].absent, "not_found");
        assert_string_equal(rows[i].name, telemetry_name((enum telemetry_field)i));
        assert_false(rows[i].is_number);
    }
    telemetry_close(telemetry);
}

/* A field that cannot be told is absent although its file is there; the others stay. */
static void a_file_without_the_number(void **state)
{
    const struct tree *t = *state;
    struct telemetry_block b;
    put_before(t);
    tree_put(t, "/proc/pressure/cpu", "nothing of the kind\n");
    tree_put(t, "/sys/fs/cgroup/a/cpu.stat", "usage_usec 1\n");
    tree_put(t, "/sys/fs/cgroup/a/b/cpu.stat", "usage_usec 1\n");
    struct telemetry *telemetry = open_of(t);
    telemetry_begin(telemetry);
    telemetry_end(telemetry, &b);
    assert_false(b.field[TELEMETRY_PSI_SOME_USEC].known);
    assert_string_equal(b.field[TELEMETRY_PSI_SOME_USEC].absent, "not_supported");
    assert_string_equal(b.field[TELEMETRY_THROTTLED_USEC].absent, "not_supported");
    assert_field(&b, TELEMETRY_RSS_BYTES, 4000 * 1024.0);
    telemetry_close(telemetry);
}

static void answers_of_virtual_workers(void **state)
{
    (void)state;
    struct telemetry_block b;
    json_t *object = json_pack("{s:i, s:f, s:s}", "throttled_usec", 5000, "steal_ns", 0.0, "clock_khz", "fast");
    telemetry_of_answer(&b, object);
    assert_field(&b, TELEMETRY_THROTTLED_USEC, 5000);
    assert_field(&b, TELEMETRY_STEAL_NS, 0);
    assert_false(b.field[TELEMETRY_CLOCK_KHZ].known); /* a text is no number */
    assert_false(b.field[TELEMETRY_RSS_BYTES].known);
    json_decref(object);
    telemetry_of_answer(&b, NULL);
    assert_string_equal(b.field[TELEMETRY_THROTTLED_USEC].absent, "not_found");
}

/* This process as the worker: it computes, faults pages in and uses memory in the block. */
static void this_process_is_seen(void **state)
{
    (void)state;
    struct err err = { 0 };
    struct telemetry *telemetry;
    struct telemetry_block b;
    double number;
    enum { BYTES = 32 << 20 };
    assert_int_equal(telemetry_open(&telemetry, NULL, getpid(), &err), ST_OK);
    telemetry_begin(telemetry);
    volatile char *room = malloc(BYTES);
    assert_non_null((void *)(uintptr_t)room);
    for (size_t i = 0; i < BYTES; i += 4096)
        room[i] = 1;
    for (clock_t start = clock(); clock() - start < CLOCKS_PER_SEC / 20;)
        ;
    telemetry_end(telemetry, &b);
    assert_true(telemetry_get(&number, &b, TELEMETRY_MINOR_FAULTS) && number > 10);
    assert_true(telemetry_get(&number, &b, TELEMETRY_CPU_NS) && number >= 2e7 && number < 5e9);
    assert_true(telemetry_get(&number, &b, TELEMETRY_RSS_BYTES) && number > BYTES);
    assert_true(telemetry_get(&number, &b, TELEMETRY_WORKER_THREADS) && number == 1);
    assert_true(b.cpus >= 1);
    free((void *)(uintptr_t)room);
    telemetry_close(telemetry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_field_is_the_difference, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(version_1_counts_in_ns, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(everything_may_be_absent, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(a_file_without_the_number, tree_make, tree_drop),
        cmocka_unit_test(answers_of_virtual_workers),
        cmocka_unit_test(this_process_is_seen),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
