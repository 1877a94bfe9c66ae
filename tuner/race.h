/* race.h - which candidates are too slow, and which is the smallest that is fast enough (measurement rule
 * 4.4). Pure: everything is gone through again from the blocks at every call, so that resume and replay come
 * to the same answer. All arrays are the caller's and borrowed for the call; nothing allocates.
 *
 * b* = the smallest size whose true rate lies within X of the best. Rounds hold one block of every size
 * alive, so sizes are compared by differences of blocks that saw the same minutes. Looks are taken after 6,
 * 9, 13, 19, 28 and 40 rounds; at each, for all pairs (i, j) alive, E = the trimmed mean m of y_i - y_j with
 * its standard error se:
 *   - i is slower if m + c < ln(1-X) for some j that keeps the latency limit;
 *   - i is fast enough if m - c >= ln(1-X) for every j, and i keeps the limit;
 * with c = t(1 - alpha/((k-1) 6), df) se: alpha is split over k-1 rivals and six looks, one-sided. So the
 * answer "decided" is wrong with probability at most alpha, however often one looks.
 *
 * Thrifty: a fifth to a quarter fewer blocks for the same answers (`make bench-decisions` prints both). As
 * the intervals of all looks hold together with that probability, a pair that was found fast enough once
 * stays it. After a look the sizes that were found fast enough against all others rest: alive, not measured.
 * They come back as rivals of a size that is not: of one that looks too slow only the leader is needed, of
 * one that looks fast enough all that it is not settled against. From the second look on every other round
 * goes without a control.
 *
 * Often: thrifty, and a look is taken after 6, 8, 10, 13, 16, 19, 23, 28, 33 and 40 rounds with alpha split
 * over k-1 rivals and seven looks: a race that could have ended at 20 rounds does not go on to 28. Looks at
 * the same rounds overlap, so ten of them at that level are no more errors than six independent ones would
 * be: with normal differences that lie exactly on the margin, a pair is misjudged at any of the ten looks in
 * 0.72 (k = 2) to 0.97 (k = 10) of alpha/(k-1), with spikes in 4 % of the blocks in 0.53 to 0.60 of it; of
 * more than ten candidates each look is given its own share.
 * After the first six rounds every third has a control. A tenth fewer blocks than thrifty. */
#ifndef TUNER_RACE_H
#define TUNER_RACE_H

#include <stdbool.h>
#include <stddef.h>

#include "tuner/slo.h"
#include "tuner/why.h"

#define RACE_SIZES_MAX 256
#define RACE_LOOKS 6
#define RACE_LOOKS_OFTEN 10

enum race_mark {
    RACE_ABSENT, /* it was not measured in this round */
    RACE_VALID,
    RACE_INVALID, /* by telemetry, and not replaced by a retry; y is not looked at */
    RACE_THROTTLED, /* invalid because the device throttled (`thermal` or `clock`); y is looked at if all
                       throttle */
};
struct race_block {
    double y;       /* ln images/s */
    enum race_mark mark;
};
struct race_candidate {
    int    batch;
    double coarse_y;          /* estimate before the first look; NaN: none */
    enum slo_status limit;    /* what is known now; no limit: SLO_PASS */
    size_t limit_round; /* the round that made it final; 0: before the race; beyond the last: blocks of kind
                           slo did. Not looked at for SLO_OPEN */
    enum why lost;            /* WHY_NONE, or why it left the race (crashed, throttled by its retries ...) */
    size_t lost_round;        /* number of complete rounds by then */
};
struct race_memory;           /* what the looks so far said: see below */
enum race_thrift { RACE_PLAIN, RACE_THRIFTY, RACE_OFTEN };
struct race_ask {
    const struct race_candidate *candidates; /* [count] ascending by batch, count <= RACE_SIZES_MAX */
    size_t count;
    const struct race_block *blocks; /* [rounds][count + 1], complete rounds only: a block of each candidate,
                                        then the second block of that round's control size */
    size_t rounds;
    double within, alpha;     /* X and alpha, fractions */
    int    control;           /* size whose blocks are measured twice while it is alive; 0: smallest alive */
    enum race_thrift thrifty; /* how blocks are saved: see above */
    bool   out_of_budget;     /* the next round does not fit */
    struct race_memory *memory; /* NULL: every look is gone through again */
    bool limits_final; /* after RACE_PROVE_LIMITS all time for proofs is spent: SLO_OPEN counts as SLO_FAIL */
};

/*        name            word            text */
#define RACE_STATE_LIST(X) \
    X(GO_ON,          "go_on",        "another round is needed") \
    X(PROVE_LIMITS,   "prove_limits", "sizes alive are neither under nor over the latency limit yet") \
    X(DECIDED,        "decided",      "the smallest size alive is fast enough, every smaller one is not") \
    X(WITHIN,         "within",       "this size is fast enough, perhaps a smaller one is too") \
    X(STILL_OPEN,     "undecided",    "no size was shown to be fast enough") \
    X(NO_SIZE,        "no_size",      "no size is left: all failed, or none keeps the latency limit")
enum race_state {
#define X(name, word, text) RACE_##name,
    RACE_STATE_LIST(X)
#undef X
    RACE_STATE_COUNT
};

/*        name           word            text: why a race stayed undecided */
#define RACE_CAUSE_LIST(X) \
    X(NONE,          "",             "") \
    X(MARGIN,        "margin",       "a size lies so near the margin that the rounds did not resolve it") \
    X(BUDGET,        "budget",       "the time was used up") \
    X(NOISE,         "noise",        "the blocks contradict: every size looks slower than another") \
    X(CONTROL,       "control",      "a size differs from itself: the order of the blocks biases them") \
    X(DEVICE,        "throttled",    "the device throttled in the blocks of every size") \
    X(DISTURBED,     "disturbed",    "no block of any size was valid") \
    X(VERIFICATION,  "verification", "the size chosen did not hold in fresh executions")
enum race_cause {
#define X(name, word, text) RACE_CAUSE_##name,
    RACE_CAUSE_LIST(X)
#undef X
    RACE_CAUSE_COUNT
};
const char *race_state_name(enum race_state state);
const char *race_state_text(enum race_state state);
const char *race_cause_name(enum race_cause cause);
const char *race_cause_text(enum race_cause cause);

struct race_size {            /* one per candidate */
    bool   alive;
    bool   resting;           /* thrifty: alive, but it does not belong to the next round */
    bool   accepted;          /* fast enough at the last finished look */
    enum why why;             /* not alive: THROTTLED, INVALID, OVER_SLO, SLOWER or what it was lost by */
    enum slo_status limit;    /* as it counted at the end */
    size_t n;                 /* blocks behind est */
    double est;               /* median of them; before the first look coarse_y; NaN: none */
    int    rival;             /* SLOWER: the size that showed it; alive: the leader (0 for itself); else 0 */
    double m, c, df;          /* against it, at the look that removed it or the last one; NaN: none */
    size_t pairs;             /* differences behind m */
};
struct race_answer {
    enum race_state state;
    enum race_cause cause;    /* of RACE_STILL_OPEN; of RACE_WITHIN: why smaller sizes stayed open */
    int    batch;             /* DECIDED, WITHIN: the size; else 0 */
    int    leader;            /* alive size with the largest est; 0: none */
    size_t look;              /* rounds at the last finished look; 0: none yet */
    size_t next_look;         /* GO_ON: rounds at which the next look is due */
    int    control;           /* GO_ON: the size whose second block belongs to the next rounds, where
                                 race_has_control */
    bool   throttled;         /* every size throttled: marked blocks count, and nothing can be decided */
    double control_m, control_c; /* control size minus itself; NaN: not known */
    double noise_floor;       /* |control_m| + t(.975, df) se: smaller effects are not to be believed */
    struct race_size
        sizes[RACE_SIZES_MAX]; /* as the candidates; GO_ON: those alive and not resting belong
                                               to the next round */
    size_t count;
};

enum race_outcome {
    RACE_PAIR_OPEN,
    RACE_PAIR_SLOWER,         /* i is slower than j by more than X */
    RACE_PAIR_HOLDS,          /* i is not slower than j by more than X */
    RACE_CONTROL_FINE, RACE_CONTROL_BIASED,
};
const char *race_outcome_name(enum race_outcome outcome); /* "open" "slower" "holds" "control" "bias" */
struct race_look {            /* one comparison of one look; control: i == j */
    size_t look, n;
    int    i, j;
    double m, se, df, c, r1;  /* of y_i - y_j; NaN: fewer than three rounds hold both */
    enum race_outcome outcome;
};
struct race_looks {           /* the first `room` are kept; count goes on */
    struct race_look *items;
    size_t room, count;
};
/* Rounds at the looks, unless they are taken often: 6 9 13 19 28 40. */
extern const size_t race_look_rounds[RACE_LOOKS];

/* Does the round after `rounds` complete ones hold a second block of the control size? */
bool race_has_control(enum race_thrift thrifty, size_t rounds);

#define RACE_ROUNDS_MAX 40
/* All zero before the first step of a race. A step whose ask has the same memory goes on behind the looks of
 * the steps before: the same answer in a fraction of the time, as long as nothing has changed but that
 * rounds, and what became known after the last look, were added. Only for steps without `looks`. */
struct race_memory {
    size_t looks;             /* gone through */
    struct race_answer after; /* the last of them */
    size_t control_of[RACE_ROUNDS_MAX];
    double quantile[RACE_ROUNDS_MAX];
    bool   settled[RACE_SIZES_MAX][RACE_SIZES_MAX];
};

/* looks may be NULL; its count is set to 0 first. */
void race_step(struct race_answer *out, const struct race_ask *ask, struct race_looks *looks);

#endif
