/* branches.h - the steps of a plan on several streams: which step runs on which lane (lane 0 is the device's own stream)
 * and for which steps of other lanes it waits. Pure but for memory: branches_plan .. branches_free owns the arrays; net and
 * choices are borrowed for the call.
 *
 * Two steps depend on each other if they touch the same part of a buffer and one of them writes it, or may. Steps keep the
 * plan's order on their lane; a step waits for a step of another lane only where the lane does not know yet that it is
 * done. What is certain to be done before a step begins is its past: buffers may share memory only if all users of one are
 * in the past of all users of the other. */
#ifndef CUDA_BRANCHES_H
#define CUDA_BRANCHES_H

#include "kernels/cuda/bind.h"

#define BRANCHES_MAX GPU_LANES_MAX

struct branches {
    int lanes;                          /* 1: everything in order, and nothing else here is there */
    int steps;
    int *lane;                          /* [steps] */
    int (*after)[BRANCHES_MAX];         /* [steps][lanes] the step of that lane to wait for; PLAN_NONE: no need to */
    bool *signals;                      /* [steps] another lane waits for it */
    int last[BRANCHES_MAX];             /* the last step of a lane; PLAN_NONE: has none */
    uint64_t *past;                     /* [steps][words] bits: done before this step begins */
    size_t words;
    double critical_ns, serial_ns;      /* predicted: time of the lanes together, of the steps one after another */
};

/* At most `most` lanes: each step goes where it should end first, by its predicted time. 1 lane where nothing can overlap.
 * ST_OUT_OF_MEMORY. */
enum status branches_plan(struct branches *out, const struct gpu_net *net, const struct choice *choices, int batch,
                          int most, struct err *err);
void branches_free(struct branches *b);                     /* of one that is all zero: nothing */
/* Is step `first` certainly done before `second` begins? */
bool branches_before(const struct branches *b, int first, int second);

#endif
