/* The decision of a campaign's target as it stands. */
#include "bench/measure/campaign_state.h"

struct decision_rules target_rules(const struct campaign_state *c, const struct target_state *t)
{
    return decision_rules_of(c->config, &t->row, t->given_count ? t->given : NULL, t->given_count);
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
