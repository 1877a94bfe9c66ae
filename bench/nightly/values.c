#include "bench/nightly/values.h"

#include <math.h>

#include "tuner/stats.h"

enum { BLOCKS_MAX = 64, EXECUTIONS_MAX = 16 };

/* Valid values of a size in one execution; counts those that throttling spoilt, and all spoilt ones. */
static size_t take(double *y, const struct history *h, int64_t execution, int batch, size_t *invalid,
                   size_t *throttled)
{
    size_t n = 0;
    for (size_t i = 0; i < h->count; i++) {
        const struct block_fact *f = &h->blocks[i];
        if (f->execution != execution || f->batch != batch || f->kind != BLOCK_NIGHT)
            continue;
        if (f->valid && n < BLOCKS_MAX)
            y[n++] = f->y;
        *invalid += !f->valid;
        *throttled += !f->valid && f->throttled;
    }
    return n;
}

/* Standard error of a median of n values, from their spread (normal: 1.2533 sd / sqrt(n)). */
static double error_of(const double *x, size_t n)
{
    double mean = 0, squares = 0;
    for (size_t i = 0; i < n; i++)
        mean += x[i] / (double)n;
    for (size_t i = 0; i < n; i++)
        squares += (x[i] - mean) * (x[i] - mean);
    return n < 3 ? NAN : 1.2533 * sqrt(squares / (double)(n - 1) / (double)n);
}

struct night_value night_value_of(const struct history *h, const int64_t *executions, size_t count, int batch)
{
    struct night_value out = { .v = NAN, .error = NAN };
    double y[BLOCKS_MAX], medians[EXECUTIONS_MAX];
    size_t n = 0, invalid = 0, throttled = 0;
    for (size_t e = 0; e < count && n < EXECUTIONS_MAX; e++) {
        size_t blocks = take(y, h, executions[e], batch, &invalid, &throttled);
        if (blocks < NIGHT_LEAST_BLOCKS)
            continue;
        medians[n++] = stats_median(y, blocks);
        out.blocks += (int)blocks;
    }
    out.executions = (int)n;
    if (n >= NIGHT_LEAST_EXECUTIONS) {
        out.v = stats_median(medians, n);
        out.error = error_of(medians, n);
    }
    out.throttled = isnan(out.v) && 2 * throttled > invalid;
    return out;
}

size_t night_rounds_of(double *y, const struct history *h, int64_t execution, const int *batches,
                       size_t points, size_t room)
{
    int first = 0;
    size_t rounds = 0;
    for (size_t i = 0; i < room * points; i++)
        y[i] = NAN;
    for (size_t i = 0; i < h->count; i++) {
        const struct block_fact *f = &h->blocks[i];
        if (f->execution != execution || f->kind != BLOCK_NIGHT)
            continue;
        first = first ? first : f->round;
        size_t row = f->round >= first ? (size_t)(f->round - first) : room;
        for (size_t k = 0; k < points && row < room && f->valid; k++)
            if (batches[k] == f->batch)
                y[row * points + k] = f->y;
        rounds = row < room && row + 1 > rounds ? row + 1 : rounds;
    }
    return rounds;
}
