#include "bench/verbs/tune_run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/measure/campaign.h"
#include "bench/output/again.h"
#include "bench/output/batch_sizes_write.h"
#include "bench/output/curves.h"
#include "bench/output/progress.h"
#include "bench/verbs/files.h"
#include "bench/verbs/tune_end.h"
#include "kernels/base/build.h"
#include "kernels/base/json.h"
#include "kernels/base/text.h"

/* Keeps the worse of *st (with its sentence in err) and `other`; the milder one goes to stderr if it says
 * something else. Interrupted, and so the best so far was written: two ways to be inconclusive say the same.
 */
static void keep_worse(enum status *st, struct err *err, enum status other, const struct err *other_err)
{
    struct err milder = *err;
    if (status_rank(other) > status_rank(*st)) {
        *st = other;
        *err = *other_err;
    } else {
        milder = *other_err;
    }
    bool same = milder.status == err->status || (status_exit(milder.status) == status_exit(ST_UNDECIDED) &&
                                                 status_exit(err->status) == status_exit(ST_UNDECIDED));
    if (milder.text[0] && milder.status != ST_OK && !same)
        fprintf(stderr, "bench: %s\n", milder.text);
}

/* --- results -------------------------------------------------------------------------------------------- */

static enum status print_json(const struct campaign *campaign, const struct files *files, const char *out,
                              bool wrote_sizes, struct err *err)
{
    char sizes[FILES_PATH_MAX];
    snprintf(sizes, sizeof sizes, "%.4000s/%s", out, BATCH_SIZES_FILE);
    json_t *all = curves_json(campaign);
    json_t *where = json_pack("{s:s?, s:s, s:s, s:s}", "batch_sizes", wrote_sizes ? sizes : NULL, "store",
                              files->store, "campaign", files->campaign, "page", files->report);
    char *text = all && where && json_object_set(all, "files", where) == 0
                     ? json_write_text(all, JSON_INDENTED)
                     : NULL;
    json_decref(where);
    json_decref(all);
    if (!text)
        return err_set(err, ST_INTERNAL, "not enough memory to print the result");
    fputs(text, stdout);
    free(text);
    return ST_OK;
}

/* Did any target get as far as trying a size? Where no engine even started there is nothing to write down. */
static bool tried_something(const struct campaign *campaign)
{
    for (size_t i = 0; i < campaign->target_count; i++)
        for (size_t k = 0; k < campaign->targets[i].point_count; k++)
            if (campaign->targets[i].points[k].has_estimate || campaign->targets[i].points[k].has_prepared)
                return true;
    return false;
}

/* A campaign that ended before any model had a size leaves no file. */
static bool has_sizes(const char *out)
{
    char path[FILES_PATH_MAX];
    snprintf(path, sizeof path, "%.4000s/%s", out, BATCH_SIZES_FILE);
    return access(path, R_OK) == 0;
}

enum status tune_write_results(const struct tune_ask *ask, const struct plan *plan, const char *name,
                               struct err *err)
{
    const struct config *config = ask->config;
    struct campaign *campaign = NULL;
    struct notes notes = { 0 };
    struct files files;
    struct err files_err = { .status = ST_OK };
    enum status st = store_load_campaign(&campaign, ask->store, name, err);
    if (st != ST_OK || !tried_something(campaign)) {
        campaign_free(campaign);
        return st;
    }
    st = batch_sizes_write(campaign, config, config->out, &notes, err);
    const bool wrote = (st == ST_OK || st == ST_UNDECIDED || st == ST_BAD_NEWS) && has_sizes(config->out);
    enum status files_st = files_write_campaign(&files, campaign, config->out, &notes, &files_err);
    files_print_notes(&notes);
    if (files_st == ST_OK && ask->silent)
        fprintf(stderr, "note: campaign %s: %s\n", campaign->run.name, files.report);
    else if (files_st == ST_OK && config->json)
        files_st = print_json(campaign, &files, config->out, wrote, &files_err);
    else if (files_st == ST_OK)
        tune_end_print(&(struct tune_end){ .program = ask->inv->program, .campaign = campaign, .plan = plan,
                                           .files = &files, .out = config->out, .wrote_sizes = wrote });
    keep_worse(&st, err, files_st, &files_err);
    campaign_free(campaign);
    return st;
}

/* --- the campaign --------------------------------------------------------------------------------------- */

/* Is there something stored to be shown after this end of the campaign? */
static bool has_results(enum status st, const struct campaign_context *c)
{
    return c->run != 0 && st != ST_IO && st != ST_INTERNAL && st != ST_OUT_OF_MEMORY && st != ST_USAGE;
}

static void tell_resume(const struct invocation *inv, const char *out)
{
    fputs("note: ", stderr);
    again_quote(stderr, inv->program);
    fputs(" tune --resume", stderr);
    if (strcmp(out, "results") != 0) {
        fputs(" --out ", stderr);
        again_quote(stderr, out);
    }
    fputs(" goes on where this stopped\n", stderr);
}

/* How long it will take, before it begins. */
static void tell_plan(const struct config *config, const struct plan *plan)
{
    const uint64_t budget_ns = config->budget_set ? config->budget_ns : CAMPAIGN_BUDGET_NS * plan->target_count;
    const double predicted_s = plan_predicted_s(plan);
    char text[32];
    if (config->quiet)
        return;
    fprintf(stderr, "note: %zu target%s", plan->target_count, plan->target_count == 1 ? "" : "s");
    if (isfinite(predicted_s) && predicted_s > 0) {
        text_of_duration(text, sizeof text, (uint64_t)(predicted_s * 1e9));
        fprintf(stderr, ", %s by what earlier campaigns took", text);
    }
    text_of_duration(text, sizeof text, budget_ns);
    fprintf(stderr, ", %s%s (--budget)\n", budget_ns ? "at most " : "", budget_ns ? text : "without a limit");
}

enum status tune_run(const struct tune_ask *ask, struct err *err)
{
    const struct config *config = ask->config;
    struct plan plan;
    struct progress_line line;
    enum status st = plan_make(&plan, config, ask->store, err);
    if (st != ST_OK)
        return st;
    if (ask->keep)
        plan_keep(&plan, ask->keep, ask->keep_context);
    if (plan.target_count == 0) {
        plan_free(&plan);
        return ST_OK;
    }
    tell_plan(config, &plan);
    struct progress progress = progress_line_open(&line, stderr, config->quiet);
    struct campaign_context context = { .config = config,
                                        .plan = &plan,
                                        .store = ask->store,
                                        .progress = &progress,
                                        .stop = ask->inv->stop,
                                        .argv_text = ask->inv->argv_text,
                                        .build = build_text(),
                                        .variant = build_variant() };
    st = campaign_run(&context, err);
    progress_line_close(&line);
    if (has_results(st, &context)) {
        struct err results_err = { .status = ST_OK };
        enum status results = tune_write_results(ask, &plan, context.run_name, &results_err);
        keep_worse(&st, err, results, &results_err);
    }
    if (st == ST_INTERRUPTED)
        tell_resume(ask->inv, config->out);
    plan_free(&plan);
    return st;
}
