#include "bench/measure/verify_pass.h"

enum { RETRIES = 3 };

size_t verify_member_at(size_t members, int place)
{
    size_t at = (size_t)place;
    return at < members ? at : 2 * members - 1 - at;
}

static bool is_of(const struct block_fact *f, int64_t execution)
{
    return f->kind == BLOCK_VERIFY && f->execution == execution;
}

static int count_retries(const struct history *h, int64_t execution, int batch)
{
    int n = 0;
    for (size_t i = 0; i < h->count; i++)
        n += is_of(&h->blocks[i], execution) && h->blocks[i].batch == batch && h->blocks[i].retry > 0;
    return n;
}

enum place_state verify_place(int *retry, const struct history *h, int64_t execution, int round, int place)
{
    int batch = 0;
    *retry = 0;
    for (size_t i = 0; i < h->count; i++) {
        const struct block_fact *f = &h->blocks[i];
        if (!is_of(f, execution) || f->round != round || f->place != place)
            continue;
        if (f->valid)
            return PLACE_DONE;
        batch = f->batch;
        ++*retry;
    }
    return *retry == 0 || count_retries(h, execution, batch) < RETRIES ? PLACE_MISSING : PLACE_EXHAUSTED;
}

/* Takes the block's round among those of its execution; false: it is one too many, or its size does not stand
 * at this place. */
static bool take(struct verify_done *d, size_t *passes, const struct block_fact *f, const int *members,
                 size_t count)
{
    size_t at = 0;
    if (f->place < 0 || f->place >= (int)(2 * count) ||
        members[verify_member_at(count, f->place)] != f->batch)
        return false;
    while (at < *passes && d->rounds[at] != f->round)
        at++;
    if (at == VERIFY_PASSES)
        return false;
    d->rounds[at] = f->round;
    *passes = at == *passes ? at + 1 : *passes;
    return true;
}

static bool is_complete(struct verify_done *d, const struct history *h, const int *members, size_t count)
{
    size_t passes = 0;
    int retry;
    for (size_t i = 0; i < h->count; i++)
        if (is_of(&h->blocks[i], d->execution) && !take(d, &passes, &h->blocks[i], members, count))
            return false;
    for (size_t p = 0; p < passes; p++)
        for (int place = 0; place < (int)(2 * count); place++)
            if (verify_place(&retry, h, d->execution, d->rounds[p], place) == PLACE_MISSING)
                return false;
    return passes == VERIFY_PASSES;
}

size_t verify_complete(struct verify_done *out, size_t room, const struct history *h, const int *members,
                       size_t member_count)
{
    size_t n = 0;
    int64_t last = 0;
    for (size_t i = 0; i < h->count && n < room; i++) {
        if (h->blocks[i].kind != BLOCK_VERIFY || h->blocks[i].execution == last)
            continue; /* blocks of an execution follow each other */
        last = h->blocks[i].execution;
        out[n] = (struct verify_done){ .execution = last };
        n += is_complete(&out[n], h, members, member_count);
    }
    return n;
}
