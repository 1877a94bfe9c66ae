#include "tuner/common_mode.h"

#include <math.h>

#include "tuner/stats.h"

static int segment_at(const struct common_ask *ask, size_t s, size_t n)
{
    return ask->segment ? ask->segment[s * ask->nights + n] : 0;
}

/* Series with an anchor for the segment in which their last night so far lies. */
static size_t anchored_by(const struct common_answer *out, const struct common_ask *ask, size_t n)
{
    size_t count = 0;
    for (size_t s = 0; s < ask->series; s++)
        count += isnan(out->anchor[s * ask->nights + n]) ? 0 : 1;
    return count;
}

/* Median of v - anchor over the anchored series of night n. */
static double mode_of(const struct common_answer *out, const struct common_ask *ask, size_t n)
{
    size_t count = 0;
    for (size_t s = 0; s < ask->series; s++) {
        double d = ask->v[s * ask->nights + n] - out->anchor[s * ask->nights + n];
        if (!isnan(d))
            out->room[count++] = d;
    }
    return count >= COMMON_VALID ? stats_median(out->room, count) : NAN;
}

/* The anchor of series s as known on night n, over the valid nights of its segment up to there; NaN: too
 * few. */
static double anchor_of(const struct common_answer *out, const struct common_ask *ask, size_t s, size_t n,
                        bool common)
{
    double *first = out->room + ask->series;
    size_t count = 0;
    int segment = segment_at(ask, s, n);
    for (size_t i = 0; i <= n && count < COMMON_ANCHOR_NIGHTS; i++) {
        double v = ask->v[s * ask->nights + i];
        if (segment_at(ask, s, i) != segment || isnan(v))
            continue;
        double c = common ? mode_of(out, ask, i) : 0;
        if (!isnan(c))
            first[count++] = v - c;
    }
    return count == COMMON_ANCHOR_NIGHTS || (segment > 0 && count > 0) ? stats_median(first, count) : NAN;
}

/* Gives every night of the segment around n the anchor: its earlier nights take part from then on. */
static void spread(struct common_answer *out, const struct common_ask *ask, size_t s, size_t n, double anchor)
{
    for (size_t i = 0; i < ask->nights; i++)
        if (segment_at(ask, s, i) == segment_at(ask, s, n))
            out->anchor[s * ask->nights + i] = anchor;
}

/* Does the anchor of series s settle, or move, on night n? Counts the valid nights of its segment on the
 * way. */
static bool is_due(struct common_answer *out, const struct common_ask *ask, size_t s, size_t n)
{
    int segment = segment_at(ask, s, n);
    if (n == 0 || segment != segment_at(ask, s, n - 1))
        out->valid[s] = 0;
    if (isnan(ask->v[s * ask->nights + n]))
        return false;
    size_t valid = ++out->valid[s];
    return segment > 0 ? valid <= COMMON_ANCHOR_NIGHTS : valid == COMMON_ANCHOR_NIGHTS;
}

void common_mode(struct common_answer *out, const struct common_ask *ask)
{
    for (size_t i = 0; i < ask->series * ask->nights; i++)
        out->anchor[i] = NAN;
    for (size_t n = 0; n < ask->nights; n++) {
        bool common = anchored_by(out, ask, n) >= COMMON_SERIES;
        for (size_t s = 0; s < ask->series; s++)
            if (is_due(out, ask, s, n)) {
                double anchor = anchor_of(out, ask, s, n, common);
                if (!isnan(anchor))
                    spread(out, ask, s, n, anchor);
            }
    }
    for (size_t n = 0; n < ask->nights; n++)
        out->c[n] = anchored_by(out, ask, n) >= COMMON_SERIES ? mode_of(out, ask, n) : 0;
}

double common_of_panel(const double *differences, size_t count)
{
    return stats_median(differences, count);
}
