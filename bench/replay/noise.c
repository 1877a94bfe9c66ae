#include "bench/replay/noise.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernels/base/text.h"

const struct noise noise_typical = { .drift = .06, .drift_blocks = 60, .wander = .012, .wander_lag = .97,
                                     .block = .010, .spikes = .04, .spike_min = .05, .spike_max = .20,
                                     .throttle_blocks = 20, .throttle_loss = .3 };

static const struct noise_key {
    const char *name;
    size_t offset;
    double max, min;
} keys[] = {
    { "drift", offsetof(struct noise, drift), .9, -.9 },
    { "drift_blocks", offsetof(struct noise, drift_blocks), 1e9, 0 },
    { "wander", offsetof(struct noise, wander), .9, 0 },
    { "wander_lag", offsetof(struct noise, wander_lag), .9999, 0 },
    { "block", offsetof(struct noise, block), .9, 0 },
    { "spikes", offsetof(struct noise, spikes), 1, 0 },
    { "spike_min", offsetof(struct noise, spike_min), .9, 0 },
    { "spike_max", offsetof(struct noise, spike_max), .9, 0 },
    { "execution", offsetof(struct noise, execution), .9, 0 },
    { "throttle", offsetof(struct noise, throttle), 1, 0 },
    { "throttle_blocks", offsetof(struct noise, throttle_blocks), 1e9, 1 },
    { "throttle_loss", offsetof(struct noise, throttle_loss), .9, 0 },
};
enum { KEYS = sizeof keys / sizeof *keys };

static enum status refuse_key(const char *name, struct err *err)
{
    const char *names[KEYS];
    char list[256] = "";
    for (size_t i = 0; i < KEYS; i++) {
        size_t used = strlen(list);
        names[i] = keys[i].name;
        snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", keys[i].name);
    }
    const char *near = text_nearest(name, names, KEYS);
    return err_set(err, ST_USAGE, "--noise: %s is no key%s%s%s: allowed are typical, none, and %s", name,
                   near ? " (did you mean " : "", near ? near : "", near ? "?)" : "", list);
}

static enum status read_item(struct noise *out, const char *item, struct err *err)
{
    char name[32];
    const char *equals = strchr(item, '=');
    double value;
    snprintf(name, sizeof name, "%.*s", equals ? (int)(equals - item) : 31, item);
    for (size_t i = 0; i < KEYS; i++) {
        if (!equals || strcmp(name, keys[i].name) != 0)
            continue;
        if (text_fraction(&value, equals + 1) && text_real(&value, equals + 1))
            return err_set(err, ST_USAGE, "--noise: %s must be a number %g..%g, got \"%s\"", name,
                           keys[i].min, keys[i].max, equals + 1);
        if (!(value >= keys[i].min && value <= keys[i].max))
            return err_set(err, ST_USAGE, "--noise: %s must be %g..%g, got %s", name, keys[i].min,
                           keys[i].max, equals + 1);
        memcpy((char *)out + keys[i].offset, &value, sizeof value);
        return ST_OK;
    }
    return refuse_key(name, err);
}

enum status noise_read(struct noise *out, const char *text, struct err *err)
{
    enum status st = ST_OK;
    *out = noise_typical;
    for (const char *at = text; st == ST_OK;) {
        char item[64];
        size_t length = strcspn(at, ",");
        snprintf(item, sizeof item, "%.*s", (int)length, at);
        if (at == text && strcmp(item, "none") == 0)
            *out = (struct noise){ .drift_blocks = 60, .throttle_blocks = noise_typical.throttle_blocks,
                                   .throttle_loss = noise_typical.throttle_loss };
        else if (at != text || strcmp(item, "typical") != 0)
            st = read_item(out, item, err);
        if (!at[length])
            break;
        at += length + 1;
    }
    if (st == ST_OK && out->spike_max < out->spike_min)
        return err_set(err, ST_USAGE, "--noise: spike_max %g is below spike_min %g", out->spike_max,
                       out->spike_min);
    return st;
}

struct meter meter_start(const struct noise *noise, uint64_t seed,
                         double (*rate)(const void *curve, int batch),
                         const void *curve)
{
    struct meter m = { .noise = *noise, .rng = rng_seeded(seed), .rate = rate, .curve = curve };
    m.wander = rng_normal(&m.rng);
    meter_next_execution(&m);
    return m;
}

void meter_next_execution(struct meter *m)
{
    m->shift = m->noise.execution * rng_normal(&m->rng);
}

/* Stretches of throttling come and go so that they take the share `throttle` of the time. */
static bool throttles(struct meter *m)
{
    const struct noise *z = &m->noise;
    double ends = 1 / fmax(1, z->throttle_blocks);
    if (z->throttle <= 0 || z->throttle >= 1)
        return z->throttle >= 1;
    double begins = fmin(1, ends * z->throttle / (1 - z->throttle));
    return rng_uniform(&m->rng) < (m->throttled ? 1 - ends : begins);
}

double meter_block(struct meter *m, int batch)
{
    const struct noise *z = &m->noise;
    double rate = m->rate(m->curve, batch), y = log(rate), lag = z->wander_lag;
    if (!isfinite(y))
        return NAN;
    m->tick++;
    m->work += rate;
    m->wander = lag * m->wander + sqrt(1 - lag * lag) * rng_normal(&m->rng);
    if (z->drift_blocks > 0)
        y -= z->drift * (1 - exp(-(double)m->tick / z->drift_blocks));
    y += z->wander * m->wander + z->block * rng_normal(&m->rng) + m->shift;
    if (rng_uniform(&m->rng) < z->spikes)
        y -= z->spike_min + (z->spike_max - z->spike_min) * rng_uniform(&m->rng);
    m->throttled = throttles(m);
    return m->throttled ? y + log1p(-z->throttle_loss) : y;
}
