/* decided.h - what every output says about the decision of a target: which point is served, which rate is
 * published, and the sentences about both. Pure functions of a target; they borrow it for the call. */
#ifndef OUTPUT_DECIDED_H
#define OUTPUT_DECIDED_H

#include <stdbool.h>
#include <stddef.h>

#include "bench/store/record.h"

const struct point_view *target_point(const struct target_view *target, int batch); /* NULL: none */
/* The size to be served: the decision, or if a size below it fails, a smaller one (a request can have any
 * size, so every size below the one that is executed must run). 0: none. */
int target_served_batch(const struct target_view *target);
/* Its point, if that has a number that counts; NULL: none. What tables mark, pictures ring and pages name. */
const struct point_view *target_chosen(const struct target_view *target);
/* Did the decision hold in fresh executions, and is it the size that is served? */
bool target_is_verified(const struct target_view *target);
/* Why it is undecided or only probed ("budget"); "" for an answer that stands, however short the time was. */
const char *decided_cause(const struct decision_row *d);
/* Was its estimate measured in rounds? One of probes only is the best of a few blocks, and looks faster than
 * it is. */
bool point_is_raced(const struct point_view *point);
/* Valid point with the highest estimate, among the raced ones if there are any; NULL: none. */
const struct point_view *target_fastest(const struct target_view *target);
/* What ratios are made against: the leader of the race, else the fastest; NULL: none. */
const struct point_view *target_best(const struct target_view *target);

/* Is a to be believed faster than b at their served sizes, both of which have a point? A verified rate comes
 * before one that is not: what won a race or a probe looks faster than it is. */
bool target_is_faster(const struct target_view *a, const struct target_view *b);

/* The estimate that is published: of the verification where there is one, else of the race, else coarse.
 * NULL: the point has none. */
const struct estimate_row *point_published(const struct point_view *point);
double point_images_per_s(const struct point_view *point); /* of it; NaN: none */
/* images/s and J per image of a member of the verification, whose y is a value of the objective; NaN: not
 * known. */
double verified_images_per_s(const struct target_view *target, const struct verify_row *row);
double verified_joules(const struct target_view *target, const struct verify_row *row);
/* p95 of one batch in ms: of the race and its proofs, else of the verification; NaN: too few iterations. */
double point_p95_ms(const struct point_view *point);
/* Does the estimate have an interval, or a range? */
bool estimate_has_interval(const struct estimate_row *estimate);
/* Is it so wide (half of it more than 50 % of the estimate) that a percentage says nothing? */
bool estimate_is_wide(const struct estimate_row *estimate);

#define DECIDED_TEXT 512
/* "batch 4: decided, verified", "batch 4: undecided (margin), not verified", "batch 2 in place of 4: decided,
 * not verified", "no usable batch size", "no decision". */
void decided_word(char out[DECIDED_TEXT], const struct target_view *target);
/* "17.21 images/s (17.17 to 17.25 over 3 fresh executions)", "17.2 images/s (+- 0.5 %)", "17.2 images/s".
 * "" if the point has no number. */
void decided_rate(char out[DECIDED_TEXT], const struct point_view *point);
/* One sentence with the claim and how sure it is: "Use batch 4: it is the smallest size within 5 % of the
 * best. A race shows that, wrong with a probability of at most 5 %." */
void decided_claim(char out[DECIDED_TEXT], const struct target_view *target);
/* What would make an answer surer that is not, to be followed by the command that repeats the campaign. "" if
 * nothing is to be done. */
void decided_next_step(char out[DECIDED_TEXT], const struct target_view *target);
/* What max_safe is, and how far it was tried; "" without one. */
void decided_max_safe(char out[DECIDED_TEXT], const struct target_view *target);
/* Memory: "32 does not fit (out_of_memory); 24 fits, shown alone in two fresh processes; up to 8 may be
 * executed; peak 3318 MiB at 4". "" if nothing is known. */
void decided_memory(char out[DECIDED_TEXT], const struct target_view *target);
/* First use and break even of the served size; "" if it is not known. */
void decided_first_use(char out[DECIDED_TEXT], const struct target_view *target);
/* Limit on times and what the size reaches: "p95 of one batch is at most 300 ms: 241.7 ms at 4"; "" if there
 * is none. */
void decided_limit(char out[DECIDED_TEXT], const struct target_view *target);
/* What the open loop showed: "20 images/s at batch 4 with at most 50 ms of waiting: p95 of response 310 ms
 * (limit 400 ms)"; "" if none ran. */
void decided_queue(char out[DECIDED_TEXT], const struct target_view *target);
/* No size keeps the limit: "no batch size meets 50 ms: the best p95 is 63.6 ms, at 1". "" if that is not why
 * there is no size. */
void decided_no_size(char out[DECIDED_TEXT], const struct target_view *target);

#endif
