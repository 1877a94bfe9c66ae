/* Builders check shapes, a cut keeps what is needed, and the identity of a graph depends on all of it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "kernels/graph/graph.h"

static int conv(struct graph *g, const char *name, int src, int out, int kernel, int stride, bool bias)
{
    return graph_conv(g, name, src, (struct conv_spec){ out, kernel, stride, kernel / 2, 1, bias });
}

/* input 4x9x7 -> a (3x3 stride 2: 8x5x4) -> norm; b (1x1 of a) is a second leaf */
static struct graph *forked(int *norm, int *leaf)
{
    struct graph *g = graph_new("forked");
    const int x = graph_input(g, 4, 9, 7);
    const int a = conv(g, "m.a", x, 8, 3, 2, false);
    *norm = graph_norm(g, "m.n", a, true);
    *leaf = conv(g, "b", a, 2, 1, 1, true);
    graph_mark(g, "module", *norm);
    graph_mark(g, "leaf", *leaf);
    return g;
}

static void shapes_and_parameters(void **state)
{
    (void)state;
    int norm, leaf;
    struct graph *g = forked(&norm, &leaf);
    assert_int_equal(graph_finish(g, leaf, NULL), ST_OK);
    const struct node *n = &g->nodes[leaf];
    assert_true(n->c == 2 && n->h == 5 && n->w == 4); /* floor((9+2-3)/2)+1, floor((7+2-3)/2)+1 */
    assert_string_equal(g->params[n->param[1]].name, "b.bias");
    assert_true(g->params[g->nodes[norm].param[0]].damped);
    assert_int_equal(graph_node_macs(g, 1), 5 * 4 * 8 * 4 * 9);
    assert_int_equal(graph_parameters(g), 8 * 4 * 9 + 2 * 8 + 2 * 8 + 2);
    /* b: reads 8x5x4, writes 2x5x4, 16 weights, 2 biases */
    assert_int_equal(graph_node_bytes(g, leaf, 4), 4 * (160 + 40 + 16 + 2));
    graph_free(g);
}

static void cut_keeps_what_is_needed(void **state)
{
    (void)state;
    int norm, leaf;
    struct graph *g = forked(&norm, &leaf);
    assert_int_equal(graph_finish(g, leaf, NULL), ST_OK);
    struct err err = { .status = ST_OK };
    assert_int_equal(graph_cut(g, "modul", &err), ST_INVALID);
    assert_non_null(strstr(err.text, "\"module\""));
    assert_int_equal(g->node_count, 4);
    assert_int_equal(graph_cut(g, "leaf", &err), ST_OK);
    assert_int_equal(g->node_count, 3);
    assert_int_equal(g->output, 2);
    assert_string_equal(g->nodes[2].name, "b");
    assert_int_equal(g->nodes[2].in[0], 1);
    assert_int_equal(g->param_count, 5); /* a checkpoint is loaded whole */
    assert_int_equal(graph_cut(g, "module", &err), ST_INVALID); /* it is gone */
    graph_free(g);
}

static void first_mistake_is_reported(void **state)
{
    (void)state;
    struct err err = { .status = ST_OK };
    struct graph *g = graph_new("broken");
    const int x = graph_input(g, 3, 8, 8), y = conv(g, "half", x, 3, 3, 2, false);
    assert_int_equal(graph_add(g, (int[]){ x, y }, 2), GRAPH_NONE);
    assert_int_equal(graph_norm(g, "later", GRAPH_NONE, false), GRAPH_NONE);
    assert_int_equal(graph_finish(g, x, &err), ST_MODEL);
    assert_non_null(strstr(err.text, "3x8x8 and 3x4x4"));
    graph_free(g);
}

static void each_builder_refuses_what_does_not_fit(void **state)
{
    (void)state;
    struct graph *g = graph_new("m");
    const int x = graph_input(g, 4, 2, 1), big = graph_input(g, 6, 4, 4), dot = graph_input(g, 4, 1, 1);
#define REFUSED(call, st)                                  \
    do {                                                   \
        assert_int_equal((call), GRAPH_NONE);              \
        assert_int_equal(graph_finish(g, x, NULL), (st));  \
        g->failed.status = ST_OK;                          \
    } while (0)
    REFUSED(graph_input(g, 0, 1, 1), ST_USAGE);
    REFUSED(graph_conv(g, "c", x, (struct conv_spec){ 4, 3, 1, 0, 1, false }), ST_MODEL);
    REFUSED(graph_conv(g, "c", big, (struct conv_spec){ 4, 3, 1, 1, 4, false }), ST_MODEL);
    REFUSED(graph_norm(g, "n", dot, false), ST_USAGE);
    REFUSED(graph_maxpool(g, x), ST_USAGE);
    REFUSED(graph_mul(g, x, big), ST_MODEL);
    REFUSED(graph_concat(g, (int[]){ x, big }, 2), ST_MODEL);
    REFUSED(graph_resize(g, x, 0, 3, true), ST_MODEL);
    REFUSED(graph_attention(g, big, 4), ST_MODEL); /* 6 channels are not 3 x 4 heads */
    REFUSED(graph_add(g, (int[]){ x, x, x, x, x, x, x, x, x }, 9), ST_INTERNAL);
    REFUSED(graph_relu(g, 17), ST_INTERNAL);
    assert_int_equal(graph_finish(g, 99, NULL), ST_INTERNAL);
    graph_free(g);
}

static void every_operator_has_a_name(void **state)
{
    (void)state;
    for (int op = 0; op < GRAPH_OP_COUNT; op++)
        assert_string_not_equal(graph_op_name((enum graph_op)op), "unknown");
    assert_string_equal(graph_op_name(GRAPH_SPATIAL_GATE), "spatial_gate");
    assert_string_equal(graph_op_name(GRAPH_OP_COUNT), "unknown");
}

/* 2x3 map: gate 2*49 per pixel, triplet 14 per row and column more, attention 2 N^2 c, SE 2 c r */
static void gates_are_counted_dense(void **state)
{
    (void)state;
    struct graph *g = graph_new("g");
    const int x = graph_input(g, 12, 2, 3);
    assert_int_equal(graph_node_macs(g, graph_spatial_gate(g, "s", x)), 6 * 98);
    assert_int_equal(graph_node_macs(g, graph_triplet(g, "t", x)), 6 * 98 + 14 * 2 + 14 * 3);
    assert_int_equal(graph_node_macs(g, graph_attention(g, x, 2)), 2 * 36 * 4);
    assert_int_equal(graph_node_macs(g, graph_se(g, "e", x, 8)), 2 * 12 * 8);
    assert_int_equal(graph_node_macs(g, graph_tconv(g, "u", x, 5)), 6 * 12 * 5 * 4);
    graph_free(g);
}

static void identity_sees_everything(void **state)
{
    (void)state;
    enum { VARIANTS = 4 };
    char hex[VARIANTS][65];
    float values[64] = { 0 };
    for (int v = 0; v < VARIANTS; v++) {
        struct graph *g = graph_new(v == 1 ? "y" : "x");
        const int x = graph_input(g, 2, 4, 4);
        const int y = graph_conv(g, "c", x, (struct conv_spec){ 2, 1, 1, 0, 1, false });
        assert_int_equal(graph_finish(g, v == 2 ? x : y, NULL), ST_OK);
        values[3] = v == 3 ? 1e-30f : 0;
        graph_sha256(hex[v], g, (const float *const[]){ values });
        assert_int_equal(strlen(hex[v]), 64);
        graph_free(g);
    }
    for (int v = 1; v < VARIANTS; v++)
        assert_string_not_equal(hex[v], hex[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_and_parameters),     cmocka_unit_test(cut_keeps_what_is_needed),
        cmocka_unit_test(first_mistake_is_reported), cmocka_unit_test(each_builder_refuses_what_does_not_fit),
        cmocka_unit_test(every_operator_has_a_name), cmocka_unit_test(gates_are_counted_dense),
        cmocka_unit_test(identity_sees_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
