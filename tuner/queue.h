/* queue.h - what users of a service would wait: batches are formed from arrivals and served by c instances
 * (measurement rule 6.4), and which queue delay to set (6.5). Pure; all arrays are the caller's, nothing
 * allocates. Times are seconds. A response counts from the arrival to the result, batch forming and queue
 * included.
 *
 * A batch starts when an instance is free and it is full (B images) or its oldest request has waited w. */
#ifndef TUNER_QUEUE_H
#define TUNER_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

struct queue_times {           /* measured service times of one batch size */
    int    images;             /* n */
    const double *service_s;   /* [count] iterations, in any order; one value: a constant */
    size_t count;
};
struct queue_ask {
    /* [count] ascending arrivals at rate 1: arrival i happens at arrivals[i] / rate s. A recorded trace is
     * multiplied by its own mean rate beforehand. */
    const double *arrivals;
    size_t count;
    double rate;               /* images/s, > 0 */
    const double *uniform;     /* [count] in (0,1), draws of service times: one per batch; NULL: every size
                                  takes the median of its times */
    const struct queue_times *times; /* [time_count] ascending by images; a size without takes the next larger
                                        one (padding); the last must reach batch */
    size_t time_count;
    int    batch;              /* B >= 1 */
    double delay_s;            /* w >= 0 */
    int    instances;          /* c, 1..QUEUE_INSTANCES_MAX */
};
#define QUEUE_INSTANCES_MAX 64
#define QUEUE_BATCH_MAX 4096

struct queue_answer {
    bool   saturated;          /* rate >= c B / s(B), or the mean response of the last tenth exceeds twice
                                  that of the second tenth: the queue grows, percentiles would depend on when
                                  one looks */
    double capacity;           /* images/s: see queue_capacity */
    double mean_s;             /* mean response of what counts (all but the first tenth) */
    double mean_images;        /* images per batch */
    size_t batches, counted;
};
/* c B / s(B), images/s: full batches one after the other. s(B) is the mean of the times that are drawn,
 * because a queue grows as soon as work arrives faster than it is done on average; their median if only that
 * is used
 * (`median`). 0: no size reaches `batch`. */
double queue_capacity(const struct queue_times *times, size_t time_count, int batch, int instances,
                      bool median);
/* response_s[count] is filled in the order of arrivals. False, nothing written: the ask breaks a bound named
 * above. */
bool queue_simulate(struct queue_answer *out, double *response_s, const struct queue_ask *ask);

/* Responses that count: all but the first tenth, while the queue fills. How many are left out of `count`. */
size_t queue_dropped(size_t count);
/* out[i] = the percentile p[i] (x[ceil(p n)], p ascending in (0,1]) of the responses that count; response_s
 * is reordered. NaN without any. */
void queue_percentiles(double *out, const double *p, size_t percentiles, double *response_s, size_t count);

/* The batch that is formed next, the rule of which everything here is made. */
struct queue_batch {
    double start_s;            /* full, or its oldest request has waited w; not before an instance is free */
    size_t images;             /* requests first .. first + images - 1 */
};
/* Request i arrives at arrivals[i] x interval_s (1 / rate); `first` is the oldest that waits; free_s: an
 * instance is free. */
struct queue_batch queue_form(const double *arrivals, size_t count, double interval_s, size_t first,
                              double free_s, int batch, double delay_s);

/* Queue delays that are tried, seconds, ascending: 0 1 2 5 10 20 50 100 200 500 ms. */
#define QUEUE_DELAYS 10
extern const double queue_delays_s[QUEUE_DELAYS];

struct queue_point {           /* one delay: the median over seeds of the percentile of responses */
    double delay_s;
    bool   saturated;
    double p95_s;
    double limited_s;          /* the percentile that the limit is about; without a limit not looked at */
};
#define QUEUE_NONE ((size_t)-1)
/* Smallest delay whose p95 is within 5 % of the best of all that keep the limit (limit_s <= 0: no limit).
 * Points ascending by delay. QUEUE_NONE: none keeps it. */
size_t queue_recommend(const struct queue_point *points, size_t count, double limit_s);

/* The largest rate in (0, high] that `fits`, by bisection to 1 %; 0: not even a hundredth of high does.
 * `fits` is asked about falling and rising rates and must hold below every rate at which it holds. */
double queue_rate_that_fits(double high, bool (*fits)(void *context, double rate), void *context);

#endif
