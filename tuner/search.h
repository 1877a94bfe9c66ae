/* search.h - which batch size to probe next, and which sizes are worth rounds (measurement rule 4.2, the
 * ascent). Pure: the whole search is gone through again from the results so far at every call, so that a
 * resumed campaign takes the same way. Everything is the caller's. */
#ifndef TUNER_SEARCH_H
#define TUNER_SEARCH_H

#include <stdbool.h>
#include <stddef.h>

#include "tuner/why.h"

#define SEARCH_SIZES_MAX 256 /* given sizes; the ascent itself tries fewer than 40 */
#define SEARCH_CANDIDATES_MAX 10

struct search_result {        /* what one probe gave */
    int    batch;
    enum why why;             /* WHY_NONE: it ran; WHY_OVER_SLO: every coarse iteration was over the latency
                                 limit; else why it did not run. y is looked at only if it ran */
    double y;                 /* ln images/s, largest of its coarse blocks */
    double t_iter_ns;         /* median iteration */
};
struct search_ask {
    int    max_batch;         /* of the ascent */
    double within;            /* X, fraction */
    const int *given;         /* [given_count] ascending sizes in place of the ascent; NULL: ascent */
    size_t given_count;
    const struct search_result *results; /* [result_count] in any order, one per size */
    size_t result_count;
    bool   out_of_budget;     /* nothing more can be probed: finish with what there is */
    int    incumbent;         /* size in use: a candidate wherever it runs, probed last; 0: none */
    bool   refine;            /* every size in between that runs is a candidate, whatever it gains */
};
struct search_size {          /* a size that was tried, or a given size or power of two that was not */
    int    batch;
    enum why why;             /* WHY_NONE for a candidate, else why it is none */
    bool   has_y;
    double y;                 /* NaN without */
    double m;                 /* y minus that of the size it was compared with; NaN: not compared */
    int    rival;             /* that size, 0: none */
};
struct search_answer {
    int    next;              /* size to probe now; 0: the search has ended and the rest holds */
    struct search_size sizes[SEARCH_SIZES_MAX]; /* ascending, each size once */
    size_t count;
    int    knee;              /* of the ascent: smallest power of two within X of the best of them; 0: none
                                 ran */
};

/* Powers of two up to max_batch, ended by two failures in a row, by two sizes in a row over the latency
 * limit, or by two sizes in a row that gain less than 2 %; then sizes in between, which become candidates
 * only if they beat every power of two by 3 %; powers of two below 75 % of the best are dropped, and the
 * slowest if there are more than SEARCH_CANDIDATES_MAX. Given sizes are all walked, and all that run are
 * candidates. */
void search_step(struct search_answer *out, const struct search_ask *ask);

/* Fewer coarse blocks, for a thrifty campaign: may the probe of `batch` end after `blocks` (1..3) of them,
 * the largest being y? sofar is the answer that asked for this size. A block that was disturbed looks slower
 * than it is, so blocks are repeated where being slow counts against a size: a power of two ends after one if
 * it gains 15 % on the best smaller one, after two if it gains 2 %; a size in between after one if it gains 3
 * %, else after two; the first size gets all three. */
bool search_probed_enough(const struct search_answer *sofar, int batch, double y, int blocks);

#endif
