/* iterate.h - one iteration of a prepared batch size: images in, forward pass, results out.
 * iterate_new .. iterate_free owns events and the streams of the copies; ready is borrowed. */
#ifndef CUDA_ITERATE_H
#define CUDA_ITERATE_H

#include "kernels/cuda/prepared.h"
#include "kernels/cuda/timing.h"
#include "kernels/worker/engine.h"

struct iterate {
    struct gpu_device *device;
    struct timing timing;
    bool pipelined;
    cudaStream_t in, out;                       /* of the copies, pipelined only */
    cudaEvent_t copied[POOL_SLOTS], computed[POOL_SLOTS], done[POOL_SLOTS];
    int flying;                                 /* iterations that were started and not waited for: 0 or 1 */
    int slot;                                   /* of the next one */
    int batch;                                  /* of those that fly */
};

enum status iterate_new(struct iterate *out, struct gpu_device *d, bool pipelined, struct err *err);
void iterate_free(struct iterate *it);

/* The next input buffer of p, start to end: copy in, launch, copy out, wait; all stages timed. Pipelined: starts one
 * iteration and waits for the one before, so that copies of one and kernels of the other overlap; no stages. */
enum status iterate_run(struct iteration *out, struct iterate *it, struct ready *r, struct prepared *p,
                        struct err *err);
/* src (N,C,H,W), dst (N,K,H',W'), both the caller's; nothing is timed. */
enum status iterate_output(struct iterate *it, struct ready *r, struct prepared *p, const float *src, float *dst,
                           struct err *err);
/* Only the next input buffer onto the device, into slot 0, and waits. */
enum status iterate_feed(struct iterate *it, struct ready *r, struct prepared *p, struct err *err);
/* Waits for what still runs. */
enum status iterate_drain(struct iterate *it, struct err *err);

#endif
