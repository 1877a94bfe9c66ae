#include "bench/measure/p95.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure/residents.h"
#include "bench/measure/service_times.h"

/* Highest value so far of the size that would be served; *batch: that size, 0: none. */
static enum status find_size(int *batch, double *y, const struct campaign_state *c,
                             const struct target_state *t, struct err *err)
{
    struct decision *d;
    enum status st = target_decide(&d, c, t, err);
    if (st != ST_OK)
        return st;
    *batch = d->optimal;
    *y = -HUGE_VAL;
    for (size_t i = 0; i < d->search.count; i++)
        if (d->whys[i].batch == d->optimal && d->whys[i].y > *y)
            *y = d->whys[i].y;
    decision_free(d);
    return ST_OK;
}

/* The size to be served, if no other target of the model is faster; else 0. Of equal ones the first. */
static enum status size_of_fastest(int *batch, const struct campaign_state *c, const struct target_state *t,
                                   struct err *err)
{
    int other;
    double own_y, y;
    enum status st = find_size(batch, &own_y, c, t, err);
    for (size_t i = 0; i < c->target_count && st == ST_OK && *batch; i++) {
        const struct target_state *o = &c->targets[i];
        if (o == t || o->ended || !o->searched || strcmp(o->row.model, t->row.model) != 0)
            continue;
        st = find_size(&other, &y, c, o, err);
        if (st == ST_OK && other && (y > own_y || (y >= own_y && o < t)))
            *batch = 0;
    }
    return st;
}

static enum status missing_iterations(int *missing, const struct target_state *t, int batch, struct err *err)
{
    struct service_summary s;
    enum status st = service_times_of(&s, &t->history, batch, 0, err);
    if (st == ST_OK)
        *missing = s.grouped || s.iterations >= P95_ITERATIONS ? 0 : P95_ITERATIONS - s.iterations;
    return st;
}

/* Blocks until nothing is missing; as many as the missing iterations at most, so that invalid ones end it
 * too. */
static enum status run_blocks(struct residents *r, struct target_state *t, int batch, int missing,
                              struct err *err)
{
    enum status st = ST_OK;
    uint64_t measured_ns = 0;
    for (int tries = missing; st == ST_OK && missing > 0 && tries > 0 && measured_ns < P95_MOST_NS; tries--) {
        struct block_fact fact = { 0 };
        struct block_ask ask = { .batch = batch,
                                 .kind = BLOCK_SLO,
                                 .round = history_last_round(&t->history) + 1 };
        st = residents_block(&fact, r, &ask, err);
        measured_ns += fact.measured_ns;
        if (st == ST_OK)
            st = missing_iterations(&missing, t, batch, err);
    }
    return st;
}

enum status p95_run(struct campaign_state *c, struct target_state *t, struct err *err)
{
    int batch, missing = 0;
    enum status st = size_of_fastest(&batch, c, t, err);
    if (st == ST_OK && batch)
        st = missing_iterations(&missing, t, batch, err);
    if (st != ST_OK || !missing)
        return st;
    uint64_t measured_ns = (uint64_t)missing * residents_t_iter(&t->history, batch);
    if (measured_ns > P95_MOST_NS ||
        residents_open_ns(t, &batch, 1) + measured_ns > campaign_share_ns(c, t, 1))
        return ST_OK;
    struct residents *r = calloc(1, sizeof *r);
    if (!r)
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for a percentile");
    const struct residents_ask ask = { .label = "normal", .batches = &batch, .count = 1 };
    campaign_tell(c, t, "p95", NULL, batch, 0);
    st = residents_open(r, c, t, &ask, err);
    if (st == ST_OK)
        st = run_blocks(r, t, batch, missing, err);
    if (status_is_of_worker(st, err)) {
        campaign_tell(c, t, "warning", err->text, batch, 0);
        st = ST_OK;
    }
    enum status closed = residents_close(r, st == ST_OK ? err : NULL);
    free(r);
    return st != ST_OK ? st : closed;
}
