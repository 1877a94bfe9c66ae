#include "bench/measure/probe.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench/measure/ascent.h"
#include "bench/measure/attempt.h"
#include "bench/measure/block.h"
#include "bench/measure/block_rule.h"
#include "bench/measure/execution.h"
#include "bench/measure/warm.h"
#include "tuner/warmup.h"

enum { PROBE_ITERATIONS = 2, COARSE_BLOCKS = 3 };
static const double ascent_part = 0.5; /* of a target's share of the time: the rest is for its rounds */

/* --- what is known -------------------------------------------------------------------------------------- */

/* Largest size below `batch` that runs; 0: none. */
static int largest_below(const struct history *h, int batch)
{
    int best = 0;
    for (size_t i = 0; i < h->prepared_count; i++)
        if (strcmp(h->prepared[i].result, ASCENT_FEASIBLE) == 0 && h->prepared[i].batch < batch &&
            h->prepared[i].batch > best)
            best = h->prepared[i].batch;
    return best;
}

/* Time of an iteration of a size that has not run, from the next smaller one; 0: nothing is known. */
static uint64_t expected_t_iter(const struct history *h, int batch)
{
    uint64_t known = history_t_iter(h, batch);
    int below = largest_below(h, batch);
    return known ? known : below ? history_t_iter(h, below) * (uint64_t)batch / (uint64_t)below : 0;
}

/* A worker's start and warm-up. */
static uint64_t expected_start_ns(const struct target_state *t)
{
    return t->open_ns + warmup_first_ns(t->gpu) + 2 * WARMUP_WINDOW_NS;
}

static uint64_t expected_probe_ns(const struct campaign_state *c, const struct history *h, int batch)
{
    uint64_t t_iter_ns = expected_t_iter(h, batch);
    int below = largest_below(h, batch);
    const struct prepared_row *row = below ? history_prepared(h, below) : NULL;
    uint64_t prepare_ns = row ? row->prepare_ns + row->first_run_ns * (uint64_t)batch / (uint64_t)below : 0;
    return t_iter_ns ? prepare_ns + PROBE_ITERATIONS * t_iter_ns +
                           COARSE_BLOCKS * block_expected_ns(block_min_ns(&c->quality, 0), t_iter_ns) : 0;
}

/* --- memory --------------------------------------------------------------------------------------------- */

/* Begins the model when the first worker has loaded, from everything that is stored already. */
static void begin_memory(struct target_state *t, uint64_t base_bytes)
{
    if (t->memory_known)
        return;
    t->memory_known = true;
    t->memory = memory_start(base_bytes);
    for (size_t i = 0; i < t->history.prepared_count; i++) {
        const struct prepared_row *row = &t->history.prepared[i];
        memory_add_plan(&t->memory, row->batch, row->planned_activations_bytes, row->planned_workspace_bytes);
        if (row->peak_bytes)
            memory_add_peak(&t->memory, row->batch, row->peak_bytes, row->predicted_bytes);
    }
}

/* --- one probe ------------------------------------------------------------------------------------------ */

static enum status prepare_size(struct prepared_row *row, struct execution *x, struct err *err)
{
    enum status st = attempt_prepare(row, x, err);
    if (st != ST_OK)
        return st;
    memory_add_plan(&x->target->memory, row->batch, row->planned_activations_bytes,
                    row->planned_workspace_bytes);
    if (!row->predicted_bytes) /* the first size: its own plan is the earliest knowledge */
        row->predicted_bytes = memory_predict(&x->target->memory, row->batch);
    return ST_OK;
}

static enum status read_peak(struct prepared_row *row, struct execution *x, struct err *err)
{
    enum status st = attempt_memory(row, x, err);
    if (st != ST_OK || !row->peak_bytes)
        return st;
    memory_add_peak(&x->target->memory, row->batch, row->peak_bytes, row->predicted_bytes);
    if (!memory_model_off(memory_ratio(row->peak_bytes, row->predicted_bytes)))
        return ST_OK;
    struct mark_row mark = { .subject = "point",
                             .subject_id = x->target->row.id,
                             .batch = row->batch,
                             .reason = "memory_model_off",
                             .value = memory_ratio(row->peak_bytes, row->predicted_bytes),
                             .limit = 1.1,
                             .rule_version = CAMPAIGN_RULE_VERSION };
    return store_append_mark(x->campaign->store, &mark, err);
}

/* The iterations that show whether the size runs. */
static enum status run_first(struct execution *x, int batch, uint64_t t_iter_ns, struct err *err)
{
    struct block_fact fact;
    struct block_ask ask = { .batch = batch, .kind = BLOCK_WARMUP, .min_iterations = PROBE_ITERATIONS,
                             .max_iterations = PROBE_ITERATIONS, .t_iter_ns = t_iter_ns };
    return block_measure(&fact, NULL, x, &ask, err);
}

/* Is what the coarse blocks say enough? */
static bool is_probed(const struct execution *x, int batch)
{
    const struct config *config = x->campaign->config;
    int blocks;
    double y = ascent_value(&blocks, &x->target->history, batch, config->objective);
    if (config->refine || blocks == 0)
        return blocks >= COARSE_BLOCKS;
    return search_probed_enough(&x->target->search, batch, y, blocks);
}

static enum status run_coarse(struct execution *x, int batch, struct err *err)
{
    struct history *h = &x->target->history;
    enum status st = ST_OK;
    int n;
    ascent_value(&n, h, batch, x->campaign->config->objective);
    for (; st == ST_OK && !is_probed(x, batch); n++) {
        struct block_fact fact;
        uint64_t t_iter_ns = history_t_iter(h, batch);
        struct block_ask ask = { .batch = batch, .kind = BLOCK_COARSE, .place = n, .t_iter_ns = t_iter_ns,
                                 .min_ns = block_min_ns(&x->campaign->quality, 0),
                                 .min_iterations = block_min_iterations(t_iter_ns) };
        st = block_measure(&fact, NULL, x, &ask, err);
    }
    return st;
}

/* prepare, 2 iterations, memory, up to three coarse blocks, release; row->result is set. */
static enum status try_size(struct prepared_row *row, struct execution *x, struct err *err)
{
    enum status st = prepare_size(row, x, err);
    if (st != ST_OK)
        return st;
    if (!x->warm_batch)
        st = warm_execution(x, row->batch, row->first_run_ns, err);
    if (st == ST_OK)
        st = run_first(x, row->batch, row->first_run_ns, err);
    if (st == ST_OK)
        st = read_peak(row, x, err);
    if (st != ST_OK)
        return st;
    if (!attempt_over_limit(row, x, "measured", row->peak_bytes)) {
        st = run_coarse(x, row->batch, err);
        attempt_succeed(row);
    }
    return st == ST_OK ? execution_release(x, row->batch, err) : st;
}

/* A size in an open worker. ST_OK: a result is stored; ST_ENVIRONMENT, ST_MODEL, ST_INVALID: the whole target
 * is to blame, and nothing is stored; else the program's own trouble. err is not NULL. */
static enum status probe_size(struct execution *x, int batch, struct err *err)
{
    struct target_state *t = x->target;
    struct prepared_row row = attempt_begin(x, batch);
    struct err failure = { 0 };
    row.predicted_bytes = memory_predict(&t->memory, batch);
    campaign_tell(x->campaign, t, "probe", NULL, batch, 0);
    if (!attempt_over_limit(&row, x, "predicted", row.predicted_bytes)) {
        enum status st = try_size(&row, x, &failure);
        bool of_size = status_is_of_worker(st, &failure) && (!status_ends_target(st) || st == ST_UNSUPPORTED);
        if (st != ST_OK && !of_size) {
            *err = failure;
            return st;
        }
        if (st != ST_OK)
            attempt_fail(&row, x, st, &failure);
    }
    enum status st = store_append_prepared(x->campaign->store, &row, err);
    return st == ST_OK ? history_add_prepared(&t->history, &row, err) : st;
}

/* --- the ascent ----------------------------------------------------------------------------------------- */

/* A worker for the next size; one that is not warm yet is warmed with the smallest size that runs, if one is
 * known. */
static enum status open_worker(struct execution *x, struct campaign_state *c, struct target_state *t,
                               struct err *err)
{
    struct execution_ask ask = { .label = "probe", .progress = "load", .max_batch = c->config->max_batch };
    enum status st = execution_open(x, c, t, &ask, err);
    if (st == ST_OK)
        begin_memory(t, x->base_bytes);
    return st;
}

static int smallest_feasible(const struct history *h)
{
    int best = 0;
    for (size_t i = 0; i < h->prepared_count; i++)
        if (strcmp(h->prepared[i].result, ASCENT_FEASIBLE) == 0 && (!best || h->prepared[i].batch < best))
            best = h->prepared[i].batch;
    return best;
}

static enum status warm_fresh(struct execution *x, struct err *err)
{
    struct worker_prepare_result prepared;
    int batch = smallest_feasible(&x->target->history);
    if (!batch || x->warm_batch)
        return ST_OK;
    enum status st = execution_prepare(x, batch, &prepared, err);
    if (st == ST_OK)
        st = warm_execution(x, batch, prepared.first_run_ns, err);
    return st == ST_OK ? execution_release(x, batch, err) : st;
}

/* Failures of hello, load and of warming a fresh worker: the second one in a row ends the target. */
static enum status handle_start_failure(struct execution *x, struct campaign_state *c, struct target_state *t,
                                        enum status st, int *failures, struct err *err)
{
    if (!status_is_of_worker(st, err))
        return st;
    bool ends = status_ends_target(st) && !x->skewed;
    if (!ends && ++*failures < ASCENT_TRIES)
        return ST_OK;
    if (!x->hello.engine[0] &&
        (st == ST_CRASHED || st == ST_HUNG)) { /* not a size: the engine does not start */
        st = ST_ENVIRONMENT;
        ends = true;
    }
    char text[ERR_TEXT_MAX];
    snprintf(text, sizeof text, "%s", err->text);
    enum why why = ends ? WHY_NONE : x->skewed ? WHY_INVALID : st == ST_OUT_OF_MEMORY ? WHY_OUT_OF_MEMORY
                   : st == ST_HUNG ? WHY_HUNG : WHY_CRASHED;
    return target_end(c, t, st, why, text, err);
}

static enum status probe_next(struct execution *x, struct campaign_state *c, struct target_state *t,
                              int batch, int *failures, struct err *err)
{
    enum status st = ST_OK;
    if (!execution_is_open(x))
        st = open_worker(x, c, t, err);
    if (st == ST_OK)
        st = warm_fresh(x, err);
    if (st != ST_OK) {
        enum status handled = handle_start_failure(x, c, t, st, failures, err);
        enum status closed = execution_close(x, err);
        return handled != ST_OK ? handled : closed;
    }
    st = probe_size(x, batch, err);
    if (status_ends_target(st)) { /* no fault of this size */
        enum status handled = handle_start_failure(x, c, t, st, failures, err);
        enum status closed = execution_close(x, err);
        return handled != ST_OK ? handled : closed;
    }
    *failures = 0;
    const struct prepared_row *row = st == ST_OK ? history_prepared(&t->history, batch) : NULL;
    if (row && strcmp(row->result, ASCENT_FEASIBLE) != 0) /* after a failure a fresh worker goes on */
        st = execution_close(x, err);
    return st;
}

/* A size that ran without a value: the machine cannot tell what the objective asks for. */
static enum status check_objective(struct campaign_state *c, struct target_state *t, int batch,
                                   struct err *err)
{
    int blocks;
    double y = ascent_value(&blocks, &t->history, batch, c->config->objective);
    if (blocks == 0 || !isnan(y))
        return ST_OK;
    char text[ERR_TEXT_MAX];
    snprintf(text, sizeof text,
             "objective %s: nothing here gives readings for %s: choose another --objective",
             objective_name(c->config->objective), t->plan->device);
    return target_end(c, t, ST_ENVIRONMENT, WHY_NONE, text, err);
}

/* Does the share of time cover the next size? */
static bool next_fits(const struct campaign_state *c, const struct target_state *t, const struct execution *x,
                      uint64_t start_ns, uint64_t share_ns)
{
    uint64_t spent_ns = campaign_elapsed_ns(c) - start_ns;
    uint64_t start_cost_ns = execution_is_open(x) ? 0 : expected_start_ns(t);
    return spent_ns + start_cost_ns + expected_probe_ns(c, &t->history, t->search.next) < share_ns;
}

static void search(const struct campaign_state *c, struct target_state *t)
{
    const struct decision_rules rules = target_rules(c, t);
    ascent_search(&t->search, &rules, &t->history, t->search_over);
}

enum status probe_target(struct campaign_state *c, struct target_state *t, struct err *err)
{
    struct execution x = { 0 };
    enum status st = ST_OK;
    int failures = 0;
    uint64_t start_ns = campaign_elapsed_ns(c), share_ns = campaign_share_ns(c, t, ascent_part);
    search(c, t);
    while (st == ST_OK && t->search.next && !t->ended) {
        int batch = t->search.next;
        if (!next_fits(c, t, &x, start_ns, share_ns))
            t->search_over = t->cut = true;
        else if (campaign_stopped(c))
            st = err_set(err, ST_INTERRUPTED, "interrupted: --resume goes on");
        else
            st = probe_next(&x, c, t, batch, &failures, err);
        if (st == ST_OK && !t->ended)
            st = check_objective(c, t, batch, err);
        search(c, t);
    }
    enum status closed = execution_close(&x, st == ST_OK ? err : NULL);
    t->searched = st == ST_OK && !t->search.next && !t->ended;
    return st != ST_OK ? st : closed;
}
