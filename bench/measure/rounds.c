#include "bench/measure/rounds.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure/lose.h"
#include "bench/measure/race_rounds.h"
#include "bench/measure/residents.h"
#include "bench/measure/schedule.h"

enum { START_TRIES = 2 };
/* Blocks of a round that did not come to its end: the round runs again, they stay as they are. */
static const char half_round[] = "half_round";

struct rounds {
    struct campaign_state *c;
    struct target_state *t;
    struct residents worker;
    int    sizes[SEARCH_SIZES_MAX];  /* [count] alive, ascending: what a worker holds ready */
    size_t count;
    int    round;                    /* number of what is measured now */
    int    start_failures;           /* in a row */
    struct decision *d;              /* as it stands */
    uint64_t start_ns, share_ns;
};

struct place {
    int batch;
    enum block_kind kind;
};
struct round {
    struct place places[SEARCH_SIZES_MAX + 1];
    size_t count;
};

/* --- what is next --------------------------------------------------------------------------------------- */

/* Sizes of the next round, or all that are alive; ascending. */
static size_t sizes_alive(int *sizes, const struct decision *d, bool resting_too)
{
    size_t n = 0;
    for (size_t i = 0; i < d->count; i++)
        if (d->race.sizes[i].alive && (resting_too || !d->race.sizes[i].resting))
            sizes[n++] = d->candidates[i].batch;
    return n;
}

/* Places in the order of the schedule. */
static void plan_round(struct round *out, struct rounds *r)
{
    int sizes[SEARCH_SIZES_MAX];
    size_t n = sizes_alive(sizes, r->d, false);
    r->round = r->d->round ? r->d->round : history_last_round(&r->t->history) + 1;
    size_t control = schedule_order(sizes, n, r->c->run.seed, r->t->plan->key, r->round);
    out->count = 0;
    for (size_t i = 0; i <= n; i++) {
        if (r->d->control_is_due && i == control)
            out->places[out->count++] = (struct place){ r->d->race.control, BLOCK_CONTROL };
        if (i < n)
            out->places[out->count++] = (struct place){ sizes[i], BLOCK_RACE };
    }
}

static bool fits(const struct rounds *r, uint64_t expected_ns)
{
    return campaign_elapsed_ns(r->c) - r->start_ns + expected_ns <= r->share_ns;
}

static bool is_up(const struct rounds *r)
{
    return execution_is_alive(&r->worker.x);
}

static uint64_t expected_round_ns(const struct rounds *r, const struct round *round)
{
    uint64_t ns = is_up(r) ? 0 : residents_open_ns(r->t, r->sizes, r->count);
    for (size_t i = 0; i < round->count; i++)
        ns += residents_block_ns(r->c, r->t, round->places[i].batch);
    return ns;
}

static enum status look(struct rounds *r, struct err *err)
{
    decision_free(r->d);
    r->d = NULL;
    enum status st = target_decide(&r->d, r->c, r->t, err);
    if (st == ST_OK) {
        target_note_best(r->t, r->d);
        r->count = sizes_alive(r->sizes, r->d, true);
    }
    return st;
}

/* --- the worker ----------------------------------------------------------------------------------------- */

/* What a failure of the worker means for the size that it was busy with. */
static enum status note_failure(struct rounds *r, int batch, enum status st, struct err *err)
{
    if (!status_is_of_worker(st, err))
        return st;
    struct worker_end end = execution_end_of(&r->worker.x);
    if (st == ST_OUT_OF_MEMORY || end.out_of_memory_killer)
        st = lose_point(r->c, r->t, batch, WHY_OUT_OF_MEMORY, r->round, err->text, err);
    else if (st == ST_WRONG_OUTPUT || st == ST_UNSUPPORTED)
        st = lose_point(r->c, r->t, batch, why_of_name(status_kind(st)), r->round, err->text, err);
    else
        st = lose_worker(r->c, r->t, batch, st == ST_HUNG ? WHY_HUNG : WHY_CRASHED, r->round, err->text,
                         err);
    enum status closed = residents_close(&r->worker, err);
    return st != ST_OK ? st : closed;
}

/* A start that failed: a size may be to blame; else two in a row end the target. */
static enum status note_start_failure(struct rounds *r, enum status st, struct err *err)
{
    if (!status_is_of_worker(st, err))
        return st;
    if (r->worker.failed_batch)
        return note_failure(r, r->worker.failed_batch, st, err);
    char text[ERR_TEXT_MAX];
    snprintf(text, sizeof text, "%s", err->text);
    bool skewed = r->worker.x.skewed;
    enum status closed = residents_close(&r->worker, err);
    if (closed != ST_OK || ++r->start_failures < START_TRIES)
        return closed;
    enum why why = skewed                   ? WHY_INVALID
                   : st == ST_ENVIRONMENT   ? WHY_NONE /* no size is to blame for a broken driver */
                   : st == ST_HUNG          ? WHY_HUNG
                   : st == ST_OUT_OF_MEMORY ? WHY_OUT_OF_MEMORY
                                            : WHY_CRASHED;
    return target_end(r->c, r->t, st, why, text, err);
}

/* A worker that is up, or, with ST_OK too, none: then a size was lost or the target has ended. */
static enum status ensure_worker(struct rounds *r, struct err *err)
{
    const struct residents_ask ask = { .label = "normal", .batches = r->sizes, .count = r->count };
    if (is_up(r))
        return ST_OK;
    enum status st = residents_close(&r->worker, err);
    if (st == ST_OK)
        st = residents_open(&r->worker, r->c, r->t, &ask, err);
    if (st != ST_OK)
        return note_start_failure(r, st, err);
    r->start_failures = 0;
    return ST_OK;
}

/* One block; a failure of the worker is noted for the size and leaves none. */
static enum status run_block(struct rounds *r, const struct place *p, int place, int retry, struct err *err)
{
    struct block_fact fact;
    struct block_ask ask = { .batch = p->batch, .kind = p->kind, .round = r->round, .place = place,
                             .retry = retry };
    enum status st = residents_block(&fact, &r->worker, &ask, err);
    return st == ST_OK ? ST_OK : note_failure(r, p->batch, st, err);
}

/* --- a round -------------------------------------------------------------------------------------------- */

/* The newest execution that has blocks of this round; 0: none. */
static int64_t execution_of_round(const struct history *h, int round)
{
    for (size_t i = h->count; i-- > 0;)
        if (h->blocks[i].round == round)
            return h->blocks[i].execution;
    return 0;
}

/* What another execution left of this round does not count any more. */
static enum status mark_half_round(const struct rounds *r, struct err *err)
{
    const struct history *h = &r->t->history;
    int64_t execution = execution_of_round(h, r->round);
    enum status st = ST_OK;
    if (execution == r->worker.x.row.id)
        return ST_OK;
    for (size_t i = 0; i < h->count && st == ST_OK; i++) {
        struct mark_row mark = { .subject = "block", .subject_id = h->blocks[i].id, .value = NAN,
                                 .limit = NAN,
                                 .rule_version = CAMPAIGN_RULE_VERSION };
        snprintf(mark.reason, sizeof mark.reason, "%s", half_round);
        if (h->blocks[i].round == r->round && h->blocks[i].execution == execution)
            st = store_append_mark(r->c->store, &mark, err);
    }
    return st;
}

/* The block of one place with its retries. */
static enum status run_place(struct rounds *r, const struct place *p, int place, struct err *err)
{
    const struct history *h = &r->t->history;
    int retry;
    enum status st = ST_OK;
    while (st == ST_OK && is_up(r) &&
           race_place(&retry, h, p->batch, p->kind, r->round, r->worker.x.row.id) == PLACE_MISSING)
        st = campaign_stopped(r->c) ? err_set(err, ST_INTERRUPTED, "interrupted: --resume goes on")
                                    : run_block(r, p, place, retry, err);
    return st;
}

/* A worker that dies leaves the round unfinished: it runs again, with those who are left. */
static enum status run_round(struct rounds *r, const struct round *round, struct err *err)
{
    enum status st = ensure_worker(r, err);
    if (st != ST_OK || !is_up(r))
        return st;
    st = mark_half_round(r, err);
    for (size_t i = 0; i < round->count && st == ST_OK && is_up(r); i++) {
        campaign_tell(r->c, r->t, "race", NULL, round->places[i].batch, (int)r->d->rounds + 1);
        st = run_place(r, &round->places[i], (int)i, err);
    }
    return st;
}

static enum status next_round(struct rounds *r, struct err *err)
{
    struct round round;
    plan_round(&round, r);
    if (fits(r, expected_round_ns(r, &round)))
        return run_round(r, &round, err);
    r->t->rounds_over = r->t->cut = true;
    return ST_OK;
}

/* --- proofs of a limit ---------------------------------------------------------------------------------- */

/* The smallest size that is neither proved under nor over the limit and has time left for it; 0: none. */
static int next_proof(const struct rounds *r)
{
    for (size_t i = 0; i < r->d->count; i++)
        if (r->d->race.sizes[i].alive && r->d->candidates[i].limit == SLO_OPEN &&
            decision_proof_ns(&r->t->history, r->d->candidates[i].batch) < DECISION_PROOF_NS)
            return r->d->candidates[i].batch;
    return 0;
}

/* One block of kind slo. An invalid one proves nothing and is not repeated: the next one is as good. */
static enum status prove(struct rounds *r, struct err *err)
{
    const struct place place = { next_proof(r), BLOCK_SLO };
    uint64_t start_ns = is_up(r) ? 0 : residents_open_ns(r->t, r->sizes, r->count);
    r->round = history_last_round(&r->t->history) + 1;
    if (!fits(r, start_ns + residents_block_ns(r->c, r->t, place.batch))) {
        r->t->race_over = r->t->cut = true;
        return ST_OK;
    }
    if (campaign_stopped(r->c))
        return err_set(err, ST_INTERRUPTED, "interrupted: --resume goes on");
    campaign_tell(r->c, r->t, "prove limit", NULL, place.batch, 0);
    enum status st = ensure_worker(r, err);
    return st == ST_OK && is_up(r) ? run_block(r, &place, 0, 0, err) : st;
}

/* --- the race ------------------------------------------------------------------------------------------- */

static enum status go_through(struct rounds *r, struct err *err)
{
    enum status st = look(r, err);
    while (st == ST_OK && !r->t->ended &&
           (r->d->race.state == RACE_GO_ON || r->d->race.state == RACE_PROVE_LIMITS)) {
        st = r->d->race.state == RACE_GO_ON ? next_round(r, err) : prove(r, err);
        if (st == ST_OK)
            st = look(r, err);
    }
    r->t->measured = st == ST_OK && !r->t->ended && !r->t->cut;
    return st;
}

enum status rounds_run(struct campaign_state *c, struct target_state *t, uint64_t share_ns, struct err *err)
{
    struct rounds *r = calloc(1, sizeof *r);
    if (!r)
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for the rounds of a target");
    *r = (struct rounds){ .c = c, .t = t, .start_ns = campaign_elapsed_ns(c), .share_ns = share_ns };
    enum status st = go_through(r, err);
    enum status closed = residents_close(&r->worker, st == ST_OK ? err : NULL);
    decision_free(r->d);
    free(r);
    return st != ST_OK ? st : closed;
}
