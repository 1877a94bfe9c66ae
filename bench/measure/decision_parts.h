/* decision_parts.h - inside of decision_make: its parts in the order in which they run. Pure; every one
 * fills its fields of struct decision and may read those before it. */
#ifndef MEASURE_DECISION_PARTS_H
#define MEASURE_DECISION_PARTS_H

#include <stdbool.h>

#include "bench/measure/decision.h"
#include "bench/measure/race_rounds.h"

/* After the search: candidates, rounds, race and looks. Statuses of decision_make. */
enum status decision_make_race(struct decision *d, const struct decision_ask *ask, struct err *err);
/* Limit status of every candidate, and the round that made it final. Statuses of decision_make. */
enum status decision_check_limits(struct decision *d, const struct decision_ask *ask,
                                  const struct race_rounds *r, struct err *err);
/* Has every size that is still open had all the time that there is for proofs? */
bool decision_proofs_are_spent(const struct decision *d, const struct history *h);
/* max_safe and optimal; after the choice, the ceiling, the reasons and the fill table. ST_OUT_OF_MEMORY. */
enum status decision_find_max_safe(struct decision *d, const struct decision_rules *rules, struct err *err);

/* What the race and the choice are asked with. */
struct race_ask decision_race_ask(const struct decision *d, const struct decision_rules *rules);
struct decide_ask decision_decide_ask(const struct decision *d, const struct decision_rules *rules);

#endif
