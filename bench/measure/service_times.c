#include "bench/measure/service_times.h"

#include <math.h>
#include <stdlib.h>

#include "bench/measure/block_rule.h"
#include "tuner/stats.h"

static bool is_of_size(const struct block_fact *f, int batch, bool coarse)
{
    bool measured = f->kind == BLOCK_RACE || f->kind == BLOCK_CONTROL || f->kind == BLOCK_SLO ||
                    f->kind == BLOCK_VERIFY;
    return f->batch == batch && f->valid && f->iteration_ns && (coarse ? f->kind == BLOCK_COARSE : measured);
}

static size_t count_times(const struct history *h, int batch, bool coarse)
{
    size_t n = 0;
    for (size_t i = 0; i < h->count; i++)
        n += is_of_size(&h->blocks[i], batch, coarse) ? (size_t)h->blocks[i].iterations : 0;
    return n;
}

static double percentile_ms(const double *sorted_ns, size_t n, double p)
{
    return p > 0 ? stats_percentile(sorted_ns, n, p).value / 1e6 : NAN;
}

static void sum_up(struct service_summary *out, double *ns, size_t n, double percentile)
{
    stats_sort(ns, n);
    out->iterations = (int)n;
    out->min_ms = ns[0] / 1e6;
    out->grouped = block_is_grouped(stats_median_sorted(ns, n));
    if (out->grouped)
        return;
    out->p50_ms = percentile_ms(ns, n, .5);
    out->p90_ms = percentile_ms(ns, n, .9);
    out->p95_ms = percentile_ms(ns, n, .95);
    out->p99_ms = percentile_ms(ns, n, .99);
    out->limited_ms = percentile_ms(ns, n, percentile);
}

enum status service_times_of(struct service_summary *out, const struct history *h, int batch,
                             double percentile,
                             struct err *err)
{
    bool coarse = count_times(h, batch, false) == 0;
    size_t most = count_times(h, batch, coarse), n = 0;
    *out = (struct service_summary){ NAN, NAN, NAN, NAN, NAN, NAN, 0, false };
    if (most == 0)
        return ST_OK;
    double *ns = malloc(most * sizeof *ns);
    if (!ns)
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for %zu iteration times", most);
    for (size_t i = 0; i < h->count; i++)
        for (int k = 0; is_of_size(&h->blocks[i], batch, coarse) && k < h->blocks[i].iterations; k++)
            ns[n++] = (double)h->blocks[i].iteration_ns[k];
    sum_up(out, ns, n, percentile);
    free(ns);
    return ST_OK;
}
