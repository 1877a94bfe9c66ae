/* choose.h - the batch size of a target from the intervals of its points. Pure; everything is the caller's.
 *
 * The rule: best = the largest estimate. Chosen is the smallest size that reaches the zone
 * [best + ln(1 - X), ...):
 *   - its interval is at most X wide in all (half-width <= X/2): it reaches if the upper end lies in the zone. Then a
 *     point counts as in the zone until it is shown to be outside, and the error is bounded: at most X/2 more than X
 *     is given away.
 *   - its interval is wider, or there is none: it reaches if its estimate lies in the zone. So a size cannot be
 *     chosen for being badly measured.
 * The confidence of such a choice is `coarse`: intervals of single points are not paired comparisons. */
#ifndef TUNER_CHOOSE_H
#define TUNER_CHOOSE_H

#include <stddef.h>

#include "tuner/why.h"

struct choose_point {
    int    batch;
    enum why out;      /* WHY_NONE: it can be chosen; else why it was taken out, the rest is not looked at */
    double y, low, high; /* estimate and interval in ln images/s; low and high NaN: no interval */
};
struct choose_why {    /* one per point */
    enum why why;      /* WHY_CHOSEN once, if anything could be chosen */
    int    rival;      /* the leader; 0 for the leader itself and for points that were taken out */
    double m, c;       /* y minus that of the rival, and half-width of that difference; NaN: not known */
};
struct choose_answer {
    int    batch;      /* 0: no usable size */
    int    leader;     /* size with the largest estimate (the smaller of two equal ones); 0: none */
    double best;       /* its estimate; NaN: none */
};

/* points[n] ascending by batch; whys[n] is filled. within = X as a fraction, 0 < X < 1. */
void choose_target(struct choose_answer *out, struct choose_why *whys, const struct choose_point *points,
                   size_t n, double within);

#endif
