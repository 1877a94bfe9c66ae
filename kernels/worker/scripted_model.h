/* scripted_model.h - what a scripted engine holds between calls, for its own files only.
 * One allocation, freed by close; faults act on it. */
#ifndef WORKER_SCRIPTED_MODEL_H
#define WORKER_SCRIPTED_MODEL_H

#include "kernels/worker/protocol.h"
#include "kernels/worker/scripted.h"
#include "kernels/worker/scripted_pace.h"

struct model {
    struct script script;
    struct pace   pace;
    struct clock  time;                          /* the system's, or virtual on now_ns */
    struct clock  measuring;                     /* the same through clock_skew */
    uint64_t now_ns, anchor_ns;                  /* virtual now; where the skewed clock was last right */
    int      answer_fd;
    int      shape[3];
    double   output_error;                       /* of this precision */
    bool     prepared[PROTOCOL_BATCH_MAX + 1];
    uint64_t held_bytes, peak_bytes;             /* planned bytes of what is prepared; peak since `memory` */
    bool     in_block, preparing;                /* a block has begun; it is the first iteration of `prepare` */
    int64_t  fault_calls[SCRIPT_ITEMS_MAX];
    bool     active[DO_COUNT];                   /* what the faults of this call ask for */
};

/* Counts a call at `at` (for size batch; 0: none) and lets the faults happen whose turn it is: those that end
 * the process do not return, `error` gives its status, the others are set in m->active. */
enum status scripted_fault(struct model *m, int at, int batch, struct err *err);
/* Resident memory that grows by bytes, then SIGKILL: looks like the out-of-memory killer. Does not return. */
void scripted_kill(uint64_t hold_bytes);
/* Lets time go by: sleeps, or moves the virtual clock. */
void scripted_wait(struct model *m, uint64_t ns);

#endif
