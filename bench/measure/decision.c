#include "bench/measure/decision.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure/ascent.h"
#include "bench/measure/race_rounds.h"
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
                                    .pending = row->pending };
}

/* --- limits --------------------------------------------------------------------------------------------- */

/* Valid iterations of a size in rounds and proofs, in time order. */
struct times {
    double *ms;                      /* [count] */
    size_t *round;                   /* [count]: which of the race's rounds, from 1; beyond the last: a proof */
    size_t count;
};

static bool proves(const struct block_fact *f, int batch)
{
    return f->valid && f->iteration_ns && f->batch == batch && (f->kind == BLOCK_RACE || f->kind == BLOCK_SLO);
}

static size_t place_of_round(const struct race_rounds *r, const struct block_fact *f)
{
    size_t i = 0;
    while (f->kind == BLOCK_RACE && i < r->count && r->items[i].number < f->round)
        i++;
    return f->kind == BLOCK_RACE ? i + 1 : r->count + 1;
}

static enum status times_make(struct times *out, const struct history *h, const struct race_rounds *r, int batch,
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

static enum status check_limits(struct decision *d, const struct decision_ask *ask, const struct race_rounds *r,
                                struct err *err)
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

/* Has every size that is still open had all the time that there is for proofs? */
static bool proofs_are_spent(const struct decision *d, const struct history *h)
{
    for (size_t i = 0; i < d->count; i++)
        if (d->race.sizes[i].alive && d->candidates[i].limit == SLO_OPEN &&
            decision_proof_ns(h, d->candidates[i].batch) < DECISION_PROOF_NS)
            return false;
    return true;
}

/* --- the race ------------------------------------------------------------------------------------------- */

static size_t rounds_before(const struct race_rounds *r, int number)
{
    size_t n = 0;
    while (n < r->count && r->items[n].number < number)
        n++;
    return n;
}

static enum status make_candidates(struct decision *d, struct err *err)
{
    for (size_t i = 0; i < d->search.count; i++)
        d->count += d->search.sizes[i].why == WHY_NONE;
    d->candidates = calloc(d->count + 1, sizeof *d->candidates);
    if (!d->candidates)
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for %zu candidates", d->count);
    for (size_t i = 0, k = 0; i < d->search.count; i++)
        if (d->search.sizes[i].why == WHY_NONE)
            d->candidates[k++] = (struct race_candidate){ .batch = d->search.sizes[i].batch,
                                                          .coarse_y = d->search.sizes[i].y,
                                                          .limit = SLO_PASS };
    return ST_OK;
}

/* Sizes that died twice, or whose output is wrong; the round in which that happened is not complete. */
static void take_losses(struct decision *d, const struct history *h, const struct race_rounds *r)
{
    for (size_t i = 0; i < d->count; i++) {
        const struct loss *loss = history_loss(h, d->candidates[i].batch);
        if (!loss || loss->why == WHY_NONE)
            continue;
        d->candidates[i].lost = loss->why;
        d->candidates[i].lost_round = rounds_before(r, loss->round);
    }
}

static enum race_thrift thrift_of(const struct decision_rules *rules)
{
    return rules->refine ? RACE_PLAIN : RACE_OFTEN;
}

static struct race_ask race_ask_of(const struct decision *d, const struct decision_rules *rules)
{
    return (struct race_ask){ .candidates = d->candidates,
                              .count = d->count,
                              .blocks = d->blocks,
                              .rounds = d->rounds,
                              .within = rules->within,
                              .alpha = rules->alpha,
                              .control = d->search.knee,
                              .thrifty = thrift_of(rules) };
}

/* Does the stored round hold everything that the race wants of the next one? */
static bool is_complete(const struct decision *d, const struct race_round *round,
                        const struct decision_rules *rules)
{
    if (rules->replayed)
        return true;
    for (size_t i = 0; i < d->count; i++)
        if (d->race.sizes[i].alive && !d->race.sizes[i].resting && !round->cells[i].done)
            return false;
    return !race_has_control(thrift_of(rules), d->rounds) ||
           (round->control == d->race.control && round->cells[d->count].done);
}

/* Appends a complete round. True: a size left with it, so the race has to be asked again. */
static bool append_round(struct decision *d, const struct race_round *round)
{
    struct race_block *row = d->blocks + d->rounds * (d->count + 1);
    bool left = false;
    d->counted[d->rounds++] = (struct decision_round){ round->number, round->execution };
    for (size_t i = 0; i <= d->count; i++)
        row[i] = round->cells[i].block;
    if (round->control != d->race.control)
        row[d->count].mark = RACE_ABSENT;
    for (size_t i = 0; i < d->count; i++)
        if (round->cells[i].exhausted != WHY_NONE && d->candidates[i].lost == WHY_NONE) {
            d->candidates[i].lost = round->cells[i].exhausted;
            d->candidates[i].lost_round = d->rounds;
            left = true;
        }
    return left;
}

static bool some_size_leaves_now(const struct decision *d)
{
    for (size_t i = 0; i < d->count; i++)
        if (d->candidates[i].lost != WHY_NONE && d->candidates[i].lost_round == d->rounds)
            return true;
    return false;
}

/* Takes stored rounds as long as they are complete: who belongs to a round follows from those before. */
static void take_rounds(struct decision *d, const struct decision_rules *rules, const struct race_rounds *r,
                        struct race_memory *memory)
{
    bool stuck = false;
    while (!stuck) {
        struct race_ask ask = race_ask_of(d, rules);
        ask.memory = memory;
        race_step(&d->race, &ask, NULL);
        size_t before = d->rounds;
        bool again = false;
        while (d->race.state == RACE_GO_ON && !again && d->rounds < r->count && d->rounds < d->race.next_look &&
               is_complete(d, &r->items[d->rounds], rules))
            again = append_round(d, &r->items[d->rounds]) || some_size_leaves_now(d);
        stuck = d->rounds == before;
    }
    if (d->race.state != RACE_GO_ON)
        return;
    d->round = d->rounds < r->count ? r->items[d->rounds].number : 0;
    d->control_is_due = race_has_control(thrift_of(rules), d->rounds);
}

static bool is_repeated(const struct decision *d, size_t i)
{
    const struct race_look *l = &d->looks[i];
    for (size_t k = i + 1; k < d->look_count && l->look == d->race.look; k++)
        if (d->looks[k].look == l->look && d->looks[k].i == l->i && d->looks[k].j == l->j)
            return true;
    return false;
}

/* The last look is taken once more when a limit became known after it: then that one counts. */
static void drop_repeated_looks(struct decision *d)
{
    size_t kept = 0;
    for (size_t i = 0; i < d->look_count; i++)
        if (!is_repeated(d, i))
            d->looks[kept++] = d->looks[i];
    d->look_count = kept;
}

/* The last step, with its comparisons kept. */
static enum status close_race(struct decision *d, const struct decision_ask *ask, struct err *err)
{
    struct race_looks looks = { .room = (RACE_LOOKS_OFTEN + 1) * (d->count * d->count + 1) };
    struct race_ask race = race_ask_of(d, ask->rules);
    looks.items = d->looks = calloc(looks.room, sizeof *looks.items);
    if (!d->looks)
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for %zu comparisons", looks.room);
    race.out_of_budget = ask->rounds_over || ask->race_over;
    race.limits_final = ask->race_over;
    race_step(&d->race, &race, &looks);
    if (d->race.state == RACE_PROVE_LIMITS && proofs_are_spent(d, ask->history)) {
        race.limits_final = true;
        race_step(&d->race, &race, &looks);
    }
    bool replayed = false;
    enum status st = ask->rules->limit.response
                         ? response_limits_replayed(&replayed, d->candidates, d->count, ask->history,
                                                    &ask->rules->limit, err)
                         : ST_OK;
    if (replayed) { /* on the same blocks, without the sizes that did not pass their open loop */
        race.out_of_budget = race.limits_final = true;
        race_step(&d->race, &race, &looks);
    }
    d->look_count = looks.count < looks.room ? looks.count : looks.room;
    drop_repeated_looks(d);
    return st;
}

static enum status make_race(struct decision *d, const struct decision_ask *ask, struct err *err)
{
    struct race_rounds r = { 0 };
    enum status st = make_candidates(d, err);
    if (st == ST_OK)
        st = race_rounds_make(&r, ask->history, d->candidates, d->count, ask->rules->objective, err);
    if (st == ST_OK)
        st = check_limits(d, ask, &r, err);
    d->blocks = calloc((r.count + 1) * (d->count + 1), sizeof *d->blocks);
    d->counted = calloc(r.count + 1, sizeof *d->counted);
    struct race_memory *memory = calloc(1, sizeof *memory);
    if (st == ST_OK && !(d->blocks && d->counted && memory))
        st = err_set(err, ST_OUT_OF_MEMORY, "not enough memory for %zu rounds", r.count);
    if (st == ST_OK) {
        take_losses(d, ask->history, &r);
        take_rounds(d, ask->rules, &r, memory);
        st = close_race(d, ask, err);
    }
    free(memory);
    race_rounds_free(&r);
    return st;
}

/* --- the choice ----------------------------------------------------------------------------------------- */

static struct decide_ask decide_ask_of(const struct decision *d, const struct decision_rules *rules)
{
    return (struct decide_ask){ .race = &d->race,
                                .candidates = d->candidates,
                                .within = rules->within,
                                .incumbent = rules->incumbent,
                                .pending = rules->pending };
}

static enum status choose(struct decision *d, const struct decision_ask *ask, struct err *err)
{
    const struct decide_ask decide = decide_ask_of(d, ask->rules);
    decide_choose(&d->choice, &decide);
    if (d->choice.batch) {
        verify_gather(&d->verify_blocks, ask->history, &d->choice, ask->rules->objective, ask->rules->within);
        decide_verify(&d->verification, &d->choice, &d->verify_blocks);
    }
    ceiling_of(&d->ceiling, ask->history, &d->search);
    decide_reasons(d->whys, d->search.sizes, d->search.count, &decide, &d->choice);
    return d->choice.batch ? fill_table_make(&d->fill, ask->history, d->choice.batch, err) : ST_OK;
}

/* --- what may be executed ------------------------------------------------------------------------------- */

struct safe_sizes {
    struct max_safe_size sizes[SEARCH_SIZES_MAX];
    int    failed[SEARCH_SIZES_MAX + 1];
    struct max_safe_ask ask;
};

static bool has_failed(enum why why)
{
    return why >= WHY_UNSUPPORTED && why <= WHY_WRONG_OUTPUT;
}

static const struct race_size *race_size_of(const struct decision *d, const struct race_answer *race, int batch)
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
static void choose_below(struct decide_answer *out, struct race_answer *race, struct race_candidate *candidates,
                         struct decide_why *whys, const struct decision *d, const struct decision_rules *rules,
                         int end)
{
    struct race_ask ask = race_ask_of(d, rules);
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
    struct decide_ask decide = decide_ask_of(d, rules);
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

static enum status find_max_safe(struct decision *d, const struct decision_rules *rules, struct err *err)
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

/* --- all of it ------------------------------------------------------------------------------------------ */

enum status decision_make(struct decision **out, const struct decision_ask *ask, struct err *err)
{
    struct decision *d = calloc(1, sizeof *d);
    enum status st = d ? ST_OK : err_set(err, ST_OUT_OF_MEMORY, "not enough memory for a decision");
    *out = NULL;
    if (st == ST_OK)
        ascent_search(&d->search, ask->rules, ask->history, ask->search_over);
    if (st == ST_OK && !d->search.next) {
        st = make_race(d, ask, err);
        if (st == ST_OK)
            st = choose(d, ask, err);
        if (st == ST_OK && d->choice.batch)
            st = find_max_safe(d, ask->rules, err);
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
