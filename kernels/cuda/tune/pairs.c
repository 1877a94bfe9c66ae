#include "kernels/cuda/tune/pairs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CLOCK_LIMIT 0.02        /* clocks of a pair that are farther apart: the pair does not count */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const double *values, int count)
{
    double sorted[PAIRS];
    memcpy(sorted, values, (size_t)count * sizeof *values);
    qsort(sorted, (size_t)count, sizeof *sorted, by_value);
    return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2;
}

static bool clocks_agree(const double clock[2])
{
    if (clock[0] <= 0 || clock[1] <= 0)
        return true;
    return fabs(clock[0] - clock[1]) <= CLOCK_LIMIT * fmax(clock[0], clock[1]);
}

enum status pairs_compare(struct pairs *out, pairs_run *run, bool (*more)(void *context), void *context,
                          struct err *err)
{
    double ns[2][PAIRS], ratio[PAIRS];
    *out = (struct pairs){ .counted = 0 };
    for (int pair = 0; pair < PAIRS; pair++) {
        if (pair > 0 && pair % 2 == 0 && more && !more(context))
            break;
        double time[2] = { 0, 0 }, clock[2] = { 0, 0 };
        for (int k = 0; k < 2; k++) {
            int which = (pair + k) % 2 == 0;
            enum status st = run(context, which, &time[which], &clock[which], err);
            out->failed = which;
            if (st != ST_OK)
                return st;
        }
        if (!clocks_agree(clock) || !(time[0] > 0) || !(time[1] > 0))
            continue;
        ns[0][out->counted] = time[0];
        ns[1][out->counted] = time[1];
        ratio[out->counted++] = time[1] / time[0];
    }
    if (out->counted == 0)
        return ST_OK;
    out->median_ns[0] = median(ns[0], out->counted);
    out->median_ns[1] = median(ns[1], out->counted);
    out->ratio = median(ratio, out->counted);
    return ST_OK;
}
