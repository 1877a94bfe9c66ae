#include "tuner/split.h"

#include <math.h>

#define BEST_MAX 100000

/* Mean and sample variance, one value after the other (Welford). */
struct moments {
    size_t n;
    double mean, sum;
};

static void add(struct moments *m, double x)
{
    const double off = x - m->mean;
    m->mean += off / (double)++m->n;
    m->sum += off * (x - m->mean);
}

static double variance_of(const struct moments *m)
{
    return m->n > 1 ? m->sum / (double)(m->n - 1) : (double)NAN;
}

static bool is_first_of_its_execution(const struct split_block *blocks, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (blocks[k].execution == blocks[i].execution)
            return false;
    return true;
}

bool split_measure(struct split_level levels[SPLIT_LEVELS], const struct split_block *blocks, size_t count)
{
    struct moments within = { 0, 0, 0 }, iterations = within, between = within, sizes = within, executions = within;
    for (size_t i = 0; i < count; i++) {
        add(&iterations, blocks[i].iterations);
        if (blocks[i].iterations > 1)
            add(&within, blocks[i].variance);
        if (!is_first_of_its_execution(blocks, i))
            continue;
        struct moments means = { 0, 0, 0 };
        for (size_t k = i; k < count; k++)
            if (blocks[k].execution == blocks[i].execution)
                add(&means, blocks[k].mean);
        add(&sizes, (double)means.n);
        add(&executions, means.mean);
        if (means.n > 1)
            add(&between, variance_of(&means));
    }
    levels[SPLIT_ITERATION].count = iterations.mean;
    levels[SPLIT_ITERATION].s2 = within.mean;
    levels[SPLIT_BLOCK].count = sizes.mean;
    levels[SPLIT_BLOCK].s2 = between.mean;
    levels[SPLIT_EXECUTION].count = (double)executions.n;
    levels[SPLIT_EXECUTION].s2 = variance_of(&executions);
    return executions.n > 1 && between.n > 1 && within.n > 0;
}

static int best_of(const struct split_level *level, const struct split_level *above)
{
    if (!(level->t2 > 0))
        return 1;
    if (!(above->t2 > 0))
        return SPLIT_ANY;
    const double best = ceil(sqrt(above->cost_s / level->cost_s * (level->t2 / above->t2)));
    return best < 1 || isnan(best) ? 1 : best > BEST_MAX ? BEST_MAX : (int)best;
}

void split_best(struct split_level levels[SPLIT_LEVELS])
{
    levels[0].t2 = levels[0].s2;
    for (int i = 1; i < SPLIT_LEVELS; i++)
        levels[i].t2 = levels[i].s2 - levels[i - 1].s2 / levels[i - 1].count;
    for (int i = 0; i + 1 < SPLIT_LEVELS; i++)
        levels[i].best = best_of(&levels[i], &levels[i + 1]);
    levels[SPLIT_EXECUTION].best = 0;
}
