/* Several instances of a target side by side: what they share of a block, how they start, fail and end together,
 * and what a campaign makes of them. The workers are this program again, scripted: one of those that live takes the
 * script, the others the script with ".2" behind its name, if there is one. */
#include <fcntl.h>
#include <sys/file.h>

#include "bench/measure/block_window.h"
#include "bench/measure/execution.h"
#include "bench/measure/instances.h"
#include "bench/measure/validity.h"
#include "kernels/base/procfs.h"
#include "tests/unit/campaign_world.h"

#define MS UINT64_C(1000000)
enum { MOST = 8 };

static int serve(int argc, char **argv)
{
    static char second[128];
    if (argc != 3 || strcmp(argv[1], "--script") != 0)
        return -1;
    int fd = open(argv[2], O_RDONLY); /* held open: the lock is the process's for its life */
    snprintf(second, sizeof second, "%.120s.2", argv[2]);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0 && access(second, R_OK) == 0)
        argv[2] = second;
    return world_serve(argc, argv);
}

/* --- the window -------------------------------------------------------------------------------------------------- */

struct run {
    struct worker_run_result r;
    uint64_t ns[MOST];
};

static struct worker_run_result run_of(struct run *run, uint64_t began_ms, size_t iterations, uint64_t each_ms)
{
    for (size_t i = 0; i < iterations; i++)
        run->ns[i] = each_ms * MS;
    run->r = (struct worker_run_result){ .batch = 1, .outputs = (int)iterations, .iterations = iterations,
                                         .iteration_ns = run->ns, .start_ns = 7, .end_ns = 7 + iterations * each_ms * MS,
                                         .began_ns = began_ms * MS, .sent_ns = began_ms * MS, .times_add_up = true,
                                         .answered_ns = (began_ms + iterations * each_ms) * MS, .clocks_agree = true };
    return run->r;
}

static double rate_of(const struct block_window *w)
{
    return w->iterations / ((double)(w->end_ns - w->start_ns) / 1e9);
}

/* The rule to the letter: an iteration that crosses an edge does not count. */
static double whole_iterations(const struct worker_run_result *runs, size_t count, const struct block_window *w)
{
    double whole = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t at = runs[i].began_ns;
        for (size_t k = 0; k < runs[i].iterations; at += runs[i].iteration_ns[k++])
            whole += at >= w->start_ns && at + runs[i].iteration_ns[k] <= w->end_ns;
    }
    return whole;
}

static void assert_near(double a, double b)
{
    if (fabs(a - b) > 1e-9 * fabs(b))
        fail_msg("%.12g is not %.12g", a, b);
}

static void starts_together_count_every_iteration(void **state)
{
    (void)state;
    struct run a, b;
    struct worker_run_result runs[] = { run_of(&a, 50, 5, 100), run_of(&b, 50, 4, 125) };
    struct block_window w = block_window_of(runs, 2);
    assert_true(w.start_ns == 50 * MS && w.end_ns == 550 * MS && w.longest_ns == 500 * MS);
    assert_near(w.iterations, 9);
    assert_near(whole_iterations(runs, 2, &w), 9);
    assert_near(rate_of(&w), 10 + 8);
}

/* Two workers of 10 iterations per second each, one 30 ms late: 20 per second, whatever the block's length. */
static void a_late_start_changes_no_rate(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 5; n++) {
        struct run a, b;
        struct worker_run_result runs[] = { run_of(&a, 0, n, 100), run_of(&b, 30, n, 100) };
        struct block_window w = block_window_of(runs, 2);
        assert_true(w.start_ns == 30 * MS && w.end_ns == n * 100 * MS);
        assert_near(rate_of(&w), 20);
        double whole = whole_iterations(runs, 2, &w) / ((double)(w.end_ns - w.start_ns) / 1e9);
        assert_true(whole < 20 * 0.86); /* five: 8 in 470 ms, 17.02 */
        if (n == 1)
            assert_true(whole < 1e-12); /* the twin: no image at all in a block of one */
    }
}

static void gaps_are_spread(void **state)
{
    (void)state;
    struct run a, b;
    struct worker_run_result runs[] = { run_of(&a, 0, 5, 50), run_of(&b, 0, 5, 100) };
    runs[0].end_ns = runs[0].start_ns + 500 * MS; /* 50 ms of each 100 are not its iterations */
    struct block_window w = block_window_of(runs, 2);
    assert_near(rate_of(&w), 20);
}

static struct validity judge(const struct worker_run_result *runs, size_t count)
{
    struct telemetry_block nothing = { .cpus = 0 };
    struct block_window w = block_window_of(runs, count);
    return validity_check(&(struct validity_ask){ .telemetry = &nothing, .runs = runs, .run_count = count,
                                                  .window_ns = w.end_ns - w.start_ns, .longest_ns = w.longest_ns });
}

static void a_short_window_is_invalid(void **state)
{
    (void)state;
    static const struct { uint64_t late_ms; size_t iterations; bool hit; } rows[] = {
        { 0, 5, false }, { 250, 5, false }, { 251, 5, true }, { 400, 5, true }, { 600, 5, true }, { 0, 2, true },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct run a, b;
        struct worker_run_result runs[] = { run_of(&a, 0, 5, 100), run_of(&b, rows[i].late_ms, rows[i].iterations, 100) };
        struct validity v = judge(runs, 2);
        assert_int_equal(v.hit[VALIDITY_WINDOW], rows[i].hit);
        assert_int_equal(validity_holds(&v, true), !rows[i].hit); /* on a shared machine too */
    }
    assert_string_equal(validity_name(VALIDITY_WINDOW), "window");
    struct run one;
    struct worker_run_result alone = run_of(&one, 0, 1, 100);
    struct telemetry_block nothing = { .cpus = 0 };
    struct validity v = validity_check(&(struct validity_ask){ .telemetry = &nothing, .runs = &alone, .run_count = 1 });
    assert_true(!v.looked[VALIDITY_WINDOW] && !v.hit[VALIDITY_WINDOW]);
}

/* The clock of any instance may run ahead. */
static void every_clock_is_watched(void **state)
{
    (void)state;
    struct run a, b;
    struct worker_run_result runs[] = { run_of(&a, 0, 5, 100), run_of(&b, 0, 5, 100) };
    assert_false(judge(runs, 2).hit[VALIDITY_WORKER]);
    runs[1].end_ns += 10 * MS; /* 510 ms in 500 */
    assert_true(judge(runs, 2).hit[VALIDITY_WORKER]);
    runs[1].end_ns -= 10 * MS;
    runs[0].times_add_up = false;
    assert_true(judge(runs, 2).hit[VALIDITY_WORKER]);
}

static void merged_in_the_order_of_ends(void **state)
{
    (void)state;
    struct run a, b;
    struct worker_run_result runs[] = { run_of(&a, 0, 3, 40), run_of(&b, 10, 2, 50) }, all;
    assert_int_equal(block_window_merge(&all, runs, 2, NULL), ST_OK);
    static const uint64_t want[] = { 40, 50, 40, 50, 40 }; /* ends at 40 60 80 110 120 */
    assert_int_equal(all.iterations, 5);
    for (size_t i = 0; i < 5; i++)
        assert_true(all.iteration_ns[i] == want[i] * MS);
    assert_true(all.start_ns == 10 * MS && all.end_ns == 110 * MS && all.answered_ns == 120 * MS && all.sent_ns == 0);
    assert_int_equal(all.outputs, 5);
    assert_null(all.h2d_ns);
    worker_run_free(&all);
}

/* --- processes --------------------------------------------------------------------------------------------------- */

struct place {
    char folder[64], first[80], second[90], program[4096];
    uint64_t now_ns; /* virtual, of both workers */
};

static void put(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

/* Two instances, loaded. */
static struct instances open_two(struct place *p, const char *first, const char *second, int threads)
{
    static char flag[] = "--script";
    char *command[] = { p->program, flag, p->first, NULL };
    struct worker_start start = { .command = command, .virtual_now_ns = &p->now_ns };
    struct instances g;
    struct worker_hello hello;
    struct worker_load_result loaded;
    const struct worker_load_ask load = { .model = "toy", .shape = { 3, 4, 4 }, .precision = "f32", .device = "cpu:0" };
    struct err err = { 0 };
    p->now_ns = 0;
    strcpy(p->folder, "/tmp/bench-instances-XXXXXX");
    assert_non_null(mkdtemp(p->folder));
    snprintf(p->first, sizeof p->first, "%s/s", p->folder);
    snprintf(p->second, sizeof p->second, "%s.2", p->first);
    put(p->first, first);
    if (second)
        put(p->second, second);
    ssize_t size = readlink("/proc/self/exe", p->program, sizeof p->program - 1);
    assert_true(size > 0);
    p->program[size] = 0;
    if (instances_open(&g, &start, 2, threads, &err) != ST_OK || instances_hello(&g, &hello, &err) != ST_OK ||
        instances_load(&g, &load, &loaded, &err) != ST_OK)
        fail_msg("%s", err.text);
    return g;
}

static void close_two(struct place *p, struct instances *g)
{
    instances_close(g);
    unlink(p->first);
    unlink(p->second);
    assert_int_equal(rmdir(p->folder), 0);
}

static void sums_and_longest(void **state)
{
    (void)state;
    struct place p;
    struct instances g = open_two(&p, "{time: virtual, prepare: 5ms, curve: {fixed: 4ms, per_image: 6ms}, "
                                      "memory: {fixed: 100MiB, per_image: 10MiB}, telemetry: {energy_uj: 2000000}}",
                                  "{time: virtual, prepare: 9ms, curve: {fixed: 8ms, per_image: 12ms}, "
                                  "memory: {fixed: 100MiB, per_image: 20MiB}, telemetry: {energy_uj: 2000500}}", 0);
    struct worker_prepare_result prepared;
    struct worker_memory_result memory;
    struct worker_run_result runs[2];
    struct telemetry_block machine;
    const struct worker_run_ask ask = { .batch = 2, .min_ns = 100 * MS, .min_iterations = 3, .max_iterations = 50 };
    double number;
    assert_int_equal(instances_prepare(&g, 2, &prepared, NULL), ST_OK);
    assert_true(prepared.prepare_ns == 9 * MS && prepared.first_run_ns == 32 * MS);
    assert_true(prepared.planned_activations_bytes == 60 << 20);
    assert_int_equal(instances_memory(&g, &memory, NULL), ST_OK);
    assert_true(memory.peak_bytes == (UINT64_C(120) << 20) + (140 << 20));
    assert_int_equal(instances_run(&g, &ask, runs, &machine, 60 * WORKER_S, NULL), ST_OK);
    const struct worker_run_result *fast = &runs[runs[0].iterations != 7], *slow = &runs[runs[0].iterations == 7];
    assert_true(fast->iterations == 7 && slow->iterations == 4); /* 16 ms, 32 ms */
    assert_true(fast->began_ns == slow->began_ns);               /* virtual time passes once, not twice */
    assert_true(fast->answered_ns - fast->sent_ns == 112 * MS && slow->answered_ns - slow->sent_ns == 128 * MS);
    assert_true(p.now_ns - fast->sent_ns == 128 * MS);
    struct block_window w = block_window_of(runs, 2);
    assert_near(w.iterations, 7 + 3.5);
    assert_near(2 * rate_of(&w), 125 + 62.5); /* what was measured, not twice the rate of one */
    assert_true(telemetry_get(&number, &machine, TELEMETRY_ENERGY_UJ));
    assert_near(number, 2000500); /* of the machine: the most, no sum */
    worker_run_free(&runs[0]);
    worker_run_free(&runs[1]);
    assert_int_equal(instances_release(&g, 2, NULL), ST_OK);
    assert_true(instances_alive(&g));
    close_two(&p, &g);
}

/* What one cannot prepare is prepared in none: it can be asked again, and the other sizes go on. */
static void a_size_that_does_not_fit_in_one(void **state)
{
    (void)state;
    struct place p;
    struct instances g = open_two(&p, "{time: virtual}", "{time: virtual, memory: {fails: [4]}}", 0);
    struct worker_prepare_result prepared;
    struct err err = { 0 };
    for (int i = 0; i < 2; i++) {
        assert_int_equal(instances_prepare(&g, 4, &prepared, &err), ST_OUT_OF_MEMORY);
        assert_non_null(strstr(err.text, "batch 4"));
        assert_true(prepared.prepare_ns == 0 && instances_alive(&g));
        assert_true(status_is_of_worker(ST_OUT_OF_MEMORY, &err));
    }
    err_set(&err, ST_OUT_OF_MEMORY, "no memory for the history"); /* our own is no fault of a size */
    assert_false(status_is_of_worker(ST_OUT_OF_MEMORY, &err));
    err_set(&err, ST_INTERNAL, "the store is out of memory");
    assert_false(status_is_of_worker(ST_INTERNAL, &err));
    assert_true(status_is_of_worker(ST_CRASHED, &err));
    assert_int_equal(instances_prepare(&g, 2, &prepared, &err), ST_OK);
    close_two(&p, &g);
}

static void one_death_ends_all(void **state)
{
    (void)state;
    struct place p;
    struct instances g = open_two(&p, "{time: virtual}", "{time: virtual, faults: [{at: run, call: 2, do: kill}]}", 0);
    struct worker_prepare_result prepared;
    struct worker_run_result runs[2];
    const struct worker_run_ask ask = { .batch = 1, .min_iterations = 2, .max_iterations = 2 };
    struct err err = { 0 };
    assert_int_equal(instances_prepare(&g, 1, &prepared, NULL), ST_OK);
    assert_int_equal(instances_run(&g, &ask, runs, NULL, 60 * WORKER_S, NULL), ST_OK);
    worker_run_free(&runs[0]);
    worker_run_free(&runs[1]);
    assert_int_equal(instances_run(&g, &ask, runs, NULL, 60 * WORKER_S, &err), ST_CRASHED);
    assert_non_null(strstr(err.text, "signal 9"));
    assert_false(instances_alive(&g) || worker_alive(g.workers[0]) || worker_alive(g.workers[1]));
    const struct worker *other = g.workers[g.ended == g.workers[0]];
    assert_true(worker_end_of(g.ended).by_signal && !worker_end_of(g.ended).killed_by_us);
    assert_true(worker_end_of(other).killed_by_us);
    assert_int_equal(instances_run(&g, &ask, runs, NULL, 60 * WORKER_S, &err), ST_CRASHED);
    close_two(&p, &g);
}

static size_t allowed(bool *cpus, pid_t pid)
{
    char path[64], text[4096], list[512] = "";
    snprintf(path, sizeof path, "/proc/%ld/status", (long)pid);
    assert_true(procfs_read(text, sizeof text, NULL, path));
    assert_true(procfs_find_text(list, sizeof list, text, "Cpus_allowed_list"));
    return procfs_cpu_list(cpus, 1024, list);
}

/* In real time: blocks of 5 x 20 ms that begin together, on one CPU each. */
static void real_processes_run_together(void **state)
{
    (void)state;
    cpu_set_t ours;
    struct place p;
    sched_getaffinity(0, sizeof ours, &ours);
    if (CPU_COUNT(&ours) < 2)
        skip();
    struct instances g = open_two(&p, "{time: real, load: 0ms, prepare: 0ms, curve: {fixed: 20ms, per_image: 0ms}}", NULL, 1);
    bool cpus[2][1024] = { { false } };
    for (int i = 0; i < 2; i++)
        assert_int_equal(allowed(cpus[i], worker_pid(g.workers[i])), 1);
    for (size_t k = 0; k < 1024; k++)
        assert_false(cpus[0][k] && cpus[1][k]);
    struct worker_prepare_result prepared;
    struct worker_run_result runs[2];
    const struct worker_run_ask ask = { .batch = 1, .min_iterations = 5, .max_iterations = 5 };
    assert_int_equal(instances_prepare(&g, 1, &prepared, NULL), ST_OK);
    assert_int_equal(instances_run(&g, &ask, runs, NULL, 60 * WORKER_S, NULL), ST_OK);
    struct block_window w = block_window_of(runs, 2);
    assert_true(w.end_ns > w.start_ns);
    assert_true(w.iterations > 5); /* one after the other would have no time in common */
    assert_true(runs[0].began_ns == runs[0].start_ns && runs[1].began_ns == runs[1].start_ns); /* one clock */
    worker_run_free(&runs[0]);
    worker_run_free(&runs[1]);
    close_two(&p, &g);
}

static void too_few_cpus_are_refused(void **state)
{
    (void)state;
    static char program[] = "/bin/false";
    char *command[] = { program, NULL };
    const struct worker_start start = { .command = command };
    cpu_set_t ours;
    struct instances g;
    struct err err = { 0 };
    sched_getaffinity(0, sizeof ours, &ours);
    assert_int_equal(instances_open(&g, &start, 2, CPU_COUNT(&ours), &err), ST_USAGE);
    assert_non_null(strstr(err.text, "2 instances"));
    assert_int_equal(g.count, 0);
}

/* --- a campaign -------------------------------------------------------------------------------------------------- */

static void write_second(const struct world *w, const char *script)
{
    char path[112];
    snprintf(path, sizeof path, "%s.2", w->script);
    put(path, script);
}

static void a_campaign_measures_the_sum(void **state)
{
    (void)state;
    struct world w;
    struct err err = { 0 };
    const int sizes[] = { 1, 2 };
    world_open(&w, "time: virtual\ncurve: {fixed: 4ms, per_image: 6ms}\nmemory: {fixed: 10MiB, per_image: 1MiB}\n", 1);
    write_second(&w, "time: virtual\ncurve: {fixed: 8ms, per_image: 12ms}\nmemory: {fixed: 10MiB, per_image: 1MiB}\n");
    world_give(&w, sizes, 2);
    w.target[0].instances = 2;
    snprintf(w.target[0].key, sizeof w.target[0].key, "toy|scripted|cpu:0|f32|1|2|3x32x32|e2e");
    cpu_set_t ours;
    sched_getaffinity(0, sizeof ours, &ours);
    if (CPU_COUNT(&ours) < 2) {
        assert_int_equal(world_run(&w, &err), ST_USAGE);
    } else {
        enum status st = world_run(&w, &err);
        if (st != ST_OK)
            fail_msg("%s", err.text);
        struct campaign *c = world_load(&w);
        const struct target_view *t = &c->targets[0];
        assert_near(exp(world_point(t, 1)->estimate.y), 100 + 50);
        assert_near(exp(world_point(t, 2)->estimate.y), 125 + 62.5);
        assert_true(world_point(t, 2)->prepared.peak_bytes == 24 << 20);
        assert_int_equal(t->decision.batch, 2);
        campaign_free(c);
    }
    world_close(&w);
}

int main(int argc, char **argv)
{
    int served = serve(argc, argv);
    if (served >= 0)
        return served;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_together_count_every_iteration),
        cmocka_unit_test(a_late_start_changes_no_rate),
        cmocka_unit_test(gaps_are_spread),
        cmocka_unit_test(a_short_window_is_invalid),
        cmocka_unit_test(every_clock_is_watched),
        cmocka_unit_test(merged_in_the_order_of_ends),
        cmocka_unit_test(sums_and_longest),
        cmocka_unit_test(a_size_that_does_not_fit_in_one),
        cmocka_unit_test(one_death_ends_all),
        cmocka_unit_test(real_processes_run_together),
        cmocka_unit_test(too_few_cpus_are_refused),
        cmocka_unit_test(a_campaign_measures_the_sum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
