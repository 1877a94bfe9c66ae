/* builders.h - one function per architecture; each appends its whole network to an empty graph and gives the
 * index of the logits' node. The config was checked; mistakes end up in g->failed. */
#ifndef MODELS_BUILDERS_H
#define MODELS_BUILDERS_H

#include "kernels/base/model_config.h"
#include "kernels/graph/graph.h"

/* "prefix.suffix" of a parameter; returned by value so that calls can be nested. */
struct graph_name {
    char text[GRAPH_NAME_MAX];
};
struct graph_name name_of(const char *format, ...) __attribute__((format(printf, 1, 2)));

int build_hrnet(struct graph *g, const struct model_config *config, const int shape[3]);
int build_resunet_small(struct graph *g, const struct model_config *config, const int shape[3]);
int build_resunet_advanced(struct graph *g, const struct model_config *config, const int shape[3]);
int build_smoke(struct graph *g, const struct model_config *config, const int shape[3]);

/* Conv without bias, kernel odd, padding (kernel-1)/2. */
int build_conv(struct graph *g, const char *name, int src, int out, int kernel, int stride);
/* The same, then an instance norm. */
int build_conv_norm(struct graph *g, const char *conv, const char *norm, int src, int out, int kernel,
                    int stride, bool damped);

#endif
