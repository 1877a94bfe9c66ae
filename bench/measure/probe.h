/* probe.h - the ascent of a target: which sizes run at all, how much memory they take, and roughly
 * how fast they are, each found out in a worker of its own where a failure costs nothing else
 * (measurement rules 3.3 and 4.2). */
#ifndef MEASURE_PROBE_H
#define MEASURE_PROBE_H

#include "bench/measure/campaign_state.h"
#include "kernels/base/err.h"

/* Probes sizes until the search ends or the target's share of the budget does; t->search holds then, or
 * t->ended. Goes on where stored probes end. ST_INTERRUPTED, ST_USAGE (another model than at the start), or a
 * status of the store; failures of the worker are results. */
enum status probe_target(struct campaign_state *c, struct target_state *t, struct err *err);

#endif
