#include "bench/measure/open_loop.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/measure/campaign_state.h"
#include "bench/measure/decision.h"
#include "bench/measure/open_loop_record.h"
#include "bench/measure/open_loop_send.h"
#include "bench/measure/residents.h"
#include "bench/measure/warm.h"

#define LABEL "open_loop"

/* One try to measure one batch size. */
struct open_loop {
    struct campaign_state *c;
    struct target_state *t;
    struct open_loop_fact fact;
    struct queue_times_set times;    /* all sizes that were measured */
    struct residents residents;
    int    as[QUEUE_BATCH_MAX + 1];  /* prepared size that runs n images */
    uint64_t start_ns;
};

static double limit_percentile(const struct open_loop *o)
{
    const struct latency_limit *limit = &o->c->config->limit;
    return limit->response ? limit->percentile : 0;
}

/* --- the plan ------------------------------------------------------------------------------------------- */

static enum status take_trace(struct open_loop_ask *ask, const char *path, struct err *err)
{
    struct arrivals_set set = { 0 };
    enum status st = arrivals_read(&set, path, 1, err);
    if (st == ST_OK && !(ask->arrival_ns = malloc(set.count * sizeof *ask->arrival_ns)))
        st = err_set(err, ST_OUT_OF_MEMORY, "not enough memory for %zu requests", set.count);
    for (size_t i = 0; i < set.count && st == ST_OK; i++)
        ask->arrival_ns[i] = (uint64_t)llround(set.at[0][i] / set.trace_rate * 1e9);
    ask->count = set.count;
    ask->rate = set.trace_rate;
    arrivals_free(&set);
    return st;
}

static enum status plan_arrivals(struct open_loop *o, struct err *err)
{
    const struct arrivals *arrivals = &o->c->config->arrivals;
    struct open_loop_ask *ask = &o->fact.ask;
    if (arrivals->trace)
        return take_trace(ask, arrivals->trace, err);
    ask->rate = arrivals->rate;
    ask->count = open_loop_requests(ask->rate, limit_percentile(o));
    ask->arrival_ns = open_loop_arrivals(ask->count, ask->rate, o->c->run.seed, o->t->plan->key);
    return ask->arrival_ns ? ST_OK
                           : err_set(err, ST_OUT_OF_MEMORY, "not enough memory for %zu requests", ask->count);
}

/* Every delay at the rate of the loop with the sizes of `times`. */
static enum status scan_delays(struct scan *out, const struct open_loop *o,
                               const struct queue_times_set *times, bool limited, struct err *err)
{
    const struct config *config = o->c->config;
    struct arrivals_set set = { 0 };
    enum status st = config->arrivals.trace ? arrivals_read(&set, config->arrivals.trace, 1, err)
                                            : arrivals_random(&set, ARRIVALS_RANDOM, 1, err);
    if (st == ST_OK)
        st = scan_run(out, &(struct scan_ask){ .times = times->times, .time_count = times->count,
                                               .batch = o->fact.ask.batch, .instances = o->fact.ask.instances,
                                               .arrivals = &set, .rate = o->fact.ask.rate,
                                               .percentile = limited ? limit_percentile(o) : 0,
                                               .limit_s = config->limit.limit_ms / 1e3 }, err);
    arrivals_free(&set);
    return st;
}

/* *growing: whatever the delay, the queue grows. A limit that no delay keeps in the simulation is put to the
 * proof with the delay that would be best without it. */
static enum status plan_delay(struct open_loop *o, bool *growing, const struct queue_times_set *times,
                              struct err *err)
{
    struct scan scan;
    enum status st = scan_delays(&scan, o, times, true, err);
    if (st == ST_OK && scan.recommended == QUEUE_NONE && limit_percentile(o) > 0)
        st = scan_delays(&scan, o, times, false, err);
    *growing = st == ST_OK && scan.recommended == QUEUE_NONE;
    if (st == ST_OK && !*growing)
        o->fact.ask.delay_ns = (uint64_t)llround(scan.points[scan.recommended].delay_s * 1e9);
    return st;
}

/* --- the sizes ------------------------------------------------------------------------------------------ */

/* Sizes that a batch may be padded to: all that were measured up to B, or, if these do not fit into memory
 * together, B, its half, its quarter ...; or B alone. Ascending. */
static size_t list_sizes(int *out, const struct open_loop *o, int level)
{
    int batch = o->fact.ask.batch;
    size_t n = 0;
    for (size_t i = 0; i < o->times.count && n < SEARCH_SIZES_MAX; i++) {
        int images = o->times.times[i].images;
        bool halved = false;
        for (int half = batch; half >= 1; half /= 2)
            halved = halved || half == images;
        if (images <= batch && (level == 0 || images == batch || (level == 1 && halved)))
            out[n++] = images;
    }
    return n;
}

/* The size that n images run as is the next larger prepared one. */
static void fill_as(struct open_loop *o, const int *sizes, size_t count)
{
    for (int n = 1; n <= o->fact.ask.batch; n++)
        for (size_t i = count; i-- > 0 && sizes[i] >= n;)
            o->as[n] = sizes[i];
}

static enum status open_sizes(struct open_loop *o, const int *sizes, size_t count, struct err *err)
{
    struct residents_ask ask = { .label = LABEL, .batches = sizes, .count = count };
    return residents_open(&o->residents, o->c, o->t, &ask, err);
}

static enum status warm_sizes(struct open_loop *o, const int *sizes, size_t count, struct err *err)
{
    enum status st = ST_OK;
    for (size_t i = 0; i + 1 < count && st == ST_OK; i++) { /* the largest is warm */
        uint64_t t_iter_ns = residents_t_iter(&o->t->history, sizes[i]);
        st = warm_size(&o->residents.x, sizes[i], &t_iter_ns, err);
    }
    return st;
}

/* A worker with as many sizes prepared as fit. */
static enum status bring_up(struct open_loop *o, struct err *err)
{
    int sizes[SEARCH_SIZES_MAX];
    size_t count = list_sizes(sizes, o, 0);
    enum status st = open_sizes(o, sizes, count, err);
    for (int level = 1; level <= 2 && st == ST_OK && o->residents.swapped && count > 1; level++) {
        st = residents_close(&o->residents, err);
        count = list_sizes(sizes, o, level);
        if (st == ST_OK)
            st = open_sizes(o, sizes, count, err);
    }
    if (st == ST_OK)
        st = warm_sizes(o, sizes, count, err);
    fill_as(o, sizes, count);
    return st;
}

/* --- one try -------------------------------------------------------------------------------------------- */

static void tell_result(const struct open_loop *o, const struct open_loop_fact *fact,
                        const struct open_loop_answer *a, const struct scan *simulated)
{
    char text[400], p95[64] = "too few requests for a p95", beside[96] = "";
    if (isfinite(a->p95_s))
        snprintf(p95, sizeof p95, "p95 response %.4g ms", 1e3 * a->p95_s);
    if (isfinite(a->p95_s) && isfinite(simulated->points[0].p95_s.value))
        snprintf(beside, sizeof beside, " (simulated: %.4g ms)", 1e3 * simulated->points[0].p95_s.value);
    snprintf(text, sizeof text,
             "open loop: %zu requests at %.4g/s, batches of at most %d, queue delay %.4g ms: %s%s%s",
             fact->ask.count, fact->ask.rate, fact->ask.batch, (double)fact->ask.delay_ns / 1e6, p95, beside,
             a->outcome == OPEN_LOOP_INVALID && *fact->disturbed
                 ? "; not valid, the worker was held back (quota or heat)"
             : a->outcome == OPEN_LOOP_INVALID
                 ? "; not valid, over 1 % were sent late: this machine was too busy"
             : a->outcome == OPEN_LOOP_FAIL ? "; over the limit"
             : a->outcome == OPEN_LOOP_OPEN ? "; not shown to be under the limit"
                                            : "");
    campaign_tell(o->c, o->t, a->outcome == OPEN_LOOP_PASS ? "note" : "warning", text, fact->ask.batch, 0);
}

static enum status keep_result(struct open_loop *o, struct err *err)
{
    struct open_loop_answer answer;
    struct scan simulated;
    const struct latency_limit *limit = &o->c->config->limit;
    enum status st = open_loop_store(o->c->store, o->c->run.id, &o->fact, o->start_ns, err);
    if (st == ST_OK)
        st = open_loop_judge(&answer, &o->fact, limit_percentile(o), limit->limit_ms / 1e3, err);
    if (st == ST_OK)
        st = open_loop_simulate(&simulated, &o->fact, &o->times, err);
    if (st == ST_OK)
        tell_result(o, &o->fact, &answer, &simulated);
    return st == ST_OK ? open_loops_add(&o->t->history.open_loops, &o->fact, err) : st;
}

/* It died, or nothing was begun: that is stored, and known. */
static enum status keep_end(struct open_loop *o, enum open_loop_end end, const char *text, struct err *err)
{
    struct open_loop_fact fact = { .end = end,
                                   .ask = { .batch = o->fact.ask.batch, .rate = o->fact.ask.rate } };
    campaign_tell(o->c, o->t, "warning", text, o->fact.ask.batch, 0);
    enum status st = open_loop_store_end(o->c->store, o->t->row.id, &fact, err);
    return st == ST_OK ? open_loops_add(&o->t->history.open_loops, &fact, err) : st;
}

static enum status keep_growing(struct open_loop *o, struct err *err)
{
    char text[300];
    snprintf(text, sizeof text,
             "open loop: not begun: batch %d cannot serve %.4g images/s, its queue would grow for ever",
             o->fact.ask.batch, o->fact.ask.rate);
    return keep_end(o, OPEN_LOOP_SATURATED, text, err);
}

static enum status measure(struct open_loop *o, struct err *err)
{
    uint64_t t_iter_ns = residents_t_iter(&o->t->history, o->fact.ask.batch);
    o->fact.calls = calloc(o->fact.ask.count, sizeof *o->fact.calls);
    if (!o->fact.calls)
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for %zu calls", o->fact.ask.count);
    enum status st = bring_up(o, err);
    if (st != ST_OK)
        return st;
    o->fact.execution = o->residents.x.row.id;
    campaign_tell(o->c, o->t, "open loop", NULL, o->fact.ask.batch, 0);
    return open_loop_send(&o->fact, &o->start_ns, &o->residents.x, o->as, t_iter_ns, err);
}

static enum status measure_and_keep(struct open_loop *o, struct err *err)
{
    enum status st = measure(o, err);
    if (status_is_of_worker(st, err)) {
        char text[ERR_TEXT_MAX];
        snprintf(text, sizeof text, "open loop: %.900s", err->text);
        st = keep_end(o, OPEN_LOOP_DIED, text, err);
    } else if (st == ST_OK) {
        st = keep_result(o, err);
    }
    enum status closed = residents_close(&o->residents, st == ST_OK ? err : NULL);
    return st != ST_OK ? st : closed;
}

/* Time from the first planned arrival to the last answer, with the start of the worker. */
static uint64_t expected_ns(const struct open_loop *o)
{
    const struct open_loop_ask *ask = &o->fact.ask;
    int sizes[SEARCH_SIZES_MAX];
    size_t count = list_sizes(sizes, o, 0);
    return ask->arrival_ns[ask->count - 1] + residents_t_iter(&o->t->history, ask->batch) +
           residents_open_ns(o->t, sizes, count);
}

static enum status try_once(struct open_loop *o, struct err *err)
{
    bool growing = false;
    enum status st = queue_times_make(&o->times, &o->t->history, false, err);
    if (st == ST_OK && !queue_times_of(&o->times, o->fact.ask.batch)) {
        o->t->cut = true; /* its rounds were cut short: there is nothing to simulate with */
        return ST_OK;
    }
    if (st == ST_OK)
        st = plan_arrivals(o, err);
    if (st == ST_OK)
        st = plan_delay(o, &growing, &o->times, err);
    if (st != ST_OK || growing)
        return st != ST_OK ? st : keep_growing(o, err);
    if (expected_ns(o) > campaign_share_ns(o->c, o->t, 1)) {
        o->t->cut = true;
        return ST_OK;
    }
    return measure_and_keep(o, err);
}

enum status open_loop_measure(struct campaign_state *c, struct target_state *t, int batch, struct err *err)
{
    struct open_loop *o = calloc(1, sizeof *o);
    if (!o)
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for an open loop");
    *o = (struct open_loop){ .c = c, .t = t,
                             .fact = { .ask = { .batch = batch, .instances = t->row.instances } } };
    enum status st = try_once(o, err);
    open_loop_fact_free(&o->fact);
    queue_times_free(&o->times);
    free(o);
    return st;
}

enum status open_loop_run(struct campaign_state *c, struct target_state *t, struct err *err)
{
    struct decision *d = NULL;
    struct open_loop_answer standing = { .outcome = OPEN_LOOP_NONE };
    if (!open_loop_is_asked(c->config) || t->ended)
        return ST_OK;
    enum status st = target_decide(&d, c, t, err);
    int batch = st == ST_OK ? d->optimal : 0;
    decision_free(d);
    while (st == ST_OK && batch && !t->cut) {
        st = open_loop_standing(&standing, NULL, &t->history, batch, &c->config->limit, err);
        if (st != ST_OK || standing.outcome != OPEN_LOOP_NONE)
            return st;
        st = open_loop_measure(c, t, batch, err);
    }
    return st;
}
