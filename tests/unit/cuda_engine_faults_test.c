/* The CUDA engine when the device says no: out of memory at the n-th allocation for every n, a device lost at the n-th
 * operation, a batch that cannot fit. Always the right status; nothing leaks where there is still a device to give it
 * back to; what ran before runs again and gives the same. */
#include "tests/gpu/fake/cudart.h"
#include "tests/unit/cuda_engine_help.h"
#include "tests/unit/small_networks.h"

#define QUIET "leaks=0"

static struct source small_source(void)
{
    return source_of_model(&small_resunet, 16, 16, "downs.1");
}

static const struct how plain = { .math = GPU_F16, .level = TUNE_F0, .batch = 1 };

static struct world *world_empty(void)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    return w;
}

/* Opens and prepares while the n-th call of `name` fails once with CUDA's 2. */
static enum status try_all(const char *name, int n, const struct source *s, size_t *calls)
{
    char script[96];
    struct err err = { .status = ST_OK };
    struct prepared *p = NULL;
    snprintf(script, sizeof script, "fail=%s:%d:2", name, n);
    fake_cudart_restart(script);
    struct world *w = world_empty();
    enum status st = world_try(w, s, plain, &err);
    if (st == ST_OK)
        st = ready_add(&p, &w->ready, 1, &err);
    if (st != ST_OK && (strcmp(err.api, "cuda") != 0 || err.code != 2))
        fail_msg("%s %d: \"%s\" has api %s, code %d", name, n, err.text, err.api, err.code);
    *calls = fake_cudart_calls(name);
    world_close(w); /* looks for leaks */
    return st;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    static const char *const names[] = { "cudaMalloc", "cudaHostAlloc", "cudaGraphInstantiate" };
    struct source s = small_source();
    for (size_t i = 0; i < LEN(names); i++) {
        size_t calls = 0;
        int n = 1;
        enum status st;
        while ((st = try_all(names[i], n, &s, &calls)) != ST_OK) {
            if (st != ST_OUT_OF_MEMORY)
                fail_msg("%s, call %d: %s", names[i], n, status_kind(st));
            n++;
        }
        assert_true(n > 1);                     /* something failed */
        assert_int_equal(n, (int)calls + 1);    /* until there was no n-th call any more */
    }
    source_free(&s);
}

/* A larger size that runs out of memory at its n-th allocation leaves the smaller one as it was. */
static void smaller_sizes_still_run(void **state)
{
    (void)state;
    struct source s = small_source();
    float *images = images_of(&s, 1);
    size_t bytes = values_out(&s) * sizeof(float);
    for (int n = 1, failed = 1; failed; n++) {
        struct err err = { .status = ST_OK };
        struct prepared *p = NULL;
        char script[96];
        fake_cudart_restart("");
        struct world *w = world_open(&s, plain);
        world_prepare(w, 1);
        size_t before = fake_cudart_calls("cudaMalloc");
        float *first = world_output(w, &s, 1, images);
        world_close(w);
        snprintf(script, sizeof script, "fail=cudaMalloc:%d:2", (int)before + n);
        fake_cudart_restart(script);
        w = world_open(&s, plain);
        world_prepare(w, 1);
        enum status st = ready_add(&p, &w->ready, 4, &err);
        failed = st != ST_OK;
        if (failed)
            assert_int_equal(st, ST_OUT_OF_MEMORY);
        float *again = world_output(w, &s, 1, images);
        assert_memory_equal(first, again, bytes);
        free(first);
        free(again);
        world_close(w);
    }
    free(images);
    source_free(&s);
}

static void what_cannot_fit_is_refused_before_it_is_tried(void **state)
{
    (void)state;
    struct err err = { .status = ST_OK };
    struct prepared *p = NULL;
    struct source s = source_of_model(&small_resunet, 16, 16, "");
    fake_cudart_restart("memory=600MiB");
    struct world *w = world_open(&s, plain);
    world_prepare(w, 1);
    size_t calls = fake_cudart_calls("cudaMalloc"), held = fake_cudart_allocated();
    assert_int_equal(ready_add(&p, &w->ready, 4096, &err), ST_OUT_OF_MEMORY);
    assert_non_null(strstr(err.text, "batch 4096 needs"));
    assert_int_equal(fake_cudart_calls("cudaMalloc"), calls); /* nothing was given up for it */
    assert_int_equal(fake_cudart_allocated(), held);
    float *images = images_of(&s, 1), *out = world_output(w, &s, 1, images);
    free(out);
    free(images);
    world_close(w);
    source_free(&s);
}

static enum status run_until(struct world *w, const struct source *s, struct err *err)
{
    struct prepared *p = NULL;
    struct iteration it;
    enum status st = world_try(w, s, plain, err);
    if (st == ST_OK)
        st = ready_add(&p, &w->ready, 1, err);
    for (int i = 0; i < 2 && st == ST_OK; i++)
        st = iterate_run(&it, &w->iterate, &w->ready, p, err);
    return st;
}

static size_t teardown_calls(void)
{
    static const char *const names[] = { "cudaFree", "cudaFreeHost", "cudaGraphExecDestroy", "cudaEventDestroy",
                                         "cudaStreamDestroy", "cudaStreamSynchronize", "cudaDeviceSynchronize" };
    size_t count = 0;
    for (size_t i = 0; i < LEN(names); i++)
        count += fake_cudart_calls(names[i]);
    return count;
}

/* Of a lost device everything is left as it is, and the process ends: for a leak checker these are leaks. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:a_lost_device_is_lost\n";
}

/* Whatever ran when the device went: the answer is that it is lost, and nothing of CUDA is called afterwards. */
static void a_lost_device_is_lost(void **state)
{
    (void)state;
    static const char *const kinds[] = { "kernel", "library", "copy" };
    struct source s = small_source();
    for (size_t k = 0; k < LEN(kinds); k++)
        for (int n = 1; n < 500; n = 2 * n + 3) {
            char script[96];
            struct err err = { .status = ST_OK };
            snprintf(script, sizeof script, "lost=%s:%d:700 " QUIET, kinds[k], n);
            fake_cudart_restart(script);
            struct world *w = world_empty();
            enum status st = run_until(w, &s, &err);
            if (st == ST_OK) { /* there was no n-th one */
                world_close(w);
                continue;
            }
            if (st != ST_DEVICE_LOST || !w->device.lost)
                fail_msg("%s %d: %s: %s", kinds[k], n, status_kind(st), err.text);
            assert_string_equal(err.api, "cuda");
            size_t calls = teardown_calls();
            w->libraries = NULL; /* of a lost device the handle is left alone, as the engine does */
            if (w->ready.net)
                ready_remove_all(&w->ready);
            iterate_free(&w->iterate);
            cache_close(w->ready.cache);
            images_free(&w->images);
            net_free(&w->net, &w->memory);
            gpu_device_close(&w->device);
            assert_int_equal(teardown_calls(), calls);
            free(w);
        }
    fake_cudart_restart(QUIET);
    source_free(&s);
}

int main(void)
{
    use_fakes();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(smaller_sizes_still_run),
        cmocka_unit_test(what_cannot_fit_is_refused_before_it_is_tried),
        cmocka_unit_test(a_lost_device_is_lost),
    };
    return cmocka_run_group_tests_name("cuda_engine_faults", tests, NULL, NULL);
}
