#include "tests/nightly/trials.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tuner/common_mode.h"
#include "tuner/stats.h"
#include "tuner/verdict.h"

double alarm_rate(const struct alarm_count *a)
{
    return a->nights > 0 ? (double)a->alarms / (double)a->nights : NAN;
}

double alarm_any(const struct alarm_count *a, size_t n)
{
    return 1 - pow(1 - alarm_rate(a), (double)n);
}

/* --- other tools' rules
 * ---------------------------------------------------------------------------------- */

enum { KEEP = 128 };                /* more than any of these rules looks back */

struct alarm_count alarms_of_rule(const struct night_rule *rule, const struct night_noise *noise,
                                  size_t nights, uint64_t seed)
{
    struct rng rng = rng_seeded(seed);
    struct night_source source = night_source_new(noise, TRIAL_SIGMA, &rng);
    struct alarm_count count = { 0, 0 };
    double x[2 * KEEP];
    size_t n = 0;
    while (count.nights < nights) {
        if (n == 2 * KEEP) {
            memmove(x, x + KEEP, KEEP * sizeof *x);
            n = KEEP;
        }
        x[n++] = 1 + night_next(&source);
        if (n <= rule->needs)
            continue;
        count.nights++;
        count.alarms += rule->alarm(x, n - 1);
    }
    return count;
}

static bool is_near(const size_t *told, size_t count, size_t at)
{
    for (size_t i = 0; i < count; i++)
        if (at + 2 >= told[i] && told[i] + 2 >= at)
            return true;
    return false;
}

struct alarm_count alarms_of_otava(double magnitude, const struct night_noise *noise, size_t nights,
                                   uint64_t seed)
{
    enum { LIFE = 200, FIRST = 30 };
    struct rng rng = rng_seeded(seed);
    struct alarm_count count = { 0, 0 };
    while (count.nights < nights) {
        struct night_source source = night_source_new(noise, TRIAL_SIGMA, &rng);
        double x[LIFE];
        size_t told[LIFE], told_count = 0;
        for (size_t n = 0; n < LIFE; n++)
            x[n] = 1 + night_next(&source);
        for (size_t n = FIRST; n <= LIFE && count.nights < nights; n++, count.nights++) {
            size_t points[OTAVA_POINTS_MAX], found = otava_points(points, x, n, magnitude);
            for (size_t i = 0; i < found; i++)
                if (!is_near(told, told_count, points[i]) && told_count < LIFE) {
                    count.alarms++;
                    told[told_count++] = points[i];
                }
        }
    }
    return count;
}

/* --- ours
 * ------------------------------------------------------------------------------------------------- */

enum { HISTORY = 256 };

struct life {                       /* of one series */
    struct verdict_night nights[HISTORY];
    size_t count;
    bool red, red_without_gross;
};

/* Tonight y; `again` is what a confirmation would give. Returns whether REGRESSED is told, and keeps the
 * night. */
static bool live(struct life *l, double y, double again)
{
    struct verdict_answer a;
    struct verdict_ask ask = {
        .nights = l->nights, .count = l->count, .y = y, .confirmed_known = true, .again = again
    };
    if (l->count == HISTORY) {
        memmove(l->nights, l->nights + HISTORY / 2, HISTORY / 2 * sizeof *l->nights);
        ask.count = l->count = HISTORY / 2;
    }
    verdict_of(&a, &ask);
    l->nights[l->count++] = (struct verdict_night){ .y = y, .flagged = a.flagged, .run = a.run };
    l->red = a.verdict == VERDICT_REGRESSED;
    l->red_without_gross = l->red && (a.run <= -2 || a.path == VERDICT_PATH_STEP);
    return l->red;
}

static const double half =
    .70710678118654752; /* the night's and the series' own part have half the variance each */

struct alarm_count alarms_of_ours(const struct night_noise *noise, size_t nights, uint64_t seed,
                                  struct alarm_count *without_gross)
{
    struct rng rng = rng_seeded(seed);
    struct night_source night = night_source_new(noise, TRIAL_SIGMA * half, &rng);
    struct life *l = calloc(1, sizeof *l);
    struct alarm_count count = { 0, 0 };
    *without_gross = count;
    while (l && count.nights < nights) {
        bool before = l->red, before_without = l->red_without_gross, learning = l->count < VERDICT_LEARN;
        double common = night_next(&night), own = TRIAL_SIGMA * half;
        live(l, common + own * rng_normal(&rng), common + own * rng_normal(&rng));
        count.alarms += l->red && !before;
        without_gross->alarms += l->red_without_gross && !before_without;
        count.nights += !learning;
    }
    without_gross->nights = count.nights;
    free(l);
    return count;
}

struct device {
    struct life series[TRIAL_SERIES], machine;
    double v[TRIAL_SERIES], again[TRIAL_SERIES];
};

/* One night of the device; loss[s] is taken from series s. Anchors are 0. Returns how many residual
 * series are red. */
static size_t live_device(struct device *d, double common, struct rng *rng, const double *loss)
{
    size_t red = 0;
    for (size_t s = 0; s < TRIAL_SERIES; s++) {
        d->v[s] = common - loss[s] + TRIAL_SIGMA * half * rng_normal(rng);
        d->again[s] = common - loss[s] + TRIAL_SIGMA * half * rng_normal(rng);
    }
    double c = common_of_panel(d->v, TRIAL_SERIES), c_again = common_of_panel(d->again, TRIAL_SERIES);
    for (size_t s = 0; s < TRIAL_SERIES; s++)
        red += live(&d->series[s], d->v[s] - c, d->again[s] - c_again);
    live(&d->machine, c, c_again);
    return red;
}

static const double nothing_lost[TRIAL_SERIES];

struct alarm_count alarms_of_device(const struct night_noise *noise, size_t nights, uint64_t seed,
                                    struct alarm_count *machine)
{
    struct rng rng = rng_seeded(seed);
    struct night_source night = night_source_new(noise, TRIAL_SIGMA * half, &rng);
    struct device *d = calloc(1, sizeof *d);
    struct alarm_count count = { 0, 0 };
    size_t red = 0;
    *machine = count;
    while (d && count.nights < nights) {
        bool before = d->machine.red, learning = d->machine.count < VERDICT_LEARN;
        size_t now = live_device(d, night_next(&night), &rng, nothing_lost);
        count.alarms += now > red;
        machine->alarms += d->machine.red && !before;
        red = now;
        count.nights += !learning;
    }
    machine->nights = count.nights;
    free(d);
    return count;
}

/* --- losses
 * ----------------------------------------------------------------------------------------------- */

enum { QUIET = 40, WATCHED = 5 };

static void note(struct found *f, int night, size_t lives)
{
    double share = 1 / (double)lives;
    f->by1 += night <= 1 ? share : 0;
    f->by2 += night <= 2 ? share : 0;
    f->by5 += night <= 5 ? share : 0;
}

static void loss_alone(struct found *f, double loss, size_t lives, struct rng *rng)
{
    struct life *l = malloc(sizeof *l);
    for (size_t k = 0; l && k < lives; k++) {
        memset(l, 0, sizeof *l);
        bool told = false;
        for (int n = 1 - QUIET; n <= WATCHED && !told; n++) {
            double common = TRIAL_SIGMA * half * rng_normal(rng) + (n > 0 ? log1p(-loss) : 0),
                   own = TRIAL_SIGMA * half;
            bool red = live(l, common + own * rng_normal(rng), common + own * rng_normal(rng));
            told = red && n > 0;
            if (told)
                note(f, n, lives);
        }
    }
    free(l);
}

struct found loss_found(double loss, bool residual, size_t lives, uint64_t seed)
{
    struct rng rng = rng_seeded(seed);
    struct found f = { 0, 0, 0 };
    if (!residual) {
        loss_alone(&f, loss, lives, &rng);
        return f;
    }
    struct device *d = malloc(sizeof *d);
    for (size_t k = 0; d && k < lives; k++) {
        memset(d, 0, sizeof *d);
        double lost[TRIAL_SERIES] = { 0 };
        bool told = false;
        for (int n = 1 - QUIET; n <= WATCHED && !told; n++) {
            lost[0] = n > 0 ? -log1p(-loss) : 0;
            live_device(d, TRIAL_SIGMA * half * rng_normal(&rng), &rng, lost);
            told = d->series[0].red && n > 0;
            if (told)
                note(&f, n, lives);
        }
    }
    free(d);
    return f;
}

struct found machine_loss_found(double loss, size_t lives, uint64_t seed, double *series_red)
{
    struct rng rng = rng_seeded(seed);
    struct found f = { 0, 0, 0 };
    struct device *d = malloc(sizeof *d);
    *series_red = 0;
    for (size_t k = 0; d && k < lives; k++) {
        memset(d, 0, sizeof *d);
        bool told = false, red = false;
        for (int n = 1 - QUIET; n <= WATCHED; n++) {
            double common = TRIAL_SIGMA * half * rng_normal(&rng) + (n > 0 ? log1p(-loss) : 0);
            red |= live_device(d, common, &rng, nothing_lost) > 0 && n > 0;
            if (d->machine.red && n > 0 && !told)
                note(&f, n, lives);
            told |= d->machine.red && n > 0;
        }
        *series_red += red ? 1 / (double)lives : 0;
    }
    free(d);
    return f;
}
