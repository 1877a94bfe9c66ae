/* stop.h - when a point that is measured for its own sake has been measured enough (measurement rule 1.6).
 * Pure: the answer depends only on the block values, so a resumed campaign comes to the same one. */
#ifndef TUNER_STOP_H
#define TUNER_STOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*        name       word         text */
#define STOP_LIST(X) \
    X(GO_ON,     "",          "more blocks are needed") \
    X(PRECISION, "precision", "the interval is narrow enough") \
    X(CAP,       "budget",    "its share of time is used up before the interval was narrow enough")

enum stop {
#define X(name, word, text) STOP_##name,
    STOP_LIST(X)
#undef X
    STOP_COUNT
};
const char *stop_name(enum stop stop);
const char *stop_text(enum stop stop);

#define STOP_LOOKS 6
/* Numbers of valid blocks at which the interval is looked at: 6 9 13 19 28 40. Looking six times is paid for
 * by splitting the 5 % over six looks. */
extern const size_t stop_looks[STOP_LOOKS];

struct stop_ask {
    const double   *y;          /* [n] values of the valid blocks, in time order */
    const uint64_t *measured_ns;/* [n] time of each block */
    size_t n;
    bool   gpu;                 /* half-width 0.5 %, else 1 % */
};
/* PRECISION if at some look among the first n blocks the half-width was reached and at least 3 s were
 * measured by then; else CAP once 30 s or 6 blocks, whichever is longer, are measured; else GO_ON. */
enum stop stop_check(const struct stop_ask *ask);

/* How often the block length of a target has to be doubled because of this point, 0..2: once for every look
 * from the 13th block on at which its blocks were correlated. */
int stop_doublings(const double *y, size_t n);

#endif
