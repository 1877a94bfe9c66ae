/* arrivals.h - when requests arrive: drawn at random (Poisson) or read from a recorded trace. What
 * arrivals_random and arrivals_read give, arrivals_free takes back. */
#ifndef QUEUE_ARRIVALS_H
#define QUEUE_ARRIVALS_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/base/err.h"

#define ARRIVALS_SEEDS 5
#define ARRIVALS_RANDOM 100000       /* requests of a simulation (measurement rule 6.4) */
#define ARRIVALS_TRACE_MAX 1000000

struct arrivals_set {
    size_t count;                    /* requests */
    double trace_rate;               /* of a recorded trace: its mean rate, images/s; 0: random */
    double *at[ARRIVALS_SEEDS];      /* [count] ascending, at rate 1: divide by the rate for seconds. Of a
                                        trace the same under every seed */
    double *uniform[ARRIVALS_SEEDS]; /* [count] in (0,1): draws of service times */
    double *block;                   /* what all of them lie in */
};

/* Gaps are exponential, of mean 1; seeds are first_seed, first_seed + 1 ... ST_OUT_OF_MEMORY. */
enum status arrivals_random(struct arrivals_set *out, size_t count, uint64_t first_seed, struct err *err);
/* One offset in seconds a line, ascending, the first one at any time >= 0; empty lines and lines that begin
 * with # do not count. ST_CONFIG: a line is wrong (file:line), or there are fewer than 2 different offsets or
 * too many; ST_IO: the file cannot be read; ST_OUT_OF_MEMORY. */
enum status arrivals_read(struct arrivals_set *out, const char *path, uint64_t first_seed, struct err *err);
/* The same from offset_s[count], ascending. ST_USAGE: no two of them differ. */
enum status arrivals_of(struct arrivals_set *out, const double *offset_s, size_t count, uint64_t first_seed,
                        struct err *err);
/* Allowed on a set that is all zero. */
void arrivals_free(struct arrivals_set *a);

#endif
