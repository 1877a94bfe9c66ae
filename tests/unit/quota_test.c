/* Real processes and a real control group: a worker whose quota is small is throttled, not slow; a wall clock that is
 * set back changes nothing; a machine that tells nothing stops nothing. Every reading of the wall clock here, in
 * this program and in its workers, is an hour earlier than the one before. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include "bench/measure/instances.h"
#include "bench/measure/validity.h"
#include "kernels/base/cgroup.h"
#include "tests/unit/campaign_world.h"

#define MS UINT64_C(1000000)

int clock_gettime(clockid_t id, struct timespec *out)
{
    static time_t back_s;
    long failed = syscall(SYS_clock_gettime, id, out);
    if (id == CLOCK_REALTIME)
        out->tv_sec -= back_s += 3600;
    return (int)failed;
}

time_t time(time_t *out)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out)
        *out = now.tv_sec;
    return now.tv_sec;
}

/* --- one worker -------------------------------------------------------------------------------------------------- */

struct place {
    char script[64], group[2 * CGROUP_PATH_MAX];
};

static void put(const char *path, const char *text, bool *done)
{
    FILE *f = fopen(path, "w");
    bool wrote = f && fputs(text, f) >= 0;
    *done = (f && fclose(f) == 0) && wrote;
}

/* A worker with size 1 prepared; iterations take 30 ms of a processor. */
static struct instances open_busy(struct place *p, const char *script)
{
    static char flag[] = "--script", program[4096];
    char *command[] = { program, flag, p->script, NULL };
    const struct worker_start start = { .command = command };
    const struct worker_load_ask load = { .model = "toy", .shape = { 3, 4, 4 }, .precision = "f32", .device = "cpu:0" };
    struct instances g;
    struct worker_hello hello;
    struct worker_load_result loaded;
    struct worker_prepare_result prepared;
    struct err err = { 0 };
    bool done;
    strcpy(p->script, "/tmp/bench-quota-XXXXXX");
    close(mkstemp(p->script));
    put(p->script, script, &done);
    ssize_t size = readlink("/proc/self/exe", program, sizeof program - 1);
    assert_true(done && size > 0);
    program[size] = 0;
    if (instances_open(&g, &start, 1, 0, &err) != ST_OK || instances_hello(&g, &hello, &err) != ST_OK ||
        instances_load(&g, &load, &loaded, &err) != ST_OK || instances_prepare(&g, 1, &prepared, &err) != ST_OK)
        fail_msg("%s", err.text);
    return g;
}

static void close_busy(struct place *p, struct instances *g)
{
    instances_close(g);
    unlink(p->script);
}

struct measured {
    struct validity validity;
    uint64_t t_iter_ns;
    double throttled_usec;
};

static struct measured measure(struct instances *g)
{
    struct measured m = { .throttled_usec = -1 };
    struct worker_run_result run;
    struct telemetry_block machine;
    const struct worker_run_ask ask = { .batch = 1, .min_iterations = 8, .max_iterations = 8 };
    struct err err = { 0 };
    if (instances_run(g, &ask, &run, &machine, 60 * WORKER_S, &err) != ST_OK)
        fail_msg("%s", err.text);
    m.validity = validity_check(&(struct validity_ask){ .telemetry = &machine, .runs = &run, .run_count = 1 });
    m.t_iter_ns = (run.end_ns - run.start_ns) / run.iterations;
    telemetry_get(&m.throttled_usec, &machine, TELEMETRY_THROTTLED_USEC);
    worker_run_free(&run);
    return m;
}

/* --- quota ------------------------------------------------------------------------------------------------------- */

/* A group of our own below the one where this process is, with a quota of `percent` of one CPU. false: this machine
 * does not let us. */
static bool make_group(struct place *p, int percent)
{
    struct cgroup group;
    char path[2 * CGROUP_PATH_MAX + 64], text[64];
    bool done;
    if (!cgroup_find(&group, NULL, getpid(), "cpu"))
        return false;
    cgroup_file(path, &group, "");
    snprintf(p->group, sizeof p->group, "%.*s/bench-test-%ld", (int)strlen(path) - (path[strlen(path) - 1] == '/'), path,
             (long)getpid());
    if (mkdir(p->group, 0755) != 0)
        return false;
    snprintf(path, sizeof path, "%s/cpu.max", p->group);
    snprintf(text, sizeof text, "%d 50000", 500 * percent);
    put(path, text, &done);
    if (done)
        return true;
    snprintf(path, sizeof path, "%s/cpu.cfs_period_us", p->group);
    put(path, "50000", &done);
    snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", p->group);
    snprintf(text, sizeof text, "%d", 500 * percent);
    if (done)
        put(path, text, &done);
    if (!done)
        rmdir(p->group);
    return done;
}

static bool move_into(const struct place *p, pid_t pid)
{
    char path[2 * CGROUP_PATH_MAX + 64], text[32];
    bool done;
    snprintf(path, sizeof path, "%s/cgroup.procs", p->group);
    snprintf(text, sizeof text, "%ld", (long)pid);
    put(path, text, &done);
    return done;
}

static void remove_group(const struct place *p)
{
    for (int i = 0; i < 100 && rmdir(p->group) != 0 && errno == EBUSY; i++)
        nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL); /* until its last process is gone */
}

static void a_small_quota_is_invalid_not_slow(void **state)
{
    (void)state;
    struct place p;
    if (!make_group(&p, 20)) {
        print_message("no control group for CPU time can be made here\n");
        skip();
    }
    struct instances g = open_busy(&p, "{time: busy, load: 0ms, prepare: 0ms, curve: {fixed: 30ms, per_image: 0ms}}");
    bool moved = move_into(&p, worker_pid(g.workers[0])); /* before the telemetry looks where it is */
    struct measured with = { .t_iter_ns = 0 };
    if (moved)
        with = measure(&g);
    close_busy(&p, &g);
    remove_group(&p);
    if (!moved)
        skip();
    assert_true(with.throttled_usec > 0);
    assert_true(with.validity.hit[VALIDITY_QUOTA]);
    assert_false(validity_holds(&with.validity, true)); /* never a covariate */
    assert_true(with.t_iter_ns > 60 * MS);              /* who does not look takes it for a slow processor */
    g = open_busy(&p, "{time: busy, load: 0ms, prepare: 0ms, curve: {fixed: 30ms, per_image: 0ms}}");
    struct measured without = measure(&g);
    close_busy(&p, &g);
    assert_false(without.validity.hit[VALIDITY_QUOTA]);
}

/* --- clocks and absent fields ------------------------------------------------------------------------------------ */

static void the_wall_clock_is_not_used(void **state)
{
    (void)state;
    struct place p;
    time_t first = time(NULL);
    assert_true(time(NULL) < first); /* it does go back */
    struct instances g = open_busy(&p, "{time: real, load: 0ms, prepare: 0ms, curve: {fixed: 10ms, per_image: 0ms}}");
    struct measured m = measure(&g);
    close_busy(&p, &g);
    assert_false(m.validity.hit[VALIDITY_WORKER]);
    assert_true(m.t_iter_ns >= 10 * MS && m.t_iter_ns < 1000 * MS); /* no hour in it, back or forth */
}

static void a_machine_that_tells_nothing_stops_nothing(void **state)
{
    (void)state;
    struct place p;
    struct instances g = open_busy(&p, "{time: real, load: 0ms, prepare: 0ms, curve: {fixed: 5ms, per_image: 0ms}}");
    char text[VALIDITY_TEXT];
    g.root = "/nowhere";
    struct measured m = measure(&g);
    close_busy(&p, &g);
    validity_looked(text, &m.validity);
    assert_string_equal(text, "worker"); /* the only rule that needs nothing of the machine */
    assert_true(validity_holds(&m.validity, false));
}

/* --- campaigns --------------------------------------------------------------------------------------------------- */

static int chosen_of(const char *script, enum status want)
{
    struct world w;
    struct err err = { 0 };
    const int sizes[] = { 1, 2, 4 };
    world_open(&w, script, 1);
    world_give(&w, sizes, 3);
    enum status st = world_run(&w, &err);
    if (st != want)
        fail_msg("%s: %s", status_kind(st), err.text);
    struct campaign *c = world_load(&w);
    int batch = c->targets[0].decision.batch;
    campaign_free(c);
    world_close(&w);
    return batch;
}

static void a_campaign_under_a_clock_that_goes_back(void **state)
{
    (void)state;
    assert_int_equal(chosen_of("time: virtual\ncurve: {fixed: 1ms, per_image: 1ms}\n", ST_OK), 4);
}

int main(int argc, char **argv)
{
    int served = world_serve(argc, argv);
    if (served >= 0)
        return served;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_quota_is_invalid_not_slow),
        cmocka_unit_test(the_wall_clock_is_not_used),
        cmocka_unit_test(a_machine_that_tells_nothing_stops_nothing),
        cmocka_unit_test(a_campaign_under_a_clock_that_goes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
