/* point.h - the rates of one size in the rounds of a race that count. Pure. */
#ifndef MEASURE_POINT_H
#define MEASURE_POINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/measure/decision.h"
#include "bench/measure/history.h"

struct point {                       /* point_free */
    int      batch;
    double   *y;                     /* [n] ln images/s of its blocks that count, in time order */
    size_t   n, invalid;             /* invalid: blocks of the race that telemetry refused */
    int      rounds, executions;     /* behind the n */
    double   wall_images_per_s;      /* over them; NaN: none */
};

/* Valid blocks of kind race in complete rounds of d; all of them where the device throttled throughout.
 * ST_OUT_OF_MEMORY. */
enum status point_make(struct point *out, const struct history *h, const struct decision *d, int batch,
                       struct err *err);
void point_free(struct point *p);

/* Over the valid blocks images/wall lies more than 5 % below the median rate: stalls that a median hides. */
bool point_is_skewed(const struct point *p);

#endif
