/* tune_segment.h - the inner side of tune.h: one segment's candidates built, checked and raced.
 * Pure but for the device's functions; the caller owns everything. */
#ifndef CUDA_TUNE_SEGMENT_H
#define CUDA_TUNE_SEGMENT_H

#include "kernels/cuda/tune/tune.h"

#define TUNE_VALUES_MAX ((size_t)1 << 18)   /* compared per candidate */

enum way_state { WAY_GOOD, WAY_WRONG, WAY_UNUSABLE };

/* A choice with its time. */
struct tune_timed {
    struct tune_choice choice;
    double median_ns;                   /* 0: not measured */
    int samples;
    bool there;
};

struct tune_work {
    int segment;                        /* of the request */
    enum tune_source source;
    struct tune_ways ways;
    enum way_state state[TUNE_WAYS_MAX];
    struct tune_timed guess, winner, runner_up;
    int rejected;
    char first_rejected[CACHE_NAME_MAX];
};

/* What all segments of one run share. */
struct tune_run_state {
    const struct tune_request *request;
    const struct tune_device *device;
    uint64_t start_ns, build_ns, measure_ns;
    double way_ns; /* what building one way took, at most so far on average of a segment; 0: not
                    * known yet. Up to 2 s where a library compiles it. */
    float *want, *got;                  /* [TUNE_VALUES_MAX] */
    size_t want_count;                  /* values of the guess in want */
};

bool tune_time_left(const struct tune_run_state *run);
/* Ways per part and level that can be built in the time that is left: 0 .. ways_most. */
int tune_affordable(const struct tune_run_state *run, const struct tune_work *w, unsigned levels);
struct tune_choice tune_no_choice(void);
bool tune_same_choice(const struct tune_choice *a, const struct tune_choice *b); /* ways and shapes */
/* Builds the ways at `levels`, `most` for each part and level, and sets the guess: the first F0 way of each
 * part. */
enum status tune_build(struct tune_run_state *run, struct tune_work *w, unsigned levels, int most,
                       struct err *err);
/* Checks and races what tune_build made, then the block shapes of the winner's own kernels. source stays
 * TUNE_HEURISTIC and the winner is the guess if time was up before there was a winner. Returns fatal statuses, and
 * that of a guess that cannot run when nothing else can. */
enum status tune_measure(struct tune_run_state *run, struct tune_work *w, struct err *err);

#endif
