#include "bench/measure/results_decision.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench/measure/fill.h"
#include "bench/measure/open_loop.h"
#include "bench/measure/results_estimates.h"

/* --- the sentence --------------------------------------------------------------------------------------- */

static void say_none(struct decision_row *row, const struct decision *d)
{
    enum why why = WHY_NONE;
    for (size_t i = d->search.count; i-- > 0;)
        if (d->whys[i].why < WHY_NOT_TRIED_BUDGET && d->whys[i].why > WHY_CHOSEN)
            why = d->whys[i].why; /* of the smallest size that has one */
    snprintf(row->reason, sizeof row->reason, "no batch size %s%s%s",
             *row->cause ? "has run so far" : "is usable",
             why == WHY_NONE ? "" : ": ", why == WHY_NONE ? "" : why_text(why));
}

/* What was found, without what became of the incumbent. */
static void say_found(char *out, size_t size, const struct decision *d, double percent)
{
    const struct decide_answer *a = &d->choice;
    int B = a->batch;
    if (a->confidence == DECIDE_COARSE)
        snprintf(out, size, "%d is the best by the first probes, no size was compared with another", B);
    else if (a->confidence == DECIDE_UNDECIDED)
        snprintf(out, size, "undecided, %d is the best so far: %s", B, race_cause_text(a->cause));
    else if (a->confidence == DECIDE_WITHIN)
        snprintf(out, size, "%d is within %.3g %% of the best, perhaps a smaller size is too", B, percent);
    else if (B == a->leader)
        snprintf(out, size, "%d is the best, no smaller size is within %.3g %%", B, percent);
    else
        snprintf(out, size, "%d is the smallest size within %.3g %% of the best (%d)", B, percent, a->leader);
}

static void say_kept(char *out, size_t size, const struct decision *d)
{
    const struct decide_answer *a = &d->choice;
    if (a->pending)
        snprintf(out, size,
                 "%d is in use and kept; %d is as good and smaller: it is chosen if the next tune agrees",
                 a->batch, a->pending);
    else
        snprintf(out, size, "%d is in use and kept: it is not shown to be slower", a->batch);
}

static void say(struct decision_row *row, const struct decision *d, double percent)
{
    char text[sizeof row->reason];
    if (!d->choice.batch) {
        say_none(row, d);
        return;
    }
    if (d->choice.outcome == INCUMBENT_KEPT && d->choice.cause != RACE_CAUSE_VERIFICATION)
        say_kept(text, sizeof text, d);
    else
        say_found(text, sizeof text, d, percent);
    if (d->optimal != d->choice.batch)
        snprintf(row->reason, sizeof row->reason, "%d does not run, so %d is served in place of %d: %.90s",
                 d->max_safe.failed_below, d->optimal, d->choice.batch, text);
    else
        snprintf(row->reason, sizeof row->reason, "%s", text);
}

/* --- its parts ------------------------------------------------------------------------------------------ */

static void put_ceiling(struct decision_row *row, const struct decision *d)
{
    row->ceiling_batch = d->ceiling.batch;
    row->ceiling_is_lower_bound = d->ceiling.is_lower_bound;
    row->first_failed_batch = d->ceiling.first_failed;
    snprintf(row->first_failed_why, sizeof row->first_failed_why, "%s",
             why_name(d->ceiling.first_failed_why));
    row->max_safe = d->max_safe.max_safe;
    row->optimal = d->optimal;
}

static void put_choice(struct decision_row *row, const struct decide_answer *a, const char *unfinished)
{
    bool cut = a->cause == RACE_CAUSE_NONE || a->cause == RACE_CAUSE_BUDGET;
    row->batch = a->batch;
    row->verified = a->verified;
    row->leader = a->leader;
    row->incumbent = a->incumbent;
    row->pending = a->pending;
    snprintf(row->confidence, sizeof row->confidence, "%s", decide_confidence_name(a->confidence));
    snprintf(row->cause, sizeof row->cause, "%s",
             cut && *unfinished ? unfinished : race_cause_name(a->cause));
    snprintf(row->incumbent_outcome, sizeof row->incumbent_outcome, "%s", decide_outcome_name(a->outcome));
}

static double first_use_of(const struct fill_table *f, int batch)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->sizes[i].images == batch)
            return f->sizes[i].first_use_ms;
    return NAN;
}

static void put_break_even(struct decision_row *row, const struct results *r, const struct decision *d)
{
    int against = d->choice.incumbent && d->choice.incumbent != d->optimal ? d->choice.incumbent : 1;
    struct break_even b = break_even_of(d->optimal, results_rate_of(r, d->optimal),
                                        first_use_of(&d->fill, d->optimal), against,
                                        results_rate_of(r, against));
    row->break_even_against = b.against;
    row->break_even_images = b.images;
    row->break_even_calls = b.calls;
}

static void put_rules(struct decision_row *row, const struct results_ask *ask)
{
    const struct latency_limit *limit = &ask->rules->limit;
    row->target = ask->row->id;
    row->x = ask->rules->within;
    row->alpha = ask->rules->alpha;
    row->memory_reserve = ask->reserve;
    snprintf(row->objective, sizeof row->objective, "%s", objective_name(ask->rules->objective));
    snprintf(row->slo_kind, sizeof row->slo_kind, "%s",
             limit->percentile == 0 ? "" : limit->response ? "response" : "service");
    row->slo_percentile = limit->percentile == 0 ? NAN : limit->percentile;
    row->slo_limit_ms = limit->percentile == 0 ? NAN : limit->limit_ms;
    snprintf(row->incumbent_source, sizeof row->incumbent_source, "%s",
             ask->rules->incumbent ? ask->row->incumbent_source : "");
    row->noise_floor = row->control_m = row->control_c = NAN;
    row->queue_rate = row->queue_delay_ms = row->queue_p95_ms = row->queue_limit_ms = NAN;
}

/* What requests waited in the open loop of the size to be served, if it was measured and sent in time. */
static enum status put_queue(struct decision_row *row, const struct results_ask *ask, struct err *err)
{
    const struct latency_limit *limit = &ask->rules->limit;
    struct open_loop_answer a;
    const struct open_loop_fact *fact;
    enum status st = open_loop_standing(&a, &fact, ask->history, row->optimal, limit, err);
    if (st != ST_OK || !fact || fact->end != OPEN_LOOP_COMPLETE)
        return st;
    row->queue_rate = fact->ask.rate;
    row->queue_batch = fact->ask.batch;
    row->queue_instances = fact->ask.instances;
    row->queue_delay_ms = (double)fact->ask.delay_ns / 1e6;
    row->queue_p95_ms = 1e3 * a.p95_s;
    row->queue_limit_ms = limit->response ? limit->limit_ms : NAN;
    return ST_OK;
}

enum status results_decision_make(struct results *out, const struct results_ask *ask, struct err *err)
{
    const struct decision *d = ask->decision;
    struct decision_row *row = &out->decision;
    put_rules(row, ask);
    put_choice(row, &d->choice, ask->cause);
    put_ceiling(row, d);
    row->candidates = (int)d->count;
    row->noise_floor = d->race.noise_floor;
    row->control_m = d->race.control_m;
    row->control_c = d->race.control_c;
    if (d->choice.batch)
        put_break_even(row, out, d);
    say(row, d, 100 * ask->rules->within);
    out->has_decision = true;
    return put_queue(row, ask, err);
}

void results_decision_of_end(struct results *out, const struct results_ask *ask)
{
    struct decision_row *row = &out->decision;
    put_rules(row, ask);
    snprintf(row->confidence, sizeof row->confidence, "%s", decide_confidence_name(DECIDE_NONE));
    snprintf(row->incumbent_outcome, sizeof row->incumbent_outcome, "%s",
             decide_outcome_name(INCUMBENT_NONE));
    snprintf(row->reason, sizeof row->reason, "no batch size is usable: %s", why_text(ask->ended_why));
    out->has_decision = true;
}
