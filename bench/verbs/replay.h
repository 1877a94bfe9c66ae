/* replay.h - the two things that `bench replay` decides again: a curve, and a stored campaign. Each prints
 * its answer; statuses are those of the verb. */
#ifndef VERBS_REPLAY_H
#define VERBS_REPLAY_H

#include "bench/verbs/verbs.h"
#include "kernels/base/err.h"

/* --curve: recorded or invented; exact, or simulated with --noise. ST_BAD_NEWS: no size can be used. */
enum status replay_a_curve(const struct invocation *inv, struct err *err);

#endif
