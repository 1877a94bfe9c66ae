#include "kernels/graph/seeded.h"

#include <math.h>
#include <string.h>

#include "kernels/base/rng.h"

#define PARALLEL_FROM 32768 /* elements: below this, starting threads costs more than it saves */

/* value = scale * (offset + slope t) */
struct spread {
    double offset, slope, scale;
};

static struct spread spread_of(const struct param *p, bool damped)
{
    switch (p->kind) {
    case PARAM_NORM_WEIGHT:
        return (struct spread){ 1, 0.1, damped && p->damped ? 0.1 : 1 };
    case PARAM_BIAS:
    case PARAM_TABLE:
        return (struct spread){ 0, 0.1, 1 };
    case PARAM_TCONV_WEIGHT:
        return (struct spread){ 0, sqrt(3.0 / p->dims[0]), 1 };
    default: /* convolution: (in/groups) kh kw; linear: in */
        return (struct spread){ 0, sqrt(3.0 / ((double)p->count / p->dims[0])), 1 };
    }
}

void seeded_fill(float *values, const struct graph *g, const struct param *p, bool damped)
{
    const uint64_t model = fnv1a64_bytes(fnv1a64(g->model), "/", 1);
    const uint64_t hash = fnv1a64_bytes(model, p->name, strlen(p->name));
    const struct spread s = spread_of(p, damped);
#pragma omp parallel for schedule(static) if (p->count >= PARALLEL_FROM)
    for (size_t n = 0; n < p->count; n++) {
        const double u = (double)(splitmix64(hash + n * SPLITMIX64_STEP) >> 11) * 0x1p-53;
        values[n] = (float)(s.scale * (s.offset + s.slope * (2 * u - 1)));
    }
}
