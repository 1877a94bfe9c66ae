#include "kernels/cuda/tune/tune_race.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/rng.h"

/* After so many rounds, what is slower than so many times the best median is out. */
static const struct { int rounds; double limit; } drops[] = { { RACE_DECIDES, 1.3 }, { 5, 1.1 } };

bool race_fatal(enum status st)
{
    return st == ST_DEVICE_LOST || st == ST_OUT_OF_MEMORY || st == ST_INTERRUPTED;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median_of(const double *values, int count)
{
    double sorted[RACE_ROUNDS];
    if (count == 0)
        return 0;
    memcpy(sorted, values, (size_t)count * sizeof *values);
    qsort(sorted, (size_t)count, sizeof *sorted, by_value);
    return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2;
}

double race_median(const struct race_lane *lane)
{
    return median_of(lane->ns, lane->samples);
}

double race_spread(const struct race_lane *a, const struct race_lane *b)
{
    double apart[RACE_ROUNDS] = { 0 }, away[RACE_ROUNDS] = { 0 };
    int count = a->samples < b->samples ? a->samples : b->samples;
    for (int i = 0; i < count; i++)
        apart[i] = a->ns[i] - b->ns[i];
    double median = median_of(apart, count);
    for (int i = 0; i < count; i++)
        away[i] = fabs(apart[i] - median);
    return median_of(away, count);
}

/* The best median of those still in; -1. */
static int fastest(const struct race *race)
{
    int best = -1;
    for (int i = 0; i < race->count; i++)
        if (!race->lane[i].out && race->lane[i].samples > 0 &&
            (best < 0 || race_median(&race->lane[i]) < race_median(&race->lane[best])))
            best = i;
    return best;
}

static void drop_slow(struct race *race)
{
    double limit = 0;
    for (size_t i = 0; i < sizeof drops / sizeof *drops; i++)
        if (race->rounds >= drops[i].rounds)
            limit = drops[i].limit;
    int best = fastest(race);
    for (int i = 0; limit > 0 && best >= 0 && i < race->count; i++)
        if (race_median(&race->lane[i]) > limit * race_median(&race->lane[best]))
            race->lane[i].out = true;
}

static int lanes_left(const struct race *race)
{
    int left = 0;
    for (int i = 0; i < race->count; i++)
        left += !race->lane[i].out;
    return left;
}

static enum status one_round(struct race *race, const struct race_device *device, struct rng *rng,
                             struct err *err)
{
    int order[RACE_LANES_MAX], left = 0;
    for (int i = 0; i < race->count; i++)
        if (!race->lane[i].out)
            order[left++] = i;
    rng_shuffle(rng, order, (size_t)left);
    for (int i = 0; i < left && device->time_left(device->context); i++) {
        struct race_lane *lane = &race->lane[order[i]];
        double ns = 0;
        enum status st = device->sample(device->context, order[i], &ns, err);
        if (race_fatal(st))
            return st;
        if (st != ST_OK || !isfinite(ns) || ns <= 0)
            lane->out = lane->failed = true;
        else
            lane->ns[lane->samples++] = ns;
    }
    return ST_OK;
}

enum status race_run(struct race *race, const struct race_device *device, uint64_t seed, struct err *err)
{
    struct rng rng = rng_seeded(seed);
    for (int i = 0; i < race->count; i++) {
        race->lane[i].samples = 0;
        race->lane[i].out = race->lane[i].failed = false;
    }
    race->rounds = 0;
    while (race->rounds < RACE_ROUNDS && device->time_left(device->context)) {
        int left = lanes_left(race);
        if (left == 0 || (left == 1 && race->rounds >= RACE_DECIDES))
            break;
        enum status st = one_round(race, device, &rng, err);
        if (st != ST_OK)
            return st;
        race->rounds++;
        drop_slow(race);
    }
    return ST_OK;
}

/* Is a to be preferred to b where both are as fast? Earlier ones are asked as a. */
static bool simpler(const struct race_lane *a, const struct race_lane *b)
{
    if (a->workspace != b->workspace)
        return a->workspace < b->workspace;
    if (a->launches != b->launches)
        return a->launches < b->launches;
    return a->precompiled && !b->precompiled;
}

static bool ties(const struct race_lane *lane, const struct race_lane *best)
{
    double lead = race_median(lane) - race_median(best);
    return lead < fmax(RACE_TIE * race_median(best), race_spread(lane, best)) || lead <= 0;
}

int race_winner(const struct race *race)
{
    int best = fastest(race), winner = -1;
    if (best < 0 || race->lane[best].samples < RACE_DECIDES)
        return -1;
    for (int i = 0; i < race->count; i++) {
        const struct race_lane *lane = &race->lane[i];
        if (lane->out || lane->samples < RACE_DECIDES || !ties(lane, &race->lane[best]))
            continue;
        if (winner < 0 || simpler(lane, &race->lane[winner]))
            winner = i;
    }
    return winner;
}

int race_runner_up(const struct race *race, int winner)
{
    int best = -1;
    for (int i = 0; i < race->count; i++)
        if (i != winner && !race->lane[i].failed && race->lane[i].samples > 0 &&
            (best < 0 || race_median(&race->lane[i]) < race_median(&race->lane[best])))
            best = i;
    return best;
}
