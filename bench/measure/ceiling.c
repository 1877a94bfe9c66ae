#include "bench/measure/ceiling.h"

#include <string.h>

#include "bench/measure/ascent.h"
#include "bench/measure/attempt.h"
#include "bench/measure/block.h"
#include "bench/measure/campaign_state.h"
#include "bench/measure/execution.h"
#include "bench/measure/residents.h"
#include "bench/measure/trial.h"

enum { FRESH_PROCESSES = 2, SIZES_TRIED = 4, TRIAL_ITERATIONS = 3, START_TRIES = 2 };

/* --- what was found ------------------------------------------------------------------------------------- */

static bool ran_in_ascent(const struct history *h, int batch)
{
    const struct prepared_row *row = history_prepared(h, batch);
    return row && strcmp(row->result, ASCENT_FEASIBLE) == 0;
}

/* Why a size cannot be executed, whichever stage found it out. */
static enum why failure_of(const struct history *h, const struct search_size *size)
{
    const struct loss *loss = history_loss(h, size->batch);
    if (why_is_failure(size->why))
        return size->why;
    if (loss && why_is_failure(loss->why))
        return loss->why;
    enum why why = trial_failure(h, TRIAL_CEILING, size->batch, 1);
    return why != WHY_NONE ? why : trial_failure(h, TRIAL_FILL, size->batch, TRIAL_FILL_DEATHS);
}

/* In how many fresh processes a size ran alone. Every ceiling execution holds one size. */
static int fresh_runs(const struct history *h, int batch)
{
    int n = 0;
    for (size_t i = 0; i < h->trial_count; i++)
        n += h->trials[i].row.batch == batch && strcmp(h->trials[i].label, TRIAL_CEILING) == 0 &&
             strcmp(h->trials[i].row.result, ASCENT_FEASIBLE) == 0;
    return n;
}

/* A size of the fill table that failed is none of the search's. */
static void add_failed_fill(struct ceiling *out, const struct history *h)
{
    for (size_t i = 0; i < h->trial_count; i++) {
        int n = h->trials[i].row.batch;
        enum why why = trial_failure(h, TRIAL_FILL, n, TRIAL_FILL_DEATHS);
        if (why != WHY_NONE && (!out->first_failed || n < out->first_failed)) {
            out->first_failed = n;
            out->first_failed_why = why;
        }
    }
}

void ceiling_of(struct ceiling *out, const struct history *h, const struct search_answer *search)
{
    bool larger_failed = false;
    *out = (struct ceiling){ 0 };
    for (size_t i = search->count; i-- > 0;) {
        const struct search_size *size = &search->sizes[i];
        enum why why = failure_of(h, size);
        if (why != WHY_NONE) {
            out->first_failed = size->batch;
            out->first_failed_why = why;
            larger_failed = larger_failed || !out->batch;
        } else if (!out->batch && ran_in_ascent(h, size->batch)) {
            out->batch = size->batch;
        }
    }
    out->is_lower_bound = !larger_failed;
    out->twice = out->batch && fresh_runs(h, out->batch) >= FRESH_PROCESSES;
    add_failed_fill(out, h);
}

/* --- trying --------------------------------------------------------------------------------------------- */

static bool was_tried(const struct history *h, int batch)
{
    for (size_t i = 0; i < h->trial_count; i++)
        if (h->trials[i].row.batch == batch && strcmp(h->trials[i].label, TRIAL_CEILING) == 0)
            return true;
    return false;
}

/* The size whose next fresh process is due; 0: the ceiling is known, or four sizes were tried in vain. */
static int next_size(const struct target_state *t)
{
    struct ceiling c;
    int tried = 0;
    ceiling_of(&c, &t->history, &t->search);
    for (size_t i = 0; i < t->search.count; i++)
        tried += was_tried(&t->history, t->search.sizes[i].batch);
    bool more = was_tried(&t->history, c.batch) || tried < SIZES_TRIED;
    return c.twice || !more ? 0 : c.batch;
}

/* prepare and three iterations, alone in this process; row->result is set unless the worker failed. */
static enum status run_alone(struct prepared_row *row, struct execution *x, struct err *err)
{
    struct block_fact fact;
    struct block_ask ask = { .batch = row->batch, .kind = BLOCK_WARMUP, .min_iterations = TRIAL_ITERATIONS,
                             .max_iterations = TRIAL_ITERATIONS,
                             .t_iter_ns = residents_t_iter(&x->target->history, row->batch) };
    enum status st = attempt_prepare(row, x, err);
    if (st == ST_OK)
        st = block_measure(&fact, NULL, x, &ask, err);
    if (st == ST_OK)
        st = attempt_memory(row, x, err);
    if (st == ST_OK && !attempt_over_limit(row, x, "measured", row->peak_bytes))
        attempt_succeed(row);
    return st;
}

/* One size in a fresh process. *started: the process has loaded the model, so what fails is the size. */
static enum status try_size(bool *started, struct campaign_state *c, struct target_state *t, int batch,
                            struct err *err)
{
    struct execution x;
    const struct execution_ask ask = { .label = TRIAL_CEILING, .progress = "load", .max_batch = batch };
    enum status st = execution_open(&x, c, t, &ask, err);
    *started = st == ST_OK;
    if (st != ST_OK)
        return st;
    const struct prepared_row *probe = history_prepared(&t->history, batch);
    struct prepared_row row = attempt_begin(&x, batch);
    row.predicted_bytes = probe ? probe->predicted_bytes : 0;
    campaign_tell(c, t, "ceiling", NULL, batch, 0);
    st = run_alone(&row, &x, err);
    if (status_is_of_worker(st, err)) {
        attempt_fail(&row, &x, st, err);
        st = ST_OK;
    }
    if (st == ST_OK)
        st = attempt_store_trial(&x, &row, err);
    enum status closed = execution_close(&x, st == ST_OK ? err : NULL);
    return st != ST_OK ? st : closed;
}

static uint64_t expected_ns(const struct target_state *t, int batch)
{
    const struct prepared_row *probe = history_prepared(&t->history, batch);
    return t->open_ns + (probe ? probe->prepare_ns + probe->first_run_ns : 0) +
           TRIAL_ITERATIONS * residents_t_iter(&t->history, batch);
}

enum status ceiling_run(struct campaign_state *c, struct target_state *t, struct err *err)
{
    uint64_t start_ns = campaign_elapsed_ns(c), share_ns = campaign_share_ns(c, t, 1);
    enum status st = ST_OK;
    bool started = true;
    int failures = 0, batch;
    while (st == ST_OK && (batch = next_size(t)) != 0) {
        if (campaign_stopped(c))
            return err_set(err, ST_INTERRUPTED, "interrupted: --resume goes on");
        if (campaign_elapsed_ns(c) - start_ns + expected_ns(t, batch) > share_ns) {
            t->cut = true;
            return ST_OK;
        }
        st = try_size(&started, c, t, batch, err);
        if (started || !status_is_of_worker(st, err))
            continue;
        campaign_tell(c, t, "warning", err->text, batch, 0);
        if (++failures == START_TRIES)
            return ST_OK; /* the ceiling stays what the ascent showed */
        st = ST_OK;
    }
    return st;
}
