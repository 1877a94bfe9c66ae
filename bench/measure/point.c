#include "bench/measure/point.h"

#include <math.h>
#include <stdlib.h>

enum { RETRIES_PER_BLOCK = 3, RETRIES_LEAST = 3 };
static const double retries_share = 0.25; /* of a point's blocks */
static const double skew_limit = 0.95;

static bool is_of(const struct block_fact *f, int batch)
{
    return f->kind == BLOCK_RACE && f->batch == batch;
}

uint64_t point_retry_pause_ns(int retry)
{
    return retry < 1 ? 0 : UINT64_C(1000000000) << (retry - 1);
}

/* Retries of a point, and its places (first tries), so far. */
static void count_tries(size_t *retries, size_t *places, const struct history *h, int batch)
{
    *retries = *places = 0;
    for (size_t i = 0; i < h->count; i++)
        if (is_of(&h->blocks[i], batch))
            ++*(h->blocks[i].retry ? retries : places);
}

static bool retry_allowed(const struct history *h, int batch, int tries_here)
{
    size_t retries, places;
    count_tries(&retries, &places, h, batch);
    double most = fmax(RETRIES_LEAST, retries_share * (double)places);
    return tries_here <= RETRIES_PER_BLOCK && (double)retries + 1 <= most;
}

enum place_state point_place(int *retry, const struct history *h, int batch, int round)
{
    *retry = 0;
    for (size_t i = 0; i < h->count; i++)
        if (is_of(&h->blocks[i], batch) && h->blocks[i].round == round) {
            if (h->blocks[i].valid)
                return PLACE_DONE;
            ++*retry;
        }
    return *retry == 0 || retry_allowed(h, batch, *retry) ? PLACE_MISSING : PLACE_EXHAUSTED;
}

static void add_block(struct point *p, const struct block_fact *f)
{
    p->y[p->n] = f->y;
    p->measured_ns[p->n] = f->measured_ns;
    p->n++;
    p->iterations += f->iterations;
    p->total_ns += f->measured_ns;
}

/* THROTTLED if most of the invalid blocks are `thermal` or `clock`, else INVALID. */
static enum why exhausted_why(const struct history *h, int batch)
{
    size_t invalid = 0, throttled = 0;
    for (size_t i = 0; i < h->count; i++)
        if (is_of(&h->blocks[i], batch) && !h->blocks[i].valid) {
            invalid++;
            throttled += h->blocks[i].throttled;
        }
    return 2 * throttled > invalid ? WHY_THROTTLED : WHY_INVALID;
}

static enum why out_why(const struct history *h, int batch)
{
    const struct loss *loss = history_loss(h, batch);
    int retry;
    if (loss && loss->why != WHY_NONE)
        return loss->why;
    for (size_t i = 0; i < h->count; i++) /* only a place with an invalid block can be exhausted */
        if (is_of(&h->blocks[i], batch) && !h->blocks[i].valid &&
            point_place(&retry, h, batch, h->blocks[i].round) == PLACE_EXHAUSTED)
            return exhausted_why(h, batch);
    return WHY_NONE;
}

enum status point_make(struct point *out, const struct history *h, int batch, bool gpu, bool take_invalid,
                       struct err *err)
{
    double images = 0;
    *out = (struct point){ .batch = batch, .all_blocks = take_invalid };
    out->y = malloc((h->count + 1) * sizeof *out->y);
    out->measured_ns = malloc((h->count + 1) * sizeof *out->measured_ns);
    if (!out->y || !out->measured_ns) {
        point_free(out);
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for the values of batch %d", batch);
    }
    for (size_t i = 0; i < h->count; i++) {
        const struct block_fact *f = &h->blocks[i];
        if (!is_of(f, batch))
            continue;
        out->invalid += !f->valid;
        out->retries += f->retry > 0;
        if (isfinite(f->y) && (f->valid || take_invalid)) {
            add_block(out, f);
            images += f->wall_images_per_s * (double)f->measured_ns;
        }
    }
    out->wall_images_per_s = out->total_ns ? images / (double)out->total_ns : NAN;
    out->out = out_why(h, batch);
    out->stop = stop_check(&(struct stop_ask){ out->y, out->measured_ns, out->n, gpu });
    return ST_OK;
}

void point_free(struct point *p)
{
    free(p->y);
    free(p->measured_ns);
    p->y = NULL;
    p->measured_ns = NULL;
}

bool point_is_skewed(const struct point *p)
{
    return p->n > 0 && p->wall_images_per_s < skew_limit * exp(stats_median(p->y, p->n));
}
