/* past.h - the nights of a store, arranged by series, for people who look back. past_load .. past_free
 * owns all. */
#ifndef NIGHTLY_PAST_H
#define NIGHTLY_PAST_H

#include "bench/nightly/events.h"
#include "bench/output/night_history.h"
#include "bench/store/store.h"
#include "kernels/base/err.h"

struct past {
    struct night_row *rows;          /* by run, then series */
    size_t row_count;
    struct accept_row *accepts;
    size_t accept_count;
    struct run_row *all_runs;        /* [all_count] as the store gave them */
    size_t all_count;
    struct run_row *runs;            /* [run_count] of the nights that have rows, oldest first; borrow from all */
    size_t run_count;
    struct night_event **events;     /* [run_count] what changed since the one before */
    size_t *event_counts;
    struct history_view *series;     /* [series_count] by name */
    size_t series_count;
    struct history_night *nights;    /* of all series, one after another */
};
/* ST_CONFIG: there was no night yet. Statuses of the store. */
enum status past_load(struct past *out, struct store *store, struct err *err);
void past_free(struct past *p);
/* How often a night was due by the settings of that one; 0: they do not tell, a day. */
double past_every_s(const struct run_row *run);
/* A night by its name, by "last", or by its date (2026-11-23: the first of that day); NULL: none. */
const struct run_row *past_night(const struct past *p, const char *text);

#endif
