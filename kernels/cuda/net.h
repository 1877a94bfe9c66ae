/* net.h - a network on the device: from a request to the plan, its segments and its parameters there.
 * net_load .. net_free owns all but device and libraries, which are borrowed. */
#ifndef CUDA_NET_H
#define CUDA_NET_H

#include "kernels/cuda/bind.h"
#include "kernels/worker/engine.h"

struct net {
    struct gpu_net net;
    struct graph *graph;            /* rewritten: its nodes name the steps */
    struct gpu_block tickets;
};

/* The word of a precision, on this card. ST_UNSUPPORTED. */
enum status net_math(enum gpu_math *out, const char *precision, const struct gpu_card *card, struct err *err);
enum fused_type net_storage(enum gpu_math math);

/* out->net.device, .libraries, .math and .workspace_cap are the caller's; the rest is made from a graph as its model
 * defines it and its weights, both borrowed for the call. ST_UNSUPPORTED, ST_OUT_OF_MEMORY. On failure net_free takes what
 * is there. */
enum status net_make(struct net *out, const struct graph *g, const struct weights *w, struct gpu_memory *m,
                     struct err *err);
/* The same from a request; info is filled. Statuses of native_load besides. */
enum status net_load(struct net *out, struct model_info *info, const struct model_request *req, struct gpu_memory *m,
                     struct err *err);
void net_free(struct net *n, struct gpu_memory *m);

#endif
