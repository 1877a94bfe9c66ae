/* The client of a worker, against real processes: this program started again as a scripted worker (`--worker SCRIPT`),
 * and small shell scripts that answer what no honest worker would. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/measure/worker.h"
#include "kernels/base/npy.h"
#include "kernels/worker/scripted.h"
#include "kernels/worker/server.h"

#define SHORT_NS (WORKER_S / 3)
#define LONG_NS (60 * WORKER_S)

struct place {
    char folder[64], script[96], log[96], output[96];
};

static int make_place(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    strcpy(p->folder, "/tmp/bench-client-XXXXXX");
    if (!mkdtemp(p->folder))
        return -1;
    snprintf(p->script, sizeof p->script, "%s/s.yaml", p->folder);
    snprintf(p->log, sizeof p->log, "%s/log", p->folder);
    snprintf(p->output, sizeof p->output, "%s/o.npy", p->folder);
    *state = p;
    return 0;
}

static int drop_place(void **state)
{
    struct place *p = *state;
    unlink(p->script);
    unlink(p->log);
    unlink(p->output);
    int left = rmdir(p->folder);
    free(p);
    return left;
}

static void put_script(const struct place *p, const char *text)
{
    FILE *file = fopen(p->script, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* A scripted worker, greeted. */
static struct worker *open_scripted(struct place *p, const char *script, struct worker_start start)
{
    char self[] = "/proc/self/exe", option[] = "--worker", program[4096] = "";
    char *command[] = { program, option, p->script, NULL };
    struct worker *w;
    struct worker_hello hello;
    struct err err = { 0 };
    assert_true(readlink(self, program, sizeof program - 1) > 0);
    put_script(p, script);
    start.command = command;
    if (worker_open(&w, &start, &err) != ST_OK || worker_hello(w, &hello, LONG_NS, &err) != ST_OK)
        fail_msg("%s", err.text);
    assert_string_equal(hello.engine, "scripted");
    return w;
}

/* The same with a small model loaded and batch 2 prepared. */
static struct worker *open_prepared(struct place *p, const char *script, struct worker_start start)
{
    struct worker *w = open_scripted(p, script, start);
    const struct worker_load_ask ask = { .model = "x", .shape = { 3, 4, 4 }, .seed = 1 };
    struct worker_load_result loaded;
    struct worker_prepare_result prepared;
    assert_int_equal(worker_load(w, &ask, &loaded, LONG_NS, NULL), ST_OK);
    assert_int_equal(loaded.output_shape[1], 4);
    assert_int_equal(strlen(loaded.model_sha256), 64);
    assert_int_equal(worker_prepare(w, 2, &prepared, LONG_NS, NULL), ST_OK);
    return w;
}

static enum status run_two(struct worker *w, struct worker_run_result *r, uint64_t deadline_ns, struct err *err)
{
    const struct worker_run_ask ask = { .batch = 2, .min_iterations = 3, .max_iterations = 3, .unmeasured = 1 };
    return worker_run(w, &ask, r, deadline_ns, err);
}

static const struct worker_start plain;

/* --- a good worker --- */

static void every_operation_gives_its_numbers(void **state)
{
    struct place *p = *state;
    struct worker *w = open_prepared(p, "{stages: {h2d: 5%, d2h: 5%}, layers: [{name: a, share: 100%}],"
                                        " telemetry: {steal: 0.25}}", plain);
    struct worker_run_result r;
    assert_true(worker_is_virtual(w));
    assert_int_equal(run_two(w, &r, LONG_NS, NULL), ST_OK);
    assert_int_equal(r.iterations, 3);
    assert_int_equal(r.outputs, 6);
    assert_int_equal(r.iteration_ns[2], 20000000);
    assert_true(r.h2d_ns[2] + r.compute_ns[2] + r.d2h_ns[2] <= 20000000 && r.compute_ns[2] > 17000000);
    assert_int_equal(r.end_ns - r.start_ns, 60000000);
    assert_int_equal(r.answered_ns - r.sent_ns, 80000000); /* by the virtual clock: the unmeasured one too */
    assert_true(r.times_add_up);
    assert_true(json_real_value(json_object_get(r.telemetry, "steal")) == 0.25);
    worker_run_free(&r);
    assert_null(r.iteration_ns);
    struct worker_memory_result memory;
    assert_int_equal(worker_memory(w, &memory, LONG_NS, NULL), ST_OK);
    assert_int_equal(memory.current_bytes, 120 * 1048576);
    const struct worker_image images[2] = { { .seed = 1 }, { .seed = 2 } };
    struct npy n;
    assert_int_equal(worker_output(w, 2, images, p->output, LONG_NS, NULL), ST_OK);
    assert_int_equal(npy_read(&n, p->output, NULL), ST_OK);
    assert_int_equal(n.dims[0], 2);
    npy_free(&n);
    struct worker_profile_result profile;
    assert_int_equal(worker_profile(w, 2, 1, &profile, LONG_NS, NULL), ST_OK);
    assert_int_equal(profile.count, 1);
    assert_string_equal(profile.layers[0].name, "a");
    assert_int_equal(profile.layers[0].ns, 20000000);
    worker_profile_free(&profile);
    assert_int_equal(worker_release(w, 2, LONG_NS, NULL), ST_OK);
    assert_int_equal(worker_quit(w, LONG_NS, NULL), ST_OK);
    assert_false(worker_alive(w));
    const struct worker_end end = worker_end_of(w);
    assert_true(end.ended && !end.by_signal && end.code == 0 && !end.killed_by_us && end.peak_rss_bytes > 0);
    worker_close(w);
}

static void errors_of_a_request_leave_it_alive(void **state)
{
    struct worker *w = open_prepared(*state, "{memory: {fails: [16]}, faults: [{at: run, do: short}]}", plain);
    struct worker_prepare_result prepared;
    struct worker_run_result r;
    struct err err = { 0 };
    assert_int_equal(worker_prepare(w, 16, &prepared, LONG_NS, &err), ST_OUT_OF_MEMORY);
    assert_non_null(strstr(err.text, "batch 16 needs"));
    assert_int_equal(worker_prepare(w, 5000, &prepared, LONG_NS, &err), ST_INVALID);
    assert_int_equal(worker_release(w, 3, LONG_NS, &err), ST_INVALID);
    assert_int_equal(run_two(w, &r, LONG_NS, &err), ST_WRONG_OUTPUT);
    worker_run_free(&r);
    assert_int_equal(run_two(w, &r, LONG_NS, &err), ST_OK);
    worker_run_free(&r);
    assert_true(worker_alive(w));
    assert_false(worker_end_of(w).ended);
    worker_close(w);
}

static void virtual_time_is_the_callers(void **state)
{
    uint64_t now_ns = 7 * WORKER_S;
    const struct worker_start start = { .virtual_now_ns = &now_ns };
    for (int life = 0; life < 2; life++) { /* a second worker goes on where the first stopped */
        uint64_t before_ns = now_ns;
        struct worker *w = open_prepared(*state, "{}", start);
        assert_int_equal(now_ns - before_ns, 75000000); /* load 50 ms, prepare 5 ms, first iteration 20 ms */
        struct clock clk = worker_clock(w);
        assert_int_equal(clock_now_ns(&clk), now_ns);
        worker_close(w);
    }
}

/* --- lies --- */

static void amounts_that_were_not_asked_for_are_wrong_output(void **state)
{
    struct worker *w = open_prepared(*state, "faults: [{at: run, call: 1, do: claim_outputs},"
                                             " {at: run, call: 2, do: claim_batch}]", plain);
    struct worker_run_result r;
    struct err err = { 0 };
    assert_int_equal(run_two(w, &r, LONG_NS, &err), ST_WRONG_OUTPUT);
    assert_int_equal(r.outputs, 5);
    assert_non_null(strstr(err.text, "give 6 images, it says 5"));
    assert_null(r.iteration_ns);
    assert_int_equal(run_two(w, &r, LONG_NS, &err), ST_WRONG_OUTPUT);
    assert_int_equal(r.batch, 3);
    assert_int_equal(run_two(w, &r, LONG_NS, &err), ST_OK);
    worker_run_free(&r);
    worker_close(w);
}

static void times_that_do_not_add_up_are_marked(void **state)
{
    struct worker *w = open_prepared(*state, "faults: [{at: run, do: claim_time}]", plain);
    struct worker_run_result r;
    assert_int_equal(run_two(w, &r, LONG_NS, NULL), ST_OK);
    assert_false(r.times_add_up);
    worker_run_free(&r);
    worker_close(w);
}

static void a_count_that_is_not_there_breaks_the_answer(void **state)
{
    struct worker *w = open_prepared(*state, "faults: [{at: run, do: claim_count}]", plain);
    struct worker_run_result r;
    struct err err = { 0 };
    assert_int_equal(run_two(w, &r, LONG_NS, &err), ST_CRASHED);
    assert_non_null(strstr(err.text, "breaks the protocol"));
    assert_false(worker_alive(w));
    assert_true(worker_end_of(w).killed_by_us);
    worker_close(w);
}

/* --- ends --- */

static void ends_are_typed(void **state)
{
    static const struct {
        const char *script;
        bool by_signal;
        int code;
        const char *says;
    } rows[] = {
        { "faults: [{at: run, do: crash}]", true, SIGSEGV, "signal 11" },
        { "faults: [{at: run, do: crash, signal: 6}]", true, SIGABRT, "signal 6" },
        { "faults: [{at: run, do: exit, code: 7}]", false, 7, "exit status 7" },
        { "faults: [{at: run, do: exit, code: 0}]", false, 0, "exit status 0" },
        { "faults: [{at: iteration, call: 3, do: kill}]", true, SIGKILL, "signal 9" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct worker *w = open_prepared(*state, rows[i].script, plain);
        struct worker_run_result r;
        struct err err = { 0 };
        assert_int_equal(run_two(w, &r, LONG_NS, &err), ST_CRASHED);
        assert_non_null(strstr(err.text, rows[i].says));
        const struct worker_end end = worker_end_of(w);
        assert_true(end.ended && !end.killed_by_us && !end.out_of_memory_killer);
        assert_int_equal(end.by_signal, rows[i].by_signal);
        assert_int_equal(end.code, rows[i].code);
        assert_int_equal(run_two(w, &r, LONG_NS, &err), ST_CRASHED); /* and it stays dead */
        worker_close(w);
    }
}

static void a_kill_near_the_limit_is_the_out_of_memory_killer(void **state)
{
    static const char *const scripts[] = { "{memory: {limit: 110MiB, on_limit: kill, hold: 96MiB}}",
                                           "{memory: {limit: 110MiB, on_limit: kill}}" };
    const struct worker_start start = { .memory_limit_bytes = (uint64_t)100 << 20 };
    for (int i = 0; i < 2; i++) { /* the second holds nothing: killed by somebody else */
        struct worker *w = open_scripted(*state, scripts[i], start);
        const struct worker_load_ask ask = { .model = "x" };
        struct worker_load_result loaded;
        struct worker_prepare_result prepared;
        struct err err = { 0 };
        assert_int_equal(worker_load(w, &ask, &loaded, LONG_NS, NULL), ST_OK);
        assert_int_equal(worker_prepare(w, 2, &prepared, LONG_NS, &err), ST_CRASHED);
        assert_int_equal(worker_end_of(w).code, SIGKILL);
        assert_int_equal(worker_end_of(w).out_of_memory_killer, i == 0);
        assert_int_equal(strstr(err.text, "out-of-memory killer") != NULL, i == 0);
        worker_close(w);
    }
}

static void garbage_is_a_crash(void **state)
{
    struct worker *w = open_prepared(*state, "faults: [{at: run, do: garbage, text: 'Loading model...'}]", plain);
    struct worker_run_result r;
    struct err err = { 0 };
    assert_int_equal(run_two(w, &r, LONG_NS, &err), ST_CRASHED);
    assert_non_null(strstr(err.text, "no JSON (\"Loading model...\")"));
    assert_true(worker_end_of(w).killed_by_us);
    worker_close(w);
}

static void a_lost_device_ends_the_worker(void **state)
{
    struct worker *w = open_prepared(*state, "faults: [{at: run, do: error, kind: device_lost, message: gone}]", plain);
    struct worker_run_result r;
    struct err err = { 0 };
    assert_int_equal(run_two(w, &r, LONG_NS, &err), ST_DEVICE_LOST);
    assert_non_null(strstr(err.text, "gone"));
    assert_false(worker_alive(w));
    const struct worker_end end = worker_end_of(w);
    assert_true(end.ended && !end.killed_by_us && !end.by_signal && end.code != 0);
    worker_close(w);
}

/* --- deadlines and interrupts --- */

static double seconds_since(uint64_t start_ns)
{
    const struct clock clk = clock_system();
    return (double)(clock_now_ns(&clk) - start_ns) / (double)WORKER_S;
}

static uint64_t now(void)
{
    const struct clock clk = clock_system();
    return clock_now_ns(&clk);
}

static void silence_is_ended_after_the_deadline(void **state)
{
    static const struct {
        const char *script;
        int signal;
        double least_s; /* SIGKILL comes 2 s after SIGTERM, not before */
    } rows[] = {
        { "{time: real, load: 1ms, curve: {per_image: 1ms}, faults: [{at: run, do: hang}]}", SIGTERM, 0.3 },
        { "{time: real, load: 1ms, curve: {per_image: 1ms}, faults: [{at: run, do: stubborn}]}", SIGKILL, 2.3 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct worker *w = open_prepared(*state, rows[i].script, plain);
        struct worker_run_result r;
        struct err err = { 0 };
        uint64_t start_ns = now();
        assert_int_equal(run_two(w, &r, SHORT_NS, &err), ST_HUNG);
        assert_true(seconds_since(start_ns) > rows[i].least_s);
        assert_non_null(strstr(err.text, "no answer to run within 0.33"));
        const struct worker_end end = worker_end_of(w);
        assert_true(end.ended && end.killed_by_us && end.by_signal && !end.out_of_memory_killer);
        assert_int_equal(end.code, rows[i].signal);
        worker_close(w);
    }
}

static void deadlines_count_in_virtual_time(void **state)
{
    uint64_t now_ns = 0;
    const struct worker_start start = { .virtual_now_ns = &now_ns };
    struct worker *w = open_prepared(*state, "faults: [{at: run, call: 2, do: hang, lasts: 1h}]", start);
    struct worker_run_result r;
    uint64_t real_ns = now();
    assert_int_equal(run_two(w, &r, 80000000, NULL), ST_OK); /* exactly as long as it takes */
    worker_run_free(&r);
    uint64_t before_ns = now_ns;
    assert_int_equal(run_two(w, &r, 600 * WORKER_S, NULL), ST_HUNG);
    assert_int_equal(now_ns - before_ns, 600 * WORKER_S);
    assert_true(seconds_since(real_ns) < 10); /* nobody waited ten minutes */
    assert_true(worker_end_of(w).killed_by_us);
    worker_close(w);
}

static volatile sig_atomic_t interrupted; /* a signal handler can only write to such a one */

static void on_alarm(int number)
{
    (void)number;
    interrupted = 1;
}

static void an_interrupt_ends_any_wait(void **state)
{
    const struct worker_start start = { .interrupt = &interrupted };
    struct worker *w = open_prepared(*state, "{time: real, load: 1ms, curve: {per_image: 1ms}, faults: [{at: run, do: hang}]}",
                                     start);
    struct worker_run_result r;
    struct sigaction old, action = { .sa_handler = on_alarm };
    sigaction(SIGALRM, &action, &old);
    uint64_t start_ns = now();
    ualarm(100000, 0);
    assert_int_equal(run_two(w, &r, LONG_NS, NULL), ST_INTERRUPTED);
    assert_true(seconds_since(start_ns) < 5);
    assert_false(worker_alive(w));
    worker_close(w);
    assert_true(seconds_since(start_ns) < 10);
    interrupted = 0;
    sigaction(SIGALRM, &old, NULL);
}

static void the_end_of_the_time_ends_any_wait(void **state)
{
    const uint64_t start_ns = now();
    const struct worker_start start = { .give_up_ns = start_ns + WORKER_S };
    struct worker *w = open_prepared(*state, "{time: real, load: 1ms, curve: {per_image: 1ms}, faults: [{at: run, do: hang}]}",
                                     start);
    struct worker_run_result r;
    struct err err = { 0 };
    assert_int_equal(run_two(w, &r, LONG_NS, &err), ST_INTERRUPTED);
    assert_non_null(strstr(err.text, "the time was used up"));
    assert_in_range((uintmax_t)(10 * seconds_since(start_ns)), 10, 50);
    assert_false(worker_alive(w));
    worker_close(w);
}

static void close_ends_whole_groups(void **state)
{
    struct place *p = *state;
    char shell[] = "/bin/sh", flag[] = "-c", line[256];
    char *command[] = { shell, flag, line, NULL };
    const struct worker_start start = { .command = command };
    struct worker *w;
    struct err err = { 0 };
    struct worker_hello hello;
    snprintf(line, sizeof line, "sleep 600 & echo $! >%s; wait", p->output);
    assert_int_equal(worker_open(&w, &start, NULL), ST_OK);
    assert_int_equal(worker_hello(w, &hello, SHORT_NS, &err), ST_HUNG);
    worker_close(w);
    FILE *file = fopen(p->output, "r");
    int pid = 0;
    assert_int_equal(fscanf(file, "%d", &pid), 1);
    fclose(file);
    for (int i = 0; i < 100 && kill(pid, 0) == 0; i++) { /* an orphan is reaped by whoever inherited it */
        char path[64], state_of[256] = "";
        snprintf(path, sizeof path, "/proc/%d/stat", pid);
        FILE *stat = fopen(path, "r");
        if (stat && fgets(state_of, sizeof state_of, stat) && strstr(state_of, ") Z"))
            i = 100; /* dead, only not collected */
        if (stat)
            fclose(stat);
        usleep(20000);
        assert_true(i != 99);
    }
}

/* --- what is no worker --- */

static enum status hello_of(const char *text, const char *log, char *says, size_t size)
{
    char shell[] = "/bin/sh", flag[] = "-c", line[2048];
    char *command[] = { shell, flag, line, NULL };
    const struct worker_start start = { .command = command, .log_path = log };
    struct worker *w;
    struct worker_hello hello;
    struct err err = { 0 };
    snprintf(line, sizeof line, "%s", text);
    enum status st = worker_open(&w, &start, &err);
    if (st == ST_OK) {
        st = worker_hello(w, &hello, 20 * WORKER_S, &err);
        if (st != ST_OK)
            assert_int_equal(hello.device_count + hello.version_count, 0);
    }
    worker_close(w);
    snprintf(says, size, "%s", err.text);
    return st;
}

#define GOOD "\"protocol\":1,\"engine\":\"e\",\"versions\":{},\"devices\":[],\"precisions\":[\"f32\"],\"can\":[]"

static void broken_answers_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        enum status want;
        const char *says;
    } rows[] = {
        { "{\"id\":1,\"ok\":true," GOOD "}", ST_OK, "" },
        { "{\"id\":1,\"ok\":true,\"new\":[1]," GOOD "}", ST_OK, "" },
        { "{\"id\":2,\"ok\":true," GOOD "}", ST_CRASHED, "id of the request" },
        { "{\"id\":\"1\",\"ok\":true," GOOD "}", ST_CRASHED, "id of the request" },
        { "{\"id\":1,\"ok\":1," GOOD "}", ST_CRASHED, "neither true nor false" },
        { "[]", ST_CRASHED, "id of the request" },
        { "", ST_CRASHED, "no JSON" },
        { "{\"id\":1,\"ok\":true}", ST_CRASHED, "hello.protocol must be" },
        { "{\"id\":1,\"ok\":true,\"protocol\":2,\"engine\":\"e\"}", ST_CRASHED, "hello.protocol must be" },
        { "{\"id\":1,\"ok\":true,\"protocol\":1,\"engine\":5}", ST_CRASHED, "hello.engine must be a text" },
        { "{\"id\":1,\"ok\":true,\"protocol\":1,\"engine\":\"e\",\"versions\":[]}", ST_CRASHED, "hello.versions" },
        { "{\"id\":1,\"ok\":true,\"protocol\":1,\"engine\":\"e\",\"versions\":{},\"devices\":[{\"id\":\"cpu:0\","
          "\"name\":\"n\",\"memory_bytes\":-1}]}", ST_CRASHED, "memory_bytes" },
        { "{\"id\":1,\"ok\":true,\"protocol\":1,\"engine\":\"e\",\"versions\":{},\"devices\":[],\"precisions\":[1],"
          "\"can\":[]}", ST_CRASHED, "precisions must hold texts" },
        { "{\"id\":1,\"ok\":false}", ST_CRASHED, "without error.kind" },
        { "{\"id\":1,\"ok\":false,\"error\":{\"kind\":\"hung\",\"message\":\"m\"}}", ST_CRASHED, "none of the protocol" },
        { "{\"id\":1,\"ok\":false,\"error\":{\"kind\":\"environment\",\"message\":\"no driver\"}}", ST_ENVIRONMENT,
          "no driver" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char line[1024], says[1024];
        snprintf(line, sizeof line, "read request; echo '%s'; read more", rows[i].answer);
        enum status st = hello_of(line, NULL, says, sizeof says);
        if (st != rows[i].want || !strstr(says, rows[i].says))
            fail_msg("%s: %s: %s", rows[i].answer, status_kind(st), says);
    }
}

static void half_an_answer_is_a_crash(void **state)
{
    (void)state;
    char says[1024];
    assert_int_equal(hello_of("read x; printf '{\"id\":1,\"ok\":tr'; exit 3", NULL, says, sizeof says), ST_CRASHED);
    assert_non_null(strstr(says, "exit status 3"));
}

static void the_last_lines_of_stderr_are_kept(void **state)
{
    struct place *p = *state;
    char says[1024], shell[] = "/bin/sh", flag[] = "-c", line[] = "i=0; while [ $i -lt 30 ]; do i=$((i+1)); echo line $i "
                                                                  ">&2; done; printf 'no newline' >&2; exit 1";
    char *command[] = { shell, flag, line, NULL };
    const struct worker_start start = { .command = command, .log_path = p->log };
    struct worker *w;
    struct worker_hello hello;
    struct err err = { 0 };
    assert_int_equal(worker_open(&w, &start, NULL), ST_OK);
    assert_int_equal(worker_hello(w, &hello, LONG_NS, &err), ST_CRASHED);
    assert_non_null(strstr(err.text, "it said: no newline"));
    const char *tail = worker_stderr(w);
    assert_int_equal(strncmp(tail, "line 12\nline 13\n", 16), 0); /* 19 of the 30, and the one without an end */
    assert_non_null(strstr(tail, "\nline 30\nno newline"));
    worker_close(w);
    struct stat info;
    assert_int_equal(stat(p->log, &info), 0);
    assert_int_equal(info.st_size, 9 * 7 + 21 * 8 + 10); /* all of it is in the log */
    assert_int_equal(hello_of("echo more >&2", p->log, says, sizeof says), ST_CRASHED);
    assert_int_equal(stat(p->log, &info), 0);
    assert_int_equal(info.st_size, 9 * 7 + 21 * 8 + 10 + 5);
}

static void much_stderr_does_not_block(void **state)
{
    (void)state;
    char says[1024];
    assert_int_equal(hello_of("read x; head -c 1000000 /dev/zero | tr '\\0' 'x' >&2; echo '{\"id\":1,\"ok\":true," GOOD "}'; read y",
                              NULL, says, sizeof says), ST_OK);
}

static void commands_that_cannot_start_are_the_environment(void **state)
{
    struct place *p = *state;
    char missing[] = "/nonexistent/worker", folder[64], data[96];
    char *command[] = { missing, NULL }, *none[] = { NULL };
    struct worker_start start = { .command = command };
    struct worker *w;
    struct err err = { 0 };
    assert_int_equal(worker_open(&w, &start, &err), ST_ENVIRONMENT);
    assert_null(w);
    assert_non_null(strstr(err.text, missing));
    strcpy(folder, p->folder);
    command[0] = folder;
    assert_int_equal(worker_open(&w, &start, NULL), ST_ENVIRONMENT);
    put_script(p, "not a program\n");
    strcpy(data, p->script);
    command[0] = data;
    assert_int_equal(worker_open(&w, &start, NULL), ST_ENVIRONMENT);
    chmod(data, 0755); /* executable, but nothing that can be executed */
    assert_int_equal(worker_open(&w, &start, &err), ST_ENVIRONMENT);
    assert_non_null(strstr(err.text, "cannot be started"));
    char shell[] = "/bin/sh";
    command[0] = shell;
    start.folder = "/nonexistent";
    assert_int_equal(worker_open(&w, &start, NULL), ST_ENVIRONMENT);
    start.folder = NULL;
    start.log_path = "/nonexistent/log";
    assert_int_equal(worker_open(&w, &start, NULL), ST_IO);
    start.command = none;
    assert_int_equal(worker_open(&w, &start, NULL), ST_ENVIRONMENT);
}

static void folder_and_environment_reach_the_worker(void **state)
{
    struct place *p = *state;
    char shell[] = "/bin/sh", flag[] = "-c", line[] = "pwd >&2; echo $BENCH_A-$BENCH_B-$HOME >&2; exit 1";
    char *command[] = { shell, flag, line, NULL };
    const char *const environment[] = { "BENCH_A=one", "BENCH_B=two", "HOME=three", NULL };
    const struct worker_start start = { .command = command, .folder = p->folder, .environment = environment };
    struct worker *w;
    struct worker_hello hello;
    char want[128];
    assert_int_equal(worker_open(&w, &start, NULL), ST_OK);
    assert_int_equal(worker_hello(w, &hello, LONG_NS, NULL), ST_CRASHED);
    snprintf(want, sizeof want, "%s\none-two-three", p->folder);
    assert_string_equal(worker_stderr(w), want);
    worker_close(w);
}

static int be_worker(const char *script)
{
    struct scripted_context context = { .script_path = script, .answer_fd = worker_take_stdout() };
    struct engine engine = scripted_engine;
    engine.context = &context;
    return worker_serve(&engine, context.answer_fd);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, make_place, drop_place)

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--worker") == 0)
        return be_worker(argv[2]);
    const struct CMUnitTest tests[] = {
        STORY(every_operation_gives_its_numbers),
        STORY(errors_of_a_request_leave_it_alive),
        STORY(virtual_time_is_the_callers),
        STORY(amounts_that_were_not_asked_for_are_wrong_output),
        STORY(times_that_do_not_add_up_are_marked),
        STORY(a_count_that_is_not_there_breaks_the_answer),
        STORY(ends_are_typed),
        STORY(a_kill_near_the_limit_is_the_out_of_memory_killer),
        STORY(garbage_is_a_crash),
        STORY(a_lost_device_ends_the_worker),
        STORY(silence_is_ended_after_the_deadline),
        STORY(deadlines_count_in_virtual_time),
        STORY(an_interrupt_ends_any_wait),
        STORY(the_end_of_the_time_ends_any_wait),
        STORY(close_ends_whole_groups),
        STORY(broken_answers_are_refused),
        STORY(half_an_answer_is_a_crash),
        STORY(the_last_lines_of_stderr_are_kept),
        STORY(much_stderr_does_not_block),
        STORY(commands_that_cannot_start_are_the_environment),
        STORY(folder_and_environment_reach_the_worker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
