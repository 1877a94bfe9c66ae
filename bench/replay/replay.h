/* replay.h - the decision on a recorded curve: the selection rule with the curve taken as exact, or a whole
 * simulated campaign on it. What replay_curve gives, replay_free takes back. */
#ifndef REPLAY_REPLAY_H
#define REPLAY_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/config/config.h"
#include "bench/replay/curve.h"
#include "bench/replay/noise.h"
#include "bench/replay/procedure.h"
#include "kernels/base/err.h"
#include "tuner/max_safe.h"

struct replay_ask {
    const struct recorded_curve *curve;
    double within, alpha;
    struct latency_limit limit; /* service times; percentile .95 or .50, else ST_USAGE */
    bool   latency;           /* good is a short time of one batch, else many images/s */
    const struct noise *noise; /* NULL: exact values, all recorded sizes compared. Else: ascent, race, choice
                                  and verification on simulated blocks; sizes between recorded ones are
                                  interpolated */
    uint64_t seed;
};
struct replay_answer {
    struct procedure_answer *procedure;
    struct max_safe_answer max_safe;
    char reason[256];         /* one sentence */
};
/* ST_OK also without a usable size: decision.batch is 0 then and reason says why. ST_USAGE: a limit is set
 * and a size has no such percentile. */
enum status replay_curve(struct replay_answer *out, const struct replay_ask *ask, struct err *err);
void replay_free(struct replay_answer *a);

#endif
