#include "bench/nightly/page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/nightly/alpha.h"
#include "bench/nightly/past.h"
#include "bench/nightly/suspects.h"
#include "bench/nightly/told.h"
#include "bench/output/night_page.h"

struct work {
    struct past past;
    const struct run_row *run;       /* the night */
    double every_s;                  /* a night was due, by its own settings */
    double alpha;
    size_t first, count;             /* its rows */
    struct history_view *series;     /* up to that night */
    size_t series_count;
    struct night_report report;      /* its rows are borrowed */
};

static void find_rows(struct work *w)
{
    while (w->first < w->past.row_count && w->past.rows[w->first].run != w->run->id)
        w->first++;
    while (w->first + w->count < w->past.row_count && w->past.rows[w->first + w->count].run == w->run->id)
        w->count++;
}

/* Series that the night measured, each ending with it. */
static void cut_series(struct work *w)
{
    for (size_t i = 0; i < w->past.series_count; i++) {
        struct history_view view = w->past.series[i];
        size_t upto = 0;
        while (upto < view.count && view.nights[upto].row->run <= w->run->id)
            upto++;
        view.count = upto;
        if (upto > 0 && view.nights[upto - 1].row->run == w->run->id)
            w->series[w->series_count++] = view;
    }
}

/* What a night at that time has before it: the first `rows` of all. */
static struct judge_ask ask_before(const struct work *w, size_t rows, int64_t start_unix_s, double every_s)
{
    return (struct judge_ask){ .earlier = w->past.rows,
                               .earlier_count = rows,
                               .accepts = w->past.accepts,
                               .accept_count = w->past.accept_count,
                               .runs = w->past.runs,
                               .run_count = w->past.run_count,
                               .start_unix_s = start_unix_s,
                               .every_s = every_s,
                               .alpha = w->alpha };
}

static enum status collect(struct work *w, struct store *store, struct err *err)
{
    size_t at = (size_t)(w->run - w->past.runs);
    w->series = calloc(w->past.series_count + 1, sizeof *w->series);
    if (!w->series)
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for the page of a night");
    w->every_s = past_every_s(w->run);
    find_rows(w);
    cut_series(w);
    const struct judge_ask ask = ask_before(w, w->first, w->run->start_unix_s, w->every_s);
    w->report = (struct night_report){ .rows = w->past.rows + w->first,
                                       .count = w->count };
    snprintf(w->report.name, sizeof w->report.name, "%s", w->run->name);
    told_rows(&w->report, &ask);
    const struct suspects_ask suspects = { w->report.rows, w->count, &ask, at ? w->run - 1 : NULL, w->run };
    return suspects_find(&w->report.events, &w->report.event_count, &w->report.events_of_base, store, &suspects, err);
}

static void work_free(struct work *w)
{
    if (!w)
        return;
    past_free(&w->past);
    free(w->report.events);
    free(w->series);
    free(w);
}

static enum status load(struct work **out, struct store *store, const char *night, struct err *err)
{
    struct work *w = *out = calloc(1, sizeof *w);
    enum status st = w ? past_load(&w->past, store, err)
                       : err_set(err, ST_OUT_OF_MEMORY, "not enough memory for a night");
    if (st == ST_OK && !(w->run = past_night(&w->past, night ? night : "last")))
        st = err_set(err, ST_USAGE, "there was no night \"%.80s\": bench history lists them", night);
    if (st == ST_OK)
        st = alpha_load(&w->alpha, store, err);
    return st == ST_OK ? collect(w, store, err) : st;
}

enum status night_page_of_store(const char *path, struct store *store, const char *night, const char *again,
                                struct err *err)
{
    struct work *w;
    enum status st = load(&w, store, night, err);
    if (st == ST_OK) {
        const struct night_page page = { .tonight = night_report_view(&w->report),
                                         .series = w->series,
                                         .series_count = w->series_count,
                                         .command = again };
        st = night_page_write(&page, path, err);
    }
    work_free(w);
    return st;
}

enum status night_format_of_store(FILE *file, struct store *store, const char *night,
                                  void (*write)(FILE *file, const struct night_view *night), struct err *err)
{
    struct work *w;
    enum status st = load(&w, store, night, err);
    if (st == ST_OK) {
        const struct night_view view = night_report_view(&w->report);
        write(file, &view);
    }
    work_free(w);
    return st;
}

enum status night_status_of_store(FILE *file, struct store *store, int64_t now_unix_s, double every_s,
                                  void (*write)(FILE *file, const struct night_view *night), struct err *err)
{
    struct work *w;
    double days;
    enum status st = load(&w, store, NULL, err);
    if (st == ST_OK) {
        struct night_view view = night_report_view(&w->report);
        const struct judge_ask now = ask_before(w, w->past.row_count, now_unix_s, every_s);
        bool gap = told_is_gap(&days, &now);
        char text[RECORD_TEXT];
        snprintf(text, sizeof text, "the last verdict was %.1f days ago: look at what starts a night", days);
        if (gap && told_status(view.verdict) != ST_BAD_NEWS) {
            view.verdict = "BLIND";
            view.sentence = text;
        }
        write(file, &view);
        st = told_status(view.verdict);
        st = st == ST_OK ? ST_OK : err_set(err, st, "%s: %s", view.verdict, view.sentence);
    }
    work_free(w);
    return st;
}
