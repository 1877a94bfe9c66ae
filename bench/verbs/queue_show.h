/* queue_show.h - what `bench queue` found, for people, as JSON and as CSV. All is borrowed for the call. */
#ifndef VERBS_QUEUE_SHOW_H
#define VERBS_QUEUE_SHOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "bench/config/config.h"
#include "bench/measure/open_loop_fact.h"
#include "bench/queue/scan.h"
#include "bench/store/record.h"
#include "kernels/base/err.h"

struct queue_rate {                  /* one batch size at one rate */
    struct scan scan;
    struct scan better;              /* another batch size that answers sooner; batch 0: none */
    double fits;                     /* images/s that do where no delay does; 0: none; NaN: not needed */
};
#define QUEUE_RATES_MAX 3
struct queue_result {                /* one batch size of one target */
    const struct target_view *target;
    int    batch;
    bool   chosen;                   /* the decision's, not one of --batches */
    double capacity;                 /* images/s */
    struct queue_rate rates[QUEUE_RATES_MAX];
    size_t rate_count;
    bool   has_open_loop;            /* it was measured too */
    struct open_loop_answer measured;
    struct scan simulated;           /* the same requests */
    double measured_rate, measured_delay_ms;
};
struct queue_shown {
    const struct campaign *campaign;
    const struct config *config;
    const struct arrivals_set *arrivals;
    const struct queue_result *results;
    size_t count;
};

void queue_show_text(FILE *file, const struct queue_shown *s);
void queue_show_csv(FILE *file, const struct queue_shown *s);
enum status queue_show_json(FILE *file, const struct queue_shown *s, struct err *err);

#endif
