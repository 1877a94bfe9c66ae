/* The CPU engine against the reference on small relatives of the three networks: sizes that are odd, channels that are
 * no multiple of 16, every instruction set, both precisions, batches and thread counts bit for bit. */
#include "tests/unit/cpu_engine_help.h"

#include "kernels/base/vectors.h"

/* Fewer channels, same structure: seconds become milliseconds. */
static const struct model_config hrnet = { .name = "hrnet", .architecture = "hrnet", .features = { 10, 20, 40, 80 },
                                           .feature_count = 4, .input = { 3, 64, 64 }, .multiple = 1, .min_side = 1 };
static const struct model_config small = { .name = "resunet_small", .architecture = "resunet_small",
                                           .features = { 24, 40, 56 }, .feature_count = 3,
                                           .input = { 3, 64, 64 }, .multiple = 1, .min_side = 1 };
static const struct model_config advanced = { .name = "resunet_advanced", .architecture = "resunet_advanced",
                                              .features = { 16, 24, 48, 64 }, .feature_count = 4,
                                              .input = { 3, 64, 64 }, .multiple = 1, .min_side = 1 };

static const struct row {
    const struct model_config *config;
    int h, w;
    const char *until;
} rows[] = {
    { &hrnet, 64, 96, "" },       { &hrnet, 72, 68, "" },      { &hrnet, 64, 64, "stage3.0:1" },
    { &hrnet, 64, 64, "layer1" }, { &small, 64, 48, "" },      { &small, 45, 51, "" }, /* odd: half-pixel repairs */
    { &small, 64, 48, "ups.0" },  { &small, 64, 48, "attentions.1" },
    { &advanced, 64, 96, "" },    { &advanced, 32, 48, "" },   { &advanced, 64, 96, "att3" },
    { &advanced, 64, 96, "bottleneck.1" },
};

/* The damped weights keep rounding from growing: what the limits of the accuracy gate are made for. */
static double deviation(const struct row *r, struct how how)
{
    struct net net = net_of_model(r->config, r->h, r->w, "seeded", r->until);
    double d = net_deviation(&net, how);
    net_free(&net);
    return d;
}

static void f32_agrees(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(rows); i++) {
        double d = deviation(&rows[i], (struct how){ FUSED_F32, cpu_isa_best(), 2, false });
        if (!(d < 1e-4))
            fail_msg("%s %dx%d %s: %g", rows[i].config->name, rows[i].h, rows[i].w, rows[i].until, d);
    }
}

static void bf16_agrees(void **state)
{
    (void)state;
    if (!cpu_has_bf16())
        skip();
    for (size_t i = 0; i < LEN(rows); i++) {
        double d = deviation(&rows[i], (struct how){ FUSED_BF16, cpu_isa_best(), 1, false });
        if (!(d < 0.15))
            fail_msg("%s %dx%d %s: %g", rows[i].config->name, rows[i].h, rows[i].w, rows[i].until, d);
    }
}

static void every_isa_agrees(void **state)
{
    (void)state;
    static const struct row each[] = { { &hrnet, 64, 64, "" }, { &small, 32, 48, "" }, { &advanced, 32, 48, "" } };
    for (size_t i = 0; i < LEN(each); i++)
        for (enum cpu_isa isa = CPU_PLAIN; isa <= cpu_isa_best(); isa++)
            assert_true(deviation(&each[i], (struct how){ FUSED_F32, isa, 1, false }) < 1e-4);
}

static void graphs_as_built_agree(void **state)
{
    (void)state; /* HRNet's concatenation of 4 resized branches, biases in front of norms */
    static const struct row each[] = { { &hrnet, 64, 72, "" }, { &advanced, 32, 48, "" } };
    for (size_t i = 0; i < LEN(each); i++)
        assert_true(deviation(&each[i], (struct how){ FUSED_F32, cpu_isa_best(), 1, true }) < 1e-4);
}

/* A sign, a swapped pair of gate weights: what a wrong lowering would look like must not pass. */
static void one_wrong_weight_is_seen(void **state)
{
    (void)state;
    struct net net = net_of_model(&advanced, 32, 48, "seeded", "");
    float *images = images_new(&net, 1);
    double *want = net_reference(&net, images, 1);
    size_t count = values_of(&net.g->nodes[net.g->output]);
    const char *const wrong[] = { "encoder1.0.attention.stage2.conv_ch.weight", "att1.psi.1.weight",
                                  "decoder1.1.norm2.bias" };
    for (size_t i = 0; i < LEN(wrong); i++) {
        int p = 0;
        while (p < net.g->param_count && strcmp(net.g->params[p].name, wrong[i]) != 0)
            p++;
        assert_true(p < net.g->param_count);
        for (size_t k = 0; k < net.g->params[p].count; k++)
            net.w.data[p][k] = -net.w.data[p][k];
        float *got = net_run(&net, images, (struct how){ FUSED_F32, cpu_isa_best(), 1, false });
        assert_true(relative_l2(got, want, count) > 1e-4);
        free(got);
        for (size_t k = 0; k < net.g->params[p].count; k++)
            net.w.data[p][k] = -net.w.data[p][k];
    }
    free(want);
    free(images);
    net_free(&net);
}

static void batch_equals_singles(const struct model_config *config, enum fused_type type)
{
    struct net net = net_of_model(config, 64, 48, "seeded", "");
    float *images = images_new(&net, 3);
    size_t in = values_of(&net.g->nodes[0]), count = values_of(&net.g->nodes[net.g->output]);
    float *three = net_run(&net, images, (struct how){ type, cpu_isa_best(), 3, false });
    for (size_t i = 0; i < 3; i++) {
        float *one = net_run(&net, images + i * in, (struct how){ type, cpu_isa_best(), 1, false });
        assert_memory_equal(one, three + i * count, count * sizeof *one);
        free(one);
    }
    assert_true(memcmp(three, three + count, count * sizeof *three) != 0); /* other images, other results */
    free(three);
    free(images);
    net_free(&net);
}

static void batches_equal_singles(void **state)
{
    (void)state;
    const struct model_config *const each[] = { &hrnet, &small, &advanced };
    for (size_t i = 0; i < LEN(each); i++) {
        batch_equals_singles(each[i], FUSED_F32);
        if (cpu_has_bf16())
            batch_equals_singles(each[i], FUSED_BF16);
    }
}

static void threads_do_not_matter(void **state)
{
    (void)state;
    const struct model_config *const each[] = { &hrnet, &small, &advanced };
    int before = omp_get_max_threads();
    for (size_t i = 0; i < LEN(each); i++) {
        struct net net = net_of_model(each[i], 64, 48, "seeded", "");
        float *images = images_new(&net, 1), *first = NULL;
        size_t bytes = values_of(&net.g->nodes[net.g->output]) * sizeof *first;
        for (int threads = 1; threads <= 3; threads++) {
            omp_set_num_threads(threads);
            float *got = net_run(&net, images, (struct how){ FUSED_F32, cpu_isa_best(), 1, false });
            if (first)
                assert_memory_equal(got, first, bytes);
            else
                first = got;
            if (got != first)
                free(got);
        }
        free(first);
        free(images);
        net_free(&net);
    }
    omp_set_num_threads(before);
}

/* One published vector of each network as it is served; `bench check` runs them all. */
static void published_vectors(void **state)
{
    (void)state;
    struct err err = { .status = ST_OK };
    int seen = 0;
    for (size_t i = 0; i < vector_count; i++) {
        const struct vector *v = &vectors[i];
        if (strcmp(v->set, "conformance") != 0 || *v->until || v->h == v->w)
            continue;
        struct model_config config;
        MUST(model_config_read(&config, "configs/models", v->model, &err));
        struct net net = net_of_model(&config, v->h, v->w, v->set, "");
        float *image = malloc(values_of(&net.g->nodes[0]) * sizeof *image);
        assert_non_null(image);
        image_conformance(image, 3, v->h, v->w);
        float *got = net_run(&net, image, (struct how){ FUSED_F32, cpu_isa_best(), 1, false });
        assert_true(vector_deviation(v, got) <= vector_limit_of(v->model)->max);
        free(got);
        free(image);
        net_free(&net);
        seen++;
    }
    assert_int_equal(seen, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(f32_agrees),
        cmocka_unit_test(bf16_agrees),
        cmocka_unit_test(every_isa_agrees),
        cmocka_unit_test(graphs_as_built_agree),
        cmocka_unit_test(one_wrong_weight_is_seen),
        cmocka_unit_test(batches_equal_singles),
        cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(published_vectors),
    };
    return cmocka_run_group_tests_name("cpu_engine", tests, NULL, NULL);
}
