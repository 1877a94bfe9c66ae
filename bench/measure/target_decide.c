/* The decision of a campaign's target as it stands. */
#include "bench/measure/campaign_state.h"

#include <math.h>

#include "bench/measure/ascent.h"
#include "bench/measure/point.h"
#include "tuner/stats.h"

struct decision_rules target_rules(const struct campaign_state *c, const struct target_state *t)
{
    struct decision_rules rules = decision_rules_of(c->config, &t->row, t->given_count ? t->given : NULL,
                                                    t->given_count);
    rules.response = t->response;
    return rules;
}

enum status target_decide(struct decision **out, const struct campaign_state *c, const struct target_state *t,
                          struct err *err)
{
    const struct decision_rules rules = target_rules(c, t);
    return decision_make(out, &(struct decision_ask){ .rules = &rules,
                                                      .history = &t->history,
                                                      .search_over = t->search_over,
                                                      .rounds_over = t->rounds_over,
                                                      .race_over = t->race_over }, err);
}

void target_note_best(struct target_state *t, const struct decision *d)
{
    struct point p;
    t->best.batch = d->choice.batch;
    t->best.rounds = d->rounds;
    t->best.alive = 0;
    t->best.images_per_s = exp(ascent_value(NULL, &t->history, d->choice.batch, OBJECTIVE_THROUGHPUT));
    t->best.low = t->best.high = NAN;
    for (size_t i = 0; i < d->count; i++)
        t->best.alive += d->race.sizes[i].alive;
    if (!d->choice.batch || point_make(&p, &t->history, d, d->choice.batch, NULL) != ST_OK)
        return;
    struct interval i = stats_interval(p.y, p.n, INTERVAL_SEQUENTIAL);
    if (i.reason == STATS_FINE) {
        t->best.images_per_s = exp(i.m);
        t->best.low = exp(i.low);
        t->best.high = exp(i.high);
    }
    point_free(&p);
}
