#include "bench/measure/verify.h"

#include <math.h>

#include "bench/measure/decision.h"
#include "bench/measure/verify_pass.h"

/* Value of the valid block at a place of a pass; NaN: none. */
static double value_at(const struct history *h, int64_t execution, int round, int place, enum objective objective)
{
    for (size_t i = 0; i < h->count; i++) {
        const struct block_fact *f = &h->blocks[i];
        if (f->kind == BLOCK_VERIFY && f->execution == execution && f->round == round && f->place == place && f->valid)
            return decision_value(f, objective);
    }
    return NAN;
}

void verify_gather(struct verify_ask *out, const struct history *h, const struct decide_answer *decide,
                   enum objective objective, double within)
{
    struct verify_done done[VERIFY_EXECUTIONS];
    size_t members = decide->member_count;
    size_t n = verify_complete(done, VERIFY_EXECUTIONS, h, decide->members, members);
    out->within = within;
    for (size_t e = 0; e < VERIFY_EXECUTIONS; e++)
        for (size_t p = 0; p < VERIFY_PASSES; p++)
            for (size_t m = 0; m < DECIDE_MEMBERS_MAX; m++) {
                bool there = e < n && m < members;
                int first = (int)m, second = (int)(2 * members - 1 - m);
                out->x[e][p][m] = !there ? NAN
                                         : (value_at(h, done[e].execution, done[e].rounds[p], first, objective) +
                                            value_at(h, done[e].execution, done[e].rounds[p], second, objective)) / 2;
            }
}
