/* Rewrites are exact: the networks before and after agree to 1e-10 in double, and what was promised to disappear is
 * gone. Then the two identities that fused kernels rely on, as arithmetic. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/image.h"
#include "kernels/base/rng.h"
#include "kernels/graph/rewrite.h"
#include "kernels/models/models.h"
#include "kernels/reference/reference.h"

#define LEN(a) (sizeof(a) / sizeof *(a))

static struct graph *built(const char *model, int h, int w)
{
    struct err err = { .status = ST_OK };
    struct model_config config;
    struct graph *g = NULL;
    if (model_config_read(&config, "configs/models", model, &err) != ST_OK ||
        model_build(&g, &config, (int[]){ 3, h, w }, &err) != ST_OK)
        fail_msg("%s", err.text);
    return g;
}

static double *run(const struct graph *g, const struct weights *w, const float *image)
{
    const struct node *out = &g->nodes[g->output];
    double *y = malloc(sizeof *y * (size_t)out->c * (size_t)out->h * (size_t)out->w);
    assert_int_equal(reference_run(y, g, w, image, 1, NULL), ST_OK);
    return y;
}

/* Largest difference of the results of two graphs for the conformance input. */
static double difference(const struct graph *a, const struct weights *wa, const struct graph *b,
                         const struct weights *wb)
{
    const struct node *in = &a->nodes[0], *out = &a->nodes[a->output];
    float *image = malloc(sizeof *image * (size_t)in->c * (size_t)in->h * (size_t)in->w);
    image_conformance(image, in->c, in->h, in->w);
    double *x = run(a, wa, image), *y = run(b, wb, image), most = 0;
    for (size_t i = 0; i < (size_t)out->c * (size_t)out->h * (size_t)out->w; i++)
        most = isnan(x[i] - y[i]) ? INFINITY : fmax(most, fabs(x[i] - y[i]));
    free(y), free(x), free(image);
    return most;
}

static int count_op(const struct graph *g, enum graph_op op)
{
    int n = 0;
    for (int i = 0; i < g->node_count; i++)
        n += g->nodes[i].op == op;
    return n;
}

static int biases(const struct graph *g)
{
    int n = 0;
    for (int i = 0; i < g->node_count; i++)
        n += g->nodes[i].op == GRAPH_CONV && g->nodes[i].param[1] != GRAPH_NONE;
    return n;
}

/* The three architectures at narrow widths, so that it takes no time: a rewrite sees the structure only. */
static void networks_stay_the_same(void **state)
{
    (void)state;
    static const struct {
        const char *model;
        int features[5], h, w;
    } rows[] = {
        { "hrnet", { 6, 12, 20, 24 }, 36, 68 },
        { "resunet_small", { 6, 8, 12, 12, 16 }, 65, 70 },
        { "resunet_advanced", { 6, 8, 10, 12 }, 32, 48 },
    };
    for (size_t i = 0; i < LEN(rows); i++) {
        struct model_config config;
        struct graph *g = NULL, *r = NULL;
        struct weights w, rw;
        assert_int_equal(model_config_read(&config, "configs/models", rows[i].model, NULL), ST_OK);
        memcpy(config.features, rows[i].features, sizeof rows[i].features);
        assert_int_equal(model_build(&g, &config, (int[]){ 3, rows[i].h, rows[i].w }, NULL), ST_OK);
        assert_int_equal(weights_load(&w, g, "seeded", NULL), ST_OK);
        assert_int_equal(rewrite_all(&r, &rw, g, &w, NULL), ST_OK);
        const double away = difference(g, &w, r, &rw);
        if (!(away < 1e-10))
            fail_msg("%s: %g", rows[i].model, away);
        weights_free(&rw);
        graph_free(r);
        weights_free(&w);
        graph_free(g);
    }
}

/* 746 -> 686 GFLOP at 1024 x 1024: 720 720 65536 MACs become 720 65536 (48 + 96/4 + 192/16 + 384/64). */
static void hrnet_loses_its_concatenation(void **state)
{
    (void)state;
    struct graph *g = built("hrnet", 1024, 1024), *r = NULL;
    struct weights w, rw;
    assert_int_equal(weights_load(&w, g, "seeded", NULL), ST_OK);
    assert_int_equal(rewrite_all(&r, &rw, g, &w, NULL), ST_OK);
    assert_int_equal(count_op(g, GRAPH_CONCAT), 1);
    assert_int_equal(count_op(r, GRAPH_CONCAT), 0);
    assert_int_equal(count_op(r, GRAPH_RESIZE), count_op(g, GRAPH_RESIZE));
    assert_int_equal(count_op(r, GRAPH_CONV), 307 + 3);
    assert_int_equal(biases(g), 2);
    assert_int_equal(biases(r), 1); /* the last layer's own */
    assert_int_equal(graph_macs(g) - graph_macs(r), 720ll * 65536 * (720 - (48 + 24 + 12 + 6)));
    assert_int_equal((2 * graph_macs(g) + 500000000) / 1000000000, 746);
    assert_int_equal((2 * graph_macs(r) + 500000000) / 1000000000, 686);
    assert_int_equal(graph_parameters(r), graph_parameters(g) - 720);
    weights_free(&rw);
    graph_free(r);
    weights_free(&w);
    graph_free(g);
}

static void advanced_loses_its_gate_biases(void **state)
{
    (void)state;
    struct graph *g = built("resunet_advanced", 32, 32), *r = NULL;
    struct weights w, rw;
    assert_int_equal(weights_load(&w, g, "seeded", NULL), ST_OK);
    assert_int_equal(rewrite_all(&r, &rw, g, &w, NULL), ST_OK);
    assert_int_equal(biases(g) - biases(r), 4);
    assert_int_equal(biases(r), 2); /* proj and the last layer */
    assert_int_equal(r->node_count, g->node_count);
    assert_int_equal(graph_parameters(g) - graph_parameters(r), 4 + 1352); /* the table is read by nobody */
    weights_free(&rw);
    graph_free(r);
    weights_free(&w);
    graph_free(g);
}

/* input 3x6x4; branch 8 at half the size, resized; concat(input, branch); 1x1 with bias; norm if asked */
static struct graph *small_head(bool norm, bool second_reader)
{
    struct graph *g = graph_new("small");
    const int x = graph_input(g, 3, 6, 4);
    const int b = graph_conv(g, "b", x, (struct conv_spec){ 8, 3, 2, 1, 1, false });
    const int up = graph_resize(g, b, 6, 4, true);
    const int cat = graph_concat(g, (int[]){ x, up }, 2);
    int y = graph_conv(g, "y", cat, (struct conv_spec){ 5, 1, 1, 0, 1, true });
    graph_mark(g, "y", y);
    if (norm)
        y = graph_norm(g, "n", y, false);
    if (second_reader)
        y = graph_concat(g, (int[]){ y, cat }, 2);
    assert_int_equal(graph_finish(g, y, NULL), ST_OK);
    return g;
}

static void each_rewrite_alone(void **state)
{
    (void)state;
    static const struct {
        bool norm, second_reader;
        unsigned which;
        int concats, biases;
    } rows[] = {
        { true, false, 0, 1, 1 },
        { true, false, REWRITE_NORM_BIAS, 1, 0 },
        { true, false, REWRITE_BRANCH_CONV, 0, 1 },
        { true, false, REWRITE_ALL, 0, 0 },
        { false, false, REWRITE_ALL, 0, 1 },  /* the bias counts where no norm follows */
        { true, true, REWRITE_ALL, 2, 0 },    /* somebody else needs the concatenation */
    };
    for (size_t i = 0; i < LEN(rows); i++) {
        struct graph *g = small_head(rows[i].norm, rows[i].second_reader), *r = NULL;
        struct weights w, rw;
        assert_int_equal(weights_load(&w, g, "conformance", NULL), ST_OK);
        assert_int_equal(rewrite_some(&r, &rw, g, &w, rows[i].which, NULL), ST_OK);
        assert_int_equal(count_op(r, GRAPH_CONCAT), rows[i].concats);
        assert_int_equal(biases(r), rows[i].biases);
        assert_true(difference(g, &w, r, &rw) < 1e-12);
        weights_free(&rw);
        graph_free(r);
        weights_free(&w);
        graph_free(g);
    }
}

/* Slices are exact copies with a storage of their own; whole params are borrowed. The wrong twin: the two slices'
 * first values swapped must be noticed by the comparison. */
static void slices_are_exact_and_matter(void **state)
{
    (void)state;
    struct graph *g = small_head(true, false), *r = NULL;
    struct weights w, rw;
    assert_int_equal(weights_load(&w, g, "conformance", NULL), ST_OK);
    assert_int_equal(rewrite_all(&r, &rw, g, &w, NULL), ST_OK);
    int slices = 0;
    for (int i = 0; i < r->param_count; i++) {
        const struct param *p = &r->params[i];
        if (strcmp(p->name, "b.weight") == 0)
            assert_ptr_equal(rw.data[i], w.data[0]);
        if (strcmp(p->name, "y.weight[3:8]") != 0)
            continue;
        slices++;
        for (int o = 0; o < 5; o++)
            assert_memory_equal(rw.data[i] + 8 * o, w.data[1] + 11 * o + 3, 8 * sizeof(float));
        rw.data[i][0] += 0.5f;
    }
    assert_int_equal(slices, 1);
    assert_true(difference(g, &w, r, &rw) > 1e-3);
    weights_free(&rw); /* leaves w alone */
    assert_true(isfinite(w.data[0][0]));
    graph_free(r);
    weights_free(&w);
    graph_free(g);
}

/* A value that is the output or marked as a module's result keeps its bias or its mark only where it is unchanged. */
static void marks_follow_unchanged_values(void **state)
{
    (void)state;
    struct graph *with = small_head(true, false), *without = small_head(false, false), *r = NULL;
    struct weights w, rw;
    assert_int_equal(weights_load(&w, with, "conformance", NULL), ST_OK);
    assert_int_equal(rewrite_all(&r, &rw, with, &w, NULL), ST_OK);
    assert_int_equal(r->mark_count, 0); /* y lost its bias */
    weights_free(&rw);
    weights_free(&w);
    graph_free(r);
    assert_int_equal(weights_load(&w, without, "conformance", NULL), ST_OK);
    assert_int_equal(rewrite_all(&r, &rw, without, &w, NULL), ST_OK);
    assert_int_equal(r->mark_count, 1);
    assert_int_equal(r->marks[0].node, r->output);
    weights_free(&rw);
    weights_free(&w);
    graph_free(r);
    graph_free(with);
    graph_free(without);
}

/* resize(a x + b) = a resize(x) + b for both kinds: the weights of a resize add up to 1. */
static void affine_commutes_with_resize(void **state)
{
    (void)state;
    enum { H = 3, W = 4, C = 2, TO_H = 7, TO_W = 9 };
    const struct ref_shape s = { 1, H, W, C };
    const double a[C] = { 1.7, -0.3 }, b[C] = { 10, -4 };
    double x[H * W * C], moved[H * W * C], first[TO_H * TO_W * C], last[TO_H * TO_W * C];
    struct rng r = rng_seeded(4);
    for (int i = 0; i < H * W * C; i++) {
        x[i] = rng_normal(&r);
        moved[i] = a[i % C] * x[i] + b[i % C];
    }
    for (int align = 0; align < 2; align++) {
        reference_resize(first, moved, s, TO_H, TO_W, align);
        reference_resize(last, x, s, TO_H, TO_W, align);
        for (int i = 0; i < TO_H * TO_W * C; i++)
            assert_true(fabs(first[i] - (a[i % C] * last[i] + b[i % C])) < 1e-10);
    }
}

/* u = norm(x) has mean beta and variance gamma^2 v / (v + 1e-5): SimAM needs v only, which the norm knows already.
 * The wrong twin takes gamma^2, as if the norm made the variance exactly 1; with a small v it is seen. */
static void simam_after_a_norm_needs_no_statistics(void **state)
{
    (void)state;
    enum { PIXELS = 30, C = 3 };
    const struct ref_shape s = { 1, 5, 6, C };
    const float gamma[C] = { 0.1f, 1.3f, -0.7f }, beta[C] = { 0.05f, -2, 0 };
    double x[PIXELS * C], u[PIXELS * C], want[PIXELS * C], mean[C], v[C], twin = 0;
    struct rng r = rng_seeded(6);
    for (int i = 0; i < PIXELS * C; i++)
        x[i] = 3e-3 * rng_normal(&r); /* v of the size of eps: the term v / (v + eps) counts */
    reference_statistics(mean, v, x, s);
    reference_norm(u, x, s, gamma, beta);
    reference_simam(want, u, s);
    for (int i = 0; i < PIXELS * C; i++) {
        const int c = i % C;
        const double square = (double)gamma[c] * (double)gamma[c], away = u[i] - (double)beta[c];
        const double got = u[i] / (1 + exp(away / sqrt(square * v[c] / (v[c] + 1e-5) + 1e-4)));
        assert_true(fabs(got - want[i]) < 1e-10);
        twin = fmax(twin, fabs(u[i] / (1 + exp(away / sqrt(square + 1e-4))) - want[i]));
    }
    assert_true(twin > 1e-3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(networks_stay_the_same),         cmocka_unit_test(hrnet_loses_its_concatenation),
        cmocka_unit_test(advanced_loses_its_gate_biases), cmocka_unit_test(each_rewrite_alone),
        cmocka_unit_test(slices_are_exact_and_matter),    cmocka_unit_test(marks_follow_unchanged_values),
        cmocka_unit_test(affine_commutes_with_resize),    cmocka_unit_test(simam_after_a_norm_needs_no_statistics),
    };
    omp_set_num_threads(1); /* tiny operators: on a busy machine threads would only wait for each other */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
