#include "bench/measure/warm.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure/block.h"
#include "tuner/warmup.h"

/* All iterations of the warm-up in order; the last two windows are at its end. */
struct warming {
    struct execution *x;
    int      batch;
    uint64_t t_iter_ns, start_ns;
    double  *iteration_ns;
    size_t   count, room;
    size_t   newer, older;           /* iterations of the last two windows */
    struct block_fact facts[2];      /* of these windows, the older first: for what the device did */
    int      runs, skewed;           /* answers, and those whose clock differed */
};

static enum status keep(struct warming *w, const struct worker_run_result *run, struct err *err)
{
    if (w->count + run->iterations > w->room) {
        size_t room = 2 * (w->count + run->iterations);
        double *moved = realloc(w->iteration_ns, room * sizeof *moved);
        if (!moved)
            return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for %zu iterations of a warm-up", room);
        w->iteration_ns = moved;
        w->room = room;
    }
    for (size_t i = 0; i < run->iterations; i++)
        w->iteration_ns[w->count++] = (double)run->iteration_ns[i];
    w->older = w->newer;
    w->newer = run->iterations;
    return ST_OK;
}

static enum status run_window(struct warming *w, uint64_t min_ns, int min_iterations, struct err *err)
{
    struct worker_run_result run = { 0 };
    struct block_fact fact;
    struct block_ask ask = { .batch = w->batch,
                             .kind = BLOCK_WARMUP,
                             .min_ns = min_ns,
                             .min_iterations = min_iterations,
                             .t_iter_ns = w->t_iter_ns };
    enum status st = block_measure(&fact, &run, w->x, &ask, err);
    if (st != ST_OK)
        return st;
    w->facts[0] = w->facts[1];
    w->facts[1] = fact;
    st = keep(w, &run, err);
    w->t_iter_ns = (uint64_t)fact.t_iter_ns;
    w->runs++;
    w->skewed += !run.clocks_agree; /* nothing is unmeasured in a window */
    worker_run_free(&run);
    return st;
}

static bool capped(const struct warming *w)
{
    uint64_t spent_ns = campaign_now_ns(w->x->campaign) - w->start_ns;
    return spent_ns >= WARMUP_CAP_NS && w->count >= WARMUP_CAP_ITERATIONS;
}

static bool is_steady(const struct warming *w)
{
    struct warmup_window windows[2];
    const size_t n[2] = { w->older, w->newer };
    const double *at = w->iteration_ns + w->count - w->older - w->newer;
    for (int i = 0; i < 2; at += n[i++]) /* NaN: not read, the test is skipped */
        windows[i] = (struct warmup_window){ at, n[i], w->facts[i].gpu.sm_mhz_min, w->facts[i].gpu.sm_mhz_max,
                                             w->facts[i].gpu.celsius_per_s };
    return warmup_check(&windows[0], &windows[1], warmup_window_iterations(w->t_iter_ns)) == WARMUP_STEADY;
}

static enum status run_windows(struct warming *w, bool *steady, struct err *err)
{
    enum status st = run_window(w, warmup_first_ns(w->x->target->gpu), warmup_first_iterations(w->t_iter_ns),
                                err);
    for (int windows = 0; st == ST_OK && !*steady && !capped(w); windows++) {
        st = run_window(w, WARMUP_WINDOW_NS, warmup_window_iterations(w->t_iter_ns), err);
        *steady = st == ST_OK && windows > 0 && is_steady(w);
    }
    return st;
}

/* A reading that is absent skips its test: the record says which ones there were. */
static enum status record_tests(const struct warming *w, struct err *err)
{
    const struct execution *x = w->x;
    struct field_row row = { .name = "warmup_tests", .source = "telemetry", .number = NAN,
                             .class_name = "context" };
    if (!x->target->gpu)
        return ST_OK;
    snprintf(row.text, sizeof row.text, "times%s%s", isnan(w->facts[1].gpu.sm_mhz) ? "" : " clock",
             isnan(w->facts[1].gpu.celsius_per_s) ? "" : " temperature");
    return store_append_environment(x->campaign->store, x->campaign->run.id, x->row.id, &row, 1, err);
}

static enum status mark_skewed(struct execution *x, struct err *err)
{
    struct mark_row mark = { .subject = "execution",
                             .subject_id = x->row.id,
                             .reason = "worker",
                             .value = NAN,
                             .limit = WORKER_CLOCK_SHARE,
                             .rule_version = CAMPAIGN_RULE_VERSION };
    x->skewed = true;
    enum status st = store_append_mark(x->campaign->store, &mark, err);
    return st != ST_OK ? st
                       : err_set(err, ST_ENVIRONMENT,
                                 "%s: the worker's clock and ours differ by more than 1 %% in "
                                 "every window of the warm-up: its times cannot be trusted",
                                 x->target->plan->name);
}

enum status warm_execution(struct execution *x, int batch, uint64_t t_iter_ns, struct err *err)
{
    struct warming w = {
        .x = x, .batch = batch, .t_iter_ns = t_iter_ns, .start_ns = campaign_now_ns(x->campaign)
    };
    bool steady = false;
    campaign_tell(x->campaign, x->target, "warm-up", NULL, batch, 0);
    enum status st = run_windows(&w, &steady, err);
    if (st == ST_OK) {
        x->warm_batch = batch;
        x->row.warmup_ns = campaign_now_ns(x->campaign) - w.start_ns;
        snprintf(x->row.steady, sizeof x->row.steady, "%s", steady ? "yes" : "no");
        snprintf(x->row.class_name, sizeof x->row.class_name, "%s",
                 warmup_class_name(warmup_classify(w.iteration_ns, w.count, steady)));
        st = store_append_execution_state(x->campaign->store, &x->row, err);
    }
    if (st == ST_OK)
        st = record_tests(&w, err);
    if (st == ST_OK && w.skewed == w.runs)
        st = mark_skewed(x, err);
    free(w.iteration_ns);
    return st;
}

enum status warm_size(struct execution *x, int batch, uint64_t *t_iter_ns, struct err *err)
{
    int n = warmup_other_iterations(*t_iter_ns);
    /* the protocol always measures one iteration: the last of them */
    struct worker_run_ask ask = { .batch = batch, .min_ns = 0, .min_iterations = 1, .max_iterations = 1,
                                  .unmeasured = n - 1 };
    struct worker_run_result runs[WORKER_GROUP_MAX];
    enum status st = execution_run(x, &ask, runs, NULL, worker_run_deadline(*t_iter_ns * (uint64_t)n), err);
    for (size_t i = 0; i < x->all.count && st == ST_OK; i++) {
        *t_iter_ns = i == 0 || runs[i].iteration_ns[0] > *t_iter_ns ? runs[i].iteration_ns[0] : *t_iter_ns;
        worker_run_free(&runs[i]);
    }
    return st;
}
