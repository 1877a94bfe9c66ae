/* Lowering on graphs that the three networks do not have: values read twice, sums too long for one pass, attention on
 * what is no norm, concatenations of what others read too. And what the engine cannot run says so. */
#include "tests/unit/cpu_engine_help.h"

static int conv(struct graph *g, const char *name, int src, int out, int kernel, bool bias)
{
    return graph_conv(g, name, src, (struct conv_spec){ out, kernel, 1, kernel / 2, 1, bias });
}

static int norm(struct graph *g, const char *name, int src)
{
    return graph_norm(g, name, src, false);
}

static int two(struct graph *g, int a, int b)
{
    return graph_add(g, (int[]){ a, b }, 2);
}

static int relu_of_sum_read_twice(struct graph *g, int x)
{
    int a = graph_relu(g, norm(g, "a.n", conv(g, "a", x, 20, 3, false)));
    int b = graph_relu(g, two(g, a, conv(g, "b", a, 20, 1, true)));
    return two(g, graph_relu(g, b), conv(g, "c", b, 20, 3, false));
}

static int six_terms(struct graph *g, int x)
{
    int terms[6];
    static const char *const names[] = { "t0", "t1", "t2", "t3", "t4", "t5" };
    for (int i = 0; i < 6; i++)
        terms[i] = norm(g, names[i], conv(g, names[i], x, 18, 1, false));
    return graph_relu(g, graph_add(g, terms, 6));
}

static int concat_of_shared(struct graph *g, int x)
{
    int a = conv(g, "a", x, 10, 3, true), b = graph_relu(g, norm(g, "b.n", conv(g, "b", a, 33, 3, false)));
    int c = graph_concat(g, (int[]){ b, a, graph_relu(g, b) }, 3);
    int d = norm(g, "d.n", c); /* per-channel parameters of a concatenation lie apart */
    return graph_concat(g, (int[]){ conv(g, "e", graph_relu(g, d), 7, 3, true), conv(g, "f", b, 3, 1, true) }, 2);
}

static int gates_on_anything(struct graph *g, int x)
{
    int a = graph_spatial_gate(g, "sa", conv(g, "a", x, 24, 3, true));
    int b = graph_se(g, "se", a, 8), c = graph_spatial_gate(g, "sb", b);
    return two(g, graph_simam(g, c), graph_triplet(g, "t", b)); /* b is read three times */
}

static int simam_alone(struct graph *g, int x)
{
    int a = graph_simam(g, conv(g, "a", x, 40, 3, true));
    return graph_maxpool(g, two(g, a, graph_triplet(g, "t", a)));
}

static int masks(struct graph *g, int x)
{
    int a = graph_relu(g, norm(g, "a.n", conv(g, "a", x, 17, 3, false)));
    int m = graph_sigmoid(g, conv(g, "m", a, 1, 1, true));
    int y = graph_mul(g, graph_mul(g, a, m), graph_relu(g, conv(g, "k", a, 1, 1, true)));
    return graph_sigmoid(g, conv(g, "y", y, 17, 1, true)); /* a factor per pixel in front of a 1x1 with a bias */
}

static int factor_behind_pointwise(struct graph *g, int x)
{
    int a = conv(g, "a", x, 32, 3, true), m = graph_sigmoid(g, conv(g, "m", a, 1, 1, true));
    return graph_relu(g, norm(g, "y.n", conv(g, "y", graph_mul(g, a, m), 48, 1, false)));
}

static int tconv_read_many_ways(struct graph *g, int x)
{
    int up = graph_tconv(g, "up", conv(g, "a", x, 12, 3, true), 20);
    int gate = norm(g, "p.n", conv(g, "p", up, 9, 1, false)); /* reads the product before it is in order */
    int wide = graph_concat(g, (int[]){ up, graph_relu(g, gate) }, 2);
    return two(g, conv(g, "q", wide, 20, 3, false), graph_relu(g, up));
}

static int resizes(struct graph *g, int x)
{
    const int h = g->nodes[x].h, w = g->nodes[x].w;
    int a = norm(g, "a.n", conv(g, "a", x, 16, 3, false));
    int up = graph_resize(g, a, h + 5, w + 3, true), down = graph_resize(g, a, h / 2, w / 3, false);
    int back = graph_resize(g, graph_relu(g, down), h + 5, w + 3, false);
    return norm(g, "s.n", two(g, up, back));
}

static int attention(struct graph *g, int x)
{
    return conv(g, "p", graph_attention(g, conv(g, "qkv", x, 96, 1, false), 2), 5, 1, true);
}

static int depthwise(struct graph *g, int x)
{
    int a = conv(g, "a", x, 32, 1, true);
    return graph_conv(g, "d", a, (struct conv_spec){ 32, 3, 1, 1, 32, false });
}

static int pool_of_conv(struct graph *g, int x)
{
    int a = conv(g, "a", x, 16, 3, true);
    return two(g, graph_maxpool(g, a), graph_relu(g, graph_maxpool(g, graph_relu(g, a))));
}

static const struct row {
    const char *name;
    int (*build)(struct graph *g, int x);
    int h, w;
} rows[] = {
#define ROW(build, h, w) { #build, build, h, w }
    ROW(relu_of_sum_read_twice, 9, 7), ROW(six_terms, 5, 11),          ROW(concat_of_shared, 8, 6),
    ROW(gates_on_anything, 11, 13),    ROW(simam_alone, 7, 9),         ROW(masks, 6, 10),
    ROW(factor_behind_pointwise, 9, 8), ROW(tconv_read_many_ways, 5, 7), ROW(resizes, 9, 12),
    ROW(attention, 3, 4),              ROW(attention, 23, 25), /* 575 tokens: a whole block of keys and a rest */
    ROW(depthwise, 6, 6),              ROW(pool_of_conv, 7, 5),
#undef ROW
};

static struct net net_of_row(const struct row *r)
{
    struct graph *g = graph_new("test");
    int x = graph_input(g, 3, r->h, r->w);
    return net_of_graph(g, r->build(g, x), "conformance");
}

static void graphs_agree(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(rows); i++) {
        struct net net = net_of_row(&rows[i]);
        for (enum cpu_isa isa = CPU_PLAIN; isa <= cpu_isa_best(); isa++) {
            double d = net_deviation(&net, (struct how){ FUSED_F32, isa, 2, false });
            if (!(d < 2e-5))
                fail_msg("%s %dx%d %s: %g", rows[i].name, rows[i].h, rows[i].w, cpu_isa_name(isa), d);
        }
        net_free(&net);
    }
}

static void graphs_agree_in_bf16(void **state)
{
    (void)state;
    if (!compat_has_bf16())
        skip();
    for (size_t i = 0; i < LEN(rows); i++) {
        struct net net = net_of_row(&rows[i]);
        double d = net_deviation(&net, (struct how){ FUSED_BF16, cpu_isa_best(), 2, false });
        if (!(d < 0.02)) /* a few roundings of 2^-9 each */
            fail_msg("%s %dx%d: %g", rows[i].name, rows[i].h, rows[i].w, d);
        net_free(&net);
    }
}

/* One image's result with 1, 2 and 3 threads. */
static void threads_agree(const struct row *r, const struct net *net, const float *image, enum fused_type type)
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
static void singles_agree(const struct row *r, const struct net *net, const float *images, enum fused_type type)
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
    for (size_t i = 0; i < LEN(rows); i++) {
        struct net net = net_of_row(&rows[i]);
        float *images = images_new(&net, 3);
        for (enum fused_type type = FUSED_F32; type <= last; type++) {
            threads_agree(&rows[i], &net, images, type);
            singles_agree(&rows[i], &net, images, type);
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
static int norm_of_image(struct graph *g, int x)
{
    return norm(g, "n", x);
}

static void refusals_name_the_operator(void **state)
{
    (void)state;
    static const struct { struct row row; const char *says; } cases[] = {
        { { "", product_of_tensors, 8, 8 }, "one-channel map" },
        { { "", conv_of_map, 8, 8 }, "conv \"b\"" },
        { { "", norm_of_image, 8, 8 }, "norm \"n\"" },
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
