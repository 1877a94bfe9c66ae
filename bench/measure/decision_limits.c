/* Which candidates keep the latency limit: proved, refuted, or open. */
#include "bench/measure/decision_parts.h"

#include <stdlib.h>

#include "tuner/slo.h"

/* Valid iterations of a size in rounds and proofs, in time order. */
struct times {
    double *ms;                      /* [count] */
    size_t *round;                   /* [count]: which of the race's rounds, from 1; beyond the last: a
                                        proof */
    size_t count;
};

static bool proves(const struct block_fact *f, int batch)
{
    return f->valid && f->iteration_ns && f->batch == batch &&
    (f->kind == BLOCK_RACE || f->kind == BLOCK_SLO);
}

static size_t place_of_round(const struct race_rounds *r, const struct block_fact *f)
{
    size_t i = 0;
    while (f->kind == BLOCK_RACE && i < r->count && r->items[i].number < f->round)
        i++;
    return f->kind == BLOCK_RACE ? i + 1 : r->count + 1;
}

static enum status times_make(struct times *out, const struct history *h, const struct race_rounds *r,
                              int batch,
                              struct err *err)
{
    size_t most = 0;
    for (size_t i = 0; i < h->count; i++)
        most += proves(&h->blocks[i], batch) ? (size_t)h->blocks[i].iterations : 0;
    *out = (struct times){ .ms = malloc((most + 1) * sizeof *out->ms),
                           .round = malloc((most + 1) * sizeof *out->round) };
    if (!out->ms || !out->round) {
        free(out->ms);
        free(out->round);
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for %zu iteration times", most);
    }
    for (size_t i = 0; i < h->count; i++)
        for (int k = 0; proves(&h->blocks[i], batch) && k < h->blocks[i].iterations; k++) {
            out->ms[out->count] = (double)h->blocks[i].iteration_ns[k] / 1e6;
            out->round[out->count++] = place_of_round(r, &h->blocks[i]);
        }
    return ST_OK;
}

static enum status check_limit(struct race_candidate *c, const struct decision_ask *ask,
                               const struct slo_rule *rule, const struct race_rounds *r, struct err *err)
{
    struct times times;
    enum status st = times_make(&times, ask->history, r, c->batch, err);
    if (st != ST_OK)
        return st;
    struct slo_answer a = slo_check(rule, times.ms, times.count, ask->rules->limit.limit_ms);
    c->limit = a.status;
    c->limit_round = a.status == SLO_OPEN ? 0 : times.round[a.used - 1];
    free(times.ms);
    free(times.round);
    return ST_OK;
}

/* By simulation, and with what was kept of it if there is a place for it. */
static enum status check_responses(struct decision *d, const struct decision_ask *ask, struct err *err)
{
    const struct decision_rules *rules = ask->rules;
    struct response_limits *kept = rules->response, *own = NULL;
    enum status st = kept ? ST_OK
                          : response_limits_open(&own, &rules->limit, rules->arrivals, rules->instances, err);
    if (st == ST_OK)
        st = response_limits_check(d->candidates, d->count, kept ? kept : own, ask->history, err);
    response_limits_close(own);
    return st;
}

enum status decision_check_limits(struct decision *d, const struct decision_ask *ask,
                                  const struct race_rounds *r, struct err *err)
{
    const struct latency_limit *limit = &ask->rules->limit;
    enum status st = ST_OK;
    if (limit->percentile == 0)
        return ST_OK;
    if (limit->response)
        return check_responses(d, ask, err);
    const struct slo_rule rule = slo_rule_of(limit->percentile);
    for (size_t i = 0; i < d->count && st == ST_OK; i++)
        st = check_limit(&d->candidates[i], ask, &rule, r, err);
    return st;
}

uint64_t decision_proof_ns(const struct history *h, int batch)
{
    uint64_t ns = 0;
    for (size_t i = 0; i < h->count; i++)
        if (h->blocks[i].kind == BLOCK_SLO && h->blocks[i].batch == batch)
            ns += h->blocks[i].measured_ns;
    return ns;
}

bool decision_proofs_are_spent(const struct decision *d, const struct history *h)
{
    for (size_t i = 0; i < d->count; i++)
        if (d->race.sizes[i].alive && d->candidates[i].limit == SLO_OPEN &&
            decision_proof_ns(h, d->candidates[i].batch) < DECISION_PROOF_NS)
            return false;
    return true;
}
