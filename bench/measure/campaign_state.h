/* campaign_state.h - inside of a campaign: what its parts (gate, probe, rounds, results) share.
 * Owned by campaign_run; everything is passed in, nothing lives in files' own variables. */
#ifndef MEASURE_CAMPAIGN_STATE_H
#define MEASURE_CAMPAIGN_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/measure/campaign.h"
#include "bench/measure/decision.h"
#include "bench/measure/history.h"
#include "bench/measure/plan.h"
#include "kernels/base/clock.h"
#include "tuner/memory.h"
#include "tuner/search.h"

struct campaign_device;

struct target_state {
    const struct plan_target *plan;
    struct target_row row;
    struct history history;
    struct memory_model memory;
    uint64_t open_ns;                /* what the last start of a worker took until the model was loaded */
    bool   memory_known;             /* `memory` was begun: a worker has loaded the model */
    bool   gpu;                      /* not a cpu:N device */
    struct campaign_device *device;  /* of a GPU, once a worker told it; else NULL */
    uint64_t memory_limit_bytes;     /* of a GPU, known with it; else see target_memory_limit */
    bool   ended;                    /* nothing more can be measured of it: row.result and row.detail say
                                        why */
    enum why ended_why;              /* that goes for every size; WHY_NONE: it never ran here at all */
    bool   gated;                    /* the gate is over and was passed */
    bool   searched;                 /* the ascent is over: `search` holds */
    bool   measured;                 /* the race has ended by itself */
    bool   finished;                 /* all stages are over, none was cut short */
    bool   cut;                      /* its share of the budget ended before everything was measured */
    bool   search_over, rounds_over, race_over; /* no time for another probe, round, proof: see
                                                   decision_ask */
    int    given[PLAN_BATCHES_MAX];  /* [given_count] sizes in place of the ascent; 0: the ascent */
    size_t given_count;
    struct response_limits *response; /* what simulation said of a limit on responses; NULL: there is none */
    struct search_answer search;
    struct {
        int    batch;                /* best so far; 0: none */
        double images_per_s, low, high; /* its interval; NaN: unknown */
        size_t rounds, alive;        /* complete rounds of the race, sizes that are still in it */
    } best;                          /* for progress: see target_note_best */
};

struct campaign_state {
    struct campaign_context *context;
    const struct config *config;
    struct store *store;
    struct run_row run;
    struct clock clock;              /* the system's, until a worker brings virtual time */
    uint64_t virtual_now_ns;
    bool     virtual_time;
    struct clock_quality quality;
    uint64_t start_ns, budget_ns;    /* budget 0: none */
    uint64_t memory_limit_bytes;     /* 0: unknown */
    struct campaign_device **devices; /* [device_count] GPUs that were met, owned: devices_close */
    size_t   device_count;
    struct field_row *environment;   /* of the host, owned */
    size_t   environment_count;
    size_t   blocks_seen, blocks_shared; /* all blocks; those that steal or contention hit */
    bool     shared_machine;         /* these have become covariates */
    struct target_state *targets;
    size_t   target_count;
    char     folder[4096];           /* for outputs of the gate; made for this campaign, removed with it */
    size_t   ran;                    /* targets whose worker has loaded the model */
    enum status refused_status;      /* of the first target that cannot run here though a flag named it,
                                      * or whose model is wrong; ST_OK: none */
    char     refused_text[ERR_TEXT_MAX];
    char     note_text[ERR_TEXT_MAX]; /* of the last target that nobody named and that cannot run here */
};

static inline uint64_t campaign_now_ns(const struct campaign_state *c)
{
    return clock_now_ns(&c->clock);
}
/* Since the campaign began (or went on). Differences of it hold although the clock may become
 * a virtual one midway. */
static inline uint64_t campaign_elapsed_ns(const struct campaign_state *c)
{
    return campaign_now_ns(c) - c->start_ns;
}
static inline bool campaign_stopped(const struct campaign_state *c)
{
    return c->context->stop && *c->context->stop;
}

/* What a target may take, of its device's memory or of the machine's. 0: unknown. */
static inline uint64_t target_memory_limit(const struct campaign_state *c, const struct target_state *t)
{
    return t->gpu ? t->memory_limit_bytes : c->memory_limit_bytes;
}

/* Tells what goes on now. phase as in progress.h; text may be NULL; batch, round 0: none. */
void campaign_tell(const struct campaign_state *c, const struct target_state *t, const char *phase,
                   const char *text, int batch, int round);
/* Time of the budget that is left for target t: an equal share of the rest for every target from t on, of
 * which `part` (0..1] may be used now. UINT64_MAX without a budget. */
uint64_t campaign_share_ns(const struct campaign_state *c, const struct target_state *t, double part);
/* All that is left of the budget. UINT64_MAX without one. */
uint64_t campaign_left_ns(const struct campaign_state *c);

/* What a target is decided by, and the decision from its blocks as they stand: decision_free(*out). What
 * is over is as t's marks say. ST_OUT_OF_MEMORY. */
struct decision_rules target_rules(const struct campaign_state *c, const struct target_state *t);
enum status target_decide(struct decision **out, const struct campaign_state *c, const struct target_state *t,
                          struct err *err);

/* Keeps what progress tells of a decision. */
void target_note_best(struct target_state *t, const struct decision *d);

/* Ends a target: nothing more of it is measured. why: the reason of every size, WHY_NONE if it never ran.
 * Stores the result. Statuses of the store. */
enum status target_end(struct campaign_state *c, struct target_state *t, enum status status, enum why why,
                       const char *detail, struct err *err);
/* A detail without the target's name before it, for where the name stands already. */
const char *target_detail(const struct target_state *t, const char *detail);

#endif
