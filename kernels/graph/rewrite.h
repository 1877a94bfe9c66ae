/* rewrite.h - exact algebra on a graph, done before a back end sees it. The result computes the same function
 * with less work; in double the two agree to rounding.
 *
 *   REWRITE_NORM_BIAS    norm(conv(x) + b) = norm(conv(x)): the mean takes the bias away again. The bias disappears.
 *   REWRITE_BRANCH_CONV  conv1x1(concat(x0, up(x1), ...)) = conv1x1_0(x0) + up(conv1x1_1(x1)) + ...: a 1x1 convolution
 *                        and a bilinear resize act on different axes, so each branch is convolved at its own, lower
 *                        resolution with its slice of the weights, and nothing is concatenated. A bias goes to one
 *                        branch: a resize keeps constants. Only where the concatenation and the resizes have no
 *                        other reader.
 *
 * Two more identities concern single passes and belong to the fused kernels: an affine map commutes with a
 * resize, and SimAM behind an instance norm needs no statistics (the norm's parameters give its mean and
 * variance). A factor per pixel in front of a 1x1 convolution could be moved behind it; no network here has a
 * place where that saves work. */
#ifndef GRAPH_REWRITE_H
#define GRAPH_REWRITE_H

#include "kernels/graph/graph.h"
#include "kernels/graph/weights.h"

enum rewrite { REWRITE_NORM_BIAS = 1, REWRITE_BRANCH_CONV = 2, REWRITE_ALL = 3 };

/* Writes a new graph (graph_free) and its weights (weights_free). The new params are exactly those that its
 * nodes read: whole ones keep their name, and their data is borrowed from w, which must outlive out_weights;
 * slices are called "NAME[first:count]" of the input channels, and their data is out_weights' own. Counts and
 * checksums of a model are those of the graph before. Marks stay where the value of a node is unchanged. g
 * must be finished. ST_OUT_OF_MEMORY. */
enum status rewrite_all(struct graph **out, struct weights *out_weights, const struct graph *g,
                        const struct weights *w, struct err *err);
/* The same with a choice of REWRITE_ bits; 0 copies the graph. */
enum status rewrite_some(struct graph **out, struct weights *out_weights, const struct graph *g,
                         const struct weights *w, unsigned which, struct err *err);

#endif
