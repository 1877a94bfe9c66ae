/* decide.h - from a race to the batch size of a target: incumbent and hysteresis (measurement rule 4.6), the
 * check in fresh executions (4.7), and one reason for every size (4.8). Pure; all arrays are the caller's.
 *
 * The size in use (the incumbent) goes only if it is shown to be slower, cannot run any more, or if the same
 * smaller size was found fast enough in two tunes in a row: so equal sizes do not take turns. */
#ifndef TUNER_DECIDE_H
#define TUNER_DECIDE_H

#include <stdbool.h>
#include <stddef.h>

#include "tuner/race.h"
#include "tuner/search.h"
#include "tuner/why.h"

/*        name          word           text; ascending */
#define DECIDE_CONFIDENCE_LIST(X) \
    X(NONE,        "none",        "no size can be used") \
    X(COARSE,      "coarse",      "from the first probes only, no size was compared with another") \
    X(UNDECIDED,   "undecided",   "not shown to be the right size") \
    X(WITHIN,      "within",      "shown to be fast enough; perhaps a smaller one is too") \
    X(DECIDED,     "decided",     "shown to be the smallest size that is fast enough")
enum decide_confidence {
#define X(name, word, text) DECIDE_##name,
    DECIDE_CONFIDENCE_LIST(X)
#undef X
    DECIDE_CONFIDENCE_COUNT
};
const char *decide_confidence_name(enum decide_confidence confidence);
const char *decide_confidence_text(enum decide_confidence confidence);

enum decide_outcome { INCUMBENT_NONE, INCUMBENT_CONFIRMED, INCUMBENT_KEPT, INCUMBENT_REPLACED };
const char *decide_outcome_name(enum decide_outcome outcome); /* "none" "confirmed" "kept" "replaced" */

enum decide_detail { DETAIL_NONE, DETAIL_ACCEPTED, DETAIL_INCUMBENT_KEPT, DETAIL_BEST_SO_FAR, DETAIL_PROVEN,
                     DETAIL_NOT_PROVEN };
const char *
decide_detail_name(enum decide_detail detail); /* "" "accepted" "incumbent_kept" "best_so_far" "yes" "no" */

#define DECIDE_MEMBERS_MAX 3

struct decide_ask {
    const struct race_answer *race;
    const struct race_candidate *candidates; /* [race->count], as the race had them */
    double within;            /* X */
    int incumbent;            /* size in use; 0: none. Not among the candidates, and not untried: it cannot
                               * run any more */
    bool untried;             /* the time was used up before the incumbent's turn: nothing speaks against it */
    bool guessed;             /* it was a best guess itself, no race chose it: where this one finds none
                               * it stays if its estimate is within X of the best, else it goes at once */
    int pending;              /* what the previous finished tune with the same key left pending; 0: nothing */
};
struct decide_answer {
    int batch;                /* D; 0: no usable size */
    int incumbent;            /* as asked */
    int pending;              /* a smaller size that must be accepted once more; 0: none */
    int leader;               /* alive size with the largest estimate; 0: none */
    enum decide_confidence confidence;
    enum race_cause cause;    /* of UNDECIDED and COARSE */
    enum decide_detail detail;
    enum decide_outcome outcome; /* what became of the incumbent */
    int members[DECIDE_MEMBERS_MAX]; /* sizes to verify, ascending: D, incumbent, leader, without doubles */
    size_t member_count;
    bool verified;            /* decide_verify: batch stands */
    int failed[DECIDE_MEMBERS_MAX]; /* sizes that were chosen and did not stand */
    size_t failed_count;
};
/* The race may have ended, or the budget was over, or it is still going on: the answer is the best so far. */
void decide_choose(struct decide_answer *out, const struct decide_ask *ask);

/* --- in fresh executions: three, each with three mirrored passes (m1 m2 m3 m3 m2 m1) --- */
#define VERIFY_EXECUTIONS 3
#define VERIFY_PASSES 3
struct verify_ask {
    /* mean of a member's two block values (ln images/s) in a pass; NaN: not measured, the pass does not
     count */
    double x[VERIFY_EXECUTIONS][VERIFY_PASSES][DECIDE_MEMBERS_MAX];
    double within;
};
struct verify_member {
    bool   stands;            /* mean over executions of q_e >= ln(1-X) and the worst >= ln(1-X-0.01) */
    double q_mean, q_min; /* q_e = median over passes of x - x of the leader; NaN: an execution is missing */
    double y, low, high;      /* published: median and range over executions of the median over passes */
};
struct verify_answer {
    struct verify_member members[DECIDE_MEMBERS_MAX]; /* as decide->members */
};
/* D is kept if it stands; else the smallest member that does, undecided by `verification`. The leader always
 * stands. Executions that were not measured leave everything as it is, not verified. */
void decide_verify(struct verify_answer *out, struct decide_answer *decide, const struct verify_ask *ask);

/* --- why --- */
struct decide_why {
    int    batch;
    enum why why;
    enum decide_detail detail; /* of `chosen`; of `over_slo`: was it proven? */
    double y;                 /* its estimate, ln images/s; NaN: none */
    double limit;             /* ln(1-X), where m was compared with it; else NaN */
    int    rival;             /* 0: none */
    double m, c, df;          /* y minus that of the rival, half-width; NaN: not known */
    size_t n;                 /* differences behind m */
};
/* whys[count], one per size of the search (search_answer.sizes): the first reason of why.h that fits. Sizes
 * that the search let through (WHY_NONE) are the candidates of the race. */
void decide_reasons(struct decide_why *whys, const struct search_size *sizes, size_t count,
                    const struct decide_ask *ask, const struct decide_answer *decided);
/* The text of a reason for people; unlike why_text it does not call a larger size fast enough whose estimate
 * lies below the zone. */
const char *decide_why_text(const struct decide_why *why);

#endif
