/* Random heads over random branches: whatever was resized, concatenated and mixed, a rewrite changes no result. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernels/base/rng.h"
#include "kernels/graph/rewrite.h"
#include "kernels/reference/reference.h"

enum { TRIES = 150, BRANCHES_MAX = 4, C = 3 };

static int below(struct rng *r, int n) { return (int)(rng_uniform(r) * n); }

/* Something made of x: another size or not, resized back or left, now and then read by a second node as well. */
static int branch(struct graph *g, struct rng *r, int x, int i, int h, int w)
{
    char name[16];
    snprintf(name, sizeof name, "b%d", i);
    const int kernel = 1 + 2 * below(r, 2), stride = 1 + below(r, 2);
    int y = graph_conv(g, name, x, (struct conv_spec){ 1 + below(r, 5), kernel, stride, kernel / 2, 1, below(r, 2) });
    if (g->nodes[y].h != h || g->nodes[y].w != w || below(r, 3) == 0)
        y = graph_resize(g, y, h, w, below(r, 2));
    return below(r, 4) == 0 ? graph_relu(g, y) : y;
}

static struct graph *random_graph(struct rng *r)
{
    struct graph *g = graph_new("random");
    const int h = 2 + below(r, 6), w = 2 + below(r, 6), count = 1 + below(r, BRANCHES_MAX);
    const int x = graph_input(g, C, h, w);
    int parts[BRANCHES_MAX];
    for (int i = 0; i < count; i++)
        parts[i] = below(r, 5) == 0 ? x : branch(g, r, x, i, h, w);
    const int cat = graph_concat(g, parts, count), kernel = 1 + 2 * (below(r, 4) == 0);
    int y = graph_conv(g, "mix", cat, (struct conv_spec){ 4, kernel, 1, kernel / 2, 1, below(r, 2) });
    if (below(r, 2))
        y = graph_norm(g, "norm", y, false);
    if (below(r, 4) == 0)
        y = graph_concat(g, (int[]){ y, below(r, 2) ? cat : parts[0] }, 2);
    assert_int_equal(graph_finish(g, y, NULL), ST_OK);
    return g;
}

static double *run(const struct graph *g, const struct weights *w, const float *image)
{
    const struct node *out = &g->nodes[g->output];
    double *y = malloc(sizeof *y * (size_t)out->c * (size_t)out->h * (size_t)out->w);
    assert_int_equal(reference_run(y, g, w, image, 1, NULL), ST_OK);
    return y;
}

static void nothing_changes(void **state)
{
    (void)state;
    struct rng r = rng_seeded(31);
    int changed = 0, dropped = 0;
    for (int t = 0; t < TRIES; t++) {
        struct graph *g = random_graph(&r), *after = NULL;
        struct weights w, after_w;
        float image[C * 64];
        for (size_t i = 0; i < sizeof image / sizeof *image; i++)
            image[i] = (float)rng_uniform(&r);
        assert_int_equal(weights_load(&w, g, "conformance", NULL), ST_OK);
        assert_int_equal(rewrite_all(&after, &after_w, g, &w, NULL), ST_OK);
        double *x = run(g, &w, image), *y = run(after, &after_w, image);
        const struct node *out = &g->nodes[g->output];
        for (int i = 0; i < out->c * out->h * out->w; i++)
            if (!(fabs(x[i] - y[i]) < 1e-10))
                fail_msg("try %d, value %d: %g and %g", t, i, x[i], y[i]);
        changed += graph_macs(after) < graph_macs(g);
        dropped += graph_parameters(after) < graph_parameters(g);
        assert_true(graph_macs(after) <= graph_macs(g)); /* never more work */
        free(y), free(x);
        weights_free(&after_w);
        weights_free(&w);
        graph_free(after);
        graph_free(g);
    }
    assert_true(changed > TRIES / 10 && dropped > TRIES / 10); /* the rewrites did happen */
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(nothing_changes) };
    omp_set_num_threads(1); /* tiny operators: on a busy machine threads would only wait for each other */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
