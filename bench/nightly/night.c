#include "bench/nightly/night.h"

#include <math.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/doctor/doctor.h"
#include "bench/measure/campaign_begin.h"
#include "bench/nightly/advice.h"
#include "bench/nightly/alpha.h"
#include "bench/nightly/events.h"
#include "bench/nightly/judge.h"
#include "bench/nightly/measure.h"
#include "bench/nightly/night_rows.h"
#include "bench/nightly/signs.h"
#include "bench/nightly/suspects.h"
#include "bench/nightly/told.h"
#include "bench/nightly/watch.h"
#include "kernels/base/clock.h"
#include "kernels/base/nvml.h"

struct night {
    const struct night_context *context;
    struct config config;            /* of the newest source, borrowed, but for the budget of its campaign */
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
    double alpha;
};

/* --- begin ---------------------------------------------------------------------------------------------- */

struct wanted {
    const struct watch *watch;
    const struct watch_source *source;
};

static bool is_watched(void *context, const struct plan_target *target)
{
    const struct wanted *wanted = context;
    for (size_t i = 0; i < wanted->watch->count; i++)
        if (wanted->watch->targets[i].source == wanted->source &&
            strcmp(wanted->watch->targets[i].view->row.key, target->key) == 0)
            return true;
    return false;
}

/* The plan of nothing but what is watched of one source. */
static enum status plan_source(struct night *n, const struct watch_source *source, struct err *err)
{
    struct plan plan;
    struct wanted wanted = { &n->watch, source };
    enum status st = plan_make(&plan, source->config, n->context->store, err);
    if (st != ST_OK)
        return st;
    plan_keep(&plan, is_watched, &wanted);
    st = plan_append(&n->plan, &plan, err);
    plan_free(&plan);
    return st;
}

static enum status load_past(struct night *n, struct err *err)
{
    struct store *s = n->context->store;
    enum status st = store_load_nights(&n->earlier, &n->earlier_count, s, err);
    if (st == ST_OK)
        st = store_load_accepts(&n->accepts, &n->accept_count, s, err);
    if (st == ST_OK)
        st = store_load_runs(&n->runs, &n->run_count, s, NIGHT_KIND, err);
    if (st == ST_OK)
        st = alpha_load(&n->alpha, s, err);
    return st;
}

/* What is watched, and a plan of nothing else. */
static enum status prepare(struct night *n, struct err *err)
{
    const struct night_context *x = n->context;
    enum status st = watch_make(&n->watch, x->sources, x->source_count, err);
    for (size_t i = 0; i < x->source_count && st == ST_OK; i++)
        st = plan_source(n, &x->sources[i], err);
    if (st == ST_OK && n->plan.target_count != n->watch.count)
        st = err_set(
            err, ST_CONFIG,
            "of %zu watched targets %zu can be planned here: threads, quota or engines are others "
            "than in campaign %s: run bench tune again",
            n->watch.count, n->plan.target_count, x->sources[0].tune->run.name);
    return st == ST_OK ? load_past(n, err) : st;
}

static enum status begin(struct night *n, struct err *err)
{
    const struct night_context *x = n->context;
    n->config = *x->sources[0].config;
    n->config.budget_set = true;
    n->config.budget_ns = 0; /* a night has no budget: it ends when it is measured */
    n->campaign = (struct campaign_context){ .config = &n->config,
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
                               .start_unix_s = n->c->run.start_unix_s,
                               .every_s = (double)n->context->sources[0].config->every_ns / 1e9,
                               .alpha = n->alpha };
}

/* Values into rows, rows judged. */
static enum status judge(struct night_report *out, const struct night *n, bool *ask_again, struct err *err)
{
    const struct judge_ask ask = judge_ask_of(n);
    night_rows_fill(out->rows, out->count, n->targets, n->watch.count);
    enum status st = judge_rows(out->rows, out->count, ask_again, &ask, err);
    const struct signs_ask signs = { .store = n->context->store, .targets = n->targets,
                                     .target_count = n->watch.count, .past = &ask };
    return st == ST_OK ? signs_judge(out->rows, out->count, ask_again, &signs, err) : st;
}

/* What is flagged is measured again, with the series that tell what the device has in common. */
static enum status confirm(struct night_report *out, struct night *n, struct err *err)
{
    bool ask_again;
    judge_choose_panel(out->rows, out->count);
    night_rows_choose_confirm(n->targets, n->watch.count, out->rows, out->count);
    enum status st = night_confirm(n->c, n->targets, n->watch.count, NIGHT_EXECUTIONS, err);
    return st == ST_OK ? judge(out, n, &ask_again, err) : st;
}

/* A GPU of this machine: where another library stands in for NVML, its GPUs are on no bus and have no driver here. */
static bool watches_gpu(const struct night *n)
{
    for (size_t i = 0; i < n->watch.count; i++)
        if (strncmp(n->targets[i].t->plan->device, "cuda:", 5) == 0)
            return !getenv(NVML_LIBRARY_VARIABLE);
    return false;
}

/* Where a GPU is watched and none works, nothing is measured and every target knows why. */
static enum status measure(struct night *n, struct err *err)
{
    char fault[ERR_TEXT_MAX] = "";
    enum status st = watches_gpu(n) ? doctor_gpu_fault(fault, sizeof fault, NULL, n->context->stop, err) : ST_OK;
    if (st != ST_OK || !*fault)
        return st == ST_OK ? night_measure(n->c, n->targets, n->watch.count, NIGHT_EXECUTIONS, err) : st;
    for (size_t i = 0; i < n->watch.count; i++) {
        n->targets[i].failed = ST_ENVIRONMENT;
        memcpy(n->targets[i].why, fault, sizeof fault);
    }
    return ST_OK;
}

/* A pattern that names nothing is a slip of its writer, not of the night. */
static void tell_unmatched(const struct night *n, const struct night_row *rows, size_t count)
{
    for (size_t i = 0; i < n->config.night_series_count; i++) {
        const char *pattern = n->config.night_series[i].pattern;
        char text[400];
        size_t k = 0;
        while (k < count && (rows[k].target == 0 || fnmatch(pattern, rows[k].name, 0) != 0))
            k++;
        snprintf(text, sizeof text, "nightly.series: no series of tonight matches \"%s\"; bench history shows their names",
                 pattern);
        if (k == count)
            campaign_tell(n->c, NULL, "warning", text, 0, 0);
    }
}

static enum status watch_all(struct night_report *out, struct night *n, struct err *err)
{
    bool ask_again = false;
    night_rows_choose_control(n->targets, n->watch.count, n->earlier, n->earlier_count);
    enum status st = measure(n, err);
    if (st == ST_OK)
        st = signs_record(n->c, n->targets, n->watch.count, err);
    if (st == ST_OK)
        st = night_rows_make(&out->rows, &out->count, n->targets, n->watch.count, &n->config, n->earlier,
                             n->earlier_count, err);
    judge_regroup(n->earlier, n->earlier_count, out->rows, out->count);
    tell_unmatched(n, out->rows, out->count);
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

/* Keys of the targets that are to be raced again. */
static enum status list_moved(struct night_report *out, const struct night *n, struct err *err)
{
    out->moved = calloc(n->watch.count + 1, sizeof *out->moved);
    if (!out->moved)
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for a night");
    for (size_t i = 0; i < out->count; i++)
        for (size_t k = 0; k < n->watch.count; k++)
            if (n->targets[k].t->row.id == out->rows[i].target && advice_is_moved(&out->rows[i]) &&
                !advice_is_slower(&out->rows[i], out->rows, out->count))
                memcpy(out->moved[out->moved_count++], n->targets[k].t->row.key, sizeof *out->moved);
    return ST_OK;
}

static enum status conclude(struct night_report *out, struct night *n, struct err *err)
{
    const struct config *config = n->context->sources[0].config;
    const struct judge_ask ask = judge_ask_of(n);
    const struct run_row *before = night_before(n);
    const struct suspects_ask suspects = { out->rows, out->count, &ask, before, &n->c->run };
    snprintf(out->name, sizeof out->name, "%s", n->c->run.name);
    snprintf(out->tune, sizeof out->tune, "%s", n->context->sources[0].tune->run.name);
    enum status st = suspects_find(&out->events, &out->event_count, &out->events_of_base, n->context->store, &suspects,
                                   err);
    if (st == ST_OK)
        st = list_moved(out, n, err);
    if (st == ST_OK)
        st = told_of(out, &ask, n->targets, n->watch.count, err);
    if (st == ST_OK && *out->advice && strcmp(config->fail_on, "moved") == 0)
        st = err_set(err, ST_BAD_NEWS, "%s", out->advice);
    return st;
}

enum status night_run(struct night_report *out, const struct night_context *context, struct err *err)
{
    struct night n = { .context = context };
    *out = (struct night_report){ .verdict = "" };
    enum status st = prepare(&n, err);
    if (st == ST_OK)
        st = begin(&n, err);
    if (st == ST_OK)
        st = watch_all(out, &n, err);
    if (st == ST_OK)
        st = conclude(out, &n, err);
    bool stopped = st == ST_INTERRUPTED;
    if (stopped)
        err_set(err, st, "interrupted: this night judges nothing and no later one is compared with it");
    if (n.c && n.c->run.id) {
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

struct night_view night_report_view(const struct night_report *r)
{
    return (struct night_view){ .name = r->name, .tune = *r->tune ? r->tune : NULL, .verdict = r->verdict,
                                .sentence = r->sentence, .gap = r->gap, .advice = r->advice, .rows = r->rows, .count = r->count,
                                .nights = r->nights, .alpha = r->alpha, .alpha_tested = r->alpha > ALPHA_PUBLISHED,
                                .alpha_budget = r->alpha_budget, .events = r->events,
                                .event_count = r->event_count,
                                .events_of_base = r->events_of_base };
}

void night_report_free(struct night_report *r)
{
    free(r->rows);
    free(r->events);
    free(r->moved);
    r->moved = NULL;
    r->moved_count = 0;
    r->events = NULL;
    r->event_count = 0;
    r->rows = NULL;
    r->count = 0;
}
