#include "bench/measure/open_loop_fact.h"

#include <math.h>
#include <stdlib.h>

#include "tuner/queue.h"
#include "tuner/slo.h"
#include "tuner/stats.h"

static const double late_share = .01; /* of the requests: more, and the loop shows how slow `bench` was */

void open_loop_fact_free(struct open_loop_fact *f)
{
    free(f->ask.arrival_ns);
    free(f->calls);
    *f = (struct open_loop_fact){ 0 };
}

enum status open_loops_add(struct open_loops *l, struct open_loop_fact *fact, struct err *err)
{
    struct open_loop_fact *moved = realloc(l->items, (l->count + 1) * sizeof *moved);
    if (!moved) {
        open_loop_fact_free(fact);
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for what an open loop showed");
    }
    l->items = moved;
    l->items[l->count++] = *fact;
    *fact = (struct open_loop_fact){ 0 };
    return ST_OK;
}

void open_loops_free(struct open_loops *l)
{
    for (size_t i = 0; i < l->count; i++)
        open_loop_fact_free(&l->items[i]);
    free(l->items);
    *l = (struct open_loops){ 0 };
}

const char *open_loop_outcome_name(enum open_loop_outcome outcome)
{
    static const char *const names[] = { "pass", "fail", "open", "invalid", "crashed", "saturated", "none" };
    return names[outcome];
}

/* --- late requests -------------------------------------------------------------------------------------- */

/* When each call should have been sent: by the rule, from the answers that had come by then. */
static size_t count_late(const struct open_loop_fact *f, const double *arrival_s)
{
    double free_s[QUEUE_INSTANCES_MAX] = { 0 };
    size_t late = 0, first = 0;
    for (size_t i = 0; i < f->call_count; i++) {
        const struct open_loop_call *call = &f->calls[i];
        size_t k = 0;
        for (size_t j = 1; j < (size_t)f->ask.instances; j++)
            k = free_s[j] < free_s[k] ? j : k;
        struct queue_batch b = queue_form(arrival_s, f->ask.count, 1, first, free_s[k], f->ask.batch,
                                          (double)f->ask.delay_ns / 1e9);
        double late_s = (double)call->sent_ns / 1e9 - b.start_s;
        late += late_s > (double)OPEN_LOOP_LATE_NS / 1e9 ? (size_t)call->images : 0;
        free_s[k] = (double)call->answered_ns / 1e9;
        first += (size_t)call->images;
    }
    return late;
}

/* --- percentiles ---------------------------------------------------------------------------------------- */

static double percentile_of(const double *sorted, size_t n, double p)
{
    return stats_percentile(sorted, n, p).value;
}

static double mean_of(const double *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i];
    return n ? sum / (double)n : NAN;
}

static void take_services(struct open_loop_answer *out, const struct open_loop_fact *f, double *room)
{
    for (size_t i = 0; i < f->call_count; i++)
        room[i] = (double)(f->calls[i].answered_ns - f->calls[i].sent_ns) / 1e6 -
                  (double)f->calls[i].service_ns / 1e6;
    out->call_ms = stats_median(room, f->call_count);
    for (size_t i = 0; i < f->call_count; i++)
        room[i] = (double)f->calls[i].service_ns / 1e9;
    stats_sort(room, f->call_count);
    out->service_p95_s = percentile_of(room, f->call_count, .95);
}

static void take_responses(struct open_loop_answer *out, double *responses, double percentile)
{
    out->mean_s = mean_of(responses, out->counted);
    stats_sort(responses, out->counted);
    out->p50_s = percentile_of(responses, out->counted, .50);
    out->p95_s = percentile_of(responses, out->counted, .95);
    out->p99_s = percentile_of(responses, out->counted, .99);
    out->limited_s = percentile > 0 ? percentile_of(responses, out->counted, percentile) : NAN;
}

static enum open_loop_outcome outcome_of(const struct open_loop_fact *f, const struct open_loop_answer *a,
                                         const double *responses, double percentile, double limit_s)
{
    static const enum open_loop_outcome outcomes[] = {
        [SLO_PASS] = OPEN_LOOP_PASS, [SLO_FAIL] = OPEN_LOOP_FAIL, [SLO_OPEN] = OPEN_LOOP_OPEN
    };
    if (*f->disturbed || (double)a->late > late_share * (double)f->ask.count)
        return OPEN_LOOP_INVALID;
    if (percentile <= 0)
        return OPEN_LOOP_PASS;
    struct slo_rule rule = slo_rule_of(percentile);
    return outcomes[slo_check(&rule, responses, a->counted, limit_s).status];
}

/* responses[count] in the order of arrivals. */
static void fill_responses(double *responses, const struct open_loop_fact *f, const double *arrival_s)
{
    size_t next = 0;
    for (size_t i = 0; i < f->call_count; i++)
        for (int k = 0; k < f->calls[i].images; k++, next++)
            responses[next] = (double)f->calls[i].answered_ns / 1e9 - arrival_s[next];
}

static struct open_loop_answer empty_answer(enum open_loop_outcome outcome)
{
    return (struct open_loop_answer){ .outcome = outcome,
                                      .mean_s = NAN,
                                      .p50_s = NAN,
                                      .p95_s = NAN,
                                      .p99_s = NAN,
                                      .service_p95_s = NAN,
                                      .limited_s = NAN,
                                      .mean_images = NAN,
                                      .call_ms = NAN };
}

enum status open_loop_judge(struct open_loop_answer *out, const struct open_loop_fact *f, double percentile,
                            double limit_s, struct err *err)
{
    size_t n = f->ask.count, dropped = queue_dropped(n);
    *out = empty_answer(f->end == OPEN_LOOP_DIED ? OPEN_LOOP_CRASHED : OPEN_LOOP_OVERLOADED);
    if (f->end != OPEN_LOOP_COMPLETE)
        return ST_OK;
    double *arrival_s = malloc(3 * (n + 1) * sizeof *arrival_s); /* calls are at most as many as requests */
    out->counted = n - dropped;
    if (!arrival_s)
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for %zu responses", n);
    double *responses = arrival_s + n + 1, *room = responses + n + 1;
    for (size_t i = 0; i < n; i++)
        arrival_s[i] = (double)f->ask.arrival_ns[i] / 1e9;
    fill_responses(responses, f, arrival_s);
    out->late = count_late(f, arrival_s);
    out->mean_images = f->call_count ? (double)n / (double)f->call_count : NAN;
    out->outcome = outcome_of(f, out, responses + dropped, percentile, limit_s);
    take_services(out, f, room);
    take_responses(out, responses + dropped, percentile);
    free(arrival_s);
    return ST_OK;
}

/* Whatever their order: the same from the store as while measuring. */
enum status open_loops_judge(struct open_loop_answer *out, const struct open_loop_fact **fact,
                             const struct open_loops *l, int batch, double percentile, double limit_s,
                             struct err *err)
{
    const struct open_loop_fact *behind = NULL;
    struct open_loop_answer bad = empty_answer(OPEN_LOOP_NONE);
    int tries = 0;
    *out = empty_answer(OPEN_LOOP_NONE);
    for (size_t i = 0; i < l->count; i++) {
        struct open_loop_answer a;
        if (l->items[i].ask.batch != batch)
            continue;
        enum status st = open_loop_judge(&a, &l->items[i], percentile, limit_s, err);
        if (st != ST_OK)
            return st;
        if (a.outcome == OPEN_LOOP_INVALID || a.outcome == OPEN_LOOP_CRASHED) {
            bad = bad.outcome == OPEN_LOOP_CRASHED ? bad : a;
            tries++;
        } else {
            *out = a;
            behind = &l->items[i];
        }
    }
    if (!behind && tries >= OPEN_LOOP_TRIES)
        *out = bad;
    if (fact)
        *fact = behind;
    return ST_OK;
}
