/* What a service may execute beside the chosen size, and what it is given in its place if a smaller one
 * fails. */
#include "bench/measure/decision_parts.h"

#include <math.h>
#include <stdlib.h>

struct safe_sizes {
    struct max_safe_size sizes[SEARCH_SIZES_MAX];
    int    failed[SEARCH_SIZES_MAX + 1];
    struct max_safe_ask ask;
};

static bool has_failed(enum why why)
{
    return why >= WHY_UNSUPPORTED && why <= WHY_WRONG_OUTPUT;
}

static const struct race_size *race_size_of(const struct decision *d, const struct race_answer *race,
                                            int batch)
{
    for (size_t i = 0; i < d->count; i++)
        if (d->candidates[i].batch == batch)
            return &race->sizes[i];
    return NULL;
}

static void add_sizes(struct safe_sizes *s, const struct decision *d, const struct decision_rules *rules,
                      const struct race_answer *race, const struct decide_why *whys, int batch)
{
    const struct race_size *leader = race_size_of(d, race, race->leader);
    s->ask = (struct max_safe_ask){ .sizes = s->sizes,
                                    .count = d->search.count,
                                    .decision = batch,
                                    .best = leader ? leader->est : NAN,
                                    .within = rules->within,
                                    .ceiling = d->ceiling.batch > batch ? d->ceiling.batch : batch,
                                    .failed = s->failed,
                                    .not_run = (int)d->fill.count + 1,
                                    .executed = rules->max_safe_executed };
    for (size_t i = 0; i < d->search.count; i++) {
        const struct race_size *size = race_size_of(d, race, whys[i].batch);
        s->sizes[i] = (struct max_safe_size){ .batch = whys[i].batch,
                                              .why = whys[i].why,
                                              .limit = size ? size->limit : SLO_PASS,
                                              .y = whys[i].y };
        if (has_failed(d->whys[i].why))
            s->failed[s->ask.failed_count++] = d->whys[i].batch;
    }
    if (d->ceiling.first_failed) /* of the ascent, the ceiling and the fill table */
        s->failed[s->ask.failed_count++] = d->ceiling.first_failed;
}

/* A candidate of the search that ran, below a size that failed: the smallest near the best of them. */
static int coarse_choice_below(const struct decision *d, int end, double within)
{
    double best = -INFINITY;
    for (size_t i = 0; i < d->search.count; i++)
        if (d->search.sizes[i].has_y && d->search.sizes[i].batch < end)
            best = fmax(best, d->search.sizes[i].y);
    for (size_t i = 0; i < d->search.count && isfinite(best); i++)
        if (d->search.sizes[i].has_y && d->search.sizes[i].y >= best + log1p(-within))
            return d->search.sizes[i].batch;
    return 0;
}

/* The race once more from the same blocks, as if the sizes from `end` on had never been there. */
static void choose_below(struct decide_answer *out, struct race_answer *race,
                         struct race_candidate *candidates,
                         struct decide_why *whys, const struct decision *d,
                         const struct decision_rules *rules,
                         int end)
{
    struct race_ask ask = decision_race_ask(d, rules);
    for (size_t i = 0; i < d->count; i++) {
        candidates[i] = d->candidates[i];
        if (candidates[i].batch >= end) {
            candidates[i].lost = WHY_INVALID;
            candidates[i].lost_round = 0;
        }
    }
    ask.candidates = candidates;
    ask.out_of_budget = ask.limits_final = true;
    race_step(race, &ask, NULL);
    struct decide_ask decide = decision_decide_ask(d, rules);
    decide.race = race;
    decide.candidates = candidates;
    decide.pending = 0;
    decide.incumbent = rules->incumbent < end ? rules->incumbent : 0;
    decide_choose(out, &decide);
    decide_reasons(whys, d->search.sizes, d->search.count, &decide, out);
}

struct below {                       /* too large for the stack of a function that is called often */
    struct safe_sizes safe;
    struct race_answer race;
    struct decide_answer choice;
    struct decide_why whys[SEARCH_SIZES_MAX];
    struct race_candidate candidates[RACE_SIZES_MAX];
};

static void serve_below(struct decision *d, const struct decision_rules *rules, struct below *b)
{
    int end = d->max_safe.failed_below;
    choose_below(&b->choice, &b->race, b->candidates, b->whys, d, rules, end);
    d->optimal = b->choice.batch && b->choice.batch < end ? b->choice.batch
                                                          : coarse_choice_below(d, end, rules->within);
    b->safe = (struct safe_sizes){ .ask = { 0 } };
    add_sizes(&b->safe, d, rules, &b->race, b->whys, d->optimal);
    max_safe_of(&d->max_safe, &b->safe.ask);
    d->max_safe.failed_below = end;
}

enum status decision_find_max_safe(struct decision *d, const struct decision_rules *rules, struct err *err)
{
    struct below *b = calloc(1, sizeof *b);
    if (!b)
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for a decision");
    add_sizes(&b->safe, d, rules, &d->race, d->whys, d->choice.batch);
    max_safe_of(&d->max_safe, &b->safe.ask);
    d->optimal = d->choice.batch;
    if (d->max_safe.failed_below)
        serve_below(d, rules, b);
    if (d->max_safe.max_safe < d->optimal) /* chosen without proof: it is all that is known to run */
        d->max_safe.max_safe = d->optimal;
    fill_advise(&d->fill, d->max_safe.max_safe);
    free(b);
    return ST_OK;
}
