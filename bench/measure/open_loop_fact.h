/* open_loop_fact.h - what one open loop showed: requests sent at planned times, whatever the worker did, in
 * batches formed by the rule of tuner/queue.h (measurement rule 6.6). Pure. */
#ifndef MEASURE_OPEN_LOOP_FACT_H
#define MEASURE_OPEN_LOOP_FACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/base/err.h"

struct open_loop_ask {
    int    batch, instances;         /* B, c */
    uint64_t delay_ns;               /* w */
    double rate;                     /* images/s: mean of the arrivals */
    uint64_t *arrival_ns;            /* [count] ascending, planned, from the start of the loop */
    size_t count;
};
struct open_loop_call {              /* one batch */
    int    images, executed;         /* requests in it; size that ran (padding) */
    uint64_t sent_ns, answered_ns;   /* from the start of the loop, by bench's clock */
    uint64_t service_ns;             /* the iteration, by the worker's */
};
enum open_loop_end {
    OPEN_LOOP_COMPLETE,              /* every request was answered */
    OPEN_LOOP_DIED,                  /* the worker died on the way: no calls */
    OPEN_LOOP_SATURATED,             /* not begun: more arrives than can be served, whatever the delay */
};
struct open_loop_fact {              /* open_loop_fact_free */
    enum open_loop_end end;
    int64_t execution;               /* 0: none */
    struct open_loop_ask ask;        /* arrival_ns owned; NULL unless complete */
    struct open_loop_call *calls;    /* [call_count], owned, in the order of their requests */
    size_t call_count;
    char disturbed[16]; /* what held the worker back meanwhile: "quota", "thermal"; "": nothing known */
};
void open_loop_fact_free(struct open_loop_fact *f);

struct open_loops {                  /* of a target, in the order of measuring; open_loops_free */
    struct open_loop_fact *items;
    size_t count;
};
/* Takes the fact over, whatever the status. ST_OUT_OF_MEMORY. */
enum status open_loops_add(struct open_loops *l, struct open_loop_fact *fact, struct err *err);
void open_loops_free(struct open_loops *l);

/* What follows from it. */
enum open_loop_outcome {
    OPEN_LOOP_PASS,    /* the limit is proved, or there is none */
    OPEN_LOOP_FAIL,    /* it is not kept */
    OPEN_LOOP_OPEN,    /* too few responses to say: not proved */
    OPEN_LOOP_INVALID, /* the machine was slow, not the service: more than 1 % of the requests were sent over
                          1 ms late, or the worker was held back */
    OPEN_LOOP_CRASHED, /* the worker died */
    OPEN_LOOP_OVERLOADED, /* saturated: no limit can be kept */
    OPEN_LOOP_NONE,       /* nothing was measured yet, or not often enough */
};
/* "pass" "fail" "open" "invalid" "crashed" "saturated" "none" */
const char *open_loop_outcome_name(enum open_loop_outcome outcome);

#define OPEN_LOOP_LATE_NS UINT64_C(1000000)
struct open_loop_answer {
    enum open_loop_outcome outcome;
    size_t counted;                  /* responses behind it: all but the first tenth */
    size_t late;                     /* requests whose batch was sent over 1 ms after the rule wanted it to */
    double mean_s, p50_s, p95_s, p99_s; /* responses from the planned arrival; NaN: too few */
    double service_p95_s;            /* of the calls; NaN: too few */
    double limited_s;                /* percentile of the limit; NaN: none, or too few */
    double mean_images;              /* per call */
    double call_ms;                  /* median of what a call takes beside its iteration: the protocol */
};
/* percentile 0: no limit. Of a fact that is not complete only the outcome. ST_OUT_OF_MEMORY. */
enum status open_loop_judge(struct open_loop_answer *out, const struct open_loop_fact *f, double percentile,
                            double limit_s, struct err *err);

#define OPEN_LOOP_TRIES 2            /* a dead worker, and a loop that was sent late, are tried once more */
/* How a batch size stands after all of its open loops; the newest complete one that was sent in time decides.
 * *fact: the one behind it, borrowed; NULL if none was complete and sent in time; may be NULL.
 * ST_OUT_OF_MEMORY. */
enum status open_loops_judge(struct open_loop_answer *out, const struct open_loop_fact **fact,
                             const struct open_loops *l, int batch, double percentile, double limit_s,
                             struct err *err);

#endif
