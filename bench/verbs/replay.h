/* replay.h - the two things that `bench replay` decides again: a curve, and a stored campaign. Each prints
 * its answer; statuses are those of the verb. */
#ifndef VERBS_REPLAY_H
#define VERBS_REPLAY_H

#include "bench/verbs/verbs.h"
#include "kernels/base/err.h"

/* --curve: recorded or invented; exact, or simulated with --noise. ST_BAD_NEWS: no size can be used. */
enum status replay_a_curve(const struct invocation *inv, struct err *err);
/* The campaign that inv->words names, or the newest. By the rules of then: ST_BAD_NEWS if anything comes out
 * otherwise than it is stored. With parameters that differ from those of then: ST_BAD_NEWS if a target has
 * no usable size under them, ST_UNDECIDED if one is undecided. */
enum status replay_a_campaign(const struct invocation *inv, struct err *err);

#endif
