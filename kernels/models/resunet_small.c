/* ResUNet-Small: five levels of residual blocks with squeeze-excite and spatial attention, gated skips. */
#include "kernels/models/builders.h"

static int at_least_8(int n) { return n > 8 ? n : 8; }

/* conv-norm-relu-conv-norm, plus the input (a bare 1x1 where the channels differ), ReLU,
 * SE, spatial attention */
static int res(struct graph *g, const char *name, int src, int channels)
{
    int x = build_conv_norm(g, name_of("%s.conv1", name).text, name_of("%s.norm1", name).text, src, channels,
                            3, 1, false);
    x = graph_relu(g, x);
    x = build_conv_norm(g, name_of("%s.conv2", name).text, name_of("%s.norm2", name).text, x, channels, 3, 1,
                        true);
    int shortcut = src;
    if (src >= 0 && g->nodes[src].c != channels)
        shortcut = build_conv(g, name_of("%s.adjust_channels", name).text, src, channels, 1, 1);
    x = graph_relu(g, graph_add(g, (int[]){ x, shortcut }, 2));
    x = graph_se(g, name_of("%s.se", name).text, x, at_least_8(channels / 16));
    x = graph_spatial_gate(g, name_of("%s.spatial_attention", name).text, x);
    graph_mark(g, name, x);
    return x;
}

/* The skip, weighted per pixel by how well it agrees with the upsampled decoder tensor. */
static int gate(struct graph *g, const char *name, int up, int skip, int channels)
{
    const int inner = at_least_8(channels / 2);
    const int a = build_conv_norm(g, name_of("%s.W_g.0", name).text, name_of("%s.W_g.1", name).text, up,
                                  inner, 1, 1, false);
    const int b = build_conv_norm(g, name_of("%s.W_x.0", name).text, name_of("%s.W_x.1", name).text, skip,
                                  inner, 1, 1, false);
    const int sum = graph_relu(g, graph_add(g, (int[]){ a, b }, 2));
    const int psi = build_conv_norm(g, name_of("%s.psi.0", name).text, name_of("%s.psi.1", name).text, sum, 1,
                                    1, 1, false);
    const int x = graph_spatial_gate(g, name_of("%s.spatial_attention", name).text,
                                     graph_mul(g, skip, graph_sigmoid(g, psi)));
    graph_mark(g, name, x);
    return x;
}

/* Half-pixel repair for sizes that did not halve evenly on the way down. */
static int sized(struct graph *g, int src, int h, int w)
{
    if (src < 0 || (g->nodes[src].h == h && g->nodes[src].w == w))
        return src;
    return graph_resize(g, src, h, w, false);
}

static int decoder(struct graph *g, int x, const int *skip, const struct model_config *config)
{
    for (int i = 0; i < config->feature_count; i++) {
        const int level = config->feature_count - 1 - i, channels = config->features[level];
        x = graph_tconv(g, name_of("ups.%d", 2 * i).text, x, channels);
        graph_mark(g, name_of("ups.%d", 2 * i).text, x);
        if (skip[level] >= 0)
            x = sized(g, x, g->nodes[skip[level]].h, g->nodes[skip[level]].w);
        const int gated = gate(g, name_of("attentions.%d", i).text, x, skip[level], channels);
        x = res(g, name_of("ups.%d", 2 * i + 1).text, graph_concat(g, (int[]){ gated, x }, 2), channels);
    }
    return x;
}

int build_resunet_small(struct graph *g, const struct model_config *config, const int shape[3])
{
    const int first = config->features[0], deepest = config->features[config->feature_count - 1];
    int x = graph_input(g, shape[0], shape[1], shape[2]);
    x = graph_relu(g, build_conv_norm(g, "init_conv.0", "init_conv.1", x, first, 7, 1, false));
    graph_mark(g, "init_conv", x);
    int skip[MODEL_FEATURES_MAX];
    for (int i = 0; i < config->feature_count; i++) {
        skip[i] = res(g, name_of("downs.%d", i).text, x, config->features[i]);
        x = graph_maxpool(g, skip[i]);
    }
    x = res(g, "bottleneck.0", x, 2 * deepest);
    x = res(g, "bottleneck.1", x, 2 * deepest);
    graph_mark(g, "bottleneck", x);
    x = decoder(g, x, skip, config);
    x = graph_relu(g, build_conv_norm(g, "final_conv.0", "final_conv.1", x, first / 2, 3, 1, false));
    x = graph_conv(g, "final_conv.4", x, (struct conv_spec){ 1, 1, 1, 0, 1, true });
    return sized(g, x, shape[1], shape[2]);
}
