/* scan.h - what users of a batch size would wait at a rate, for every queue delay that is worth trying, and
 * which delay to set (measurement rules 6.4, 6.5). Every number is the median over five seeds, with its
 * range. Everything borrows for the call. */
#ifndef QUEUE_SCAN_H
#define QUEUE_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "bench/queue/arrivals.h"
#include "kernels/base/err.h"
#include "tuner/queue.h"

struct scan_value {                  /* median over seeds, smallest, largest; NaN: too few requests */
    double value, low, high;
};

struct scan_point {                  /* one queue delay at one rate */
    double delay_s;
    bool   saturated;                /* in most seeds: no percentiles */
    double mean_images;              /* per batch; NaN: the rate is not below the capacity */
    struct scan_value mean_s, p50_s, p90_s, p95_s, p99_s; /* responses */
    double limited_s;                /* the percentile of the limit; NaN without */
};
struct scan_ask {
    const struct queue_times *times; /* [time_count] as in tuner/queue.h */
    size_t time_count;
    int    batch, instances;
    const struct arrivals_set *arrivals;
    size_t seeds;                    /* 1..ARRIVALS_SEEDS of them; 0: all */
    size_t requests;                 /* the first ones of every seed; 0: all */
    double rate;                     /* images/s */
    bool   median;                   /* every size takes its median time */
    bool   growing;                  /* percentiles even where the queue grows: beside a measurement of the
                                        same requests */
    const double *delays_s;          /* [delay_count] ascending; NULL: queue_delays_s */
    size_t delay_count;
    double percentile, limit_s;      /* limit on responses; percentile 0: none */
};
/* Images/s at most, whatever the delay: see queue_capacity. */
double scan_capacity(const struct scan_ask *ask);

struct scan {
    int    batch;
    double rate, capacity, load;     /* images/s; load = rate / capacity */
    struct scan_point points[QUEUE_DELAYS];
    size_t count;
    size_t recommended;              /* index; QUEUE_NONE: none keeps the limit, or all saturate */
};
/* ST_OUT_OF_MEMORY; ST_USAGE: the limit's percentile needs more requests than the trace has. */
enum status scan_run(struct scan *out, const struct scan_ask *ask, struct err *err);
/* Is there a delay with which the limit is kept, or, without one, the queue does not grow? Ends at the first.
 * *delay_s: that delay; may be NULL. ST_OUT_OF_MEMORY, ST_USAGE as above. */
enum status scan_fits(bool *fits, double *delay_s, const struct scan_ask *ask, struct err *err);
/* The largest rate up to ask->rate that fits, to 1 %; 0: none. ST_OUT_OF_MEMORY, ST_USAGE as above. */
enum status scan_rate_that_fits(double *rate, const struct scan_ask *ask, struct err *err);

/* Of batches[count] (not ask->batch) the one whose p95 at the rate is best, if it is 5 % better than `own`;
 * out->batch is 0 if there is none. Looked for with a fifth of one seed, then confirmed with all. Statuses as
 * above. */
enum status scan_better_batch(struct scan *out, const struct scan *own, const struct scan_ask *ask,
                              const int *batches, size_t count, struct err *err);

#endif
