/* Lowering on graphs that the three networks do not have: values read twice, sums too long for one pass, attention on
 * what is no norm, concatenations of what others read too. And what the engine cannot run says so. */
#include "tests/unit/cpu_engine_help.h"
#include "tests/unit/odd_graphs.h"

static struct net net_of_row(const struct odd_graph *r)
{
    struct graph *g = graph_new("test");
    int x = graph_input(g, 3, r->h, r->w);
    return net_of_graph(g, r->build(g, x), "conformance");
}

static void graphs_agree(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(odd_graphs); i++) {
        struct net net = net_of_row(&odd_graphs[i]);
        for (enum cpu_isa isa = CPU_PLAIN; isa <= cpu_isa_best(); isa++) {
            double d = net_deviation(&net, (struct how){ FUSED_F32, isa, 2, false });
            if (!(d < 2e-5))
                fail_msg("%s %dx%d %s: %g", odd_graphs[i].name, odd_graphs[i].h, odd_graphs[i].w, cpu_isa_name(isa), d);
        }
        net_free(&net);
    }
}

static void graphs_agree_in_bf16(void **state)
{
    (void)state;
    if (!compat_has_bf16())
        skip();
    for (size_t i = 0; i < LEN(odd_graphs); i++) {
        struct net net = net_of_row(&odd_graphs[i]);
        double d = net_deviation(&net, (struct how){ FUSED_BF16, cpu_isa_best(), 2, false });
        if (!(d < 0.02)) /* a few roundings of 2^-9 each */
            fail_msg("%s %dx%d: %g", odd_graphs[i].name, odd_graphs[i].h, odd_graphs[i].w, d);
        net_free(&net);
    }
}

/* One image's result with 1, 2 and 3 threads. */
static void threads_agree(const struct odd_graph *r, const struct net *net, const float *image, enum fused_type type)
{
    const size_t bytes = values_of(&net->g->nodes[net->g->output]) * sizeof(float);
    float *first = NULL;
    for (int threads = 1; threads <= 3; threads++) {
        omp_set_num_threads(threads);
        float *got = net_run(net, image, (struct how){ type, cpu_isa_best(), 1, false });
        if (first && memcmp(got, first, bytes) != 0)
            fail_msg("%s %dx%d: %d threads give another result than 1", r->name, r->h, r->w, threads);
        free(first);
        first = got;
    }
    free(first);
}

/* Three images in one batch beside each alone. */
static void singles_agree(const struct odd_graph *r, const struct net *net, const float *images, enum fused_type type)
{
    const size_t in = values_of(&net->g->nodes[0]), count = values_of(&net->g->nodes[net->g->output]);
    float *three = net_run(net, images, (struct how){ type, cpu_isa_best(), 3, false });
    for (size_t i = 0; i < 3; i++) {
        float *one = net_run(net, images + i * in, (struct how){ type, cpu_isa_best(), 1, false });
        if (memcmp(one, three + i * count, count * sizeof *one) != 0)
            fail_msg("%s %dx%d: image %zu of a batch has another result than alone", r->name, r->h, r->w, i);
        free(one);
    }
    assert_true(memcmp(three, three + count, count * sizeof *three) != 0); /* other images, other results */
    free(three);
}

static void threads_and_batches_agree(void **state)
{
    (void)state;
    const enum fused_type last = compat_has_bf16() ? FUSED_BF16 : FUSED_F32;
    const int before = omp_get_max_threads();
    for (size_t i = 0; i < LEN(odd_graphs); i++) {
        struct net net = net_of_row(&odd_graphs[i]);
        float *images = images_new(&net, 3);
        for (enum fused_type type = FUSED_F32; type <= last; type++) {
            threads_agree(&odd_graphs[i], &net, images, type);
            singles_agree(&odd_graphs[i], &net, images, type);
        }
        free(images);
        net_free(&net);
    }
    omp_set_num_threads(before);
}

/* --- what cannot be run ------------------------------------------------------------------------------------------ */

static int product_of_tensors(struct graph *g, int x)
{
    int a = conv(g, "a", x, 16, 3, true);
    return graph_mul(g, a, conv(g, "b", x, 16, 3, true));
}
static int conv_of_map(struct graph *g, int x)
{
    return conv(g, "b", conv(g, "a", conv(g, "c", x, 16, 3, true), 1, 1, true), 16, 3, true);
}
static int concat_of_concat(struct graph *g, int x)
{
    int a = conv(g, "a", x, 9, 3, true), b = conv(g, "b", x, 9, 3, true);   /* padded in between */
    return conv(g, "y", graph_concat(g, (int[]){ graph_concat(g, (int[]){ a, b }, 2), b }, 2), 16, 3, true);
}

static void refusals_name_the_operator(void **state)
{
    (void)state;
    static const struct { struct odd_graph row; const char *says; } cases[] = {
        { { "", product_of_tensors, 8, 8 }, "one-channel map" },
        { { "", conv_of_map, 8, 8 }, "conv \"b\"" },
        { { "", concat_of_concat, 8, 8 }, "padding in between" },
    };
    for (size_t i = 0; i < LEN(cases); i++) {
        struct err err = { .status = ST_OK };
        struct net net = net_of_row(&cases[i].row);
        struct plan *plan = NULL;
        struct packing *packing = packing_new(net.compat);
        const struct lower_target target = packing_target(packing, FUSED_F32);
        assert_int_equal(lower_graph(&plan, net.g, &net.w, &target, &err), ST_UNSUPPORTED);
        assert_non_null(strstr(err.text, cases[i].says));
        assert_null(plan);
        packing_free(packing);
        net_free(&net);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(graphs_agree),
        cmocka_unit_test(graphs_agree_in_bf16),
        cmocka_unit_test(threads_and_batches_agree),
        cmocka_unit_test(refusals_name_the_operator),
    };
    return cmocka_run_group_tests_name("cpu_engine_graphs", tests, NULL, NULL);
}
