#include "kernels/worker/scripted_pace.h"

#include <math.h>

#define NS_PER_S 1e9
#define LONGEST_NS 1e15 /* eleven days: whatever a script adds up to, times stay far from overflow */

double pace_curve_ns(const struct script_curve *curve, int batch)
{
    const struct script_point *p = curve->points;
    if (!curve->count)
        return (double)curve->fixed_ns + batch * (double)curve->per_image_ns;
    size_t above = 0;
    while (above < curve->count && p[above].batch < batch)
        above++;
    double rate;
    if (above == curve->count)
        rate = p[above - 1].images_per_s;
    else if (above == 0 || p[above].batch == batch)
        rate = p[above].images_per_s;
    else
        rate = p[above - 1].images_per_s + (p[above].images_per_s - p[above - 1].images_per_s) *
                                               (batch - p[above - 1].batch) /
                                               (p[above].batch - p[above - 1].batch);
    return batch / rate * NS_PER_S;
}

void pace_open(struct pace *p, const struct script *script, double speed, uint64_t start_ns)
{
    uint64_t seed = (uint64_t)script->seed ^ (start_ns ? splitmix64(start_ns) : 0);
    *p = (struct pace){ .script = script, .speed = speed, .start_ns = start_ns };
    p->rng[PER_ITERATION] = rng_seeded(seed);
    p->rng[PER_BLOCK] = rng_seeded(seed + SPLITMIX64_STEP);
    for (size_t i = 0; i < script->noise_count; i++) /* an AR(1) begins in its stationary state */
        p->ar1[i] = rng_normal(&p->rng[PER_BLOCK]);
}

static double noise_y(struct pace *p, int per)
{
    double y = 0;
    for (size_t i = 0; i < p->script->noise_count; i++) {
        const struct script_noise *n = &p->script->noise[i];
        if (n->per != per)
            continue;
        double fresh = rng_normal(&p->rng[per]);
        if (n->kind == NOISE_AR1)
            fresh = p->ar1[i] = n->rho * p->ar1[i] + sqrt(1 - n->rho * n->rho) * fresh;
        y += n->sigma * fresh;
    }
    return y;
}

static double spikes_y(struct pace *p, int per)
{
    double y = 0;
    for (size_t i = 0; i < p->script->spike_count; i++) {
        const struct script_spike *s = &p->script->spikes[i];
        if (s->per == per && rng_uniform(&p->rng[per]) < s->probability)
            y -= s->size + s->spread * rng_uniform(&p->rng[per]);
    }
    return y;
}

static double drift_y(const struct script *script, int per, double t)
{
    double y = 0;
    for (size_t i = 0; i < script->drift_count; i++) {
        const struct script_drift *d = &script->drift[i];
        if (d->per == per)
            y += d->size * (d->kind == DRIFT_SETTLE ? 1 - exp(-t / d->over) : t / d->over);
    }
    return y;
}

const struct script_throttle *pace_throttle(const struct pace *p)
{
    for (size_t i = 0; i < p->script->throttle_count; i++) {
        const struct script_throttle *t = &p->script->throttle[i];
        if (p->runs >= t->from && (!t->to || p->runs <= t->to) && (p->runs - t->from) % t->every == 0 &&
            (!t->batch || t->batch == p->batch) && p->start_ns >= t->after_ns)
            return t;
    }
    return NULL;
}

void pace_block(struct pace *p, int batch, bool run)
{
    p->batch = batch;
    p->runs += run;
    const struct script_throttle *throttle = run ? pace_throttle(p) : NULL;
    p->block_y = drift_y(p->script, PER_BLOCK, (double)p->blocks) + noise_y(p, PER_BLOCK) +
                 spikes_y(p, PER_BLOCK) + (throttle ? log(throttle->factor) : 0);
    p->blocks += run; /* the ticks that drift counts are blocks, not the single iteration of a `prepare` */
}

uint64_t pace_iteration_ns(struct pace *p, int batch, uint64_t now_ns)
{
    double t_s = (double)(now_ns - p->start_ns) / NS_PER_S;
    double y = p->block_y + drift_y(p->script, PER_ITERATION, (double)p->iterations) +
               drift_y(p->script, PER_SECOND, t_s) + noise_y(p, PER_ITERATION) + spikes_y(p, PER_ITERATION);
    p->iterations++;
    double ns = pace_curve_ns(&p->script->curve, batch) / p->speed * exp(-y);
    return (uint64_t)llround(fmin(fmax(ns, 1), LONGEST_NS));
}
