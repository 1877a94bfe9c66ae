#include "bench/measure/results_estimates.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure/ascent.h"
#include "bench/measure/point.h"
#include "bench/measure/service_times.h"
#include "bench/measure/verify.h"
#include "tuner/memory.h"
#include "tuner/stats.h"

static void add_label(struct estimate_row *e, const char *label)
{
    size_t used = strlen(e->labels);
    snprintf(e->labels + used, sizeof e->labels - used, "%s%s", used ? " " : "", label);
}

static void add_labels(struct estimate_row *e, const struct results_ask *ask)
{
    const struct prepared_row *row = history_prepared(ask->history, e->batch);
    if (ask->unsteady && strcmp(e->method, "coarse") != 0)
        add_label(e, "steady=no");
    if (ask->shared_machine && strcmp(e->method, "coarse") != 0)
        add_label(e, "shared_machine");
    if (row && memory_model_off(memory_ratio(row->peak_bytes, row->predicted_bytes)))
        add_label(e, "memory_model_off");
}

/* Blocks of a kind: how many, what wall rate, from how many executions and rounds. */
static void count_blocks(struct estimate_row *e, const struct history *h, enum block_kind kind)
{
    double images = 0, ns = 0;
    int64_t execution = 0;
    int round = 0;
    for (size_t i = 0; i < h->count; i++) {
        const struct block_fact *f = &h->blocks[i];
        if (f->kind != kind || f->batch != e->batch)
            continue;
        e->blocks += f->valid;
        e->invalid_blocks += !f->valid;
        if (!f->valid)
            continue;
        images += f->wall_images_per_s * (double)f->measured_ns;
        ns += (double)f->measured_ns;
        e->executions += f->execution != execution; /* in the order of time each appears in one run */
        e->rounds += f->round != round;
        execution = f->execution;
        round = f->round;
    }
    e->wall_images_per_s = ns > 0 ? images / ns : NAN;
}

static struct estimate_row new_estimate(const struct results_ask *ask, int batch, const char *method)
{
    struct estimate_row e = { .target = ask->row->id,
                              .batch = batch,
                              .y = NAN,
                              .y_low = NAN,
                              .y_high = NAN,
                              .mad = NAN,
                              .wall_images_per_s = NAN,
                              .half_width = NAN,
                              .mde = NAN };
    snprintf(e.method, sizeof e.method, "%s", method);
    snprintf(e.kind, sizeof e.kind, "none");
    return e;
}

static enum status fill_times(struct estimate_row *e, const struct results_ask *ask, struct err *err)
{
    struct service_summary s;
    enum status st = service_times_of(&s, ask->history, e->batch, 0, err);
    if (st != ST_OK)
        return st;
    e->service_p50_ms = s.p50_ms;
    e->service_p90_ms = s.p90_ms;
    e->service_p95_ms = s.p95_ms;
    e->service_p99_ms = s.p99_ms;
    e->service_min_ms = s.min_ms;
    e->iterations = s.iterations;
    if (s.grouped)
        add_label(e, "grouped");
    return ST_OK;
}

/* Median over the valid blocks of a kind that have readings; NaN: none has. */
static enum status fill_energy(struct estimate_row *e, const struct history *h, struct err *err)
{
    double *j = malloc((h->count + 1) * sizeof *j);
    size_t n = 0;
    enum block_kind kind = strcmp(e->method, "race") == 0     ? BLOCK_RACE
                           : strcmp(e->method, "verify") == 0 ? BLOCK_VERIFY
                                                              : BLOCK_COARSE;
    if (!j)
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for the energy of batch %d", e->batch);
    for (size_t i = 0; i < h->count; i++) {
        const struct block_fact *f = &h->blocks[i];
        double value = decision_value(f, OBJECTIVE_ENERGY);
        if (f->kind == kind && f->batch == e->batch && f->valid && isfinite(value))
            j[n++] = exp(-value);
    }
    e->joules_per_image = stats_median(j, n);
    free(j);
    return ST_OK;
}

/* --- of the race, else of the probes -------------------------------------------------------------------- */

static struct estimate_row estimate_of_point(const struct results_ask *ask, const struct point *p)
{
    struct estimate_row e = new_estimate(ask, p->batch, "race");
    struct interval i = stats_interval(p->y, p->n, INTERVAL_SEQUENTIAL);
    e.y = stats_median(p->y, p->n);
    if (i.reason == STATS_FINE) {
        snprintf(e.kind, sizeof e.kind, "sequential");
        e.y = i.m;
        e.y_low = i.low;
        e.y_high = i.high;
        e.half_width = i.half_width;
        e.mde = i.mde;
    }
    e.mad = stats_mad(p->y, p->n);
    e.wall_images_per_s = p->wall_images_per_s;
    e.blocks = (int)p->n;
    e.invalid_blocks = (int)p->invalid;
    e.rounds = p->rounds;
    e.executions = p->executions;
    snprintf(e.stop, sizeof e.stop, "%s", race_state_name(ask->decision->race.state));
    if (point_is_skewed(p))
        add_label(&e, "skewed");
    if (i.correlated)
        add_label(&e, "correlated");
    return e;
}

static struct estimate_row coarse_estimate(const struct results_ask *ask, int batch)
{
    struct estimate_row e = new_estimate(ask, batch, "coarse");
    e.y = ascent_value(NULL, ask->history, batch, OBJECTIVE_THROUGHPUT);
    count_blocks(&e, ask->history, BLOCK_COARSE);
    return e;
}

/* Nothing is appended of a size that gave no coarse block. */
static enum status append_size(struct results *out, const struct results_ask *ask, int batch, struct err *err)
{
    struct point p;
    if (isnan(ascent_value(NULL, ask->history, batch, OBJECTIVE_THROUGHPUT)))
        return ST_OK;
    enum status st = point_make(&p, ask->history, ask->decision, batch, err);
    if (st != ST_OK)
        return st;
    struct estimate_row *e = &out->estimates[out->estimate_count++];
    *e = p.n ? estimate_of_point(ask, &p) : coarse_estimate(ask, batch);
    point_free(&p);
    add_labels(e, ask);
    st = fill_energy(e, ask->history, err);
    return st == ST_OK ? fill_times(e, ask, err) : st;
}

/* --- of the verification -------------------------------------------------------------------------------- */

/* Median and range over the executions of the median over the passes. False: an execution is missing. */
static bool verified_rate(struct estimate_row *e, const struct verify_ask *v, size_t member)
{
    double y[VERIFY_EXECUTIONS];
    for (size_t x = 0; x < VERIFY_EXECUTIONS; x++) {
        double pass[VERIFY_PASSES];
        size_t n = 0;
        for (size_t p = 0; p < VERIFY_PASSES; p++)
            if (isfinite(v->x[x][p][member]))
                pass[n++] = v->x[x][p][member];
        y[x] = stats_median(pass, n);
        if (isnan(y[x]))
            return false;
    }
    stats_sort(y, VERIFY_EXECUTIONS);
    e->y = stats_median_sorted(y, VERIFY_EXECUTIONS);
    e->y_low = y[0];
    e->y_high = y[VERIFY_EXECUTIONS - 1];
    e->mad = stats_mad(y, VERIFY_EXECUTIONS);
    snprintf(e->kind, sizeof e->kind, "range");
    return true;
}

static enum status append_verified(struct results *out, const struct results_ask *ask, struct err *err)
{
    const struct decide_answer *choice = &ask->decision->choice;
    struct verify_ask rates;
    enum status st = ST_OK;
    if (!choice->verified)
        return ST_OK;
    verify_gather(&rates, ask->history, choice, OBJECTIVE_THROUGHPUT, ask->rules->within);
    for (size_t i = 0; i < choice->member_count && st == ST_OK; i++) {
        struct estimate_row e = new_estimate(ask, choice->members[i], "verify");
        if (!verified_rate(&e, &rates, i))
            continue;
        count_blocks(&e, ask->history, BLOCK_VERIFY);
        e.executions = VERIFY_EXECUTIONS;
        add_labels(&e, ask);
        st = fill_energy(&e, ask->history, err);
        if (st == ST_OK)
            st = fill_times(&e, ask, err);
        out->estimates[out->estimate_count++] = e;
    }
    return st;
}

enum status results_estimates_make(struct results *out, const struct results_ask *ask, struct err *err)
{
    const struct search_answer *s = &ask->decision->search;
    enum status st = ST_OK;
    for (size_t i = 0; i < s->count && st == ST_OK; i++)
        st = append_size(out, ask, s->sizes[i].batch, err);
    return st == ST_OK ? append_verified(out, ask, err) : st;
}

double results_rate_of(const struct results *r, int batch)
{
    double rate = NAN;
    for (size_t i = 0; i < r->estimate_count; i++) /* those of the verification come last */
        if (r->estimates[i].batch == batch)
            rate = exp(r->estimates[i].y);
    return rate;
}
