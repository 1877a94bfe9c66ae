/* What can be said of an open loop without a worker. */
#include <math.h>
#include <stdlib.h>

#include "bench/measure/open_loop.h"
#include "bench/measure/schedule.h"
#include "kernels/base/rng.h"
#include "tuner/slo.h"
#include "tuner/stats.h"

static const double wanted = 1000;   /* responses: a p95 from fifty, a p99 from ten that lie above it */
static const double wanted_s = 60;
static const double counted_share = .9; /* the first tenth fills the queue */

bool open_loop_is_asked(const struct config *config)
{
    return config->arrivals.rate > 0 || config->arrivals.trace;
}

enum status open_loop_check(const struct config *config, struct err *err)
{
    struct arrivals_set set = { 0 };
    if (config->limit.percentile > 0 && config->limit.response && !open_loop_is_asked(config))
        return err_set(err, ST_USAGE,
                       "--slo response:...: how long a request waits depends on how many arrive: say it with "
                       "--open-loop poisson:20/s, or limit the time of one batch (--slo p95=300ms)");
    if (!config->arrivals.trace)
        return ST_OK;
    enum status st = arrivals_read(&set, config->arrivals.trace, 1, err);
    arrivals_free(&set);
    return st;
}

size_t open_loop_requests(double rate, double percentile)
{
    double p = percentile > 0 ? percentile : .95;
    double needed = (double)stats_percentile_needs(p);
    if (percentile > 0)
        needed = fmax(needed, (double)slo_rule_of(p).needs[SLO_LOOKS - 1]);
    double counted = fmax(needed, fmin(wanted, wanted_s * rate));
    return (size_t)ceil(counted / counted_share) + 1;
}

uint64_t *open_loop_arrivals(size_t count, double rate, uint64_t run_seed, const char *key)
{
    uint64_t *arrival_ns = malloc((count ? count : 1) * sizeof *arrival_ns);
    struct rng r = rng_seeded(schedule_seed(run_seed, key, 0)); /* rounds begin at 1 */
    double now_s = 0;
    for (size_t i = 0; arrival_ns && i < count; i++) {
        now_s -= log(rng_uniform(&r)) / rate;
        arrival_ns[i] = (uint64_t)llround(now_s * 1e9);
    }
    return arrival_ns;
}

enum status open_loop_standing(struct open_loop_answer *out, const struct open_loop_fact **fact,
                               const struct history *h, int batch, const struct latency_limit *limit,
                               struct err *err)
{
    double percentile = limit->response ? limit->percentile : 0;
    return open_loops_judge(out, fact, &h->open_loops, batch, percentile, limit->limit_ms / 1e3, err);
}

/* Sizes that ran: the others were not prepared, or not needed. How many. */
static size_t times_of_calls(struct queue_times *out, const struct open_loop_fact *fact,
                             const struct queue_times_set *times)
{
    size_t n = 0;
    for (size_t i = 0; i < times->count; i++) {
        bool ran = times->times[i].images == fact->ask.batch;
        for (size_t k = 0; k < fact->call_count && !ran; k++)
            ran = fact->calls[k].executed == times->times[i].images;
        if (ran)
            out[n++] = times->times[i];
    }
    return n;
}

enum status open_loop_simulate(struct scan *out, const struct open_loop_fact *fact,
                               const struct queue_times_set *times, struct err *err)
{
    struct arrivals_set set = { 0 };
    double delay_s = (double)fact->ask.delay_ns / 1e9;
    struct queue_times *ran = malloc((times->count + 1) * sizeof *ran);
    double *offset_s = malloc(fact->ask.count * sizeof *offset_s);
    if (!ran || !offset_s) {
        free(ran);
        free(offset_s);
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for %zu requests", fact->ask.count);
    }
    for (size_t i = 0; i < fact->ask.count; i++)
        offset_s[i] = (double)fact->ask.arrival_ns[i] / 1e9;
    enum status st = arrivals_of(&set, offset_s, fact->ask.count, 1, err);
    if (st == ST_OK)
        st = scan_run(out, &(struct scan_ask){ .times = ran, .time_count = times_of_calls(ran, fact, times),
                                               .batch = fact->ask.batch, .instances = fact->ask.instances,
                                               .arrivals = &set, .rate = set.trace_rate, .growing = true,
                                               .delays_s = &delay_s, .delay_count = 1 }, err);
    arrivals_free(&set);
    free(ran);
    free(offset_s);
    return st;
}
