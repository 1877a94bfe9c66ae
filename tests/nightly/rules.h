/* rules.h - how other tools watch for a regression, re-implemented from their documented behaviour: what
 * our verdict is compared with. x[0..t] are night values (rates); true: an alarm on night t. */
#ifndef NIGHTLY_RULES_H
#define NIGHTLY_RULES_H

#include <stdbool.h>
#include <stddef.h>

struct night_rule {
    const char *name;
    size_t needs;                   /* nights before the first answer */
    size_t keeps;                   /* nights that it looks back at most; 0: all */
    bool (*alarm)(const double *x, size_t t);
};
extern const struct night_rule rule_three_sigma, rule_bencher, rule_rustc_perf, rule_conbench,
    rule_github_action;

/* Otava-like: change points by the energy statistic in windows of 50 that advance by 25, tested by t, p <
 * .001, and with a least change of the mean (0: none). points[]: ascending, the first night of each new
 * level; their number. */
#define OTAVA_POINTS_MAX 256
size_t otava_points(size_t points[OTAVA_POINTS_MAX], const double *x, size_t n, double magnitude);

#endif
