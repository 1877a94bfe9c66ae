#include "bench/measure/ascent.h"

#include <math.h>
#include <string.h>

static bool is_coarse(const struct block_fact *f, int batch)
{
    return f->kind == BLOCK_COARSE && f->batch == batch;
}

/* Disturbed blocks count only if there are no others: the value just steers the search. */
double ascent_value(int *blocks, const struct history *h, int batch, enum objective objective)
{
    double best[2] = { NAN, NAN };
    int n = 0;
    for (size_t i = 0; i < h->count; i++) {
        const struct block_fact *f = &h->blocks[i];
        if (!is_coarse(f, batch))
            continue;
        best[f->valid] = fmax(best[f->valid], decision_value(f, objective)); /* fmax ignores NaN */
        n++;
    }
    if (blocks)
        *blocks = n;
    return isnan(best[1]) ? best[0] : best[1];
}

static bool is_final(const struct history *h, const struct prepared_row *row)
{
    bool again = strcmp(row->result, why_name(WHY_CRASHED)) == 0 ||
                 strcmp(row->result, why_name(WHY_HUNG)) == 0;
    return !again || history_count_results(h, row->batch, why_name(WHY_CRASHED)) +
                             history_count_results(h, row->batch, why_name(WHY_HUNG)) >= ASCENT_TRIES;
}

/* Is every coarse iteration over the limit? A size that ran no iteration is not. */
static bool is_over_limit(const struct history *h, int batch, const struct latency_limit *limit)
{
    bool any = false;
    if (limit->percentile == 0 || limit->response)
        return false;
    for (size_t i = 0; i < h->count; i++) {
        const struct block_fact *f = &h->blocks[i];
        for (int k = 0; is_coarse(f, batch) && k < f->iterations; k++) {
            any = true;
            if ((double)f->iteration_ns[k] <= 1e6 * limit->limit_ms)
                return false;
        }
    }
    return any;
}

static bool result_of(struct search_result *out, const struct decision_rules *rules, const struct history *h,
                      int batch)
{
    const struct prepared_row *row = history_prepared(h, batch);
    if (!row || !is_final(h, row))
        return false;
    bool runs = strcmp(row->result, ASCENT_FEASIBLE) == 0;
    *out = (struct search_result){ .batch = batch,
                                   .why = runs ? WHY_NONE : why_of_name(row->result),
                                   .y = runs ? ascent_value(NULL, h, batch, rules->objective) : NAN,
                                   .t_iter_ns = (double)history_t_iter(h, batch) };
    if (runs && is_over_limit(h, batch, &rules->limit))
        out->why = WHY_OVER_SLO;
    return true;
}

void ascent_search(struct search_answer *out, const struct decision_rules *rules, const struct history *h,
                   bool over)
{
    struct search_result results[SEARCH_SIZES_MAX];
    size_t n = 0;
    for (size_t i = 0; i < h->prepared_count && n < SEARCH_SIZES_MAX; i++) {
        size_t seen = 0;
        while (seen < n && results[seen].batch != h->prepared[i].batch)
            seen++;
        n += seen == n && result_of(&results[n], rules, h, h->prepared[i].batch);
    }
    search_step(out, &(struct search_ask){ .max_batch = rules->max_batch,
                                           .within = rules->within,
                                           .given = rules->given,
                                           .given_count = rules->given_count,
                                           .results = results,
                                           .result_count = n,
                                           .out_of_budget = over,
                                           .incumbent = rules->incumbent,
                                           .refine = rules->refine });
}
