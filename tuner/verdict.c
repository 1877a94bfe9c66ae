#include "tuner/verdict.h"

#include <math.h>

#include "tuner/stats.h"

#define SCALE_FLOOR .005
#define FLAG_S 5.0
#define CONFIRM_S 4.0
#define GROSS_LEAST .10
#define GROSS_S 10.0
#define GROSS_AGAIN .8
#define STEP_SHIFT .8
#define STEP_PAIRS (VERDICT_STEP_NEW * VERDICT_STEP_OLD)

static const struct { const char *name, *text; } verdicts[VERDICT_COUNT] = {
#define X(name, word, text) { word, text },
    VERDICT_LIST(X)
#undef X
};
static const char *const paths[VERDICT_PATH_COUNT] = {
#define X(name, word) word,
    VERDICT_PATH_LIST(X)
#undef X
};
const char *verdict_name(enum verdict v)
{
    return (unsigned)v < VERDICT_COUNT ? verdicts[v].name : "unknown";
}
const char *verdict_text(enum verdict v)
{
    return (unsigned)v < VERDICT_COUNT ? verdicts[v].text : "unknown";
}
const char *verdict_path_name(enum verdict_path path)
{
    return (unsigned)path < VERDICT_PATH_COUNT ? paths[path] : "unknown";
}

/* --- the base ------------------------------------------------------------------------------------------- */

/* The last nights that were not flagged, at most VERDICT_WINDOW. */
static size_t take_base(double *base, const struct verdict_ask *ask)
{
    size_t n = 0;
    for (size_t i = ask->count; i-- > 0 && n < VERDICT_WINDOW;)
        if (!ask->nights[i].flagged)
            base[n++] = ask->nights[i].y;
    return n;
}

static double scale_of(const double *base, size_t n)
{
    return fmax(1.4826 * stats_mad(base, n) * (1 + .9 / (double)n), SCALE_FLOOR);
}

double verdict_scale(const double *values, size_t n)
{
    return n < VERDICT_LEARN ? SCALE_FLOOR : scale_of(values, n);
}

/* After an accept S is inherited until the base is long enough: 1.6/W is the variance of a median of W. */
static double inherited(double s_before, size_t n)
{
    return fmax(s_before * sqrt(1 + 1.6 / (double)n), SCALE_FLOOR);
}

/* --- the step test -------------------------------------------------------------------------------------- */

/* Value number i of the segment with tonight at its end. */
static double value_at(const struct verdict_ask *ask, size_t i)
{
    return i < ask->count ? ask->nights[i].y : ask->y;
}

/* U: pairs in which a new night lies above an old one, ties half; shift: median of all differences. */
static void test_step(struct verdict_answer *out, const struct verdict_ask *ask)
{
    double difference[STEP_PAIRS], above = 0;
    size_t total = ask->count + 1, n = 0;
    out->U = out->shift = NAN;
    if (total < VERDICT_STEP_NEW + VERDICT_STEP_OLD)
        return;
    for (size_t i = 0; i < VERDICT_STEP_NEW; i++)
        for (size_t k = 0; k < VERDICT_STEP_OLD; k++) {
            double d = value_at(ask, total - VERDICT_STEP_NEW + i) -
                       value_at(ask, total - VERDICT_STEP_NEW - VERDICT_STEP_OLD + k);
            above += d > 0 ? 1 : d == 0 ? .5 : 0;
            difference[n++] = d;
        }
    out->U = above;
    out->shift = stats_median(difference, n);
}

/* -1: lower, 1: higher, 0: no step. */
static int step_of(const struct verdict_answer *a, double delta)
{
    if (a->U <= VERDICT_STEP_U && a->shift <= -STEP_SHIFT * delta)
        return -1;
    if (a->U >= STEP_PAIRS - VERDICT_STEP_U && a->shift >= STEP_SHIFT * delta)
        return 1;
    return 0; /* NaN too */
}

/* --- the verdict ---------------------------------------------------------------------------------------- */

static void look_again(struct verdict_answer *out, const struct verdict_ask *ask, double delta, int sign)
{
    out->ask_again = out->flagged && !ask->confirmed_known;
    if (!out->flagged || !ask->confirmed_known)
        return;
    out->dev_again = ask->again - out->M;
    out->confirmed = sign * out->dev_again >= fmax(delta, CONFIRM_S * out->S);
    double gross = fmax(GROSS_LEAST, GROSS_S * out->S);
    out->gross = out->confirmed && fabs(out->dev) >= gross && sign * out->dev_again >= GROSS_AGAIN * gross;
}

static int run_of(const struct verdict_answer *out, const struct verdict_ask *ask, int sign)
{
    if (!out->confirmed)
        return 0;
    int last = ask->count > 0 ? ask->nights[ask->count - 1].run : 0;
    return last * sign > 0 ? last + sign : sign;
}

static void conclude(struct verdict_answer *out, double delta, int sign)
{
    bool twice = out->run >= 2 || out->run <= -2;
    int step = step_of(out, delta), side = out->gross || twice ? sign : 0;
    if (side < 0 || step < 0)
        out->verdict = VERDICT_REGRESSED;
    else if (side > 0 || step > 0)
        out->verdict = VERDICT_IMPROVED;
    else
        out->verdict = out->confirmed && sign < 0 ? VERDICT_SUSPECT
                       : out->flagged             ? VERDICT_NOISE
                                                  : VERDICT_OK;
    bool told = out->verdict == VERDICT_REGRESSED || out->verdict == VERDICT_IMPROVED;
    int told_sign = out->verdict == VERDICT_REGRESSED ? -1 : 1;
    if (told)
        out->path = side != told_sign ? VERDICT_PATH_STEP
                    : out->gross      ? VERDICT_PATH_GROSS
                                      : VERDICT_PATH_TWO_NIGHT;
}

struct verdict_answer verdict_empty(enum verdict verdict)
{
    return (struct verdict_answer){
        .verdict = verdict, .M = NAN, .S = NAN, .dev = NAN, .dev_again = NAN, .U = NAN, .shift = NAN
    };
}

void verdict_of(struct verdict_answer *out, const struct verdict_ask *ask)
{
    double base[VERDICT_WINDOW], delta = ask->delta > 0 ? ask->delta : VERDICT_DELTA;
    *out = verdict_empty(VERDICT_LEARNING);
    out->W = take_base(base, ask);
    if (out->W > 0) {
        out->M = stats_median(base, out->W);
        out->S = out->W < VERDICT_LEARN && ask->accepted ? inherited(ask->s_before, out->W)
                                                         : scale_of(base, out->W);
        out->dev = ask->y - out->M;
    }
    bool learning = out->W == 0 || (out->W < VERDICT_LEARN && !ask->accepted);
    int sign = out->dev < 0 ? -1 : 1;
    if (!learning) {
        out->flagged = fabs(out->dev) >= fmax(delta, FLAG_S * out->S);
        look_again(out, ask, delta, sign);
        out->run = run_of(out, ask, sign);
        test_step(out, ask);
        conclude(out, delta, sign);
    }
    if (ask->dirty) {
        out->verdict = VERDICT_INCONCLUSIVE;
        out->path = VERDICT_PATH_NONE;
        out->ask_again = false;
    }
}
