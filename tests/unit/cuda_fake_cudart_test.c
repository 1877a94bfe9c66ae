/* The fake CUDA runtime: it must refuse and show what a device would, or the engine's tests on it prove
 * nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <cuda_runtime_api.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernels/cuda/faults/errors.h"
#include "tests/gpu/fake/cudart.h"

#define OK(call) assert_int_equal(call, cudaSuccess)

static int restart(void **state)
{
    (void)state;
    fake_cudart_restart("memory=64MiB context=8MiB foreign=4MiB");
    return 0;
}

/* dst[i] = 2 * src[i] + add, on the stream. */
struct twice { float *dst; const float *src; size_t count; float add; };

static void run_twice(void *argument)
{
    const struct twice *t = argument;
    for (size_t i = 0; i < t->count; i++)
        t->dst[i] = 2 * t->src[i] + t->add;
}

static void put_twice(cudaStream_t stream, float *dst, const float *src, size_t count, float add)
{
    struct twice t = { dst, src, count, add };
    OK(fake_enqueue(stream, FAKE_KERNEL, run_twice, &t, sizeof t));
}

static cudaStream_t new_stream(void)
{
    cudaStream_t s;
    OK(cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking));
    return s;
}

static void memory_is_counted_and_refused(void **state)
{
    (void)state;
    void *a, *b;
    size_t left, total;
    OK(cudaMalloc(&a, 40 << 20));
    OK(cudaMemGetInfo(&left, &total));
    assert_int_equal(total, 64 << 20);
    assert_int_equal(left, (64 - 8 - 4 - 40) << 20);
    assert_int_equal(cudaMalloc(&b, (12 << 20) + 1), cudaErrorMemoryAllocation);
    assert_null(b);
    assert_int_equal(cudaGetLastError(), cudaErrorMemoryAllocation);
    OK(cudaGetLastError());
    OK(cudaMalloc(&b, 12 << 20));
    OK(cudaFree(b));
    OK(cudaFree(a));
    assert_int_equal(cudaFree(a), cudaErrorInvalidValue);
    assert_int_equal(fake_cudart_allocated(), 0);
    assert_int_equal(fake_cudart_peak(), 52 << 20);
    assert_int_equal(fake_cudart_leaks(0), 0);
}

static void nothing_runs_before_something_waits(void **state)
{
    (void)state;
    float *pinned, *device, pageable[2] = { 1, 2 };
    cudaStream_t s = new_stream();
    OK(cudaMallocHost((void **)&pinned, sizeof pageable));
    OK(cudaMalloc((void **)&device, 2 * sizeof pageable));
    pinned[0] = 5;
    pinned[1] = 6;
    OK(cudaMemcpyAsync(device, pinned, sizeof pageable, cudaMemcpyHostToDevice, s));
    OK(cudaMemcpyAsync(device + 2, pageable, sizeof pageable, cudaMemcpyHostToDevice, s));
    pinned[0] = 7;      /* too early: the copy has not run */
    pageable[0] = 100;  /* staged: no harm */
    float got[4];
    OK(cudaMemcpyAsync(got, device, sizeof got, cudaMemcpyDeviceToHost, s));
    assert_true(got[0] == 7 && got[1] == 6 && got[2] == 1 && got[3] == 2);
    put_twice(s, device, device + 2, 2, 0);
    OK(cudaMemcpyAsync(pinned, device, sizeof pageable, cudaMemcpyDeviceToHost, s));
    assert_true(pinned[0] == 7);
    OK(cudaStreamSynchronize(s));
    assert_true(pinned[0] == 2 && pinned[1] == 4);
    assert_int_equal(fake_cudart_ran(FAKE_KERNEL), 1);
    OK(cudaFree(device));
    OK(cudaFreeHost(pinned));
    OK(cudaStreamDestroy(s));
}

static void streams_are_ordered_by_events_only(void **state)
{
    (void)state;
    for (int wait = 0; wait < 2; wait++) {
        float *d, one[1] = { 1 }, got[1];
        cudaStream_t a = new_stream(), b = new_stream();
        cudaEvent_t ready;
        OK(cudaEventCreateWithFlags(&ready, cudaEventDisableTiming));
        OK(cudaMalloc((void **)&d, 3 * sizeof *d));
        OK(cudaMemcpy(d, one, sizeof one, cudaMemcpyHostToDevice));
        put_twice(a, d + 1, d, 1, 0);
        OK(cudaEventRecord(ready, a));
        if (wait)
            OK(cudaStreamWaitEvent(b, ready, 0));
        put_twice(b, d + 2, d + 1, 1, 0);
        OK(cudaStreamSynchronize(b));
        OK(cudaMemcpy(got, d + 2, sizeof got, cudaMemcpyDeviceToHost));
        assert_int_equal(got[0] == 4, wait); /* without the wait it read 0xCDCDCDCD */
        OK(cudaStreamDestroy(a));
        OK(cudaStreamDestroy(b));
        OK(cudaEventDestroy(ready));
        OK(cudaFree(d));
    }
}

/* y = 2 (2 x + 1) + 1 in one lane, z = 2 x in another, joined or not. */
static cudaError_t capture(cudaStream_t a, cudaStream_t b, float *d, cudaEvent_t fork, cudaEvent_t join,
                           int joined, cudaGraph_t *graph)
{
    OK(cudaStreamBeginCapture(a, cudaStreamCaptureModeThreadLocal));
    OK(cudaEventRecord(fork, a));
    OK(cudaStreamWaitEvent(b, fork, 0));
    put_twice(a, d + 1, d, 1, 1);
    put_twice(a, d + 2, d + 1, 1, 1);
    put_twice(b, d + 3, d, 1, 0);
    OK(cudaEventRecord(join, b));
    if (joined)
        OK(cudaStreamWaitEvent(a, join, 0));
    return cudaStreamEndCapture(a, graph);
}

static void a_graph_replays_what_was_captured(void **state)
{
    (void)state;
    float *d, got[3];
    cudaStream_t a = new_stream(), b = new_stream();
    cudaEvent_t fork, join;
    cudaGraph_t graph;
    cudaGraphExec_t exec;
    OK(cudaEventCreate(&fork));
    OK(cudaEventCreate(&join));
    OK(cudaMalloc((void **)&d, 4 * sizeof *d));
    assert_int_equal(capture(a, b, d, fork, join, 0, &graph), cudaErrorStreamCaptureUnjoined);
    OK(capture(a, b, d, fork, join, 1, &graph));
    assert_int_equal(fake_cudart_ran(FAKE_KERNEL), 0);
    OK(cudaGraphInstantiate(&exec, graph, 0));
    OK(cudaGraphDestroy(graph));
    OK(cudaGraphUpload(exec, a));
    for (float x = 1; x < 4; x++) {
        OK(cudaMemcpyAsync(d, &x, sizeof x, cudaMemcpyHostToDevice, a));
        OK(cudaGraphLaunch(exec, a));
        OK(cudaMemcpyAsync(got, d + 1, sizeof got, cudaMemcpyDeviceToHost, a));
        assert_true(got[0] == 2 * x + 1 && got[1] == 4 * x + 3 && got[2] == 2 * x);
    }
    assert_int_equal(fake_cudart_ran(FAKE_KERNEL), 9);
    OK(cudaGraphExecDestroy(exec));
    OK(cudaEventDestroy(fork));
    OK(cudaEventDestroy(join));
    OK(cudaStreamDestroy(a));
    OK(cudaStreamDestroy(b));
    OK(cudaFree(d));
    assert_int_equal(fake_cudart_leaks(1), 0);
}

static void external_events_in_a_graph_take_times(void **state)
{
    (void)state;
    fake_cudart_restart("slow=2000");
    cudaStream_t s = new_stream();
    cudaEvent_t start, end;
    cudaGraph_t graph;
    cudaGraphExec_t exec;
    float *d, ms;
    OK(cudaEventCreate(&start));
    OK(cudaEventCreate(&end));
    OK(cudaMalloc((void **)&d, 8));
    OK(cudaStreamBeginCapture(s, cudaStreamCaptureModeThreadLocal));
    OK(cudaEventRecordWithFlags(start, s, cudaEventRecordExternal));
    put_twice(s, d + 1, d, 1, 0);
    OK(cudaEventRecordWithFlags(end, s, cudaEventRecordExternal));
    OK(cudaStreamEndCapture(s, &graph));
    OK(cudaGraphInstantiate(&exec, graph, 0));
    OK(cudaGraphLaunch(exec, s));
    assert_int_equal(cudaEventElapsedTime(&ms, start, end), cudaErrorNotReady);
    OK(cudaEventSynchronize(end));
    OK(cudaEventElapsedTime(&ms, start, end));
    assert_true(ms >= 2);
    OK(cudaGraphDestroy(graph));
    OK(cudaGraphExecDestroy(exec));
    OK(cudaFree(d));
    fake_cudart_restart("");
}

static void capture_refuses_what_a_device_refuses(void **state)
{
    (void)state;
    static const int expected = cudaErrorStreamCaptureUnsupported;
    for (int i = 0; i < 6; i++) {
        cudaStream_t s = new_stream();
        cudaGraph_t graph;
        void *d, *more;
        float pageable = 1;
        OK(cudaMalloc(&d, 64));
        OK(cudaStreamBeginCapture(s, cudaStreamCaptureModeThreadLocal));
        switch (i) {
        case 0: assert_int_equal(cudaMalloc(&more, 64), expected); break;
        case 1: assert_int_equal(cudaFree(d), expected); break;
        case 2: assert_int_equal(cudaStreamSynchronize(s), expected); break;
        case 3: assert_int_equal(cudaDeviceSynchronize(), expected); break;
        case 4:
            assert_int_equal(cudaMemcpyAsync(d, &pageable, 4, cudaMemcpyHostToDevice, s), expected);
            break;
        case 5: assert_int_equal(cudaMemcpy(d, &pageable, 4, cudaMemcpyHostToDevice),
                                 cudaErrorStreamCaptureImplicit); break;
        }
        assert_int_equal(cudaStreamEndCapture(s, &graph), cudaErrorStreamCaptureInvalidated);
        OK(cudaStreamSynchronize(s));
        OK(cudaFree(d));
        OK(cudaStreamDestroy(s));
    }
}

static void copies_stay_inside_their_blocks(void **state)
{
    (void)state;
    char *d, host[64] = { 0 };
    OK(cudaMalloc((void **)&d, 32));
    assert_int_equal(cudaMemcpy(d, host, 33, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
    assert_int_equal(cudaMemcpy(d + 1, host, 32, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
    assert_int_equal(cudaMemcpy(host, d, 8, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
    assert_int_equal(cudaMemset(d, 0, 33), cudaErrorInvalidValue);
    OK(cudaMemcpy(d + 1, host, 31, cudaMemcpyHostToDevice));
    OK(cudaFree(d));
}

/* --- the script ----------------------------------------------------------------------------------------- */

static void the_ladder_can_be_played(void **state)
{
    (void)state;
    static const struct { const char *script; int count, open, driver;
    } rows[] = {
        { "", 0, 0, CUDART_VERSION },
        { "driver=0", 35, 35, 0 },
        { "driver=12040", 35, 35, 12040 },
        { "count=803", 803, 803, CUDART_VERSION },
        { "devices=0", 100, 100, CUDART_VERSION },
        { "count=34", 34, 34, 0 },
        { "open=46", 0, 46, CUDART_VERSION },
        { "memory=1MiB", 0, 2, CUDART_VERSION },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int count, driver;
        fake_cudart_restart(rows[i].script);
        assert_int_equal(cudaGetDeviceCount(&count), rows[i].count);
        cudaDriverGetVersion(&driver);
        assert_int_equal(driver, rows[i].driver);
        assert_int_equal(fake_cudart_has_context(), 0);
        assert_int_equal(cudaSetDevice(0), rows[i].open);
        assert_int_equal(fake_cudart_has_context(), rows[i].open == 0);
    }
}

static void the_nth_call_fails_once(void **state)
{
    (void)state;
    void *d;
    fake_cudart_restart("fail=cudaMalloc:2:2");
    OK(cudaMalloc(&d, 8));
    OK(cudaFree(d));
    assert_int_equal(cudaMalloc(&d, 8), 2);
    OK(cudaMalloc(&d, 8));
    OK(cudaFree(d));
    assert_int_equal(fake_cudart_calls("cudaMalloc"), 3);
}

static void a_lost_device_stays_lost(void **state)
{
    (void)state;
    float *d;
    fake_cudart_restart("lost=kernel:2:700");
    cudaStream_t s = new_stream();
    OK(cudaMalloc((void **)&d, 16));
    for (int i = 0; i < 3; i++)
        put_twice(s, d + 1, d, 1, 0);   /* asynchronous: nobody knows yet */
    assert_int_equal(cudaStreamSynchronize(s), 700);
    assert_int_equal(cudaGetLastError(), 700);
    assert_int_equal(cudaGetLastError(), 700);
    assert_int_equal(cudaDeviceSynchronize(), 700);
    assert_int_equal(cudaFree(d), 700);
    fake_cudart_restart("");
}

/* --- what ends the program: in a child ------------------------------------------------------------------ */

static void touch_device(void)
{
    char *d;
    cudaMalloc((void **)&d, 8);
    d[0] = 1;
}

static void touch_freed(void)
{
    float *d;
    cudaMalloc((void **)&d, 8);
    struct twice t = { d + 1, d, 1, 0 };
    cudaFree(d);
    fake_enqueue(NULL, FAKE_KERNEL, run_twice, &t, sizeof t);
}

static void write_behind(void)
{
    float *d;
    cudaMalloc((void **)&d, 8);
    struct twice t = { d + 2, d, 1, 0 };
    fake_enqueue(NULL, FAKE_KERNEL, run_twice, &t, sizeof t);
    cudaFree(d);
}

static void forget_to_free(void)
{
    void *d;
    cudaMalloc(&d, 8);
    exit(0);
}

static void be_tidy(void)
{
    void *d;
    cudaMalloc(&d, 8);
    cudaFree(d);
    exit(0);
}

/* Exit code, or 128 + signal; the words on stderr in `said`. */
static int in_child(void (*act)(void), char *said, size_t size)
{
    int ends[2], how;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], 2);
        close(ends[0]);
        fake_cudart_restart("");
        act();
        _exit(0);
    }
    close(ends[1]);
    size_t used = 0;
    for (ssize_t n; used + 1 < size && (n = read(ends[0], said + used, size - used - 1)) > 0;)
        used += (size_t)n;
    said[used] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(child, &how, 0), child);
    return WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);
}

static void mistakes_end_the_program(void **state)
{
    (void)state;
    static const struct { void (*act)(void); int code; const char *words; } rows[] = {
        { touch_device, -1, "touched by the host" },
        { touch_freed, -1, "that is freed" },
        { write_behind, 128 + 6, "a byte 1 behind the end of a block of 8 bytes" },
        { forget_to_free, 97, "not freed: 512 bytes of device memory in 1 blocks" },
        { be_tidy, 0, "" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char said[4096];
        int code = in_child(rows[i].act, said, sizeof said);
        if (rows[i].code >= 0)
            assert_int_equal(code, rows[i].code);
        else
            assert_int_not_equal(code, 0); /* a signal, or what a sanitizer makes of it */
        if (rows[i].words[0])
            assert_non_null(strstr(said, rows[i].words));
        else
            assert_string_equal(said, "");
    }
}

/* The names that our classifier has are those of the header: the fake takes its own from there. */
static void errors_have_their_names(void **state)
{
    (void)state;
    int known = 0;
    for (int code = 1; code < 1000; code++) {
        struct gpu_fault fault = gpu_fault_of(FAULT_CUDA, code, true);
        if (!fault.name[0])
            continue;
        assert_string_equal(fault.name, cudaGetErrorName((cudaError_t)code));
        known++;
    }
    assert_int_equal(known, 25);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(memory_is_counted_and_refused, restart),
        cmocka_unit_test_setup(nothing_runs_before_something_waits, restart),
        cmocka_unit_test_setup(streams_are_ordered_by_events_only, restart),
        cmocka_unit_test_setup(a_graph_replays_what_was_captured, restart),
        cmocka_unit_test_setup(external_events_in_a_graph_take_times, restart),
        cmocka_unit_test_setup(capture_refuses_what_a_device_refuses, restart),
        cmocka_unit_test_setup(copies_stay_inside_their_blocks, restart),
        cmocka_unit_test(the_ladder_can_be_played),
        cmocka_unit_test(the_nth_call_fails_once),
        cmocka_unit_test(a_lost_device_stays_lost),
        cmocka_unit_test(mistakes_end_the_program),
        cmocka_unit_test(errors_have_their_names),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
