/* The race of a decision: its candidates, the stored rounds that are complete, and how it stands. */
#include "bench/measure/decision_parts.h"

#include <stdlib.h>

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

struct race_ask decision_race_ask(const struct decision *d, const struct decision_rules *rules)
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
        struct race_ask ask = decision_race_ask(d, rules);
        ask.memory = memory;
        race_step(&d->race, &ask, NULL);
        size_t before = d->rounds;
        bool again = false;
        while (d->race.state == RACE_GO_ON && !again && d->rounds < r->count &&
               d->rounds < d->race.next_look &&
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
    struct race_ask race = decision_race_ask(d, ask->rules);
    looks.items = d->looks = calloc(looks.room, sizeof *looks.items);
    if (!d->looks)
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for %zu comparisons", looks.room);
    race.out_of_budget = ask->rounds_over || ask->race_over;
    race.limits_final = ask->race_over;
    race_step(&d->race, &race, &looks);
    if (d->race.state == RACE_PROVE_LIMITS && decision_proofs_are_spent(d, ask->history)) {
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

enum status decision_make_race(struct decision *d, const struct decision_ask *ask, struct err *err)
{
    struct race_rounds r = { 0 };
    enum status st = make_candidates(d, err);
    if (st == ST_OK)
        st = race_rounds_make(&r, ask->history, d->candidates, d->count, ask->rules->objective, err);
    if (st == ST_OK)
        st = decision_check_limits(d, ask, &r, err);
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
