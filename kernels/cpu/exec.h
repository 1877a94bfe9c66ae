/* exec.h - a plan bound to memory for one batch size: what runs.
 * exec_new .. exec_free owns the arena, the scratch and the oneDNN calls; plan, packed weights and kernels are
 * borrowed for its life. */
#ifndef CPU_EXEC_H
#define CPU_EXEC_H

#include <stdint.h>

#include "kernels/base/clock.h"
#include "kernels/cpu/fused.h"
#include "kernels/cpu/packed.h"
#include "kernels/lower/plan.h"

struct exec;

/* Builds every primitive, plans and touches all memory: nothing is allocated afterwards. batch >= 1.
 * ST_OUT_OF_MEMORY, ST_UNSUPPORTED. */
enum status exec_new(struct exec **out, struct plan *p, struct packing *packing, int batch, const struct fused_kernels *kernels,
                     struct err *err);
void exec_free(struct exec *e); /* NULL is allowed */

/* One iteration. images[batch]: (C,H,W) f32 each. */
enum status exec_run(struct exec *e, const float *const *images, struct err *err);
/* The same; adds each step's time to step_ns[step_count of the plan]. With alone_ns (same size, else NULL) each
 * convolution runs a second time right after itself, operands and code still in the caches, and its time is added
 * there: what the primitive reaches alone. (Convolutions never work in place, so the second run gives the same.) */
enum status exec_run_timed(struct exec *e, const float *const *images, const struct clock *clk, uint64_t *step_ns,
                           uint64_t *alone_ns, struct err *err);

int exec_batch(const struct exec *e);
/* (N,C,H,W) f32 of the last run; valid until the next one. */
const float *exec_output(const struct exec *e);
size_t exec_arena_bytes(const struct exec *e);
size_t exec_scratch_bytes(const struct exec *e);
size_t exec_weight_bytes(const struct exec *e); /* copies of its own, where oneDNN wants another layout */
/* What computes step i: oneDNN's name, or "fused" and the instruction set. */
void exec_implementation(const struct exec *e, int step, char *text, size_t size);

#endif
