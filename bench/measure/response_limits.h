/* response_limits.h - which batch sizes keep a limit on responses: before the race by simulation on the
 * coarse iterations, with the queue delay that suits each (measurement rule 4.3). What response_limits_open
 * gives, response_limits_close takes back. */
#ifndef MEASURE_RESPONSE_LIMITS_H
#define MEASURE_RESPONSE_LIMITS_H

#include <stdbool.h>
#include <stddef.h>

#include "bench/config/config.h"
#include "bench/measure/history.h"
#include "kernels/base/err.h"
#include "tuner/race.h"
#include "tuner/slo.h"

struct response_limits;

/* limit: on responses; both are borrowed until _close. ST_OUT_OF_MEMORY. */
enum status response_limits_open(struct response_limits **out, const struct latency_limit *limit,
                                 const struct arrivals *arrivals, int instances, struct err *err);
void response_limits_close(struct response_limits *l); /* NULL is allowed */

/* PASS if some queue delay keeps the limit in the simulation, else FAIL. By the coarse blocks of the history,
 * which do not change once the race has begun: what was found is kept, the next call for the size costs
 * nothing. ST_OUT_OF_MEMORY; ST_CONFIG, ST_IO: the trace; ST_USAGE: it is too short for the percentile. */
enum status response_limits_of(enum slo_status *out, struct response_limits *l, const struct history *h,
                               int batch, struct err *err);

/* Limit status of every candidate before the race. Statuses as above. */
enum status response_limits_check(struct race_candidate *candidates, size_t count, struct response_limits *l,
                                  const struct history *h, struct err *err);
/* What open loops said after it: a candidate that did not pass its own is over the limit (FAIL), or not shown
 * to be under it (OPEN). *news: there is such a candidate, so the last look has to be taken again without it.
 * ST_OUT_OF_MEMORY. */
enum status response_limits_replayed(bool *news, struct race_candidate *candidates, size_t count,
                                     const struct history *h, const struct latency_limit *limit,
                                     struct err *err);

#endif
