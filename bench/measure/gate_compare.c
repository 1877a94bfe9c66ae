#include "bench/measure/gate_compare.h"

#include <math.h>
#include <string.h>

/* Seeded: what the reference framework itself reaches on those weights, with a quarter to spare. */
static const struct {
    const char *precision;
    struct gate_limits file, seeded;
} rows[] = {
    { "f32",  { 1e-3, 0.001 }, { 1e-4,   0.001 } }, /* order of summation, Winograd; TF32 under this name must fail */
    { "tf32", { 1e-2, 0.005 }, { 3e-2,   0.01 } },  /* 10 mantissa bits */
    { "f16",  { 1e-2, 0.005 }, { 3e-2,   0.01 } },
    { "bf16", { 5e-2, 0.01 },  { 1.5e-1, 0.05 } },  /* 7 mantissa bits */
};

bool gate_limits_of(struct gate_limits *out, const char *precision, bool seeded)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(rows[i].precision, precision) == 0) {
            *out = seeded ? rows[i].seeded : rows[i].file;
            return true;
        }
    return false;
}

bool gate_is_finite(const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!isfinite(values[i]))
            return false;
    return true;
}

struct gate_difference gate_compare(const float *o, const float *r, size_t count)
{
    double error = 0, norm = 0;
    size_t flipped = 0;
    for (size_t i = 0; i < count; i++) {
        double d = (double)o[i] - (double)r[i];
        error += d * d;
        norm += (double)r[i] * (double)r[i];
        flipped += (o[i] > 0) != (r[i] > 0);
    }
    return (struct gate_difference){ .rel_l2 = error > 0 ? sqrt(error / norm) : error,
                                     .mask = count ? (double)flipped / (double)count : 0 };
}

bool gate_worsen(struct gate_difference *worst, const struct gate_difference *d)
{
    bool worse = !isnan(worst->rel_l2) && !(d->rel_l2 <= worst->rel_l2);
    worst->rel_l2 = worse ? d->rel_l2 : worst->rel_l2;
    worst->mask = fmax(worst->mask, d->mask);
    return worse;
}

bool gate_within(const struct gate_difference *d, const struct gate_limits *limits, bool is_mask)
{
    return d->rel_l2 <= limits->rel_l2 && (!is_mask || d->mask <= limits->mask);
}
