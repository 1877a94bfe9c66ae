#include "bench/verbs/verbs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/measure/campaign.h"
#include "bench/measure/plan.h"
#include "bench/output/again.h"
#include "bench/output/batch_sizes_write.h"
#include "bench/output/curves.h"
#include "bench/output/progress.h"
#include "bench/store/store.h"
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

/* --- before anything is measured ------------------------------------------------------------------------ */

/* Finds what is wrong with the settings or with the files in place before anything is made or measured. */
static enum status check_first(const struct config *config, struct err *err)
{
    struct plan plan;
    struct batch_sizes_base base = { 0 };
    enum status st = plan_make(&plan, config, NULL, err);
    if (st != ST_OK)
        return st;
    plan_free(&plan);
    st = batch_sizes_base_read(&base, config, config->out, err);
    batch_sizes_base_free(&base);
    return st;
}

/* What --resume finds in the store. */
struct found {
    bool continues;                  /* a campaign that did not end: it goes on */
    bool unwritten;                  /* the newest one ended, but its files were not written */
    char name[32];                   /* of the unwritten one */
    char *config_text;               /* of either; owned */
};

/* The page is the last file that is written: without it something is missing. */
static bool was_written(const struct config *config, const char *name)
{
    struct files files;
    files_name(&files, config->out, name);
    return access(files.report, F_OK) == 0;
}

static enum status find_stored(struct found *out, const struct config *config, struct store *store,
                               struct err *err)
{
    struct run_row *runs = NULL;
    size_t count = 0;
    *out = (struct found){ 0 };
    enum status st = campaign_find_config(&out->config_text, store, err);
    out->continues = out->config_text != NULL;
    if (st != ST_OK || out->continues)
        return st;
    st = store_load_runs(&runs, &count, store, "tune", err);
    if (st == ST_OK && count && !was_written(config, runs[0].name) && runs[0].config_text) {
        out->unwritten = true;
        out->config_text = strdup(runs[0].config_text);
        memcpy(out->name, runs[0].name, sizeof out->name);
    }
    store_free_runs(runs, count);
    return st;
}

/* The settings of the found campaign under the flags of now. */
static enum status settings_of(struct config *out, const struct found *found, const struct invocation *inv,
                               struct err *err)
{
    const char *words[1];
    size_t word_count;
    struct config_ask ask = *inv->ask;
    ask.base_text = found->config_text;
    enum status st = config_read(out, words, &word_count, &ask, err);
    if (st != ST_OK || strcmp(out->out, inv->config->out) == 0)
        return st;
    free(out->out); /* the folder that was named now is the one that has the store */
    out->out = strdup(inv->config->out);
    return out->out ? ST_OK : err_set(err, ST_INTERNAL, "not enough memory for the settings");
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

/* Everything that is made of a stored campaign. ST_UNDECIDED and ST_BAD_NEWS: it was made, and that is the
 * answer. */
static enum status write_results(const struct invocation *inv, const struct config *config,
                                 const struct plan *plan, struct store *store, const char *name,
                                 struct err *err)
{
    struct campaign *campaign = NULL;
    struct notes notes = { 0 };
    struct files files;
    struct err files_err = { .status = ST_OK };
    enum status st = store_load_campaign(&campaign, store, name, err);
    if (st != ST_OK || !tried_something(campaign)) {
        campaign_free(campaign);
        return st;
    }
    st = batch_sizes_write(campaign, config, config->out, &notes, err);
    const bool wrote = (st == ST_OK || st == ST_UNDECIDED || st == ST_BAD_NEWS) && has_sizes(config->out);
    enum status files_st = files_write_campaign(&files, campaign, config->out, &notes, &files_err);
    files_print_notes(&notes);
    if (files_st == ST_OK && config->json)
        files_st = print_json(campaign, &files, config->out, wrote, &files_err);
    else if (files_st == ST_OK)
        tune_end_print(&(struct tune_end){ .program = inv->program, .campaign = campaign, .plan = plan,
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

static enum status run_campaign(const struct invocation *inv, const struct config *config,
                                struct store *store, struct err *err)
{
    struct plan plan;
    struct progress_line line;
    char build[128];
    enum status st = plan_make(&plan, config, store, err);
    if (st != ST_OK)
        return st;
    snprintf(build, sizeof build, "%s%s%s", build_version(), *build_commit() ? " " : "", build_commit());
    tell_plan(config, &plan);
    struct progress progress = progress_line_open(&line, stderr, config->quiet);
    struct campaign_context context = { .config = config,
                                        .plan = &plan,
                                        .store = store,
                                        .progress = &progress,
                                        .stop = inv->stop,
                                        .argv_text = inv->argv_text,
                                        .build = build,
                                        .variant = build_variant() };
    st = campaign_run(&context, err);
    progress_line_close(&line);
    if (has_results(st, &context)) {
        struct err results_err = { .status = ST_OK };
        enum status results = write_results(inv, config, &plan, store, context.run_name, &results_err);
        keep_worse(&st, err, results, &results_err);
    }
    if (st == ST_INTERRUPTED)
        tell_resume(inv, config->out);
    plan_free(&plan);
    return st;
}

/* The campaign ended, the program did not: what is missing is made from the store. */
static enum status write_unwritten(const struct invocation *inv, const struct config *config,
                                   const struct found *found, struct store *store, struct err *err)
{
    struct plan plan;
    enum status st = plan_make(&plan, config, store, err);
    if (st != ST_OK)
        return st;
    fprintf(stderr, "note: campaign %s was measured to its end: only its files are written\n", found->name);
    st = write_results(inv, config, &plan, store, found->name, err);
    plan_free(&plan);
    return st;
}

static enum status resume(const struct invocation *inv, struct err *err)
{
    struct config stored = { 0 };
    struct store *store = NULL;
    struct found found = { 0 };
    enum status st = files_open_store(&store, inv->config->out, STORE_WRITE, err);
    if (st == ST_OK)
        st = find_stored(&found, inv->config, store, err);
    if (st == ST_OK && found.config_text)
        st = settings_of(&stored, &found, inv, err);
    const struct config *config = found.config_text ? &stored : inv->config;
    if (st == ST_OK && !found.config_text)
        fprintf(stderr, "note: no unfinished campaign is stored in %s: a new one starts\n", inv->config->out);
    if (st == ST_OK)
        st = check_first(config, err);
    if (st == ST_OK)
        st = found.unwritten ? write_unwritten(inv, config, &found, store, err)
                             : run_campaign(inv, config, store, err);
    config_free(&stored);
    free(found.config_text);
    store_close(store);
    return st;
}

enum status verb_tune(const struct invocation *inv, struct err *err)
{
    struct store *store = NULL;
    if (inv->config->resume)
        return resume(inv, err);
    enum status st = check_first(inv->config, err);
    if (st == ST_OK)
        st = files_open_store(&store, inv->config->out, STORE_WRITE, err);
    if (st == ST_OK)
        st = run_campaign(inv, inv->config, store, err);
    store_close(store);
    return st;
}
