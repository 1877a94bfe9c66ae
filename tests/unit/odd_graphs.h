/* odd_graphs.h - graphs that the three networks do not have, for tests of engines: values read twice, sums too long for
 * one pass, attention on what is no norm, concatenations of what others read too. Nothing to free. */
#ifndef TESTS_ODD_GRAPHS_H
#define TESTS_ODD_GRAPHS_H

#include "kernels/graph/graph.h"

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

static int concat_in_concat(struct graph *g, int x)
{
    int a = conv(g, "a", x, 32, 3, true), b = conv(g, "b", x, 19, 1, true);
    return conv(g, "y", graph_concat(g, (int[]){ graph_concat(g, (int[]){ a, b }, 2), a }, 2), 6, 3, true);
}

/* The input itself in a sum and behind a relu, beside a convolution that reads it. */
static int input_in_sums(struct graph *g, int x)
{
    int a = two(g, conv(g, "a", x, 3, 3, true), x);
    return two(g, conv(g, "y", two(g, a, graph_relu(g, x)), 3, 3, false), graph_relu(g, x));
}

/* The input itself in everything else that reads a tensor. */
static int input_read_by_all(struct graph *g, int x)
{
    int b = graph_relu(g, norm(g, "x.n", x)), c = graph_resize(g, graph_maxpool(g, x), 6, 8, false);
    int up = graph_resize(g, graph_maxpool(g, graph_tconv(g, "up", x, 5)), 6, 8, true);
    int all = graph_concat(g, (int[]){ x, b, c, up }, 4), mask = graph_sigmoid(g, conv(g, "m", x, 1, 1, true));
    return graph_mul(g, conv(g, "z", all, 10, 3, false), mask);
}

static int input_in_gates(struct graph *g, int x)
{
    int a = graph_concat(g, (int[]){ graph_spatial_gate(g, "sa", x), graph_simam(g, x), graph_triplet(g, "t", x) }, 3);
    return conv(g, "y", a, 10, 3, true);
}

/* Convolutions alone read the input, one of them a mask. */
static int input_as_mask(struct graph *g, int x)
{
    int mask = graph_sigmoid(g, conv(g, "m", x, 1, 1, true));
    return graph_mul(g, conv(g, "a", x, 10, 3, false), mask);
}

static const struct odd_graph {
    const char *name;
    int (*build)(struct graph *g, int x);
    int h, w;
} odd_graphs[] = {
#define ROW(build, h, w) { #build, build, h, w }
    ROW(relu_of_sum_read_twice, 9, 7), ROW(six_terms, 5, 11),          ROW(concat_of_shared, 8, 6),
    ROW(gates_on_anything, 11, 13),    ROW(simam_alone, 7, 9),         ROW(masks, 6, 10),
    ROW(factor_behind_pointwise, 9, 8), ROW(tconv_read_many_ways, 5, 7), ROW(resizes, 9, 12),
    ROW(attention, 3, 4),              ROW(attention, 23, 25), /* 575 tokens: a whole block of keys and a rest */
    ROW(depthwise, 6, 6),              ROW(pool_of_conv, 7, 5),
    ROW(input_in_sums, 6, 8),          ROW(input_read_by_all, 6, 8),   ROW(input_in_gates, 7, 9),
    ROW(input_as_mask, 9, 5),          ROW(concat_in_concat, 6, 7),
#undef ROW
};

#endif
