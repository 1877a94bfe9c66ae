/* block.h - one block: consecutive iterations of one point, each one timed.
 * Everything here borrows for the call; nothing allocates, prints or exits. */
#ifndef WORKER_BLOCK_H
#define WORKER_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/worker/engine.h"

struct block_ask {
    int      batch;
    uint64_t min_ns;
    size_t   min_iterations;    /* >= 1 */
    size_t   unmeasured;        /* iterations before the first timed one */
};

struct block {
    uint64_t *iteration_ns;     /* [room] of the caller: in order, none left out, none changed */
    uint64_t *h2d_ns, *compute_ns, *d2h_ns; /* [room] of the caller, valid if has_stages */
    uint64_t *launch_ns;        /* [room] of the caller, valid if has_launch */
    size_t    room, count;
    uint64_t  start_ns, end_ns; /* the times add up to exactly end_ns - start_ns */
    uint64_t  images;           /* result images of the timed iterations, batch x count (`outputs` of the answer) */
    int       batch;            /* executed, as the engine read it back */
    bool      has_stages;       /* every iteration had them */
    bool      has_launch;       /* likewise */
};

/* Runs the unmeasured iterations, then timed ones until both minimums are met or room is full.
 * The caller sets the arrays and room; the rest of b is written here. room >= min_iterations >= 1.
 * ST_WRONG_OUTPUT: the engine executed another batch or gave another number of images than asked; any other:
 * what the engine said. Then b holds the iterations before the bad one. */
enum status block_run(struct block *b, const struct block_ask *ask, const struct engine *eng, struct model *m,
                      const struct clock *clk, struct err *err);
/* One iteration, checked like those of a block. */
enum status block_iterate(struct iteration *out, int batch, const struct engine *eng, struct model *m,
                          struct err *err);

#endif
