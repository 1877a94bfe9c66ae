/* Transposed convolutions by every direct way of both libraries, inside the engine on fakes: the scatter step and the wide
 * product are gone, the network is computed all the same, trials hold one form against the other, and a cache gives the
 * form back. */
#include "kernels/cuda/trial.h"
#include "tests/gpu/fake/cudart.h"
#include "tests/unit/cuda_engine_help.h"
#include "tests/unit/odd_graphs.h"

#define WAYS 8

/* One into a concatenation, where a 1x1 before a norm reads it too; one dense. */
static struct source two_ups(void)
{
    struct graph *g = graph_new("ups");
    int x = graph_input(g, 3, 5, 7);
    int up = graph_tconv(g, "up", conv(g, "a", x, 12, 3, true), 20);
    int gate = graph_relu(g, norm(g, "p.n", conv(g, "p", up, 9, 1, false)));
    int wide = graph_concat(g, (int[]){ gate, up }, 2);
    int dense = graph_tconv(g, "dense", conv(g, "q", wide, 16, 3, true), 24);
    return source_of_graph(g, conv(g, "r", dense, 8, 3, false), "conformance");
}

static const struct { enum gpu_math math; double limit; } maths[] = {
    { GPU_F32, 2e-5 }, { GPU_TF32, 5e-3 }, { GPU_F16, 5e-3 }, { GPU_BF16, 0.03 },
};

static bool has_scatter(const struct gpu_net *net, int segment)
{
    return net->segments[segment].parts > 0 && net->segments[segment].part[0].scatter != PLAN_NONE;
}

/* --- ways by force ------------------------------------------------------------------------------------------------- */

/* The ways of a segment, in the order of conv_list; the execution owns them. */
static int ways_of(struct conv_way *out[4 * WAYS], struct exec *e, int segment)
{
    struct err err = { .status = ST_OK };
    struct conv_way **ways;
    size_t count;
    struct conv_want want = bind_want(e->net, e->choices, segment, 0, e->batch);
    MUST(conv_list(&ways, &count, e->net->libraries, &want, WAYS, e->net->workspace_cap, &err));
    assert_in_range(count, 1, 4 * WAYS);
    for (size_t i = 0; i < count; i++) {
        out[i] = ways[i];
        MUST(exec_own(e, ways[i], &err));
    }
    free(ways);
    return (int)count;
}

/* Every transposed convolution by its direct way number `index`, where there are so many. How many were changed. */
static int choose_direct(struct exec *e, int index)
{
    int changed = 0;
    for (int i = 0; i < e->net->segment_count; i++) {
        struct conv_way *ways[4 * WAYS];
        int count = has_scatter(e->net, i) ? ways_of(ways, e, i) : 0, left = index;
        for (int k = 0; k < count; k++)
            if (conv_is_direct(ways[k]) && left-- == 0) {
                e->choices[i].way[0] = ways[k];
                changed++;
            }
    }
    return changed;
}

static void plan_again(struct world *w, struct prepared *p)
{
    struct err err = { .status = ST_OK };
    MUST(exec_plan(p->exec, &err));
    MUST(ready_again(&w->ready, p, &err));
}

static int steps_left(const struct exec *e, enum step_kind kind)
{
    int count = 0;
    for (int i = 0; i < e->net->plan->step_count; i++)
        count += e->net->plan->steps[i].kind == kind && e->steps[0][i].kind != BOUND_NOTHING;
    return count;
}

static void check_direct_ways(const struct source *s, enum gpu_math math, double limit)
{
    struct world *w = world_open(s, (struct how){ .math = math, .level = TUNE_F0, .batch = 2 });
    struct prepared *p = world_prepare(w, 2);
    size_t count = 2 * values_out(s), before = p->exec->layout.image_bytes;
    float *images = images_of(s, 2);
    double *want = reference_of(s, images, 2);
    assert_int_equal(steps_left(p->exec, STEP_SCATTER), 2);
    int tried = 0;
    for (int changed = 2; changed > 0; tried += changed) {
        changed = choose_direct(p->exec, tried / 2);
        plan_again(w, p);
        assert_int_equal(steps_left(p->exec, STEP_SCATTER), 0);
        assert_true(p->exec->layout.image_bytes < before); /* no room for what nobody writes */
        float *got = world_output(w, s, 2, images), *twice = world_output(w, s, 2, images);
        double d = relative_l2(got, want, count);
        if (!(d < limit))
            fail_msg("%s, direct way %d: %g", gpu_math_name(math), tried / 2, d);
        assert_memory_equal(got, twice, count * sizeof *got);
        p->exec->lanes_most = 4;
        plan_again(w, p);
        float *lanes = world_output(w, s, 2, images);
        assert_memory_equal(got, lanes, count * sizeof *got);
        p->exec->lanes_most = 1;
        free(got);
        free(twice);
        free(lanes);
    }
    assert_true(tried >= 8);    /* two of each library */
    free(want);
    free(images);
    world_close(w);
}

static void direct_ways_compute_the_network(void **state)
{
    (void)state;
    struct source s = two_ups();
    for (size_t i = 0; i < LEN(maths); i++)
        check_direct_ways(&s, maths[i].math, maths[i].limit);
    source_free(&s);
}

/* The wrong twins: the scatter step left out behind a wide product, and a direct way that does not run. */
static void missing_steps_are_seen(void **state)
{
    (void)state;
    struct source s = two_ups();
    for (int direct = 0; direct < 2; direct++) {
        struct world *w = world_open(&s, (struct how){ .math = GPU_F32, .level = TUNE_F0, .batch = 1, .stream = true });
        struct prepared *p = world_prepare(w, 1);
        float *images = images_of(&s, 1);
        double *want = reference_of(&s, images, 1);
        if (direct)
            choose_direct(p->exec, 0);
        plan_again(w, p);
        for (int i = 0; i < w->net.net.segment_count; i++) {
            const struct segment_part *part = &w->net.net.segments[i].part[0];
            if (has_scatter(&w->net.net, i))
                p->exec->steps[0][direct ? part->conv : part->scatter].kind = BOUND_NOTHING;
        }
        float *got = world_output(w, &s, 1, images);
        assert_false(relative_l2(got, want, values_out(&s)) < 0.1);
        free(got);
        free(want);
        free(images);
        world_close(w);
    }
    source_free(&s);
}

/* --- trials -------------------------------------------------------------------------------------------------------- */

#define VALUES 4096

static size_t trial_of(struct trial *t, const struct exec *e, int segment, struct conv_way *way, float *values)
{
    struct err err = { .status = ST_OK };
    struct choice choice = e->choices[segment];
    size_t count = 0;
    choice.way[0] = way;
    MUST(trial_values(t, segment, &choice, values, VALUES, &count, &err));
    return count;
}

static void check_trial(struct trial *t, struct exec *e, int segment, double limit)
{
    static float want[VALUES], got[VALUES];
    struct conv_way *ways[4 * WAYS];
    struct err err = { .status = ST_OK };
    int count = ways_of(ways, e, segment), direct = 0;
    size_t values = trial_of(t, e, segment, ways[0], want);
    assert_true(values > 0);
    for (int k = 0; k < count; k++) {
        double ns = 0;
        struct choice choice = e->choices[segment];
        direct += conv_is_direct(ways[k]);
        assert_int_equal(trial_of(t, e, segment, ways[k], got), values);
        assert_true(tune_agree(want, got, values, limit));
        choice.way[0] = ways[(k + count / 2) % count];  /* often the other form, whose input lies elsewhere */
        MUST(trial_sample(t, segment, &choice, &ns, &err));
        assert_int_equal(t->direct[0], conv_is_direct(choice.way[0]));
    }
    assert_true(direct > 0 && direct < count);
    /* the wrong twin: a direct way that forgets the bias */
    struct conv_way **others;
    size_t other_count;
    struct conv_want no_bias = bind_want(e->net, e->choices, segment, 0, e->batch);
    no_bias.direct.bias = false;
    MUST(conv_list(&others, &other_count, e->net->libraries, &no_bias, WAYS, e->net->workspace_cap, &err));
    assert_true(conv_is_direct(others[other_count - 1]));
    assert_int_equal(trial_of(t, e, segment, others[other_count - 1], got), values);
    assert_false(tune_agree(want, got, values, limit));
    conv_free_all(others, other_count);
}

/* Memory for trials of any segment. */
static void make_room(struct trial *t, struct world *w, struct prepared *p)
{
    struct err err = { .status = ST_OK };
    struct pool_need need = w->ready.pool.size;
    MUST(trial_new(t, p->exec, &w->ready.pool, &err));
    need.workspace = w->net.net.workspace_cap;
    for (int i = 0; i < w->net.net.segment_count; i++) {
        size_t bytes = 0;
        MUST(trial_image_bytes(&bytes, &w->net.net, t->choices, i, 1u << TUNE_F0, &err));
        need.arena = bytes * 2 > need.arena ? bytes * 2 : need.arena;
    }
    MUST(ready_resize(&w->ready, &need, &err));
}

static void trials_compare_what_is_left(void **state)
{
    (void)state;
    struct source s = two_ups();
    for (size_t m = 0; m < LEN(maths); m++) {
        struct world *w = world_open(&s, (struct how){ .math = maths[m].math, .level = TUNE_F0, .batch = 2 });
        struct trial t;
        w->options.workspace_cap = w->net.net.workspace_cap = 1 << 20;
        struct prepared *p = world_prepare(w, 2);
        make_room(&t, w, p);
        for (int i = 0; i < w->net.net.segment_count; i++)
            if (has_scatter(&w->net.net, i))
                check_trial(&t, p->exec, i, tune_limit((int)maths[m].math));
        trial_free(&t);
        world_close(w);
    }
    source_free(&s);
}

/* --- the tuner and its cache --------------------------------------------------------------------------------------- */

static struct world *tuned_world(const struct source *s, enum tune_mode mode, const char *folder)
{
    struct world *w = world_open(s, (struct how){ .math = GPU_F16, .level = OPTIONS_LEVEL_TUNED, .batch = 1 });
    const struct cache_device device = { "fake", 90, 91900, 13000 };
    const struct cache_build build = { 130100, "test" };
    cache_close(w->ready.cache);
    w->ready.cache = cache_open(folder, &device, &build);
    assert_non_null(w->ready.cache);
    w->options.tune = mode;
    w->options.tune_budget_ns = UINT64_C(600000000000);
    w->options.workspace_cap = w->net.net.workspace_cap = 1 << 20;
    return w;
}

/* An entry as the tuner would write it, for the way. */
static void remember(struct cache *c, const struct gpu_net *net, int segment, const struct conv_way *way)
{
    struct err err = { .status = ST_OK };
    struct cache_entry entry = { .batch = 1, .winner = { .median_ns = 1, .samples = 1, .parts = 1 },
                                 .runner_up = { .level = -1 } };
    struct cache_part *part = &entry.winner.part[0];
    void *bytes;
    size_t size;
    snprintf(entry.signature, sizeof entry.signature, "%s", net->segments[segment].text);
    conv_name(way, part->name, sizeof part->name);
    part->workspace = conv_workspace(way);
    MUST(conv_save(way, &bytes, &size, &err));
    cache_keep_plan(c, part->plan, bytes, size);
    free(bytes);
    assert_true(cache_add(c, &entry));
}

static void check_restored(const struct source *s, const char *folder, int index)
{
    struct world *w = tuned_world(s, TUNE_CACHE, folder);
    struct prepared *p = world_prepare(w, 1);
    assert_int_equal(choose_direct(p->exec, index), 2);
    for (int i = 0; i < w->net.net.segment_count; i++)
        if (has_scatter(&w->net.net, i))
            remember(w->ready.cache, &w->net.net, i, p->exec->choices[i].way[0]);
    cache_save(w->ready.cache);
    assert_string_equal(cache_warning(w->ready.cache), "");
    world_close(w);

    w = tuned_world(s, TUNE_CACHE, folder);
    p = world_prepare(w, 1);
    assert_int_equal(p->tuned.cached, 2);
    assert_int_equal(steps_left(p->exec, STEP_SCATTER), 0);
    float *images = images_of(s, 1), *got = world_output(w, s, 1, images);
    double *want = reference_of(s, images, 1);
    assert_true(relative_l2(got, want, values_out(s)) < 5e-3);
    free(want);
    free(got);
    free(images);
    world_close(w);
}

static void a_cache_gives_the_form_back(void **state)
{
    (void)state;
    struct source s = two_ups();
    for (int index = 0; index < 4; index++) {
        char folder[] = "/tmp/cuda_engine_tconv_XXXXXX", command[128];
        assert_non_null(mkdtemp(folder));
        check_restored(&s, folder, index);
        snprintf(command, sizeof command, "rm -r %s", folder);
        assert_int_equal(system(command), 0);
    }
    source_free(&s);
}

/* Whatever wins on a fake: nothing is refused, and the network is computed. */
static void the_tuner_takes_both_forms(void **state)
{
    (void)state;
    struct source s = two_ups();
    struct world *w = tuned_world(&s, TUNE_FRESH, "");
    const struct tune_result *t = &world_prepare(w, 1)->tuned;
    float *images = images_of(&s, 1), *got = world_output(w, &s, 1, images);
    double *want = reference_of(&s, images, 1);
    assert_int_equal(t->rejected, 0);
    assert_int_equal(t->measured, t->segments);
    assert_true(relative_l2(got, want, values_out(&s)) < 5e-3);
    free(want);
    free(got);
    free(images);
    world_close(w);
    source_free(&s);
}

int main(void)
{
    use_fakes();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(direct_ways_compute_the_network),
        cmocka_unit_test(missing_steps_are_seen),
        cmocka_unit_test(trials_compare_what_is_left),
        cmocka_unit_test(a_cache_gives_the_form_back),
        cmocka_unit_test(the_tuner_takes_both_forms),
    };
    return cmocka_run_group_tests_name("cuda_engine_tconv", tests, NULL, NULL);
}
