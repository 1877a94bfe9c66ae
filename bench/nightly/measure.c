#include "bench/nightly/measure.h"

#include <stdio.h>
#include <stdlib.h>

#include "bench/measure/residents.h"
#include "bench/measure/schedule.h"
#include "kernels/base/rng.h"

enum { TRIES = 3 };

struct job {                         /* one execution to come */
    struct night_target *target;
    enum night_part part;
    int pass;                        /* from 1 */
};

static const char *label_of(const struct job *job)
{
    static const char *const labels[NIGHT_PARTS] = { "normal", "AA-2", "confirm" };
    return job->part == NIGHT_NORMAL && job->target->control ? "AA-1" : labels[job->part];
}

/* --- one execution -------------------------------------------------------------------------------------- */

/* The block of a place; an invalid one is repeated. */
static enum status run_place(struct campaign_state *c, struct residents *r, int batch, int round, int place,
                             struct err *err)
{
    struct block_fact fact = { .valid = false };
    enum status st = ST_OK;
    for (int retry = 0; retry < TRIES && st == ST_OK && !fact.valid; retry++) {
        struct block_ask ask = {
            .batch = batch, .kind = BLOCK_NIGHT, .round = round, .place = place, .retry = retry
        };
        st = campaign_stopped(c) ? err_set(err, ST_INTERRUPTED, "interrupted: this night judges nothing")
                                 : residents_block(&fact, r, &ask, err);
    }
    return st;
}

static enum status run_rounds(struct campaign_state *c, const struct job *job, struct residents *r,
                              struct err *err)
{
    struct target_state *t = job->target->t;
    const struct watch_target *w = job->target->watch;
    enum status st = ST_OK;
    for (int i = 0; i < NIGHT_ROUNDS && st == ST_OK; i++) {
        int order[MOVED_POINTS_MAX], round = history_last_round(&t->history) + 1;
        for (size_t k = 0; k < w->count; k++)
            order[k] = w->batches[k];
        schedule_order(order, w->count, c->run.seed, t->plan->key, round);
        for (size_t k = 0; k < w->count && st == ST_OK; k++)
            st = run_place(c, r, order[k], round, (int)k, err);
    }
    return st;
}

static void note_failure(struct campaign_state *c, const struct job *job, enum status st,
                         const struct err *err)
{
    struct night_target *target = job->target;
    char text[ERR_TEXT_MAX];
    target->failed = st;
    snprintf(target->why, sizeof target->why, "%s", err->text);
    snprintf(text, sizeof text, "an execution is lost: %.900s", err->text);
    campaign_tell(c, target->t, "warning", text, 0, 0);
}

static enum status run_job(struct campaign_state *c, const struct job *job, struct err *err)
{
    struct night_target *target = job->target;
    struct residents *r = calloc(1, sizeof *r);
    const struct residents_ask ask = { .label = label_of(job), .batches = target->watch->batches,
                                       .count = target->watch->count, .gate = true };
    if (!r)
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for an execution");
    campaign_tell(c, target->t, job->part == NIGHT_CONFIRM ? "confirm" : "night", NULL, 0, job->pass);
    enum status st = residents_open(r, c, target->t, &ask, err);
    if (st == ST_OK)
        st = run_rounds(c, job, r, err);
    int64_t execution = r->x.row.id;
    enum status closed = residents_close(r, st == ST_OK ? err : NULL);
    free(r);
    if (st == ST_OK && closed == ST_OK)
        target->executions[job->part][target->counts[job->part]++] = execution;
    if (status_is_of_worker(st, err) || status_ends_target(st)) {
        note_failure(c, job, st, err);
        st = ST_OK;
    }
    return st != ST_OK ? st : closed;
}

/* --- all of them ---------------------------------------------------------------------------------------- */

/* Every job once, in the order that the seed gives this pass. */
static enum status run_pass(struct campaign_state *c, struct job *jobs, size_t count, const char *name,
                            int pass, struct err *err)
{
    struct rng rng = rng_seeded(schedule_seed(c->run.seed, name, pass));
    int *order = calloc(count + 1, sizeof *order);
    enum status st = order ? ST_OK : err_set(err, ST_OUT_OF_MEMORY, "not enough memory for a night");
    for (size_t i = 0; order && i < count; i++)
        order[i] = (int)i;
    if (order)
        rng_shuffle(&rng, order, count);
    for (size_t i = 0; i < count && st == ST_OK; i++) {
        jobs[order[i]].pass = pass;
        st = run_job(c, &jobs[order[i]], err);
    }
    free(order);
    return st;
}

static enum status run_all(struct campaign_state *c, struct job *jobs, size_t count, int executions,
                           const char *name, struct err *err)
{
    enum status st = ST_OK;
    for (int e = 1; e <= executions && st == ST_OK; e++)
        st = run_pass(c, jobs, count, name, e, err);
    return st;
}

static enum status with_jobs(struct campaign_state *c, struct night_target *targets, size_t count,
                             int executions, bool confirm, struct err *err)
{
    struct job *jobs = calloc(2 * count + 1, sizeof *jobs);
    size_t n = 0;
    if (!jobs)
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for a night");
    for (size_t i = 0; i < count; i++) {
        if (confirm && targets[i].confirm)
            jobs[n++] = (struct job){ &targets[i], NIGHT_CONFIRM, 0 };
        if (!confirm)
            jobs[n++] = (struct job){ &targets[i], NIGHT_NORMAL, 0 };
        if (!confirm && targets[i].control)
            jobs[n++] = (struct job){ &targets[i], NIGHT_CONTROL, 0 };
    }
    enum status st = run_all(c, jobs, n, executions, confirm ? "confirm" : "night", err);
    free(jobs);
    return st;
}

enum status night_measure(struct campaign_state *c, struct night_target *targets, size_t count,
                          int executions, struct err *err)
{
    return with_jobs(c, targets, count, executions, false, err);
}

enum status night_confirm(struct campaign_state *c, struct night_target *targets, size_t count,
                          int executions, struct err *err)
{
    return with_jobs(c, targets, count, executions, true, err);
}
