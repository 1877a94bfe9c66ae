/* The CUDA engine against the reference on small relatives of the three networks, on fakes of CUDA's libraries; our own
 * kernels are the real ones, run on the CPU. All kinds of arithmetic, levels of the norm, batches, graph and stream. */
#include "tests/gpu/fake/cudart.h"
#include "tests/unit/cuda_engine_help.h"
#include "tests/unit/small_networks.h"

static const struct row {
    const struct model_config *config;
    int h, w;
    const char *until;
} rows[] = {
    { &small_hrnet, 36, 36, "layer1" },
    { &small_resunet, 16, 24, "" },
    { &small_advanced, 48, 32, "att3" },
    { &small_hrnet, 36, 36, "" },
    { &small_resunet, 21, 19, "" }, /* odd: half-pixel repairs */
    { &small_advanced, 32, 16, "" },
};
enum { LEVELLED = 3 }; /* the first ones at the levels too */

/* Largest deviations of correct engines: f32 as the CPU's; the others by their roundings (2^-11, 2^-11, 2^-8). The f32
 * engine in their place would pass, a wrong layer would not: see one_wrong_weight_is_seen. */
static const struct { enum gpu_math math; double limit; } kinds[] = {
    { GPU_F32, 1e-4 }, { GPU_TF32, 0.02 }, { GPU_F16, 0.02 }, { GPU_BF16, 0.15 },
};

static void check_row(const struct row *r, enum gpu_math math, int level, double limit)
{
    struct source s = source_of_model(r->config, r->h, r->w, r->until);
    double d = deviation_of(&s, (struct how){ .math = math, .level = level, .batch = 1 });
    if (!(d < limit))
        fail_msg("%s %dx%d %s, %s at level %d: %g", r->config->name, r->h, r->w, r->until, gpu_math_name(math), level,
                 d);
    source_free(&s);
}

static void networks_agree_in_f32(void **state)
{
    (void)state;
    for (size_t i = LEVELLED; i < LEN(rows); i++)
        check_row(&rows[i], GPU_F32, TUNE_F0, kinds[0].limit);
}

static void networks_agree_at_every_level(void **state)
{
    (void)state;
    for (size_t k = 0; k < LEN(kinds); k++)
        for (int level = TUNE_F0; level < TUNE_LEVELS; level++)
            for (size_t i = 0; i < LEVELLED; i++) { /* the highest levels everywhere, the others where they are quick */
                bool often = kinds[k].math == GPU_F32 || kinds[k].math == GPU_F16;
                if (level >= TUNE_F2 ? often || i < 2 : often && i == 1)
                    check_row(&rows[i], kinds[k].math, level, kinds[k].limit);
            }
}

/* --- levels really differ ------------------------------------------------------------------------------------------ */

static int count_kind(const struct prepared *p, enum bound_kind kind)
{
    int count = 0;
    for (int i = 0; i < p->exec->net->plan->step_count; i++)
        count += p->exec->steps[0][i].kind == kind;
    return count;
}

static void levels_take_steps_away(void **state)
{
    (void)state;
    struct source s = source_of_model(&small_hrnet, 36, 36, "layer1");
    int folds[TUNE_LEVELS], left_out[TUNE_LEVELS], stats[TUNE_LEVELS], norms[TUNE_LEVELS];
    for (int level = TUNE_F0; level < TUNE_LEVELS; level++) {
        struct world *w = world_open(&s, (struct how){ .math = GPU_F16, .level = level, .batch = 1 });
        struct prepared *p = world_prepare(w, 1);
        assert_int_equal(p->exec->fallen_back, 0);
        folds[level] = count_kind(p, BOUND_FOLD);
        stats[level] = count_kind(p, BOUND_STATS);
        left_out[level] = count_kind(p, BOUND_NOTHING) - 2; /* the input with 4 and with 8 channels: nobody reads these */
        norms[level] = count_kind(p, BOUND_NORM);
        world_close(w);
    }
    assert_int_equal(folds[TUNE_F0] + left_out[TUNE_F0] + left_out[TUNE_F1], 0);
    assert_int_equal(stats[TUNE_F1], 0); /* every norm behind a convolution */
    assert_int_equal(folds[TUNE_F1], stats[TUNE_F0]);
    assert_int_equal(folds[TUNE_F2], folds[TUNE_F1]);
    /* stem: 1 (conv1 - conv2); layer1, 4 bottlenecks: conv1 - conv2 and conv2 - conv3 of each */
    assert_int_equal(left_out[TUNE_F2], 1 + 4 * 2);
    /* conv1 and conv2 of the stem, 3 of each bottleneck, but not the sum with a raw downsample of the first one */
    assert_int_equal(norms[TUNE_F0] + norms[TUNE_F1] + norms[TUNE_F2], 0);
    assert_int_equal(norms[TUNE_F3], 2 + 4 * 3 - 1);
    assert_int_equal(left_out[TUNE_F3], norms[TUNE_F3]); /* the statistics */
    assert_int_equal(stats[TUNE_F0], norms[TUNE_F3] + folds[TUNE_F3]);
    source_free(&s);
}

/* Its means are large: |mean| / std over 10 somewhere, and there the shifted statistics take over. */
static void large_means_fall_back(void **state)
{
    (void)state;
    struct source s = source_of_model(&small_advanced, 48, 32, "att3");
    struct world *w = world_open(&s, (struct how){ .math = GPU_F32, .level = TUNE_F1, .batch = 1 });
    struct prepared *p = world_prepare(w, 1);
    assert_true(p->exec->fallen_back > 0 && count_kind(p, BOUND_FOLD) > 0);
    world_close(w);
    source_free(&s);
}

/* --- batches, modes ------------------------------------------------------------------------------------------------ */

static void check_batch(const struct row *r, enum gpu_math math, int level)
{
    struct source s = source_of_model(r->config, r->h, r->w, r->until);
    float *images = images_of(&s, 3), *three = run_once(&s, images, (struct how){ math, level, 3, false, false });
    size_t count = values_out(&s);
    struct world *w = world_open(&s, (struct how){ math, level, 1, false, false });
    world_prepare(w, 1);
    for (size_t i = 0; i < 3; i++) {
        float *one = world_output(w, &s, 1, images + i * values_in(&s));
        if (memcmp(one, three + i * count, count * sizeof *one) != 0)
            fail_msg("%s %s level %d: image %zu of a batch differs from the same alone", r->config->name,
                     gpu_math_name(math), level, i);
        free(one);
    }
    assert_true(memcmp(three, three + count, count * sizeof *three) != 0); /* other images, other results */
    world_close(w);
    free(three);
    free(images);
    source_free(&s);
}

static void batches_equal_singles(void **state)
{
    (void)state;
    check_batch(&rows[0], GPU_F16, TUNE_F2);
    check_batch(&rows[1], GPU_F32, TUNE_F2);
    check_batch(&rows[0], GPU_F16, TUNE_F3);
    check_batch(&rows[1], GPU_F32, TUNE_F3);
    check_batch(&rows[2], GPU_F16, TUNE_F0); /* at F1 its large means choose for a batch what they do not for one image */
}

static void graph_equals_stream(void **state)
{
    (void)state;
    struct source s = source_of_model(rows[1].config, rows[1].h, rows[1].w, rows[1].until);
    float *images = images_of(&s, 2);
    size_t bytes = 2 * values_out(&s) * sizeof(float);
    float *graph = run_once(&s, images, (struct how){ GPU_BF16, TUNE_F2, 2, false, false });
    float *stream = run_once(&s, images, (struct how){ GPU_BF16, TUNE_F2, 2, true, false });
    assert_memory_equal(graph, stream, bytes);
    free(graph);
    free(stream);
    free(images);
    source_free(&s);
}

/* Overlapping copies must not meet: what comes back of the last two iterations are the results of their inputs. */
static void pipelined_results_are_those_of_their_inputs(void **state)
{
    (void)state;
    struct err err = { .status = ST_OK };
    struct source s = source_of_model(&small_resunet, 16, 16, "ups.0");
    struct world *w = world_open(&s, (struct how){ GPU_F32, TUNE_F0, 2, false, true });
    struct prepared *p = world_prepare(w, 2);
    size_t bytes = 2 * values_out(&s) * sizeof(float), batch_values = 2 * values_in(&s);
    int runs = 5;
    assert_true(p->buffers > runs);
    for (int i = 0; i < runs; i++) {
        struct iteration it;
        MUST(iterate_run(&it, &w->iterate, &w->ready, p, &err));
        assert_int_equal(it.images, 2);
        assert_false(it.has_stages);
    }
    MUST(iterate_drain(&w->iterate, &err));
    for (int back = 0; back < 2; back++) { /* runs + 1 were started; the last in slot runs % 2 */
        int number = runs - back;
        float *copy = malloc(batch_values * sizeof *copy), *got = malloc(bytes);
        assert_true(copy && got);
        memcpy(copy, (const float *)w->ready.pool.images.data + (size_t)number * batch_values,
               batch_values * sizeof *copy);
        memcpy(got, w->ready.pool.results[number % 2].data, bytes);
        float *want = world_output(w, &s, 2, copy);
        assert_memory_equal(got, want, bytes);
        free(want);
        free(got);
        free(copy);
    }
    world_close(w);
    source_free(&s);
}

static void stages_are_told(void **state)
{
    (void)state;
    struct err err = { .status = ST_OK };
    struct source s = source_of_model(&small_resunet, 16, 16, "");
    for (int stream = 0; stream < 2; stream++) {
        struct world *w = world_open(&s, (struct how){ GPU_F32, TUNE_F0, 1, stream, false });
        struct prepared *p = world_prepare(w, 1);
        struct iteration it;
        int first = p->next;
        MUST(iterate_run(&it, &w->iterate, &w->ready, p, &err));
        assert_true(it.has_stages && it.has_launch && it.batch == 1 && it.images == 1);
        assert_true(it.compute_ns > 0 && it.h2d_ns > 0 && it.d2h_ns > 0);
        assert_true(p->buffers >= 3 && p->next != first); /* inputs rotate */
        world_close(w);
    }
    source_free(&s);
}

/* --- coming and going ---------------------------------------------------------------------------------------------- */

static void sizes_come_and_go(void **state)
{
    (void)state;
    struct source s = source_of_model(&small_resunet, 16, 16, "");
    float *images = images_of(&s, 3);
    struct world *w = world_open(&s, (struct how){ GPU_F16, TUNE_F1, 1, false, false });
    size_t bytes = values_out(&s) * sizeof(float);
    world_prepare(w, 1);
    size_t small = fake_cudart_allocated();
    float *before = world_output(w, &s, 1, images);
    world_prepare(w, 3); /* memory moves: the graph of 1 is captured again */
    assert_true(fake_cudart_allocated() > small);
    float *three = world_output(w, &s, 3, images), *between = world_output(w, &s, 1, images);
    ready_remove(&w->ready, 3);
    assert_int_equal(fake_cudart_allocated(), small);
    float *after = world_output(w, &s, 1, images);
    world_prepare(w, 3);
    float *again = world_output(w, &s, 3, images);
    assert_memory_equal(before, between, bytes);
    assert_memory_equal(before, after, bytes);
    assert_memory_equal(before, three, bytes);
    assert_memory_equal(three, again, 3 * bytes);
    world_close(w);
    float *each[] = { before, three, between, after, again, images };
    for (size_t i = 0; i < LEN(each); i++)
        free(each[i]);
    source_free(&s);
}

/* --- what must not pass -------------------------------------------------------------------------------------------- */

static void one_wrong_weight_is_seen(void **state)
{
    (void)state;
    struct source s = source_of_model(&small_advanced, 32, 16, "");
    float *images = images_of(&s, 1);
    double *want = reference_of(&s, images, 1);
    const char *const wrong[] = { "encoder1.0.attention.stage2.conv_ch.weight", "att1.psi.1.weight",
                                  "decoder1.1.norm2.bias" };
    for (size_t i = 0; i < LEN(wrong); i++) {
        int p = 0;
        while (p < s.g->param_count && strcmp(s.g->params[p].name, wrong[i]) != 0)
            p++;
        assert_true(p < s.g->param_count);
        for (size_t k = 0; k < s.g->params[p].count; k++)
            s.w.data[p][k] = -s.w.data[p][k];
        float *got = run_once(&s, images, (struct how){ GPU_F32, TUNE_F0, 1, false, false });
        assert_true(relative_l2(got, want, values_out(&s)) > 1e-4);
        free(got);
        for (size_t k = 0; k < s.g->params[p].count; k++)
            s.w.data[p][k] = -s.w.data[p][k];
    }
    free(want);
    free(images);
    source_free(&s);
}

int main(void)
{
    use_fakes();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(networks_agree_in_f32),
        cmocka_unit_test(networks_agree_at_every_level),
        cmocka_unit_test(levels_take_steps_away),
        cmocka_unit_test(large_means_fall_back),
        cmocka_unit_test(batches_equal_singles),
        cmocka_unit_test(graph_equals_stream),
        cmocka_unit_test(pipelined_results_are_those_of_their_inputs),
        cmocka_unit_test(stages_are_told),
        cmocka_unit_test(sizes_come_and_go),
        cmocka_unit_test(one_wrong_weight_is_seen),
    };
    return cmocka_run_group_tests_name("cuda_engine", tests, NULL, NULL);
}
