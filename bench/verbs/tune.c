#include "bench/verbs/verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure/campaign.h"
#include "bench/measure/plan.h"
#include "bench/output/batch_sizes_write.h"
#include "bench/output/curves.h"
#include "bench/output/progress.h"
#include "bench/output/table.h"
#include "bench/store/store.h"
#include "bench/verbs/files.h"
#include "kernels/base/build.h"
#include "kernels/base/json.h"

/* What several failures of one run end with: the exit codes 2, 1, 3, 4, 0 win in this order. */
static int rank(enum status st)
{
    static const int of_exit[] = { [0] = 0, [4] = 1, [3] = 2, [1] = 3, [2] = 4 };
    return of_exit[status_exit(st)];
}

/* Keeps the worse of *st (with its sentence in err) and `other`; the milder one goes to stderr if it says something
 * else. */
static void keep_worse(enum status *st, struct err *err, enum status other, const struct err *other_err)
{
    struct err milder = *err;
    if (rank(other) > rank(*st)) {
        *st = other;
        *err = *other_err;
    } else {
        milder = *other_err;
    }
    if (milder.text[0] && milder.status != ST_OK && milder.status != err->status)
        fprintf(stderr, "bench: %s\n", milder.text);
}

/* --- before anything is measured --------------------------------------------------------------------------------- */

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

/* The settings of the campaign that --resume continues, under the flags of now; the given ones if there is none. */
static enum status settings_of_resume(struct config *out, bool *found, const struct invocation *inv,
                                      struct store *store, struct err *err)
{
    const char *words[1];
    size_t word_count;
    char *text = NULL;
    struct config_ask ask = *inv->ask;
    enum status st = campaign_find_config(&text, store, err);
    *found = st == ST_OK && text;
    ask.base_text = text;
    if (*found)
        st = config_read(out, words, &word_count, &ask, err);
    *found = *found && st == ST_OK;
    if (*found && strcmp(out->out, inv->config->out) != 0) { /* the folder that was named now has the store */
        char *folder = strdup(inv->config->out);
        if (folder) {
            free(out->out);
            out->out = folder;
        }
    }
    free(text);
    return st;
}

/* --- results ----------------------------------------------------------------------------------------------------- */

/* Was anything measured at another size than the models' own? Then the answer is not yet the service's. */
static bool is_smaller(const struct plan *plan)
{
    for (size_t i = 0; i < plan->target_count; i++)
        if (plan->targets[i].shape[1] < plan->targets[i].model.input[1] ||
            plan->targets[i].shape[2] < plan->targets[i].model.input[2])
            return true;
    return false;
}

static void print_names(const char *flag, const struct name_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        printf("%s%s", i ? "," : flag, list->names[i]);
}

static void print_production_command(const struct invocation *inv, const struct config *config)
{
    printf("\nThe same at production size:\n  %s", inv->program);
    if (config->all_models)
        fputs(" --all-models", stdout);
    else
        print_names(" --model ", &config->models);
    if (config->engines.count != 1 || strcmp(config->engines.names[0], "onednn") != 0)
        print_names(" --engine ", &config->engines);
    print_names(" --precision ", &config->precisions);
    if (strcmp(config->out, "results") != 0)
        printf(" --out %s", config->out);
    putchar('\n');
}

static void print_text(const struct campaign *campaign, const struct files *files, const char *out, bool wrote_sizes)
{
    curves_summary(stdout, campaign, table_colour(stdout));
    putchar('\n');
    if (wrote_sizes)
        printf("sizes   %s/%s\n        %s/%s\n", out, BATCH_SIZES_FILE, out, BATCH_SIZES_PRODUCTION);
    printf("curves  %s/curves.csv, curves.json\n", files->campaign);
    if (files->pictures)
        printf("plots   %s (%d, as .svg and .png)\n", files->plots, files->pictures);
    printf("page    %s\nstore   %s (bench show %s)\n", files->report, files->store, campaign->run.name);
}

static enum status print_json(const struct campaign *campaign, const struct files *files, const char *out,
                              bool wrote_sizes, struct err *err)
{
    char sizes[FILES_PATH_MAX];
    snprintf(sizes, sizeof sizes, "%.4000s/%s", out, BATCH_SIZES_FILE);
    json_t *all = curves_json(campaign);
    json_t *where = json_pack("{s:s?, s:s, s:s, s:s}", "batch_sizes", wrote_sizes ? sizes : NULL, "store",
                              files->store, "campaign", files->campaign, "page", files->report);
    char *text = all && where && json_object_set(all, "files", where) == 0 ? json_write_text(all, JSON_INDENTED) : NULL;
    json_decref(where);
    json_decref(all);
    if (!text)
        return err_set(err, ST_INTERNAL, "not enough memory to print the result");
    fputs(text, stdout);
    free(text);
    return ST_OK;
}

/* Everything that is made of a stored campaign. ST_UNDECIDED and ST_BAD_NEWS: it was made, and that is the answer. */
static enum status write_results(const struct invocation *inv, const struct config *config, const struct plan *plan,
                                 struct store *store, const char *name, struct err *err)
{
    struct campaign *campaign = NULL;
    struct notes notes = { 0 };
    struct files files;
    struct err files_err = { .status = ST_OK };
    enum status st = store_load_campaign(&campaign, store, name, err);
    if (st != ST_OK)
        return st;
    st = batch_sizes_write(campaign, config, config->out, &notes, err);
    bool wrote = st == ST_OK || st == ST_UNDECIDED || st == ST_BAD_NEWS;
    enum status files_st = files_write_campaign(&files, campaign, config->out, &notes, &files_err);
    files_print_notes(&notes);
    if (files_st == ST_OK && config->json)
        files_st = print_json(campaign, &files, config->out, wrote, &files_err);
    else if (files_st == ST_OK)
        print_text(campaign, &files, config->out, wrote);
    if (files_st == ST_OK && !config->json && is_smaller(plan))
        print_production_command(inv, config);
    keep_worse(&st, err, files_st, &files_err);
    campaign_free(campaign);
    return st;
}

/* --- the campaign ------------------------------------------------------------------------------------------------ */

/* Is there something stored to be shown after this end of the campaign? */
static bool has_results(enum status st, const struct campaign_context *c)
{
    return c->run != 0 && st != ST_IO && st != ST_INTERNAL && st != ST_OUT_OF_MEMORY && st != ST_USAGE;
}

static enum status run_campaign(const struct invocation *inv, const struct config *config, struct store *store,
                                struct err *err)
{
    struct plan plan;
    struct progress_line line;
    char build[128];
    enum status st = plan_make(&plan, config, store, err);
    if (st != ST_OK)
        return st;
    snprintf(build, sizeof build, "%s%s%s", build_version(), *build_commit() ? " " : "", build_commit());
    struct progress progress = progress_line_open(&line, stderr, config->quiet);
    struct campaign_context context = { .config = config, .plan = &plan, .store = store, .progress = &progress,
                                        .stop = inv->stop, .argv_text = inv->argv_text, .build = build,
                                        .variant = build_variant() };
    st = campaign_run(&context, err);
    progress_line_close(&line);
    if (has_results(st, &context)) {
        struct err results_err = { .status = ST_OK };
        enum status results = write_results(inv, config, &plan, store, context.run_name, &results_err);
        keep_worse(&st, err, results, &results_err);
    }
    if (st == ST_INTERRUPTED)
        fprintf(stderr, "note: %s tune --resume%s%s goes on where this stopped\n", inv->program,
                strcmp(config->out, "results") ? " --out " : "", strcmp(config->out, "results") ? config->out : "");
    plan_free(&plan);
    return st;
}

static enum status resume(const struct invocation *inv, struct err *err)
{
    struct config config;
    struct store *store = NULL;
    bool found = false;
    enum status st = files_open_store(&store, inv->config->out, STORE_WRITE, err);
    if (st == ST_OK)
        st = settings_of_resume(&config, &found, inv, store, err);
    if (st == ST_OK && !found)
        fprintf(stderr, "note: no unfinished campaign is stored in %s: a new one starts\n", inv->config->out);
    const struct config *settings = found ? &config : inv->config;
    if (st == ST_OK)
        st = check_first(settings, err);
    if (st == ST_OK)
        st = run_campaign(inv, settings, store, err);
    if (found)
        config_free(&config);
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
