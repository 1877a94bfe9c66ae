/* Transposed convolutions by every direct way of both libraries, inside the engine on fakes: the scatter step and the wide
 * product are gone, the network is computed all the same, trials hold one form against the other, and a cache gives the
 * form back. */
#include "tests/gpu/fake/cudart.h"
#include "tests/unit/cuda_forms_help.h"
#include "tests/unit/odd_graphs.h"

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

static bool has_scatter(const struct gpu_net *net, int segment)
{
    return net->segments[segment].parts > 0 && net->segments[segment].part[0].scatter != PLAN_NONE;
}

/* --- ways by force ------------------------------------------------------------------------------------------------- */

static void check_direct_ways(const struct source *s, enum gpu_math math, double limit)
{
    struct world *w = world_open(s, (struct how){ .math = math, .level = TUNE_F0, .batch = 2 });
    struct prepared *p = world_prepare(w, 2);
    size_t before = p->exec->layout.image_bytes;
    assert_int_equal(steps_left(p->exec, STEP_SCATTER), 2);
    int tried = 0;
    for (int changed = 2; changed > 0; tried += changed) {
        changed = choose_form(p->exec, CONV_DIRECT, tried / 2);
        plan_again(w, p);
        assert_int_equal(steps_left(p->exec, STEP_SCATTER), 0);
        assert_true(p->exec->layout.image_bytes < before); /* no room for what nobody writes */
        check_output(w, p, s, limit);
    }
    assert_true(tried >= 8);    /* two of each library */
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
        if (direct)
            choose_form(p->exec, CONV_DIRECT, 0);
        plan_again(w, p);
        for (int i = 0; i < w->net.net.segment_count; i++) {
            const struct segment_part *part = &w->net.net.segments[i].part[0];
            if (has_scatter(&w->net.net, i))
                p->exec->steps[0][direct ? part->conv : part->scatter].kind = BOUND_NOTHING;
        }
        assert_false(difference(w, &s) < 0.1);
        world_close(w);
    }
    source_free(&s);
}

/* --- trials -------------------------------------------------------------------------------------------------------- */

/* The wrong twin: a direct way that forgets the bias. */
static struct twin twin_of(const struct exec *e, int segment)
{
    struct twin twin = { .wrong = bind_want(e->net, e->choices, segment, 0, e->batch) };
    bool slice = twin.wrong.direct.stride > twin.wrong.shape.k / 4;
    twin.last = slice ? CONV_DIRECT_DENSE : CONV_DIRECT;
    twin.forms = 1u << CONV_PLAIN | 1u << CONV_DIRECT | (slice ? 1u << CONV_DIRECT_DENSE : 0);
    twin.wrong.direct.bias = false;
    return twin;
}

static void trials_compare_what_is_left(void **state)
{
    (void)state;
    struct source s = two_ups();
    check_trials(&s, has_scatter, twin_of);
    source_free(&s);
}

/* --- the tuner and its cache --------------------------------------------------------------------------------------- */

static void a_cache_gives_the_form_back(void **state)
{
    (void)state;
    struct source s = two_ups();
    for (int index = 0; index < 4; index++)
        check_cache(&s, CONV_DIRECT, index);
    source_free(&s);
}

static void the_tuner_takes_both_forms(void **state)
{
    (void)state;
    struct source s = two_ups();
    check_tuner(&s);
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
