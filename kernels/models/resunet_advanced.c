/* ResUNet-Advanced: four levels of residual blocks with SimAM and triplet attention inside the residual,
 * self-attention at the bottom, gated skips. */
#include "kernels/models/builders.h"

enum { LEVELS = 4, HEADS = 8, POSITIONS = 169 };

/* ReLU(norm(conv 1x1(triplet(simam(u))))) + u: the ReLU is inside, u is added after it */
static int msa(struct graph *g, const char *name, int u, int channels)
{
    int x = graph_triplet(g, name_of("%s.stage2", name).text, graph_simam(g, u));
    x = build_conv_norm(g, name_of("%s.fusion.0", name).text, name_of("%s.fusion.1", name).text, x, channels,
                        1, 1, true);
    return graph_add(g, (int[]){ graph_relu(g, x), u }, 2);
}

static int adv(struct graph *g, const char *name, int src, int channels)
{
    int x = build_conv_norm(g, name_of("%s.conv1", name).text, name_of("%s.norm1", name).text, src, channels,
                            3, 1, false);
    x = graph_relu(g, x);
    x = build_conv_norm(g, name_of("%s.conv2", name).text, name_of("%s.norm2", name).text, x, channels, 3, 1,
                        true);
    x = msa(g, name_of("%s.attention", name).text, x, channels);
    int shortcut = src;
    if (src >= 0 && g->nodes[src].c != channels)
        shortcut = build_conv_norm(g, name_of("%s.skip.0", name).text, name_of("%s.skip.1", name).text, src,
                                   channels, 1, 1, false);
    x = graph_relu(g, graph_add(g, (int[]){ x, shortcut }, 2));
    graph_mark(g, name, x);
    return x;
}

/* Self-attention over all pixels; its output replaces the input. The position table is
 * in checkpoints, unread. */
static int attention(struct graph *g, const char *name, int x, int channels)
{
    graph_unused_param(g, name_of("%s.relative_position_bias_table", name).text, POSITIONS, HEADS);
    x = graph_conv(g, name_of("%s.qkv.0", name).text, x,
                   (struct conv_spec){ channels, 3, 1, 1, channels, false });
    x = build_conv(g, name_of("%s.qkv.1", name).text, x, 3 * channels, 1, 1);
    x = graph_attention(g, x, HEADS);
    x = graph_conv(g, name_of("%s.proj", name).text, x, (struct conv_spec){ channels, 1, 1, 0, 1, true });
    graph_mark(g, name, x);
    return x;
}

static int gate(struct graph *g, const char *name, int up, int skip, int channels)
{
    const int inner = channels / 2;
    const int a = build_conv_norm(g, name_of("%s.W_g.0", name).text, name_of("%s.W_g.1", name).text, up,
                                  inner, 1, 1, false);
    const int b = build_conv_norm(g, name_of("%s.W_x.0", name).text, name_of("%s.W_x.1", name).text, skip,
                                  inner, 1, 1, false);
    const int sum = graph_relu(g, graph_add(g, (int[]){ a, b }, 2));
    int psi = graph_conv(g, name_of("%s.psi.0", name).text, sum, (struct conv_spec){ 1, 1, 1, 0, 1, true });
    psi = graph_sigmoid(g, graph_norm(g, name_of("%s.psi.1", name).text, psi, false));
    const int x = graph_triplet(g, name_of("%s.refine", name).text, graph_mul(g, skip, psi));
    graph_mark(g, name, x);
    return x;
}

/* Level i (from 1) of the encoder: two blocks at the two finest levels, three below. Gives the skip. */
static int encoder(struct graph *g, int i, int x, int channels)
{
    const int blocks = i <= 2 ? 2 : 3;
    for (int b = 0; b < blocks; b++)
        x = adv(g, name_of("encoder%d.%d", i, b).text, x, channels);
    return x;
}

static int decoder(struct graph *g, int i, int x, int skip, int channels)
{
    const struct graph_name up = name_of("upconv%d", i);
    x = graph_tconv(g, up.text, x, channels);
    graph_mark(g, up.text, x);
    const int gated = gate(g, name_of("att%d", i).text, x, skip, channels);
    x = adv(g, name_of("decoder%d.0", i).text, graph_concat(g, (int[]){ gated, x }, 2), channels);
    return adv(g, name_of("decoder%d.1", i).text, x, channels);
}

int build_resunet_advanced(struct graph *g, const struct model_config *config, const int shape[3])
{
    const int *channels = config->features;
    if (config->feature_count != LEVELS) {
        g->failed.status = err_set(&g->failed, ST_MODEL, "%s: a resunet_advanced has 4 features, got %d",
                                   config->name, config->feature_count);
        return GRAPH_NONE;
    }
    int x = graph_input(g, shape[0], shape[1], shape[2]);
    x = graph_relu(g, build_conv_norm(g, "init_conv.0", "init_conv.1", x, channels[0], 7, 1, false));
    graph_mark(g, "init_conv", x);
    int skip[LEVELS];
    for (int i = 0; i < LEVELS; i++) {
        skip[i] = encoder(g, i + 1, x, channels[i]);
        x = graph_maxpool(g, skip[i]);
    }
    const int deepest = 2 * channels[LEVELS - 1];
    x = adv(g, "bottleneck.0", x, deepest);
    x = attention(g, "bottleneck.1", x, deepest);
    x = adv(g, "bottleneck.2", x, deepest);
    for (int i = LEVELS - 1; i >= 0; i--)
        x = decoder(g, i + 1, x, skip[i], channels[i]);
    x = graph_relu(g, build_conv_norm(g, "final_conv.0", "final_conv.1", x, channels[0] / 2, 3, 1, false));
    return graph_conv(g, "final_conv.3", x, (struct conv_spec){ 1, 1, 1, 0, 1, true });
}
