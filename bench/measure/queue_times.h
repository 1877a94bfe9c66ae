/* queue_times.h - the service times that a queue is simulated with: the stored iterations of every size of a
 * target. What queue_times_make gives, queue_times_free takes back. */
#ifndef MEASURE_QUEUE_TIMES_H
#define MEASURE_QUEUE_TIMES_H

#include <stdbool.h>
#include <stddef.h>

#include "bench/measure/history.h"
#include "kernels/base/err.h"
#include "tuner/queue.h"

struct queue_times_set {
    struct queue_times *times;       /* [count] ascending by images; seconds, in the order of measuring */
    size_t  count;
    double *service_s;               /* what they point into */
};
/* Of the valid blocks of rounds, proofs, verification and fill table; or, before there are any, of the coarse
 * blocks. A size above QUEUE_BATCH_MAX is left out. Pure. ST_OUT_OF_MEMORY. */
enum status queue_times_make(struct queue_times_set *out, const struct history *h, bool coarse,
                             struct err *err);
void queue_times_free(struct queue_times_set *set);
/* The size itself was measured; NULL: it was not. */
const struct queue_times *queue_times_of(const struct queue_times_set *set, int images);

#endif
