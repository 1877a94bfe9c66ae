/* The CPU engine on the networks as they are served, against published results. Small relatives of them are
 * cpu_engine_test's: that one is quick enough for valgrind. */
#include "tests/unit/cpu_engine_help.h"

#include "kernels/base/vectors.h"

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
        cmocka_unit_test(published_vectors),
    };
    return cmocka_run_group_tests_name("cpu_networks", tests, NULL, NULL);
}
