/* night.h - one night: what is measured, what it says, how it ends. */
#ifndef NIGHTLY_NIGHT_H
#define NIGHTLY_NIGHT_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include "bench/config/config.h"
#include "bench/measure/progress.h"
#include "bench/nightly/watch.h"
#include "bench/output/night_table.h"
#include "bench/store/store.h"
#include "kernels/base/err.h"

struct night_report {                /* night_report_free */
    char   name[32];                 /* of the run */
    char   tune[32];                 /* of the newest campaign whose decisions are watched; "": not known */
    struct night_row *rows;          /* [count] tonight's series by name, MACHINE of each device first */
    size_t count;
    struct night_event *events;      /* [event_count] what is another on the machine than on the nights of the base */
    size_t event_count;
    bool   events_of_base;           /* else, as nothing is red, than on the night before */
    size_t nights;                   /* in the store, tonight's too */
    double alpha, alpha_budget;      /* false alarms to be expected: of a series and night; of the night */
    const char *verdict;             /* worst word of the night: "OK", "REGRESSED", "BLIND" ... */
    char   sentence[RECORD_TEXT];    /* it, for people */
    char   gap[RECORD_TEXT];         /* "" or the sentence of a missed time */
    char   advice[RECORD_TEXT];      /* "" or what to do about batch sizes that are no longer right */
    char (*moved)[256];              /* [moved_count] keys of the targets to race again: moved, and not slower */
    size_t moved_count;
};
void night_report_free(struct night_report *r);
/* The report as the output takes it; borrows. */
struct night_view night_report_view(const struct night_report *r);

struct night_context {
    const struct watch_source *sources; /* [source_count] what is watched, the newest campaign first */
    size_t source_count;
    struct store *store;             /* open for writing */
    const struct progress *progress; /* may be NULL */
    const volatile sig_atomic_t *stop; /* may be NULL */
    const char *argv_text, *build, *variant;
};

/* Measures, compares with the nights in the store, confirms what is flagged, stores, tells. *out is valid with
 *   ST_OK          OK, SUSPECT, NOISE, IMPROVED, LEARNING
 *   ST_BAD_NEWS    REGRESSED, MACHINE, BLIND
 *   ST_UNDECIDED   INCONCLUSIVE, INVALID, THROTTLED
 *   ST_ENVIRONMENT no target could be measured for want of its device or engine
 *   ST_INTERRUPTED what was measured is stored, and judges nothing
 * and all zero with another status of the store or of campaign_run. */
enum status night_run(struct night_report *out, const struct night_context *context, struct err *err);

#endif
