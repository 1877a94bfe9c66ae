#include "bench/replay/campaign.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure/decision.h"
#include "bench/measure/plan.h"
#include "bench/measure/results_store.h"
#include "bench/measure/validity.h"
#include "kernels/base/len.h"

/* --- one target ----------------------------------------------------------------------------------------- */

static int compare_int(const void *a, const void *b)
{
    const int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

/* The sizes of --batches in order, each once. How many; 0: the ascent. */
static size_t given_sizes(int out[PLAN_BATCHES_MAX], const struct config *c)
{
    size_t n = 0;
    if (c->batches_auto || c->batches.count > PLAN_BATCHES_MAX)
        return 0;
    memcpy(out, c->batches.values, c->batches.count * sizeof *out);
    qsort(out, c->batches.count, sizeof *out, compare_int);
    for (size_t i = 0; i < c->batches.count; i++)
        if (n == 0 || out[n - 1] != out[i])
            out[n++] = out[i];
    return n;
}

/* Why it was not measured to its end: a fact of that run, no conclusion from its blocks. */
static const char *cause_of(const struct target_view *stored)
{
    static const char *const causes[] = { "interrupted", "budget", "unfinished" };
    for (size_t i = 0; i < LEN(causes); i++)
        if (stored->has_decision && strcmp(stored->decision.cause, causes[i]) == 0)
            return causes[i];
    return "";
}

static enum status decide(struct results **out, const struct replayed *r, const struct replayed_target *t,
                          const struct config *config, struct err *err)
{
    int given[PLAN_BATCHES_MAX];
    size_t count = given_sizes(given, config);
    const struct target_row *row = &t->stored->row;
    struct decision_rules rules = decision_rules_of(config, row, count ? given : NULL, count);
    rules.replayed = config != &r->config;
    const struct decision_ask over = { .rules = &rules, .history = &t->history, .search_over = true,
                                       .rounds_over = true, .race_over = true };
    struct results_ask ask = { .row = row, .rules = &rules, .history = &t->history,
                               .cause = cause_of(t->stored), .reserve = config->reserve,
                               .unsteady = t->unsteady, .shared_machine = r->shared_machine };
    struct decision *d = NULL;
    enum status st = *row->result ? ST_OK : decision_make(&d, &over, err);
    ask.decision = d;
    if (st == ST_OK)
        st = results_make(out, &ask, err);
    decision_free(d);
    return st;
}

/* --- the machine ---------------------------------------------------------------------------------------- */

struct seen {
    int64_t block;
    bool    hit;              /* by steal or contention */
};

static int seen_order(const void *a, const void *b)
{
    const struct seen *x = a, *y = b;
    return (x->block > y->block) - (x->block < y->block);
}

static bool is_hit(const struct target_view *t, int64_t block)
{
    for (size_t i = 0; i < t->mark_count; i++) {
        const struct mark_row *m = &t->marks[i];
        if (m->subject_id == block && strcmp(m->subject, "block") == 0 &&
            (strcmp(m->reason, validity_name(VALIDITY_STEAL)) == 0 ||
             strcmp(m->reason, validity_name(VALIDITY_CONTENDED)) == 0))
            return true;
    }
    return false;
}

/* Was the machine shared at any time, by the blocks of all targets in the order of measuring? */
static enum status find_shared(struct replayed *r, struct err *err)
{
    size_t n = 0, hits = 0;
    for (size_t i = 0; i < r->count; i++)
        n += r->targets[i].history.count;
    struct seen *seen = calloc(n + 1, sizeof *seen);
    if (!seen)
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for %zu blocks", n);
    n = 0;
    for (size_t i = 0; i < r->count; i++)
        for (size_t k = 0; k < r->targets[i].history.count; k++) {
            int64_t id = r->targets[i].history.blocks[k].id;
            seen[n++] = (struct seen){ id, is_hit(r->targets[i].stored, id) };
        }
    qsort(seen, n, sizeof *seen, seen_order);
    for (size_t i = 0; i < n; i++) {
        hits += seen[i].hit;
        r->shared_machine = r->shared_machine || validity_machine_is_shared(i + 1, hits);
    }
    free(seen);
    return ST_OK;
}

/* --- the campaign --------------------------------------------------------------------------------------- */

static enum status load_target(struct replayed *r, struct store *store, size_t place, struct err *err)
{
    struct replayed_target *t = &r->targets[place];
    t->stored = &r->campaign->targets[place];
    enum status st = history_load(&t->history, store, t->stored->row.id, t->stored->row.mode, err);
    if (st == ST_OK) {
        r->count++;
        st = results_find_unsteady(&t->unsteady, store, t->stored->row.id, err);
    }
    return st;
}

static enum status load(struct replayed *r, struct store *store, const char *name, struct err *err)
{
    enum status st = store_load_campaign(&r->campaign, store, name, err);
    if (st != ST_OK)
        return st;
    const struct run_row *run = &r->campaign->run;
    r->ended = strcmp(run->state, "running") != 0;
    st = config_read_text(&r->config, run->name, run->config_text, strlen(run->config_text), err);
    r->targets = calloc(r->campaign->target_count + 1, sizeof *r->targets);
    if (st == ST_OK && !r->targets)
        st = err_set(err, ST_OUT_OF_MEMORY, "not enough memory for %zu targets", r->campaign->target_count);
    for (size_t i = 0; i < r->campaign->target_count && st == ST_OK; i++)
        st = load_target(r, store, i, err);
    return st == ST_OK ? find_shared(r, err) : st;
}

enum status replayed_open(struct replayed **out, struct store *store, const char *name, struct err *err)
{
    struct replayed *r = calloc(1, sizeof *r);
    enum status st = r ? load(r, store, name, err)
                       : err_set(err, ST_OUT_OF_MEMORY, "not enough memory to replay a campaign");
    for (size_t i = 0; st == ST_OK && i < r->count; i++) {
        struct replayed_target *t = &r->targets[i];
        st = decide(&t->again, r, t, &r->config, err);
        if (st == ST_OK)
            st = compare_results(t->difference, t->stored, t->again, err);
    }
    *out = r;
    if (st != ST_OK) {
        replayed_close(r);
        *out = NULL;
    }
    return st;
}

void replayed_close(struct replayed *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->count; i++) {
        history_free(&r->targets[i].history);
        results_free(r->targets[i].again);
        results_free(r->targets[i].other);
    }
    free(r->targets);
    campaign_free(r->campaign);
    config_free(&r->config);
    free(r);
}

/* --- other parameters ----------------------------------------------------------------------------------- */

static bool has_energy(const struct replayed *r)
{
    for (size_t i = 0; i < r->count; i++)
        for (size_t k = 0; k < r->targets[i].history.count; k++)
            if (r->targets[i].history.blocks[k].energy_j > 0) /* false for NaN */
                return true;
    return false;
}

static enum status check_other(const struct replayed *r, const struct config *other, struct err *err)
{
    if (other->objective == OBJECTIVE_ENERGY && !has_energy(r))
        return err_set(err, ST_USAGE, "--objective energy: no block of campaign %s has its energy",
                       r->campaign->run.name);
    if (other->limit.percentile > 0 && other->limit.response && !(r->config.limit.response))
        return err_set(err, ST_USAGE,
                       "--slo: campaign %s was not measured under arrivals, so nothing can be said about "
                       "response times: limit the time of one batch (p95=300ms), or use bench queue",
                       r->campaign->run.name);
    return ST_OK;
}

enum status replayed_decide(struct replayed *r, const struct config *other, struct err *err)
{
    enum status st = check_other(r, other, err);
    for (size_t i = 0; i < r->count && st == ST_OK; i++)
        st = decide(&r->targets[i].other, r, &r->targets[i], other, err);
    return st;
}
