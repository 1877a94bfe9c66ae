/* profile.h - where an iteration's time goes, step by step. */
#ifndef CPU_PROFILE_H
#define CPU_PROFILE_H

#include "kernels/cpu/exec.h"
#include "kernels/cpu/inputs.h"
#include "kernels/cpu/roofs.h"
#include "kernels/worker/engine.h"

/* Times profiled and unprofiled iterations in turn and fills `out` (the caller frees out->layers). The
 * layers' names are those of g, which `p` was lowered from. images: room for one batch. */
enum status profile_run(struct profile *out, struct exec *e, const struct plan *p, const struct graph *g,
                        struct inputs *inputs, const float **images, int iterations,
                        const struct roofs *roofs, struct err *err);

#endif
