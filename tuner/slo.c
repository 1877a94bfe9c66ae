#include "tuner/slo.h"

#include "tuner/stats.h"

static const double look_level = .01; /* of each look: 5 % in all */

static size_t needed(double p, long forgiven)
{
    size_t lo = (size_t)forgiven + 1, hi = lo;
    while (stats_binomial_cdf(hi, 1 - p, forgiven) > look_level)
        hi *= 2;
    while (lo < hi) {
        size_t n = lo + (hi - lo) / 2;
        if (stats_binomial_cdf(n, 1 - p, forgiven) <= look_level)
            hi = n;
        else
            lo = n + 1;
    }
    return lo;
}

struct slo_rule slo_rule_of(double p)
{
    struct slo_rule rule = { .p = p };
    for (int t = 0; t < SLO_LOOKS; t++)
        rule.needs[t] = needed(p, t);
    return rule;
}

struct slo_answer slo_check(const struct slo_rule *rule, const double *times, size_t n, double limit)
{
    struct slo_answer a = { .status = SLO_OPEN };
    for (size_t t = 0; a.used < n;) {
        a.above += !(times[a.used++] <= limit); /* NaN is no proof */
        if (a.above >= SLO_LOOKS) {
            a.status = SLO_FAIL;
            return a;
        }
        while (t < SLO_LOOKS && rule->needs[t] < a.used)
            t++;
        if (t < SLO_LOOKS && rule->needs[t] == a.used && a.above <= t) {
            a.status = SLO_PASS;
            return a;
        }
    }
    return a;
}
