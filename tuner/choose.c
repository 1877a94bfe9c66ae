#include "tuner/choose.h"

#include <math.h>
#include <stdbool.h>

static const struct choose_point *leader_of(const struct choose_point *points, size_t n)
{
    const struct choose_point *leader = NULL;
    for (size_t i = 0; i < n; i++)
        if (points[i].out == WHY_NONE && (!leader || points[i].y > leader->y))
            leader = &points[i];
    return leader;
}

static double half_width(const struct choose_point *p)
{
    return (p->high - p->low) / 2;
}

static bool reaches(const struct choose_point *p, double threshold, double within)
{
    bool narrow = half_width(p) <= within / 2; /* false for NaN */
    return (narrow ? p->high : p->y) >= threshold;
}

static enum why why_not(const struct choose_point *p, int chosen, double threshold, double within)
{
    if (p->batch > chosen && reaches(p, threshold, within))
        return WHY_WITHIN_ZONE_BUT_LARGER;
    /* outside by its estimate, but its interval is too wide to say so */
    return half_width(p) > within / 2 && p->high >= threshold ? WHY_UNSTABLE : WHY_SLOWER;
}

void choose_target(struct choose_answer *out, struct choose_why *whys, const struct choose_point *points,
                   size_t n, double within)
{
    const struct choose_point *leader = leader_of(points, n);
    double threshold = leader ? leader->y + log1p(-within) : NAN;
    *out = (struct choose_answer){ .leader = leader ? leader->batch : 0, .best = leader ? leader->y : NAN };
    for (size_t i = 0; i < n && !out->batch; i++)
        if (points[i].out == WHY_NONE && reaches(&points[i], threshold, within))
            out->batch = points[i].batch;
    for (size_t i = 0; i < n; i++) {
        const struct choose_point *p = &points[i];
        whys[i] = (struct choose_why){ .why = p->out, .m = NAN, .c = NAN };
        if (p->out != WHY_NONE)
            continue;
        whys[i].why = p->batch == out->batch ? WHY_CHOSEN : why_not(p, out->batch, threshold, within);
        if (p != leader) {
            whys[i].rival = leader->batch;
            whys[i].m = p->y - leader->y;
            whys[i].c = hypot(half_width(p), half_width(leader));
        }
    }
}
