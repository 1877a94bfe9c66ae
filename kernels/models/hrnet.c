/* HRNetV2: parallel branches at 1/4, 1/8, 1/16 and 1/32 of the input that exchange their results after every
 * module. All norms are instance norms, though their parameters are called bn. */
#include "kernels/models/builders.h"

enum { BRANCHES = 4, BLOCKS = 4, STEM = 64, WIDTH = 64, WIDE = 256 };

/* 1x1 to WIDTH, 3x3, 1x1 to WIDE, plus the input (through a 1x1 where the channels differ), ReLU */
static int bottleneck(struct graph *g, const char *name, int src)
{
    int x = build_conv_norm(g, name_of("%s.conv1", name).text, name_of("%s.bn1", name).text, src, WIDTH, 1, 1,
                            false);
    x = graph_relu(g, x);
    x = build_conv_norm(g, name_of("%s.conv2", name).text, name_of("%s.bn2", name).text, x, WIDTH, 3, 1,
                        false);
    x = graph_relu(g, x);
    x = build_conv_norm(g, name_of("%s.conv3", name).text, name_of("%s.bn3", name).text, x, WIDE, 1, 1, true);
    int shortcut = src;
    if (src >= 0 && g->nodes[src].c != WIDE)
        shortcut = build_conv_norm(g, name_of("%s.downsample.0", name).text,
                                   name_of("%s.downsample.1", name).text, src, WIDE, 1, 1, false);
    return graph_relu(g, graph_add(g, (int[]){ x, shortcut }, 2));
}

static int basic(struct graph *g, const char *name, int src, int channels)
{
    int x = build_conv_norm(g, name_of("%s.conv1", name).text, name_of("%s.bn1", name).text, src, channels, 3,
                            1, false);
    x = graph_relu(g, x);
    x = build_conv_norm(g, name_of("%s.conv2", name).text, name_of("%s.bn2", name).text, x, channels, 3, 1,
                        true);
    return graph_relu(g, graph_add(g, (int[]){ x, src }, 2));
}

/* From branch j to the finer branch i: 1x1 and norm at the coarse size, then the resize. No ReLU. */
static int fuse_up(struct graph *g, const char *name, int src, int channels, int like)
{
    const int x = build_conv_norm(g, name_of("%s.0", name).text, name_of("%s.1", name).text, src, channels, 1,
                                  1, true);
    if (like < 0)
        return GRAPH_NONE;
    return graph_resize(g, x, g->nodes[like].h, g->nodes[like].w, true);
}

/* From branch j to the coarser branch i: i - j halvings; ReLU between them, none after the last. */
static int fuse_down(struct graph *g, const char *name, int src, int steps, int channels)
{
    if (src < 0)
        return GRAPH_NONE;
    int x = src;
    for (int z = 0; z < steps; z++) {
        const bool last = z == steps - 1;
        const int out = last ? channels : g->nodes[src].c;
        x = build_conv_norm(g, name_of("%s.%d.0", name, z).text, name_of("%s.%d.1", name, z).text, x, out, 3,
                            2, true);
        if (!last)
            x = graph_relu(g, x);
    }
    return x;
}

static int fuse(struct graph *g, const char *module, const int *branch, int branches, int i,
                const int *channels)
{
    int terms[BRANCHES];
    for (int j = 0; j < branches; j++) {
        const struct graph_name name = name_of("%s.fuse_layers.%d.%d", module, i, j);
        terms[j] = j == i  ? branch[i]
                   : j > i ? fuse_up(g, name.text, branch[j], channels[i], branch[i])
                           : fuse_down(g, name.text, branch[j], i - j, channels[i]);
    }
    return graph_relu(g, graph_add(g, terms, branches));
}

/* x[0..branches): replaced by the module's outputs */
static void module(struct graph *g, const char *name, int *x, int branches, const int *channels)
{
    int branch[BRANCHES];
    for (int b = 0; b < branches; b++) {
        branch[b] = x[b];
        for (int q = 0; q < BLOCKS; q++)
            branch[b] = basic(g, name_of("%s.branches.%d.%d", name, b, q).text, branch[b], channels[b]);
    }
    for (int i = 0; i < branches; i++) {
        x[i] = fuse(g, name, branch, branches, i, channels);
        graph_mark(g, name_of("%s:%d", name, i).text, x[i]);
    }
}

static int transition(struct graph *g, const char *name, int src, int channels, int stride)
{
    return graph_relu(g, build_conv_norm(g, name_of("%s.0", name).text, name_of("%s.1", name).text, src,
                                         channels, 3, stride, false));
}

static int stem(struct graph *g, int x)
{
    x = graph_relu(g, build_conv_norm(g, "conv1", "bn1", x, STEM, 3, 2, false));
    x = graph_relu(g, build_conv_norm(g, "conv2", "bn2", x, STEM, 3, 2, false));
    for (int i = 0; i < 4; i++)
        x = bottleneck(g, name_of("layer1.%d", i).text, x);
    graph_mark(g, "layer1", x);
    return x;
}

/* Concatenates the branches at the finest size, mixes them, one logit, four times the size. */
static int head(struct graph *g, const int *x)
{
    int parts[BRANCHES];
    if (x[0] < 0)
        return GRAPH_NONE;
    const int h = g->nodes[x[0]].h, w = g->nodes[x[0]].w;
    parts[0] = x[0];
    for (int b = 1; b < BRANCHES; b++)
        parts[b] = graph_resize(g, x[b], h, w, true);
    int y = graph_concat(g, parts, BRANCHES);
    const int channels = y < 0 ? 1 : g->nodes[y].c;
    y = graph_conv(g, "last_layer.0", y, (struct conv_spec){ channels, 1, 1, 0, 1, true });
    y = graph_relu(g, graph_norm(g, "last_layer.1", y, false));
    y = graph_conv(g, "last_layer.3", y, (struct conv_spec){ 1, 1, 1, 0, 1, true });
    graph_mark(g, "last_layer", y);
    return graph_resize(g, y, 4 * h, 4 * w, true);
}

int build_hrnet(struct graph *g, const struct model_config *config, const int shape[3])
{
    static const int modules[BRANCHES + 1] = { [2] = 1, [3] = 4, [4] = 3 }; /* per stage = number of branches */
    const int *channels = config->features;
    if (config->feature_count != BRANCHES) {
        g->failed.status = err_set(&g->failed, ST_MODEL, "%s: an hrnet has 4 features, got %d", config->name,
                                   config->feature_count);
        return GRAPH_NONE;
    }
    const int trunk = stem(g, graph_input(g, shape[0], shape[1], shape[2]));
    int x[BRANCHES];
    x[0] = transition(g, "transition1.0", trunk, channels[0], 1);
    x[1] = transition(g, "transition1.1.0", trunk, channels[1], 2);
    for (int stage = 2; stage <= BRANCHES; stage++) {
        if (stage > 2)
            x[stage - 1] = transition(g, name_of("transition%d.%d.0", stage - 1, stage - 1).text,
                                      x[stage - 2], channels[stage - 1], 2);
        for (int m = 0; m < modules[stage]; m++)
            module(g, name_of("stage%d.%d", stage, m).text, x, stage, channels);
    }
    return head(g, x);
}
