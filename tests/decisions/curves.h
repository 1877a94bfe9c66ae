/* curves.h - invented curves whose right answer is known: rate of every batch size. */
#ifndef DECISIONS_CURVES_H
#define DECISIONS_CURVES_H

#include <stdint.h>

#include "bench/replay/curve.h"

#define CURVE_POWERS 7        /* 1 2 4 ... 64 */
#define CURVE_MAX 64

enum curve_kind {
    CURVE_TABLE,              /* linear between powers of two */
    CURVE_SAW,                /* .5 at 1, linear to .8 at 8 and 1.0 at 12, down to .84 at 16, then +.02 per
                                 doubling */
    CURVE_SMOOTH,             /* b/(b+h) exp(-u b), the size `dip` 15 % lower */
    CURVE_RECORDED,           /* straight lines between recorded sizes, the best of them 1 */
};
struct curve {
    const char *name;
    enum curve_kind kind;
    double at[CURVE_POWERS];
    double h, u;
    int dip;                  /* 0: none */
    const struct recorded_curve *recorded; /* borrowed */
    double recorded_best;
};
extern const struct curve curve_saturating, curve_early_knee, curve_hump, curve_saw;
/* Size 1 lies 5.05 % below the best: just outside the zone, by less than blocks can resolve. */
extern const struct curve curve_margin;

/* h log-uniform .3..60; u uniform 0...004 in 40 % of the curves, else 0; a dip at one power of two in
 * 30 %. */
struct curve curve_random(uint64_t seed);
/* Of recorded sizes; name is borrowed, too. */
struct curve curve_of_record(const char *name, const struct recorded_curve *recorded);
/* images/s of a struct curve; NaN: it does not run (beyond CURVE_MAX, or what was recorded). */
double curve_rate(const void *curve, int batch);
/* The largest rate of the powers of two and, but for a table, of the sizes half way between them; of all
 * that were recorded. */
double curve_best(const struct curve *c);

#endif
