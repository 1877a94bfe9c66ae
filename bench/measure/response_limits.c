#include "bench/measure/response_limits.h"

#include <stdlib.h>

#include "bench/measure/open_loop_fact.h"
#include "bench/measure/queue_times.h"
#include "bench/queue/scan.h"
#include "tuner/search.h"

struct response_limits {
    const struct latency_limit *limit;
    const struct arrivals *arrivals;
    int    instances;
    struct { int batch; enum slo_status status; } known[SEARCH_SIZES_MAX];
    size_t count;
};

enum status response_limits_open(struct response_limits **out, const struct latency_limit *limit,
                                 const struct arrivals *arrivals, int instances, struct err *err)
{
    struct response_limits *l = calloc(1, sizeof *l);
    *out = l;
    if (!l)
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for a limit on responses");
    l->limit = limit;
    l->arrivals = arrivals;
    l->instances = instances;
    return ST_OK;
}

void response_limits_close(struct response_limits *l)
{
    free(l);
}

/* Requests of its own for every size: kept for all of them they would take 8 MB a target. */
static enum status simulate(bool *fits, const struct response_limits *l, const struct queue_times_set *times,
                            int batch, struct err *err)
{
    const struct arrivals *arrivals = l->arrivals;
    struct arrivals_set set = { 0 };
    enum status st = arrivals->trace ? arrivals_read(&set, arrivals->trace, 1, err)
                                     : arrivals_random(&set, ARRIVALS_RANDOM, 1, err);
    if (st == ST_OK)
        st = scan_fits(fits, NULL,
                       &(struct scan_ask){ .times = times->times,
                                           .time_count = times->count,
                                           .batch = batch,
                                           .instances = l->instances,
                                           .arrivals = &set,
                                           .rate = arrivals->trace ? set.trace_rate : arrivals->rate,
                                           .percentile = l->limit->percentile,
                                           .limit_s = l->limit->limit_ms / 1e3 },
                       err);
    arrivals_free(&set);
    return st;
}

enum status response_limits_of(enum slo_status *out, struct response_limits *l, const struct history *h,
                               int batch, struct err *err)
{
    struct queue_times_set times;
    bool fits = false;
    for (size_t i = 0; i < l->count; i++)
        if (l->known[i].batch == batch) {
            *out = l->known[i].status;
            return ST_OK;
        }
    enum status st = queue_times_make(&times, h, true, err);
    if (st != ST_OK)
        return st;
    if (queue_times_of(&times, batch))
        st = simulate(&fits, l, &times, batch, err);
    queue_times_free(&times);
    *out = fits ? SLO_PASS : SLO_FAIL;
    if (st == ST_OK && l->count < SEARCH_SIZES_MAX) {
        l->known[l->count].batch = batch;
        l->known[l->count++].status = *out;
    }
    return st;
}

enum status response_limits_check(struct race_candidate *candidates, size_t count, struct response_limits *l,
                                  const struct history *h, struct err *err)
{
    enum status st = ST_OK;
    for (size_t i = 0; i < count && st == ST_OK; i++)
        st = response_limits_of(&candidates[i].limit, l, h, candidates[i].batch, err);
    return st;
}

enum status response_limits_replayed(bool *news, struct race_candidate *candidates, size_t count,
                                     const struct history *h, const struct latency_limit *limit,
                                     struct err *err)
{
    *news = false;
    for (size_t i = 0; i < count; i++) {
        struct open_loop_answer a;
        enum status st = open_loops_judge(&a, NULL, &h->open_loops, candidates[i].batch, limit->percentile,
                                          limit->limit_ms / 1e3, err);
        if (st != ST_OK)
            return st;
        if (a.outcome == OPEN_LOOP_NONE || a.outcome == OPEN_LOOP_PASS)
            continue;
        bool shown = a.outcome == OPEN_LOOP_FAIL || a.outcome == OPEN_LOOP_OVERLOADED;
        candidates[i].limit = shown ? SLO_FAIL : SLO_OPEN;
        candidates[i].limit_round = 0;
        *news = true;
    }
    return ST_OK;
}
