/* Seeded parameters: the published self-check values, and the sums over whole networks in double. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "kernels/base/rng.h"
#include "kernels/graph/seeded.h"
#include "kernels/graph/weights.h"
#include "kernels/models/models.h"

#define LEN(a) (sizeof(a) / sizeof *(a))

static struct graph *built(const char *model)
{
    struct err err = { .status = ST_OK };
    struct model_config config;
    struct graph *g = NULL;
    if (model_config_read(&config, "configs/models", model, &err) != ST_OK ||
        model_build(&g, &config, (int[]){ 3, 64, 64 }, &err) != ST_OK)
        fail_msg("%s", err.text);
    return g;
}

static const float *values_of(const struct graph *g, const struct weights *w, const char *name)
{
    for (int i = 0; i < g->param_count; i++)
        if (strcmp(g->params[i].name, name) == 0)
            return w->data[i];
    fail_msg("%s has no %s", g->model, name);
    return NULL;
}

static double sum(const struct graph *g, const struct weights *w)
{
    double total = 0;
    for (int i = 0; i < g->param_count; i++)
        for (size_t k = 0; k < g->params[i].count; k++)
            total += (double)w->data[i][k];
    return total;
}

static void hashes(void **state)
{
    (void)state;
    assert_true(fnv1a64("input") == 0x1ebbae8f5810b65bu);
    assert_true(fnv1a64("hrnet/conv1.weight") == 0x1d77ce4eb760812au);
}

/* Sums to 1e-6 of a few ten thousand: the order of 66 million additions in double does not matter at that size. */
static void sums_of_both_sets(void **state)
{
    (void)state;
    static const struct {
        const char *model;
        double conformance, seeded;
    } rows[] = {
        { "hrnet", 42870.027434, 19630.813057471 },
        { "resunet_small", 10228.364332, 6177.770691366 },
        { "resunet_advanced", 24492.554071, 12519.093493319 },
    };
    for (size_t i = 0; i < LEN(rows); i++) {
        struct graph *g = built(rows[i].model);
        struct weights w;
        assert_int_equal(weights_load(&w, g, "conformance", NULL), ST_OK);
        assert_true(fabs(sum(g, &w) - rows[i].conformance) < 2e-6);
        weights_free(&w);
        assert_int_equal(weights_load(&w, g, "seeded", NULL), ST_OK);
        assert_true(fabs(sum(g, &w) - rows[i].seeded) < 2e-6);
        weights_free(&w);
        graph_free(g);
    }
}

static void first_values(void **state)
{
    (void)state;
    static const struct {
        const char *model, *name;
        double first, second;
    } rows[] = {
        { "hrnet", "conv1.weight", -0.31621996, -0.25789225 },
        { "hrnet", "bn1.weight", 0.95870697, 0.99015892 },
        { "resunet_small", "init_conv.0.weight", 0.06644889, -0.01531454 },
        { "resunet_advanced", "init_conv.0.weight", 0.00041871, -0.00824230 },
    };
    for (size_t i = 0; i < LEN(rows); i++) {
        struct graph *g = built(rows[i].model);
        struct weights w;
        assert_int_equal(weights_load(&w, g, "conformance", NULL), ST_OK);
        const float *x = values_of(g, &w, rows[i].name);
        assert_true(fabs((double)x[0] - rows[i].first) < 6e-9 && fabs((double)x[1] - rows[i].second) < 6e-9);
        assert_int_equal((uintptr_t)x % 64, 0);
        weights_free(&w);
        graph_free(g);
    }
}

/* A damped norm is the tenth of the undamped one, rounded once; all else is the same. */
static void damping_touches_only_marked_norms(void **state)
{
    (void)state;
    struct graph *g = built("resunet_advanced_20");
    struct weights plain, damped;
    assert_int_equal(weights_load(&plain, g, "conformance", NULL), ST_OK);
    assert_int_equal(weights_load(&damped, g, "seeded", NULL), ST_OK);
    int changed = 0;
    for (int i = 0; i < g->param_count; i++) {
        const struct param *p = &g->params[i];
        const int differs = memcmp(plain.data[i], damped.data[i], p->count * sizeof(float)) != 0;
        assert_int_equal(differs, p->damped);
        changed += differs;
        for (size_t k = 0; p->damped && k < p->count; k++)
            assert_true(fabs((double)damped.data[i][k] - 0.1 * (double)plain.data[i][k]) < 1e-8);
    }
    assert_int_equal(changed, 40);
    weights_free(&plain);
    weights_free(&damped);
    graph_free(g);
}

/* Each value depends on its index only: a longer tensor of the same name begins with the shorter one. The wrong twin,
 * a generator that carries state from call to call, would not. */
static void generator_is_counter_based(void **state)
{
    (void)state;
    struct graph *g = graph_new("m");
    static float few[100], many[100000], again[100000];
    const struct param p = { .name = "x.bias", .kind = PARAM_BIAS, .rank = 1, .dims = { 100 }, .count = LEN(few) };
    struct param q = p;
    q.count = LEN(many);
    seeded_fill(many, g, &q, false);
    seeded_fill(few, g, &p, false);
    seeded_fill(again, g, &q, true);
    assert_memory_equal(few, many, sizeof few);
    assert_memory_equal(again, many, sizeof many); /* a bias is never damped */
    graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes),       cmocka_unit_test(sums_of_both_sets),
        cmocka_unit_test(first_values), cmocka_unit_test(damping_touches_only_marked_norms),
        cmocka_unit_test(generator_is_counter_based),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
