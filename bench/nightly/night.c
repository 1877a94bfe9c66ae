#include "bench/nightly/night.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure/campaign_begin.h"
#include "bench/nightly/judge.h"
#include "bench/nightly/measure.h"
#include "bench/nightly/night_rows.h"
#include "bench/nightly/told.h"
#include "bench/nightly/watch.h"
#include "kernels/base/clock.h"

enum { QUICK_EXECUTIONS = 3 };

struct night {
    const struct night_context *context;
    struct campaign_context campaign;
    struct campaign_state *c;
    struct plan plan;
    struct watch watch;
    struct night_target *targets;    /* [watch.count] */
    struct night_row *earlier;
    size_t earlier_count;
    struct accept_row *accepts;
    size_t accept_count;
    struct run_row *runs;            /* earlier nights */
    size_t run_count;
    int executions;
};

/* --- begin ---------------------------------------------------------------------------------------------- */

static bool is_watched(void *context, const struct plan_target *target)
{
    const struct watch *w = context;
    for (size_t i = 0; i < w->count; i++)
        if (strcmp(w->targets[i].view->row.key, target->key) == 0)
            return true;
    return false;
}

static enum status load_past(struct night *n, struct err *err)
{
    struct store *s = n->context->store;
    enum status st = store_load_nights(&n->earlier, &n->earlier_count, s, err);
    if (st == ST_OK)
        st = store_load_accepts(&n->accepts, &n->accept_count, s, err);
    if (st == ST_OK)
        st = store_load_runs(&n->runs, &n->run_count, s, NIGHT_KIND, err);
    return st;
}

/* What is watched, and a plan of nothing else. */
static enum status prepare(struct night *n, struct err *err)
{
    const struct night_context *x = n->context;
    enum status st = watch_make(&n->watch, x->tune, x->config, err);
    if (st == ST_OK)
        st = plan_make(&n->plan, x->config, x->store, err);
    if (st == ST_OK)
        plan_keep(&n->plan, is_watched, &n->watch);
    if (st == ST_OK && n->plan.target_count != n->watch.count)
        st = err_set(
            err, ST_CONFIG,
            "of %zu watched targets %zu can be planned here: threads, quota or engines are others "
            "than in campaign %s: run bench tune again",
            n->watch.count, n->plan.target_count, x->tune->run.name);
    return st == ST_OK ? load_past(n, err) : st;
}

static enum status begin(struct night *n, struct err *err)
{
    const struct night_context *x = n->context;
    n->campaign = (struct campaign_context){ .config = x->config,
                                             .plan = &n->plan,
                                             .store = x->store,
                                             .progress = x->progress,
                                             .stop = x->stop,
                                             .argv_text = x->argv_text,
                                             .build = x->build,
                                             .variant = x->variant,
                                             .kind = NIGHT_KIND };
    n->c = calloc(1, sizeof *n->c);
    n->targets = calloc(n->watch.count, sizeof *n->targets);
    if (!n->c || !n->targets)
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for a night");
    n->c->context = &n->campaign;
    enum status st = campaign_begin(n->c, err);
    for (size_t i = 0; i < n->c->target_count && st == ST_OK; i++)
        for (size_t k = 0; k < n->watch.count; k++)
            if (strcmp(n->c->targets[i].plan->key, n->watch.targets[k].view->row.key) == 0)
                n->targets[i] =
                    (struct night_target){ .t = &n->c->targets[i], .watch = &n->watch.targets[k] };
    return st;
}

static void release(struct night *n)
{
    if (n->c)
        campaign_release(n->c);
    free(n->c);
    free(n->targets);
    free(n->earlier);
    free(n->accepts);
    store_free_runs(n->runs, n->run_count);
    plan_free(&n->plan);
    watch_free(&n->watch);
}

/* --- one night ------------------------------------------------------------------------------------------ */

static struct judge_ask judge_ask_of(const struct night *n)
{
    return (struct judge_ask){ .earlier = n->earlier,
                               .earlier_count = n->earlier_count,
                               .accepts = n->accepts,
                               .accept_count = n->accept_count,
                               .runs = n->runs,
                               .run_count = n->run_count,
                               .start_unix_s = n->c->run.start_unix_s };
}

/* Values into rows, rows judged. */
static enum status judge(struct night_report *out, const struct night *n, bool *ask_again, struct err *err)
{
    const struct judge_ask ask = judge_ask_of(n);
    night_rows_fill(out->rows, out->count, n->targets, n->watch.count);
    return judge_rows(out->rows, out->count, ask_again, &ask, err);
}

/* Flagged series are measured again, with those that tell what the device has in common. */
static enum status confirm(struct night_report *out, struct night *n, struct err *err)
{
    bool ask_again;
    judge_choose_panel(out->rows, out->count);
    night_rows_choose_confirm(n->targets, n->watch.count, out->rows, out->count);
    enum status st = night_confirm(n->c, n->targets, n->watch.count, n->executions, err);
    return st == ST_OK ? judge(out, n, &ask_again, err) : st;
}

static enum status watch_all(struct night_report *out, struct night *n, struct err *err)
{
    bool ask_again = false;
    night_rows_choose_control(n->targets, n->watch.count, n->earlier, n->earlier_count);
    enum status st = night_measure(n->c, n->targets, n->watch.count, n->executions, err);
    if (st == ST_OK)
        st = night_rows_make(&out->rows, &out->count, n->targets, n->watch.count, n->earlier,
                             n->earlier_count, err);
    if (st == ST_OK)
        st = judge(out, n, &ask_again, err);
    if (st == ST_OK && ask_again)
        st = confirm(out, n, err);
    if (st == ST_OK)
        st = store_replace_night(n->context->store, n->c->run.id, out->rows, out->count, err);
    return st;
}

/* The newest night that told something; NULL: tonight is the first. */
static const struct run_row *night_before(const struct night *n)
{
    int64_t last = n->earlier_count ? n->earlier[n->earlier_count - 1].run : 0;
    for (size_t i = 0; i < n->run_count; i++)
        if (n->runs[i].id == last)
            return &n->runs[i];
    return NULL;
}

static enum status conclude(struct night_report *out, struct night *n, struct err *err)
{
    const struct judge_ask ask = judge_ask_of(n);
    const struct run_row *before = night_before(n);
    if (before) {
        enum status st =
            night_events(&out->events, &out->event_count, n->context->store, before, &n->c->run, err);
        if (st != ST_OK)
            return st;
    }
    snprintf(out->name, sizeof out->name, "%s", n->c->run.name);
    snprintf(out->tune, sizeof out->tune, "%s", n->context->tune->run.name);
    return told_of(out, &ask, n->targets, n->watch.count, err);
}

enum status night_run(struct night_report *out, const struct night_context *context, struct err *err)
{
    struct night n = { .context = context,
                       .executions = context->quick ? QUICK_EXECUTIONS : NIGHT_EXECUTIONS };
    *out = (struct night_report){ .verdict = "" };
    enum status st = prepare(&n, err);
    if (st == ST_OK)
        st = begin(&n, err);
    if (st == ST_OK)
        st = watch_all(out, &n, err);
    if (st == ST_OK)
        st = conclude(out, &n, err);
    if (n.c && n.c->run.id) {
        bool stopped = st == ST_INTERRUPTED;
        struct err end_err = { .status = ST_OK };
        enum status ended = campaign_record_end(n.c,
                                                stopped                                 ? "interrupted"
                                                : status_rank(st) > 0 && !*out->verdict ? "failed"
                                                                                        : "done",
                                                status_exit(st), &end_err);
        if (st == ST_OK && ended != ST_OK)
            st = err_set(err, ended, "%s", end_err.text);
    }
    release(&n);
    return st;
}

void night_report_free(struct night_report *r)
{
    free(r->rows);
    free(r->events);
    r->events = NULL;
    r->event_count = 0;
    r->rows = NULL;
    r->count = 0;
}
