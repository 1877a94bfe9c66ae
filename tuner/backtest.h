/* backtest.h - how the nightly rule would have done on a device's own history (measurement rule 7.6): on
 * the nights as they came, on shuffled ones, and with losses put in. Pure: chance comes from the caller.
 */
#ifndef TUNER_BACKTEST_H
#define TUNER_BACKTEST_H

#include <stdbool.h>
#include <stddef.h>

#include "tuner/night.h"

#define BACKTEST_BLOCK 5            /* nights that stay together when a history is shuffled */
#define BACKTEST_LOSSES 4
#define BACKTEST_LEAST_NIGHTS 28    /* twice the learning: fewer say nothing */
extern const double backtest_losses[BACKTEST_LOSSES]; /* .03 .05 .10 .15 of the rate */

struct backtest_alarms {            /* new ones: not red on the valid night before */
    size_t by_path[VERDICT_PATH_COUNT];
    size_t alarms, series_nights;   /* judged ones, MACHINE's too */
    double alpha,
        upper; /* per series and night; upper: one-sided 95 % (0 of n: 3/n); NaN: nothing judged */
};
struct backtest_found {             /* shares of the losses put in, told by night 1, 2, 5 */
    double loss, by1, by2, by5;
    size_t lives;
};
struct backtest_ask {
    const struct night_ask *nights;
    const double *
        error; /* [series][nights] standard error of v within its night: what a confirmation differs by */
    size_t shuffles;                /* histories of the second part */
    double (*uniform)(void *context); /* in (0,1) */
    void *context;
    bool (*go_on)(void *context, size_t done,
                  size_t total); /* called between histories; false ends early; may be NULL */
};
struct backtest_answer {
    bool enough;                    /* nights for it; else only `stored` is filled */
    struct backtest_alarms stored, shuffled;
    size_t histories;               /* really shuffled */
    struct backtest_found found[BACKTEST_LOSSES];
};
/* false: no memory. */
bool backtest(struct backtest_answer *out, const struct backtest_ask *ask);

#endif
