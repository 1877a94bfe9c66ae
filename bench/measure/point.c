#include "bench/measure/point.h"

#include <math.h>
#include <stdlib.h>

#include "tuner/stats.h"

static const double skew_limit = 0.95;

static bool counts(const struct decision *d, const struct block_fact *f)
{
    if (!isfinite(f->y) || !(f->valid || (d->race.throttled && f->throttled)))
        return false;
    for (size_t i = 0; i < d->rounds; i++)
        if (d->counted[i].number == f->round)
            return d->counted[i].execution == f->execution;
    return false;
}

enum status point_make(struct point *out, const struct history *h, const struct decision *d, int batch,
                       struct err *err)
{
    double images = 0, ns = 0;
    int64_t execution = 0;
    int round = 0;
    *out = (struct point){ .batch = batch, .y = malloc((h->count + 1) * sizeof *out->y) };
    if (!out->y)
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for the values of batch %d", batch);
    for (size_t i = 0; i < h->count; i++) {
        const struct block_fact *f = &h->blocks[i];
        if (f->kind != BLOCK_RACE || f->batch != batch)
            continue;
        out->invalid += !f->valid;
        if (!counts(d, f))
            continue;
        out->y[out->n++] = f->y;
        images += f->wall_images_per_s * (double)f->measured_ns;
        ns += (double)f->measured_ns;
        out->executions += f->execution != execution; /* in the order of time each appears in one run */
        out->rounds += f->round != round;
        execution = f->execution;
        round = f->round;
    }
    out->wall_images_per_s = ns > 0 ? images / ns : NAN;
    return ST_OK;
}

void point_free(struct point *p)
{
    free(p->y);
    p->y = NULL;
}

bool point_is_skewed(const struct point *p)
{
    return p->n > 0 && p->wall_images_per_s < skew_limit * exp(stats_median(p->y, p->n));
}
