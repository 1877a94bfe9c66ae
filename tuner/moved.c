#include "tuner/moved.h"

#include <math.h>

#include "tuner/stats.h"

enum { ROUNDS_MAX = 64, LEAST_EXECUTIONS = 3 };

static const struct { const char *name, *text; } words[MOVED_COUNT] = {
#define X(name, word, text) { word, text },
    MOVED_LIST(X)
#undef X
};
const char *moved_name(enum moved m)
{
    return (unsigned)m < MOVED_COUNT ? words[m].name : "unknown";
}
const char *moved_text(enum moved m)
{
    return (unsigned)m < MOVED_COUNT ? words[m].text : "unknown";
}

struct difference {
    double m, c;                    /* NaN: not known */
};

/* Over the rounds of one execution; NaN if fewer than 3 have both blocks. */
static double of_execution(const struct moved_ask *ask, size_t e, size_t i, size_t j)
{
    double d[ROUNDS_MAX];
    size_t n = 0;
    for (size_t r = 0; r < ask->rounds[e] && n < ROUNDS_MAX; r++) {
        double x = ask->y[e][r * ask->points + i] - ask->y[e][r * ask->points + j];
        if (!isnan(x))
            d[n++] = x;
    }
    return stats_estimate(d, n).m;
}

static struct difference between(const struct moved_ask *ask, size_t i, size_t j)
{
    double d[MOVED_EXECUTIONS];
    size_t n = 0;
    for (size_t e = 0; e < MOVED_EXECUTIONS; e++) {
        double x = of_execution(ask, e, i, j);
        if (!isnan(x))
            d[n++] = x;
    }
    struct estimate est = stats_estimate(d, n);
    if (n < LEAST_EXECUTIONS)
        return (struct difference){ NAN, NAN };
    double rivals = ask->points > 1 ? (double)(ask->points - 1) : 1;
    return (struct difference){ est.m, stats_t_quantile(1 - .05 / rivals, est.df) * est.se };
}

/* Slower than some other point by more than X? */
static bool find_rejection(struct moved_answer *out, const struct moved_ask *ask)
{
    for (size_t j = 0; j < ask->points; j++) {
        if (j == ask->chosen)
            continue;
        struct difference d = between(ask, ask->chosen, j);
        if (!(d.m + d.c < log1p(-ask->within)) || (out->rejected && d.m >= out->m))
            continue;
        out->rejected = true;
        out->better = j;
        out->m = d.m;
        out->c = d.c;
    }
    return out->rejected;
}

/* Within X of every other point, surely? */
static bool is_accepted(const struct moved_ask *ask, size_t i)
{
    for (size_t j = 0; j < ask->points; j++) {
        if (j == i)
            continue;
        struct difference d = between(ask, i, j);
        if (!(d.m - d.c >= log1p(-ask->within)))
            return false;
    }
    return true;
}

static bool find_smaller(struct moved_answer *out, const struct moved_ask *ask)
{
    for (size_t i = 0; i < ask->chosen; i++)
        if (is_accepted(ask, i)) {
            struct difference d = between(ask, i, ask->chosen);
            out->better = i;
            out->m = d.m;
            out->c = d.c;
            return true;
        }
    return false;
}

static bool is_known(const struct moved_ask *ask)
{
    for (size_t j = 0; j < ask->points; j++)
        if (j != ask->chosen && isnan(between(ask, ask->chosen, j).m))
            return false;
    return true;
}

void moved_check(struct moved_answer *out, const struct moved_ask *ask)
{
    *out = (struct moved_answer){ .moved = MOVED_STAYS, .better = ask->chosen, .m = NAN, .c = NAN };
    if (!is_known(ask)) {
        out->moved = MOVED_UNKNOWN;
        return;
    }
    if (find_rejection(out, ask))
        out->way = -1;
    else if (find_smaller(out, ask))
        out->way = (int)out->better + 1;
    if (out->way)
        out->moved = out->way == ask->before ? MOVED_MOVED : MOVED_MAYBE;
}
