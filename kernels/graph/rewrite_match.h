/* rewrite_match.h - which nodes of a graph a rewrite changes; nothing is changed here. */
#ifndef GRAPH_REWRITE_MATCH_H
#define GRAPH_REWRITE_MATCH_H

#include "kernels/graph/graph.h"

struct rewrite_match { /* of one node */
    bool drop_bias;    /* conv whose bias the norm behind it removes */
    bool split;        /* 1x1 conv over a concatenation: becomes one conv per branch, then an add */
    bool absorbed;     /* concatenation or resize that a split conv takes over: not copied */
};

/* Writes found[node_count]. `which`: REWRITE_ bits. ST_OUT_OF_MEMORY. */
enum status rewrite_find(struct rewrite_match *found, const struct graph *g, unsigned which, struct err *err);

#endif
