/* moved.h - would tonight's curves choose another batch size? (measurement rule 7.7.) A verdict of its
 * own, apart from slowness. Pure. */
#ifndef TUNER_MOVED_H
#define TUNER_MOVED_H

#include <stdbool.h>
#include <stddef.h>

#define MOVED_POINTS_MAX 4
#define MOVED_EXECUTIONS 5

/*        name        word            text */
#define MOVED_LIST(X) \
    X(STAYS,    "",             "the batch size in use is still right") \
    X(UNKNOWN,  "unknown",      "too few executions to say") \
    X(MAYBE,    "MAYBE_MOVED",  "tonight another size would be chosen: a second such night makes it sure") \
    X(MOVED,    "MOVED",        "another size would be chosen, two nights in a row")
enum moved {
#define X(name, word, text) MOVED_##name,
    MOVED_LIST(X)
#undef X
    MOVED_COUNT
};
const char *moved_name(enum moved m);
const char *moved_text(enum moved m);

struct moved_ask {
    size_t points;                  /* 2 .. MOVED_POINTS_MAX, ascending sizes */
    size_t chosen;                  /* which of them is in use */
    /* y of [execution][round][point]: rounds[e] rows of `points` values, NaN where the block is missing
     * or invalid */
    const double *y[MOVED_EXECUTIONS];
    size_t rounds[MOVED_EXECUTIONS];
    double within;                  /* X of the decision: 0.05 */
    int before;                     /* `way` of the last valid night; 0: it stayed, or there was none */
};
struct moved_answer {
    enum moved moved;
    int way; /* to be stored: 0 stays; -1 the size in use is too slow; i + 1: point i is as good */
    bool rejected;                  /* the size in use is slower than another by more than X, surely */
    size_t better;                  /* the point that says so, or the smaller one that is as good */
    double m, c; /* mean difference and its half-width against that point; NaN if it stays */
};
/* d_e is the trimmed mean over the rounds of y_i - y_j in execution e; m, se and df those of the five
 * d_e; c = t(1 - .05/(k-1), df) se. Rejected: m + c < ln(1-X) against some point; a smaller one is
 * accepted if m - c >= ln(1-X) against every other. Fewer than 3 executions with a difference: UNKNOWN.
 */
void moved_check(struct moved_answer *out, const struct moved_ask *ask);

#endif
