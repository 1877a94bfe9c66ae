/* Independent steps on streams of their own: the order that is promised holds every dependency, memory is shared only
 * where that order allows it, results are those of one stream bit for bit, in graphs and without, and a wait that is left
 * out is noticed. On fakes of CUDA's libraries, which order streams by events only and run what a graph leaves open in
 * another order at every other launch. */
#include "kernels/cuda/branches.h"
#include "tests/gpu/fake/cudart.h"
#include "tests/unit/cuda_engine_help.h"
#include "tests/unit/small_networks.h"

/* Two branches, then three, exchanged twice. */
static struct source hrnet_source(const char *until)
{
    return source_of_model(&small_hrnet, 36, 36, until);
}

static struct world *open_with(const struct source *s, struct how how, enum gpu_branches branches)
{
    struct world *w = world_open(s, how);
    w->options.branches = branches;
    return w;
}

/* --- the order --------------------------------------------------------------------------------------------------- */

/* Buffers of a step, slices as the buffer that they are cut from. */
struct uses {
    int root[PLAN_STEP_BUFFERS], count, written;
    bool tells;                         /* which of them it writes */
};

static struct uses uses_of(const struct exec *e, int step)
{
    const struct plan *p = e->net->plan;
    struct uses u = { .count = 0 };
    int ids[PLAN_STEP_BUFFERS];
    enum step_kind kind = p->steps[step].kind;
    u.count = layout_buffers(ids, &u.written, e->net, e->choices, step);
    u.tells = kind == STEP_CONV || kind == STEP_STATS || kind == STEP_APPLY;
    for (int i = 0; i < u.count; i++)
        u.root[i] = p->buffers[ids[i]].parent == PLAN_NONE ? ids[i] : p->buffers[ids[i]].parent;
    return u;
}

static bool same_buffer(const struct exec *e, int root)
{
    return e->net->plan->buffers[root].tensor || e->net->plan->buffers[root].floats > 0;
}

/* Do they touch one buffer that one of them may write? Of slices: any of one parent, so only whole ones are asked. */
static bool must_follow(const struct exec *e, int first, int second)
{
    const struct uses a = uses_of(e, first), b = uses_of(e, second);
    for (int i = 0; i < a.count; i++)
        for (int k = 0; k < b.count; k++)
            if (a.root[i] == b.root[k] && same_buffer(e, a.root[i]) &&
                (!a.tells || !b.tells || i < a.written || k < b.written))
                return true;
    return false;
}

static int dependencies_missed(const struct exec *e)
{
    int missed = 0;
    for (int second = 0; second < e->branches.steps; second++)
        for (int first = 0; first < second; first++)
            missed += must_follow(e, first, second) && !branches_before(&e->branches, first, second);
    return missed;
}

/* Pairs of different buffers in the same memory whose users are not all in order. */
static int memory_clashes(const struct exec *e, const struct layout *l)
{
    const struct plan *p = e->net->plan;
    int clashes = 0;
    for (int a = 0; a < e->branches.steps; a++)
        for (int b = 0; b < a; b++) {
            const struct uses x = uses_of(e, a), y = uses_of(e, b);
            if (branches_before(&e->branches, b, a) || branches_before(&e->branches, a, b))
                continue;
            for (int i = 0; i < x.count; i++)
                for (int k = 0; k < y.count; k++) {
                    int u = x.root[i], v = y.root[k];
                    clashes += u != v && u != p->output_buffer && v != p->output_buffer &&
                               l->offset[u] < l->offset[v] + p->buffers[v].image_bytes &&
                               l->offset[v] < l->offset[u] + p->buffers[u].image_bytes;
                }
        }
    return clashes;
}

/* The wrong twin: places found as if steps had one order. */
static struct layout layout_in_order(const struct exec *e)
{
    struct err err = { .status = ST_OK };
    struct layout l;
    int count = e->net->plan->step_count, *steps = malloc((size_t)count * sizeof *steps);
    assert_non_null(steps);
    for (int i = 0; i < count; i++)
        steps[i] = i;
    MUST(layout_plan(&l, e->net, e->choices, steps, count, false, NULL, &err));
    free(steps);
    return l;
}

static void order_and_memory_hold(void **state)
{
    (void)state;
    struct source s = hrnet_source("stage3.0:2");
    for (int level = TUNE_F0; level < TUNE_LEVELS; level++) {
        struct world *w = open_with(&s, (struct how){ .math = GPU_F16, .level = level, .batch = 1 }, BRANCHES_ON);
        const struct prepared *p = world_prepare(w, 1);
        const struct exec *e = p->exec;
        struct layout plain = layout_in_order(e);
        print_message("level %d: %d lanes, predicted %.0f us on lanes, %.0f us on one stream, arena %zu KB against %zu\n",
                      level, p->branching.lanes, e->branches.critical_ns / 1e3, e->branches.serial_ns / 1e3,
                      e->layout.image_bytes / 1000, plain.image_bytes / 1000);
        assert_true(e->branches.lanes > 1);
        assert_true(e->branches.critical_ns < 0.9 * e->branches.serial_ns);
        assert_int_equal(dependencies_missed(e), 0);
        assert_int_equal(memory_clashes(e, &e->layout), 0);
        assert_true(memory_clashes(e, &plain) > 0);
        layout_free(&plain);
        world_close(w);
    }
    source_free(&s);
}

/* --- results ----------------------------------------------------------------------------------------------------- */

static void compare_with_one_stream(const struct source *s, struct how how, bool overlaps)
{
    float *images = images_of(s, how.batch), *one = run_once(s, images, how);
    struct world *w = open_with(s, how, BRANCHES_ON);
    const struct prepared *p = world_prepare(w, how.batch);
    size_t bytes = (size_t)how.batch * values_out(s) * sizeof *one;
    assert_int_equal(p->branching.lanes > 1, overlaps);
    assert_false(p->branching.wrong);
    for (int launch = 0; launch < 6; launch++) {
        float *lanes = world_output(w, s, how.batch, images);
        assert_memory_equal(lanes, one, bytes);
        free(lanes);
    }
    world_close(w);
    free(one);
    free(images);
}

static void results_are_those_of_one_stream(void **state)
{
    (void)state;
    struct source s = hrnet_source("stage3.0:0");
    compare_with_one_stream(&s, (struct how){ .math = GPU_F32, .level = TUNE_F0, .batch = 2 }, true);
    compare_with_one_stream(&s, (struct how){ .math = GPU_F16, .level = TUNE_F2, .batch = 1 }, true);
    compare_with_one_stream(&s, (struct how){ .math = GPU_F16, .level = TUNE_F3, .batch = 1 }, true);
    compare_with_one_stream(&s, (struct how){ .math = GPU_F16, .level = TUNE_F1, .batch = 1, .stream = true }, true);
    compare_with_one_stream(&s, (struct how){ .math = GPU_F16, .level = TUNE_F0, .batch = 1, .pipelined = true }, true);
    source_free(&s);
}

static void other_networks_too(void **state)
{
    (void)state;
    struct source s = source_of_model(&small_resunet, 16, 16, "");
    compare_with_one_stream(&s, (struct how){ .math = GPU_F16, .level = TUNE_F1, .batch = 1 }, true);
    source_free(&s);
    s = source_of_model(&small_advanced, 32, 32, "");
    compare_with_one_stream(&s, (struct how){ .math = GPU_F16, .level = TUNE_F1, .batch = 1 }, true);
    source_free(&s);
}

/* A measurement decides, and either way the network runs as before. */
static void a_measurement_decides(void **state)
{
    (void)state;
    struct source s = hrnet_source("stage2.0:1");
    float *images = images_of(&s, 1);
    float *one = run_once(&s, images, (struct how){ .math = GPU_F16, .level = TUNE_F1, .batch = 1 });
    for (int stream = 0; stream < 2; stream++) {
        struct world *w = open_with(&s, (struct how){ .math = GPU_F16, .level = TUNE_F1, .batch = 1, .stream = stream },
                                    BRANCHES_MEASURE);
        const struct prepared *p = world_prepare(w, 1);
        assert_true(p->branching.one_ns > 0 && p->branching.lanes_ns > 0 && !p->branching.wrong);
        /* these fakes compute one thing at a time: lanes can win by chance only */
        assert_true(p->branching.lanes == 1 || p->branching.lanes_ns < p->branching.one_ns);
        float *out = world_output(w, &s, 1, images);
        assert_memory_equal(out, one, values_out(&s) * sizeof *out);
        free(out);
        world_close(w);
    }
    free(one);
    free(images);
    source_free(&s);
}

static void off_is_one_stream(void **state)
{
    (void)state;
    struct source s = hrnet_source("stage2.0:1");
    struct world *w = open_with(&s, (struct how){ .math = GPU_F16, .level = TUNE_F0, .batch = 1 }, BRANCHES_OFF);
    const struct prepared *p = world_prepare(w, 1);
    assert_int_equal(p->branching.lanes, 0);
    assert_int_equal(p->exec->branches.lanes, 0);
    assert_int_equal(fake_cudart_calls("cudaStreamWaitEvent"), 0);
    world_close(w);
    source_free(&s);
}

/* --- a wait left out --------------------------------------------------------------------------------------------- */

/* Launches of a graph captured anew, each in another order and on an arena of NaN, lest it reads what the launch before
 * has left: a graph that cannot be captured, or another result, is noticed. */
static bool noticed(struct world *w, const struct source *s, struct exec *e, const float *images, const float *right)
{
    struct err err = { .status = ST_OK };
    bool other = exec_capture(e, &w->ready.pool, false, &err) != ST_OK;
    for (int launch = 0; launch < 24 && !other; launch++) {
        assert_int_equal(cudaMemset(w->ready.pool.arena.data, 0xFF, w->ready.pool.arena.bytes), cudaSuccess);
        float *out = world_output(w, s, 1, images);
        other = memcmp(out, right, values_out(s) * sizeof *out) != 0;
        free(out);
    }
    return other;
}

static void a_wait_that_is_left_out_is_noticed(void **state)
{
    (void)state;
    struct source s = hrnet_source("stage3.0:0");
    struct world *w = open_with(&s, (struct how){ .math = GPU_F32, .level = TUNE_F0, .batch = 1 }, BRANCHES_ON);
    struct exec *e = world_prepare(w, 1)->exec;
    float *images = images_of(&s, 1), *right = world_output(w, &s, 1, images);
    int waits = 0, missed = 0;
    assert_false(noticed(w, &s, e, images, right));
    for (int step = 0; step < e->branches.steps; step++)
        for (int lane = 0; lane < e->branches.lanes; lane++) {
            int *after = &e->branches.after[step][lane], kept = *after;
            if (kept == PLAN_NONE)
                continue;
            *after = PLAN_NONE;
            waits++;
            if (!noticed(w, &s, e, images, right)) {
                print_message("step %d (%s) does not wait for %d (%s): nobody sees it\n", step,
                              step_kind_name(e->net->plan->steps[step].kind), kept,
                              step_kind_name(e->net->plan->steps[kept].kind));
                missed++;
            }
            *after = kept;
        }
    print_message("%d waits left out, one at a time: %d not noticed\n", waits, missed);
    assert_true(waits > 3);
    assert_int_equal(missed, 0);
    assert_false(noticed(w, &s, e, images, right));
    free(right);
    free(images);
    world_close(w);
    source_free(&s);
}

/* --- calls that fail --------------------------------------------------------------------------------------------- */

/* Prepares while the n-th call of `name` fails once: what runs all the same gives `right`; nothing leaks. False: there was
 * no n-th call. */
static bool survives(const char *name, size_t n, const struct source *s, const float *images, const float *right)
{
    struct err err = { .status = ST_OK };
    struct prepared *p = NULL;
    char script[96];
    snprintf(script, sizeof script, "protect=0 fail=%s:%zu:2", name, n);
    fake_cudart_restart(script);
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    enum status st = world_try(w, s, (struct how){ .math = GPU_F16, .level = TUNE_F1, .batch = 1 }, &err);
    w->options.branches = BRANCHES_MEASURE;
    if (st == ST_OK)
        st = ready_add(&p, &w->ready, 1, &err);
    bool called = fake_cudart_calls(name) >= n;
    if (st != ST_OK && st != ST_OUT_OF_MEMORY)
        fail_msg("%s, call %zu: %s: %s", name, n, status_kind(st), err.text);
    if (st == ST_OK) {
        float *out = world_output(w, s, 1, images);
        assert_memory_equal(out, right, values_out(s) * sizeof *out);
        free(out);
    }
    world_close(w);
    return called;
}

static void every_call_may_fail(void **state)
{
    (void)state;
    static const struct { const char *name; size_t stride; } calls[] = {
        { "cudaMalloc", 1 }, { "cudaStreamCreateWithFlags", 1 }, { "cudaEventCreateWithFlags", 3 },
        { "cudaGraphInstantiate", 1 }, { "cudaStreamWaitEvent", 7 }, { "cudaEventRecordWithFlags", 19 },
    };
    struct source s = hrnet_source("stage2.0:0");
    float *images = images_of(&s, 1);
    float *right = run_once(&s, images, (struct how){ .math = GPU_F16, .level = TUNE_F1, .batch = 1 });
    for (size_t i = 0; i < LEN(calls); i++) {
        size_t n = 1;
        while (survives(calls[i].name, n, &s, images, right))
            n += calls[i].stride;
        assert_true(n > 1);
    }
    fake_cudart_restart("protect=0");
    free(right);
    free(images);
    source_free(&s);
}

int main(void)
{
    use_fakes();
    fake_cudart_restart("protect=0"); /* a page fault for every access would take minutes */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(off_is_one_stream),
        cmocka_unit_test(order_and_memory_hold),
        cmocka_unit_test(results_are_those_of_one_stream),
        cmocka_unit_test(other_networks_too),
        cmocka_unit_test(a_measurement_decides),
        cmocka_unit_test(a_wait_that_is_left_out_is_noticed),
        cmocka_unit_test(every_call_may_fail),
    };
    return cmocka_run_group_tests_name("cuda_branches", tests, NULL, NULL);
}
