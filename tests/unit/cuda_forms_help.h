/* cuda_forms_help.h - ways of other forms than the plain one, forced upon the engine on fakes, tried, and remembered. */
#ifndef TESTS_CUDA_FORMS_HELP_H
#define TESTS_CUDA_FORMS_HELP_H

#include "kernels/cuda/trial.h"
#include "tests/unit/cuda_engine_help.h"

#define WAYS 8
#define WAYS_OF_ALL_FORMS (2 * CONV_FORMS * WAYS)
#define VALUES 4096

static const struct { enum gpu_math math; double limit; } maths[] = {
    { GPU_F32, 2e-5 }, { GPU_TF32, 5e-3 }, { GPU_F16, 5e-3 }, { GPU_BF16, 0.03 },
};

/* The ways of a segment, in the order of conv_list; the execution owns them. */
static inline int ways_of(struct conv_way *out[WAYS_OF_ALL_FORMS], struct exec *e, int segment)
{
    struct err err = { .status = ST_OK };
    struct conv_way **ways;
    size_t count;
    struct conv_want want = bind_want(e->net, e->choices, segment, 0, e->batch);
    MUST(conv_list(&ways, &count, e->net->libraries, &want, WAYS, e->net->workspace_cap, &err));
    assert_in_range(count, 1, WAYS_OF_ALL_FORMS);
    for (size_t i = 0; i < count; i++) {
        out[i] = ways[i];
        MUST(exec_own(e, ways[i], &err));
    }
    free(ways);
    return (int)count;
}

/* The first part of every segment by its way number `index` in that form, where there are so many. How many were changed. */
static inline int choose_form(struct exec *e, enum conv_form form, int index)
{
    int changed = 0;
    for (int i = 0; i < e->net->segment_count; i++) {
        struct conv_way *ways[WAYS_OF_ALL_FORMS];
        int count = e->net->segments[i].parts > 0 ? ways_of(ways, e, i) : 0, left = index;
        for (int k = 0; k < count; k++)
            if (conv_form(ways[k]) == form && left-- == 0) {
                e->choices[i].way[0] = ways[k];
                changed++;
            }
    }
    return changed;
}

static inline void plan_again(struct world *w, struct prepared *p)
{
    struct err err = { .status = ST_OK };
    MUST(exec_plan(p->exec, &err));
    MUST(ready_again(&w->ready, p, &err));
}

static inline int steps_left(const struct exec *e, enum step_kind kind)
{
    int count = 0;
    for (int i = 0; i < e->net->plan->step_count; i++)
        count += e->net->plan->steps[i].kind == kind && e->steps[0][i].kind != BOUND_NOTHING;
    return count;
}

/* Two images: as the reference says, the same again, and the same on lanes. */
static inline void check_output(struct world *w, struct prepared *p, const struct source *s, double limit)
{
    size_t count = 2 * values_out(s);
    float *images = images_of(s, 2);
    double *want = reference_of(s, images, 2);
    float *got = world_output(w, s, 2, images), *twice = world_output(w, s, 2, images);
    double d = relative_l2(got, want, count);
    if (!(d < limit))
        fail_msg("%s: %g", gpu_math_name(w->net.net.math), d);
    assert_memory_equal(got, twice, count * sizeof *got);
    p->exec->lanes_most = 4;
    plan_again(w, p);
    float *lanes = world_output(w, s, 2, images);
    assert_memory_equal(got, lanes, count * sizeof *got);
    p->exec->lanes_most = 1;
    plan_again(w, p);
    free(want);
    free(images);
    free(got);
    free(twice);
    free(lanes);
}

static inline size_t trial_of(struct trial *t, const struct exec *e, int segment, struct conv_way *way, float *values)
{
    struct err err = { .status = ST_OK };
    struct choice choice = e->choices[segment];
    size_t count = 0;
    choice.way[0] = way;
    MUST(trial_values(t, segment, &choice, values, VALUES, &count, &err));
    return count;
}

/* Memory for trials of any segment. */
static inline void make_room(struct trial *t, struct world *w, struct prepared *p)
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

/* What a test expects of a segment: its ways have all these forms and no other, and the last way of `wrong` is of the form
 * `last` and leaves something else. */
struct twin {
    unsigned forms;                 /* bits 1 << enum conv_form */
    enum conv_form last;
    struct conv_want wrong;
};

static inline void check_wrong(struct trial *t, struct exec *e, int segment, const struct twin *twin, const float *want,
                               size_t values, double limit)
{
    static float got[VALUES];
    struct err err = { .status = ST_OK };
    struct conv_way **others;
    size_t count;
    MUST(conv_list(&others, &count, e->net->libraries, &twin->wrong, WAYS, e->net->workspace_cap, &err));
    assert_int_equal(conv_form(others[count - 1]), twin->last);
    assert_int_equal(trial_of(t, e, segment, others[count - 1], got), values);
    assert_false(tune_agree(want, got, values, limit));
    conv_free_all(others, count);
}

/* Every way leaves what the first one does, and is timed behind others. */
static inline void check_trial(struct trial *t, struct exec *e, int segment, const struct twin *twin, double limit)
{
    static float want[VALUES], got[VALUES];
    struct conv_way *ways[WAYS_OF_ALL_FORMS];
    struct err err = { .status = ST_OK };
    int count = ways_of(ways, e, segment);
    unsigned seen = 0;
    size_t values = trial_of(t, e, segment, ways[0], want);
    assert_true(values > 0);
    for (int k = 0; k < count; k++) {
        double ns = 0;
        struct choice choice = e->choices[segment];
        seen |= 1u << conv_form(ways[k]);
        assert_int_equal(trial_of(t, e, segment, ways[k], got), values);
        assert_true(tune_agree(want, got, values, limit));
        choice.way[0] = ways[(k + count / 2) % count];  /* often another form, whose input lies elsewhere */
        MUST(trial_sample(t, segment, &choice, &ns, &err));
        assert_int_equal(t->form[0], conv_form(choice.way[0]));
    }
    assert_int_equal(seen, twin->forms);
    check_wrong(t, e, segment, twin, want, values, limit);
}

/* In every precision, for the segments that `has` says. */
static inline void check_trials(const struct source *s, bool (*has)(const struct gpu_net *net, int segment),
                                struct twin (*twin_of)(const struct exec *e, int segment))
{
    for (size_t m = 0; m < LEN(maths); m++) {
        struct world *w = world_open(s, (struct how){ .math = maths[m].math, .level = TUNE_F0, .batch = 2 });
        struct trial t;
        w->options.workspace_cap = w->net.net.workspace_cap = 1 << 20;
        struct prepared *p = world_prepare(w, 2);
        make_room(&t, w, p);
        for (int i = 0; i < w->net.net.segment_count; i++)
            if (has(&w->net.net, i)) {
                const struct twin twin = twin_of(p->exec, i);
                check_trial(&t, p->exec, i, &twin, tune_limit((int)maths[m].math));
            }
        trial_free(&t);
        world_close(w);
    }
}

static inline struct world *tuned_world(const struct source *s, enum tune_mode mode, const char *folder)
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
static inline void remember(struct cache *c, const struct gpu_net *net, int segment, const struct conv_way *way)
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

/* Of the output for one image from what the reference says. */
static inline double difference(struct world *w, const struct source *s)
{
    float *images = images_of(s, 1), *got = world_output(w, s, 1, images);
    double *want = reference_of(s, images, 1), d = relative_l2(got, want, values_out(s));
    free(want);
    free(got);
    free(images);
    return d;
}

/* The two segments of the graph that have such a way, by way number `index` in that form: remembered, then found again. */
static inline void check_restored(const struct source *s, const char *folder, enum conv_form form, int index)
{
    int restored = 0;
    struct world *w = tuned_world(s, TUNE_CACHE, folder);
    struct prepared *p = world_prepare(w, 1);
    assert_int_equal(choose_form(p->exec, form, index), 2);
    for (int i = 0; i < w->net.net.segment_count; i++)
        if (bind_form(p->exec->choices, i, 0) == form)
            remember(w->ready.cache, &w->net.net, i, p->exec->choices[i].way[0]);
    cache_save(w->ready.cache);
    assert_string_equal(cache_warning(w->ready.cache), "");
    world_close(w);

    w = tuned_world(s, TUNE_CACHE, folder);
    p = world_prepare(w, 1);
    assert_int_equal(p->tuned.cached, 2);
    for (int i = 0; i < w->net.net.segment_count; i++)
        restored += bind_form(p->exec->choices, i, 0) == form;
    assert_int_equal(restored, 2);
    assert_true(difference(w, s) < 5e-3);
    world_close(w);
}

static inline void check_cache(const struct source *s, enum conv_form form, int index)
{
    char folder[] = "/tmp/cuda_forms_XXXXXX", command[128];
    assert_non_null(mkdtemp(folder));
    check_restored(s, folder, form, index);
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

/* Whatever wins on a fake: nothing is refused, and the network is computed. */
static inline void check_tuner(const struct source *s)
{
    struct world *w = tuned_world(s, TUNE_FRESH, "");
    const struct tune_result *t = &world_prepare(w, 1)->tuned;
    assert_int_equal(t->rejected, 0);
    assert_int_equal(t->measured, t->segments);
    assert_true(difference(w, s) < 5e-3);
    world_close(w);
}

#endif
