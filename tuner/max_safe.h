/* max_safe.h - the largest batch size that a service may execute, beside the one that was chosen. Pure.
 *
 * A service passes max_safe to the network as a batch size, and the last part of a request can have any size
 * below it. So `executed` is the largest size that (a) is the decision, or larger, alive and with an estimate
 * within X of the best; (b) keeps the latency limit; (c) fits into memory; (d) below which every number of
 * images ran. `ceiling` is for services that only cap requests by it. */
#ifndef TUNER_MAX_SAFE_H
#define TUNER_MAX_SAFE_H

#include <stdbool.h>
#include <stddef.h>

#include "tuner/decide.h"
#include "tuner/slo.h"

struct max_safe_size {        /* a size with a reason */
    int    batch;
    enum why why;             /* of decide_reasons */
    enum slo_status limit;    /* no limit: SLO_PASS */
    double y;                 /* its estimate; NaN: none */
};
struct max_safe_ask {
    const struct max_safe_size *sizes; /* [count] ascending */
    size_t count;
    int    decision;
    double best;              /* largest estimate of the sizes that could have been chosen */
    double within;            /* X */
    int    ceiling;           /* largest size that fits (measured twice); >= decision */
    const int
        *failed; /* [failed_count] sizes that failed, in any order: while probing or in the fill table */
    size_t failed_count;
    int    not_run;           /* smallest n that was not run yet, failed or not; 0: all were. Nothing above the
                                 decision is safe from there on */
    bool   executed;          /* else `ceiling` */
};
struct max_safe_answer {
    int wanted;               /* (a) to (c): every n below it is to be run once, then ask again */
    int max_safe;             /* 0: the decision itself cannot be served */
    int failed_below; /* the smallest size that failed below the decision: choose again among the sizes below
                         it, from the same blocks (race_candidate.lost with lost_round 0); 0: none */
};
void max_safe_of(struct max_safe_answer *out, const struct max_safe_ask *ask);

#endif
