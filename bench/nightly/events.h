/* events.h - what was another on the machine between two nights: the suspects beside a shift (measurement
 * rule 7.1). */
#ifndef NIGHTLY_EVENTS_H
#define NIGHTLY_EVENTS_H

#include <stddef.h>

#include "bench/store/store.h"
#include "kernels/base/err.h"

/* Facts of class event that differ between two runs, and their builds; *out for free(). Statuses of the
 * store. */
enum status night_events(struct night_event **out, size_t *count, struct store *store,
                         const struct run_row *then, const struct run_row *now, struct err *err);
/* Takes out of events [*count] those that were on run `then` as they are now. Statuses of the store. */
enum status night_events_drop(struct night_event *events, size_t *count, struct store *store,
                              const struct run_row *then, const struct run_row *now, struct err *err);

#endif
