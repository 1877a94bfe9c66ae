/* history.h - what has been measured of one target, in memory: the facts of every stored block that
 * decisions are made from. A block enters here only after it is durable in the store. history_free takes
 * back what the others give. */
#ifndef MEASURE_HISTORY_H
#define MEASURE_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/measure/open_loop_fact.h"
#include "bench/store/record.h"
#include "bench/store/store.h"
#include "kernels/base/err.h"
#include "tuner/why.h"

struct block_fact {
    int64_t  id, execution;
    int      round, place, batch, retry, iterations;
    enum block_kind kind;
    bool     valid;
    bool     throttled;              /* invalid by `thermal` or `clock` */
    double   y, wall_images_per_s, t_iter_ns;
    uint64_t measured_ns;            /* of the worker's clock */
    uint64_t spent_ns;               /* of bench's clock */
    double   energy_j;               /* of the block; NaN: not known */
    struct {                         /* of its GPU; NaN: not known. All 0 of a block from the store */
        double sm_mhz, sm_mhz_min, sm_mhz_max, celsius_per_s;
    } gpu;
    uint64_t *iteration_ns;          /* [iterations], owned by the history; NULL for warm-up blocks */
};
/* A size that was prepared outside of the ascent: in which kind of execution. */
struct trial {
    char    label[16];               /* of the execution: "ceiling", "fill" */
    struct prepared_row row;
};
/* A size that died during rounds, or was taken out of them. */
struct loss {
    int      batch, deaths;
    enum why why;                    /* WHY_NONE: it died once and goes on */
    int      round;                  /* in which that happened; 0: before the rounds */
    char     detail[RECORD_TEXT];
};
struct history {
    struct block_fact *blocks;       /* in the order of measuring */
    size_t count, room;
    struct prepared_row *prepared;   /* results of probes, in order */
    size_t prepared_count, prepared_room;
    struct trial *trials;            /* in order; a size is never looked for here by history_prepared */
    size_t trial_count, trial_room;
    struct loss *losses;
    size_t loss_count, loss_room;
    struct open_loops open_loops;    /* their calls are no blocks of the history */
};

/* ST_OUT_OF_MEMORY, or ST_OK. fact->iteration_ns is taken over, whatever the status: malloc'ed or NULL. */
enum status history_add_block(struct history *h, const struct block_fact *fact, struct err *err);
enum status history_add_prepared(struct history *h, const struct prepared_row *row, struct err *err);
enum status history_add_trial(struct history *h, const char *label, const struct prepared_row *row,
                              struct err *err);
/* One death of a size (why NONE), or its end. */
enum status history_add_loss(struct history *h, int batch, enum why why, int round, const char *detail,
                             struct err *err);
/* NULL: never died. */
const struct loss *history_loss(const struct history *h, int batch);
bool history_is_lost(const struct history *h, int batch);
/* The newest result of probing a size; NULL: none. */
const struct prepared_row *history_prepared(const struct history *h, int batch);
/* How many probes of a size ended with this result. */
int history_count_results(const struct history *h, int batch, const char *result);
/* Median iteration of the newest block of a size; 0: none. */
uint64_t history_t_iter(const struct history *h, int batch);
/* The largest round number so far; rounds count on over all stages from 1. 0: none yet. */
int history_last_round(const struct history *h);
/* A copy of n iteration times for a fact; NULL: not enough memory. */
uint64_t *history_copy_times(const uint64_t *iteration_ns, size_t n);
void history_free(struct history *h);

/* Everything of a stored target. mode: its mode. Statuses of the store. On failure *out is empty. */
enum status history_load(struct history *out, struct store *store, int64_t target, const char *mode,
                         struct err *err);

/* Reason of a mark on a point that says: this size died in a round. The value of it, and of a mark that ends
 * a size, is the round. */
#define HISTORY_DIED "died"

#endif
