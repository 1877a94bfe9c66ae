#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure/history.h"
#include "bench/measure/open_loop.h"
#include "bench/measure/queue_times.h"
#include "bench/verbs/files.h"
#include "bench/verbs/queue_show.h"
#include "bench/verbs/verbs.h"

/* Shares of the capacity that are shown if no rate is given: easy, busy, and where waiting begins to grow
 * fast. */
static const double default_loads[QUEUE_RATES_MAX] = { .50, .70, .85 };

struct queue_run {
    const struct config *config;
    struct store *store;
    struct campaign *campaign;
    struct arrivals_set arrivals;
    struct queue_result *results;
    size_t count, room;
    double delay_s;                  /* --delay */
};

/* --- one batch size ------------------------------------------------------------------------------------- */

static struct scan_ask ask_of(const struct queue_run *q, const struct queue_result *r,
                              const struct queue_times_set *times)
{
    const struct config *c = q->config;
    return (struct scan_ask){ .times = times->times,
                              .time_count = times->count,
                              .batch = r->batch,
                              .instances = r->target->row.instances,
                              .arrivals = &q->arrivals,
                              .median = c->median,
                              .delays_s = c->delay_set ? &q->delay_s : NULL,
                              .delay_count = 1,
                              .percentile = c->limit.percentile,
                              .limit_s = c->limit.limit_ms / 1e3 };
}

/* Rates in images/s; how many. */
static size_t list_rates(double out[QUEUE_RATES_MAX], const struct queue_run *q, double capacity)
{
    const struct arrivals *a = &q->config->arrivals;
    out[0] = a->trace ? q->arrivals.trace_rate : a->rate;
    if (out[0] > 0)
        return 1;
    for (size_t i = 0; i < QUEUE_RATES_MAX; i++)
        out[i] = default_loads[i] * capacity;
    return QUEUE_RATES_MAX;
}

/* Sizes that another batch size could be: all that were measured. */
static size_t list_batches(int *out, const struct queue_times_set *times)
{
    for (size_t i = 0; i < times->count; i++)
        out[i] = times->times[i].images;
    return times->count;
}

static enum status scan_rate(struct queue_rate *out, const struct queue_run *q, const struct scan_ask *ask,
                             bool compare, struct err *err)
{
    int batches[QUEUE_BATCH_MAX];
    struct queue_times_set times = { .times = (struct queue_times *)(size_t)ask->times,
                                     .count = ask->time_count };
    *out = (struct queue_rate){ .fits = NAN };
    enum status st = scan_run(&out->scan, ask, err);
    if (st == ST_OK && compare && !q->config->delay_set)
        st = scan_better_batch(&out->better, &out->scan, ask, batches, list_batches(batches, &times), err);
    if (st == ST_OK && out->scan.recommended == QUEUE_NONE)
        st = scan_rate_that_fits(&out->fits, ask, err);
    return st;
}

/* What a measured open loop of this size showed, beside a simulation of its requests. */
static enum status compare_open_loop(struct queue_result *r, const struct history *h,
                                     const struct queue_times_set *times, struct err *err)
{
    const struct open_loop_fact *fact;
    enum status st = open_loops_judge(&r->measured, &fact, &h->open_loops, r->batch, 0, 0, err);
    r->has_open_loop = st == ST_OK && fact && fact->end == OPEN_LOOP_COMPLETE;
    if (!r->has_open_loop)
        return st;
    r->measured_rate = fact->ask.rate;
    r->measured_delay_ms = (double)fact->ask.delay_ns / 1e6;
    return open_loop_simulate(&r->simulated, fact, times, err);
}

/* A queue needs the times of its largest batch. */
static enum status refuse_batch(const struct target_view *t, const struct queue_times_set *times, int batch,
                                struct err *err)
{
    const struct target_row *r = &t->row;
    char known[200] = "";
    for (size_t i = 0; i < times->count && strlen(known) + 8 < sizeof known; i++)
        snprintf(known + strlen(known), sizeof known - strlen(known), " %d", times->times[i].images);
    if (times->count == 0)
        return err_set(err, ST_UNDECIDED,
                       "%s %s %s %s: no batch size was measured in rounds, there are only probes: bench tune "
                       "--resume goes on", r->model, r->engine, r->device, r->precision);
    return err_set(err, ST_USAGE,
                   "%s %s %s %s: batch %d was not measured in rounds, these were:%s; bench tune --batches %d "
                   "measures it", r->model, r->engine, r->device, r->precision, batch, known, batch);
}

static enum status take_batch(struct queue_run *q, const struct target_view *t, int batch,
                              const struct history *h, const struct queue_times_set *times, struct err *err)
{
    struct queue_result *r = &q->results[q->count];
    double rates[QUEUE_RATES_MAX];
    *r = (struct queue_result){ .target = t, .batch = batch, .chosen = batch == t->decision.optimal };
    if (!queue_times_of(times, batch))
        return refuse_batch(t, times, batch, err);
    struct scan_ask ask = ask_of(q, r, times);
    r->capacity = scan_capacity(&ask);
    r->rate_count = list_rates(rates, q, r->capacity);
    enum status st = ST_OK;
    for (size_t i = 0; i < r->rate_count && st == ST_OK; i++) {
        ask.rate = rates[i];
        st = scan_rate(&r->rates[i], q, &ask, q->config->batches_auto, err);
    }
    if (st == ST_OK)
        st = compare_open_loop(r, h, times, err);
    q->count += st == ST_OK;
    return st;
}

/* --- targets -------------------------------------------------------------------------------------------- */

static bool is_wanted(const struct config *c, const struct target_view *t)
{
    for (size_t i = 0; i < c->models.count; i++)
        if (strcmp(c->models.names[i], t->row.model) == 0)
            return true;
    return c->models.count == 0;
}

static enum status take_target(struct queue_run *q, const struct target_view *t, struct err *err)
{
    const struct config *c = q->config;
    const struct int_list *given = &c->batches;
    struct history h = { 0 };
    struct queue_times_set times = { 0 };
    enum status st = history_load(&h, q->store, t->row.id, t->row.mode, err);
    if (st == ST_OK)
        st = queue_times_make(&times, &h, false, err);
    for (size_t i = 0; i < (c->batches_auto ? 1 : given->count) && st == ST_OK; i++)
        st = take_batch(q, t, c->batches_auto ? t->decision.optimal : given->values[i], &h, &times, err);
    queue_times_free(&times);
    history_free(&h);
    return st;
}

static size_t most_results(const struct queue_run *q)
{
    size_t each = q->config->batches_auto ? 1 : q->config->batches.count;
    return q->campaign->target_count * each + 1;
}

static enum status take_targets(struct queue_run *q, struct err *err)
{
    enum status st = ST_OK;
    q->results = calloc(most_results(q), sizeof *q->results);
    if (!q->results)
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for %zu targets", q->campaign->target_count);
    for (size_t i = 0; i < q->campaign->target_count && st == ST_OK; i++) {
        const struct target_view *t = &q->campaign->targets[i];
        if (is_wanted(q->config, t) && t->has_decision && t->decision.optimal > 0)
            st = take_target(q, t, err);
    }
    if (st == ST_OK && q->count == 0)
        st = err_set(err, ST_UNDECIDED, "campaign %s has no decision%s: bench show %s says why",
                     q->campaign->run.name, q->config->models.count ? " for these models" : "",
                     q->campaign->run.name);
    return st;
}

/* --- the verb ------------------------------------------------------------------------------------------- */

static enum status read_arrivals(struct queue_run *q, struct err *err)
{
    const char *trace = q->config->arrivals.trace;
    return trace ? arrivals_read(&q->arrivals, trace, 1, err)
                 : arrivals_random(&q->arrivals, ARRIVALS_RANDOM, 1, err);
}

static enum status show(const struct queue_run *q, struct err *err)
{
    const struct queue_shown shown = { q->campaign, q->config, &q->arrivals, q->results, q->count };
    if (q->config->json)
        return queue_show_json(stdout, &shown, err);
    if (q->config->csv)
        queue_show_csv(stdout, &shown);
    else
        queue_show_text(stdout, &shown);
    return ST_OK;
}

/* Bad news: some target serves none of its rates. The tables have said so already. */
static enum status verdict(const struct queue_run *q, struct err *err)
{
    for (size_t i = 0; i < q->count; i++) {
        const struct queue_result *r = &q->results[i];
        bool any = false;
        for (size_t k = 0; k < r->rate_count; k++)
            any = any || r->rates[k].scan.recommended != QUEUE_NONE;
        if (!any)
            return err_set(err, ST_BAD_NEWS, "%s %s %s %s, batch %d: no queue delay %s at %.4g images/s",
                           r->target->row.model, r->target->row.engine, r->target->row.device,
                           r->target->row.precision, r->batch,
                           q->config->limit.percentile > 0 ? "keeps the limit"
                                                           : "keeps the queue from growing",
                           r->rates[0].scan.rate);
    }
    return ST_OK;
}

static enum status run(struct queue_run *q, const char *name, struct err *err)
{
    enum status st = read_arrivals(q, err);
    if (st == ST_OK)
        st = files_open_store(&q->store, q->config->out, STORE_READ, err);
    if (st == ST_OK)
        st = store_load_campaign(&q->campaign, q->store, name, err);
    if (st == ST_OK)
        st = take_targets(q, err);
    if (st == ST_OK)
        st = show(q, err);
    return st == ST_OK ? verdict(q, err) : st;
}

enum status verb_queue(const struct invocation *inv, struct err *err)
{
    struct queue_run q = { .config = inv->config, .delay_s = (double)inv->config->delay_ns / 1e9 };
    if (inv->config->json && inv->config->csv)
        return err_set(err, ST_USAGE, "--json and --csv exclude each other: leave one of them out");
    enum status st = run(&q, inv->word_count ? inv->words[0] : NULL, err);
    free(q.results);
    campaign_free(q.campaign);
    store_close(q.store);
    arrivals_free(&q.arrivals);
    return st;
}
