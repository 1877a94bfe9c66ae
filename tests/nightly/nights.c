#include "tests/nightly/nights.h"

#include <math.h>

const struct night_noise noise_iid = { "iid", 0, 0, 0 };
const struct night_noise noise_ar = { "AR(1) .5", .5, 0, 0 };
const struct night_noise noise_slow = { "slow nights", 0, .05, 4 };

struct night_source night_source_new(const struct night_noise *noise, double sigma, struct rng *rng)
{
    return (struct night_source){ .noise = noise, .sigma = sigma, .rng = rng, .state = rng_normal(rng) };
}

double night_next(struct night_source *s)
{
    const struct night_noise *n = s->noise;
    s->state = n->ar * s->state + sqrt(1 - n->ar * n->ar) * rng_normal(s->rng);
    double y = s->state;
    if (n->slow > 0 && rng_uniform(s->rng) < n->slow)
        y += n->slow_units * log(rng_uniform(s->rng)); /* minus an exponential */
    return s->sigma * y;
}
