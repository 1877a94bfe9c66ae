#include "tuner/night.h"

#include <math.h>
#include <stdlib.h>

#include "tuner/common_mode.h"
#include "tuner/stats.h"

#define CONTROL_LEAST .03
#define CONTROL_S 5.0

struct room {
    const struct night_ask *ask;
    double *c, *anchor, *work;
    size_t *valid;
    struct verdict_night *past; /* [nights] of the series being judged */
};

static size_t at(const struct night_ask *ask, size_t s, size_t n)
{
    return s * ask->nights + n;
}

/* --- the control ---------------------------------------------------------------------------------------- */

/* Is the control of each night as like itself as it was on the last 30 that were clean? */
static void judge_control(struct night_common *common, const struct night_ask *ask)
{
    double base[VERDICT_WINDOW];
    for (size_t n = 0; n < ask->nights; n++) {
        size_t count = 0;
        for (size_t i = n; ask->control && i-- > 0 && count < VERDICT_WINDOW;)
            if (!isnan(ask->control[i]) && !common[i].dirty)
                base[count++] = ask->control[i];
        common[n].S_z = verdict_scale(base, count);
        common[n].dirty =
            ask->control && fabs(ask->control[n]) >= fmax(CONTROL_LEAST, CONTROL_S * common[n].S_z);
    }
}

/* --- values --------------------------------------------------------------------------------------------- */

static double residual(const struct room *r, size_t s, size_t n)
{
    return s == r->ask->series ? r->c[n] : r->ask->v[at(r->ask, s, n)] - r->c[n];
}

/* Common mode of the confirmation of night n, without series s itself; 0 where the night had none. */
static double common_again(const struct room *r, size_t s, size_t n)
{
    const struct night_ask *ask = r->ask;
    size_t count = 0;
    for (size_t i = 0; i < ask->series; i++) {
        double d = ask->again[at(ask, i, n)] - r->anchor[at(ask, i, n)];
        if (i != s && !isnan(d) && (!ask->panel || ask->panel[at(ask, i, n)]))
            r->work[count++] = d;
    }
    return count > 0 ? common_of_panel(r->work, count) : NAN;
}

/* y': NaN if no confirmation was measured. */
static double value_again(const struct room *r, size_t s, size_t n, bool has_common)
{
    const struct night_ask *ask = r->ask;
    if (!ask->again)
        return NAN;
    if (s == ask->series)
        return common_again(r, s, n);
    return ask->again[at(ask, s, n)] - (has_common ? common_again(r, s, n) : 0);
}

static int segment_of(const struct night_ask *ask, size_t s, size_t n)
{
    if (s == ask->series)
        return ask->machine_segment ? ask->machine_segment[n] : 0;
    return ask->segment ? ask->segment[at(ask, s, n)] : 0;
}

/* --- one series ----------------------------------------------------------------------------------------- */

/* A device has a common mode from the night on which it has enough anchored series. */
static bool has_common(const struct room *r)
{
    size_t anchored = 0;
    for (size_t s = 0; s < r->ask->series; s++)
        anchored += isnan(r->anchor[at(r->ask, s, r->ask->nights - 1)]) ? 0 : 1;
    return anchored >= COMMON_SERIES;
}

static void judge_series(struct verdict_answer *verdicts, const struct night_common *common,
                         struct room *r, size_t s)
{
    const struct night_ask *ask = r->ask;
    size_t count = 0;
    double s_before = 0, s_last = 0;
    bool split = has_common(r);
    for (size_t n = 0; n < ask->nights; n++) {
        struct verdict_answer *v = &verdicts[at(ask, s, n)];
        double y = residual(r, s, n);
        int segment = segment_of(ask, s, n);
        if (n > 0 && segment != segment_of(ask, s, n - 1)) {
            count = 0;
            s_before = s_last;
        }
        *v = verdict_empty(VERDICT_COUNT);
        if (isnan(y))
            continue;
        double again = value_again(r, s, n, split);
        verdict_of(v,
                   &(struct verdict_ask){ .nights = r->past,
                                          .count = count,
                                          .y = y,
                                          .accepted = segment > 0,
                                          .s_before = s_before,
                                          .confirmed_known = !isnan(again),
                                          .again = again,
                                          .dirty = common[n].dirty,
                                          .delta = s < ask->series && ask->delta ? ask->delta[s] : 0 });
        if (!isnan(v->S))
            s_last = v->S;
        if (!common[n].dirty)
            r->past[count++] = (struct verdict_night){ .y = y, .flagged = v->flagged, .run = v->run };
    }
}

/* --- the device ----------------------------------------------------------------------------------------- */

static void judge_device(struct verdict_answer *verdicts, struct night_common *common, struct room *r)
{
    const struct night_ask *ask = r->ask;
    struct common_answer answer = { .c = r->c, .anchor = r->anchor, .room = r->work, .valid = r->valid };
    common_mode(&answer, &(struct common_ask){ .v = ask->v, .segment = ask->segment, .series = ask->series,
                                               .nights = ask->nights });
    judge_control(common, ask);
    for (size_t n = 0; n < ask->nights; n++)
        common[n].c = r->c[n];
    for (size_t s = 0; s < ask->series; s++)
        judge_series(verdicts, common, r, s);
    if (!has_common(r))
        for (size_t n = 0; n < ask->nights; n++)
            r->c[n] = NAN; /* no common mode: MACHINE has no value */
    judge_series(verdicts, common, r, ask->series);
}

bool night_judge(struct verdict_answer *verdicts, struct night_common *common, const struct night_ask *ask)
{
    size_t values = ask->series * ask->nights;
    struct room r = { .ask = ask };
    if (ask->nights == 0)
        return true;
    for (size_t n = 0; n < ask->nights; n++)
        common[n] = (struct night_common){ .c = NAN };
    r.c = calloc(ask->nights, sizeof *r.c);
    r.anchor = calloc(values + 1, sizeof *r.anchor);
    r.work = calloc(ask->series + COMMON_ANCHOR_NIGHTS, sizeof *r.work);
    r.valid = calloc(ask->series + 1, sizeof *r.valid);
    r.past = calloc(ask->nights, sizeof *r.past);
    bool enough = r.c && r.anchor && r.work && r.valid && r.past;
    if (enough)
        judge_device(verdicts, common, &r);
    free(r.c);
    free(r.anchor);
    free(r.work);
    free(r.valid);
    free(r.past);
    return enough;
}
