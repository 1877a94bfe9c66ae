/* native.h - what the engines that run our own networks on a CPU share: the device, which requests they take,
 * and a network loaded with its weights and described for the answer.
 * On success the caller frees the graph (graph_free) and the weights (weights_free). */
#ifndef MODELS_NATIVE_H
#define MODELS_NATIVE_H

#include "kernels/graph/weights.h"
#include "kernels/worker/engine.h"

/* The processor as device "cpu:0", and every ability that both engines have. */
void native_hello(struct hello_info *out);
/* `engine` begins the sentence: "the reference". ST_UNSUPPORTED for another device or mode, or cold starts. */
enum status native_check(const struct model_request *req, const char *engine, struct err *err);
/* Builds the network, cut after req->until, and loads its weights; fills all of info but weight_bytes, which
 * only the engine knows. Statuses of model_build_named and weights_load; on failure there is nothing to free. */
enum status native_load(struct graph **graph, struct weights *weights, struct model_info *info,
                        const struct model_request *req, struct err *err);

/* Slots of struct engine: this process's resident memory, the system's clock. */
enum status native_memory(struct model *m, struct memory_info *out, struct err *err);
const struct clock *native_clock(struct model *m);

#endif
