/* The reference on whole networks against published results. The operators one by one, and small relatives of the
 * networks, are reference_test's: that one is quick enough for valgrind. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/build.h"
#include "kernels/base/image.h"
#include "kernels/base/vectors.h"
#include "kernels/models/models.h"
#include "kernels/reference/reference.h"

#define LEN(a) (sizeof(a) / sizeof *(a))

static struct graph *built(const struct vector *v)
{
    struct err err = { .status = ST_OK };
    struct model_config config;
    struct graph *g = NULL;
    if (model_config_read(&config, "configs/models", v->model, &err) != ST_OK ||
        model_build(&g, &config, (int[]){ 3, v->h, v->w }, &err) != ST_OK ||
        (*v->until && graph_cut(g, v->until, &err) != ST_OK))
        fail_msg("%s", err.text);
    return g;
}

static double *results_of(const struct vector *v, const char *set)
{
    struct graph *g = built(v);
    struct weights w;
    assert_int_equal(weights_load(&w, g, set, NULL), ST_OK);
    float *x = malloc(sizeof *x * 3 * (size_t)v->h * (size_t)v->w);
    double *y = malloc(sizeof *y * (size_t)v->out[0] * (size_t)v->out[1] * (size_t)v->out[2]);
    image_conformance(x, 3, v->h, v->w);
    assert_int_equal(reference_run(y, g, &w, x, 1, NULL), ST_OK);
    free(x);
    weights_free(&w);
    graph_free(g);
    return y;
}

static const struct vector *find_vector(const char *model, const char *set, const char *until, int h)
{
    for (size_t i = 0; i < vector_count; i++) {
        const struct vector *v = &vectors[i];
        if (strcmp(v->model, model) == 0 && strcmp(v->set, set) == 0 && strcmp(v->until, until) == 0 && v->h == h)
            return v;
    }
    fail_msg("there is no vector %s %s %s %d", model, set, until, h);
    return NULL;
}

/* Some of the table; `bench check` runs all of it. 9 digits were published: 1e-8 is their rounding. */
static void networks_agree_with_published_results(void **state)
{
    (void)state;
    static const struct {
        const char *model, *set, *until;
        int h;
        bool cheap; /* all that a build with sanitizers, ten times slower, has time for */
    } rows[] = {
        { "hrnet", "conformance", "stage3.0:2", 128, true },
        { "hrnet", "seeded", "", 96, false },
        { "resunet_small", "conformance", "downs.0", 128, true },
        { "resunet_small", "seeded", "", 96, false },
        { "resunet_advanced", "conformance", "encoder1.0", 128, true },
        { "resunet_advanced", "conformance", "bottleneck.1", 128, false },
    };
    for (size_t i = 0; i < LEN(rows); i++) {
        if (!rows[i].cheap && !build_may_measure())
            continue;
        const struct vector *v = find_vector(rows[i].model, rows[i].set, rows[i].until, rows[i].h);
        double *y = results_of(v, v->set);
        const double away = vector_deviation_double(v, y);
        if (!(away < 1e-8))
            fail_msg("%s %s %s %dx%d: %g", v->model, v->set, v->until, v->h, v->w, away);
        free(y);
    }
}

/* The wrong twin: the other set of weights must be far outside of the limits. */
static void the_other_weights_are_noticed(void **state)
{
    (void)state;
    const struct vector *v = find_vector("hrnet", "conformance", "stage2.0:1", 128);
    double *y = results_of(v, "seeded");
    assert_true(vector_deviation_double(v, y) > vector_limit_of("hrnet")->max);
    y[3] = NAN;
    assert_true(isinf(vector_deviation_double(v, y)));
    free(y);
}

static void the_table_is_complete(void **state)
{
    (void)state;
    size_t logits = 0, inside = 0;
    for (size_t i = 0; i < vector_count; i++) {
        assert_non_null(vector_limit_of(vectors[i].model));
        *vectors[i].until ? inside++ : logits++;
        struct graph *g = built(&vectors[i]);
        const struct node *out = &g->nodes[g->output];
        assert_true(out->c == vectors[i].out[0] && out->h == vectors[i].out[1] && out->w == vectors[i].out[2]);
        graph_free(g);
    }
    assert_int_equal(logits, 12); /* three models, two sets, two sizes */
    assert_int_equal(inside, 29);
    assert_null(vector_limit_of("resunet_advanced_20"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(networks_agree_with_published_results),
        cmocka_unit_test(the_other_weights_are_noticed),
        cmocka_unit_test(the_table_is_complete),
    };
    return cmocka_run_group_tests_name("reference_networks", tests, NULL, NULL);
}
