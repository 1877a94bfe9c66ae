#include "bench/measure/residents.h"

#include <math.h>
#include <string.h>

#include "bench/measure/attempt.h"
#include "bench/measure/block_rule.h"
#include "bench/measure/race_rounds.h"
#include "bench/measure/warm.h"
#include "tuner/warmup.h"

enum { SWAP_ITERATIONS = 10 };

/* --- what is expected ----------------------------------------------------------------------------------- */

/* The probed size that is nearest from above, else the largest of all. */
static const struct prepared_row *nearest_probe(const struct history *h, int batch)
{
    const struct prepared_row *above = NULL, *below = NULL;
    for (size_t i = 0; i < h->prepared_count; i++) {
        const struct prepared_row *p = &h->prepared[i];
        if (!p->first_run_ns)
            continue;
        if (p->batch >= batch && (!above || p->batch <= above->batch))
            above = p;
        if (p->batch < batch && (!below || p->batch >= below->batch))
            below = p;
    }
    return above ? above : below;
}

uint64_t residents_t_iter(const struct history *h, int batch)
{
    uint64_t known = history_t_iter(h, batch);
    const struct prepared_row *near = known ? NULL : nearest_probe(h, batch);
    return near ? history_t_iter(h, near->batch) * (uint64_t)batch / (uint64_t)near->batch : known;
}

/* What a size takes in memory above the model itself: not more than the next larger one that was probed. */
static uint64_t own_bytes(const struct history *h, int batch, uint64_t base_bytes)
{
    const struct prepared_row *near = nearest_probe(h, batch);
    return near && near->peak_bytes > base_bytes ? near->peak_bytes - base_bytes : 0;
}

static uint64_t longest(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* The first stage of the warm-up and two windows: the least that rule 1.4 asks for. */
static uint64_t warm_ns(const struct target_state *t, uint64_t t_iter_ns)
{
    uint64_t first = (uint64_t)warmup_first_iterations(t_iter_ns) * t_iter_ns;
    uint64_t window = (uint64_t)warmup_window_iterations(t_iter_ns) * t_iter_ns;
    return longest(warmup_first_ns(t->gpu), first) + 2 * longest(WARMUP_WINDOW_NS, window);
}

uint64_t residents_prepare_ns(const struct target_state *t, int batch)
{
    uint64_t t_iter_ns = residents_t_iter(&t->history, batch);
    const struct prepared_row *near = nearest_probe(&t->history, batch);
    return (near ? near->prepare_ns + near->first_run_ns * (uint64_t)batch / (uint64_t)near->batch : 0) +
           (uint64_t)warmup_other_iterations(t_iter_ns) * t_iter_ns;
}

uint64_t residents_open_ns(const struct target_state *t, const int *batches, size_t count)
{
    uint64_t ns = t->open_ns;
    int largest = 0;
    for (size_t i = 0; i < count; i++) {
        ns += residents_prepare_ns(t, batches[i]);
        largest = batches[i] > largest ? batches[i] : largest;
    }
    return ns + warm_ns(t, residents_t_iter(&t->history, largest));
}

uint64_t residents_block_ns(const struct campaign_state *c, const struct target_state *t, int batch)
{
    uint64_t t_iter_ns = residents_t_iter(&t->history, batch);
    return block_expected_ns(block_min_ns(&c->quality, 0), t_iter_ns) +
           (uint64_t)warmup_switch_iterations(t_iter_ns) * t_iter_ns;
}

/* --- start ---------------------------------------------------------------------------------------------- */

static struct resident *find(struct residents *r, int batch)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->items[i].batch == batch)
            return &r->items[i];
    return NULL;
}

static bool fit_together(const struct residents *r)
{
    uint64_t limit = target_memory_limit(r->x.campaign, r->x.target), sum = r->x.base_bytes;
    for (size_t i = 0; i < r->count; i++)
        sum += own_bytes(&r->x.target->history, r->items[i].batch, r->x.base_bytes);
    return !limit || sum <= limit;
}

static enum status mark_swapped(const struct residents *r, struct err *err)
{
    struct mark_row mark = { .subject = "execution", .subject_id = r->x.row.id, .reason = "residency=swapped",
                             .value = NAN, .limit = NAN, .rule_version = CAMPAIGN_RULE_VERSION };
    return r->swapped ? store_append_mark(r->x.campaign->store, &mark, err) : ST_OK;
}

static enum status prepare(struct residents *r, struct resident *item, struct err *err)
{
    struct prepared_row row = attempt_begin(&r->x, item->batch);
    enum status st = attempt_prepare(&row, &r->x, err);
    r->failed_batch = st == ST_OK ? 0 : item->batch;
    if (st != ST_OK)
        return st;
    item->prepared = true;
    attempt_succeed(&row);
    if (!*item->first.result)
        item->first = row;
    return ST_OK;
}

static enum status warm_largest(struct residents *r, struct err *err)
{
    struct resident *largest = &r->items[0];
    for (size_t i = 1; i < r->count; i++)
        if (r->items[i].batch > largest->batch)
            largest = &r->items[i];
    enum status st = largest->prepared ? ST_OK : prepare(r, largest, err);
    if (st == ST_OK)
        st = warm_execution(&r->x, largest->batch, residents_t_iter(&r->x.target->history, largest->batch),
                            err);
    if (st != ST_OK && !r->x.skewed)
        r->failed_batch = largest->batch;
    largest->warm = st == ST_OK;
    r->last_batch = largest->batch;
    return st;
}

/* A worker with everything prepared that fits; not warm yet. */
static enum status bring_up(struct residents *r, struct campaign_state *c, struct target_state *t,
                            const char *label, struct err *err)
{
    struct execution_ask ask = { .label = label, .progress = "load" };
    for (size_t i = 0; i < r->count; i++)
        ask.max_batch = r->items[i].batch > ask.max_batch ? r->items[i].batch : ask.max_batch;
    r->failed_batch = 0;
    enum status st = execution_open(&r->x, c, t, &ask, err);
    if (st != ST_OK)
        return st;
    r->swapped = r->swapped || (r->count > 1 && !fit_together(r));
    st = mark_swapped(r, err);
    for (size_t i = 0; i < r->count && st == ST_OK && !r->swapped; i++)
        st = prepare(r, &r->items[i], err);
    return st;
}

static void forget(struct residents *r)
{
    for (size_t i = 0; i < r->count; i++)
        r->items[i] = (struct resident){ .batch = r->items[i].batch };
}

/* Did a size fail beside others? Where memory is short libraries die as well as say so: the size is to blame
 * only if it fails alone. */
static bool is_crowded(const struct residents *r)
{
    bool crowded = false;
    for (size_t i = 0; i < r->count; i++)
        crowded = crowded || r->items[i].prepared;
    return crowded && !r->swapped;
}

enum status residents_open(struct residents *r, struct campaign_state *c, struct target_state *t,
                           const struct residents_ask *ask, struct err *err)
{
    *r = (struct residents){ .count = ask->count };
    for (size_t i = 0; i < ask->count; i++)
        r->items[i].batch = ask->batches[i];
    enum status st = bring_up(r, c, t, ask->label, err);
    if (r->failed_batch && is_crowded(r) && status_is_of_worker(st, err)) {
        r->swapped = true; /* together they do not fit after all: one at a time, in a fresh worker */
        forget(r);
        st = execution_close(&r->x, err);
        if (st == ST_OK)
            st = bring_up(r, c, t, ask->label, err);
    }
    if (st == ST_OK && ask->gate)
        st = warm_temperature_gate(&r->x, err);
    return st == ST_OK ? warm_largest(r, err) : st;
}

enum status residents_close(struct residents *r, struct err *err)
{
    return execution_close(&r->x, err);
}

void residents_then_once(struct residents *r, int batch)
{
    size_t kept = 0;
    r->swapped = r->once = true;
    for (size_t i = 0; i < r->count; i++)
        if (r->items[i].prepared)
            r->items[kept++] = r->items[i];
    r->items[kept++] = (struct resident){ .batch = batch };
    r->count = kept;
}

enum status residents_store_firsts(struct residents *r, struct err *err)
{
    enum status st = ST_OK;
    for (size_t i = 0; i < r->count && st == ST_OK; i++)
        if (*r->items[i].first.result && !r->items[i].stored) {
            st = attempt_store_trial(&r->x, &r->items[i].first, err);
            r->items[i].stored = st == ST_OK;
        }
    return st;
}

/* --- a block -------------------------------------------------------------------------------------------- */

/* One size at a time: what is there goes, the next comes, outside of the block's time. */
static enum status swap_in(struct residents *r, struct resident *item, struct err *err)
{
    for (size_t i = 0; i < r->count && !item->prepared; i++)
        if (r->items[i].prepared) {
            enum status st = execution_release(&r->x, r->items[i].batch, err);
            if (st != ST_OK)
                return st;
            r->items[i].prepared = false;
        }
    return item->prepared ? ST_OK : prepare(r, item, err);
}

/* In short steps, so that an interrupt is seen. */
static enum status wait_for(const struct campaign_state *c, uint64_t ns, struct err *err)
{
    uint64_t end_ns = campaign_now_ns(c) + ns, step_ns = 100000000;
    for (uint64_t now_ns; (now_ns = campaign_now_ns(c)) < end_ns && !campaign_stopped(c);)
        clock_sleep_ns(&c->clock, end_ns - now_ns < step_ns ? end_ns - now_ns : step_ns);
    return campaign_stopped(c) ? err_set(err, ST_INTERRUPTED, "interrupted: --resume goes on") : ST_OK;
}

static int unmeasured_for(const struct residents *r, int batch, uint64_t t_iter_ns)
{
    if (r->last_batch == batch)
        return 0;
    return r->swapped ? SWAP_ITERATIONS : warmup_switch_iterations(t_iter_ns);
}

/* Before a size's first block. Swapped in it gets as many unmeasured iterations anyway. */
static enum status warm_first(struct residents *r, struct resident *item, uint64_t *t_iter_ns,
                              struct err *err)
{
    if (item->warm || (r->swapped && !r->once))
        return ST_OK;
    enum status st = warm_size(&r->x, item->batch, t_iter_ns, err);
    if (st == ST_OK)
        r->last_batch = item->batch;
    return st;
}

static enum status make_ready(struct residents *r, struct resident *item, struct block_ask *ask,
                              struct err *err)
{
    const struct campaign_state *c = r->x.campaign;
    enum status st = wait_for(c, race_retry_pause_ns(ask->retry), err);
    if (st != ST_OK)
        return st;
    ask->t_iter_ns = residents_t_iter(&r->x.target->history, ask->batch);
    st = swap_in(r, item, err);
    r->failed_batch = ask->batch;
    if (st == ST_OK)
        st = warm_first(r, item, &ask->t_iter_ns, err);
    ask->min_ns = block_min_ns(&c->quality, 0);
    ask->unmeasured = unmeasured_for(r, ask->batch, ask->t_iter_ns);
    if (!ask->min_iterations)
        ask->min_iterations = block_min_iterations(ask->t_iter_ns);
    return st;
}

enum status residents_block(struct block_fact *out, struct residents *r, struct block_ask *ask,
                            struct err *err)
{
    struct resident *item = find(r, ask->batch);
    enum status st = make_ready(r, item, ask, err);
    if (st == ST_OK)
        st = block_measure(out, NULL, &r->x, ask, err);
    if (st != ST_OK)
        return st;
    r->failed_batch = 0;
    item->warm = true;
    r->last_batch = ask->batch;
    return ST_OK;
}
