#include "tests/unit/telemetry_fixture.h"

#include <math.h>

#include "bench/telemetry/environment.h"

struct facts {
    struct field_row *rows;
    size_t count;
};

static struct facts read_facts(const char *root, pid_t pid)
{
    struct facts f;
    struct err err = { 0 };
    assert_int_equal(environment_read(&f.rows, &f.count, root, pid, &err), ST_OK);
    return f;
}

static const struct field_row *fact(const struct facts *f, const char *name)
{
    const struct field_row *row = environment_find(f->rows, f->count, name);
    if (!row)
        fail_msg("there is no fact %s", name);
    return row;
}

static void assert_number(const struct facts *f, const char *name, double want)
{
    assert_string_equal(fact(f, name)->absent, "");
    assert_true(fact(f, name)->is_number);
    assert_true(fabs(fact(f, name)->number - want) < 1e-9);
}

static void assert_text(const struct facts *f, const char *name, const char *want)
{
    assert_string_equal(fact(f, name)->absent, "");
    assert_false(fact(f, name)->is_number);
    assert_string_equal(fact(f, name)->text, want);
}

static void facts_of_a_machine(void **state)
{
    const struct tree *t = *state;
    tree_put_v2(t);
    tree_put(t, "/proc/cpuinfo", /* two cores of two threads in each of two packages, one of them told in part */
             "processor\t: 0\nmodel name\t: Some CPU @ 2.0GHz\nmicrocode\t: 0x2b\nphysical id\t: 0\ncore id\t: 0\n\n"
             "processor\t: 1\nmodel name\t: Some CPU @ 2.0GHz\nphysical id\t: 0\ncore id\t: 1\n\n"
             "processor\t: 2\nphysical id\t: 0\ncore id\t: 0\n\nprocessor\t: 3\nphysical id\t: 1\ncore id\t: 0\n");
    tree_put(t, "/sys/devices/system/cpu/online", "0-3\n");
    tree_put(t, "/sys/fs/cgroup/a/cpu.max", "150000 100000\n");
    tree_put(t, "/proc/42/status", "Cpus_allowed_list:\t0,2\n");
    tree_put(t, "/proc/meminfo", "MemTotal:       2000 kB\nMemAvailable: 1000 kB\n");
    tree_put(t, "/sys/devices/system/node/node0/cpulist", "0-1\n");
    tree_put(t, "/sys/devices/system/node/node1/cpulist", "2-3\n");
    tree_put(t, "/sys/devices/system/node/online", "0-1\n");
    tree_put(t, "/proc/sys/kernel/osrelease", "6.1\n");
    tree_put(t, "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n");
    tree_put(t, "/sys/devices/system/cpu/intel_pstate/no_turbo", "1\n");
    tree_put(t, "/sys/devices/system/cpu/smt/control", "on\n");
    tree_put(t, "/sys/devices/system/cpu/isolated", "\n");
    tree_put(t, "/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
    tree_put(t, "/proc/sys/kernel/perf_event_paranoid", "2\n");
    tree_put(t, "/proc/loadavg", "0.52 0.58 0.59 1/389 9\n");
    tree_put(t, "/sys/class/powercap/intel-rapl:0/energy_uj", "123456\n");
    struct facts f = read_facts(t->root, 42);
    assert_text(&f, "cpu_model", "Some CPU @ 2.0GHz");
    assert_number(&f, "cpu_cores", 3); /* (0,0) (0,1) (1,0) */
    assert_number(&f, "cpu_threads", 4);
    assert_number(&f, "cpu_quota", 1.5);
    assert_text(&f, "cpus_allowed", "0,2");
    assert_number(&f, "memory_bytes", 2000 * 1024);
    assert_number(&f, "memory_available_bytes", 1000 * 1024);
    assert_number(&f, "numa_nodes", 2);
    assert_text(&f, "kernel", "6.1");
    assert_text(&f, "governor", "powersave");
    assert_number(&f, "turbo", 0); /* no_turbo = 1 */
    assert_text(&f, "smt", "on");
    assert_text(&f, "cpus_isolated", "none");
    assert_text(&f, "microcode", "0x2b");
    assert_text(&f, "huge_pages", "madvise");
    assert_number(&f, "perf_event_paranoid", 2);
    assert_number(&f, "load_1min", 0.52);
    assert_number(&f, "rapl_uj", 123456);
    assert_string_equal(fact(&f, "scaling_driver")->absent, "not_found");
    free(f.rows);
}

static void turbo_of_other_drivers(void **state)
{
    const struct tree *t = *state;
    tree_put(t, "/sys/devices/system/cpu/cpufreq/boost", "1\n");
    struct facts f = read_facts(t->root, 42);
    assert_number(&f, "turbo", 1);
    free(f.rows);
}

static void everything_may_be_absent(void **state)
{
    const struct tree *t = *state;
    struct facts f = read_facts(t->root, 42);
    for (size_t i = 0; i < f.count; i++)
        if (strcmp(f.rows[i].name, "cpu_quota") != 0 && !*f.rows[i].absent)
            fail_msg("%s has no reason to be absent", f.rows[i].name);
    assert_text(&f, "cpu_quota", "none");
    free(f.rows);
}

/* Each fact has one of the three classes; what tells series apart is kept small. */
static void classes(void **state)
{
    static const char *const keys[] = { "cpu_model", "cpus_allowed", "cpu_quota" };
    const struct tree *t = *state;
    struct facts f = read_facts(t->root, 42);
    size_t key_count = 0;
    for (size_t i = 0; i < f.count; i++) {
        const char *name = f.rows[i].class_name;
        key_count += strcmp(name, "key") == 0;
        assert_true(strcmp(name, "key") == 0 || strcmp(name, "event") == 0 || strcmp(name, "context") == 0);
    }
    assert_int_equal(key_count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(fact(&f, keys[i])->class_name, "key");
    assert_string_equal(fact(&f, "microcode")->class_name, "event");
    assert_string_equal(fact(&f, "load_1min")->class_name, "context");
    free(f.rows);
}

static void the_machine_answers(void **state)
{
    (void)state;
    char host[256];
    struct facts f = read_facts(NULL, 0);
    assert_true(fact(&f, "cpu_threads")->is_number && fact(&f, "cpu_threads")->number >= 1);
    assert_true(fact(&f, "cpu_cores")->number <= fact(&f, "cpu_threads")->number);
    assert_true(fact(&f, "memory_bytes")->number > 1e6);
    assert_true(*fact(&f, "kernel")->text);
    assert_int_equal(gethostname(host, sizeof host), 0);
    for (size_t i = 0; i < f.count && strlen(host) > 3; i++)
        assert_string_not_equal(f.rows[i].text, host);
    free(f.rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(facts_of_a_machine, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(turbo_of_other_drivers, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(everything_may_be_absent, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(classes, tree_make, tree_drop),
        cmocka_unit_test(the_machine_answers),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
