#include "tests/decisions/curves.h"

#include <math.h>

#include "kernels/base/rng.h"

const struct curve curve_saturating = { .name = "saturating",
                                        .at = { .400, .571, .727, .842, .914, .955, .977 } };
const struct curve curve_early_knee = { .name = "early knee",
                                        .at = { .55, .75, .90, .970, .980, .985, .985 } };
const struct curve curve_hump = { .name = "CPU hump",
                                        .at = { .96, 1.00, 1.01, 1.005, .99, .94, .88 } };
const struct curve curve_margin = { .name = "margin",
                                        .at = { .9495, 1, .99, .98, .97, .96, .955 } };
const struct curve curve_saw = { .name = "saw-tooth", .kind = CURVE_SAW };

struct curve curve_random(uint64_t seed)
{
    struct rng r = rng_seeded(seed);
    struct curve c = { .name = "random", .kind = CURVE_SMOOTH };
    c.h = .3 * pow(60 / .3, rng_uniform(&r));
    if (rng_uniform(&r) < .4)
        c.u = .004 * rng_uniform(&r);
    if (rng_uniform(&r) < .3)
        c.dip = 1 << (int)(rng_uniform(&r) * CURVE_POWERS);
    return c;
}

struct curve curve_of_record(const char *name, const struct recorded_curve *recorded)
{
    struct curve c = { .name = name, .kind = CURVE_RECORDED, .recorded = recorded };
    for (size_t i = 0; i < recorded->count; i++)
        if (recorded->points[i].ran)
            c.recorded_best = fmax(c.recorded_best, recorded->points[i].images_per_s);
    return c;
}

static double between(double x, double x0, double y0, double x1, double y1)
{
    return y0 + (y1 - y0) * (x - x0) / (x1 - x0);
}

static double table_rate(const struct curve *c, int batch)
{
    int i = 0;
    while (i + 1 < CURVE_POWERS && 1 << (i + 1) <= batch)
        i++;
    return 1 << i == batch ? c->at[i] : between(batch, 1 << i, c->at[i], 2 << i, c->at[i + 1]);
}

static double saw_rate(int batch)
{
    return batch <= 8 ? between(batch, 1, .5, 8, .8)
           : batch <= 12 ? between(batch, 8, .8, 12, 1)
           : batch <= 16 ? between(batch, 12, 1, 16, .84) : .84 + .02 * log2(batch / 16.);
}

double curve_rate(const void *curve, int batch)
{
    const struct curve *c = curve;
    if (batch < 1 || batch > CURVE_MAX)
        return NAN;
    if (c->kind == CURVE_TABLE)
        return table_rate(c, batch);
    if (c->kind == CURVE_SAW)
        return saw_rate(batch);
    if (c->kind == CURVE_RECORDED)
        return curve_value(c->recorded, batch, CURVE_IMAGES_PER_S) / c->recorded_best;
    return batch / (batch + c->h) * exp(-c->u * batch) * (batch == c->dip ? .85 : 1);
}

double curve_best(const struct curve *c)
{
    double best = 0;
    if (c->kind == CURVE_RECORDED)
        return 1;
    for (int b = 1; b <= CURVE_MAX; b *= 2) {
        best = fmax(best, curve_rate(c, b));
        if (c->kind != CURVE_TABLE && b > 1 && b < CURVE_MAX)
            best = fmax(best, curve_rate(c, b + b / 2));
    }
    return best;
}
