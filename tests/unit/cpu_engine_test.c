/* The CPU engine against the reference on small relatives of the three networks: sizes that are odd, channels that are
 * no multiple of 16, every instruction set, both precisions, batches and thread counts bit for bit. */
#include "tests/unit/cpu_engine_help.h"
#include "tests/unit/small_networks.h"

static const struct row {
    const struct model_config *config;
    int h, w;
    const char *until;
} rows[] = {
    { &small_hrnet, 36, 52, "" },
    { &small_hrnet, 44, 36, "" },
    { &small_hrnet, 36, 36, "stage3.0:1" },
    { &small_hrnet, 36, 36, "layer1" },
    { &small_resunet, 32, 24, "" },
    { &small_resunet, 21, 27, "" }, /* odd: half-pixel repairs */
    { &small_resunet, 32, 24, "ups.0" },
    { &small_resunet, 32, 24, "attentions.1" },
    { &small_advanced, 48, 32, "" },
    { &small_advanced, 32, 48, "" },
    { &small_advanced, 32, 48, "att3" },
    { &small_advanced, 64, 48, "bottleneck.1" },
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
        double d = deviation(&rows[i], (struct how){ FUSED_F32, cpu_isa_best(), 1, false });
        if (!(d < 1e-4))
            fail_msg("%s %dx%d %s: %g", rows[i].config->name, rows[i].h, rows[i].w, rows[i].until, d);
    }
}

static void bf16_agrees(void **state)
{
    (void)state;
    if (!compat_has_bf16())
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
    static const struct row each[] = { { &small_hrnet, 36, 36, "" }, { &small_resunet, 24, 16, "" },
                                       { &small_advanced, 32, 48, "" } };
    for (size_t i = 0; i < LEN(each); i++)
        for (enum cpu_isa isa = CPU_PLAIN; isa <= cpu_isa_best(); isa++)
            assert_true(deviation(&each[i], (struct how){ FUSED_F32, isa, 1, false }) < 1e-4);
}

static void graphs_as_built_agree(void **state)
{
    (void)state; /* HRNet's concatenation of 4 resized branches, biases in front of norms */
    static const struct row each[] = { { &small_hrnet, 36, 40, "" }, { &small_advanced, 32, 48, "" } };
    for (size_t i = 0; i < LEN(each); i++)
        assert_true(deviation(&each[i], (struct how){ FUSED_F32, cpu_isa_best(), 1, true }) < 1e-4);
}

/* A sign, a swapped pair of gate weights: what a wrong lowering would look like must not pass. */
static void one_wrong_weight_is_seen(void **state)
{
    (void)state;
    struct net net = net_of_model(&small_advanced, 32, 48, "seeded", "");
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
    struct net net = net_of_model(config, 48, 32, "seeded", "");
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
    const struct model_config *const each[] = { &small_hrnet, &small_resunet, &small_advanced };
    for (size_t i = 0; i < LEN(each); i++) {
        batch_equals_singles(each[i], FUSED_F32);
        if (compat_has_bf16())
            batch_equals_singles(each[i], FUSED_BF16);
    }
}

static void threads_do_not_matter(void **state)
{
    (void)state;
    const struct model_config *const each[] = { &small_hrnet, &small_resunet, &small_advanced };
    int before = omp_get_max_threads();
    for (size_t i = 0; i < LEN(each); i++) {
        struct net net = net_of_model(each[i], 48, 32, "seeded", "");
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
    };
    return cmocka_run_group_tests_name("cpu_engine", tests, NULL, NULL);
}
