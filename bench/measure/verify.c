#include "bench/measure/verify.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/measure/decision.h"
#include "bench/measure/residents.h"
#include "bench/measure/verify_pass.h"

enum { DEATHS = 2 };

/* --- what was measured ---------------------------------------------------------------------------------- */

/* Value of the valid block at a place of a pass; NaN: none. */
static double value_at(const struct history *h, int64_t execution, int round, int place,
                       enum objective objective)
{
    for (size_t i = 0; i < h->count; i++) {
        const struct block_fact *f = &h->blocks[i];
        if (f->kind == BLOCK_VERIFY && f->execution == execution && f->round == round && f->place == place &&
            f->valid)
            return decision_value(f, objective);
    }
    return NAN;
}

/* Mean over both places of a member; NaN: one of them is missing. */
static double value_of(const struct history *h, const struct verify_done *done, size_t pass, size_t member,
                       size_t members, enum objective objective)
{
    int second = (int)(2 * members - 1 - member), round = done->rounds[pass];
    return (value_at(h, done->execution, round, (int)member, objective) +
            value_at(h, done->execution, round, second, objective)) / 2;
}

void verify_gather(struct verify_ask *out, const struct history *h, const struct decide_answer *decide,
                   enum objective objective, double within)
{
    struct verify_done done[VERIFY_EXECUTIONS];
    size_t members = decide->member_count;
    size_t n = verify_complete(done, VERIFY_EXECUTIONS, h, decide->members, members);
    out->within = within;
    for (size_t e = 0; e < VERIFY_EXECUTIONS; e++)
        for (size_t p = 0; p < VERIFY_PASSES; p++)
            for (size_t m = 0; m < DECIDE_MEMBERS_MAX; m++)
                out->x[e][p][m] = e < n && m < members ? value_of(h, &done[e], p, m, members, objective) : NAN;
}

/* --- measuring ------------------------------------------------------------------------------------------ */

struct verifying {
    struct campaign_state *c;
    struct target_state *t;
    struct residents r;
    int    members[DECIDE_MEMBERS_MAX];
    size_t count;
    int    done;                     /* executions that count */
    int    deaths;                   /* executions that failed */
    uint64_t start_ns, share_ns;
};

static enum status find_members(struct verifying *v, struct err *err)
{
    struct decision *d;
    enum status st = target_decide(&d, v->c, v->t, err);
    if (st != ST_OK)
        return st;
    v->count = d->choice.batch ? d->choice.member_count : 0;
    for (size_t i = 0; i < v->count; i++)
        v->members[i] = d->choice.members[i];
    decision_free(d);
    return ST_OK;
}

/* The block of a place with its retries. */
static enum status run_place(struct verifying *v, int round, int place, struct err *err)
{
    struct block_fact fact;
    struct block_ask ask = { .batch = v->members[verify_member_at(v->count, place)], .kind = BLOCK_VERIFY,
                             .round = round, .place = place };
    enum status st = ST_OK;
    while (st == ST_OK &&
           verify_place(&ask.retry, &v->t->history, v->r.x.row.id, round, place) == PLACE_MISSING) {
        ask.min_iterations = 0;
        st = residents_block(&fact, &v->r, &ask, err);
    }
    return st;
}

static enum status run_execution(struct verifying *v, struct err *err)
{
    const struct residents_ask ask = {
        .label = "verify", .batches = v->members, .count = v->count, .gate = true
    };
    enum status st = residents_open(&v->r, v->c, v->t, &ask, err);
    for (int pass = 0; pass < VERIFY_PASSES && st == ST_OK; pass++) {
        int round = history_last_round(&v->t->history) + 1;
        for (int place = 0; place < (int)(2 * v->count) && st == ST_OK; place++) {
            campaign_tell(v->c, v->t, "verify", NULL, v->members[verify_member_at(v->count, place)],
                          v->done + 1);
            st = run_place(v, round, place, err);
        }
    }
    enum status closed = residents_close(&v->r, st == ST_OK ? err : NULL);
    return st != ST_OK ? st : closed;
}

/* The worker failed: what it measured does not count, and the second failure ends the verification. Stored,
 * so that the record says why nothing was verified. */
static enum status note_death(struct verifying *v, enum status st, struct err *err)
{
    char text[ERR_TEXT_MAX];
    struct mark_row mark = { .subject = "target", .subject_id = v->t->row.id, .batch = v->r.failed_batch,
                             .value = ++v->deaths, .limit = DEATHS, .rule_version = CAMPAIGN_RULE_VERSION };
    snprintf(mark.reason, sizeof mark.reason, "verify_%s", status_kind(st));
    snprintf(text, sizeof text, "%s: %.400s",
             v->deaths < DEATHS ? "verification begins again" : "not verified", err->text);
    campaign_tell(v->c, v->t, "warning", text, v->r.failed_batch, 0);
    return store_append_mark(v->c->store, &mark, err);
}

uint64_t verify_expected_ns(const struct campaign_state *c, const struct target_state *t, const int *members,
                            size_t count, int executions)
{
    uint64_t ns = residents_open_ns(t, members, count);
    for (size_t i = 0; i < count; i++)
        ns += 2 * VERIFY_PASSES * residents_block_ns(c, t, members[i]);
    return ns * (uint64_t)executions;
}

/* All executions that are missing: a part of a verification is worth nothing, and another target may need the
 * time that it would take. */
static uint64_t expected_ns(const struct verifying *v)
{
    return verify_expected_ns(v->c, v->t, v->members, v->count, VERIFY_EXECUTIONS - v->done);
}

static bool is_missing(struct verifying *v)
{
    struct verify_done done[VERIFY_EXECUTIONS];
    v->done = (int)verify_complete(done, VERIFY_EXECUTIONS, &v->t->history, v->members, v->count);
    return v->count > 0 && v->deaths < DEATHS && v->done < VERIFY_EXECUTIONS;
}

static enum status go_on(struct verifying *v, struct err *err)
{
    enum status st = find_members(v, err);
    while (st == ST_OK && is_missing(v)) {
        if (campaign_stopped(v->c))
            return err_set(err, ST_INTERRUPTED, "interrupted: --resume goes on");
        if (campaign_elapsed_ns(v->c) - v->start_ns + expected_ns(v) > v->share_ns) {
            v->t->cut = true;
            return ST_OK;
        }
        st = run_execution(v, err);
        if (status_is_of_worker(st, err))
            st = note_death(v, st, err);
    }
    return st;
}

enum status verify_run(struct campaign_state *c, struct target_state *t, struct err *err)
{
    struct verifying *v = calloc(1, sizeof *v);
    if (!v)
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for a verification");
    v->c = c;
    v->t = t;
    v->start_ns = campaign_elapsed_ns(c);
    v->share_ns = campaign_left_ns(c); /* two thirds of a verification are worth nothing: no equal shares */
    enum status st = go_on(v, err);
    free(v);
    return st;
}
