/* point.h - the state of one point in its rounds, from the blocks alone: what is valid, may a block be tried
 * again, has it been measured enough (measurement rules 1.6, 1.7, 2.4). Pure. */
#ifndef MEASURE_POINT_H
#define MEASURE_POINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/measure/history.h"
#include "bench/measure/place.h"
#include "tuner/stats.h"
#include "tuner/stop.h"
#include "tuner/why.h"

struct point {                       /* point_free */
    int      batch;
    double   *y;                     /* [n] valid block values of its rounds, in time order */
    uint64_t *measured_ns;           /* [n] */
    size_t   n, invalid, retries;
    int      iterations;             /* of the valid blocks */
    uint64_t total_ns;               /* measured, of the valid blocks */
    double   wall_images_per_s;      /* over the valid blocks; NaN: none */
    enum stop stop;
    enum why out;                    /* not WHY_NONE: it takes no further part, and why */
    bool     all_blocks;             /* every block was taken as valid (see point_make) */
};

/* take_invalid: blocks that telemetry refused count as valid (every candidate of the target is THROTTLED or
 * INVALID: there is nothing better). ST_OUT_OF_MEMORY. */
enum status point_make(struct point *out, const struct history *h, int batch, bool gpu, bool take_invalid,
                       struct err *err);
void point_free(struct point *p);

/* Over the valid blocks images/wall lies more than 5 % below the median rate: stalls that a median hides. */
bool point_is_skewed(const struct point *p);

enum place_state point_place(int *retry, const struct history *h, int batch, int round);
/* Pause before retry 1, 2, 3: 1, 2, 4 s. 0 before a first try. */
uint64_t point_retry_pause_ns(int retry);

#endif
