/* The tuner on the engine: segments alone and the whole pass really run, on fakes whose times mean nothing. Whatever wins,
 * the results stay right, and what a folder remembers is taken the next time. */
#include "tests/gpu/fake/cudart.h"
#include "tests/unit/cuda_engine_help.h"
#include "tests/unit/small_networks.h"

static struct world *tuned_world(const struct source *s, enum gpu_math math, const char *folder)
{
    struct world *w = world_open(s, (struct how){ .math = math, .level = OPTIONS_LEVEL_TUNED, .batch = 1 });
    const struct cache_device device = { "fake", 90, 91900, 13000 };
    const struct cache_build build = { 130100, "test" };
    cache_close(w->ready.cache);
    w->ready.cache = cache_open(folder, &device, &build);
    assert_non_null(w->ready.cache);
    w->options.tune = TUNE_AUTO;
    w->options.tune_budget_ns = 3000000000u;
    w->options.workspace_cap = w->net.net.workspace_cap = 1 << 20;
    return w;
}

static void measured_then_remembered(void **state)
{
    (void)state;
    char folder[] = "/tmp/cuda_engine_tune_XXXXXX", command[128];
    assert_non_null(mkdtemp(folder));
    struct source s = source_of_model(&small_resunet, 16, 16, "downs.1");
    float *images = images_of(&s, 1);
    double *want = reference_of(&s, images, 1);
    char hash[SHA256_HEX_SIZE] = "";
    for (int life = 0; life < 2; life++) {
        struct world *w = tuned_world(&s, GPU_F16, folder);
        const struct tune_result *t = &world_prepare(w, 1)->tuned;
        float *got = world_output(w, &s, 1, images);
        assert_true(relative_l2(got, want, values_out(&s)) < 0.02);
        assert_memory_equal(w->ready.pool.images.data, images, values_in(&s) * sizeof *images);
        assert_int_equal(t->rejected, 0);
        assert_int_equal(t->cached + t->measured + t->heuristic, t->segments);
        if (life == 0) {
            assert_true(t->measured > 0);
            memcpy(hash, t->plan_hash, sizeof hash);
        } else {
            assert_true(t->cached > 0);
        }
        free(got);
        world_close(w);
    }
    assert_int_equal(strlen(hash), SHA256_HEX_SIZE - 1);
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
    free(want);
    free(images);
    source_free(&s);
}

static void off_is_the_first_guess(void **state)
{
    (void)state;
    struct source s = source_of_model(&small_resunet, 16, 16, "downs.1");
    float *images = images_of(&s, 1);
    float *forced = run_once(&s, images, (struct how){ GPU_F32, TUNE_F0, 1, false, false });
    struct world *w = tuned_world(&s, GPU_F32, "");
    w->options.tune = TUNE_OFF;
    const struct tune_result *t = &world_prepare(w, 1)->tuned;
    assert_int_equal(t->heuristic, t->segments);
    float *tuned = world_output(w, &s, 1, images);
    assert_memory_equal(tuned, forced, values_out(&s) * sizeof *tuned);
    free(tuned);
    free(forced);
    world_close(w);
    free(images);
    source_free(&s);
}

int main(void)
{
    use_fakes();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(measured_then_remembered),
        cmocka_unit_test(off_is_the_first_guess),
    };
    return cmocka_run_group_tests_name("cuda_engine_tune", tests, NULL, NULL);
}
