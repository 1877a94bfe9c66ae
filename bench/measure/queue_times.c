#include "bench/measure/queue_times.h"

#include <stdlib.h>

static bool is_of(const struct block_fact *f, bool coarse)
{
    bool measured = f->kind == BLOCK_RACE || f->kind == BLOCK_SLO || f->kind == BLOCK_VERIFY ||
                    f->kind == BLOCK_FILL;
    return f->valid && f->iteration_ns && f->iterations > 0 && f->batch >= 1 && f->batch <= QUEUE_BATCH_MAX &&
           (coarse ? f->kind == BLOCK_COARSE : measured);
}

/* counts[n]: iterations of size n; returns the number of sizes that have any. */
static size_t count_iterations(size_t counts[QUEUE_BATCH_MAX + 1], size_t *all, const struct history *h,
                               bool coarse)
{
    size_t sizes = 0;
    *all = 0;
    for (size_t i = 0; i < h->count; i++)
        if (is_of(&h->blocks[i], coarse)) {
            size_t *count = &counts[h->blocks[i].batch], more = (size_t)h->blocks[i].iterations;
            sizes += *count == 0;
            *count += more;
            *all += more;
        }
    return sizes;
}

enum status queue_times_make(struct queue_times_set *out, const struct history *h, bool coarse,
                             struct err *err)
{
    size_t counts[QUEUE_BATCH_MAX + 1] = { 0 }, all;
    size_t sizes = count_iterations(counts, &all, h, coarse);
    double *next[QUEUE_BATCH_MAX + 1];
    *out = (struct queue_times_set){ .times = calloc(sizes + 1, sizeof *out->times),
                                     .service_s = malloc((all + 1) * sizeof *out->service_s) };
    if (!out->times || !out->service_s) {
        queue_times_free(out);
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for %zu iteration times", all);
    }
    double *room = out->service_s;
    for (int n = 1; n <= QUEUE_BATCH_MAX; n++)
        if (counts[n]) {
            out->times[out->count++] = (struct queue_times){ .images = n, .service_s = room,
                                                             .count = counts[n] };
            next[n] = room;
            room += counts[n];
        }
    for (size_t i = 0; i < h->count; i++)
        for (int k = 0; is_of(&h->blocks[i], coarse) && k < h->blocks[i].iterations; k++)
            *next[h->blocks[i].batch]++ = (double)h->blocks[i].iteration_ns[k] / 1e9;
    return ST_OK;
}

void queue_times_free(struct queue_times_set *set)
{
    free(set->times);
    free(set->service_s);
    *set = (struct queue_times_set){ 0 };
}

const struct queue_times *queue_times_of(const struct queue_times_set *set, int images)
{
    for (size_t i = 0; i < set->count; i++)
        if (set->times[i].images == images)
            return &set->times[i];
    return NULL;
}
