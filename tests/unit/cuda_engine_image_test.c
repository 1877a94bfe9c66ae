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
    assert_false(difference(w, &s) < 0.1);
    world_close(w);
    source_free(&s);
}

/* --- trials -------------------------------------------------------------------------------------------------------- */

/* The wrong twin: a wide way of another 3x3, which is shifted by a row, or of a 1x1 that forgets the bias. */
static struct twin twin_of(const struct exec *e, int segment)
{
    struct twin twin = { .forms = 1u << CONV_PLAIN | 1u << CONV_WIDE4 | 1u << CONV_WIDE8, .last = CONV_WIDE8,
                         .wrong = bind_want(e->net, e->choices, segment, 0, e->batch) };
    if (twin.wrong.shape.bias)
        twin.wrong.shape.bias = false;
    else {
        twin.wrong.shape.pad_h = 0;
        twin.wrong.shape.out_h -= 2;
    }
    return twin;
}

static void trials_compare_the_forms(void **state)
{
    (void)state;
    struct source s = readers(3);
    check_trials(&s, reads_image, twin_of);
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
