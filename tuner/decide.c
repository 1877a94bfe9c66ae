#include "tuner/decide.h"

#include <math.h>

#include "tuner/stats.h"

static const double worst_execution = .01; /* one execution may miss the zone by a point */

static const struct { const char *name, *text; } confidences[DECIDE_CONFIDENCE_COUNT] = {
#define X(id, word, sentence) [DECIDE_##id] = { word, sentence },
    DECIDE_CONFIDENCE_LIST(X)
#undef X
};
const char *decide_confidence_name(enum decide_confidence confidence) { return confidences[confidence].name; }
const char *decide_confidence_text(enum decide_confidence confidence) { return confidences[confidence].text; }

const char *decide_outcome_name(enum decide_outcome outcome)
{
    static const char *const names[] = { [INCUMBENT_NONE] = "none", [INCUMBENT_CONFIRMED] = "confirmed",
                                         [INCUMBENT_KEPT] = "kept", [INCUMBENT_REPLACED] = "replaced" };
    return names[outcome];
}

const char *decide_detail_name(enum decide_detail detail)
{
    static const char *const names[] = { [DETAIL_NONE] = "", [DETAIL_ACCEPTED] = "accepted",
                                         [DETAIL_INCUMBENT_KEPT] = "incumbent_kept",
                                         [DETAIL_BEST_SO_FAR] = "best_so_far", [DETAIL_PROVEN] = "yes",
                                         [DETAIL_NOT_PROVEN] = "no" };
    return names[detail];
}

/* --- choose --------------------------------------------------------------------------------------------- */

static const struct race_size *size_of(const struct decide_ask *ask, int batch)
{
    for (size_t i = 0; batch > 0 && i < ask->race->count; i++)
        if (ask->candidates[i].batch == batch)
            return &ask->race->sizes[i];
    return NULL;
}

/* It runs, keeps the limit and was not shown to be slower. A size that only could not be measured well
 stays. */
static bool can_be_kept(const struct race_size *s)
{
    return s && (s->alive || s->why == WHY_THROTTLED || s->why == WHY_INVALID);
}

/* Is its estimate within X of the best one? */
static bool is_near_best(const struct decide_ask *ask, const struct race_size *s)
{
    const struct race_size *leader = size_of(ask, ask->race->leader);
    return leader && s->alive && s->est >= leader->est + log1p(-ask->within);
}

/* No race ended: does the size in use stay? A guess only if today's guess would take it too. */
static bool stays(const struct decide_ask *ask, const struct race_size *incumbent)
{
    return ask->untried ||
           (can_be_kept(incumbent) &&
            (!ask->guessed || ask->race->state == RACE_NO_SIZE || is_near_best(ask, incumbent)));
}

/* Smallest alive size whose estimate lies within X of the best one. */
static int smallest_near_best(const struct decide_ask *ask)
{
    for (size_t i = 0; i < ask->race->count; i++)
        if (is_near_best(ask, &ask->race->sizes[i]))
            return ask->candidates[i].batch;
    return 0;
}

/* The race found W: does it go past the incumbent? */
static void weigh(struct decide_answer *out, const struct decide_ask *ask, int W)
{
    bool keep = ask->untried || (!ask->guessed && can_be_kept(size_of(ask, ask->incumbent)));
    out->batch = W;
    if (!keep || W == ask->incumbent || (!ask->untried && W < ask->incumbent && ask->pending == W))
        return;
    out->batch = ask->incumbent;
    out->pending = W < ask->incumbent && !ask->untried ? W : 0; /* a race without it says nothing against it */
}

static bool all_smaller_removed(const struct decide_ask *ask, int batch)
{
    for (size_t i = 0; i < ask->race->count && ask->candidates[i].batch < batch; i++)
        if (ask->race->sizes[i].alive)
            return false;
    return true;
}

static void rate(struct decide_answer *out, const struct decide_ask *ask, bool found)
{
    const struct race_size *d = size_of(ask, out->batch);
    bool accepted = found && d && d->accepted;
    bool closed = ask->race->state == RACE_STILL_OPEN || ask->race->state == RACE_WITHIN;
    bool lost = ask->race->state == RACE_NO_SIZE;
    out->confidence = !out->batch ? DECIDE_NONE : ask->race->look == 0 && !lost ? DECIDE_COARSE
                      : !accepted ? DECIDE_UNDECIDED
                      : all_smaller_removed(ask, out->batch) ? DECIDE_DECIDED : DECIDE_WITHIN;
    if (out->confidence == DECIDE_COARSE || out->confidence == DECIDE_UNDECIDED)
        out->cause = lost ? RACE_CAUSE_DISTURBED : closed && ask->race->cause != RACE_CAUSE_NONE ? ask->race->cause
                     : found && d ? RACE_CAUSE_MARGIN : RACE_CAUSE_BUDGET;
    out->detail = accepted ? DETAIL_ACCEPTED : !out->batch ? DETAIL_NONE
                  : out->batch == ask->incumbent ? DETAIL_INCUMBENT_KEPT : DETAIL_BEST_SO_FAR;
}

static void add_member(struct decide_answer *out, int batch)
{
    size_t at = 0;
    while (at < out->member_count && out->members[at] < batch)
        at++;
    if (batch <= 0 || (at < out->member_count && out->members[at] == batch))
        return;
    for (size_t i = out->member_count; i > at; i--)
        out->members[i] = out->members[i - 1];
    out->members[at] = batch;
    out->member_count++;
}

void decide_choose(struct decide_answer *out, const struct decide_ask *ask)
{
    const struct race_answer *race = ask->race;
    const struct race_size *incumbent = size_of(ask, ask->incumbent);
    bool found = race->state == RACE_DECIDED || race->state == RACE_WITHIN;
    *out = (struct decide_answer){ .incumbent = ask->incumbent, .leader = race->leader };
    if (found)
        weigh(out, ask, race->batch);
    else if (stays(ask, incumbent))
        out->batch = ask->incumbent; /* also where no size could be measured: nothing speaks against it */
    else if (race->state != RACE_NO_SIZE)
        out->batch = smallest_near_best(ask);
    rate(out, ask, found);
    if (!out->batch)
        return;
    if (ask->incumbent)
        out->outcome = out->batch != ask->incumbent ? INCUMBENT_REPLACED
                       : found && race->batch == ask->incumbent ? INCUMBENT_CONFIRMED : INCUMBENT_KEPT;
    add_member(out, out->batch);
    add_member(out, race->leader);
    if (can_be_kept(incumbent) || (incumbent && incumbent->why == WHY_SLOWER))
        add_member(out, ask->incumbent);
}

/* --- verify --------------------------------------------------------------------------------------------- */

/* Median over the passes of one execution of a member's value, minus that of the leader if `against`. */
static double over_passes(const struct verify_ask *ask, size_t e, size_t member, const size_t *against)
{
    double v[VERIFY_PASSES];
    size_t n = 0;
    for (size_t p = 0; p < VERIFY_PASSES; p++) {
        double x = ask->x[e][p][member] - (against ? ask->x[e][p][*against] : 0);
        if (isfinite(x))
            v[n++] = x;
    }
    return stats_median(v, n);
}

static void sum_member(struct verify_member *out, const struct verify_ask *ask, size_t member, size_t leader)
{
    double y[VERIFY_EXECUTIONS], sum = 0;
    out->q_min = INFINITY;
    for (size_t e = 0; e < VERIFY_EXECUTIONS; e++) {
        double q = over_passes(ask, e, member, &leader);
        y[e] = over_passes(ask, e, member, NULL);
        sum += q;
        out->q_min = q >= out->q_min ? out->q_min : q; /* NaN stays */
    }
    out->q_mean = sum / VERIFY_EXECUTIONS;
    out->stands = out->q_mean >= log1p(-ask->within) && out->q_min >= log1p(-ask->within - worst_execution);
    stats_sort(y, VERIFY_EXECUTIONS);
    out->y = isfinite(sum) ? stats_median_sorted(y, VERIFY_EXECUTIONS) : NAN;
    out->low = isfinite(sum) ? y[0] : NAN;
    out->high = isfinite(sum) ? y[VERIFY_EXECUTIONS - 1] : NAN;
}

static size_t member_of(const struct decide_answer *d, int batch)
{
    size_t i = 0;
    while (i < d->member_count && d->members[i] != batch)
        i++;
    return i;
}

void decide_verify(struct verify_answer *out, struct decide_answer *d, const struct verify_ask *ask)
{
    size_t leader = member_of(d, d->leader), chosen = member_of(d, d->batch);
    *out = (struct verify_answer){ 0 };
    d->verified = false;
    if (leader == d->member_count || chosen == d->member_count)
        return;
    for (size_t i = 0; i < d->member_count; i++)
        sum_member(&out->members[i], ask, i, leader);
    if (isnan(out->members[chosen].q_mean))
        return;
    d->verified = true;
    if (out->members[chosen].stands)
        return;
    d->failed[d->failed_count++] = d->batch;
    size_t next = 0;
    while (next < leader && !out->members[next].stands)
        next++; /* ends at the leader at the latest */
    d->batch = d->members[next];
    d->pending = 0;
    d->confidence = d->confidence < DECIDE_UNDECIDED ? d->confidence : DECIDE_UNDECIDED;
    d->cause = RACE_CAUSE_VERIFICATION;
    d->detail = d->batch == d->incumbent ? DETAIL_INCUMBENT_KEPT : DETAIL_BEST_SO_FAR;
    if (d->incumbent)
        d->outcome = d->batch == d->incumbent ? INCUMBENT_KEPT : INCUMBENT_REPLACED;
}

/* --- why ------------------------------------------------------------------------------------------------ */

static enum why why_alive(const struct decide_ask *ask, const struct decide_answer *d,
                          const struct race_size *s, int batch)
{
    for (size_t i = 0; i < d->failed_count; i++)
        if (d->failed[i] == batch)
            return WHY_FAILED_VERIFICATION;
    if (batch > d->batch)
        return WHY_WITHIN_ZONE_BUT_LARGER;
    if (d->pending && s->accepted)
        return WHY_SMALLER_PENDING;
    return s->c > ask->within / 2 ? WHY_UNSTABLE : WHY_UNDECIDED; /* false for NaN */
}

static void reason_of_candidate(struct decide_why *out, const struct decide_ask *ask,
                                const struct decide_answer *d, const struct race_size *s,
                                const struct race_candidate *c)
{
    out->why = c->batch == d->batch ? WHY_CHOSEN : s->alive ? why_alive(ask, d, s, c->batch) : s->why;
    out->detail = out->why == WHY_CHOSEN ? d->detail
                  : out->why != WHY_OVER_SLO ? DETAIL_NONE
                  : c->limit == SLO_FAIL ? DETAIL_PROVEN : DETAIL_NOT_PROVEN;
    out->y = s->est;
    out->rival = s->rival;
    out->m = s->m;
    out->c = s->c;
    out->df = s->df;
    out->n = s->pairs;
}

void decide_reasons(struct decide_why *whys, const struct search_size *sizes, size_t count,
                    const struct decide_ask *ask, const struct decide_answer *decided)
{
    for (size_t i = 0; i < count; i++) {
        const struct race_size *s = size_of(ask, sizes[i].batch);
        whys[i] = (struct decide_why){ .batch = sizes[i].batch,
                                       .why = sizes[i].why,
                                       .y = sizes[i].y,
                                       .limit = NAN,
                                       .rival = sizes[i].rival,
                                       .m = sizes[i].m,
                                       .c = NAN,
                                       .df = NAN };
        if (!s && sizes[i].batch == decided->batch) { /* kept without being tried */
            whys[i].why = WHY_CHOSEN;
            whys[i].detail = decided->detail;
        }
        if (s && sizes[i].why == WHY_NONE) {
            reason_of_candidate(&whys[i], ask, decided, s, &ask->candidates[s - ask->race->sizes]);
            whys[i].limit = whys[i].rival ? log1p(-ask->within) : NAN;
        }
    }
}

const char *decide_why_text(const struct decide_why *why)
{
    return why->why == WHY_WITHIN_ZONE_BUT_LARGER && why->m < why->limit /* false for NaN */
               ? "larger than the chosen size, and not shown to be slower" : why_text(why->why);
}
