/* slo.h - does a batch size keep a latency limit? "Percentile p of the times is at most v" is proved or
 * refuted by counting (measurement rule 4.3). Pure; the times are the caller's.
 *
 * Up to SLO_LOOKS - 1 times above v are forgiven: t of them once n_t times were seen, n_t being the smallest
 * n with P(Bin(n, 1-p) <= t) <= 1 %. So a size whose percentile lies exactly at the limit passes in at most 5
 * %, one that is worse more rarely. */
#ifndef TUNER_SLO_H
#define TUNER_SLO_H

#include <stddef.h>

enum slo_status { SLO_PASS, SLO_FAIL, SLO_OPEN };

#define SLO_LOOKS 5

/* n_t for t = 0..4: p50 7 11 14 17 19; p90 44 64 81 97 113; p95 90 130 165 198 229; p99 459 662 838 1001
 * 1157. p in (0,1). */
struct slo_rule {
    double p;
    size_t needs[SLO_LOOKS];
};
struct slo_rule slo_rule_of(double p);

struct slo_answer {
    enum slo_status status;
    size_t used;              /* number of times after which the status was final; OPEN: all of them */
    size_t above;             /* of those */
};
/* times[n] in time order, in the unit of limit. A final status never changes with more times. */
struct slo_answer slo_check(const struct slo_rule *rule, const double *times, size_t n, double limit);

#endif
