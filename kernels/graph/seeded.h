/* seeded.h - the published generator of parameters: the same values everywhere, each from its
 * name and its index. Element n of a tensor is splitmix64 at state FNV-1a("MODEL/NAME") + n
 * steps; t is uniform in [-1, 1):
 *   norm weight 1 + 0.1 t (damped: 0.1 times that); bias and table 0.1 t; any other weight t sqrt(3 / fan),
 *   fan = (in/groups) kh kw, of a transposed convolution in, of a linear layer in. */
#ifndef GRAPH_SEEDED_H
#define GRAPH_SEEDED_H

#include "kernels/graph/graph.h"

/* Writes values[p->count]. damped: shrink the weights of the norms that the graph marks so. OpenMP, the same
 * values for any number of threads. */
void seeded_fill(float *values, const struct graph *g, const struct param *p, bool damped);

#endif
