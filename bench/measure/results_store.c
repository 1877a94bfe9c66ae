#include "bench/measure/results_store.h"

#include <string.h>

#include "bench/measure/results.h"

const char *target_cause(const struct target_state *t, enum status how)
{
    if (t->finished || t->ended)
        return "";
    return how == ST_INTERRUPTED ? "interrupted" : t->cut ? "budget" : "unfinished";
}

enum status results_find_unsteady(bool *unsteady, struct store *store, int64_t target, struct err *err)
{
    struct execution_row *rows;
    size_t count;
    *unsteady = false;
    enum status st = store_load_executions(&rows, &count, store, target, err);
    if (st != ST_OK)
        return st;
    for (size_t i = 0; i < count; i++)
        *unsteady = *unsteady || (strcmp(rows[i].label, "normal") == 0 && strcmp(rows[i].steady, "no") == 0);
    store_free_executions(rows, count);
    return ST_OK;
}

enum status results_store(struct decide_answer *choice, struct campaign_state *c,
                          const struct target_state *t,
                          const char *cause, struct err *err)
{
    const struct decision_rules rules = target_rules(c, t);
    const struct decision_ask over = { .rules = &rules, .history = &t->history, .search_over = true,
                                       .rounds_over = true, .race_over = true };
    struct results_ask ask = { .row = &t->row, .ended = t->ended, .ended_why = t->ended_why, .rules = &rules,
                               .history = &t->history, .cause = cause, .reserve = c->config->reserve,
                               .shared_machine = c->shared_machine };
    struct decision *d = NULL;
    struct results *r = NULL;
    *choice = (struct decide_answer){ .batch = 0 };
    enum status st = results_find_unsteady(&ask.unsteady, c->store, t->row.id, err);
    if (st == ST_OK && !t->ended)
        st = decision_make(&d, &over, err);
    ask.decision = d;
    if (st == ST_OK)
        st = results_make(&r, &ask, err);
    if (st == ST_OK) {
        const struct store_results rows = results_rows(r);
        st = store_replace_results(c->store, t->row.id, &rows, err);
    }
    if (st == ST_OK && d)
        *choice = d->choice;
    results_free(r);
    decision_free(d);
    return st;
}
