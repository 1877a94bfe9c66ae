/* invented.h - curves that nobody measured: shapes on which a rule for choosing can go wrong, each with one
 * right answer that follows by hand. Rates are in images/s, a batch always takes the same time (p50 = p95).
 */
#ifndef REPLAY_INVENTED_H
#define REPLAY_INVENTED_H

#include <stdbool.h>

#include "bench/replay/curve.h"
#include "kernels/base/err.h"

/* Is it the name of one: flat saturating knee hump cliff sawtooth dip margin? */
bool invented_is(const char *name);
/* ST_USAGE: no such name, with the nearest and the list. curve_free(out); *out is all zero unless ST_OK. */
enum status invented_curve(struct recorded_curve *out, const char *name, struct err *err);

#endif
