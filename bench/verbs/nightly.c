#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/nightly/night.h"
#include "bench/nightly/page.h"
#include "bench/output/night_table.h"
#include "bench/output/progress.h"
#include "bench/output/table.h"
#include "bench/verbs/files.h"
#include "bench/verbs/night_sources.h"
#include "bench/verbs/tune_run.h"
#include "bench/verbs/verbs.h"
#include "kernels/base/build.h"
#include "kernels/base/clock.h"
#include "kernels/base/json.h"

static void write_plain(FILE *file, const struct night_view *night)
{
    night_table_write(file, night, table_colour(file));
}

static void write_json(FILE *file, const struct night_view *night)
{
    json_t *all = night_table_json(night);
    char *text = all ? json_write_text(all, JSON_INDENTED) : NULL;
    json_decref(all);
    fputs(text ? text : "{}\n", file); /* no memory: the exit code tells the verdict all the same */
    free(text);
}

static void (*writer_of(const struct config *config))(FILE *file, const struct night_view *night)
{
    return config->json ? write_json : write_plain;
}

struct retuned {
    const struct night_report *report;
    const struct watch_source *source;
};

static bool is_moved(void *context, const struct plan_target *target)
{
    const struct retuned *moved = context;
    for (size_t i = 0; i < moved->report->moved_count; i++)
        if (strcmp(moved->report->moved[i], target->key) == 0)
            return watch_asks(moved->source, target->model.name);
    return false;
}

/* Races again what moved; the file is written as after any tune: only what its rules allow. The night's status
 * stays unless that goes wrong. */
static enum status retune(enum status st, const struct night_report *report, const struct invocation *inv,
                          const struct night_sources *sources, struct store *store, struct err *err)
{
    for (size_t i = 0; i < sources->count && report->moved_count > 0; i++) {
        struct err tune_err = { .status = ST_OK };
        struct retuned moved = { report, &sources->list[i] };
        const struct tune_ask ask = { .inv = inv, .config = sources->list[i].config, .store = store,
                                      .keep = is_moved, .keep_context = &moved,
                                      .silent = inv->config->json };
        enum status tuned = tune_run(&ask, &tune_err);
        if (tuned != ST_OK)
            fprintf(stderr, "bench: %s\n", tune_err.text);
        if (st == ST_OK && tuned != ST_OK && tuned != ST_UNDECIDED)
            st = err_set(err, tuned, "what moved could not be raced again");
    }
    return st;
}

static enum status run(const struct invocation *inv, const struct night_sources *sources, struct store *store,
                       struct err *err)
{
    const struct config *config = sources->list[0].config;
    struct progress_line line;
    struct night_report report;
    struct progress progress = progress_line_open(&line, stderr, config->quiet);
    enum status st = night_run(&report,
                               &(struct night_context){ .sources = sources->list,
                                                        .source_count = sources->count,
                                                        .store = store,
                                                        .progress = &progress,
                                                        .stop = inv->stop,
                                                        .argv_text = inv->argv_text,
                                                        .build = build_text(),
                                                        .variant = build_variant() },
                               err);
    progress_line_close(&line);
    if (*report.verdict) {
        const struct night_view view = night_report_view(&report);
        writer_of(config)(stdout, &view);
        if (config->retune)
            st = retune(st, &report, inv, sources, store, err);
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

static enum status show_status(const struct invocation *inv, struct err *err)
{
    struct store *store = NULL;
    enum status st = files_open_store(&store, inv->config->out, STORE_READ, err);
    if (st == ST_OK)
        st = night_status_of_store(stdout, store, clock_unix_s(), (double)inv->config->every_ns / 1e9,
                                   writer_of(inv->config), err);
    store_close(store);
    return st;
}

enum status verb_nightly(const struct invocation *inv, struct err *err)
{
    struct store *store = NULL;
    struct night_sources sources = { 0 };
    if (inv->config->status)
        return show_status(inv, err);
    enum status st = files_open_store(&store, inv->config->out, STORE_WRITE, err);
    if (st == ST_OK)
        st = night_sources_load(&sources, store, inv, err);
    if (st == ST_OK)
        st = run(inv, &sources, store, err);
    if (st == ST_OK || st == ST_BAD_NEWS || st == ST_UNDECIDED) {
        struct err page_err = { .status = ST_OK };
        enum status page = write_page(inv, store, &page_err);
        if (page != ST_OK)
            fprintf(stderr, "bench: %s\n", page_err.text);
    }
    night_sources_free(&sources);
    store_close(store);
    return st;
}
