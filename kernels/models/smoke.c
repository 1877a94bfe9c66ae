/* Smoke: the smallest network that a fault of an engine cannot pass: convolution, instance norm, upsampling. */
#include "kernels/models/builders.h"

int build_smoke(struct graph *g, const struct model_config *config, const int shape[3])
{
    int x = graph_input(g, shape[0], shape[1], shape[2]);
    x = graph_relu(g, build_conv_norm(g, "conv1", "norm1", x, config->features[0], 3, 2, false));
    graph_mark(g, "conv1", x);
    x = graph_resize(g, x, shape[1], shape[2], true);
    return graph_conv(g, "conv2", x, (struct conv_spec){ 1, 3, 1, 1, 1, true });
}
