/* The input packed with its own channels, with 4 and with 8, inside the engine on fakes: convolutions that read a wide form
 * compute the same network, a form that nobody reads is not packed and has no room, trials hold the forms against each
 * other, and a cache gives the form back. */
#include "tests/gpu/fake/cudart.h"
#include "tests/unit/cuda_forms_help.h"
#include "tests/unit/odd_graphs.h"

/* Two convolutions read the input, a 3x3 before a norm and a 1x1. */
static struct source readers(int channels)
{
    struct graph *g = graph_new("readers");
    int x = graph_input(g, channels, 5, 7);
    int a = graph_relu(g, norm(g, "a.n", conv(g, "a", x, 12, 3, false)));
    int b = two(g, a, conv(g, "b", x, 12, 1, true));
    return source_of_graph(g, conv(g, "c", b, 9, 3, true), "conformance");
}

static bool reads_image(const struct gpu_net *net, int segment)
{
    return net->segments[segment].parts > 0 &&
           net->plan->steps[net->segments[segment].part[0].conv].u.conv.src == net->plan->image[0];
}

/* --- ways by force ------------------------------------------------------------------------------------------------- */

/* Both convolutions by all ways in a form, as far as each has one: one packed input is left. */
static void check_form(const struct source *s, int m, enum conv_form form)
{
    struct world *w = world_open(s, (struct how){ .math = maths[m].math, .level = TUNE_F0, .batch = 2 });
    struct prepared *p = world_prepare(w, 2);
    assert_int_equal(steps_left(p->exec, STEP_PACK), 1);
    int index = 0;
    for (; choose_form(p->exec, form, index) > 0; index++) {
        plan_again(w, p);
        assert_int_equal(steps_left(p->exec, STEP_PACK), 1);
        check_output(w, p, s, maths[m].limit);
    }
    assert_true(index >= 2);
    world_close(w);
}

static void wide_inputs_compute_the_network(void **state)
{
    (void)state;
    for (int channels = 1; channels <= 7; channels += 2) {
        struct source s = readers(channels);
        for (int m = 0; m < (int)LEN(maths); m++) {
            if (channels < 4)
                check_form(&s, m, CONV_WIDE4);
            check_form(&s, m, CONV_WIDE8);
        }
        source_free(&s);
    }
}

/* One convolution reads 4 channels, the other 8. */
static void every_reader_has_its_form(void **state)
{
    (void)state;
    struct source s = readers(3);
    struct world *w = world_open(&s, (struct how){ .math = GPU_F16, .level = TUNE_F0, .batch = 2 });
    struct prepared *p = world_prepare(w, 2);
    int next = 0;
    for (int i = 0; i < w->net.net.segment_count; i++) {
        struct conv_way *ways[WAYS_OF_ALL_FORMS];
        int count = reads_image(&w->net.net, i) ? ways_of(ways, p->exec, i) : 0;
        assert_int_equal(strstr(w->net.net.segments[i].text, " image ") != NULL, reads_image(&w->net.net, i));
        for (int k = 0; k < count; k++)
            if (conv_form(ways[k]) == (next % 2 ? CONV_WIDE8 : CONV_WIDE4))
                p->exec->choices[i].way[0] = ways[k];
        next += count > 0;
    }
    assert_int_equal(next, 2);
    plan_again(w, p);
    assert_int_equal(steps_left(p->exec, STEP_PACK), 2);
    check_output(w, p, &s, 5e-3);
    world_close(w);
    source_free(&s);
}

/* A wide form has more channels than the input; and there is none where a sum reads the input, which then has whole
 * blocks of channels already. */
static void forms_have_more_channels(void **state)
{
    (void)state;
    static const struct { int channels; bool form[CONV_FORMS]; } cases[] = {
        { 3, { [CONV_WIDE4] = true, [CONV_WIDE8] = true } }, { 4, { [CONV_WIDE8] = true } }, { 8, { false } },
        { 9, { false } },
    };
    for (size_t i = 0; i < LEN(cases); i++) {
        struct source s = readers(cases[i].channels);
        struct world *w = world_open(&s, (struct how){ .math = GPU_F16, .level = TUNE_F0, .batch = 1 });
        struct prepared *p = world_prepare(w, 1);
        for (int form = CONV_PLAIN + 1; form < CONV_FORMS; form++)
            assert_int_equal(choose_form(p->exec, (enum conv_form)form, 0), cases[i].form[form] ? 2 : 0);
        world_close(w);
        source_free(&s);
    }
    struct graph *g = graph_new("sum");
    int x = graph_input(g, 3, 5, 7);
    struct source s = source_of_graph(g, two(g, conv(g, "a", x, 3, 3, true), x), "conformance");
    struct world *w = world_open(&s, (struct how){ .math = GPU_F16, .level = TUNE_F0, .batch = 1 });
    assert_int_equal(choose_form(world_prepare(w, 1)->exec, CONV_WIDE8, 0), 0);
    world_close(w);
    source_free(&s);
}

/* The wrong twin: the input is not packed in the form that is read. */
static void a_missing_pack_is_seen(void **state)
{
    (void)state;
    struct source s = readers(3);
    struct world *w = world_open(&s, (struct how){ .math = GPU_F32, .level = TUNE_F0, .batch = 1, .stream = true });
    struct prepared *p = world_prepare(w, 1);
    assert_int_equal(choose_form(p->exec, CONV_WIDE8, 0), 2);
    plan_again(w, p);
    for (int i = 0; i < w->net.net.plan->step_count; i++)
        if (w->net.net.plan->steps[i].kind == STEP_PACK)
            p->exec->steps[0][i].kind = BOUND_NOTHING;
    float *images = images_of(&s, 1), *got = world_output(w, &s, 1, images);
    double *want = reference_of(&s, images, 1);
    assert_false(relative_l2(got, want, values_out(&s)) < 0.1);
    free(got);
    free(want);
    free(images);
    world_close(w);
    source_free(&s);
}

/* --- trials -------------------------------------------------------------------------------------------------------- */

static void check_trial(struct trial *t, struct exec *e, int segment, double limit)
{
    static float want[VALUES], got[VALUES];
    struct conv_way *ways[WAYS_OF_ALL_FORMS];
    struct err err = { .status = ST_OK };
    int count = ways_of(ways, e, segment), seen[CONV_FORMS] = { 0 };
    size_t values = trial_of(t, e, segment, ways[0], want);
    assert_true(values > 0);
    for (int k = 0; k < count; k++) {
        double ns = 0;
        struct choice choice = e->choices[segment];
        seen[conv_form(ways[k])]++;
        assert_int_equal(trial_of(t, e, segment, ways[k], got), values);
        assert_true(tune_agree(want, got, values, limit));
        choice.way[0] = ways[(k + count / 2) % count];  /* often another form, whose input lies elsewhere */
        MUST(trial_sample(t, segment, &choice, &ns, &err));
        assert_int_equal(t->form[0], conv_form(choice.way[0]));
    }
    assert_true(seen[CONV_PLAIN] > 0 && seen[CONV_WIDE4] > 0 && seen[CONV_WIDE8] > 0 && seen[CONV_DIRECT] == 0);
    /* the wrong twin: a wide way of another 3x3, which is shifted by a row, or of a 1x1 that forgets the bias */
    struct conv_way **others;
    size_t other_count;
    struct conv_want wrong = bind_want(e->net, e->choices, segment, 0, e->batch);
    if (wrong.shape.bias)
        wrong.shape.bias = false;
    else {
        wrong.shape.pad_h = 0;
        wrong.shape.out_h -= 2;
    }
    MUST(conv_list(&others, &other_count, e->net->libraries, &wrong, WAYS, e->net->workspace_cap, &err));
    assert_int_equal(conv_form(others[other_count - 1]), CONV_WIDE8);
    assert_int_equal(trial_of(t, e, segment, others[other_count - 1], got), values);
    assert_false(tune_agree(want, got, values, limit));
    conv_free_all(others, other_count);
}

static void trials_compare_the_forms(void **state)
{
    (void)state;
    struct source s = readers(3);
    check_trials(&s, reads_image, check_trial);
    source_free(&s);
}

/* --- the tuner and its cache --------------------------------------------------------------------------------------- */

static void a_cache_gives_the_form_back(void **state)
{
    (void)state;
    struct source s = readers(3);
    for (int form = CONV_WIDE4; form <= CONV_WIDE8; form++)
        check_cache(&s, (enum conv_form)form, 0);
    source_free(&s);
}

static void the_tuner_takes_all_forms(void **state)
{
    (void)state;
    struct source s = readers(3);
    check_tuner(&s);
    source_free(&s);
}

int main(void)
{
    use_fakes();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wide_inputs_compute_the_network), cmocka_unit_test(every_reader_has_its_form),
        cmocka_unit_test(forms_have_more_channels),        cmocka_unit_test(a_missing_pack_is_seen),
        cmocka_unit_test(trials_compare_the_forms),        cmocka_unit_test(a_cache_gives_the_form_back),
        cmocka_unit_test(the_tuner_takes_all_forms),
    };
    return cmocka_run_group_tests_name("cuda_engine_image", tests, NULL, NULL);
}
