/* values.h - from the blocks of a night to one value for each series. Pure. */
#ifndef NIGHTLY_VALUES_H
#define NIGHTLY_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/measure/history.h"

#define NIGHT_EXECUTIONS 5
#define NIGHT_ROUNDS 10
#define NIGHT_LEAST_EXECUTIONS 3     /* that have ... */
#define NIGHT_LEAST_BLOCKS 7         /* ... at least so many valid blocks of the size */

struct night_value {
    double v, error; /* median over executions of the median over valid blocks; its standard error (NaN
                      * below 3 executions) */
    int    executions, blocks;       /* that counted */
    bool   throttled;                /* not valid, and most invalid blocks by temperature or clock */
};
/* Of a batch size in these executions of the target. v is NaN if it is not valid. */
struct night_value night_value_of(const struct history *h, const int64_t *executions, size_t count,
                                  int batch);

/* y of [round][point] of one execution, NaN where there is no valid block; rounds of the history are
 * numbered on over the night: *first is that of row 0. Returns the rounds. */
size_t night_rounds_of(double *y, const struct history *h, int64_t execution, const int *batches,
                       size_t points, size_t room);

#endif
