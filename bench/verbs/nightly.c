#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/nightly/night.h"
#include "bench/nightly/page.h"
#include "bench/output/night_table.h"
#include "bench/output/progress.h"
#include "bench/output/table.h"
#include "bench/verbs/files.h"
#include "bench/verbs/verbs.h"
#include "kernels/base/build.h"
#include "kernels/base/clock.h"
#include "kernels/base/json.h"

/* The settings of the watched campaign under the flags of now. */
static enum status settings_of(struct config *out, const struct campaign *tune, const struct invocation *inv,
                               struct err *err)
{
    const char *words[1];
    size_t word_count;
    struct config_ask ask = *inv->ask;
    ask.base_text = tune->run.config_text;
    enum status st = config_read(out, words, &word_count, &ask, err);
    if (st != ST_OK || strcmp(out->out, inv->config->out) == 0)
        return st;
    free(out->out);
    out->out = strdup(inv->config->out);
    return out->out ? ST_OK : err_set(err, ST_INTERNAL, "not enough memory for the settings");
}

static enum status print_with(const struct night_report *report, const struct night_change *changes,
                              bool as_json, struct err *err)
{
    const struct night_view view = { .name = report->name, .tune = report->tune, .verdict = report->verdict,
                                     .sentence = report->sentence, .gap = report->gap, .rows = report->rows,
                                     .count = report->count, .nights = report->nights,
                                     .alpha_budget = report->alpha_budget, .changes = changes,
                                     .change_count = report->event_count };
    if (!as_json) {
        night_table_write(stdout, &view, table_colour(stdout));
        return ST_OK;
    }
    json_t *all = night_table_json(&view);
    char *text = all ? json_write_text(all, JSON_INDENTED) : NULL;
    json_decref(all);
    if (!text)
        return err_set(err, ST_INTERNAL, "not enough memory to print the night");
    fputs(text, stdout);
    free(text);
    return ST_OK;
}

static enum status print(const struct night_report *report, bool as_json, struct err *err)
{
    struct night_change *changes = calloc(report->event_count + 1, sizeof *changes);
    if (!changes)
        return err_set(err, ST_INTERNAL, "not enough memory to print the night");
    for (size_t i = 0; i < report->event_count; i++)
        changes[i] =
            (struct night_change){ report->events[i].name, report->events[i].was, report->events[i].is };
    enum status st = print_with(report, changes, as_json, err);
    free(changes);
    return st;
}

static enum status run(const struct invocation *inv, const struct config *config, const struct campaign *tune,
                       struct store *store, struct err *err)
{
    struct progress_line line;
    struct night_report report;
    char build[128];
    snprintf(build, sizeof build, "%s%s%s", build_version(), *build_commit() ? " " : "", build_commit());
    struct progress progress = progress_line_open(&line, stderr, config->quiet);
    enum status st = night_run(&report,
                               &(struct night_context){ .config = config,
                                                        .tune = tune,
                                                        .store = store,
                                                        .progress = &progress,
                                                        .stop = inv->stop,
                                                        .argv_text = inv->argv_text,
                                                        .build = build,
                                                        .variant = build_variant() },
                               err);
    progress_line_close(&line);
    if (*report.verdict) {
        struct err print_err = { .status = ST_OK };
        enum status printed = print(&report, config->json, &print_err);
        if (st == ST_OK && printed != ST_OK)
            st = err_set(err, printed, "%s", print_err.text);
    }
    night_report_free(&report);
    return st;
}

/* The page is of the store: a night that told nothing leaves the one before. */
static enum status write_page(const struct invocation *inv, struct store *store, struct err *err)
{
    char path[FILES_PATH_MAX];
    files_night_path(path, inv->config->out);
    enum status st = night_page_of_store(path, store, NULL, inv->argv_text, err);
    if (st == ST_OK && !inv->config->json)
        printf("page    %s\n", path);
    return st;
}

static void write_plain(FILE *file, const struct night_view *night)
{
    night_table_write(file, night, table_colour(file));
}

static void write_json(FILE *file, const struct night_view *night)
{
    json_t *all = night_table_json(night);
    char *text = all ? json_write_text(all, JSON_INDENTED) : NULL;
    json_decref(all);
    fputs(text ? text : "", file);
    free(text);
}

static enum status show_status(const struct invocation *inv, struct err *err)
{
    struct store *store = NULL;
    enum status st = files_open_store(&store, inv->config->out, STORE_READ, err);
    if (st == ST_OK)
        st = night_status_of_store(stdout, store, clock_unix_s(), inv->config->json ? write_json : write_plain, err);
    store_close(store);
    return st;
}

enum status verb_nightly(const struct invocation *inv, struct err *err)
{
    struct store *store = NULL;
    struct campaign *tune = NULL;
    struct config config = { 0 };
    if (inv->config->status)
        return show_status(inv, err);
    enum status st = files_open_store(&store, inv->config->out, STORE_WRITE, err);
    if (st == ST_OK)
        st = store_load_campaign(&tune, store, inv->word_count ? inv->words[0] : NULL, err);
    if (st == ST_OK)
        st = settings_of(&config, tune, inv, err);
    if (st == ST_OK)
        st = run(inv, &config, tune, store, err);
    if (st == ST_OK || st == ST_BAD_NEWS || st == ST_UNDECIDED) {
        struct err page_err = { .status = ST_OK };
        enum status page = write_page(inv, store, &page_err);
        if (page != ST_OK)
            fprintf(stderr, "bench: %s\n", page_err.text);
    }
    config_free(&config);
    campaign_free(tune);
    store_close(store);
    return st;
}
