#include "bench/measure/race_rounds.h"

#include <math.h>
#include <stdlib.h>

#include "bench/measure/decision.h"

enum { RETRIES_PER_BLOCK = 3, RETRIES_LEAST = 3 };
static const double retries_share = 0.25; /* of a point's blocks */

/* --- tries ---------------------------------------------------------------------------------------------- */

struct tries {                       /* of one size so far, over all rounds */
    size_t retries, places, invalid, throttled;
};

static bool is_of_round(const struct block_fact *f)
{
    return f->kind == BLOCK_RACE || f->kind == BLOCK_CONTROL;
}

static void count_try(struct tries *t, const struct block_fact *f)
{
    ++*(f->retry ? &t->retries : &t->places);
    t->invalid += !f->valid;
    t->throttled += !f->valid && f->throttled;
}

static bool may_retry(const struct tries *t, int tries_here)
{
    double most = fmax(RETRIES_LEAST, retries_share * (double)t->places);
    return tries_here <= RETRIES_PER_BLOCK && (double)t->retries + 1 <= most;
}

uint64_t race_retry_pause_ns(int retry)
{
    return retry < 1 ? 0 : UINT64_C(1000000000) << (retry - 1);
}

enum place_state race_place(int *retry, const struct history *h, int batch, enum block_kind kind, int round,
                            int64_t execution)
{
    struct tries t = { 0 };
    *retry = 0;
    for (size_t i = 0; i < h->count; i++) {
        const struct block_fact *f = &h->blocks[i];
        if (!is_of_round(f) || f->batch != batch)
            continue;
        count_try(&t, f);
        if (f->kind != kind || f->round != round || f->execution != execution)
            continue;
        if (f->valid)
            return PLACE_DONE;
        ++*retry;
    }
    return *retry == 0 || may_retry(&t, *retry) ? PLACE_MISSING : PLACE_EXHAUSTED;
}

/* --- all rounds ----------------------------------------------------------------------------------------- */

static size_t column_of(const struct race_candidate *candidates, size_t count, int batch)
{
    size_t i = 0;
    while (i < count && candidates[i].batch != batch)
        i++;
    return i;
}

static size_t count_rounds(const struct history *h)
{
    size_t n = 0;
    int last = 0;
    for (size_t i = 0; i < h->count; i++)
        if (is_of_round(&h->blocks[i]) && h->blocks[i].round > last) {
            last = h->blocks[i].round;
            n++;
        }
    return n;
}

static void empty_round(struct race_round *r, size_t cells, int64_t execution)
{
    r->execution = execution;
    r->control = 0;
    for (size_t i = 0; i < cells; i++)
        r->cells[i] = (struct race_cell){ .block = { .y = NAN, .mark = RACE_ABSENT } };
}

/* The round of a block; a new number or another execution begins it anew. */
static struct race_round *round_of(struct race_rounds *out, const struct block_fact *f, size_t cells)
{
    struct race_round *r = out->count ? &out->items[out->count - 1] : NULL;
    if (!r || f->round > r->number) {
        r = &out->items[out->count];
        r->number = f->round;
        r->cells = out->cells + out->count * cells;
        out->count++;
        empty_round(r, cells, f->execution);
    } else if (f->execution != r->execution) {
        empty_round(r, cells, f->execution);
    }
    return r;
}

static void take(struct race_cell *c, const struct block_fact *f, const struct tries *t, double y)
{
    bool good = f->valid && isfinite(y);
    c->block.y = y;
    c->block.mark = good ? RACE_VALID : f->throttled ? RACE_THROTTLED : RACE_INVALID;
    c->done = f->valid || !may_retry(t, f->retry + 1);
    if (!good && c->done)
        c->exhausted = 2 * t->throttled > t->invalid ? WHY_THROTTLED : WHY_INVALID;
}

static void take_blocks(struct race_rounds *out, const struct history *h,
                        const struct race_candidate *candidates,
                        size_t count, struct tries *tries, enum objective objective)
{
    for (size_t i = 0; i < h->count; i++) {
        const struct block_fact *f = &h->blocks[i];
        size_t column = is_of_round(f) ? column_of(candidates, count, f->batch) : count;
        if (column == count)
            continue;
        struct race_round *r = round_of(out, f, count + 1);
        count_try(&tries[column], f);
        if (f->kind == BLOCK_CONTROL)
            r->control = f->batch;
        take(&r->cells[f->kind == BLOCK_CONTROL ? count : column], f, &tries[column],
             decision_value(f, objective));
    }
}

enum status race_rounds_make(struct race_rounds *out, const struct history *h,
                             const struct race_candidate *candidates, size_t count, enum objective objective,
                             struct err *err)
{
    size_t rounds = count_rounds(h) + 1;
    struct tries *tries = calloc(count + 1, sizeof *tries);
    *out = (struct race_rounds){ .items = calloc(rounds, sizeof *out->items),
                                 .cells = calloc(rounds * (count + 1), sizeof *out->cells) };
    if (tries && out->items && out->cells)
        take_blocks(out, h, candidates, count, tries, objective);
    bool enough = tries && out->items && out->cells;
    free(tries);
    if (enough)
        return ST_OK;
    race_rounds_free(out);
    return err_set(err, ST_OUT_OF_MEMORY,
                   "not enough memory for the rounds of a race (%zu rounds of %zu sizes)",
                   rounds, count);
}

void race_rounds_free(struct race_rounds *r)
{
    free(r->items);
    free(r->cells);
    *r = (struct race_rounds){ 0 };
}
