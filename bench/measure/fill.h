/* fill.h - what a batch of n images costs for every n up to the largest safe size (measurement rule 6.2), and
 * what the first use of a size costs (6.3).
 *
 * First use is paid once per process. Of the chosen size, of the ceiling's sizes and of 1 where 1 is chosen
 * it comes from a process that had run nothing else; every other n of the table is new to a process that has
 * run other sizes before, so what all sizes share (libraries, threads) is paid already and not in its number.
 * The ascent's workers run many sizes and repeat some: their times are not taken. */
#ifndef MEASURE_FILL_H
#define MEASURE_FILL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/measure/history.h"
#include "kernels/base/err.h"

struct campaign_state;
struct target_state;

enum fill_advice { FILL_EXACT, FILL_PAD, FILL_SPLIT };
const char *fill_advice_name(enum fill_advice advice); /* "exact" "pad" "split" */

struct fill_size {
    int    images;
    enum why failed;                 /* WHY_NONE: it ran */
    double service_p50_ms;           /* median of its iterations, however few they are; NaN: no valid block */
    int    blocks, iterations;       /* valid ones behind it */
    double first_use_ms;             /* prepare + first run - median iteration; NaN unknown */
    enum fill_advice advice;
    int    as[2];                    /* sizes to execute in its place: {n, 0}, {n', 0} or {a, b} */
    bool faster; /* n < B, and gains 3 % on B: a hint to tune again with it as candidate */
};
struct fill_table {                  /* fill_table_free */
    struct fill_size *sizes; /* [count] for 1, 2, ... without gap, as far as it was measured: the budget may
                                end first */
    size_t count;
    int    first_failed;             /* smallest n that failed: the last one of the table; 0: none */
};
/* From blocks of kind fill and trials of fill executions; batch: the chosen size B. Advice is given with
 * every size that ran. Pure. ST_OUT_OF_MEMORY. */
enum status fill_table_make(struct fill_table *out, const struct history *h, int batch, struct err *err);
/* Gives the advice anew for a service that executes no size above `most` (max_safe): a part-filled batch may
 * be padded to a larger size, or split, where that takes no longer. */
void fill_advise(struct fill_table *f, int most);
void fill_table_free(struct fill_table *f);

struct break_even {
    int    against;                  /* 0: the size is 1, or something is not known */
    int64_t images, calls;           /* -1: never */
};
/* Images and calls after which the first use of `batch` is earned back beside `against`. Rates in images/s,
 * first use in ms. */
struct break_even break_even_of(int batch, double rate, double first_use_ms, int against,
                                double against_rate);

/* Measures what is missing: three blocks of every n <= B in shuffled rounds with B as control, then one block
 * of every larger n that the rule of max_safe asks for. An n that fails ends the table. t->cut if the budget
 * ends before every n <= B has its blocks; above B the table goes as far as the time does, and max_safe with
 * it. ST_INTERRUPTED, or a status of the store. */
enum status fill_run(struct campaign_state *c, struct target_state *t, struct err *err);

#endif
