/* lower.h - from a graph to the steps of a plan: NHWC throughout, norms as coefficients, everything between
 * two convolutions in as few passes over memory as its data dependences allow. */
#ifndef CPU_LOWER_H
#define CPU_LOWER_H

#include "kernels/cpu/plan.h"
#include "kernels/graph/weights.h"

/* Lowers `g` (rewritten or not) and packs its weights; graph and weights are borrowed for the call,
 * compat for the plan's life. ST_UNSUPPORTED names the operator that this engine cannot run. The caller
 * frees with plan_free. */
enum status lower_graph(struct plan **out, const struct graph *g, const struct weights *w,
                        enum fused_type type, struct compat *compat, struct err *err);

#endif
