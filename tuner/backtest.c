#include "tuner/backtest.h"

#include <math.h>
#include <stdlib.h>

#include "tuner/common_mode.h"
#include "tuner/stats.h"

const double backtest_losses[BACKTEST_LOSSES] = { .03, .05, .10, .15 };

enum { WATCHED = 5 };

struct work {                       /* one invented history and its verdicts */
    const struct backtest_ask *ask;
    size_t series, nights;
    double *v, *again;              /* [series][nights] */
    struct verdict_answer *verdicts; /* [series + 1][nights] */
    struct night_common *common;
};

static double normal(const struct backtest_ask *ask)
{
    double u = ask->uniform(ask->context), w = ask->uniform(ask->context);
    return sqrt(-2 * log(u)) * cos(2 * 3.14159265358979323846 * w);
}

static size_t below(const struct backtest_ask *ask, size_t n)
{
    size_t i = (size_t)(ask->uniform(ask->context) * (double)n);
    return i < n ? i : n - 1;
}

/* --- counting ------------------------------------------------------------------------------------------- */

static void count(struct backtest_alarms *out, const struct verdict_answer *verdicts, size_t rows,
                  size_t nights)
{
    for (size_t s = 0; s < rows; s++) {
        bool red = false;
        for (size_t n = 0; n < nights; n++) {
            const struct verdict_answer *v = &verdicts[s * nights + n];
            if (v->verdict == VERDICT_COUNT || v->verdict == VERDICT_LEARNING ||
                v->verdict == VERDICT_INCONCLUSIVE)
                continue;
            bool now = v->verdict == VERDICT_REGRESSED;
            out->series_nights++;
            out->alarms += now && !red;
            out->by_path[v->path] += now && !red;
            red = now;
        }
    }
}

/* The largest p with P(Bin(n, p) <= k) >= 5 %. */
static double upper_bound(size_t n, size_t k)
{
    double low = 0, high = 1;
    if (n == 0)
        return NAN;
    if (k == 0)
        return fmin(1, 3 / (double)n);
    for (int i = 0; i < 60; i++) {
        double p = (low + high) / 2;
        if (stats_binomial_cdf(n, p, (long)k) >= .05)
            low = p;
        else
            high = p;
    }
    return low;
}

static void finish(struct backtest_alarms *a)
{
    a->alpha = a->series_nights > 0 ? (double)a->alarms / (double)a->series_nights : NAN;
    a->upper = upper_bound(a->series_nights, a->alarms);
}

/* --- invented histories --------------------------------------------------------------------------------- */

/* Blocks of nights from random places, round the end; a confirmation differs by the error within its
 * night. */
static void shuffle(struct work *w)
{
    const struct night_ask *from = w->ask->nights;
    size_t source = 0;
    for (size_t n = 0; n < w->nights; n++) {
        source = n % BACKTEST_BLOCK == 0 ? below(w->ask, w->nights) : (source + 1) % w->nights;
        for (size_t s = 0; s < w->series; s++) {
            size_t to = s * w->nights + n, at = s * w->nights + source;
            w->v[to] = from->v[at];
            w->again[to] = from->v[at] + w->ask->error[at] * normal(w->ask);
        }
    }
}

static void lose(struct work *w, size_t s, size_t from, double loss)
{
    for (size_t n = from; n < w->nights; n++) {
        w->v[s * w->nights + n] += log1p(-loss);
        w->again[s * w->nights + n] += log1p(-loss);
    }
}

static bool judge(struct work *w)
{
    return night_judge(w->verdicts, w->common,
                       &(struct night_ask){ .series = w->series,
                                            .nights = w->nights,
                                            .v = w->v,
                                            .again = w->again,
                                            .delta = w->ask->nights->delta });
}

/* On which of the nights that were valid since `from` it is told first; WATCHED + 1: on none of them. */
static int told_after(const struct work *w, size_t s, size_t from)
{
    int night = 0;
    for (size_t n = from; n < w->nights && night < WATCHED; n++) {
        const struct verdict_answer *v = &w->verdicts[s * w->nights + n];
        if (v->verdict == VERDICT_COUNT)
            continue;
        night++;
        if (v->verdict == VERDICT_REGRESSED)
            return night;
    }
    return WATCHED + 1;
}

static bool try_losses(struct backtest_answer *out, struct work *w)
{
    for (size_t i = 0; i < BACKTEST_LOSSES; i++) {
        struct backtest_found *f = &out->found[i];
        size_t s = below(w->ask, w->series), from = w->nights - WATCHED - below(w->ask, w->nights / 4);
        shuffle(w);
        lose(w, s, from, backtest_losses[i]);
        if (!judge(w))
            return false;
        int night = told_after(w, s, from);
        f->lives++;
        f->by1 += night <= 1;
        f->by2 += night <= 2;
        f->by5 += night <= 5;
    }
    return true;
}

static bool try_history(struct backtest_answer *out, struct work *w)
{
    shuffle(w);
    if (!judge(w))
        return false;
    count(&out->shuffled, w->verdicts, w->series + 1, w->nights);
    out->histories++;
    return try_losses(out, w);
}

/* --- all of it ------------------------------------------------------------------------------------------ */

static void share(struct backtest_answer *out)
{
    for (size_t i = 0; i < BACKTEST_LOSSES; i++) {
        struct backtest_found *f = &out->found[i];
        f->loss = backtest_losses[i];
        double lives = f->lives > 0 ? (double)f->lives : NAN;
        f->by1 /= lives;
        f->by2 /= lives;
        f->by5 /= lives;
    }
}

static bool run(struct backtest_answer *out, struct work *w)
{
    if (!night_judge(w->verdicts, w->common, w->ask->nights))
        return false;
    count(&out->stored, w->verdicts, w->series + 1, w->nights);
    out->enough = w->nights >= BACKTEST_LEAST_NIGHTS && w->series > 0;
    for (size_t i = 0; out->enough && i < w->ask->shuffles; i++) {
        if (w->ask->go_on && !w->ask->go_on(w->ask->context, i, w->ask->shuffles))
            break;
        if (!try_history(out, w))
            return false;
    }
    finish(&out->stored);
    finish(&out->shuffled);
    share(out);
    return true;
}

bool backtest(struct backtest_answer *out, const struct backtest_ask *ask)
{
    size_t values = ask->nights->series * ask->nights->nights + 1;
    struct work w = { .ask = ask, .series = ask->nights->series, .nights = ask->nights->nights };
    *out = (struct backtest_answer){ .histories = 0 };
    w.v = calloc(values, sizeof *w.v);
    w.again = calloc(values, sizeof *w.again);
    w.verdicts = calloc(values + w.nights, sizeof *w.verdicts);
    w.common = calloc(w.nights + 1, sizeof *w.common);
    bool done = w.v && w.again && w.verdicts && w.common && run(out, &w);
    free(w.v);
    free(w.again);
    free(w.verdicts);
    free(w.common);
    return done;
}
