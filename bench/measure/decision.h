/* decision.h - everything that follows from the stored blocks of a target: what the search found, how the race
 * stands, which size is chosen, whether it held in fresh executions, what fits into memory, what part-filled
 * batches cost, and one reason for every size. Pure: the same history gives the same decision, in a running
 * campaign, after a resume and in `bench replay`. What decision_make gives, decision_free takes back. */
#ifndef MEASURE_DECISION_H
#define MEASURE_DECISION_H

#include <stdbool.h>
#include <stddef.h>

#include "bench/config/config.h"
#include "bench/measure/ceiling.h"
#include "bench/measure/fill.h"
#include "bench/measure/history.h"
#include "kernels/base/err.h"
#include "tuner/decide.h"
#include "tuner/max_safe.h"
#include "tuner/race.h"
#include "tuner/search.h"

/* What a decision depends on beside the blocks. */
struct decision_rules {
    double within, alpha;            /* X and alpha, fractions */
    enum objective objective;
    struct latency_limit limit;      /* percentile 0: none */
    const int *given;                /* [given_count] sizes in place of the ascent; NULL: ascent up to max_batch */
    size_t given_count;
    int    max_batch;
    bool   refine;
    bool   max_safe_executed;
    int    incumbent, pending;       /* 0: none */
};
struct decision_ask {
    const struct decision_rules *rules;
    const struct history *history;
    bool   search_over, race_over;   /* no time is left for another probe, or for another round or proof */
};
struct decision {
    struct search_answer search;     /* .next: a size to probe; then nothing below holds yet */
    size_t count;                    /* candidates of the race */
    struct race_candidate *candidates; /* [count] */
    struct race_block *blocks;       /* [rounds][count + 1] */
    size_t rounds;                   /* complete ones */
    struct race_answer race;
    struct race_look *looks;         /* [look_count] */
    size_t look_count;
    struct decide_answer choice;     /* after the verification, if it was measured */
    struct verify_ask verify_blocks;
    struct verify_answer verification;
    struct ceiling ceiling;
    struct fill_table fill;
    struct max_safe_answer max_safe;
    int    optimal;                  /* choice.batch, or the choice among smaller ones if a size below it failed; 0:
                                        none */
    struct decide_why whys[SEARCH_SIZES_MAX]; /* [search.count] */
};
/* ST_OUT_OF_MEMORY is all that can go wrong; *out is NULL then. */
enum status decision_make(struct decision **out, const struct decision_ask *ask, struct err *err);
void decision_free(struct decision *d); /* NULL is allowed */

/* The value of a block under an objective: ln images/s, -ln(ms of one batch), -ln(J per image); NaN: not known. */
double decision_value(const struct block_fact *f, enum objective objective);

#endif
