#include "bench/measure/rounds.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure/block.h"
#include "bench/measure/block_rule.h"
#include "bench/measure/execution.h"
#include "bench/measure/lose.h"
#include "bench/measure/schedule.h"
#include "bench/measure/warm.h"
#include "tuner/warmup.h"

enum { START_TRIES = 2, SWAP_ITERATIONS = 10 };

/* --- points --------------------------------------------------------------------------------------------- */

enum status points_make(struct points **out, const struct target_state *t, bool take_invalid, struct err *err)
{
    struct points *p = calloc(1, sizeof *p);
    enum status st = p ? ST_OK
                       : err_set(err, ST_OUT_OF_MEMORY, "not enough memory for the points of a target");
    for (size_t i = 0; i < t->search.count && st == ST_OK; i++)
        if (t->search.sizes[i].why == WHY_NONE) {
            st = point_make(&p->items[p->count], &t->history, t->search.sizes[i].batch, t->gpu, take_invalid,
                            err);
            p->count += st == ST_OK;
        }
    if (st != ST_OK) {
        points_free(p);
        p = NULL;
    }
    *out = p;
    return st;
}

void points_free(struct points *p)
{
    for (size_t i = 0; p && i < p->count; i++)
        point_free(&p->items[i]);
    free(p);
}

/* --- one target's rounds -------------------------------------------------------------------------------- */

struct rounds {
    struct campaign_state *c;
    struct target_state *t;
    struct execution x;
    bool   swapped;                  /* the sizes do not fit together: one is prepared at a time */
    int    warm[SEARCH_SIZES_MAX];   /* sizes that ran in this execution */
    size_t warm_count;
    int    last_batch;               /* size of the block before; 0: none in this execution */
    int    start_failures, failed_batch; /* failed_batch: size on which the last start failed; 0: none */
    uint64_t start_ns, share_ns;
    int    batches[SEARCH_SIZES_MAX]; /* of the current round, ascending, then in its order */
    size_t batch_count;
    int    round, doublings;
};

/* A size that was lost in this round belongs to its plan: the order must not change because of it. */
static bool was_in(const struct rounds *r, const struct point *q, int round)
{
    const struct loss *loss = history_loss(&r->t->history, q->batch);
    return q->out == WHY_NONE || (loss && loss->why == q->out && loss->round == round);
}

/* Points of the next round from the blocks of the complete ones: those that go on. A capped point leaves; one
 * that is precise stays as company as long as another is not, so that all see the same minutes. */
static enum status plan_round(struct rounds *r, int round, struct err *err)
{
    struct points *p;
    bool needed = false;
    enum status st = points_make(&p, r->t, false, err);
    r->batch_count = 0;
    r->doublings = 0;
    if (st != ST_OK)
        return st;
    for (size_t i = 0; i < p->count; i++) {
        const struct point *q = &p->items[i];
        int doublings = stop_doublings(q->y, q->n);
        bool in = was_in(r, q, round);
        r->doublings = doublings > r->doublings ? doublings : r->doublings;
        needed = needed || (in && q->stop == STOP_GO_ON);
        if (in && q->stop != STOP_CAP)
            r->batches[r->batch_count++] = q->batch;
    }
    points_free(p);
    if (!needed)
        r->batch_count = 0;
    return ST_OK;
}

static int last_round(const struct history *h)
{
    int last = 0;
    for (size_t i = 0; i < h->count; i++)
        if (h->blocks[i].kind == BLOCK_RACE && h->blocks[i].round > last)
            last = h->blocks[i].round;
    return last;
}

/* What the points knew when a round began: blocks of it are set aside for as long as its plan is made. */
static enum status plan_known_round(struct rounds *r, int round, struct err *err)
{
    struct history *h = &r->t->history;
    size_t all = h->count, before = 0;
    while (before < all && !(h->blocks[before].kind == BLOCK_RACE && h->blocks[before].round >= round))
        before++;
    h->count = before;
    enum status st = plan_round(r, round, err);
    h->count = all;
    r->round = round;
    return st;
}

static bool round_is_complete(const struct rounds *r)
{
    int retry;
    for (size_t i = 0; i < r->batch_count; i++)
        if (!history_is_lost(&r->t->history, r->batches[i]) &&
            point_place(&retry, &r->t->history, r->batches[i], r->round) == PLACE_MISSING)
            return false;
    return true;
}

/* The round to go on with: the last one that has blocks if some are missing, else a new one. */
static enum status next_round(struct rounds *r, struct err *err)
{
    int last = last_round(&r->t->history);
    if (last > 0) {
        enum status st = plan_known_round(r, last, err);
        if (st != ST_OK || !round_is_complete(r))
            return st;
    }
    return plan_known_round(r, last + 1, err);
}

/* --- the worker ----------------------------------------------------------------------------------------- */

static bool is_warm(const struct rounds *r, int batch)
{
    for (size_t i = 0; i < r->warm_count; i++)
        if (r->warm[i] == batch)
            return true;
    return false;
}

static void note_warm(struct rounds *r, int batch)
{
    if (!is_warm(r, batch))
        r->warm[r->warm_count++] = batch;
    r->last_batch = batch;
}

/* Sizes that the round has and that are not lost, ascending. */
static size_t living(int *out, const struct rounds *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->batch_count; i++)
        if (!history_is_lost(&r->t->history, r->batches[i]))
            out[n++] = r->batches[i];
    return n;
}

/* Memory of all sizes prepared at once: what each took above the model itself. */
static bool fit_together(const struct rounds *r, const int *batches, size_t n)
{
    uint64_t limit = r->c->memory_limit_bytes, base = r->x.base_bytes, sum = base;
    for (size_t i = 0; i < n; i++) {
        const struct prepared_row *row = history_prepared(&r->t->history, batches[i]);
        if (row && row->peak_bytes > base)
            sum += row->peak_bytes - base;
    }
    return !limit || sum <= limit;
}

static enum status prepare(struct rounds *r, int batch, struct err *err)
{
    struct worker_prepare_result prepared;
    r->failed_batch = batch;
    enum status st = worker_prepare(r->x.worker, batch, &prepared, WORKER_PREPARE_NS, err);
    if (st == ST_OK)
        r->failed_batch = 0;
    return st;
}

static enum status warm_largest(struct rounds *r, int largest, struct err *err)
{
    enum status st = warm_execution(&r->x, largest, history_t_iter(&r->t->history, largest), err);
    if (st == ST_OK)
        note_warm(r, largest);
    else if (!r->x.skewed)
        r->failed_batch = largest;
    return st;
}

static enum status mark_swapped(const struct rounds *r, struct err *err)
{
    struct mark_row mark = { .subject = "execution", .subject_id = r->x.row.id, .reason = "residency=swapped",
                             .value = NAN, .limit = NAN, .rule_version = CAMPAIGN_RULE_VERSION };
    return r->swapped ? store_append_mark(r->c->store, &mark, err) : ST_OK;
}

/* Prepares all sizes ascending, or only the largest if they do not fit together; warms with the largest. */
static enum status bring_up(struct rounds *r, struct err *err)
{
    int batches[SEARCH_SIZES_MAX];
    size_t n = living(batches, r);
    struct execution_ask ask = { .label = "normal", .progress = "load", .max_batch = batches[n - 1] };
    r->warm_count = 0;
    r->last_batch = r->failed_batch = 0;
    enum status st = execution_open(&r->x, r->c, r->t, &ask, err);
    if (st != ST_OK)
        return st;
    r->swapped = r->swapped || (n > 1 && !fit_together(r, batches, n));
    st = mark_swapped(r, err);
    for (size_t i = r->swapped ? n - 1 : 0; i < n && st == ST_OK; i++)
        st = prepare(r, batches[i], err);
    if (r->failed_batch && !r->swapped && n > 1 &&
        (st == ST_OUT_OF_MEMORY || worker_end_of(r->x.worker).out_of_memory_killer)) {
        r->swapped = true; /* together they do not fit after all: one at a time, in a fresh worker */
        enum status closed = execution_close(&r->x, err);
        return closed == ST_OK ? bring_up(r, err) : closed;
    }
    return st == ST_OK ? warm_largest(r, batches[n - 1], err) : st;
}

static enum status handle_failure(struct rounds *r, int batch, enum status st, struct err *err);

/* A start that failed: a size may be to blame; else two in a row end the target. */
static enum status handle_start_failure(struct rounds *r, enum status st, struct err *err)
{
    if (!status_is_of_worker(st))
        return st;
    if (r->failed_batch)
        return handle_failure(r, r->failed_batch, st, err);
    char text[ERR_TEXT_MAX];
    snprintf(text, sizeof text, "%s", err->text);
    enum status closed = execution_close(&r->x, err);
    if (closed != ST_OK || ++r->start_failures < START_TRIES)
        return closed;
    enum why why = r->x.skewed              ? WHY_INVALID
                   : st == ST_HUNG          ? WHY_HUNG
                   : st == ST_OUT_OF_MEMORY ? WHY_OUT_OF_MEMORY
                                            : WHY_CRASHED;
    return target_end(r->c, r->t, st, why, text, err);
}

/* A worker that is up, or, with ST_OK too, none: then the place is tried again later, or the target has
 * ended. */
static enum status ensure_worker(struct rounds *r, struct err *err)
{
    if (execution_is_open(&r->x) && worker_alive(r->x.worker))
        return ST_OK;
    enum status st = execution_close(&r->x, err);
    if (st != ST_OK)
        return st;
    st = bring_up(r, err);
    if (st != ST_OK)
        return handle_start_failure(r, st, err);
    r->start_failures = 0;
    return ST_OK;
}

/* --- one block ------------------------------------------------------------------------------------------ */

/* One size at a time: the one before goes, the next comes, outside of the block's time. */
static enum status swap_in(struct rounds *r, int batch, struct err *err)
{
    if (!r->swapped || r->last_batch == batch)
        return ST_OK;
    enum status st = worker_release(r->x.worker, r->last_batch, WORKER_SHORT_NS, err);
    return st == ST_OK ? prepare(r, batch, err) : st;
}

static int unmeasured_for(const struct rounds *r, int batch, uint64_t t_iter_ns)
{
    if (r->last_batch == batch)
        return 0;
    return r->swapped ? SWAP_ITERATIONS : warmup_switch_iterations(t_iter_ns);
}

static enum status run_block(struct rounds *r, int batch, int place, int retry, struct err *err)
{
    struct block_fact fact;
    uint64_t t_iter_ns = history_t_iter(&r->t->history, batch);
    enum status st = swap_in(r, batch, err);
    if (st == ST_OK && !is_warm(r, batch))
        st = warm_size(&r->x, batch, &t_iter_ns, err);
    if (st != ST_OK)
        return st;
    struct block_ask ask = { .batch = batch,
                             .kind = BLOCK_RACE,
                             .round = r->round,
                             .place = place,
                             .retry = retry,
                             .min_ns = block_min_ns(&r->c->quality, r->doublings),
                             .min_iterations = block_min_iterations(t_iter_ns),
                             .unmeasured = unmeasured_for(r, batch, t_iter_ns),
                             .t_iter_ns = t_iter_ns };
    st = block_measure(&fact, NULL, &r->x, &ask, err);
    if (st == ST_OK)
        note_warm(r, batch);
    return st;
}

/* A failure of the worker in a round: what it means for the size. */
static enum status handle_failure(struct rounds *r, int batch, enum status st, struct err *err)
{
    if (!status_is_of_worker(st))
        return st;
    struct worker_end end = worker_end_of(r->x.worker);
    if (st == ST_OUT_OF_MEMORY || end.out_of_memory_killer)
        st = lose_point(r->c, r->t, batch, WHY_OUT_OF_MEMORY, r->round, err->text, err);
    else if (st == ST_WRONG_OUTPUT || st == ST_UNSUPPORTED)
        st = lose_point(r->c, r->t, batch, why_of_name(status_kind(st)), r->round, err->text, err);
    else
        st = lose_worker(r->c, r->t, batch, st == ST_HUNG ? WHY_HUNG : WHY_CRASHED, r->round, err->text,
                         err);
    enum status closed = execution_close(&r->x, err);
    return st != ST_OK ? st : closed;
}

/* Waits before a retry, in short steps so that an interrupt is seen. */
static void pause_before(const struct campaign_state *c, int retry)
{
    uint64_t end_ns = campaign_now_ns(c) + point_retry_pause_ns(retry), step_ns = 100000000;
    for (uint64_t now_ns; (now_ns = campaign_now_ns(c)) < end_ns && !campaign_stopped(c);)
        clock_sleep_ns(&c->clock, end_ns - now_ns < step_ns ? end_ns - now_ns : step_ns);
}

/* The block of one place with its retries. A dead worker leaves the place missing: the round comes back to
 * it. */
static enum status run_place(struct rounds *r, int batch, int place, struct err *err)
{
    int retry;
    enum status st = ST_OK;
    while (st == ST_OK && point_place(&retry, &r->t->history, batch, r->round) == PLACE_MISSING) {
        if (history_is_lost(&r->t->history, batch))
            return ST_OK;
        pause_before(r->c, retry);
        if (campaign_stopped(r->c))
            return err_set(err, ST_INTERRUPTED, "interrupted: --resume goes on");
        st = ensure_worker(r, err);
        if (st != ST_OK || r->t->ended || !execution_is_open(&r->x))
            return st;
        st = run_block(r, batch, place, retry, err);
        if (st != ST_OK)
            return handle_failure(r, batch, st, err);
    }
    return st;
}

/* --- rounds --------------------------------------------------------------------------------------------- */

/* Time of the blocks that a round still has to run, and of a worker's start if there is none. */
static uint64_t expected_round_ns(const struct rounds *r)
{
    uint64_t ns = 0, largest_ns = 0;
    int retry;
    for (size_t i = 0; i < r->batch_count; i++) {
        uint64_t t_iter_ns = history_t_iter(&r->t->history, r->batches[i]);
        if (point_place(&retry, &r->t->history, r->batches[i], r->round) == PLACE_MISSING)
            ns += block_expected_ns(block_min_ns(&r->c->quality, r->doublings), t_iter_ns);
        largest_ns = t_iter_ns;
    }
    if (execution_is_open(&r->x))
        return ns;
    uint64_t windows_ns = warmup_first_ns(r->t->gpu) + 2 * WARMUP_WINDOW_NS, prepare_ns = 0;
    for (size_t i = 0; i < r->batch_count; i++) {
        const struct prepared_row *row = history_prepared(&r->t->history, r->batches[i]);
        prepare_ns += row ? row->prepare_ns + row->first_run_ns : 0;
    }
    return ns + r->t->open_ns + prepare_ns + (windows_ns > 3 * largest_ns ? windows_ns : 3 * largest_ns);
}

static void tell_round(const struct rounds *r, int batch)
{
    campaign_tell(r->c, r->t, "measure", NULL, batch, r->round);
}

static enum status run_round(struct rounds *r, struct err *err)
{
    enum status st = ST_OK;
    int ordered[SEARCH_SIZES_MAX];
    memcpy(ordered, r->batches, r->batch_count * sizeof ordered[0]);
    schedule_order(ordered, r->batch_count, r->c->run.seed, r->t->plan->key, r->round);
    for (size_t i = 0; i < r->batch_count && st == ST_OK && !r->t->ended; i++) {
        tell_round(r, ordered[i]);
        st = run_place(r, ordered[i], (int)i, err);
    }
    return st;
}

static enum status go_through(struct rounds *r, struct err *err)
{
    enum status st = next_round(r, err);
    while (st == ST_OK && r->batch_count > 0 && !r->t->ended) {
        uint64_t spent_ns = campaign_elapsed_ns(r->c) - r->start_ns;
        if (spent_ns + expected_round_ns(r) > r->share_ns) {
            r->t->cut = true;
            return ST_OK;
        }
        st = run_round(r, err);
        if (st == ST_OK)
            st = next_round(r, err);
    }
    r->t->measured = st == ST_OK && !r->t->ended;
    return st;
}

enum status rounds_run(struct campaign_state *c, struct target_state *t, struct err *err)
{
    struct rounds *r = calloc(1, sizeof *r);
    if (!r)
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for the rounds of a target");
    *r = (struct rounds){
        .c = c, .t = t, .start_ns = campaign_elapsed_ns(c), .share_ns = campaign_share_ns(c, t, 1)
    };
    enum status st = go_through(r, err);
    enum status closed = execution_close(&r->x, st == ST_OK ? err : NULL);
    free(r);
    return st != ST_OK ? st : closed;
}
