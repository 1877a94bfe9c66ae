/* nights.h - invented nights: noise as machines make it, for rules that watch for regressions.
 * Values are logarithms of rates around 0. */
#ifndef NIGHTLY_NIGHTS_H
#define NIGHTLY_NIGHTS_H

#include "kernels/base/rng.h"

/* One source of noise of standard deviation sigma, night after night: autocorrelated by `ar`; with
 * probability `slow` a night has an extra loss, exponential with a mean of `slow_units` sigma. */
struct night_noise {
    const char *name;
    double ar, slow, slow_units;
};
extern const struct night_noise noise_iid, noise_ar, noise_slow;

struct night_source {
    const struct night_noise *noise;
    double sigma, state;
    struct rng *rng;                /* borrowed */
};
struct night_source night_source_new(const struct night_noise *noise, double sigma, struct rng *rng);
double night_next(struct night_source *s);

#endif
