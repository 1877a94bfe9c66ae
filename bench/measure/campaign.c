#include "bench/measure/campaign.h"

#include <stdio.h>
#include <stdlib.h>

#include "bench/measure/campaign_begin.h"
#include "bench/measure/campaign_end.h"
#include "bench/measure/campaign_state.h"
#include "bench/measure/ceiling.h"
#include "bench/measure/device.h"
#include "bench/measure/fill.h"
#include "bench/measure/gate.h"
#include "bench/measure/open_loop.h"
#include "bench/measure/p95.h"
#include "bench/measure/probe.h"
#include "bench/measure/residents.h"
#include "bench/measure/results_store.h"
#include "bench/measure/rounds.h"
#include "bench/measure/verify.h"

/* --- time ----------------------------------------------------------------------------------------------- */

/* About what the verification of a target will take: the size that looks right and the fastest one. */
static uint64_t expected_verification_ns(const struct campaign_state *c, const struct target_state *t)
{
    int members[2] = { 0, 0 };
    double best = -1e300;
    for (size_t i = 0; i < t->search.count; i++) {
        const struct search_size *s = &t->search.sizes[i];
        if (s->why != WHY_NONE)
            continue;
        members[0] = members[0] ? members[0] : s->batch;
        if (s->y > best) {
            best = s->y;
            members[1] = s->batch;
        }
    }
    if (t->ended || !members[1])
        return 0;
    members[0] = t->search.knee ? t->search.knee : members[0];
    return verify_expected_ns(c, t, members, 2, VERIFY_EXECUTIONS);
}

/* About what a race takes until its first look: with less nothing is known. */
static uint64_t expected_first_look_ns(const struct campaign_state *c, const struct target_state *t)
{
    int sizes[SEARCH_SIZES_MAX];
    size_t n = 0;
    uint64_t round_ns = 0;
    for (size_t i = 0; i < t->search.count; i++)
        if (t->search.sizes[i].why == WHY_NONE && !history_is_lost(&t->history, t->search.sizes[i].batch)) {
            sizes[n++] = t->search.sizes[i].batch;
            round_ns += residents_block_ns(c, t, sizes[n - 1]);
        }
    if (n == 0)
        return 0;
    round_ns += residents_block_ns(c, t, t->search.knee ? t->search.knee : sizes[0]); /* the control */
    return residents_open_ns(t, sizes, n) + race_look_rounds[0] * round_ns;
}

/* Of a target's time its race gets what the verifications of all targets leave; but as much as its first
 * look needs, if need be from the time of those after it. */
static uint64_t race_share_ns(const struct campaign_state *c, const struct target_state *t)
{
    uint64_t share_ns = campaign_share_ns(c, t, 1), reserve_ns = 0, left = 0;
    if (share_ns == UINT64_MAX)
        return share_ns;
    for (const struct target_state *o = c->targets; o < c->targets + c->target_count; o++) {
        reserve_ns += expected_verification_ns(c, o);
        left += o >= t && !o->ended;
    }
    uint64_t all_ns = campaign_left_ns(c), least_ns = expected_first_look_ns(c, t) / 10 * 11;
    reserve_ns /= left ? left : 1;
    if (least_ns > all_ns)
        return share_ns;
    share_ns = share_ns > reserve_ns ? share_ns - reserve_ns : 0;
    return share_ns > least_ns ? share_ns : least_ns;
}

/* --- stages of one target ------------------------------------------------------------------------------- */

/* Gate, ascent and batch check. */
static enum status ascend(struct campaign_state *c, struct target_state *t, struct err *err)
{
    if (campaign_share_ns(c, t, 1) == 0) {
        t->cut = true;
        return ST_OK;
    }
    enum status st = gate_target(c, t, err);
    if (st == ST_OK && !t->ended)
        st = probe_target(c, t, err);
    if (st == ST_OK && !t->ended)
        st = gate_candidates(c, t, err);
    return st;
}

static enum status race(struct campaign_state *c, struct target_state *t, struct err *err)
{
    return rounds_run(c, t, race_share_ns(c, t), err);
}

static enum status chosen(int *batch, const struct campaign_state *c, struct target_state *t, struct err *err)
{
    struct decision *d;
    enum status st = target_decide(&d, c, t, err);
    if (st != ST_OK)
        return st;
    *batch = d->choice.batch;
    target_note_best(t, d);
    decision_free(d);
    return ST_OK;
}

/* A size that does not pass its open loop gives way to another one, which needs everything that it had. */
static enum status prove_open_loop(struct campaign_state *c, struct target_state *t, struct err *err)
{
    static enum status (*const again[])(struct campaign_state *, struct target_state *, struct err *) = {
        verify_run, ceiling_run, fill_run, open_loop_run
    };
    int before = 0, after = 0;
    enum status st = chosen(&before, c, t, err);
    if (st == ST_OK)
        st = open_loop_run(c, t, err);
    if (st == ST_OK)
        st = chosen(&after, c, t, err);
    while (st == ST_OK && after && after != before && !t->cut && !t->ended) {
        before = after;
        for (size_t i = 0; i < sizeof again / sizeof again[0] && st == ST_OK && !t->cut && !t->ended; i++)
            st = again[i](c, t, err);
        if (st == ST_OK)
            st = chosen(&after, c, t, err);
    }
    return st;
}

static void tell_done(const struct campaign_state *c, const struct target_state *t,
                      const struct decide_answer *choice)
{
    char text[160];
    if (choice->batch)
        snprintf(text, sizeof text, "batch %d, %s%s", choice->batch,
                 decide_confidence_name(choice->confidence),
                 choice->verified ? ", verified" : "");
    else if (t->cut)
        snprintf(text, sizeof text, "the budget ended before a batch size was tried");
    else
        snprintf(text, sizeof text, "no batch size is usable");
    campaign_tell(c, t, "target done", text, choice->batch, 0);
}

/* The last stage. */
static enum status finish_target(struct campaign_state *c, struct target_state *t, struct err *err)
{
    struct decide_answer choice;
    enum status st = prove_open_loop(c, t, err);
    t->finished = st == ST_OK && !t->cut && !t->ended;
    if (st == ST_OK)
        st = results_store(&choice, c, t, target_cause(t, ST_OK), err);
    if (st == ST_OK)
        tell_done(c, t, &choice);
    return st;
}

/* --- all targets ---------------------------------------------------------------------------------------- */

/* Each stage goes over all targets before the next begins: an early end leaves a coarse answer
 * everywhere, then a raced one, then a verified one. */
static const struct stage {
    enum status (*run)(struct campaign_state *c, struct target_state *t, struct err *err);
    bool searched;                   /* only where the ascent is over */
} stages[] = {
    { ascend, false }, { race, true }, { verify_run, true }, { ceiling_run, true }, { fill_run, true },
    { p95_run, true }, { finish_target, true },
};

static enum status run_stage(struct campaign_state *c, const struct stage *stage, struct err *err)
{
    enum status st = ST_OK;
    for (size_t i = 0; i < c->target_count && st == ST_OK; i++) {
        struct target_state *t = &c->targets[i];
        struct decide_answer choice;
        if (t->ended || (stage->searched && !t->searched))
            continue;
        st = stage->run(c, t, err);
        if (st == ST_OK && !t->ended && t->device)
            st = device_end_if_lost(c, t, err);
        if (st == ST_OK && stage->run != finish_target)
            st = results_store(&choice, c, t, target_cause(t, ST_OK), err);
    }
    return st;
}

static enum status run_targets(struct campaign_state *c, struct err *err)
{
    enum status st = ST_OK;
    for (size_t i = 0; i < sizeof stages / sizeof stages[0] && st == ST_OK; i++)
        st = run_stage(c, &stages[i], err);
    return st;
}

/* --- the campaign --------------------------------------------------------------------------------------- */

enum status campaign_run(struct campaign_context *context, struct err *err)
{
    struct err own;
    struct campaign_state *c = calloc(1, sizeof *c);
    err = err ? err : &own;
    *err = (struct err){ 0 };
    context->run = 0;
    context->run_name[0] = 0;
    if (!c)
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for a campaign");
    c->context = context;
    enum status st = campaign_begin(c, err);
    bool begun = st == ST_OK;
    if (begun)
        st = run_targets(c, err);
    if (begun && (st == ST_OK || st == ST_INTERRUPTED))
        st = campaign_finish(c, st, err);
    else if (begun)
        campaign_record_end(c, "failed", status_exit(st), NULL);
    campaign_release(c);
    free(c);
    return st;
}
