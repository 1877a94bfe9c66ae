/* Measures the fill table: see fill.h. */
#include "bench/measure/fill.h"

#include <stdlib.h>
#include <string.h>

#include "bench/measure/attempt.h"
#include "bench/measure/campaign_state.h"
#include "bench/measure/place.h"
#include "bench/measure/residents.h"
#include "bench/measure/schedule.h"
#include "bench/measure/trial.h"

enum { ROUNDS = 3, RETRIES = 3, START_TRIES = 2, MOST_SIZES = SEARCH_SIZES_MAX /* of a table */ };

struct filling {
    struct campaign_state *c;
    struct target_state *t;
    struct residents r;
    int    batch;                    /* B, in every round as the control */
    int    wanted;                   /* largest n to be run */
    int    start_failures;
    bool   gave_up;                  /* no worker starts any more */
    uint64_t start_ns, share_ns;
};

/* --- what is there -------------------------------------------------------------------------------------- */

static bool is_fill(const struct block_fact *f, int images)
{
    return f->kind == BLOCK_FILL && f->batch == images;
}

static bool retries_are_used_up(const struct history *h, int images)
{
    int n = 0;
    for (size_t i = 0; i < h->count; i++)
        n += is_fill(&h->blocks[i], images) && h->blocks[i].retry > 0;
    return n >= RETRIES;
}

static enum place_state place_of(int *retry, const struct history *h, int images, int round)
{
    *retry = 0;
    for (size_t i = 0; i < h->count; i++)
        if (is_fill(&h->blocks[i], images) && h->blocks[i].round == round) {
            if (h->blocks[i].valid)
                return PLACE_DONE;
            ++*retry;
        }
    return *retry == 0 || !retries_are_used_up(h, images) ? PLACE_MISSING : PLACE_EXHAUSTED;
}

/* Rounds in which n images need no further block. */
static int rounds_done(const struct history *h, int images)
{
    int n = 0, retry, last = 0;
    for (size_t i = 0; i < h->count; i++)
        if (is_fill(&h->blocks[i], images) && h->blocks[i].round != last) {
            last = h->blocks[i].round;
            n += place_of(&retry, h, images, last) != PLACE_MISSING;
        }
    return n;
}

/* The smallest n that failed; one more than is wanted if none did. */
static int end_of(const struct filling *f)
{
    int n = 1;
    while (n <= f->wanted && trial_failure(&f->t->history, TRIAL_FILL, n, TRIAL_FILL_DEATHS) == WHY_NONE)
        n++;
    return n;
}

/* --- the worker ----------------------------------------------------------------------------------------- */

/* A failure of the worker: of a size, or of a start. */
static enum status take_failure(struct filling *f, enum status st, struct err *err)
{
    if (!status_is_of_worker(st, err))
        return st;
    enum status stored = residents_store_firsts(&f->r, NULL);
    campaign_tell(f->c, f->t, "warning", err->text, f->r.failed_batch, 0);
    if (f->r.failed_batch && stored == ST_OK) {
        struct prepared_row row = attempt_begin(&f->r.x, f->r.failed_batch);
        attempt_fail(&row, &f->r.x, st, err);
        stored = attempt_store_trial(&f->r.x, &row, err);
    } else {
        f->gave_up = ++f->start_failures >= START_TRIES;
    }
    enum status closed = residents_close(&f->r, stored == ST_OK ? err : NULL);
    return stored != ST_OK ? stored : closed;
}

/* The chosen size comes first, while its process is fresh: what its first use costs decides whether it pays.
 * The others follow ascending. Without them: only the control. */
static size_t sizes_to_open(int *out, const struct filling *f, bool all)
{
    size_t n = 0;
    int end = end_of(f);
    if (f->batch < end)
        out[n++] = f->batch;
    for (int i = 1; all && i < f->batch && i < end && n < SEARCH_SIZES_MAX; i++)
        out[n++] = i;
    return n;
}

static enum status ensure_open(struct filling *f, bool all, struct err *err)
{
    int sizes[SEARCH_SIZES_MAX];
    if (execution_is_open(&f->r.x) && execution_is_alive(&f->r.x))
        return ST_OK;
    enum status st = residents_close(&f->r, err);
    const struct residents_ask ask = { .label = TRIAL_FILL, .batches = sizes,
                                       .count = sizes_to_open(sizes, f, all) };
    if (st == ST_OK)
        st = residents_open(&f->r, f->c, f->t, &ask, err);
    return st == ST_OK ? residents_store_firsts(&f->r, err) : st;
}

static bool fits(const struct filling *f, uint64_t expected_ns)
{
    return campaign_elapsed_ns(f->c) - f->start_ns + expected_ns <= f->share_ns;
}

static uint64_t open_ns(const struct filling *f, bool all)
{
    int sizes[SEARCH_SIZES_MAX];
    return execution_is_open(&f->r.x) ? 0 : residents_open_ns(f->t, sizes, sizes_to_open(sizes, f, all));
}

/* The block of a place with its retries. */
static enum status run_place(struct filling *f, int images, int round, int place, struct err *err)
{
    struct block_fact fact;
    struct block_ask ask = { .batch = images, .kind = BLOCK_FILL, .round = round, .place = place };
    enum status st = ST_OK;
    campaign_tell(f->c, f->t, "fill", NULL, images, 0);
    while (st == ST_OK && place_of(&ask.retry, &f->t->history, images, round) == PLACE_MISSING) {
        ask.min_iterations = 0;
        st = residents_block(&fact, &f->r, &ask, err);
        if (st == ST_OK)
            st = residents_store_firsts(&f->r, err);
    }
    return st;
}

/* --- up to the chosen size ------------------------------------------------------------------------------ */

/* Sizes of the next round, ascending: those that lack rounds, with the control. 0: all have theirs. */
static size_t plan_round(int *out, const struct filling *f)
{
    size_t n = 0, missing = 0;
    int end = end_of(f);
    for (int i = 1; i <= f->batch && i < end; i++) {
        bool lacks = i < MOST_SIZES && rounds_done(&f->t->history, i) < ROUNDS;
        if (lacks || i == f->batch)
            out[n++] = i;
        missing += lacks;
    }
    return missing ? n : 0;
}

static uint64_t round_ns(const struct filling *f, const int *sizes, size_t n)
{
    uint64_t ns = open_ns(f, true);
    for (size_t i = 0; i < n; i++)
        ns += residents_block_ns(f->c, f->t, sizes[i]);
    return ns;
}

static enum status run_round(struct filling *f, int *sizes, size_t n, struct err *err)
{
    int round = history_last_round(&f->t->history) + 1;
    enum status st = ensure_open(f, true, err);
    schedule_order(sizes, n, f->c->run.seed, f->t->plan->key, round);
    for (size_t i = 0; i < n && st == ST_OK; i++)
        st = run_place(f, sizes[i], round, (int)i, err);
    return st == ST_OK ? ST_OK : take_failure(f, st, err);
}

static enum status fill_below(struct filling *f, struct err *err)
{
    int sizes[SEARCH_SIZES_MAX];
    size_t n;
    enum status st = ST_OK;
    while (st == ST_OK && !f->gave_up && (n = plan_round(sizes, f)) > 0) {
        if (campaign_stopped(f->c))
            return err_set(err, ST_INTERRUPTED, "interrupted: --resume goes on");
        f->t->cut = f->t->cut || !fits(f, round_ns(f, sizes, n));
        if (!fits(f, round_ns(f, sizes, n)))
            return ST_OK;
        st = run_round(f, sizes, n, err);
    }
    return st;
}

/* --- above it ------------------------------------------------------------------------------------------- */

static int next_above(const struct filling *f)
{
    int end = end_of(f);
    for (int n = f->batch + 1; n <= f->wanted && n < end; n++)
        if (rounds_done(&f->t->history, n) == 0)
            return n;
    return 0;
}

static uint64_t above_ns(const struct filling *f, int images)
{
    return open_ns(f, false) + residents_prepare_ns(f->t, images) + residents_block_ns(f->c, f->t, images);
}

static enum status run_above(struct filling *f, int images, struct err *err)
{
    enum status st = ensure_open(f, false, err);
    if (st == ST_OK) {
        residents_then_once(&f->r, images);
        st = run_place(f, images, history_last_round(&f->t->history) + 1, 0, err);
    }
    return st == ST_OK ? ST_OK : take_failure(f, st, err);
}

/* As far as the time goes: what was not run is not safe, and that is all. */
static enum status fill_above(struct filling *f, struct err *err)
{
    enum status st = ST_OK;
    for (int n; st == ST_OK && !f->gave_up && (n = next_above(f)) != 0 && fits(f, above_ns(f, n));)
        st = campaign_stopped(f->c) ? err_set(err, ST_INTERRUPTED, "interrupted: --resume goes on")
                                    : run_above(f, n, err);
    return st;
}

static enum status find_sizes(struct filling *f, struct err *err)
{
    struct decision *d;
    enum status st = target_decide(&d, f->c, f->t, err);
    if (st != ST_OK)
        return st;
    f->batch = d->choice.batch;
    f->wanted = d->max_safe.wanted > f->batch ? d->max_safe.wanted : f->batch;
    decision_free(d);
    return ST_OK;
}

enum status fill_run(struct campaign_state *c, struct target_state *t, struct err *err)
{
    struct filling *f = calloc(1, sizeof *f);
    if (!f)
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for a fill table");
    f->c = c;
    f->t = t;
    f->start_ns = campaign_elapsed_ns(c);
    f->share_ns = campaign_share_ns(c, t, 1);
    enum status st = find_sizes(f, err);
    if (st == ST_OK)
        st = fill_below(f, err);
    if (st == ST_OK && !t->cut)
        st = fill_above(f, err);
    enum status closed = residents_close(&f->r, st == ST_OK ? err : NULL);
    free(f);
    return st != ST_OK ? st : closed;
}
