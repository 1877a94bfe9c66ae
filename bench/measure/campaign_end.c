#include "bench/measure/campaign_end.h"

#include <stdio.h>
#include <string.h>

#include "bench/measure/campaign_begin.h"
#include "bench/measure/results_store.h"

/* What has been found when everything is stored. */
struct outcome {
    size_t unusable, cut, undecided;
    const struct target_state *first_unusable, *first_cut, *first_undecided;
};

static void count(size_t *n, const struct target_state **first, const struct target_state *t, bool is)
{
    *n += is;
    if (is && *n == 1)
        *first = t;
}

/* Results of every target as they stand: after an interrupt, too, the store holds a valid answer. */
static enum status store_all(struct outcome *o, struct campaign_state *c, enum status how, struct err *err)
{
    enum status st = ST_OK;
    *o = (struct outcome){ 0 };
    for (size_t i = 0; i < c->target_count && st == ST_OK; i++) {
        const struct target_state *t = &c->targets[i];
        struct decide_answer choice;
        const char *cause = target_cause(t, how);
        st = results_store(&choice, c, t, cause, err);
        bool never_ran = t->ended && t->ended_why == WHY_NONE;
        bool unusable = !choice.batch && !*cause && !never_ran; /* no time to try one is not bad news */
        bool undecided = choice.batch && choice.confidence < DECIDE_WITHIN;
        count(&o->unusable, &o->first_unusable, t, unusable);
        count(&o->cut, &o->first_cut, t, *cause != 0);
        count(&o->undecided, &o->first_undecided, t, undecided);
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
        return target_detail(t, t->row.detail);
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
    if (o->undecided) {
        snprintf(text, sizeof text,
                 "%zu of %zu targets are undecided (first: %s): "
                 "bench show --why says why; the best so far is stored",
                 o->undecided, c->target_count, o->first_undecided->plan->name);
        consider(&best, err, ST_UNDECIDED, text);
    }
    return best;
}

/* The budget ended in the middle of a block: it is abandoned, and what is not finished was cut. */
static void cut_the_rest(struct campaign_state *c)
{
    for (size_t i = 0; i < c->target_count; i++)
        c->targets[i].cut = c->targets[i].cut || (!c->targets[i].finished && !c->targets[i].ended);
}

enum status campaign_finish(struct campaign_state *c, enum status how, struct err *err)
{
    struct outcome o;
    if (how == ST_INTERRUPTED && !campaign_stopped(c)) {
        cut_the_rest(c);
        how = ST_OK;
    }
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
