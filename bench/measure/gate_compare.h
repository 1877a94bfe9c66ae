/* gate_compare.h - is an output right? Comparison of logits and the limits of the accuracy gate
 * (measurement rule 5). Pure. */
#ifndef MEASURE_GATE_COMPARE_H
#define MEASURE_GATE_COMPARE_H

#include <stdbool.h>
#include <stddef.h>

struct gate_limits {
    double rel_l2, mask;
};
/* Limits of a precision with weights read from a file, or with the damped seeded set, whose random layers
 * amplify rounding. false: the precision is unknown. */
bool gate_limits_of(struct gate_limits *out, const char *precision, bool seeded);

struct gate_difference {
    double rel_l2;                   /* ||o - r|| / ||r||; 0 where both are zero, infinite where only r is */
    double mask;                     /* share of values with (o > 0) != (r > 0): probability 0.5 */
};
bool gate_is_finite(const float *values, size_t count);
/* o and r have count values each. */
struct gate_difference gate_compare(const float *o, const float *r, size_t count);
/* Keeps the worse of both in *worst, starting from zeros; true if it is d's relative L2. Nothing is worse than
 * NaN, which stays whatever follows. */
bool gate_worsen(struct gate_difference *worst, const struct gate_difference *d);
/* Within the limits? The mask counts only for outputs that are masks. NaN is never within. */
bool gate_within(const struct gate_difference *d, const struct gate_limits *limits, bool is_mask);

#endif
