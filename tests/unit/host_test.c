#include "tests/unit/telemetry_fixture.h"

#include <math.h>

#include "kernels/base/host.h"

static void quota_is_the_smallest_up_to_the_root(void **state)
{
    const struct tree *t = *state;
    double cpus = -1;
    tree_put_v2(t);
    assert_false(host_cpu_quota(&cpus, t->root, 42));
    tree_put(t, "/sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
    assert_false(host_cpu_quota(&cpus, t->root, 42));
    tree_put(t, "/sys/fs/cgroup/a/b/cpu.max", "400000 100000\n");
    assert_true(host_cpu_quota(&cpus, t->root, 42));
    assert_true(fabs(cpus - 4) < 1e-12);
    tree_put(t, "/sys/fs/cgroup/a/cpu.max", "75000 50000\n"); /* the parent allows less */
    assert_true(host_cpu_quota(&cpus, t->root, 42));
    assert_true(fabs(cpus - 1.5) < 1e-12);
    tree_put(t, "/sys/fs/cgroup/cpu.max", "900000 100000\n");
    assert_true(host_cpu_quota(&cpus, t->root, 42));
    assert_true(fabs(cpus - 1.5) < 1e-12);
}

static void quota_of_version_1(void **state)
{
    const struct tree *t = *state;
    double cpus = -1;
    tree_put_v1(t);
    tree_put(t, "/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "-1\n");
    tree_put(t, "/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n");
    assert_false(host_cpu_quota(&cpus, t->root, 42));
    tree_put(t, "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "250000\n");
    tree_put(t, "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
    assert_true(host_cpu_quota(&cpus, t->root, 42));
    assert_true(fabs(cpus - 2.5) < 1e-12);
    tree_put(t, "/proc/42/cgroup", "4:memory:/docker/f00/a\n3:cpuset:/docker/f00/a\n"); /* others do not count */
    assert_false(host_cpu_quota(&cpus, t->root, 42));
    tree_put(t, "/proc/42/cgroup", "nonsense\n\n:\n");
    assert_false(host_cpu_quota(&cpus, t->root, 42));
    assert_false(host_cpu_quota(&cpus, t->root, 43)); /* no such process */
}

/* Whole CPUs of the mask and the quota, at least one. */
static void threads_fit_mask_and_quota(void **state)
{
    const struct tree *t = *state;
    double quota = -1;
    tree_put_v2(t);
    tree_put(t, "/proc/42/status", "Cpus_allowed_list:\t0-5\n");
    assert_int_equal(host_threads(&quota, t->root, 42), 6);
    assert_true(quota == 0);
    tree_put(t, "/sys/fs/cgroup/a/b/cpu.max", "350000 100000\n");
    assert_int_equal(host_threads(&quota, t->root, 42), 3);
    assert_true(fabs(quota - 3.5) < 1e-12);
    tree_put(t, "/sys/fs/cgroup/a/b/cpu.max", "50000 100000\n");
    assert_int_equal(host_threads(NULL, t->root, 42), 1);
    tree_put(t, "/sys/fs/cgroup/a/b/cpu.max", "900000 100000\n");
    assert_int_equal(host_threads(NULL, t->root, 42), 6);
}

/* The limit counts what is used already: another number than what is available. */
static void limit_is_the_least_of_all_levels(void **state)
{
    const struct tree *t = *state;
    uint64_t bytes = 0;
    tree_put_v2(t);
    assert_false(host_memory_limit(&bytes, t->root, 42));
    tree_put(t, "/proc/meminfo", "MemTotal: 9000 kB\nMemAvailable: 8000 kB\n");
    assert_true(host_memory_limit(&bytes, t->root, 42));
    assert_true(bytes == 9000 * 1024);
    tree_put(t, "/sys/fs/cgroup/a/b/memory.max", "max\n");
    assert_true(host_memory_limit(&bytes, t->root, 42));
    assert_true(bytes == 9000 * 1024);
    tree_put(t, "/sys/fs/cgroup/a/memory.max", "5000000\n");
    tree_put(t, "/sys/fs/cgroup/a/memory.current", "1200000\n");
    assert_true(host_memory_limit(&bytes, t->root, 42));
    assert_true(bytes == 5000000);
    assert_true(host_memory_available(&bytes, t->root, 42));
    assert_true(bytes == 3800000);
}

static void memory_is_the_least_of_all_levels(void **state)
{
    const struct tree *t = *state;
    uint64_t bytes = 0;
    tree_put_v2(t);
    assert_false(host_memory_available(&bytes, t->root, 42));
    tree_put(t, "/proc/meminfo", "MemTotal:       16000000 kB\nMemFree: 5 kB\nMemAvailable:    8000 kB\n");
    assert_true(host_memory_available(&bytes, t->root, 42));
    assert_true(bytes == 8000 * 1024);
    tree_put(t, "/sys/fs/cgroup/a/b/memory.max", "max\n");
    tree_put(t, "/sys/fs/cgroup/a/b/memory.current", "1000\n");
    assert_true(host_memory_available(&bytes, t->root, 42));
    assert_true(bytes == 8000 * 1024);
    tree_put(t, "/sys/fs/cgroup/a/memory.max", "5000000\n");
    tree_put(t, "/sys/fs/cgroup/a/memory.current", "1200000\n");
    assert_true(host_memory_available(&bytes, t->root, 42));
    assert_true(bytes == 3800000);
    tree_put(t, "/sys/fs/cgroup/a/memory.current", "6000000\n"); /* more than the limit: nothing, not a huge number */
    assert_true(host_memory_available(&bytes, t->root, 42));
    assert_true(bytes == 0);
}

static void memory_of_version_1(void **state)
{
    const struct tree *t = *state;
    uint64_t bytes = 0, kills = 0;
    tree_put_v1(t);
    tree_put(t, "/proc/meminfo", "MemAvailable: 8000 kB\n");
    tree_put(t, "/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "9223372036854771712\n"); /* none */
    tree_put(t, "/sys/fs/cgroup/memory/a/memory.usage_in_bytes", "77\n");
    assert_true(host_memory_available(&bytes, t->root, 42));
    assert_true(bytes == 8000 * 1024);
    tree_put(t, "/sys/fs/cgroup/memory/memory.limit_in_bytes", "4000000\n");
    tree_put(t, "/sys/fs/cgroup/memory/memory.usage_in_bytes", "1000000\n");
    assert_true(host_memory_available(&bytes, t->root, 42));
    assert_true(bytes == 3000000);
    assert_false(host_oom_kills(&kills, t->root, 42));
    tree_put(t, "/sys/fs/cgroup/memory/a/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n");
    assert_true(host_oom_kills(&kills, t->root, 42));
    assert_true(kills == 3); /* not oom_kill_disable */
}

static void kills_of_version_2(void **state)
{
    const struct tree *t = *state;
    uint64_t kills = 0;
    tree_put_v2(t);
    tree_put(t, "/sys/fs/cgroup/a/b/memory.events", "low 0\nhigh 0\nmax 9\noom 2\noom_kill 1\noom_group_kill 0\n");
    assert_true(host_oom_kills(&kills, t->root, 42));
    assert_true(kills == 1);
}

static void cpus_of_the_mask(void **state)
{
    const struct tree *t = *state;
    assert_int_equal(host_cpus_allowed(t->root, 42), 1);
    tree_put(t, "/proc/42/status", "Name:\tx\nCpus_allowed:\tff\nCpus_allowed_list:\t0-3,8,10-11\n");
    assert_int_equal(host_cpus_allowed(t->root, 42), 7);
}

/* This process, on this machine: whatever it is, these can be read. */
static void the_machine_answers(void **state)
{
    (void)state;
    uint64_t bytes = 0;
    assert_true(host_cpus_allowed(NULL, 0) >= 1);
    assert_int_equal(host_cpus_allowed(NULL, 0), host_cpus_allowed(NULL, getpid()));
    assert_true(host_memory_available(&bytes, NULL, 0));
    assert_true(bytes > 1000000);
    assert_true(host_memory_limit(&bytes, NULL, 0));
    assert_true(bytes <= host_memory_bytes());
    assert_true(host_threads(NULL, NULL, 0) <= host_cpus_allowed(NULL, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(quota_is_the_smallest_up_to_the_root, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(quota_of_version_1, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(threads_fit_mask_and_quota, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(limit_is_the_least_of_all_levels, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(memory_is_the_least_of_all_levels, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(memory_of_version_1, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(kills_of_version_2, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(cpus_of_the_mask, tree_make, tree_drop),
        cmocka_unit_test(the_machine_answers),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
