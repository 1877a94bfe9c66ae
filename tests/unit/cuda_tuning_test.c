/* The tuner inside the engine, on fakes of CUDA's libraries whose kernels are the real ones run on the CPU:
 * trials of every level agree with each other, what was chosen computes the network, and a cache gives the
 * same plans to the next process. Which way is faster on a fake means nothing: nothing is asked of times. */
#include <dirent.h>

#include "kernels/cuda/library/conv.h"
#include "kernels/cuda/library/cudnn_graph.h"
#include "kernels/cuda/trial.h"
#include "tests/unit/cuda_engine_help.h"
#include "tests/unit/small_networks.h"

#define BATCH 1

/* HRNet's stem and first stage: F2 in chains of two and three convolutions, a residual, a strided 3x3. */
static struct source small_source(void)
{
    return source_of_model(&small_hrnet, 36, 36, "layer1");
}

/* A device so slow that launches cost nothing beside it: every layer is worth F1 and F2. */
static void slow_down(struct world *w)
{
    w->device.card.speed.bytes_per_s /= 1e5;
    for (int i = 0; i <= GPU_BF16; i++)
        w->device.card.speed.flops[i] /= 1e5;
}

static struct world *open_tuned(const struct source *s, enum gpu_math math, enum tune_mode mode,
                                const char *dir)
{
    const struct cache_device device = { "fake", 90, 91900, 13000 };
    const struct cache_build build = { 130000, "test" };
    struct world *w =
        world_open(s, (struct how){ .math = math, .level = OPTIONS_LEVEL_TUNED, .batch = BATCH });
    w->options.tune = mode;
    w->options.tune_budget_ns = UINT64_C(600000000000); /* never what ends it, however busy the machine is */
    cache_close(w->ready.cache);
    w->ready.cache = cache_open(dir, &device, &build);
    assert_non_null(w->ready.cache);
    slow_down(w);
    return w;
}

static int norms_in(const struct exec *e)
{
    int count = 0;
    for (int i = 0; i < e->net->plan->step_count; i++)
        count += e->steps[0][i].kind == BOUND_NORM;
    return count;
}

/* What one process finds. */
struct found {
    int segments, cached, measured, heuristic, rejected;
    int lone;                           /* segments without a convolution: nothing of theirs can break */
    int shaped[GPU_SHAPED_KERNELS];     /* steps that run in another block shape than the default */
    int norms;                                  /* steps at F3 */
    char hash[SHA256_HEX_SIZE], warning[512];
    float *output;
};

static struct found find(const struct source *s, enum gpu_math math, enum tune_mode mode, const char *dir)
{
    struct world *w = open_tuned(s, math, mode, dir);
    float *images = images_of(s, BATCH);
    const struct tune_result *r = &world_prepare(w, BATCH)->tuned;
    struct found f = { .segments = r->segments, .cached = r->cached, .measured = r->measured,
                       .heuristic = r->heuristic, .rejected = r->rejected };
    const struct exec *e = ready_find(&w->ready, BATCH)->exec;
    for (int i = 0; i < r->count; i++)
        f.lone += w->net.net.segments[r->outcomes[i].segment].parts == 0;
    for (int i = 0; i < w->net.net.plan->step_count; i++)
        if (e->steps[0][i].shape != GPU_SHAPE_EVEN)
            f.shaped[e->steps[0][i].kind == BOUND_STATS    ? GPU_SHAPED_STATS
                     : e->steps[0][i].kind == BOUND_SURVEY ? GPU_SHAPED_SURVEY
                                                           : GPU_SHAPED_APPLY]++;
    snprintf(f.hash, sizeof f.hash, "%s", r->plan_hash);
    f.norms = norms_in(ready_find(&w->ready, BATCH)->exec);
    snprintf(f.warning, sizeof f.warning, "%s", cache_warning(w->ready.cache));
    if (r->rejected)
        print_message("rejected: %s\n", r->first_rejected);
    f.output = world_output(w, s, BATCH, images);
    free(images);
    world_close(w);
    return f;
}

static double deviation_from_reference(const struct source *s, const float *output)
{
    float *images = images_of(s, BATCH);
    double *want = reference_of(s, images, BATCH), d = relative_l2(output, want, BATCH * values_out(s));
    free(want);
    free(images);
    return d;
}

/* No trial is refused, so every level of every segment computes the same; the choice computes the network.
 * Limits as for networks at a fixed level. */
static void check_tuned(const struct found *f, const struct source *s, double limit)
{
    double d = deviation_from_reference(s, f->output);
    print_message("%d segments, %d measured, %d norms, deviation %.2g\n", f->segments, f->measured, f->norms, d);
    assert_int_equal(f->rejected, 0);
    assert_int_equal(f->measured, f->segments);
    assert_true(d < limit);
}

static void every_trial_agrees(void **state)
{
    (void)state;
    struct source s = small_source();
    struct found f = find(&s, GPU_F32, TUNE_FRESH, "");
    check_tuned(&f, &s, 1e-4);
    free(f.output);
    source_free(&s);
}

/* The steps that no convolution explains, too: surveys, and applies of several raw tensors. */
static void lone_steps_agree(void **state)
{
    (void)state;
    struct source s = source_of_model(&small_advanced, 32, 32, "");
    struct found f = find(&s, GPU_F32, TUNE_FRESH, "");
    check_tuned(&f, &s, 1e-3);
    assert_true(f.lone > 2);
    free(f.output);
    source_free(&s);
}

static bool is_plan(const char *name)
{
    size_t size = strlen(name);
    return size > 5 && strcmp(name + size - 5, ".plan") == 0;
}

/* Breaks every plan file in the folder; how many. */
static int break_plans(const char *dir)
{
    DIR *d = opendir(dir);
    char path[600];
    int broken = 0;
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        if (!is_plan(e->d_name))
            continue;
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        FILE *f = fopen(path, "r+b");
        assert_non_null(f);
        fputc('x', f);
        fclose(f);
        broken++;
    }
    closedir(d);
    return broken;
}

static void remove_folder(const char *dir)
{
    DIR *d = opendir(dir);
    char path[600];
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            unlink(path);
    }
    if (d)
        closedir(d);
    rmdir(dir);
}

static void the_cache_gives_the_same_plans(void **state)
{
    (void)state;
    char dir[] = "/tmp/tuning_test_XXXXXX";
    assert_non_null(mkdtemp(dir));
    struct source s = small_source();
    struct found none = find(&s, GPU_F16, TUNE_CACHE, dir), off = find(&s, GPU_F16, TUNE_OFF, dir);
    assert_int_equal(none.heuristic, none.segments);
    assert_string_equal(none.hash, off.hash);
    struct found cold = find(&s, GPU_F16, TUNE_AUTO, dir), warm = find(&s, GPU_F16, TUNE_AUTO, dir);
    assert_string_equal(cold.warning, "");
    check_tuned(&cold, &s, 0.03);
    assert_int_equal(warm.cached, cold.segments);
    assert_string_equal(warm.hash, cold.hash);
    assert_memory_equal(warm.output, cold.output, BATCH * values_out(&s) * sizeof(float));
    assert_true(break_plans(dir) > 0);
    struct found nightly = find(&s, GPU_F16, TUNE_CACHE, dir); /* guesses, not another measurement */
    assert_int_equal(nightly.measured, 0);
    assert_int_equal(nightly.cached, nightly.lone); /* the shapes of steps that have no plan are there still */
    float *outputs[] = { none.output, off.output, cold.output, warm.output, nightly.output };
    for (size_t i = 0; i < LEN(outputs); i++) {
        assert_true(deviation_from_reference(&s, outputs[i]) < 0.03);
        free(outputs[i]);
    }
    source_free(&s);
    remove_folder(dir);
}

/* On a device where blocks of more than 128 threads cost more, `small` wins wherever a kernel has it; what the folder
 * remembers runs the same, and without tuning everything is as it was. */
static void smaller_blocks_win_where_they_are_faster(void **state)
{
    (void)state;
    char dir[] = "/tmp/tuning_test_XXXXXX";
    assert_non_null(mkdtemp(dir));
    struct source s = small_source();
    fake_cudart_restart("protect=0 wide=1500");
    struct found cold = find(&s, GPU_F32, TUNE_AUTO, dir), warm = find(&s, GPU_F32, TUNE_CACHE, dir);
    struct found off = find(&s, GPU_F32, TUNE_OFF, dir);
    fake_cudart_restart("protect=0");
    check_tuned(&cold, &s, 1e-4);
    print_message("in small blocks: %d statistics, %d applies\n", cold.shaped[GPU_SHAPED_STATS],
                  cold.shaped[GPU_SHAPED_APPLY]);
    assert_true(cold.shaped[GPU_SHAPED_APPLY] > 0);
    assert_int_equal(warm.cached, cold.segments);
    assert_memory_equal(warm.shaped, cold.shaped, sizeof warm.shaped);
    assert_string_equal(warm.hash, cold.hash);
    assert_memory_equal(warm.output, cold.output, BATCH * values_out(&s) * sizeof(float));
    for (int i = 0; i < GPU_SHAPED_KERNELS; i++)
        assert_int_equal(off.shaped[i], 0);
    assert_string_not_equal(off.hash, cold.hash);
    free(cold.output);
    free(warm.output);
    free(off.output);
    source_free(&s);
    remove_folder(dir);
}

/* relu(norm(conv(relu(norm(conv x))) + ...): two norms, the second one with a residual. */
static struct source two_norms(void)
{
    struct graph *g = graph_new("test");
    int x = graph_input(g, 3, 16, 16);
    int a = graph_conv(g, "a", x, (struct conv_spec){ 16, 3, 1, 1, 1, false });
    a = graph_relu(g, graph_norm(g, "a.n", a, false));
    int b = graph_conv(g, "b", a, (struct conv_spec){ 16, 3, 1, 1, 1, false });
    b = graph_norm(g, "b.n", b, false);
    return source_of_graph(g, graph_relu(g, graph_add(g, (int[]){ b, a }, 2)), "conformance");
}

/* Where little costs but the number of operations, statistics and pass in one of them win. One norm of the two is enough
 * here: a busy machine may hide a difference of milliseconds. */
static void norms_win_where_operations_cost(void **state)
{
    (void)state;
    fake_cudart_restart("protect=0 slow=2000");
    struct source s = two_norms();
    struct found f = find(&s, GPU_F16, TUNE_FRESH, "");
    fake_cudart_restart("protect=0");
    check_tuned(&f, &s, 0.03);
    assert_in_range(f.norms, 1, 2);
    free(f.output);
    source_free(&s);
}

/* One part of a choice into an entry. */
static void keep_part(struct cache *c, struct cache_part *part, int level, size_t workspace, void *bytes, size_t size)
{
    part->level = level;
    part->workspace = workspace;
    assert_non_null(bytes);
    cache_keep_plan(c, part->plan, bytes, size);
    free(bytes);
}

/* The winners of an execution at a fixed level, as the tuner would have stored them. How many norms are among them. */
static int store_choices(struct cache *c, const struct exec *e)
{
    struct err err = { .status = ST_OK };
    int norms = 0;
    for (int i = 0; i < e->net->segment_count; i++) {
        const struct segment *s = &e->net->segments[i];
        struct cache_entry entry = { .batch = e->batch, .runner_up = { .level = -1 } };
        entry.winner = (struct cache_choice){ .level = TUNE_F3, .median_ns = 1000, .samples = 12, .parts = s->parts };
        snprintf(entry.signature, sizeof entry.signature, "%s", s->text);
        for (int slot = 0; slot < s->parts; slot++) {
            const struct choice *choice = &e->choices[i];
            struct cache_part *part = &entry.winner.part[slot], *norm = &entry.winner.norm[slot];
            bool normed = choice->level[slot] == TUNE_F3;
            void *bytes = NULL;
            size_t size = 0;
            MUST(conv_save(choice->way[slot], &bytes, &size, &err));
            conv_name(choice->way[slot], part->name, sizeof part->name);
            keep_part(c, part, normed ? TUNE_F0 : choice->level[slot], conv_workspace(choice->way[slot]), bytes, size);
            if (!normed)
                continue;
            char *text = graph_plan_save(choice->norm[slot], &err);
            graph_plan_name(choice->norm[slot], norm->name, sizeof norm->name);
            keep_part(c, norm, TUNE_F3, choice->norm[slot]->workspace, text, strlen(text));
            norms += s->same == i;
        }
        assert_true(cache_add(c, &entry));
    }
    return norms;
}

/* Norms of cuDNN's that were chosen once come back from the folder: the same plans, the same values. */
static void norms_come_back_from_the_cache(void **state)
{
    (void)state;
    char dir[] = "/tmp/tuning_test_XXXXXX";
    assert_non_null(mkdtemp(dir));
    struct source s = small_source();
    float *images = images_of(&s, BATCH);
    struct world *w = open_tuned(&s, GPU_F16, TUNE_AUTO, dir);
    w->options.level = TUNE_F3;
    const struct prepared *forced = world_prepare(w, BATCH);
    int norms = norms_in(forced->exec);
    assert_true(store_choices(w->ready.cache, forced->exec) > 0 && norms > 10);
    cache_save(w->ready.cache);
    float *want = world_output(w, &s, BATCH, images);
    world_close(w);
    w = open_tuned(&s, GPU_F16, TUNE_CACHE, dir);
    const struct prepared *p = world_prepare(w, BATCH);
    assert_int_equal(p->tuned.cached, p->tuned.segments);
    assert_int_equal(norms_in(p->exec), norms);
    float *got = world_output(w, &s, BATCH, images);
    assert_memory_equal(got, want, BATCH * values_out(&s) * sizeof *got);
    assert_true(deviation_from_reference(&s, got) < 0.03);
    world_close(w);
    free(got);
    free(want);
    free(images);
    source_free(&s);
    remove_folder(dir);
}

/* A norm is tried, timed and counted with its workspace and launches like everything else. */
static void norms_are_tried(void **state)
{
    (void)state;
    struct err err = { .status = ST_OK };
    struct source s = small_source();
    struct world *w = open_tuned(&s, GPU_F32, TUNE_FRESH, "");
    w->options.level = TUNE_F3;
    const struct exec *e = world_prepare(w, BATCH)->exec;
    struct trial t;
    static float at_f0[1 << 18], at_f3[1 << 18];
    int tried = 0;
    MUST(trial_new(&t, e, &w->ready.pool, &err));
    for (int i = 0; i < e->net->segment_count; i++) {
        const struct segment *segment = &e->net->segments[i];
        struct choice norm = e->choices[i], plain = norm;
        bool all = segment->same == i && segment->parts > 0;
        for (int slot = 0; slot < segment->parts; slot++) {
            all = all && norm.level[slot] == TUNE_F3;
            plain.level[slot] = TUNE_F0; /* the same convolution */
        }
        size_t plain_count, norm_count, bytes;
        if (!all || trial_image_bytes(&bytes, e->net, t.choices, i, 1u << TUNE_F0, &err) != ST_OK ||
            bytes > w->ready.pool.arena.bytes)
            continue;
        double ns = 0;
        MUST(trial_values(&t, i, &plain, at_f0, LEN(at_f0), &plain_count, &err));
        MUST(trial_values(&t, i, &norm, at_f3, LEN(at_f3), &norm_count, &err));
        MUST(trial_sample(&t, i, &norm, &ns, &err));
        assert_true(plain_count == norm_count && norm_count > 0 && ns > 0);
        assert_true(tune_agree(at_f0, at_f3, norm_count, tune_limit(GPU_F32)));
        at_f3[norm_count / 2] += 1; /* the wrong twin */
        assert_false(tune_agree(at_f0, at_f3, norm_count, tune_limit(GPU_F32)));
        tried++;
    }
    assert_true(tried > 2);
    trial_free(&t);
    world_close(w);
    source_free(&s);
}

/* Without time everything is a guess, and the network runs all the same. */
static void without_a_budget_guesses_run(void **state)
{
    (void)state;
    struct source s = small_source();
    struct world *w = open_tuned(&s, GPU_F16, TUNE_FRESH, "");
    float *images = images_of(&s, BATCH);
    w->options.tune_budget_ns = 1;
    const struct tune_result *r = &world_prepare(w, BATCH)->tuned;
    assert_int_equal(r->heuristic, r->segments);
    float *output = world_output(w, &s, BATCH, images);
    assert_true(deviation_from_reference(&s, output) < 0.03);
    free(output);
    free(images);
    world_close(w);
    source_free(&s);
}

int main(void)
{
    use_fakes();
    fake_cudart_restart("protect=0"); /* a page fault for every access would take minutes */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_trial_agrees),
        cmocka_unit_test(lone_steps_agree),
        cmocka_unit_test(smaller_blocks_win_where_they_are_faster),
        cmocka_unit_test(the_cache_gives_the_same_plans),
        cmocka_unit_test(norms_win_where_operations_cost),
        cmocka_unit_test(norms_come_back_from_the_cache),
        cmocka_unit_test(norms_are_tried),
        cmocka_unit_test(without_a_budget_guesses_run),
    };
    return cmocka_run_group_tests_name("cuda_tuning", tests, NULL, NULL);
}
