/* open_loop.h - the proof of what the queue simulation says (measurement rule 6.6): requests are sent to the
 * chosen batch size at planned times, whatever the worker does, in batches formed by the rule of
 * tuner/queue.h, in an execution of its own (label open_loop). */
#ifndef MEASURE_OPEN_LOOP_H
#define MEASURE_OPEN_LOOP_H

#include <stdbool.h>
#include <stddef.h>

#include "bench/config/config.h"
#include "bench/measure/history.h"
#include "bench/measure/open_loop_fact.h"
#include "bench/measure/queue_times.h"
#include "bench/queue/scan.h"
#include "kernels/base/err.h"

struct campaign_state;
struct target_state;

/* Was an open loop asked for? */
bool open_loop_is_asked(const struct config *config);
/* Can it be done? To be asked before anything is measured. ST_USAGE: there is a limit on responses and no
 * rate; ST_CONFIG, ST_IO: the trace. */
enum status open_loop_check(const struct config *config, struct err *err);

/* Measures the chosen size of the target if that was asked for and is not measured yet: sizes 1..B prepared
 * as far as they fit into memory together, queue delay as the simulation recommends, then all calls. They are
 * stored when the last one was answered: nothing is written between two. A worker that dies, and a loop that
 * was sent late, are tried once more. t->cut if the budget does not cover it. ST_INTERRUPTED, or a status of
 * the store. */
enum status open_loop_run(struct campaign_state *c, struct target_state *t, struct err *err);

/* One try to measure one size, whatever is known of it: a fact more in t->history.open_loops, unless t->cut.
 * Statuses as above. */
enum status open_loop_measure(struct campaign_state *c, struct target_state *t, int batch, struct err *err);

/* How the batch size stands, under the limit on responses if there is one. ST_OUT_OF_MEMORY. */
enum status open_loop_standing(struct open_loop_answer *out, const struct open_loop_fact **fact,
                               const struct history *h, int batch, const struct latency_limit *limit,
                               struct err *err);

/* The same requests simulated: out->points[0] is to be compared with what was measured. ST_OUT_OF_MEMORY. */
enum status open_loop_simulate(struct scan *out, const struct open_loop_fact *fact,
                               const struct queue_times_set *times, struct err *err);

/* --- planning, for open_loop.c and its tests --- */

/* How many random requests: as many as prove the limit's percentile (p95 without) after the first tenth,
 * 1,000 if they arrive within a minute, or what arrives within a minute. */
size_t open_loop_requests(double rate, double percentile);
/* arrival_ns of count random requests at a rate, from 0 on; by the campaign's seed and the target's key. The
 * caller frees. NULL: no memory. */
uint64_t *open_loop_arrivals(size_t count, double rate, uint64_t run_seed, const char *key);

#endif
