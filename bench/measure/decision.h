/* decision.h - everything that follows from the stored blocks of a target: what the search found, how
 * the race stands, which size is chosen, whether it held in fresh executions, what fits into memory,
 * what part-filled batches cost, and one reason for every size. Pure: the same history gives the same
 * decision, in a running campaign, after a resume and in `bench replay`. What decision_make gives,
 * decision_free takes back. */
#ifndef MEASURE_DECISION_H
#define MEASURE_DECISION_H

#include <stdbool.h>
#include <stddef.h>

#include "bench/config/config.h"
#include "bench/measure/ceiling.h"
#include "bench/measure/fill.h"
#include "bench/measure/history.h"
#include "bench/measure/response_limits.h"
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
    const struct arrivals *arrivals; /* of a limit on responses; borrowed */
    int    instances;
    struct response_limits *response; /* keeps what their simulation said; NULL: it is simulated at every
                                         call */
    const int *given;                /* [given_count] sizes in place of the ascent; NULL: ascent up to
                                        max_batch */
    size_t given_count;
    int    max_batch;
    bool   refine;
    bool   max_safe_executed;
    int    incumbent, pending;       /* 0: none */
    bool   guessed;                  /* the incumbent is a guess: see struct decide_ask */
    bool   replayed;                 /* the rounds were measured for other rules: they count with the
                                        sizes that they hold, whatever these rules would have measured */
};
struct decision_ask {
    const struct decision_rules *rules;
    const struct history *history;
    bool   search_over;              /* no time is left for another probe */
    bool   rounds_over, race_over;   /* no time is left for another round; nor for another proof of a limit */
};
struct decision {
    struct search_answer search;     /* .next: a size to probe; then nothing below holds yet */
    size_t count;                    /* candidates of the race */
    struct race_candidate *candidates; /* [count] */
    struct race_block *blocks;       /* [rounds][count + 1] */
    size_t rounds;                   /* complete ones */
    int    round;                    /* number of the one that was begun and is not complete; 0: none */
    bool   control_is_due;           /* the next round holds a second block of race.control */
    struct decision_round {
        int number;
        int64_t execution;           /* whose blocks count */
    } *counted;                      /* [rounds] */
    struct race_answer race;
    struct race_look *looks;         /* [look_count] */
    size_t look_count;
    struct decide_answer choice;     /* after the verification, if it was measured */
    struct verify_ask verify_blocks;
    struct verify_answer verification;
    struct ceiling ceiling;
    struct fill_table fill;
    struct max_safe_answer max_safe;
    int    optimal;                  /* choice.batch, or the choice among smaller ones if a size below it
                                        failed; 0: none. max_safe is of this size; its failed_below says
                                        why it is another */
    struct decide_why whys[SEARCH_SIZES_MAX]; /* [search.count] */
};
/* ST_OUT_OF_MEMORY is all that can go wrong; *out is NULL then. */
enum status decision_make(struct decision **out, const struct decision_ask *ask, struct err *err);
void decision_free(struct decision *d); /* NULL is allowed */

/* The rules of a target, from its configuration and row. given: [count] sizes, borrowed; NULL: the ascent. */
struct decision_rules decision_rules_of(const struct config *config, const struct target_row *row,
                                        const int *given, size_t count);

/* Blocks of kind slo that a size gets at most to be proved under or over a limit, in ns of measured time. */
#define DECISION_PROOF_NS UINT64_C(60000000000)
/* Measured ns of a size's blocks of kind slo. */
uint64_t decision_proof_ns(const struct history *h, int batch);

/* The value of a block under an objective: ln images/s, -ln(ms of one batch), -ln(J per image); NaN: not
 * known. */
double decision_value(const struct block_fact *f, enum objective objective);

#endif
