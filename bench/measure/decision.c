#include "bench/measure/decision.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure/ascent.h"
#include "bench/measure/decision_parts.h"
#include "bench/measure/verify.h"

/* --- values --------------------------------------------------------------------------------------------- */

double decision_value(const struct block_fact *f, enum objective objective)
{
    double images = (double)f->batch * f->iterations;
    double value = objective == OBJECTIVE_LATENCY  ? -log(f->t_iter_ns / 1e6)
                   : objective == OBJECTIVE_ENERGY ? -log(f->energy_j / images)
                                                   : f->y;
    return isfinite(value) ? value : NAN;
}

struct decision_rules decision_rules_of(const struct config *config, const struct target_row *row,
                                        const int *given, size_t count)
{
    return (struct decision_rules){ .within = config->within,
                                    .alpha = config->alpha,
                                    .objective = config->objective,
                                    .limit = config->limit,
                                    .arrivals = &config->arrivals,
                                    .instances = row->instances,
                                    .given = given,
                                    .given_count = given ? count : 0,
                                    .max_batch = config->max_batch,
                                    .refine = config->refine,
                                    .max_safe_executed = config->max_safe_executed,
                                    .incumbent = row->incumbent,
                                    .guessed = strcmp(row->incumbent_source, STORE_GUESS) == 0,
                                    .pending = row->pending };
}

/* --- the choice ----------------------------------------------------------------------------------------- */

static bool is_untried(const struct decision *d, int batch)
{
    for (size_t i = 0; i < d->search.count; i++)
        if (d->search.sizes[i].batch == batch)
            return d->search.sizes[i].why == WHY_NOT_TRIED_BUDGET;
    return false;
}

struct decide_ask decision_decide_ask(const struct decision *d, const struct decision_rules *rules)
{
    return (struct decide_ask){ .race = &d->race,
                                .candidates = d->candidates,
                                .within = rules->within,
                                .incumbent = rules->incumbent,
                                .untried = rules->incumbent && is_untried(d, rules->incumbent),
                                .guessed = rules->guessed,
                                .pending = rules->pending };
}

/* Sizes that no time was left to try could be better than all that were compared. */
static void doubt_what_was_cut(struct decision *d)
{
    for (size_t i = 0; i < d->search.count; i++)
        if (d->search.sizes[i].why == WHY_NOT_TRIED_BUDGET && d->choice.confidence > DECIDE_UNDECIDED) {
            d->choice.confidence = DECIDE_UNDECIDED;
            d->choice.cause = RACE_CAUSE_BUDGET;
        }
}

static enum status choose(struct decision *d, const struct decision_ask *ask, struct err *err)
{
    const struct decide_ask decide = decision_decide_ask(d, ask->rules);
    decide_choose(&d->choice, &decide);
    if (d->choice.batch) {
        verify_gather(&d->verify_blocks, ask->history, &d->choice, ask->rules->objective, ask->rules->within);
        decide_verify(&d->verification, &d->choice, &d->verify_blocks);
    }
    doubt_what_was_cut(d);
    ceiling_of(&d->ceiling, ask->history, &d->search);
    decide_reasons(d->whys, d->search.sizes, d->search.count, &decide, &d->choice);
    return d->choice.batch ? fill_table_make(&d->fill, ask->history, d->choice.batch, err) : ST_OK;
}

/* --- all of it ------------------------------------------------------------------------------------------ */

enum status decision_make(struct decision **out, const struct decision_ask *ask, struct err *err)
{
    struct decision *d = calloc(1, sizeof *d);
    enum status st = d ? ST_OK : err_set(err, ST_OUT_OF_MEMORY, "not enough memory for a decision");
    *out = NULL;
    if (st == ST_OK)
        ascent_search(&d->search, ask->rules, ask->history, ask->search_over);
    if (st == ST_OK && !d->search.next) {
        st = decision_make_race(d, ask, err);
        if (st == ST_OK)
            st = choose(d, ask, err);
        if (st == ST_OK && d->choice.batch)
            st = decision_find_max_safe(d, ask->rules, err);
    }
    if (st == ST_OK)
        *out = d;
    else
        decision_free(d);
    return st;
}

void decision_free(struct decision *d)
{
    if (!d)
        return;
    free(d->candidates);
    free(d->blocks);
    free(d->counted);
    free(d->looks);
    fill_table_free(&d->fill);
    free(d);
}
