#include "bench/measure/service_times.h"

#include <math.h>
#include <stdlib.h>

#include "bench/measure/block_rule.h"
#include "tuner/search.h"
#include "tuner/stats.h"

struct times {
    int     batch;
    bool    of_rounds;               /* else of coarse blocks, which give way to the first block of a round */
    double *ns;                      /* [count], sorted after loading */
    size_t  count, room;
};
struct service_times {
    struct times items[SEARCH_SIZES_MAX];
    size_t count;
};

static struct times *times_of(struct service_times *s, int batch)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->items[i].batch == batch)
            return &s->items[i];
    if (s->count == SEARCH_SIZES_MAX)
        return NULL;
    s->items[s->count] = (struct times){ .batch = batch };
    return &s->items[s->count++];
}

static enum status append(struct times *t, const struct store_block *block, struct err *err)
{
    size_t n = (size_t)block->row.iterations;
    if (t->count + n > t->room) {
        size_t room = 2 * (t->count + n);
        double *moved = realloc(t->ns, room * sizeof *moved);
        if (!moved)
            return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for %zu iteration times", room);
        t->ns = moved;
        t->room = room;
    }
    for (size_t i = 0; i < n; i++)
        t->ns[t->count++] = (double)block->samples.iteration_ns[i];
    return ST_OK;
}

static enum status visit(void *context, const struct store_block *block, struct err *err)
{
    const struct block_row *row = &block->row;
    bool of_rounds = row->kind == BLOCK_RACE;
    if (!row->valid || (!of_rounds && row->kind != BLOCK_COARSE))
        return ST_OK;
    struct times *t = times_of(context, row->batch);
    if (!t || (t->of_rounds && !of_rounds))
        return ST_OK;
    if (of_rounds && !t->of_rounds) {
        t->of_rounds = true;
        t->count = 0;
    }
    return append(t, block, err);
}

enum status service_times_load(struct service_times **out, struct store *store, int64_t target,
                               struct err *err)
{
    struct service_times *s = calloc(1, sizeof *s);
    *out = NULL;
    if (!s)
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for iteration times");
    enum status st = store_visit_blocks(store, target, true, visit, s, err);
    if (st != ST_OK) {
        service_times_free(s);
        return st;
    }
    for (size_t i = 0; i < s->count; i++)
        stats_sort(s->items[i].ns, s->items[i].count);
    *out = s;
    return ST_OK;
}

void service_times_free(struct service_times *s)
{
    for (size_t i = 0; s && i < s->count; i++)
        free(s->items[i].ns);
    free(s);
}

struct service_summary service_times_of(const struct service_times *s, int batch)
{
    struct service_summary out = { NAN, NAN, NAN, NAN, NAN, 0, false };
    const struct times *t = NULL;
    for (size_t i = 0; i < s->count; i++)
        if (s->items[i].batch == batch && s->items[i].count > 0)
            t = &s->items[i];
    if (!t)
        return out;
    out.iterations = (int)t->count;
    out.min_ms = t->ns[0] / 1e6;
    out.grouped = block_is_grouped(stats_median_sorted(t->ns, t->count));
    if (out.grouped)
        return out;
    out.p50_ms = stats_percentile(t->ns, t->count, .5).value / 1e6;
    out.p90_ms = stats_percentile(t->ns, t->count, .9).value / 1e6;
    out.p95_ms = stats_percentile(t->ns, t->count, .95).value / 1e6;
    out.p99_ms = stats_percentile(t->ns, t->count, .99).value / 1e6;
    return out;
}
