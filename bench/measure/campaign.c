#include "bench/measure/campaign.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure/campaign_begin.h"
#include "bench/measure/campaign_state.h"
#include "bench/measure/gate.h"
#include "bench/measure/probe.h"
#include "bench/measure/results.h"
#include "bench/measure/rounds.h"

/* --- a target that ends --------------------------------------------------------------------------------- */

/* Must the campaign fail because of it? What a flag named must be there; a wrong model or request always
 * fails. */
static bool is_refused(const struct campaign_state *c, enum status status)
{
    const struct config *k = c->config;
    return status == ST_MODEL || status == ST_INVALID || k->engines_named || k->devices_named ||
           k->precisions_named;
}

/* A detail without the target's name before it, for where the name stands already. */
static const char *without_name(const struct target_state *t, const char *detail)
{
    size_t size = strlen(t->plan->name);
    bool named = strncmp(detail, t->plan->name, size) == 0 && strncmp(detail + size, ": ", 2) == 0;
    return named ? detail + size + 2 : detail;
}

enum status target_end(struct campaign_state *c, struct target_state *t, enum status status, enum why why,
                       const char *detail, struct err *err)
{
    t->ended = true;
    t->ended_why = why;
    snprintf(t->row.result, sizeof t->row.result, "%s",
             why == WHY_NONE ? status_kind(status) : why_name(why));
    snprintf(t->row.detail, sizeof t->row.detail, "%.*s", (int)sizeof t->row.detail - 1, detail);
    if (why == WHY_NONE && is_refused(c, status) && c->refused_status == ST_OK) {
        c->refused_status = status;
        snprintf(c->refused_text, sizeof c->refused_text, "%s", t->row.detail);
    } else if (why == WHY_NONE) {
        snprintf(c->note_text, sizeof c->note_text, "%s", t->row.detail);
    }
    campaign_tell(c, t, why == WHY_NONE ? "note" : "warning", without_name(t, t->row.detail), 0, 0);
    return store_append_target_state(c->store, &t->row, err);
}

/* --- phases --------------------------------------------------------------------------------------------- */

/* Gate, ascent and batch check of one target. */
static enum status ascend_target(struct campaign_state *c, struct target_state *t, struct err *err)
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

static const char *cause_of(const struct target_state *t, enum status st)
{
    return t->measured || t->ended ? ""
           : st == ST_INTERRUPTED  ? "interrupted"
           : t->cut                ? "budget"
                                   : "unfinished";
}

static void tell_done(const struct campaign_state *c, const struct target_state *t, int batch)
{
    char text[160];
    if (batch)
        snprintf(text, sizeof text, "batch %d", batch);
    else if (t->cut)
        snprintf(text, sizeof text, "the budget ended before a batch size was tried");
    else
        snprintf(text, sizeof text, "no batch size is usable");
    campaign_tell(c, t, "target done", text, batch, 0);
}

/* All ascents first, so that an early end leaves a coarse answer everywhere; then the rounds of each. */
static enum status run_targets(struct campaign_state *c, struct err *err)
{
    enum status st = ST_OK;
    int batch;
    for (size_t i = 0; i < c->target_count && st == ST_OK; i++) {
        struct target_state *t = &c->targets[i];
        st = ascend_target(c, t, err);
        if (st == ST_OK)
            st = results_store(&batch, c, t, cause_of(t, ST_OK), err);
    }
    for (size_t i = 0; i < c->target_count && st == ST_OK; i++) {
        struct target_state *t = &c->targets[i];
        if (t->ended || !t->searched)
            continue;
        st = rounds_run(c, t, err);
        if (st == ST_OK)
            st = results_store(&batch, c, t, cause_of(t, ST_OK), err);
        if (st == ST_OK)
            tell_done(c, t, batch);
    }
    return st;
}

/* --- the end -------------------------------------------------------------------------------------------- */

/* What has been found when everything is stored. */
struct outcome {
    size_t unusable, cut;
    const struct target_state *first_unusable, *first_cut;
};

/* Results of every target as they stand: after an interrupt, too, the store holds a valid answer. */
static enum status store_all(struct outcome *o, struct campaign_state *c, enum status how, struct err *err)
{
    enum status st = ST_OK;
    *o = (struct outcome){ 0 };
    for (size_t i = 0; i < c->target_count && st == ST_OK; i++) {
        const struct target_state *t = &c->targets[i];
        const char *cause = cause_of(t, how);
        int batch;
        st = results_store(&batch, c, t, cause, err);
        bool never_ran = t->ended && t->ended_why == WHY_NONE;
        bool unusable = !batch && !*cause && !never_ran && !t->cut; /* no time to try one is not bad news */
        bool cut = *cause != 0 || t->cut;
        o->first_unusable = unusable && !o->unusable ? t : o->first_unusable;
        o->first_cut = cut && !o->cut ? t : o->first_cut;
        o->unusable += unusable;
        o->cut += cut;
    }
    return st;
}

/* Takes a status with its sentence if it outranks the one that is there. */
static void consider(enum status *best, struct err *err, enum status st, const char *text)
{
    if (status_rank(st) <= status_rank(*best))
        return;
    *best = st;
    err_set(err, st, "%s", text);
}

/* What went wrong first: with the target, else with its first size that failed. */
static const char *first_failure(const struct target_state *t)
{
    const struct history *h = &t->history;
    if (*t->row.detail)
        return without_name(t, t->row.detail);
    for (size_t i = 0; i < h->prepared_count; i++)
        if (*h->prepared[i].detail)
            return h->prepared[i].detail;
    return h->loss_count ? h->losses[0].detail : "";
}

static enum status verdict(const struct campaign_state *c, const struct outcome *o, enum status how,
                           struct err *err)
{
    enum status best = ST_OK;
    char text[ERR_TEXT_MAX];
    if (o->unusable) {
        const char *failure = first_failure(o->first_unusable);
        snprintf(text, sizeof text, "%s: no batch size is usable%s%s", o->first_unusable->plan->name,
                 *failure ? ": " : "", failure);
        consider(&best, err, ST_BAD_NEWS, text);
    }
    if (c->refused_status != ST_OK)
        consider(&best, err, c->refused_status, c->refused_text);
    if (c->refused_status == ST_OK && !c->ran && *c->note_text)
        consider(&best, err, ST_ENVIRONMENT, c->note_text);
    if (how == ST_INTERRUPTED)
        consider(&best, err, ST_INTERRUPTED, "interrupted: what is known so far is stored, --resume goes on");
    if (o->cut && how != ST_INTERRUPTED) {
        snprintf(text, sizeof text,
                 "the budget ended before %zu of %zu targets were measured (first: %s): --resume goes "
                 "on, or use a larger --budget",
                 o->cut, c->target_count, o->first_cut->plan->name);
        consider(&best, err, ST_UNDECIDED, text);
    }
    return best;
}

/* The status that campaign_run returns, stored as the run's end. */
static enum status finish(struct campaign_state *c, enum status how, struct err *err)
{
    struct outcome o;
    enum status st = store_all(&o, c, how, err);
    if (st != ST_OK)
        return st;
    enum status best = verdict(c, &o, how, err);
    const char *state = how == ST_INTERRUPTED ? "interrupted" : o.cut ? "budget" : "done";
    st = campaign_record_end(c, state, status_exit(best), NULL);
    return st != ST_OK
               ? err_set(err, st, "%s: the end of the campaign could not be stored", store_path(c->store))
               : best;
}

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
        st = finish(c, st, err);
    else if (begun)
        campaign_record_end(c, "failed", status_exit(st), NULL);
    campaign_release(c);
    free(c);
    return st;
}
