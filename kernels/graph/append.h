/* append.h - inside of the graph: how the builders of operators.c put nodes and parameters into it.
 * Everything borrows; the arrays belong to the graph. */
#ifndef GRAPH_APPEND_H
#define GRAPH_APPEND_H

#include "kernels/graph/graph.h"

/* Notes the first mistake of a builder. Gives GRAPH_NONE, so that a builder can `return graph_fail(...)`. */
int graph_fail(struct graph *g, enum status st, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* True if every index names a node that exists; otherwise the graph has failed and the
 * caller gives GRAPH_NONE. */
bool graph_has_nodes(struct graph *g, enum graph_op op, const int *src, int count);

/* Copies the node to the end and gives its index. */
int graph_append(struct graph *g, const struct node *n);

/* A parameter named "NAME.SUFFIX" (just NAME if suffix is ""), with `rank` dims. Gives its index. */
int graph_append_param(struct graph *g, const char *name, const char *suffix, enum param_kind kind, int rank,
                       const int *dims);

#endif
