/* Binding on graphs that the three networks do not have, on fakes of CUDA's libraries; attention in products and as one
 * plan; and what cannot be run says so. */
#include "tests/gpu/fake/cudart.h"
#include "tests/unit/cuda_engine_help.h"
#include "tests/unit/odd_graphs.h"

static struct source source_of_row(const struct odd_graph *r)
{
    struct graph *g = graph_new("test");
    int x = graph_input(g, 3, r->h, r->w);
    return source_of_graph(g, r->build(g, x), "conformance");
}

static void check(const struct how *how, double limit)
{
    for (size_t i = 0; i < LEN(odd_graphs); i++) {
        struct source s = source_of_row(&odd_graphs[i]);
        double d = deviation_of(&s, *how);
        if (!(d < limit))
            fail_msg("%s %dx%d %s level %d: %g", odd_graphs[i].name, odd_graphs[i].h, odd_graphs[i].w,
                     gpu_math_name(how->math), how->level, d);
        source_free(&s);
    }
}

static void graphs_agree_in_f32(void **state)
{
    (void)state;
    check(&(struct how){ .math = GPU_F32, .level = TUNE_F0, .batch = 2 }, 2e-5);
}

static void graphs_agree_in_halves(void **state)
{
    (void)state; /* a few roundings of 2^-11 and 2^-8 each */
    check(&(struct how){ .math = GPU_F16, .level = TUNE_F2, .batch = 1 }, 0.01);
    check(&(struct how){ .math = GPU_BF16, .level = TUNE_F1, .batch = 1 }, 0.03);
}

static int conv_of_map(struct graph *g, int x)
{
    return conv(g, "b", conv(g, "a", conv(g, "c", x, 16, 3, true), 1, 1, true), 16, 3, true);
}

static void refusals_name_the_operator(void **state)
{
    (void)state;
    struct err err = { .status = ST_OK };
    struct source s = source_of_row(&(struct odd_graph){ "", conv_of_map, 8, 8 });
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    assert_int_equal(world_try(w, &s, (struct how){ .math = GPU_F32, .batch = 1 }, &err), ST_UNSUPPORTED);
    assert_non_null(strstr(err.text, "conv \"b\""));
    world_close(w);
    source_free(&s);
}

int main(void)
{
    use_fakes();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(graphs_agree_in_f32),
        cmocka_unit_test(graphs_agree_in_halves),
        cmocka_unit_test(refusals_name_the_operator),
    };
    return cmocka_run_group_tests_name("cuda_engine_graphs", tests, NULL, NULL);
}
