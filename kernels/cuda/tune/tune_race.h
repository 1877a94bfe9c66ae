/* tune_race.h - candidates timed against each other: in every round each surviving one gives one sample, in
 * random order, so that a drift of the clocks meets all alike. Pure but for the callback; nothing is
 * allocated. */
#ifndef CUDA_TUNE_RACE_H
#define CUDA_TUNE_RACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/base/err.h"

#define RACE_LANES_MAX 64           /* 8 ways of two providers in every form */
#define RACE_ROUNDS 12              /* at most */
#define RACE_DECIDES 3              /* rounds before anybody is dropped or wins */
#define RACE_TIE 0.02               /* a lead below this part is none */

struct race_lane {
    size_t workspace;               /* the caller's: what decides a tie */
    int    launches;
    bool   precompiled;
    double ns[RACE_ROUNDS];         /* from here on written by race_run */
    int    samples;
    bool   out;                     /* failed, or dropped as too slow */
    bool   failed;
};
struct race {
    struct race_lane lane[RACE_LANES_MAX];
    int count;
    int rounds;
};

struct race_device {
    void *context;
    /* A status other than ST_OK takes the lane out, unless race_fatal says that it ends everything. */
    enum status (*sample)(void *context, int lane, double *ns, struct err *err);
    bool (*time_left)(void *context);       /* asked before every sample: one of a large batch may take long */
};

bool race_fatal(enum status st);            /* the device is lost, memory is out, interrupted */

/* Rounds until 12 are done, one lane is left after RACE_DECIDES, or time is up. After 3 rounds drops what is
 * over 1.3 x the best median, after 5 over 1.1 x. Returns a fatal status, else ST_OK. */
enum status race_run(struct race *race, const struct race_device *device, uint64_t seed, struct err *err);
/* The surviving lane with the best median, unless another one ties with it: a lead under 2 % or under the
 * spread seen. Of those the one with less workspace, fewer launches, precompiled, earlier. -1: nobody has
 * RACE_DECIDES samples. */
int race_winner(const struct race *race);
/* The best median among the others, dropped ones too; -1: there is none. */
int race_runner_up(const struct race *race, int winner);
double race_median(const struct race_lane *lane);   /* 0 without samples */
/* Median absolute deviation of the differences round by round: what drifts for both alike is not in it. */
double race_spread(const struct race_lane *a, const struct race_lane *b);

#endif
