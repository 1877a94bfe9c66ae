#include "bench/replay/procedure.h"

#include <math.h>
#include <stdlib.h>

enum { COARSE_BLOCKS = 3, RETRIES = 3, RETRIES_ALWAYS = 3 };
static const double retry_share = .25; /* of a size's blocks, beyond RETRIES_ALWAYS */

struct tally {
    size_t blocks, repeated;  /* of a size in a stage */
};

/* A block of a size, measured again while the machine throttles: at most RETRIES times, and of the size's
 * blocks at most a quarter are retries. meter->throttled: the one that is given was throttled too. */
static double measure(const struct procedure_ask *ask, struct procedure_answer *a, int batch, struct tally *t)
{
    for (int retry = 0;; retry++) {
        double y = meter_block(ask->meter, batch);
        t->blocks++;
        bool may = t->repeated < RETRIES_ALWAYS || (double)t->repeated < retry_share * (double)t->blocks;
        if (isnan(y) || !ask->meter->throttled || retry == RETRIES || !may)
            return y;
        t->repeated++;
        a->repeated++;
    }
}

/* --- ascent --------------------------------------------------------------------------------------------- */

static struct search_result probe(const struct procedure_ask *ask, struct procedure_answer *a, int batch)
{
    struct search_result r = { .batch = batch, .y = -INFINITY };
    struct tally t = { 0 };
    for (int i = 0; i < COARSE_BLOCKS; i++) {
        double y = measure(ask, a, batch, &t);
        if (isnan(y)) {
            r.why = ask->fails ? ask->fails(ask->meter->curve, batch) : WHY_UNSUPPORTED;
            return r;
        }
        r.y = fmax(r.y, y);
        if (ask->thrifty != RACE_PLAIN && search_probed_enough(&a->search, batch, r.y, i + 1))
            break;
    }
    a->coarse_blocks += t.blocks;
    r.t_iter_ns = 1e9 * batch / exp(r.y);
    if (ask->limit && ask->limit(ask->meter->curve, batch) == SLO_FAIL)
        r.why = WHY_OVER_SLO;
    return r;
}

static void ascend(const struct procedure_ask *ask, struct procedure_answer *a)
{
    struct search_result results[SEARCH_SIZES_MAX];
    struct search_ask search = { .max_batch = ask->max_batch, .within = ask->within, .given = ask->given,
                                 .given_count = ask->given_count, .results = results,
                                 .incumbent = ask->incumbent };
    for (search_step(&a->search, &search); a->search.next && search.result_count < SEARCH_SIZES_MAX;
         search_step(&a->search, &search))
        results[search.result_count++] = probe(ask, a, a->search.next);
}

/* --- race ----------------------------------------------------------------------------------------------- */

static void add_candidates(const struct procedure_ask *ask, struct procedure_answer *a)
{
    size_t k = 0;
    for (size_t i = 0; i < a->search.count; i++) {
        const struct search_size *s = &a->search.sizes[i];
        if (s->why == WHY_NONE)
            a->candidates[k++] = (struct race_candidate){
                .batch = s->batch, .coarse_y = s->y,
                .limit = ask->limit ? ask->limit(ask->meter->curve, s->batch) : SLO_PASS };
    }
}

/* One block of every size alive and the control's second one, in shuffled order. */
static void measure_round(const struct procedure_ask *ask, struct procedure_answer *a, struct rng *order,
                          struct tally *tallies)
{
    int columns[RACE_SIZES_MAX + 1];
    size_t n = 0, k = a->race.count;
    struct race_block *row = a->blocks + a->rounds * (k + 1);
    size_t control = 0;
    for (size_t i = 0; i < k; i++) {
        row[i] = (struct race_block){ .mark = RACE_ABSENT };
        if (a->race.sizes[i].alive && !a->race.sizes[i].resting)
            columns[n++] = (int)i;
        if (a->candidates[i].batch == a->race.control)
            control = i;
    }
    row[k] = (struct race_block){ .mark = RACE_ABSENT };
    if (ask->control && race_has_control(ask->thrifty, a->rounds))
        columns[n++] = (int)k;
    rng_shuffle(order, columns, n);
    for (size_t i = 0; i < n; i++) {
        size_t column = (size_t)columns[i], size = column == k ? control : column;
        struct tally *t = &tallies[size];
        size_t before = t->blocks;
        row[column].y = measure(ask, a, a->candidates[size].batch, t);
        row[column].y += column == k ? ask->control_bias : 0;
        row[column].mark = ask->meter->throttled ? RACE_THROTTLED : RACE_VALID;
        a->race_blocks += t->blocks - before;
    }
    a->rounds++;
}

static void race(const struct procedure_ask *ask, struct procedure_answer *a)
{
    struct rng order = rng_seeded(ask->seed);
    struct tally tallies[RACE_SIZES_MAX] = { { 0 } };
    struct race_ask r = { .candidates = a->candidates, .blocks = a->blocks, .within = ask->within,
                          .alpha = ask->alpha, .control = a->search.knee, .count = a->race.count,
                          .thrifty = ask->thrifty };
    for (race_step(&a->race, &r, NULL); a->race.state == RACE_GO_ON; race_step(&a->race, &r, NULL)) {
        while (a->rounds < a->race.next_look)
            measure_round(ask, a, &order, tallies);
        r.rounds = a->rounds;
    }
}

/* --- verification --------------------------------------------------------------------------------------- */

static void measure_execution(const struct procedure_ask *ask, struct procedure_answer *a,
                              double x[VERIFY_PASSES][DECIDE_MEMBERS_MAX])
{
    size_t n = a->decision.member_count;
    struct tally tallies[DECIDE_MEMBERS_MAX] = { { 0 } };
    meter_next_execution(ask->meter);
    for (size_t p = 0; p < VERIFY_PASSES; p++) {
        double sum[DECIDE_MEMBERS_MAX] = { 0 };
        for (size_t i = 0; i < 2 * n; i++) {
            size_t member = i < n ? i : 2 * n - 1 - i;
            sum[member] += measure(ask, a, a->decision.members[member], &tallies[member]);
        }
        for (size_t i = 0; i < n; i++)
            x[p][i] = sum[i] / 2;
    }
    for (size_t i = 0; i < n; i++)
        a->verify_blocks += tallies[i].blocks;
}

static void verify(const struct procedure_ask *ask, struct procedure_answer *a)
{
    struct verify_ask v = { .within = ask->within };
    for (size_t e = 0; e < VERIFY_EXECUTIONS; e++)
        measure_execution(ask, a, v.x[e]);
    decide_verify(&a->verification, &a->decision, &v);
}

/* --- all of it ------------------------------------------------------------------------------------------ */

static bool make_room(struct procedure_answer *a)
{
    size_t k = 0;
    for (size_t i = 0; i < a->search.count; i++)
        k += a->search.sizes[i].why == WHY_NONE;
    a->race.count = k;
    a->candidates = calloc(k + 1, sizeof *a->candidates);
    a->blocks = calloc((k + 1) * race_look_rounds[RACE_LOOKS - 1], sizeof *a->blocks);
    return a->candidates && a->blocks;
}

enum status procedure_run(struct procedure_answer **out, const struct procedure_ask *ask, struct err *err)
{
    struct procedure_answer *a = calloc(1, sizeof *a);
    *out = NULL;
    if (a)
        ascend(ask, a);
    if (!a || !make_room(a)) {
        procedure_free(a);
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory to simulate a campaign");
    }
    add_candidates(ask, a);
    race(ask, a);
    const struct decide_ask decide = { .race = &a->race, .candidates = a->candidates, .within = ask->within,
                                 .incumbent = ask->incumbent, .pending = ask->pending };
    decide_choose(&a->decision, &decide);
    if (ask->verify && a->decision.batch)
        verify(ask, a);
    decide_reasons(a->whys, a->search.sizes, a->search.count, &decide, &a->decision);
    *out = a;
    return ST_OK;
}

void procedure_free(struct procedure_answer *a)
{
    if (!a)
        return;
    free(a->candidates);
    free(a->blocks);
    free(a);
}
