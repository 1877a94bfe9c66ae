/* pairs.h - two ways to do the same timed against each other, in ABBA order, so that a drift of the clocks meets both.
 * Pure but for the callback; nothing is allocated. */
#ifndef CUDA_PAIRS_H
#define CUDA_PAIRS_H

#include <stdbool.h>

#include "kernels/base/err.h"

#define PAIRS 10

struct pairs {
    int counted;                /* of PAIRS: not those in which the clocks were more than 2 % apart */
    double median_ns[2];        /* of those that counted; 0 without any */
    double ratio;               /* median of way 1's time over way 0's */
    int failed;                 /* which way failed where a status comes back */
};

/* One pass of way 0 or 1; clock_mhz: of the multiprocessors meanwhile, 0: not known. */
typedef enum status pairs_run(void *context, int which, double *ns, double *clock_mhz, struct err *err);

/* more: asked after every two pairs whether there is time for others; NULL: there is. ST_OK also with counted 0; else what
 * `run` said. */
enum status pairs_compare(struct pairs *out, pairs_run *run, bool (*more)(void *context), void *context,
                          struct err *err);

#endif
